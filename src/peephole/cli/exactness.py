"""How exact a net is, as a table: what `train` and `eval` say of a problem."""

from typing import TYPE_CHECKING

from peephole.cli.stability_out import emit_lines

if TYPE_CHECKING:
    from pathlib import Path

    from peephole.tasks.exactness import AtSize
    from peephole.tasks.problem import Measured


def show(measured: "Measured", written: "Path | None" = None) -> None:
    """The verdict, then a line a size: the net, and the static one beside it."""
    net, static = measured.net, measured.static
    error = "squared error" if net.valued else "nats"
    header = [net.size_name, "sequences exact", "answers right", error]
    if static is not None:
        header += [f"static: {name}" for name in header[1:]]
    rows = [header]
    for place, row in enumerate(net.rows):
        beside = [] if static is None else _cells(static.rows[place])
        rows.append([f"{row.size:,}", *_cells(row), *beside])
    emit_lines((measured.verdict,), rows, written)


def _cells(row: "AtSize") -> list[str]:
    return [f"{row.exact:,} of {row.sequences:,}", f"{row.right:.2%}", f"{row.error:.3g}"]
