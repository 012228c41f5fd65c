"""The history for TensorBoard, an extra: event files made of the rows of `history.jsonl`, and of nothing else.

A training that goes on writes them anew from the rows that it keeps, so that a step is in them once however often it
was stopped; what a killed process had not written yet comes back with them.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from peephole.errors import InputError

EVENTS = "tensorboard"  # folder in a run


def check_tensorboard() -> None:
    """Raise `InputError`, with the extra's name, where TensorBoard is missing."""
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        raise InputError(
            "--tensorboard needs TensorBoard, which is not installed; pip install 'peephole[tensorboard]'"
        ) from None


class EventFiles:
    """The event files in `folder`; None writes nothing. Old ones there are replaced by those of `history`."""

    def __init__(self, folder: Path | None, history: Sequence[Mapping[str, Any]]) -> None:
        self._writer: Any = None  # torch's SummaryWriter
        if folder is None:
            return
        check_tensorboard()
        from torch.utils.tensorboard import SummaryWriter

        shutil.rmtree(folder, ignore_errors=True)
        # A TensorBoard that is looking at the folder forgets what it has read.
        self._writer = SummaryWriter(str(folder), purge_step=0)
        for row in history:
            self.write(row)

    def write(self, row: Mapping[str, Any]) -> None:
        """A row of the history: every number in it, by its path."""
        if self._writer is None:
            return
        for name, value in scalars(row):
            self._writer.add_scalar(name, value, row["step"])

    def __enter__(self) -> "EventFiles":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()


def scalars(row: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The numbers of a row by their names there: `divergence`, `watch/horizon/layer_0/h`.

    Curves over lag are left out. Of a gate's two shares the names end in `left` and `right`, of a range's in `least`
    and `largest`. TensorBoard's names have no spaces.
    """
    for name, value in row.items():
        if name == "watch":
            yield from _below("watch", {key: item for key, item in value.items() if key != "flow"})
        elif name != "step" and isinstance(value, int | float):
            yield name, float(value)


def _below(path: str, value: Any) -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _below(f"{path}/{name.replace(' ', '_')}", item)
    elif isinstance(value, list):
        ends = ("left", "right") if "/saturation/" in path else ("least", "largest")
        for name, item in zip(ends, value, strict=True):
            yield from _below(f"{path}_{name}", item)
    elif isinstance(value, int | float):
        yield path, float(value)
