"""Where findings of the stability laboratory go: a folder of figures, aligned lines, one JSON object."""

import json
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peephole.cli.parsing import emit
from peephole.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def check_folder(folder: Path | None) -> None:
    """Raise `InputError`, before work starts, for a folder that takes no figures, and where matplotlib is missing."""
    if folder is None:
        return
    from peephole.figures import check_installed

    check_installed()
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; expected a folder, choose another --out")
    nearest = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not nearest.is_dir():
        raise InputError(f"{folder}: cannot be made, {nearest} is a file; choose another --out")
    if not os.access(nearest, os.W_OK):
        raise InputError(f"{folder}: cannot be written; choose another --out")


def write_figure(folder: Path, name: str, figure: "Figure") -> Path:
    """Write the figure as NAME.png, and as NAME.svg and NAME.pdf for papers, into the folder, which is made if it is
    missing; the path of the first.
    """
    from peephole.figures import SUFFIXES, save

    path = folder / f"{name}.png"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for suffix in SUFFIXES:
            save(figure, path.with_suffix(suffix))
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise InputError(f"{path}: cannot be written ({reason}); choose another --out") from None
    return path


def emit_json(tree: dict[str, Any], written: Path | None) -> None:
    """Print the findings, and which figure was written, as one JSON object; what is not finite becomes null."""
    emit(json.dumps(_plain({**tree, "figure": None if written is None else str(written)}), ensure_ascii=False) + "\n")


def emit_lines(verdicts: Iterable[str], rows: Sequence[Sequence[str]], written: Path | None) -> None:
    """Print sentences, then rows in aligned columns, then which figure was written."""
    for verdict in verdicts:
        emit(f"{verdict}\n")
    columns = max(map(len, rows), default=0)
    widths = [max((len(row[place]) for row in rows if place < len(row)), default=0) for place in range(columns)]
    for row in rows:
        emit("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() + "\n")
    if written is not None:
        emit(f"wrote {written}\n")


def _plain(value: Any) -> Any:
    """Lists, plain numbers and None for tensors, tuples, complex numbers and what is not finite."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, complex):
        return [_plain(value.real), _plain(value.imag)]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
