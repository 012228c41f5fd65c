"""Beam search over many sources: against an exhaustive one, against greedy decoding, and each source against itself."""

import itertools
import math
from typing import Any

import pytest
import torch

from peephole.errors import InputError
from peephole.generate.hypothesis import Found, Hypothesis
from peephole.generate.search import search_all
from peephole.generate.speaking import Speaking

from .invented import END, Invented


def every_answer(decoder: Invented, source: int, longest: int) -> list[Hypothesis]:
    """All answers of at most `longest` symbols that end, and all of just so many that do not."""
    going = range(1, decoder.symbols)
    texts = [(*body, END) for size in range(longest) for body in itertools.product(going, repeat=size)]
    texts += itertools.product(going, repeat=longest)
    return [Hypothesis(text, decoder.log_probability(source, text), text[-1] == END) for text in texts]


def the_same(one: Found, other: Found) -> bool:
    """Whether hypotheses are the same to the last bit."""
    pairs = list(zip(one.hypotheses, other.hypotheses, strict=True))
    return all((a.symbols, a.log_probability, a.ended) == (b.symbols, b.log_probability, b.ended) for a, b in pairs)


@pytest.mark.parametrize("length_power", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("ended_first", [True, False])
def test_enough_beams_find_what_an_exhaustive_search_does(length_power: float, ended_first: bool) -> None:
    decoder = Invented([7, 8, 9], symbols=4)
    assert isinstance(decoder, Speaking)
    found = search_all(decoder, END, beams=4**4, longest=4, length_power=length_power, ended_first=ended_first)
    for source, answers in zip(decoder.sources, found, strict=True):
        want = sorted(
            every_answer(decoder, source, 4),
            key=lambda one: (ended_first and not one.ended, -one.score(length_power)),
        )
        assert [one.symbols for one in answers.hypotheses] == [one.symbols for one in want]
        for one, other in zip(answers.hypotheses, want, strict=True):
            assert one.ended == other.ended
            assert abs(one.log_probability - other.log_probability) <= 1e-6


@pytest.mark.parametrize("length_power", [0.0, 1.0])
def test_one_beam_takes_the_likeliest_symbol_at_each_step(length_power: float) -> None:
    decoder = Invented(list(range(20)), symbols=9)
    found = search_all(decoder, END, beams=1, longest=30, length_power=length_power)
    for source, answers in zip(decoder.sources, found, strict=True):
        said: tuple[int, ...] = ()
        while len(said) < 30 and END not in said:
            said = (*said, int(decoder.after(source, said).argmax()))
        assert answers.best.symbols == said
        assert answers.best.ended == (END in said)
        assert abs(answers.best.log_probability - decoder.log_probability(source, said)) <= 1e-5


def test_the_quick_way_of_one_beam_gives_what_the_long_one_does() -> None:
    for power in (0.0, 1.0):
        quick, long = (
            search_all(Invented(list(range(30)), symbols=6), END, 1, 20, power, keep_tree=keep)
            for keep in (False, True)
        )
        assert all(map(the_same, quick, long))


@pytest.mark.parametrize("beams", [1, 2, 5])
@pytest.mark.parametrize("length_power", [0.0, 1.0])
def test_a_source_gets_what_it_gets_alone(beams: int, length_power: float) -> None:
    sources, longest = list(range(12)), [1 + source % 9 for source in range(12)]
    together = search_all(Invented(sources, 40), END, beams, longest, length_power)
    turned = search_all(Invented(sources[::-1], 40), END, beams, longest[::-1], length_power)[::-1]
    for source, one, other in zip(sources, together, turned, strict=True):
        (alone,) = search_all(Invented([source], 40), END, beams, longest[source], length_power)
        assert the_same(one, alone)
        assert the_same(one, other)


def test_every_answer_has_its_own_probability_and_is_found_once() -> None:
    decoder = Invented([1, 2, 3, 4], symbols=300)  # so many that rows are looked through in blocks
    for source, answers in zip(decoder.sources, search_all(decoder, END, beams=6, longest=12), strict=True):
        texts = [one.symbols for one in answers.hypotheses]
        assert len(set(texts)) == len(texts) == 6
        for one in answers.hypotheses:
            assert abs(one.log_probability - decoder.log_probability(source, one.symbols)) <= 1e-5


def test_more_beams_find_nothing_less_likely_on_the_whole() -> None:
    def mean(beams: int) -> float:
        found = search_all(Invented(list(range(40)), symbols=12), END, beams, 15, ended_first=False)
        return sum(one.best.log_probability for one in found) / len(found)

    means = [mean(beams) for beams in (1, 3, 12)]
    assert means == sorted(means)


def test_a_decoder_that_never_ends_is_stopped_and_that_is_said() -> None:
    class Endless(Invented):
        def after(self, source: int, said: tuple[int, ...]) -> torch.Tensor:
            logs = super().after(source, said).clone()
            logs[END] = -torch.inf
            return logs

    for beams in (1, 3):
        short, long = search_all(Endless([1, 2], 5), END, beams, longest=[4, 11])
        assert not short.best.ended
        assert not long.best.ended
        assert (len(short.best.symbols), len(long.best.symbols)) == (4, 11)
    without_end = search_all(Invented([1, 2], 5), None, 2, longest=6)
    assert all(len(one.symbols) == 6 for found in without_end for one in found.hypotheses)


def test_sources_that_are_done_cost_nothing_more() -> None:
    decoder = Invented([1, 2, 3], symbols=20)
    search_all(decoder, END, beams=4, longest=[2, 5, 9])
    assert decoder.calls[0] == 3
    assert max(decoder.calls) <= 12
    assert decoder.calls == sorted(decoder.calls[:2]) + sorted(decoder.calls[2:], reverse=True)
    assert len(decoder.calls) <= 9


def test_only_as_many_as_are_wanted_come_and_they_are_the_same() -> None:
    decoder = Invented(list(range(10)), symbols=8)
    few, many = search_all(decoder, END, 6, 12, best=2), search_all(decoder, END, 6, 12)
    for some, all_of_them in zip(few, many, strict=True):
        assert [one.symbols for one in some.hypotheses] == [one.symbols for one in all_of_them.hypotheses[:2]]


def test_attention_is_that_of_the_steps_that_said_it() -> None:
    for beams in (1, 4):
        for found in search_all(Invented([3, 4, 5], symbols=6, places=4), END, beams, longest=9):
            for one in found.hypotheses:
                assert one.attention is not None
                assert one.attention.argmax(1).tolist() == [min(step, 3) for step in range(len(one.symbols))]


def test_what_may_not_be_said_is_not_and_what_cannot_be_gone_on_from_stays() -> None:
    decoder = Invented([1, 2], symbols=5)
    for found in search_all(decoder, END, 3, 6, never=[2, 3]):
        assert all(not {2, 3} & set(one.symbols) for one in found.hypotheses)
        assert all(one.log_probability > -math.inf for one in found.hypotheses)
    for beams in (1, 3):
        for found in search_all(decoder, END, beams, 6, never=range(5)):
            assert [(one.symbols, one.ended) for one in found.hypotheses] == [((), False)]


def test_of_equals_the_one_found_first_goes_first() -> None:
    class Even(Invented):
        def after(self, source: int, said: tuple[int, ...]) -> torch.Tensor:
            return torch.full((self.symbols,), -math.log(self.symbols))

    for symbols in (5, 700):
        for beams in (1, 3):
            (found,) = search_all(Even([1], symbols), symbols - 1, beams, longest=2)
            assert [one.symbols for one in found.hypotheses] == [(0, 0), (0, 1), (0, 2)][:beams]


def test_a_tree_holds_all_that_was_considered() -> None:
    decoder = Invented([5, 6, 7], symbols=9)
    plain = search_all(decoder, END, 3, 8, 1.0)
    assert all(not found.nodes for found in plain)
    for source, found, without in zip(
        decoder.sources, search_all(decoder, END, 3, 8, 1.0, keep_tree=True), plain, strict=True
    ):
        assert the_same(found, without)
        said: list[tuple[int, ...]] = []
        for number, node in enumerate(found.nodes):
            assert node.parent < number
            said.append((*(said[node.parent] if node.parent >= 0 else ()), node.symbol))
            assert abs(node.log_probability - decoder.log_probability(source, said[-1])) <= 1e-5
            assert node.parent < 0 or found.nodes[node.parent].fate == "kept"
            assert node.fate != "ended" or node.symbol == END
        assert len(set(said)) == len(said)
        fates = dict(zip(said, (node.fate for node in found.nodes), strict=True))
        assert all(fates[one.symbols] == ("ended" if one.ended else "kept") for one in found.hypotheses)
        for length in range(1, 9):
            assert sum(len(text) == length and fate == "kept" for text, fate in fates.items()) <= 3


@pytest.mark.parametrize("how", [{"beams": 0}, {"longest": 0}, {"longest": [3, 0]}, {"best": 0}])
def test_nothing_to_search_for_is_refused(how: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="expected at least 1 of each"):
        search_all(Invented([1, 2], 5), END, **how)


def test_a_net_that_diverged_is_named() -> None:
    class Broken(Invented):
        def after(self, source: int, said: tuple[int, ...]) -> torch.Tensor:
            return torch.full((self.symbols,), math.nan if source == 2 and len(said) == 2 else 0.0)

    for beams in (1, 3):
        with pytest.raises(InputError, match="diverged"):
            search_all(Broken([1, 2], 5), None, beams, 9)


def test_no_source_has_no_answer() -> None:
    assert search_all(_Nobody([], 5), END) == []


class _Nobody(Invented):
    def begin(self) -> torch.Tensor:
        return torch.empty(0, self.symbols)
