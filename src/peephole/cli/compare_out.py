"""Where a comparison goes: sentences, a table, one JSON object, a figure in the format that its ending names."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peephole.cli.parsing import emit
from peephole.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from peephole.tasks.comparing.curves import Over
    from peephole.tasks.comparing.result import Comparison
    from peephole.tasks.comparing.significance import Difference

TESTS = {"t over the same seeds": "paired t", "one seed: no test": "none, one seed"}


def check_figure(path: Path | None, option: str = "out") -> None:
    """Raise `InputError`, before work starts, for a file that takes no figure, and where matplotlib is missing."""
    if path is None:
        return
    from peephole.figures import SUFFIXES, check_installed

    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"--{option} is {path}; expected a file that ends in {', '.join(SUFFIXES)}")
    if path.is_dir() or not path.absolute().parent.is_dir():
        what = "is a folder" if path.is_dir() else "cannot be made, there is no such folder to hold it"
        raise InputError(f"{path}: {what}; choose another --{option}")
    check_installed()


def check_folder(folder: Path) -> str | None:
    """Raise `InputError`, before work starts, for what is no folder; say why there will be no figure, if so."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; expected a folder, choose another --out")
    from peephole.figures import SUFFIXES, check_installed

    if folder.suffix.lower() in SUFFIXES:
        raise InputError(f"--out is {folder}; expected a folder for the runs, the figure goes into it")
    try:
        check_installed()
    except InputError as missing:
        return str(missing)
    return None


def write_findings(path: Path, found: dict[str, Any]) -> None:
    """Write the findings as JSON, whole."""
    from peephole.writing import write_whole

    try:
        write_whole(path, (json.dumps(found, ensure_ascii=False, indent=1) + "\n").encode())
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise InputError(f"{path}: cannot be written ({reason}); make room, and the same command goes on") from None


def show(found: "Comparison", over: "Over", figure: Path | None, as_json: bool) -> None:
    """Print the comparison; draw it where a file is named."""
    if figure is not None:
        from peephole.figures import draw

        write_figure(figure, draw(lambda ax: found.plot(ax, over), 7.5, 5.0))
    written = None if figure is None else str(figure)
    if as_json:
        emit(json.dumps({**found.as_dict(), "figure": written}, ensure_ascii=False) + "\n")
        return
    emit(f"{found.verdict}\n")
    for warning in found.warnings:
        emit(f"note: {warning}\n")
    emit_table(_rows(found))
    if written is not None:
        emit(f"wrote {written}\n")


def write_figure(path: Path, figure: "Figure", option: str = "out") -> None:
    """Write the figure to the file, in the format that its ending names."""
    from peephole.figures import save

    try:
        save(figure, path)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise InputError(f"{path}: cannot be written ({reason}); choose another --{option}") from None


def emit_table(rows: list[tuple[str, ...]]) -> None:
    """Print rows in aligned columns, the first one's words to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *cells in rows:
        aligned = (cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
        emit("  ".join((f"  {name.ljust(widths[0])}", *aligned)).rstrip() + "\n")


def minutes(spent: float) -> str:
    """Minutes as a cell of a table."""
    return f"{spent:.1f}" if spent >= 1 else f"{spent:.2f}"


def _rows(found: "Comparison") -> list[tuple[str, ...]]:
    """A row a group, best first."""
    problem = found.task != "text"
    several = len(found.groups) > 2
    spread = " ± s.d." if any(group.spread is not None for group in found.groups) else ""
    header = ["", f"held out{spread}, {found.unit}", "range", "seeds", *(["right"] if problem else [])]
    header += [
        "parameters",
        "steps",
        "minutes",
        "above the best",
        "95 % interval",
        "p (Holm)" if several else "p",
        "test",
    ]
    rows = [tuple(header)]
    beside: list[Difference | None] = [None, *found.differences]
    for group, difference in zip(found.groups, beside, strict=True):
        number = found.number
        spread = "" if group.spread is None else f" ± {number(group.spread)}"
        span = f"{number(min(group.values))} to {number(max(group.values))}" if len(group.values) > 1 else "-"
        cells = [group.name, f"{number(group.mean)}{spread}", span, f"{len(group.records)}"]
        cells += ["-" if group.right is None else f"{group.right:.2%}"] if problem else []
        cells += ["-" if group.parameters is None else f"{group.parameters:,}"]
        cells += [f"{group.steps:,.0f}", minutes(group.minutes)]
        if difference is None:
            cells += ["", "", "", ""]
        else:
            test = TESTS.get(difference.test, difference.test)
            p = "" if difference.adjusted is None else _probability(difference.adjusted)
            cells += [number(difference.mean, signed=True), found.interval(difference), p, test]
        rows.append(tuple(cells))
    return rows


def _probability(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"
