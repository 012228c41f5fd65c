"""The n-gram baseline: a distribution at every context, and the textbook's formula written out."""

import doctest
from collections import Counter, defaultdict
from itertools import product

import numpy as np
import pytest

from peephole.models import ngram as module
from peephole.models.ngram import NGram


def direct(text: list[int], size: int, order: int, context: tuple[int, ...], token: int) -> float:
    """Interpolated Kneser-Ney as in Chen and Goodman, with dictionaries and recursion; None is the text's start."""
    if not order:
        return 1 / size
    longest = len(context) + 1
    padded = [None, *text]
    grams: Counter[tuple[int | None, ...]] = Counter()
    if order == longest:
        grams.update(tuple(text[start : start + longest]) for start in range(len(text) - longest + 1))
    else:
        grams.update(gram[1:] for gram in {tuple(padded[at : at + order + 1]) for at in range(len(padded) - order)})
    once, twice = (sum(count == number for count in grams.values()) for number in (1, 2))
    discount = once / (once + 2 * twice) if once and twice else 0.5
    after = defaultdict(dict)
    for gram, count in grams.items():
        after[gram[:-1]][gram[-1]] = count
    seen = after[context[longest - order :]]
    shorter = direct(text, size, order - 1, context, token)
    if not seen:
        return shorter
    total = sum(seen.values())
    return (max(seen.get(token, 0) - discount, 0) + discount * len(seen) * shorter) / total


def test_the_example_in_the_docstring_holds() -> None:
    assert doctest.testmod(module).failed == 0
    assert doctest.testmod(module).attempted > 0


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_equals_the_formula_written_out(order: int) -> None:
    generator = np.random.default_rng(order)
    size = 5
    text = generator.choice(size, 60, p=[0.5, 0.2, 0.2, 0.1, 0]).tolist()  # token 4 is never seen
    model = NGram.fit(text, size, order)
    for history in product(range(size), repeat=order - 1):
        for token in range(size):
            expected = direct(text, size, order, history, token)
            assert abs(np.exp(-model.surprisal([*history, token])[-1]) - expected) <= 1e-12


@pytest.mark.parametrize("order", range(1, 9))
def test_probabilities_sum_to_one_in_any_context(order: int) -> None:
    generator = np.random.default_rng(order)
    size = 7
    text = (generator.zipf(1.6, 500) - 1) % (size - 1)  # the last token is never seen
    model = NGram.fit(text, size, order)
    histories = [text[:length].tolist() for length in range(12)] + generator.integers(0, size, (50, 10)).tolist()
    for history in histories:
        surprisals = np.array([model.surprisal([*history, token])[-1] for token in range(size)])
        assert np.isfinite(surprisals).all()
        assert abs(np.exp(-surprisals).sum() - 1) <= 1e-12


@pytest.mark.parametrize("text", [[0], [0, 0], [0, 1], [2, 2, 2, 2], list(range(3))])
def test_tiny_texts_leave_probability_for_everything(text: list[int]) -> None:
    for order in range(1, len(text) + 1):
        model = NGram.fit(text, 3, order)
        for history in ([], [0], [2, 2]):
            total = sum(np.exp(-model.surprisal([*history, token])[-1]) for token in range(3))
            assert abs(total - 1) <= 1e-12


def test_the_first_tokens_have_shorter_contexts() -> None:
    text = np.random.default_rng(0).integers(0, 4, 300)
    model = NGram.fit(text, 4, 4)
    whole = model.surprisal(text)
    assert whole.shape == (300,)
    assert whole.dtype == np.float64
    for length in (1, 2, 3, 4, 5):
        assert (model.surprisal(text[:length]) == whole[:length]).all()
    assert (model.surprisal(text[100:]) != whole[100:])[:3].any()
    assert (model.surprisal(text[100:])[3:] == whole[103:]).all()


@pytest.mark.parametrize("order", [1, 2, 4])
def test_what_follows_a_context_is_what_its_tokens_would_cost(order: int) -> None:
    text = np.random.default_rng(order).integers(0, 4, 80)
    model = NGram.fit(text, 5, order)  # token 4 is never seen
    for context in ([], [0], [4], [1, 2], [2, 4, 1], text[:9].tolist(), [3, 0, 3, 0, 3]):
        costs = [model.surprisal([*context, token])[-1] for token in range(5)]
        assert np.abs(model.following(context) - np.exp(-np.array(costs))).max() <= 1e-12
    with pytest.raises(ValueError, match="ids from 5 to 5: expected 0 to 4"):
        model.following([5])


def test_longer_contexts_help_on_text_that_has_them() -> None:
    generator = np.random.default_rng(0)
    words = [generator.integers(0, 20, 6) for _ in range(30)]
    text = np.concatenate([words[index] for index in generator.integers(0, 30, 3000)]).astype(np.uint8)
    means = [NGram.fit(text[:-3000], 20, order).surprisal(text[-3000:]).mean() for order in (1, 2, 3, 5)]
    assert means == sorted(means, reverse=True)
    assert means[-1] < 0.5 * means[0]


def test_independent_tokens_cost_their_entropy() -> None:
    probabilities = np.array([0.5, 0.25, 0.125, 0.125])
    text = np.random.default_rng(0).choice(4, 50_000, p=probabilities)
    entropy = -(probabilities * np.log(probabilities)).sum()
    for order in (1, 3):
        assert abs(NGram.fit(text[:40_000], 4, order).surprisal(text[40_000:]).mean() - entropy) <= 0.02


def test_large_vocabularies_do_not_overflow() -> None:
    size = 2**20  # eight of these would take 160 bits packed into one key
    text = np.random.default_rng(0).integers(0, size, 2000)
    surprisal = NGram.fit(text, size, 8).surprisal(text)
    assert np.isfinite(surprisal).all()
    assert surprisal[8:].mean() < 2


def test_what_cannot_be_fitted_is_refused() -> None:
    with pytest.raises(ValueError, match="order is 9: expected 1"):
        NGram.fit([0, 1], 2, 9)
    with pytest.raises(ValueError, match="2 tokens: expected at least 3"):
        NGram.fit([0, 1], 2, 3)
    with pytest.raises(ValueError, match="ids from 0 to 2: expected 0 to 1"):
        NGram.fit([0, 2], 2, 1)
    with pytest.raises(ValueError, match="ids from -1 to 0: expected 0 to 1"):
        NGram.fit([0, 1], 2, 1).surprisal([-1, 0])
    assert NGram.fit([0, 1], 2, 2).surprisal([]).shape == (0,)
