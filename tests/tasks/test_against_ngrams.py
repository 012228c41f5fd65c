"""Where counts still beat a net: groups of tokens whose answer is known, and mixtures whose best share is."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from peephole.data.tokenizer import Tokenizer
from peephole.figures import draw
from peephole.models.ngram import Reading
from peephole.tasks.text.against_ngrams import AgainstNGram, compare
from peephole.tasks.text.baselines import fit
from peephole.tasks.text.mixture import Mixture, best_share, mixed
from peephole.tasks.text.passage import Passage
from peephole.tasks.text.places import places_of

TEXT = "the cat saw . the dog\nsaw the cat\n"


@pytest.fixture
def words() -> Tokenizer:
    return Tokenizer.words({"the": 1500, "cat": 20, "saw": 5, ".": 200, "dog": 1}, "spaces")


def passage_of(tokenizer: Tokenizer, text: str) -> Passage:
    tokens = np.concatenate([[0], tokenizer.encode(text), [0]]).astype(tokenizer.dtype)
    return Passage.of(tokenizer, tokens, "some text", "files")


def reading_of(surprisal: NDArray[np.float64], contexts: NDArray[np.uint8]) -> Reading:
    return Reading(surprisal, np.ones(len(surprisal), dtype=np.uint8), contexts)


def both(tokenizer: Tokenizer, text: str = TEXT) -> tuple[AgainstNGram, NDArray[np.float64], NDArray[np.float64]]:
    """A net that pays 1, 2, 3 nats for the tokens in turn, and an n-gram that pays 2 for each and inf for the end."""
    passage = passage_of(tokenizer, text)
    count = len(passage.tokens)
    net = 1.0 + np.arange(count - 1) % 3
    other = np.full(count, 2.0)
    other[passage.tokens == 0] = np.inf
    contexts = np.minimum(np.arange(count), 4).astype(np.uint8)
    seen = np.array([0, 0, 100, 1500, 200, 20, 5, 1])
    return compare(tokenizer, passage, net, reading_of(other, contexts), seen), net[:-1], other[1:-1]


def test_groups_hold_every_token_once(words: Tokenizer) -> None:
    found, net, other = both(words)
    assert found.whole.tokens == len(net) == 11
    assert found.whole.net == pytest.approx(net.mean())
    assert found.whole.ngram == 2
    assert found.whole.better == pytest.approx((other < net).mean())
    for breakdown in found.breakdowns:
        assert sum(group.tokens for group in breakdown.groups) == 11, breakdown.title
        total = sum(group.tokens * group.net for group in breakdown.groups)
        assert total == pytest.approx(net.sum()), breakdown.title


def test_by_times_seen_in_training(words: Tokenizer) -> None:
    found, net, _ = both(words)
    groups = {group.name: group for group in found.breakdowns[0].groups}
    assert list(groups) == ["1–9", "10–99", "100–999", "1,000+"]  # nothing was unknown
    assert [group.tokens for group in groups.values()] == [3, 2, 3, 3]
    saw_dog = net[[2, 5, 7]]  # the cat saw . the dog <eos> saw the cat <eos>
    assert groups["1–9"].net == pytest.approx(saw_dog.mean())
    assert groups["1–9"].better == pytest.approx((saw_dog > 2).mean())
    unknown = both(words, "the bird saw\n")[0].breakdowns[0].groups[0]
    assert (unknown.name, unknown.tokens, unknown.net) == ("0", 1, 2.0)


def test_by_context_and_by_place(words: Tokenizer) -> None:
    found, net, _ = both(words)
    assert [(group.name, group.tokens) for group in found.breakdowns[1].groups] == [
        ("1", 1),
        ("2", 1),
        ("3", 1),
        ("4", 8),
    ]
    places = {group.name: group.tokens for group in found.breakdowns[2].groups}
    assert places == {"line end": 2, "1": 3, "2": 3, "3": 2, "4–6": 1}
    first = next(group for group in found.breakdowns[2].groups if group.name == "1")
    assert first.net == pytest.approx(net[[0, 4, 7]].mean())  # the, the, saw


def test_places(words: Tokenizer) -> None:
    tokens = passage_of(words, TEXT).tokens
    places = places_of(words, tokens)
    assert (places.within, places.between) == ("sentence", "line end")
    assert places.numbers.tolist() == [0, 1, 2, 3, 4, 1, 2, 0, 1, 2, 3, 0, 0]
    letters = Tokenizer.characters(dict.fromkeys("abc \n", 1))
    places = places_of(letters, np.concatenate([[0], letters.encode("ab c\n\na")]).astype(np.uint8))
    assert (places.within, places.between) == ("word", "space")
    assert places.numbers.tolist() == [0, 1, 2, 0, 1, 0, 0, 1]


def test_tokens_that_the_ngram_gains_by(words: Tokenizer) -> None:
    found, net, other = both(words)
    lead = net - other
    tokens = passage_of(words, TEXT).tokens[1:-1]
    sums = {words.symbols[token]: float(lead[tokens == token].sum()) for token in set(tokens.tolist())}
    assert {win.token: win.lead for win in found.wins} == {name: lead for name, lead in sums.items() if lead > 0}
    assert [win.lead for win in found.wins] == sorted((win.lead for win in found.wins), reverse=True)
    first = found.wins[0]
    assert first.token == "saw"
    assert (first.times, first.net, first.ngram) == (2, 3.0, 2.0)
    assert first.context == "<eod> the cat saw"


def test_it_says_who_wins_and_draws_it(words: Tokenizer) -> None:
    found, net, _ = both(words)
    assert found.verdict.startswith(f"the net is better by {2 - net.mean():.3f} nats a word; the 5-gram has the better")
    assert "the 5-gram wins at 1–9" in found.breakdowns[0].verdict
    behind = compare(
        words,
        passage_of(words, TEXT),
        np.ones(12),
        reading_of(np.full(13, 2.0), np.ones(13, np.uint8)),
        np.ones(8, dtype=np.int64),
    )
    assert behind.wins == ()
    assert behind.breakdowns[0].verdict.startswith("the 5-gram wins nowhere on average; it comes nearest at 1–9, 1.00")
    assert len(behind.tables) == 3
    assert len(found.tables) == 4
    for table in found.tables:
        assert {len(row) for row in table.rows} == {len(table.header)}
    for result in (found, *found.breakdowns):
        axes = draw(result.plot).axes[0]
        assert axes.get_xlabel()
    assert found.as_json()["verdict"] == found.verdict


def test_the_best_share_is_the_best_of_a_fine_grid() -> None:
    random = np.random.default_rng(0)
    net, other = random.exponential(2, 500), random.exponential(2, 500)
    share = best_share(net, other)
    grid = np.linspace(0.001, 0.999, 999)
    means = [mixed(net, other, value).mean() for value in grid]
    assert share == pytest.approx(grid[int(np.argmin(means))], abs=2e-3)
    assert mixed(net, other, share).mean() <= min(means) + 1e-9
    assert mixed(net, other, share).mean() < min(net.mean(), other.mean())


def test_shares_at_the_edges() -> None:
    better, worse = np.full(50, 1.0), np.full(50, 3.0)
    assert best_share(better, worse) > 0.999
    assert best_share(worse, better) < 0.02
    assert mixed(better, np.full(50, np.inf), 0.5) == pytest.approx(1 + math.log(2))  # what one holds impossible


def test_a_mixture_is_in_the_verdict(words: Tokenizer) -> None:
    passage = passage_of(words, TEXT)
    reading = reading_of(np.full(13, 2.0), np.ones(13, np.uint8))
    mixture = Mixture(0.75, math.log(90), math.log(100), "the first 5 tokens of the held-out text")
    found = compare(words, passage, np.ones(12), reading, np.ones(8, dtype=np.int64), mixture=mixture)
    assert "0.75 of the net mixed with 0.25 of the 5-gram gives perplexity 90.00, the net alone 100.00" in found.verdict


def test_ngrams_of_words_end_with_the_line(words: Tokenizer) -> None:
    """What stands in the line before changes nothing, and the end of a document is no token."""
    training = np.concatenate([[0], words.encode(TEXT * 30), [0]]).astype(words.dtype)
    counts = fit(training, words, 5)
    one, other = (
        passage_of(words, before + "saw the cat\n").tokens for before in ("the cat saw .\n", "the dog dog dog\n")
    )
    assert counts.surprisal(one)[-5:-1].tolist() == counts.surprisal(other)[-5:-1].tolist()
    assert counts.surprisal(one)[-1] == np.inf
    total = sum(np.exp(-counts.surprisal(np.array([0, 3, token]))[-1]) for token in range(len(words)))
    assert total == pytest.approx(1, abs=1e-9)
    letters = Tokenizer.characters(dict.fromkeys("abc\n", 1))
    stream = np.concatenate([[0], letters.encode("abc\nabc\n" * 20), [0]]).astype(np.uint8)
    assert fit(stream, letters, 3).boundary is None
