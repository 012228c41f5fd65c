"""The section on how good a net is on a data set: scores beside others, and what they look like."""

from peephole.report.parts import Paragraph, Part, Picture, Table
from peephole.tasks.examples.model import ExamplesModel
from peephole.tasks.subject import Subject

MOST_ROWS = 60  # of a table; the rest is left to `peephole eval --tables`


def scores(subject: Subject) -> list[Part]:
    """The table, pictures and tables of the test part, or of what was held out. `InputError` without weights."""
    subject.need_weights()
    model = subject.model
    assert isinstance(model, ExamplesModel)
    found = model.measure()
    header, *rows = found.rows
    parts: list[Part] = [Table(f"{found.part}: {found.counted}", header, tuple(rows))]
    parts += [Paragraph(note) for note in found.notes]
    parts += [Picture(title, result) for title, result in found.pictures]
    for table in found.tables:
        left = len(table.rows) - MOST_ROWS
        more = f"; {left:,} further rows are in peephole eval --tables" if left > 0 else ""
        parts.append(Table(table.caption + more, table.header, table.rows[:MOST_ROWS]))
    return parts
