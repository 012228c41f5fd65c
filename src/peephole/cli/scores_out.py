"""Scores as lines for people."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peephole.tasks.examples.scores import Scores


def table_of(scores: "Scores", tables: bool = False) -> str:
    """What was measured on, a row a net, the verdicts of the pictures; with `tables` those too."""
    lines = [f"{scores.part}: {scores.counted}", *aligned(scores.rows)]
    lines += [f"{title}: {result.verdict}" for title, result in scores.pictures]
    for table in scores.tables if tables else ():
        lines += ["", table.caption, *aligned((table.header, *table.rows))]
    lines += scores.notes
    return "\n".join(lines) + "\n"


def aligned(rows: tuple[tuple[str, ...], ...]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  "
        + "  ".join(
            cell.ljust(width) if not place else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
