"""What commands that measure have in common: checks before anything is measured, and handing over what was found."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from peephole.cli.parsing import emit
from peephole.errors import InputError
from peephole.figures import check_suffix


@runtime_checkable  # annotations are checked while tests run
class Measuring(Protocol):
    """Options of a command that measures."""

    @property
    def threads(self) -> int | None: ...
    @property
    def minutes(self) -> float: ...
    @property
    def rounds(self) -> int | None: ...
    @property
    def out(self) -> Path | None: ...
    @property
    def plot(self) -> Path | None: ...
    @property
    def json(self) -> bool: ...


def check_measuring(options: Measuring) -> None:
    """Raise `InputError` for what would fail after minutes of measuring, before torch is loaded."""
    if not options.minutes > 0 or options.minutes == float("inf"):
        raise InputError(f"--minutes is {options.minutes}; expected more than 0")
    if options.rounds is not None and options.rounds < 1:
        raise InputError(f"--rounds is {options.rounds}; expected at least 1")
    if options.threads is not None and options.threads < 1:
        raise InputError(f"--threads is {options.threads}; expected at least 1")
    if options.plot is not None:
        check_suffix(options.plot.suffix)
    for path in (options.out, options.plot):
        if path is not None and (path.is_dir() or not os.access(path.absolute().parent, os.W_OK)):
            raise InputError(f"{path}: cannot be written; expected a file in a folder that exists and can be written")


def hand_over(
    options: Measuring, tree: dict[str, Any], text: Callable[[], str], picture: Callable[[str], bytes]
) -> None:
    """Write what was found to the files of the options, and print it."""
    from peephole.writing import write_whole

    written = json.dumps(tree, ensure_ascii=False) + "\n"
    if options.out is not None:
        write_whole(options.out, written.encode())
    if options.plot is not None:
        write_whole(options.plot, picture(options.plot.suffix))
    emit(written if options.json else text())


def threads_of(options: Measuring) -> int:
    """As many as were asked for, else as torch takes."""
    import torch

    return options.threads or torch.get_num_threads()
