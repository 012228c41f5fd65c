"""The columns of a table: which is the label's, which name a sequence or a time, and which are learned from."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from peephole.data.classification.config import ClassificationData
from peephole.data.classification.table_rows import rows_of
from peephole.errors import InputError

USUAL = ClassificationData()


@dataclass(frozen=True)
class Columns:
    """Where the columns of a table stand; `label` is None in a table to predict of."""

    names: tuple[str, ...]
    label: int | None
    sequence: int | None
    time: int | None
    features: tuple[int, ...]


def columns_of(names: tuple[str, ...], place: str, data: ClassificationData, labelled: bool) -> Columns:
    """Where the columns called `names` stand, as the settings call them; `place` is the head's, for messages.

    Raises:
        InputError: a column that is missing or there twice, or none left to learn from.
    """
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{place}: two columns are called {twice!r}; expected different names; rename one")
    for name in data.ignore:
        if labelled and name not in names:
            raise InputError(f"{place}: no column {name!r} to ignore; expected one of {_some(names)}")
    found = {
        role: names.index(name) if name in names else None
        for role, name in (
            ("label", data.label_column),
            ("sequence", data.sequence_column),
            ("time", data.time_column),
        )
    }
    if found["label"] is None and labelled:
        raise InputError(
            f"{place}: no column {data.label_column!r}; expected the label's among {_some(names)}; pass --label-column"
        )
    if found["sequence"] is None and (found["time"] is not None or data.sequence_column != USUAL.sequence_column):
        raise InputError(
            f"{place}: no column {data.sequence_column!r}, though one has times or was named; expected the name of a "
            f"sequence in each row, among {_some(names)}; pass --sequence-column"
        )
    left_out = {index for index in found.values() if index is not None}
    left_out |= {names.index(name) for name in data.ignore if name in names}
    features = tuple(index for index in range(len(names)) if index not in left_out)
    if not features:
        raise InputError(f"{place}: no column left to learn from; expected numbers besides {_some(names)}")
    return Columns(names, found["label"], found["sequence"], found["time"], features)


def feature_names(path: Path, data: ClassificationData) -> tuple[str, ...]:
    """The names of the features of a long table; empty of a wide one."""
    first = next(rows_of(path, data.encoding), None)
    if first is None or data.sequence_column not in first.cells:
        return ()
    columns = columns_of(tuple(first.cells), first.place, data, False)
    return tuple(columns.names[index] for index in columns.features)


def check_features(paths: Iterable[Path], data: ClassificationData, expected: tuple[str, ...]) -> None:
    """Raise `InputError` for a long table whose features are not the `expected` ones, in their order."""
    for path in paths:
        names = feature_names(path, data)
        if names and expected and names != expected:
            raise InputError(
                f"{path}: columns {_some(names)}; expected those of training, {_some(expected)}, in this order; "
                "pass --ignore for others"
            )


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
