"""The section of a report on the scores of a data task."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from peephole.report import scored
from peephole.report.parts import Paragraph, Picture, Table
from peephole.tasks.examples.model import ExamplesModel
from peephole.tasks.examples.scores import Scores, ScoreTable
from peephole.tasks.subject import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Drawn:
    verdict: str = "half of them"

    def plot(self, ax: "Axes") -> None:
        ax.plot([0, 1])


SCORES = Scores(
    part="test",
    counted="3 sequences",
    metrics={"accuracy %": 0.5, "nats": 1.23456},
    others={"mlp": {"accuracy %": 0.25}},
    pictures=(("Confusion", Drawn()),),
    tables=(ScoreTable("each label", ("label", "F1"), tuple((f"l{n}", "0.5") for n in range(70))),),
    notes=("2 sequences were left out: a.wav, b.wav",),
)


def test_a_score_table_has_a_row_a_net_and_a_column_a_metric() -> None:
    assert SCORES.rows == (
        ("", "accuracy", "nats"),
        ("this net", "50.00%", "1.235"),
        ("mlp", "25.00%", ""),
    )
    assert SCORES.verdict == "test: 50.00% accuracy (mlp 25.00%)"
    assert SCORES.as_dict()["verdicts"] == {"Confusion": "half of them"}


def test_the_section_has_scores_notes_pictures_and_the_first_rows_of_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    class Made(ExamplesModel):
        def __init__(self) -> None:
            pass

        def measure(self, part: str | None = None) -> Scores:
            return SCORES

    monkeypatch.setattr(Subject, "need_weights", lambda subject: None)
    table, note, picture, labels = scored.scores(Subject(Made()))
    assert isinstance(table, Table)
    assert table.header == ("", "accuracy", "nats")
    assert note == Paragraph(SCORES.notes[0])
    assert isinstance(picture, Picture)
    assert isinstance(labels, Table)
    assert len(labels.rows) == 60
    assert "10 further rows" in labels.caption
