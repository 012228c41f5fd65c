"""Writing n-grams as an ARPA file."""

import gzip
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from peephole.errors import InputError
from peephole.generate.language.arpa.spelling import BEGIN, END, spelled
from peephole.models.ngram import NGram
from peephole.writing import written_whole

TOGETHER = 1 << 16  # n-grams that are spelled at a time
NOTHING = -99.0  # log10 of the probability of what never comes, as SRILM writes it


def write_arpa(model: NGram, symbols: Sequence[str], path: Path) -> None:
    """Write a model as an ARPA file, compressed where the name ends in .gz, whole or not at all.

    Numbers have 7 significant digits: log-probabilities read again differ by at most 2e-6 nats. The boundary is
    written as `<s>` at the beginning of an n-gram and as `</s>` at its end; tokens that never come are not.

    Args:
        model: fitted or read.
        symbols: the text of every token, `[V]`; that of the boundary is not asked for.
        path: where.

    Raises:
        InputError: two tokens are spelled alike, such as a word `<s>` of the text beside the beginning.
    """
    words = [spelled(symbol) for symbol in symbols]
    marks = [] if model.boundary is None else [BEGIN]
    if model.boundary is not None:
        words[model.boundary] = END
    written = [word for token, word in enumerate(words) if token not in model.never]
    twice = [word for word, count in Counter([*written, *marks]).items() if count > 1]
    if twice:
        raise InputError(f"two tokens of the model are written {twice[0]!r} in an ARPA file; change one in the text")
    with written_whole(path) as whole, _compressed(whole, path) as file:
        counts = [len(written) + len(marks), *model.sizes[1:]]
        lines = "".join(f"ngram {length}={count}\n" for length, count in enumerate(counts, 1))
        file.write(f"\\data\\\n{lines}".encode())
        file.write(b"\n\\1-grams:\n")
        file.write(_unigrams(model, words).encode())
        for length in range(2, model.order + 1):
            file.write(f"\n\\{length}-grams:\n".encode())
            for part in _longer(model, words, length):
                file.write(part.encode())
        file.write(b"\n\\end\\\n")


@contextmanager
def _compressed(whole: BinaryIO, path: Path) -> Iterator[BinaryIO | gzip.GzipFile]:
    if path.suffix != ".gz":
        yield whole
        return
    with gzip.GzipFile(path.stem, "wb", compresslevel=6, fileobj=whole, mtime=0) as file:
        yield file


def _unigrams(model: NGram, words: Sequence[str]) -> str:
    """All tokens that can come, the ones never seen too: what `following` says of an empty context."""
    lines: list[str] = []
    with np.errstate(divide="ignore"):
        logs = np.maximum(np.log10(model.following([])), NOTHING)
    level, deeper = model.levels[0], model.levels[1] if model.order > 1 else None
    weights = dict.fromkeys(range(len(words)), 0.0)
    if deeper is not None:
        weights.update(zip(level.keys.tolist(), _logs(deeper.weights[: len(level.keys)]).tolist(), strict=True))
    for token, word in enumerate(words):
        if token in model.never:
            continue
        if token == model.boundary:
            after = "" if deeper is None else f"\t{weights[token]:.7g}"
            lines += [f"{NOTHING:.7g}\t{BEGIN}{after}\n", f"{logs[token]:.7g}\t{END}\n"]
        else:
            lines.append(f"{logs[token]:.7g}\t{word}" + ("\n" if deeper is None else f"\t{weights[token]:.7g}\n"))
    return "".join(lines)


def _longer(model: NGram, words: Sequence[str], length: int) -> Iterator[str]:
    """The lines of a length from 2 on, many at a time."""
    spellings = np.array(words, dtype=object)
    begins = spellings.copy()
    if model.boundary is not None:
        begins[model.boundary] = BEGIN
    level = model.levels[length - 1]
    for start in range(0, len(level.keys), TOGETHER):
        which = slice(start, start + TOGETHER)
        ids = model.tokens(length, which)
        columns = [begins[ids[:, 0]].tolist(), *(spellings[column].tolist() for column in ids[:, 1:].T)]
        grams = map(" ".join, zip(*columns, strict=True))
        logs = _logs(level.probabilities[which]).tolist()
        if length < model.order:
            weights = _logs(model.levels[length].weights[which]).tolist()
            yield "".join(map("%.7g\t%s\t%.7g\n".__mod__, zip(logs, grams, weights, strict=True)))
        else:
            yield "".join(map("%.7g\t%s\n".__mod__, zip(logs, grams, strict=True)))


def _logs(values: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.maximum(np.log10(values), NOTHING)
