"""The section on where counts still beat a net over words or pieces."""

from peephole.report.parts import Paragraph, Part, Picture, Table
from peephole.tasks.subject import Subject
from peephole.tasks.text.evaluation import against_ngram
from peephole.tasks.text.model import TextModel
from peephole.tasks.text.passage import passage_of

COMPARED, LEARNED = 1 << 15, 1_000_000  # tokens that both are measured on, and that the n-gram learns from


def against(subject: Subject) -> list[Part]:
    """Net and 5-gram on the beginning of the held-out text, token by token. `InputError` without weights or text."""
    subject.need_weights()
    model = subject.model
    assert isinstance(model, TextModel)
    passage = passage_of(model, part="held_out", limit=COMPARED)
    found = against_ngram(model, passage, LEARNED)
    parts: list[Part] = [
        Paragraph(
            f"On the first {passage.counted:,} {model.unit} of the held-out text; the n-gram (Kneser–Ney) learned from "
            f"the last {min(LEARNED, len(model.corpus.train.tokens)):,} symbols of the training text. On all of it, "
            "and on the test text: peephole eval --tables."
        ),
        Picture(f"Against the {found.ngram}", found),
    ]
    parts += [Picture(each.title.capitalize(), each) for each in found.breakdowns]
    wins = found.tables[len(found.breakdowns) :]
    return parts + [Table(table.caption, table.header, table.rows) for table in wins]
