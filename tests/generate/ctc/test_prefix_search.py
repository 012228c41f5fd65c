"""Prefix beam search against every path written out, with and without a language model."""

import doctest
import math
from collections.abc import Sequence

import numpy as np
import pytest

from peephole.errors import InputError
from peephole.generate.ctc import prefix_search as module
from peephole.generate.ctc.best_path import best_path
from peephole.generate.ctc.occupancy import occupancy
from peephole.generate.ctc.prefix_search import Fusion, PrefixSearch, prefix_beam_search
from peephole.generate.language.characters import CharacterNGram
from peephole.generate.language.model import LanguageModel, log_probability
from peephole.generate.language.words import WordNGram

from .paths import every_sequence, some_logs

UTTERANCES = ["a ba", "ba a", "a a", "b aba", "abb ba"]


def test_the_example_in_the_docstring_holds() -> None:
    assert doctest.testmod(module).failed == 0
    assert doctest.testmod(module).attempted > 0


@pytest.mark.parametrize(
    ("frames", "symbols", "blank"), [(1, 2, 0), (2, 3, 2), (5, 3, 0), (6, 2, 1), (4, 4, 1), (0, 3, 0)]
)
def test_enough_beams_sum_over_all_paths(frames: int, symbols: int, blank: int) -> None:
    logs = some_logs(frames, symbols, seed=frames)
    want = every_sequence(logs, blank)
    found = prefix_beam_search(logs, beams=10_000, blank=blank, least=0.0, count=10_000)
    assert len(found) == len(want)
    assert [one.symbols for one in found] == list(want)
    for one in found:
        assert abs(math.exp(one.sound) - want[one.symbols]) <= 1e-12
        assert (one.score, one.language, one.words) == (one.sound, 0.0, 0)


@pytest.mark.parametrize("model", ["words", "characters", None])
@pytest.mark.parametrize(
    "pieces",
    [["", " ", "a", "b"], ["", " a", " ba", "b"], ["", "a", " ", ""]],
    ids=["characters", "byte pairs", "mute"],
)
def test_enough_beams_rank_by_sound_and_language(model: str | None, pieces: list[str]) -> None:
    logs = some_logs(5, 4, seed=3, sharpness=1.0)
    language = {"words": WordNGram, "characters": CharacterNGram}[model].fit(UTTERANCES, 3) if model else None
    fusion = Fusion(pieces, language, weight=0.7, bonus=0.9)
    want: list[tuple[float, tuple[int, ...]]] = []
    for symbols, probability in every_sequence(logs, 0).items():
        text = "".join(pieces[symbol] for symbol in symbols).lstrip(" ")
        said = 0.0 if language is None else log_probability(language, text)
        earned = 0.0 if language is None else 0.9 * len(text.split())
        want.append((math.log(probability) + 0.7 * said + earned, symbols))
    want.sort(key=lambda pair: -pair[0])
    found = prefix_beam_search(logs, beams=10_000, least=0.0, fusion=fusion, count=10_000)
    assert len(found) == len(want)
    by_symbols = {symbols: score for score, symbols in want}
    for one, (score, _) in zip(found, want, strict=True):
        assert abs(one.score - score) <= 1e-9
        assert abs(one.score - by_symbols[one.symbols]) <= 1e-9
        earned = 0.0 if language is None else 0.9 * one.words
        assert abs(one.score - (one.sound + 0.7 * one.language + earned)) <= 1e-9
        assert one.words == len("".join(pieces[symbol] for symbol in one.symbols).split())


def test_few_beams_never_promise_more_than_there_is() -> None:
    logs = some_logs(40, 5, sharpness=2.0)
    missing: list[float] = []
    for beams in (1, 4, 16, 64):
        found = prefix_beam_search(logs, beams=beams, least=0.0)[0]
        missing.append(occupancy(logs, np.array(found.symbols)).log_probability - found.sound)
        assert missing[-1] >= -1e-9
    assert missing[-1] < 0.5 < missing[0]


def test_a_sure_net_says_what_its_best_path_says() -> None:
    logs = some_logs(50, 6, sharpness=30.0)
    said = tuple(label.symbol for label in best_path(logs))
    for beams in (1, 16):
        assert prefix_beam_search(logs, beams=beams)[0].symbols == said


def test_summing_over_paths_finds_what_the_best_path_misses() -> None:
    found = prefix_beam_search(np.log([[0.6, 0.4], [0.6, 0.4]]))[0]
    assert found.symbols == (1,)
    assert abs(math.exp(found.sound) - 0.64) <= 1e-12
    assert best_path(np.log([[0.6, 0.4], [0.6, 0.4]])) == []


def test_a_language_model_decides_what_the_sound_leaves_open() -> None:
    pieces = ["", "one", " two", " too"]
    logs = np.log([[0.02, 0.96, 0.01, 0.01], [0.02, 0.02, 0.45, 0.51]])
    model = WordNGram.fit(["one two"] * 3, 2)
    assert prefix_beam_search(logs, fusion=Fusion(pieces))[0].symbols == (1, 3)
    assert prefix_beam_search(logs, fusion=Fusion(pieces, model))[0].symbols == (1, 2)
    assert prefix_beam_search(logs, fusion=Fusion(pieces, model, weight=0.0))[0].symbols == (1, 3)


def test_words_that_pay_are_more() -> None:
    pieces = ["", "a", " "]
    logs = np.log(np.tile([0.4, 0.35, 0.25], (9, 1)))
    model = WordNGram.fit(["a a", "a a a"], 2)
    counts = [
        prefix_beam_search(logs, fusion=Fusion(pieces, model, bonus=bonus))[0].words for bonus in (-9.0, 0.0, 9.0)
    ]
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert counts[-1] >= 4
    assert prefix_beam_search(logs, fusion=Fusion(pieces, bonus=9.0)) == prefix_beam_search(
        logs, fusion=Fusion(pieces, model, weight=0.0, bonus=9.0)
    )
    assert prefix_beam_search(logs, fusion=Fusion(pieces, bonus=9.0))[0].score == prefix_beam_search(logs)[0].score


@pytest.mark.parametrize("size", [1, 7])
def test_frame_by_frame_is_the_same(size: int) -> None:
    logs = some_logs(200, 4, sharpness=3.0)  # longer than what is remembered of branches that were left
    model = CharacterNGram.fit(UTTERANCES, 3)
    fusion = Fusion(["", " ", "a", "b"], model)
    search = PrefixSearch(4, beams=6, fusion=fusion)
    settled: tuple[int, ...] = ()
    for start in range(0, 200, size):
        search.feed(logs[start : start + size])
        now = search.settled()
        assert now[: len(settled)] == settled
        settled = now
    assert search.best(6) == prefix_beam_search(logs, beams=6, fusion=fusion, count=6)
    assert all(one.symbols[: len(settled)] == settled for one in search.best(6))
    assert len(settled) > 20


class Counted:
    """A language model that counts what it is asked."""

    def __init__(self, model: LanguageModel) -> None:
        self.model, self.asked = model, 0

    def begin(self) -> object:
        return self.model.begin()

    def scores(self, states: Sequence[object], pieces: Sequence[str]) -> np.ndarray:
        self.asked += len(states) * len(pieces)
        return self.model.scores(states, pieces)

    def extend(self, states: Sequence[object], pieces: Sequence[str]) -> list[object]:
        self.asked += len(states)
        return self.model.extend(states, pieces)

    def end(self, states: Sequence[object]) -> np.ndarray:
        return self.model.end(states)


def test_unlikely_symbols_ask_nothing() -> None:
    logs = some_logs(100, 4, sharpness=5.0)
    counts: list[int] = []
    for least in (0.0, 1e-3, 1e-1):
        model = Counted(CharacterNGram.fit(UTTERANCES, 3))
        prefix_beam_search(logs, beams=8, least=least, fusion=Fusion(["", " ", "a", "b"], model))
        counts.append(model.asked)
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] < 0.8 * counts[0]


def test_what_cannot_be_searched_is_refused() -> None:
    logs = some_logs(3, 3)
    with pytest.raises(InputError, match="0 beams; expected at least 1"):
        prefix_beam_search(logs, beams=0)
    with pytest.raises(InputError, match="2 pieces for 3 symbols; expected one each"):
        prefix_beam_search(logs, fusion=Fusion(["", "a"]))
    with pytest.raises(InputError, match="add up to"):
        prefix_beam_search(logs + 1)


def test_impossible_symbols_leave_something_to_say() -> None:
    with np.errstate(divide="ignore"):
        logs = np.log(np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]))
    assert prefix_beam_search(logs, beams=2)[0].symbols == (1, 2)
