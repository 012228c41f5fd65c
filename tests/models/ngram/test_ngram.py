"""The n-gram baseline: a distribution at every context, and the textbook's formula written out."""

import doctest
import tracemalloc
from collections import Counter
from collections.abc import Callable
from itertools import chain, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from peephole.models.ngram import NGram, model

from .by_hand import BEGIN, END, ByHand, Token

EOD, STOP = 0, 1  # of the sentences below: what never comes, and what ends one


def some_sentences(seed: int, count: int, words: int) -> list[list[int]]:
    """Sentences of up to 7 of the tokens 2 to `words` + 1, in which what follows depends on two before; some empty."""
    generator = np.random.default_rng(seed)
    likely = generator.permuted(np.tile(1 / np.arange(1, words + 1) ** 1.5, (9, 1)), axis=1)
    likely /= likely.sum(1, keepdims=True)
    sentences: list[list[int]] = []
    for length in generator.integers(0, 8, count):
        sentence = [0, 0]
        while len(sentence) < length + 2:
            sentence.append(int(generator.choice(words, p=likely[(sentence[-1] + 2 * sentence[-2]) % 9])) + 2)
        sentences.append(sentence[2:])
    return sentences


def stream(sentences: list[list[int]]) -> list[int]:
    """Documents of sentences, with what never comes between."""
    parted = [[*sentence, STOP, *([EOD] if place % 40 == 39 else [])] for place, sentence in enumerate(sentences)]
    return [EOD, *chain(*parted)]


def probability(model: NGram, history: list[int], token: int) -> float:
    return float(np.exp(-model.surprisal([*history, token])[-1]))


def test_the_example_in_the_docstring_holds() -> None:
    assert doctest.testmod(model).failed == 0
    assert doctest.testmod(model).attempted > 0


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_equals_the_formula_written_out(order: int) -> None:
    generator = np.random.default_rng(order)
    size = 5
    text = generator.choice(size, 60, p=[0.5, 0.2, 0.2, 0.1, 0]).tolist()  # token 4 is never seen
    model, by_hand = NGram.fit(text, size, order), ByHand([text], size, order, sentences=False)
    for history in product(range(size), repeat=order - 1):
        for token in range(size):
            assert abs(probability(model, list(history), token) - by_hand.probability(history, token)) <= 1e-12


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_equals_the_formula_on_sentences_with_three_discounts(order: int) -> None:
    sentences = some_sentences(order, 1200, 150)
    size = 153  # one more than there are: token 152 is never seen
    model = NGram.fit(stream(sentences), size, order, STOP, (EOD,))
    by_hand = ByHand(sentences, size - 1, order, sentences=True)
    assert model.sizes == tuple(map(len, by_hand.counts))
    assert order == 1 or any(discounts.source == "modified" for discounts in model.discounts)
    for found, expected in zip(model.discounts, by_hand.discounts, strict=True):
        assert np.abs(np.subtract((found.once, found.twice, found.more), np.array(expected[1:], float))).max() <= 1e-12
    for sentence in [*some_sentences(99, 12, 151), *sentences[:12]]:
        costs = model.surprisal([EOD, *sentence, STOP])
        assert costs[0] == np.inf
        names: list[Token] = [BEGIN, *sentence, END]
        for place in range(1, len(names)):
            context = tuple(names[max(0, place - order + 1) : place])
            expected = float(by_hand.probability(context, names[place]))
            assert abs(np.exp(-costs[place]) - expected) <= 1e-12


@pytest.mark.parametrize("order", [1, 3, 5])
def test_every_context_of_a_corpus_has_a_distribution(order: int) -> None:
    sentences = some_sentences(order, 150, 30)
    model = NGram.fit(stream(sentences), 33, order, STOP, (EOD,))
    begun = [[STOP, *sentence[:end]] for sentence in sentences for end in range(len(sentence) + 1)]
    seen = {tuple(context[max(0, len(context) - order + 1) :]) for context in begun}
    unseen = {tuple(row) for row in np.random.default_rng(order).integers(0, 33, (100, order + 1)).tolist()}
    for context in seen | unseen | {()}:
        shares = model.following(list(context))
        assert abs(shares.sum() - 1) <= 1e-12
        assert shares[EOD] == 0
        assert (np.delete(shares, EOD) > 0).all()


@pytest.mark.parametrize("order", range(1, 9))
def test_probabilities_sum_to_one_in_any_context(order: int) -> None:
    generator = np.random.default_rng(order)
    size = 7
    text = (generator.zipf(1.6, 500) - 1) % (size - 1)  # the last token is never seen
    model = NGram.fit(text, size, order)
    histories = [text[:length].tolist() for length in range(12)] + generator.integers(0, size, (20, 10)).tolist()
    for history in histories:
        assert abs(sum(probability(model, history, token) for token in range(size)) - 1) <= 1e-12


@pytest.mark.parametrize("text", [[0], [0, 0], [0, 1], [2, 2, 2, 2], list(range(3))])
def test_tiny_texts_leave_probability_for_everything(text: list[int]) -> None:
    for order in range(1, len(text) + 1):
        model = NGram.fit(text, 3, order)
        for history in ([], [0], [2, 2]):
            assert abs(model.following(history).sum() - 1) <= 1e-12
            assert (model.following(history) > 0).all()
    for order in (1, 2, 8):
        model = NGram.fit(text, 3, order, boundary=0)
        assert model.order <= order
        assert abs(model.following([0, 2]).sum() - 1) <= 1e-12
        assert (model.following([0, 2]) > 0).all()


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
@pytest.mark.parametrize("boundary", [None, 3])
def test_what_follows_a_context_is_what_its_tokens_would_cost(order: int, boundary: int | None) -> None:
    text = np.random.default_rng(order).integers(0, 4, 80)
    model = NGram.fit(text, 5, order, boundary)  # token 4 is never seen
    for context in ([], [0], [4], [1, 2], [2, 4, 1], text[:9].tolist(), [3, 0, 3, 0, 3], [3, 2, 1], [2, 3]):
        costs = [model.surprisal([*context, token])[-1] for token in range(5)]
        assert np.abs(model.following(context) - np.exp(-np.array(costs))).max() <= 1e-12
    with pytest.raises(ValueError, match="ids from 5 to 5: expected 0 to 4"):
        model.following([5])


def test_sentences_do_not_know_of_each_other() -> None:
    sentences = some_sentences(0, 200, 30)
    model = NGram.fit(stream(sentences), 33, 4, STOP, (EOD,))
    for one, other in zip(sentences[:20], sentences[20:40], strict=True):
        after_end, after_document, alone = (
            model.surprisal([*before, *other])[len(before) :] for before in ([*one, STOP], [*one, STOP, EOD], [STOP])
        )
        assert (after_end == alone).all()
        assert (after_document == alone).all()
    shuffled = NGram.fit(stream(sentences[::-1]), 33, 4, STOP, (EOD,))
    assert (shuffled.surprisal(stream(sentences)) == model.surprisal(stream(sentences))).all()
    # a text that begins without a boundary begins a sentence all the same
    assert (NGram.fit(stream(sentences)[1:], 33, 4, STOP, (EOD,)).following([STOP]) == model.following([STOP])).all()


@pytest.mark.parametrize("boundary", [None, 1])
def test_reading_says_how_much_was_seen(boundary: int | None) -> None:
    text = list(chain(*([*sentence, STOP] for sentence in some_sentences(0, 100, 30))))
    learned, read = text[:200], text[200:]
    model = NGram.fit(learned, 32, 3, boundary)
    found = model.read(read)

    def grams(tokens: list[int], length: int) -> set[tuple[int, ...]]:
        every = {tuple(tokens[start : start + length]) for start in range(len(tokens) - length + 1)}
        return every if boundary is None else {gram for gram in every if STOP not in gram[1:-1]}

    opened = learned if boundary is None else [STOP, *learned]
    seen = {length: grams(opened, length) for length in (1, 2, 3)}
    for place in range(len(read)):
        ending = {length: tuple(read[place - length + 1 : place + 1]) for length in (1, 2, 3) if length <= place + 1}
        there = [length for length, gram in ending.items() if gram in seen[length]]
        before = [
            length for length in (1, 2) if length <= place and tuple(read[place - length : place]) in seen[length]
        ]
        if boundary is not None and STOP in read[max(0, place - 1) : place]:
            before = [length for length in before if length == 1]
        assert found.seen[place] == max(there, default=0)
        assert found.contexts[place] == max(before, default=0)
    assert set(found.seen.tolist()) == {0, 1, 2, 3}


def test_the_tokens_of_ngrams() -> None:
    sentences = some_sentences(0, 60, 20)
    model = NGram.fit(stream(sentences), 23, 3, STOP, (EOD,))
    counts = Counter(tuple(gram) for length in (1, 2, 3) for gram in model.tokens(length, slice(None)).tolist())
    expected: set[tuple[int, ...]] = set()
    for sentence in sentences:
        row = [STOP, *sentence, STOP]
        expected |= {tuple(row[start:end]) for end in range(len(row) + 1) for start in range(max(0, end - 3), end)}
    assert set(counts) == expected
    assert set(counts.values()) == {1}
    assert model.sizes == tuple(sum(len(gram) == length for gram in counts) for length in (1, 2, 3))
    assert (model.tokens(3, slice(4, 7)) == model.tokens(3, slice(None))[4:7]).all()


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


@pytest.mark.parametrize("kind", [np.int64, np.uint64, np.uint32])
def test_large_vocabularies_do_not_overflow(kind: Any) -> None:
    size = 2**20  # eight of these would take 160 bits packed into one key
    text = np.random.default_rng(0).integers(0, size, 2000).astype(kind)
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
    with pytest.raises(ValueError, match="ids from 2 to 2: expected 0 to 1"):
        NGram.fit([0, 1], 2, 1, boundary=2)
    with pytest.raises(ValueError, match="0 tokens: expected at least 1 that can be predicted"):
        NGram.fit([0, 0], 2, 1, boundary=1, never=(0,))
    with pytest.raises(ValueError, match="expected a boundary, which they count as"):
        NGram.fit([0, 0], 2, 1, never=(0,))
    with pytest.raises(ValueError, match="boundary 1 is among the tokens that never come"):
        NGram.fit([0, 0], 2, 1, boundary=1, never=(1,))
    assert NGram.fit([0, 1], 2, 2).surprisal([]).shape == (0,)


def _words(folder: Path) -> tuple[int, NDArray[np.int32], NDArray[np.int32]]:
    """Size, training and test tokens of a text with a sentence a line: 0 never comes, 1 ends a sentence."""
    train, test = ((folder / f"{part}.txt").read_text(encoding="utf-8").split("\n")[:-1] for part in ("train", "test"))
    numbers: dict[str, int] = {}
    ids = [
        np.array([EOD, *(token for line in part for token in [*_numbered(line, numbers), STOP])], dtype=np.int32)
        for part in (train, test)
    ]
    return len(numbers) + 2, ids[0], ids[1]


def _numbered(line: str, numbers: dict[str, int]) -> list[int]:
    return [numbers.setdefault(word, len(numbers) + 2) for word in line.split()]


@pytest.mark.slow
def test_wikitext_as_kenlm_has_it(data_folder: Callable[[str], Path]) -> None:
    """220.1386 is what KenLM's lmplz -o 5 and query say of the test part, with `<unk>` as a word."""
    size, train, test = _words(data_folder("wikitext-2"))
    tracemalloc.start()
    model = NGram.fit(train, size, 5, STOP, (EOD,))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak <= 400e6
    assert model.sizes == (33_278, 619_592, 1_398_959, 1_794_725, 1_914_265)  # KenLM's, without <s> and its <unk>
    found = np.exp(model.surprisal(test)[1:].mean())
    assert abs(found - 220.1386) <= 0.001
    generator = np.random.default_rng(0)
    for start in generator.integers(0, len(test) - 5, 50).tolist():
        assert abs(model.following(test[start : start + 4]).sum() - 1) <= 1e-6
    for context in generator.integers(1, size, (50, 4)):
        assert abs(model.following(context).sum() - 1) <= 1e-6
