"""Time series as sktime, aeon and the UEA & UCR archive write them: `.ts`.

Lines that begin with # are comments, @ the head, and after @data a line a sequence: its channels, each a list of values
with commas between, with colons between channels, and the label last. ? is a missing value. The format is that of
https://www.aeon-toolkit.org/en/latest/api_reference/file_specifications/ts.html.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from peephole.data.classification.item import Item
from peephole.data.classification.lines import numbered_lines
from peephole.data.classification.missing import filled
from peephole.errors import InputError

LARGEST = 3e38  # what float32 holds
TRUTH = {"true": True, "false": False}


@dataclass
class _Head:
    """What the head of a file says; None and empty where it says nothing."""

    labels: tuple[str, ...] = ()
    labelled: bool = True
    missing: bool | None = None
    channels: int | None = None
    length: int | None = None
    seen: set[str] = field(default_factory=set)

    def hear(self, line: str, place: str) -> None:
        """Take in a line of the head."""
        tag, *words = line.split()
        tag = tag.lower()
        if tag in ("@timestamps", "@missing", "@univariate", "@equallength", "@classlabel"):
            truth = TRUTH.get(words[0].lower()) if words else None
            if truth is None:
                raise InputError(f"{place}: got {line!r}; expected {tag} true or false; mend the line")
            if tag == "@timestamps" and truth:
                raise InputError(
                    f"{place}: values with timestamps; expected even steps; write the values alone, without their times"
                )
            if tag == "@missing":
                self.missing = truth
            if tag == "@univariate" and truth:
                self.channels = 1
            if tag == "@classlabel":
                self.labelled, self.labels = truth, tuple(words[1:])
        elif tag in ("@dimensions", "@dimension", "@serieslength"):
            if len(words) != 1 or not words[0].isdigit() or not int(words[0]):
                raise InputError(f"{place}: got {line!r}; expected {tag} and a whole number above 0; mend the line")
            if tag == "@serieslength":
                self.length = int(words[0])
            else:
                self.channels = int(words[0])
        elif tag == "@targetlabel" and words and words[0].lower() == "true":
            raise InputError(f"{place}: numbers to predict; expected labels (@classLabel true ...); take another task")


def read_time_series(path: Path, encoding: str = "utf-8", missing: str = "auto") -> Iterator[Item]:
    """The sequences of a `.ts` file, `[T, channels]` each, in the order of its lines.

    Raises:
        InputError: a line that cannot be read; channels of different lengths within a sequence, or another number of
            channels than before; a label that the head lacks; missing values, unless they are to be interpolated.
    """
    head, begun = _Head(), False
    for number, whole in numbered_lines(path, encoding):
        line, place = whole.strip(), f"{path}, line {number}"
        if not line or line.startswith("#"):
            continue
        if begun:
            yield _sequence(line, place, head, missing)
        elif line.lower() == "@data":
            begun = True
        elif line.startswith("@"):
            head.hear(line, place)
        else:
            raise InputError(f"{place}: got {line[:40]!r}; expected a line of the head, or @data before the sequences")
    if not begun:
        raise InputError(f"{path}: no line @data; expected the sequences after one; give a .ts file")


def _sequence(line: str, place: str, head: _Head, missing: str) -> Item:
    channels = line.split(":")
    label = channels.pop().strip() if head.labelled else None
    if label == "" or not any(channel.strip() for channel in channels):
        lacking = "a label" if label == "" or not channels else "values"
        raise InputError(f"{place}: a sequence without {lacking}; expected values, a colon and a label; mend the line")
    if head.labels and label is not None and label not in head.labels:
        raise InputError(
            f"{place}: label {label!r}; expected one that the head lists, {', '.join(head.labels[:10])}; mend either"
        )
    if line.startswith("("):
        raise InputError(f"{place}: values with timestamps; expected numbers alone; write them without their times")
    if head.channels is None:
        head.channels = len(channels)
    if len(channels) != head.channels:
        raise InputError(
            f"{place}: {len(channels)} channels; expected {head.channels}, as the head or the first sequence has"
        )
    columns = [_values(channel, f"{place}, channel {index}") for index, channel in enumerate(channels, 1)]
    lengths = {len(column) for column in columns}
    if len(lengths) > 1:
        raise InputError(
            f"{place}: channels of {min(lengths)} to {max(lengths)} values; expected as many in each; fill up with ?"
        )
    values = np.stack(columns, axis=1)
    if head.length is not None and len(values) > head.length:
        raise InputError(f"{place}: {len(values)} steps; expected at most {head.length}, as @seriesLength says")
    if not np.isnan(values).any():
        return Item(place, label, values)
    if missing == "refuse" or (missing == "auto" and head.missing is not True):
        column = int(np.isnan(values).any(axis=0).argmax()) + 1
        raise InputError(
            f"{place}: a missing value in channel {column}; expected numbers; say @missing true in the head, or pass "
            "--missing interpolate"
        )
    return Item(place, label, filled(values), int(np.isnan(values).sum()))


def _values(text: str, place: str) -> NDArray[np.float32]:
    """One channel `[T]`; NaN where a value is missing."""
    words = text.split(",")
    if not text.strip():
        return np.empty(0, np.float32)
    try:
        values = np.array([np.nan if word.strip() == "?" else float(word) for word in words])
    except ValueError:
        wrong = next(word for word in words if word.strip() != "?" and not _is_number(word))
        raise InputError(f"{place}: got {wrong.strip()[:40]!r}; expected a number or ? for a missing one") from None
    if (np.abs(values) > LARGEST).any():
        raise InputError(f"{place}: a value above {LARGEST:g}; expected finite numbers; write ? where there is none")
    return values.astype(np.float32)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
