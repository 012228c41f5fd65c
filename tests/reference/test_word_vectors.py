"""The equations of skip-gram and CBOW: gradients against differences, the tree a distribution, draws as said."""

import math

import numpy as np
import pytest

from peephole.embed.learning.distributions import noise, tree
from peephole.reference.word_vectors import Draws, learn
from peephole.word_operands import ALWAYS, END, Noise, Stretch, Tree, WordSettings

SHARING = 2
COUNTS = np.array([9, 5, 4, 3, 2, 1])
KEPT = np.full(6, ALWAYS, dtype=np.uint32)
SENTENCE = np.array([0, 3, 1, 5, 3, END], dtype=np.int32)


def tables(seed: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.normal(size=(6, 4)), random.normal(size=(rows, 4))


def text(rate: float) -> Stretch:
    return Stretch(SENTENCE, np.array([0, len(SENTENCE)]), np.array([rate]), 3, 11)


def told_apart(by: str) -> Noise | Tree:
    return noise(COUNTS, 0.75, 3, SHARING) if by == "noise" else tree(COUNTS)


@pytest.mark.parametrize("by", ["noise", "tree"])
@pytest.mark.parametrize("bag", [False, True])
def test_a_small_step_goes_down_the_gradient_of_the_loss(by: str, bag: bool) -> None:
    settings = WordSettings(KEPT, 2, True, bag, True, told_apart(by))
    inputs, outputs = tables(0, 6 if by == "noise" else 5)

    def loss(changed: np.ndarray, table: int) -> float:
        both = [inputs.copy(), outputs.copy()]
        both[table] = changed
        return float(learn(*both, settings, text(0.0)).losses.sum())

    rate = 1e-7
    moved = inputs.copy(), outputs.copy()
    learn(*moved, settings, text(rate))
    for table, (before, after) in enumerate(zip((inputs, outputs), moved, strict=True)):
        want = np.zeros_like(before)
        for place in np.ndindex(*before.shape):
            up, down = before.copy(), before.copy()
            up[place] += 1e-5
            down[place] -= 1e-5
            want[place] = (loss(up, table) - loss(down, table)) / 2e-5
        assert np.abs(want).max() > 0.1
        assert np.allclose((before - after) / rate, want, atol=1e-5)


def test_word2vec_gives_each_context_the_whole_gradient_of_their_mean() -> None:
    shared = WordSettings(KEPT, 2, False, True, True, told_apart("noise"))
    whole = WordSettings(KEPT, 2, False, True, False, told_apart("noise"))
    pair = Stretch(np.array([0, 3, 1, END], dtype=np.int32), np.array([0, 4]), np.array([1e-7]), 0, 0)
    changes = []
    for settings in (shared, whole):
        inputs, outputs = tables(1, 6)
        before = inputs.copy()
        learn(inputs, outputs, settings, pair)
        changes.append(inputs - before)
    assert np.allclose(changes[1], 2 * changes[0])  # a window of three words: two contexts each
    assert np.abs(changes[0]).max() > 1e-9


def test_probabilities_of_all_leaves_sum_to_one() -> None:
    made = tree(COUNTS)
    random = np.random.default_rng(2)
    outputs, vector = random.normal(size=(5, 4)), random.normal(size=4)
    total = 0.0
    for word in range(6):
        path = slice(made.paths[word], made.paths[word + 1])
        scores = outputs[made.nodes[path]] @ vector
        total += math.exp(-np.logaddexp(0, np.where(made.turns[path] == 0, -scores, scores)).sum())
    assert total == pytest.approx(1, abs=1e-12)


def test_words_are_drawn_as_their_shares_say() -> None:
    draws, kind = Draws(5, 0), noise(COUNTS, 0.75, 1, SHARING)
    found = np.zeros(6)
    for _ in range(60_000):
        random = draws.next()
        slot = (random >> 32) * 6 >> 32
        found[slot if (random & 0xFFFFFFFF) < kind.slots["below"][slot] else kind.slots["other"][slot]] += 1
    want = COUNTS**0.75 / (COUNTS**0.75).sum()
    assert np.abs(found / 60_000 - want).max() < 4 * math.sqrt(0.25 / 60_000)
    assert not np.array_equal([Draws(5, 1).next()], [Draws(5, 0).next()])
