"""Text files as a vocabulary and a file of word numbers, made in constant memory but for the different words."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peephole.data.split import SourceFile
from peephole.embed.corpus.config import CorpusConfig
from peephole.embed.corpus.phrases import Phrase, as_lines, find_phrases, joiner_of, read_phrases
from peephole.embed.corpus.reading import blocks, text_files
from peephole.embed.corpus.vocabulary import LONGEST, Vocabulary, new_vocabulary
from peephole.errors import InputError
from peephole.writing import sync_folder, write_whole

VERSION = 1
BLOCK = 1 << 20
LINES = 1 << 16  # words whose lines are made at a time
LEAST = 2  # words of a vocabulary: one has nothing beside it that it could be told from

Shown = Callable[[str, int, int], None]  # what is being done, bytes of the files read for it, and bytes of all files


@dataclass(frozen=True, eq=False)
class Corpus:
    """A text on disk, as numbers of its words.

    Attributes:
        folder: where it lies.
        tokens: a file of little-endian int32: words by their place in the vocabulary, -1 for the end of a sentence that
            had any, which is a line of the text.
        length: how many numbers are in it, -1 included.
        raw_words: how many words the text has, phrases joined, those included that the vocabulary lacks.
        counts: how often each word of the vocabulary came, `[V]`, falling; of equal ones, the one seen first is first.
        description: what it was made of, in JSON's types: `settings`; `files` (absolute `path`, `bytes`, `sha256`);
            `types`, how many different words there were; `too_long`, how many words had more than 1,000 bytes.
    """

    folder: Path
    tokens: Path
    length: int
    raw_words: int
    counts: NDArray[np.int64]
    description: dict[str, Any]

    def words(self) -> tuple[str, ...]:
        """How the words of the vocabulary are spelled, `[V]`."""
        with (self.folder / "vocabulary.txt").open("rb") as lines:  # one by one: a large vocabulary is not there twice
            return tuple([line.decode().rpartition(" ")[0] for line in lines])

    def digest(self) -> str:
        """What tells it from other texts: a hash of its words, their counts, and how long it is."""
        found = hashlib.sha256(f"{self.length} {self.raw_words}\n".encode())
        with (self.folder / "vocabulary.txt").open("rb") as file:
            while block := file.read(BLOCK):
                found.update(block)
        return found.hexdigest()

    def phrases(self) -> tuple[Phrase, ...]:
        """The phrases that were joined, pass by pass, in each the highest score first."""
        path = self.folder / "phrases.txt"
        return read_phrases(path) if path.exists() else ()


def prepare(data: CorpusConfig, folder: Path, shown: Shown | None = None) -> Corpus:
    """Read the text that `data` names, and write its words as numbers to `folder`, with their vocabulary.

    The text is read twice, and at least twice more for each pass that joins phrases. `folder` appears only when it is
    whole; what a killed process left beside it is removed. `shown` hears of the progress.

    Raises:
        InputError: a file that cannot be used or changes meanwhile; a text or a vocabulary of fewer than two words; a
            `folder` that is there already or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: there already: expected a new folder for the words; remove it to make them anew")
    if not data.files:
        raise InputError("no files: expected text files, or folders with some; name them")
    files = [SourceFile.of(path) for path in text_files(data.files)]
    partial = folder.with_name(f".{folder.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        content = _write(data, files, partial, shown)
        for file in files:
            if file.changed():
                raise InputError(f"{file.path}: changed while it was read: expected it to stay; run again")
        write_whole(partial / "corpus.json", json.dumps(content, indent=1).encode())
        partial.replace(folder)
        sync_folder(folder.parent)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise InputError(f"{folder}: cannot be written ({reason}); make room, then run again") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return open_corpus(folder)


def open_corpus(folder: Path) -> Corpus:
    """What `prepare` wrote, without reading the numbers of words.

    Raises:
        InputError: a file is missing, damaged, or of another size than it was written with.
    """
    remedy = "remove the folder to make it anew"
    path = folder / "corpus.json"
    try:
        content = json.loads(path.read_bytes())
        if content["version"] != VERSION:
            raise InputError(f"{path}: format {content['version']}: expected {VERSION}; {remedy}")
        for name, size in content["sizes"].items():
            if (folder / name).stat().st_size != size:
                got = (folder / name).stat().st_size
                raise InputError(f"{folder / name}: damaged: {got:,} bytes, expected {size:,}; {remedy}")
        counts = np.fromfile(folder / "counts.bin", "<i8").astype(np.int64)
        length, raw_words, description = content["length"], content["raw_words"], content["description"]
        return Corpus(folder, folder / "tokens.bin", length, raw_words, counts, description)
    except OSError as error:
        raise InputError(f"{error.filename}: missing from the corpus ({error.strerror}); {remedy}") from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: damaged: expected what was written when the corpus was made; {remedy}") from None


def _write(data: CorpusConfig, files: list[SourceFile], folder: Path, shown: Shown | None) -> dict[str, Any]:
    """Everything but `corpus.json`, whose content is given back."""
    total = sum(file.size for file in files)
    phrases: list[tuple[Phrase, ...]] = []

    def text(purpose: str) -> Iterator[bytes]:
        def hear(done: int) -> None:
            if shown is not None:
                shown(purpose, done, total)

        read = blocks([file.path for file in files], data.lowercase, hear)
        for found in phrases:
            read = map(joiner_of(found).join, read)
        return read

    for number in range(1, data.phrases + 1):
        found = find_phrases(text, number, data.phrase_min_count, data.phrase_threshold)
        if not found:
            break
        phrases.append(found)
    vocabulary = new_vocabulary()
    for block in text("words"):
        vocabulary.count(block)
    types = vocabulary.size
    _cut(vocabulary, data)
    with (folder / "tokens.bin").open("wb") as tokens:
        for block in text("numbers"):
            tokens.write(vocabulary.encode(block).astype("<i4", copy=False).data)
        tokens.flush()
        os.fsync(tokens.fileno())
    with (folder / "vocabulary.txt").open("wb") as lines:
        for first in range(0, vocabulary.size, LINES):
            lines.write(vocabulary.lines(first, first + LINES))
        lines.flush()
        os.fsync(lines.fileno())
    write_whole(folder / "counts.bin", vocabulary.counts().astype("<i8", copy=False).tobytes())
    if data.phrases:
        write_whole(folder / "phrases.txt", b"".join(map(as_lines, phrases)))
    sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    return {
        "version": VERSION,
        "length": sizes["tokens.bin"] // 4,
        "raw_words": vocabulary.words,
        "sizes": sizes,
        "description": {
            "settings": {**asdict(data), "files": [str(path) for path in data.files]},
            "files": [{"path": str(file.path.absolute()), "bytes": file.size, "sha256": file.sha256} for file in files],
            "types": types,
            "too_long": vocabulary.too_long,
        },
    }


def _cut(vocabulary: Vocabulary, data: CorpusConfig) -> None:
    """Keep the frequent words. `InputError` where there are not two of them."""
    types = vocabulary.size
    vocabulary.cut(1, types)
    first = [line.rsplit(" ", 1) for line in vocabulary.lines(0, LEAST).decode().split("\n")[:-1]]
    if not first:
        left_out = f" but {vocabulary.too_long:,} of more than {LONGEST:,} bytes" if vocabulary.too_long else ""
        raise InputError(f"no words{left_out} in {', '.join(map(str, data.files))}: expected text; give other files")
    (word, count), *others = first
    if not others:
        raise InputError(
            f"a text of one different word ({word!r}, {int(count):,} times): expected several; give more text"
        )
    vocabulary.cut(data.min_count, types if data.vocabulary is None else data.vocabulary)
    if vocabulary.size < LEAST:
        raise InputError(
            f"min_count {data.min_count} leaves {vocabulary.size} of {types:,} different words: the most frequent, "
            f"{word!r}, comes {int(count):,} times, the next {int(others[0][1]):,}; pass --min-count {others[0][1]} or "
            "less, or give more text"
        )
