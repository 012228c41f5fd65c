"""Countries and capitals: offsets that were planted, and none; the picture and its names."""

import json
from itertools import combinations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from peephole.embed.measuring.capitals import agreement, measure_capitals, pairs_of
from peephole.embed.measuring.country_capitals import PAIRS
from peephole.embed.measuring.questions import Section
from peephole.embed.vectors import Vectors
from peephole.errors import InputError
from peephole.figures import draw


def world(step: float, seed: int = 0) -> Vectors:
    """A vector for each country and capital of ours in lower case, the capital's `step` beside that of its country."""
    random = np.random.default_rng(seed)
    countries = random.normal(size=(len(PAIRS), 30))
    capitals = countries + random.normal(size=countries.shape) * 0.3 if step else random.normal(size=countries.shape)
    rows = np.stack([countries, capitals + step], 1).reshape(-1, 30)
    return Vectors(tuple(word.lower() for pair in PAIRS for word in pair), rows.astype(np.float32))


def test_the_mean_cosine_of_pairs() -> None:
    rows = np.random.default_rng(1).normal(size=(9, 4))
    directions = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    assert agreement(rows) == pytest.approx(np.mean([one @ other for one, other in combinations(directions, 2)]))


def test_a_planted_step_is_found_and_none_is_not() -> None:
    found = measure_capitals(world(1.0))
    assert (found.percentile, len(found.pairs), found.given) == (100.0, len(PAIRS), len(PAIRS))
    assert found.cosine > 0.9 > found.shuffled.max()
    assert "the same step leads" in found.verdict
    assert "above all of 1,000" in found.verdict
    assert found.pairs[0] == ("afghanistan", "kabul")  # the first words of a file are the most frequent
    none = measure_capitals(world(0.0))
    assert 1 < none.percentile < 99
    assert "no one step leads" in none.verdict
    assert np.array_equal(none.shuffled, measure_capitals(world(0.0)).shuffled)
    assert not np.array_equal(none.shuffled, measure_capitals(world(0.0), seed=1).shuffled)
    tree = json.loads(json.dumps(found.as_dict()))
    assert np.shape(tree["picture"]["points"]) == (15, 2, 2)


def test_the_picture_is_the_principal_plane() -> None:
    vectors = world(1.0)
    found = measure_capitals(vectors, drawn=20)
    drawn = vectors.rows[:40].astype(np.float64)
    variances = np.linalg.eigvalsh(np.cov(drawn.T))[::-1]
    assert found.shares == pytest.approx(tuple(variances[:2] / variances.sum()))
    assert found.points.reshape(-1, 2).var(0, ddof=1) == pytest.approx(variances[:2])
    assert ((found.points[:, 1] - found.points[:, 0]).mean(0) >= 0).all()  # capitals to the right
    assert found.rows[-1] == ("variance in the picture", " + ".join(f"{share:.0%}" for share in found.shares))


def test_names_in_the_picture_do_not_cover_each_other() -> None:
    found = measure_capitals(world(1.0), drawn=18)
    figure = draw(found.plot, 7.5, 6.5)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = {text.get_text(): text.get_window_extent(canvas.get_renderer()) for text in figure.axes[0].texts}
    assert set(boxes) == {word for pair in found.pairs[:18] for word in pair}
    frame = figure.bbox
    for name, box in boxes.items():
        assert frame.x0 <= box.x0 <= box.x1 <= frame.x1, name
    shared = [(one, other) for one, other in combinations(boxes, 2) if boxes[one].overlaps(boxes[other])]
    assert shared == []


def test_pairs_of_the_questions() -> None:
    questions = (("Athens", "Greece", "Oslo", "Norway"), ("Oslo", "Norway", "Athens", "Greece"))
    sections = (Section("currency", (("Japan", "yen", "Russia", "ruble"),)), Section("capital-world", questions))
    assert pairs_of(sections) == (("Greece", "Athens"), ("Norway", "Oslo"))
    assert pairs_of(sections[:1]) == ()


def test_too_few_pairs() -> None:
    vectors = Vectors(("france", "paris", "monaco", "spain"), np.eye(4, dtype=np.float32))
    pairs = (("France", "Paris"), ("Monaco", "Monaco"), ("Spain", "Madrid"))
    with pytest.raises(InputError, match=r"1 of 3 countries are with their capitals among the 4 words"):
        measure_capitals(vectors, pairs)
    with pytest.raises(InputError, match="1 pairs to draw"):
        measure_capitals(vectors, drawn=1)


def test_vectors_of_one_number_lie_on_a_line() -> None:
    vectors = Vectors(tuple("abcdef"), np.arange(6, dtype=np.float32)[:, None])
    found = measure_capitals(vectors, (("a", "b"), ("c", "d"), ("e", "f")))
    assert found.cosine == 1.0
    assert found.shares == pytest.approx((1.0, 0.0))
