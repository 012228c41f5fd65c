"""The section of a report on where counts beat a net."""

from pathlib import Path

from peephole.data.config import TextData
from peephole.models.language.config import LanguageConfig
from peephole.report.against import against
from peephole.report.parts import Paragraph, Picture, Table
from peephole.tasks.config import TextTask
from peephole.tasks.subject import Subject
from peephole.tasks.text.evaluation import evaluate
from peephole.tasks.text.model import TextModel
from peephole.train.config import TrainingConfig


def test_it_says_what_eval_says(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("the cat saw the dog .\nthe dog saw a bird .\n" * 40)
    task = TextTask(
        TextData((tmp_path / "a.txt",), tokens="word"),
        LanguageConfig(hidden_size=8, embedding_size=8, layers=1),
        TrainingConfig(batch_size=1, window=4),
    )
    model = TextModel.create(task, tmp_path / "run")
    first, *parts = against(Subject(model))
    measured = evaluate(model).against
    assert isinstance(first, Paragraph)
    assert measured is not None
    assert first.text.startswith(f"On the first {measured.whole.tokens:,} words of the held-out text; ")
    pictures = [part for part in parts if isinstance(part, Picture)]
    assert [part.result.verdict for part in pictures] == [
        measured.verdict,
        *(each.verdict for each in measured.breakdowns),
    ]
    tables = [part for part in parts if isinstance(part, Table)]
    assert [table.rows for table in tables] == [table.rows for table in measured.tables[3:]]
