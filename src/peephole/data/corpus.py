"""A corpus of tokens on disk, made from text in constant memory and read through a memory map.

A part is one stream: `<eod>` stands before every document and after the last. So inputs are `tokens[:-1]`, targets are
`tokens[1:]`, and a net's state starts anew at every step whose input is `<eod>`. Where a cut by position falls inside a
document, the training part has no closing `<eod>`, and the held-out part opens with the text itself.
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peephole.data.config import TextData
from peephole.data.holding_out import choose
from peephole.data.learning import learn
from peephole.data.measuring import Measure, measure
from peephole.data.parts import named_parts
from peephole.data.split import HELD_OUT, PARTS, TEST, TRAIN, SourceFile, Split
from peephole.data.tokenizer import Tokenizer
from peephole.errors import InputError
from peephole.writing import sync_folder, write_whole

VERSION = 1
MOST_UNKNOWN = 0.5  # of the tokens to learn from: a net then learns little but where it knows nothing

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Part:
    """Tokens of one part, `[tokens]`, memory-mapped and read-only, with what they hold.

    `words` is what a person counts: whatever stands between spaces, and line ends, whatever a token is; None for
    corpora from before it was counted. `unknown` is the number of `<unk>` tokens, None as `words`.
    """

    tokens: NDArray[np.unsignedinteger]
    documents: int
    characters: int
    words: int | None = None
    unknown: int | None = None


@dataclass(frozen=True)
class TextCorpus:
    """A corpus on disk; `test` is None where no text was named so.

    `description` says what it was made of, in JSON's types: `files` (absolute `path`, `bytes`, `sha256`, `part`),
    `duplicates` (paths whose content an earlier file has), `split`, `cut` (characters before it, by position),
    `cut_inside_document`, `encoding`, `separator`, `characters` a part, `left_out` (files beside named parts); and of
    tokens `vocabulary` (`tokens`, `cut`: what a word is, `types` seen in training, how many of them were `kept`), and
    `unknown`, their share in each part.
    """

    train: Part
    held_out: Part
    tokenizer: Tokenizer
    description: dict[str, Any]
    test: Part | None = None


def prepare(data: TextData, folder: Path, tokenizer_path: Path) -> TextCorpus:
    """Read the text that `data` names, and write its tokens to `folder` and its vocabulary to `tokenizer_path`.

    The vocabulary is that of the training part alone. Memory stays constant, whatever the size of the text (words:
    grows with the number of different ones). `folder` appears only when it is whole; what a killed run left beside it
    is removed.

    Raises:
        InputError: a file that cannot be used, a corpus too small to split, a vocabulary that cannot be made of it, or
            a `folder` that is there already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: there already: expected a new folder for the tokens; remove it to make them anew")
    named = named_parts(data)
    parts = [[SourceFile.of(path) for path in paths] for paths in (named.train, named.validation, named.test)]
    split = choose(parts[0], data, parts[1], parts[2])
    files = [file for part in parts for file in part]
    names = PARTS if split.test else PARTS[:TEST]
    if {file.sha256 for file in split.train} & {file.sha256 for file in (*split.held_out, *split.test)}:
        logger.warning(
            "a file that is held out has the content of one that is trained on: what is measured says little"
        )
    measured = measure(split, sampled=data.tokens == "word")
    for name, characters in zip(names, measured.characters, strict=False):
        if not characters:
            raise InputError(
                f"the {name.replace('_', '-')} part has no characters: expected text between the separators; give more "
                "text"
            )
    tokenizer, vocabulary = learn(data, split, measured)

    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        lengths, unknown = _encode(split, measured, tokenizer, partial, names)
        for name, length in zip(names, lengths, strict=True):
            if length < 2:
                raise InputError(
                    f"the {name.replace('_', '-')} part has no {tokenizer.unit}: expected some; give more text"
                )
        shares = [found / length for found, length in zip(unknown, lengths, strict=True)]
        if shares[TRAIN] > MOST_UNKNOWN:
            logger.warning("%.0f %% of the training part are unknown %s", 100 * shares[TRAIN], tokenizer.unit)
        for file in files:
            if file.changed():
                raise InputError(f"{file.path}: changed while it was read: expected it to stay; run again")
        tokenizer.save(tokenizer_path)
        sizes = {
            "tokens": lengths,
            "documents": measured.documents,
            "characters": measured.characters,
            "words": measured.words,
            "unknown": unknown,
        }
        content = {
            "version": VERSION,
            "dtype": tokenizer.dtype.str,
            "tokenizer_sha256": _sha256(tokenizer_path),
            "parts": {name: {kind: counts[part] for kind, counts in sizes.items()} for part, name in enumerate(names)},
            "description": {
                **_describe(split, measured, files),
                "left_out": [str(path.absolute()) for path in named.left_out],
                "vocabulary": vocabulary,
                "unknown": dict(zip(names, shares, strict=True)),
            },
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
        parts: dict[str, Part] = {}
        for name, part in content["parts"].items():
            tokens, expected = folder / f"{name}.bin", part["tokens"] * dtype.itemsize
            if tokens.stat().st_size != expected:
                size = tokens.stat().st_size
                raise InputError(f"{tokens}: damaged: {size:,} bytes, expected {expected:,}; {remedy}")
            mapped = np.memmap(tokens, dtype, mode="r")
            parts[name] = Part(mapped, part["documents"], part["characters"], part.get("words"), part.get("unknown"))
        train, held_out, test = parts["train"], parts["held_out"], parts.get("test")
        return TextCorpus(train, held_out, tokenizer, content["description"], test)
    except OSError as error:
        raise InputError(f"{error.filename}: missing from the corpus ({error.strerror}); {remedy}") from None
    except (AttributeError, KeyError, TypeError, json.JSONDecodeError, UnicodeDecodeError):
        raise InputError(f"{path}: damaged: expected what was written when the corpus was made; {remedy}") from None


def _encode(
    split: Split, measured: Measure, tokenizer: Tokenizer, folder: Path, names: Sequence[str]
) -> tuple[list[int], list[int]]:
    """Write a file of tokens a part; give back their lengths in tokens, and the number of unknown ones."""
    boundary = np.array([tokenizer.eod], dtype=tokenizer.dtype).tobytes()
    unknown = [0 for _ in names]
    with ExitStack() as opened:
        streams = [opened.enter_context((folder / f"{name}.bin").open("wb")) for name in names]
        encoders = [tokenizer.encoder() for _ in names]
        for part, stream in enumerate(streams):
            if part != HELD_OUT or not measured.cut_inside_document:
                stream.write(boundary)
        for part, piece in split.pieces():
            ids = encoders[part](piece)
            unknown[part] += int((ids == tokenizer.unk).sum())
            streams[part].write(ids.tobytes())
            if piece is None:
                streams[part].write(boundary)
        if measured.cut_inside_document:
            ids = encoders[TRAIN](None)
            unknown[TRAIN] += int((ids == tokenizer.unk).sum())
            streams[TRAIN].write(ids.tobytes())
        for stream in streams:
            stream.flush()
            os.fsync(stream.fileno())
        lengths = [stream.tell() // tokenizer.dtype.itemsize for stream in streams]
    return lengths, unknown


def _describe(split: Split, measured: Measure, files: list[SourceFile]) -> dict[str, Any]:
    seen: set[str] = set()
    listed, duplicates = [], []
    for file in files:
        path = str(file.path.absolute())
        listed.append({"path": path, "bytes": file.size, "sha256": file.sha256, "part": split.part_of(file)})
        if file.sha256 in seen:
            duplicates.append(path)
        seen.add(file.sha256)
    names = PARTS if split.test else PARTS[:TEST]
    return {
        "files": listed,
        "duplicates": duplicates,
        "split": split.kind,
        "cut": split.cut if split.kind == "position" else None,
        "cut_inside_document": measured.cut_inside_document,
        "encoding": split.encoding,
        "separator": split.separator,
        "characters": dict(zip(names, measured.characters, strict=False)),
    }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
