"""How exact a net is, as a table: what `train` and `eval` say of a problem."""

from typing import TYPE_CHECKING

from peephole.cli.stability_out import emit_lines

if TYPE_CHECKING:
    from pathlib import Path

    from peephole.tasks.exactness import AtSize
    from peephole.tasks.measured import Measured


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
    probes = measured.probes
    emit_lines((measured.verdict,), rows, written if probes is None else None)
    if probes is not None:
        depths = [f"depth {depth + 1}" for depth in range(len(probes.right[0]))]
        table = [["distance", *depths]]
        for distance, right in zip(probes.distances, probes.right, strict=True):
            table.append([f"{distance:,}", *(f"{share:.2%}" for share in right)])
        emit_lines((probes.verdict,), table, written)


def _cells(row: "AtSize") -> list[str]:
    return [f"{row.exact:,} of {row.sequences:,}", f"{row.right:.2%}", f"{row.error:.3g}"]
