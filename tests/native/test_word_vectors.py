"""Skip-gram and CBOW in the compiled module: as the equations have it, on every instruction set."""

import numpy as np
import pytest

from peephole._native.word_vectors import learn
from peephole.embed.learning.distributions import kept, noise, tree
from peephole.reference.word_vectors import learn as by_equations
from peephole.word_operands import END, Learnt, Stretch, WordSettings

WORDS, SHARING = 60, 3
COUNTS = np.array([4000 // (1 + place) for place in range(WORDS)])


def text(rate: float = 0.2, seed: int = 0, sentences: int = 40, parts: int = 3) -> Stretch:
    """Sentences of one to thirty words; the cuts between parts fall within some."""
    random = np.random.default_rng(seed)
    shares = COUNTS / COUNTS.sum()
    tokens = np.concatenate(
        [[*random.choice(WORDS, random.integers(1, 31), p=shares), END] for _ in range(sentences)]
    ).astype(np.int32)
    starts = np.linspace(0, len(tokens), parts + 1).astype(np.int64)
    return Stretch(tokens, starts, np.linspace(rate, rate / 2, parts), 7, seed + 3)


def settings(bag: bool, by: str, window: int = 4, negatives: int = 5, divided: bool = False) -> WordSettings:
    outputs = noise(COUNTS, 0.75, negatives, SHARING) if by == "noise" else tree(COUNTS)
    return WordSettings(kept(COUNTS, 0.02), window, True, bag, divided, outputs)


def both(size: int, how: WordSettings, stretch: Stretch) -> tuple[list[np.ndarray], Learnt, list[np.ndarray], Learnt]:
    random = np.random.default_rng(1)
    wide = [random.normal(size=(WORDS, size)) / size**0.5, random.normal(size=(WORDS, size)) / size**0.5]
    narrow = [table.astype(np.float32) for table in wide]
    wide = [table.astype(np.float64) for table in narrow]
    return narrow, learn(*narrow, how, stretch), wide, by_equations(*wide, how, stretch)


@pytest.mark.parametrize("by", ["noise", "tree"])
@pytest.mark.parametrize("bag", [False, True])
@pytest.mark.parametrize("size", [1, 7, 16, 37, 100])
def test_tables_and_losses_are_those_of_the_equations(size: int, bag: bool, by: str, instruction_set: str) -> None:
    narrow, got, wide, want = both(size, settings(bag, by), text())
    assert np.array_equal(got.targets, want.targets)
    assert want.targets.min() > 0
    assert np.allclose(got.losses, want.losses, rtol=2e-6)
    for ours, theirs in zip(narrow, wide, strict=True):
        assert np.abs(theirs).max() > 0.3
        assert np.allclose(ours, theirs, atol=2e-4 if size == 1 else 2e-5)


@pytest.mark.parametrize("negatives", [1, 2, 6, 7, 8, 30])
def test_any_number_of_negatives_and_wide_windows(negatives: int) -> None:
    narrow, got, wide, want = both(33, settings(False, "noise", window=40, negatives=negatives), text(0.05))
    assert np.allclose(got.losses, want.losses, rtol=2e-6)
    assert all(np.allclose(ours, theirs, atol=2e-5) for ours, theirs in zip(narrow, wide, strict=True))


def test_a_mean_whose_gradient_is_shared_out() -> None:
    narrow, got, wide, want = both(20, settings(True, "noise", divided=True), text())
    assert np.allclose(got.losses, want.losses, rtol=2e-6)
    assert all(np.allclose(ours, theirs, atol=2e-5) for ours, theirs in zip(narrow, wide, strict=True))


def test_parts_do_not_depend_on_how_many_are_handed_over_at_once() -> None:
    stretch, how = text(parts=6), settings(False, "noise")
    random = np.random.default_rng(4)
    start = random.normal(size=(2, WORDS, 24)).astype(np.float32)
    at_once, by_two = start.copy(), start.copy()
    whole = learn(*at_once, how, stretch)
    losses: list[float] = []
    for first in (0, 2, 4):
        starts = stretch.starts[first : first + 3]
        piece = Stretch(
            stretch.tokens[starts[0] : starts[-1]].copy(),
            starts - starts[0],
            stretch.rates[first : first + 2].copy(),
            stretch.first + first,
            stretch.seed,
        )
        losses += learn(*by_two, how, piece).losses.tolist()
    assert np.array_equal(at_once, by_two)
    assert losses == whole.losses.tolist()


def test_several_threads_see_the_same_windows() -> None:
    stretch, how = text(rate=0.0, sentences=200, parts=16), settings(True, "tree")
    random = np.random.default_rng(5)
    first = random.normal(size=(2, WORDS, 24)).astype(np.float32)
    one, four = first.copy(), first.copy()
    alone, together = learn(*one, how, stretch, 1), learn(*four, how, stretch, 4)
    assert np.array_equal(alone.targets, together.targets)
    assert np.array_equal(alone.losses, together.losses)
    assert np.array_equal(one, four)  # a rate of zero changes nothing, whoever writes


def test_short_texts_and_few_words() -> None:
    counts = np.array([2, 1])
    how = WordSettings(kept(counts, 0.0), 5, True, False, False, noise(counts, 0.75, 5, SHARING))
    tables = np.ones((2, 2, 3), dtype=np.float32)
    nothing = Stretch(np.array([0, END, 1, END], dtype=np.int32), np.array([0, 2, 4]), np.ones(2), 0, 0)
    found = learn(*tables, how, nothing)
    assert found.targets.tolist() == [0, 0]  # sentences of one word predict nothing
    assert (tables == 1).all()
    pair = Stretch(np.array([0, 1], dtype=np.int32), np.array([0, 2]), np.ones(1) * 0.1, 0, 0)
    assert learn(*tables, how, pair).targets.tolist() == [2]
    assert np.isfinite(tables).all()
