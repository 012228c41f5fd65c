"""The settings of labelled sequences. Imports nothing heavy: `peephole --help` shows them."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from peephole.errors import InputError

Format = Literal["auto", "ts", "csv", "text", "sound"]
Missing = Literal["auto", "refuse", "interpolate"]


@dataclass(frozen=True)
class ClassificationData:
    """Which labelled sequences to read, how to find their labels, and what to hold out.

    Raises:
        InputError: a setting lies outside its range.
    """

    # Labelled sequences to learn from: .ts, .csv or labelled text; or folders, one a label, of .txt or sound files.
    files: tuple[Path, ...] = ()

    # The same, to choose the best weights by. Without it a share of the files is held out.
    held_out: tuple[Path, ...] = ()

    # The same, never learned from and never chosen by: what the final score is measured on.
    test: tuple[Path, ...] = ()

    # ts: time series as sktime and aeon write them. csv: a table, a step or a sequence a row. text: label, tab, text;
    # or .txt files. sound: recordings. auto: by the names of the files.
    format: Format = "auto"

    # Share of the sequences of each label kept from training to choose the best weights by. 0 trains on all and keeps
    # the last weights: right for a set so small that every sequence counts.
    held_out_share: float = 0.1

    # Hold out one of so many equal parts instead, to choose settings by all of them in turn. 0: go by the share.
    folds: int = 0

    # Which of the --folds is held out, from 0.
    fold: int = 0

    # Draws what is held out.
    split_seed: int = 0

    # Regular expression whose first group is the label, matched against the names of files: "(\d)_.*". Without it the
    # folder that a file lies in is its label.
    label: str | None = None

    # Regular expression: files whose path it finds itself in are the test part: "_[0-4]\.wav$".
    test_match: str | None = None

    # Column of a table with the label. In a table without names of columns their numbers, from 1, are their names.
    label_column: str = "label"

    # Column of a table with a sequence's name. A table that has it has a step a row; else it has a sequence a row.
    sequence_column: str = "sequence"

    # Column of a table with a step's time, a number or a date, which has to rise; it is not learned from.
    time_column: str = "time"

    # Columns of a table to leave out.
    ignore: tuple[str, ...] = ()

    # What to do where a value is missing (? in .ts, nothing or NaN in a table): refuse it, or draw a line between its
    # neighbours in time. auto: interpolate where a .ts file declares that values are missing, else refuse.
    missing: Missing = "auto"

    # How the bytes of text files spell characters.
    encoding: str = "utf-8"

    # Characters rarer than this in the training part count as unknown.
    min_count: int = 1

    # Samples a second that recordings are brought to. 0: what most of the training part has.
    rate: int = 0

    # Bands of the mel scale that a recording's spectrum is summed into. 40 are usual for speech; few tones need fewer.
    bands: int = 40

    # Milliseconds of sound under a spectrum, and between two: 25 and 10 are usual for speech.
    frame_milliseconds: float = 25.0

    # Milliseconds from one spectrum to the next.
    hop_milliseconds: float = 10.0

    # Processes that read recordings. 0: as many as the machine has cores.
    workers: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.held_out_share < 1:
            raise InputError(f"--held-out-share is {self.held_out_share}; expected 0 to below 1, for example 0.1")
        if self.folds < 0 or self.folds == 1:
            raise InputError(f"--folds is {self.folds}; expected 2 or more, or 0 to hold out a share")
        if not 0 <= self.fold < max(1, self.folds):
            expected = f"0 to {self.folds - 1}" if self.folds else "0 without --folds"
            raise InputError(f"--fold is {self.fold}; expected {expected}")
        for name in ("min_count", "bands"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name.replace('_', '-')} is {getattr(self, name)}; expected 1 or more")
        for name in ("rate", "workers", "split_seed"):
            if getattr(self, name) < 0:
                raise InputError(f"--{name.replace('_', '-')} is {getattr(self, name)}; expected 0 or more")
        for name in ("frame_milliseconds", "hop_milliseconds"):
            if not 0 < getattr(self, name) <= 10_000:
                option = f"--{name.replace('_', '-')}"
                raise InputError(f"{option} is {getattr(self, name)}; expected more than 0 and at most 10,000")
        for name, kind in (("format", Format), ("missing", Missing)):
            if getattr(self, name) not in get_args(kind):
                raise InputError(f"--{name} is {getattr(self, name)!r}; expected one of {', '.join(get_args(kind))}")
        for name in ("label", "test_match"):
            self._check_expression(name, getattr(self, name))

    @staticmethod
    def _check_expression(name: str, expression: str | None) -> None:
        option = f"--{name.replace('_', '-')}"
        try:
            groups = None if expression is None else re.compile(expression).groups
        except re.error as error:
            raise InputError(f"{option} is {expression!r}: {error}; expected a regular expression") from None
        if name == "label" and groups == 0:
            raise InputError(f"{option} is {expression!r}; expected a group around the label, for example (\\d)_.*")
