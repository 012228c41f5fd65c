"""Confusion: counted, said in words, drawn."""

import numpy as np

from peephole.figures import draw
from peephole.tasks.examples.confusion import Confusion

RIGHT, ANSWERS = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 1, 1, 1, 0, 2])


def test_counts_and_words() -> None:
    found = Confusion.of(("a", "b", "c"), RIGHT, ANSWERS)
    assert found.counts.tolist() == [[1, 2, 0], [1, 1, 0], [0, 0, 1]]
    assert found.accuracy == 0.5
    assert found.confused() == [("a", "b", 2), ("b", "a", 1)]
    assert found.verdict == "3 of 6 answers are wrong, most often a as b 2, b as a 1."
    assert Confusion.of(("a", "b"), RIGHT[:1], ANSWERS[:1]).verdict == "all 1 answers are right."


def test_the_labels_in_most_mistakes() -> None:
    found = Confusion.of(("c", "a", "b"), (RIGHT + 1) % 3, (ANSWERS + 1) % 3).most_confused(2)
    assert found.labels == ("a", "b")
    assert found.counts.tolist() == [[1, 2], [1, 1]]


def test_it_draws_itself() -> None:
    few = draw(Confusion.of(("a", "b", "c"), RIGHT, ANSWERS).plot)
    assert [text.get_text() for text in few.axes[0].texts] == ["1", "2", "1", "1", "1"]
    labels = tuple(f"label {number}" for number in range(40))
    many = draw(Confusion.of(labels, np.arange(40), np.roll(np.arange(40), 1)).plot)
    assert len(many.axes[0].get_xticklabels()) == 30
    assert "10 labels" in many.axes[0].get_title("left")
