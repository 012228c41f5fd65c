"""From files of sentences and translations to arrays on disk, with all that training needs to know of them.

Pairs are kept in memory while they are read: some hundred megabytes for a million.
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from peephole.data.sequences.store import REMEDY, Pair, write_part
from peephole.data.translation.config import Cut, TranslationData
from peephole.data.translation.cutting import words_of
from peephole.data.translation.encoding import TranslationEncoding
from peephole.data.translation.reading import read_pairs
from peephole.data.translation.sentences import SentencePair, Tally
from peephole.data.translation.splitting import held_out_digests
from peephole.errors import InputError
from peephole.writing import write_whole


@dataclass
class _Part:
    """Pairs, and what was said of them when they were read."""

    pairs: list[SentencePair]
    tally: Tally = field(default_factory=Tally)
    notes: list[str] = field(default_factory=list)


def prepare(data: TranslationData, folder: Path) -> TranslationEncoding:
    """Read the files and write the parts `train`, `held_out` and, where there are files for it, `test` into `folder`.

    Beside each a table `PART.tsv` has its sentences and translations as texts, and `sentences.json` says of each how
    many there are, how much of them training lacks, and what was skipped.

    Raises:
        InputError: a file that cannot be read, files that do not go together, an empty part; nothing is left then.
    """
    if not data.files:
        raise InputError(
            "no file to learn from; expected a file of sentences and one of their translations, or a table of both"
        )
    parts = _parts(data)
    encoding = TranslationEncoding.learn(parts["train"].pairs, data)
    encoding = _leave_long_out(parts["train"], encoding, data.longest_sentence)
    try:
        described = {name: _written(name, part, parts, encoding, folder) for name, part in parts.items()}
        write_whole(folder / "sentences.json", json.dumps(described, indent=1, ensure_ascii=False).encode())
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return encoding


def read_texts(folder: Path, part: str) -> list[tuple[str, str]]:
    """The sentences and translations of a part as texts, in its order. `InputError` where they are gone."""
    path = folder / f"{part}.tsv"
    try:
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    except OSError as error:
        raise InputError(f"{path}: missing ({error.strerror}); restore it, or train again") from None
    return [(source, target) for source, _, target in (line.partition("\t") for line in lines)]


def read_said(folder: Path) -> dict[str, Any]:
    """What `prepare` said of each part; nothing where that is gone."""
    path = folder / "sentences.json"
    try:
        return json.loads(path.read_bytes()) if path.is_file() else {}
    except ValueError as error:
        raise InputError(f"{path}: damaged ({error}); {REMEDY}") from None


def _parts(data: TranslationData) -> dict[str, _Part]:
    """What there is to learn from, to choose by and to measure on."""
    whole = _read(data.files, data)
    if data.held_out:
        parts = {"train": whole, "held_out": _read(data.held_out, data)}
    else:
        chosen = held_out_digests(whole.pairs, data.held_out_share)
        parts = {
            "train": replace(whole, pairs=[pair for pair in whole.pairs if pair.digest not in chosen]),
            "held_out": _Part([pair for pair in whole.pairs if pair.digest in chosen]),
        }
    if data.test:
        parts["test"] = _read(data.test, data)
    return parts


def _read(files: Sequence[Path], data: TranslationData) -> _Part:
    tally = Tally()
    part = _Part(list(read_pairs(files, data, tally)), tally)
    if not part.pairs:
        names = ", ".join(map(str, files))
        raise InputError(f"{names}: no pair with text on both sides; expected sentences with translations; give others")
    same = sum(pair.source == pair.target for pair in part.pairs)
    if 2 * same > len(part.pairs):
        part.notes.append(f"{same:,} of {len(part.pairs):,} translations are the sentence itself")
    return part


def _leave_long_out(train: _Part, encoding: TranslationEncoding, longest: int) -> TranslationEncoding:
    """The encoding with the longest sentence that is left to learn from."""
    sources = encoding.source.ids([pair.source for pair in train.pairs])
    targets = encoding.target.ids([pair.target for pair in train.pairs])
    kept: list[SentencePair] = []
    most = 0
    for pair, source, target in zip(train.pairs, sources, targets, strict=True):
        if max(len(source), len(target)) > longest:
            sizes = f"{len(source)} tokens and {len(target)} of its translation"
            train.tally.skipped.append(f"{pair.place}: {sizes}, more than --longest-sentence {longest}")
        else:
            kept.append(pair)
            most = max(most, len(source))
    if not kept:
        raise InputError(f"all {len(train.pairs):,} pairs are longer than --longest-sentence {longest}; raise it")
    train.pairs = kept
    return replace(encoding, longest=most)


def _written(
    name: str, part: _Part, parts: dict[str, _Part], encoding: TranslationEncoding, folder: Path
) -> dict[str, Any]:
    """Write a part; what is to be said of it."""
    known = {pair.source for pair in parts["train"].pairs} if name != "train" else set[str]()
    both = sum(pair.source in known for pair in part.pairs)
    if both:
        part.notes.append(f"{both:,} of {len(part.pairs):,} sentences are in the training part too")
    counts = {"tokens": [0, 0], "unknown": [0, 0]}
    write_part(folder / name, _arrays(part, encoding, counts), ragged=True)
    lines = (f"{pair.source}\t{pair.target}\n" for pair in part.pairs)
    write_whole(folder / f"{name}.tsv", "".join(lines).encode())
    return {
        "pairs": len(part.pairs),
        **counts,
        "words": _coverage(part, parts["train"], encoding.cut),
        "notes": part.notes,
        "skipped": part.tally.skipped,
    }


def _arrays(part: _Part, encoding: TranslationEncoding, counts: dict[str, list[int]]) -> Iterator[Pair]:
    """The arrays of each pair; `counts` are those of tokens and of unknown ones of either side."""
    sources = encoding.source.ids([pair.source for pair in part.pairs])
    targets = encoding.target.ids([pair.target for pair in part.pairs])
    for side, (vocabulary, found) in enumerate(((encoding.source, sources), (encoding.target, targets))):
        counts["tokens"][side] = sum(map(len, found))
        counts["unknown"][side] = sum(map(vocabulary.unknown, found))
    for source, target in zip(sources, targets, strict=True):
        yield encoding.as_read(source), encoding.as_answer(target)


def _coverage(part: _Part, train: _Part, cut: Cut) -> dict[str, list[int]]:
    """How many words there are on either side, and how many of them training lacks."""
    found: dict[str, list[int]] = {"all": [], "not in training": []}
    for side in ("source", "target"):
        known = {word for pair in train.pairs for word in words_of(getattr(pair, side), cut)}
        words = [word for pair in part.pairs for word in words_of(getattr(pair, side), cut)]
        found["all"].append(len(words))
        found["not in training"].append(sum(word not in known for word in words))
    return found
