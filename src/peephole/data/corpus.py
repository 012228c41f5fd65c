"""A corpus of tokens on disk, made from text in constant memory and read through a memory map.

A part is one stream: `<eod>` stands before every document and after the last. So inputs are `tokens[:-1]`, targets are
`tokens[1:]`, and a net's state starts anew at every step whose input is `<eod>`. Where a cut by position falls inside a
document, the training part has no closing `<eod>`, and the held-out part opens with the text itself.
"""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peephole.data.config import TextData
from peephole.data.files import find_files, standard_library
from peephole.data.split import HELD_OUT, TRAIN, SourceFile, Split, choose
from peephole.data.tokenizer import Tokenizer, code_points
from peephole.errors import InputError
from peephole.writing import sync_folder, write_whole

PARTS = ("train", "held_out")
VERSION = 1


@dataclass(frozen=True)
class Part:
    """Tokens of one part, `[tokens]`, memory-mapped and read-only, with what they hold."""

    tokens: NDArray[np.unsignedinteger]
    documents: int
    characters: int


@dataclass(frozen=True)
class TextCorpus:
    """A corpus on disk.

    `description` says what it was made of, in JSON's types: `files` (absolute `path`, `bytes`, `sha256`, `part`),
    `duplicates` (paths whose content an earlier file has), `split`, `cut` (characters before it, by position),
    `cut_inside_document`, `encoding`, `separator`, and `characters` a part.
    """

    train: Part
    held_out: Part
    tokenizer: Tokenizer
    description: dict[str, Any]


@dataclass(frozen=True)
class _Measure:
    """What the first pass over the text finds; lists have one entry a part."""

    counts: dict[str, int]
    characters: list[int]
    documents: list[int]
    cut_inside_document: bool


def prepare(data: TextData, folder: Path, tokenizer_path: Path) -> TextCorpus:
    """Read the text that `data` names, and write its tokens to `folder` and its vocabulary to `tokenizer_path`.

    The vocabulary is that of the training part alone. Memory stays constant, whatever the size of the text. `folder`
    appears only when it is whole; what a killed run left beside it is removed.

    Raises:
        InputError: a file that cannot be used, a corpus too small to split, or a `folder` that is there already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: there already: expected a new folder for the tokens; remove it to make them anew")
    paths = find_files(data.files, data.suffixes, data.encoding) if data.files else standard_library()
    files = [SourceFile.of(path) for path in paths]
    split = choose(files, data)
    measure = _measure(split)
    for part in (TRAIN, HELD_OUT):
        if not measure.characters[part]:
            name = PARTS[part].replace("_", "-")
            raise InputError(f"the {name} part has no characters: expected text between the separators; give more text")
    tokenizer = Tokenizer.characters(measure.counts, data.unknown, data.min_count)

    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        lengths = _encode(split, measure, tokenizer, partial)
        for file in files:
            if file.changed():
                raise InputError(f"{file.path}: changed while it was read: expected it to stay; run again")
        tokenizer.save(tokenizer_path)
        content = {
            "version": VERSION,
            "dtype": tokenizer.dtype.str,
            "tokenizer_sha256": _sha256(tokenizer_path),
            "parts": {
                name: {"tokens": length, "documents": documents, "characters": characters}
                for name, length, documents, characters in zip(
                    PARTS, lengths, measure.documents, measure.characters, strict=True
                )
            },
            "description": _describe(split, measure, files),
        }
        write_whole(partial / "corpus.json", json.dumps(content, indent=1).encode())
        partial.replace(folder)
        sync_folder(folder.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return open_corpus(folder, tokenizer_path)


def open_corpus(folder: Path, tokenizer_path: Path) -> TextCorpus:
    """Open what `prepare` wrote, without reading the tokens.

    Raises:
        InputError: a file is missing, damaged, of another size than it was written with, or the tokenizer is not the
            one that the tokens were made with.
    """
    remedy = "remove the folder to make it anew"
    path = folder / "corpus.json"
    tokenizer = Tokenizer.load(tokenizer_path)
    try:
        content = json.loads(path.read_bytes())
        if content["version"] != VERSION:
            raise InputError(f"{path}: format {content['version']}: expected {VERSION}; {remedy}")
        if content["tokenizer_sha256"] != _sha256(tokenizer_path):
            raise InputError(
                f"{tokenizer_path}: not the tokenizer that {folder} was made with; restore it, or {remedy}"
            )
        dtype = np.dtype(content["dtype"])
        parts = []
        for name in PARTS:
            part = content["parts"][name]
            tokens, expected = folder / f"{name}.bin", part["tokens"] * dtype.itemsize
            if tokens.stat().st_size != expected:
                size = tokens.stat().st_size
                raise InputError(f"{tokens}: damaged: {size:,} bytes, expected {expected:,}; {remedy}")
            parts.append(Part(np.memmap(tokens, dtype, mode="r"), part["documents"], part["characters"]))
        return TextCorpus(parts[TRAIN], parts[HELD_OUT], tokenizer, content["description"])
    except OSError as error:
        raise InputError(f"{error.filename}: missing from the corpus ({error.strerror}); {remedy}") from None
    except (KeyError, TypeError, json.JSONDecodeError, UnicodeDecodeError):
        raise InputError(f"{path}: damaged: expected what was written when the corpus was made; {remedy}") from None


def _measure(split: Split) -> _Measure:
    """Count the characters of the training part; decode the held-out part too, so that bad bytes show before work."""
    counts = np.zeros(0x110000, dtype=np.int64)
    characters, documents = [0, 0], [0, 0]
    waiting: list[str] = []  # small documents are counted together: a count spans up to the largest code point
    train_is_open = False

    def count() -> None:
        found = np.bincount(code_points("".join(waiting)))
        counts[: len(found)] += found
        waiting.clear()

    for part, piece in split.pieces():
        if part == TRAIN:
            train_is_open = piece is not None
        if piece is None:
            documents[part] += 1
            continue
        characters[part] += len(piece)
        if part == TRAIN:
            waiting.append(piece)
            if len(waiting) == 256 or len(piece) > 4096:
                count()
    count()
    documents[TRAIN] += train_is_open
    found = {chr(point): int(counts[point]) for point in np.flatnonzero(counts)}
    return _Measure(found, characters, documents, train_is_open)


def _encode(split: Split, measure: _Measure, tokenizer: Tokenizer, folder: Path) -> list[int]:
    """Write `train.bin` and `held_out.bin`; give back their lengths in tokens."""
    boundary = np.array([tokenizer.eod], dtype=tokenizer.dtype).tobytes()
    with (folder / "train.bin").open("wb") as train, (folder / "held_out.bin").open("wb") as held_out:
        streams = (train, held_out)
        train.write(boundary)
        if not measure.cut_inside_document:
            held_out.write(boundary)
        for part, piece in split.pieces():
            streams[part].write(boundary if piece is None else tokenizer.encode(piece).tobytes())
        for stream in streams:
            stream.flush()
            os.fsync(stream.fileno())
        return [stream.tell() // tokenizer.dtype.itemsize for stream in streams]


def _describe(split: Split, measure: _Measure, files: list[SourceFile]) -> dict[str, Any]:
    by_position = split.kind == "position"
    held_out = set(split.held_out)
    seen: set[str] = set()
    listed, duplicates = [], []
    for file in files:
        path = str(file.path.absolute())
        part = "both" if by_position else PARTS[file in held_out]
        listed.append({"path": path, "bytes": file.size, "sha256": file.sha256, "part": part})
        if file.sha256 in seen:
            duplicates.append(path)
        seen.add(file.sha256)
    return {
        "files": listed,
        "duplicates": duplicates,
        "split": split.kind,
        "cut": split.cut if by_position else None,
        "cut_inside_document": measure.cut_inside_document,
        "encoding": split.encoding,
        "separator": split.separator,
        "characters": dict(zip(PARTS, measure.characters, strict=True)),
    }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
