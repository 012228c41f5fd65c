"""Beam search against an exhaustive one, and against greedy decoding."""

import itertools
import math
from typing import Any

import pytest
import torch

from peephole.errors import InputError
from peephole.generate.beam import search
from peephole.generate.hypothesis import Hypothesis
from peephole.models.config import ModelConfig
from peephole.models.sequence import SequenceModel

END = 0


@pytest.fixture(scope="module", params=["lstm", "gru", "rnn"])
def model(request: pytest.FixtureRequest) -> SequenceModel:
    torch.manual_seed(3)
    model = SequenceModel(5, ModelConfig(cell=request.param, hidden_size=9, embedding_size=4, dropout=0.0))
    with torch.no_grad():
        model.head.weight *= 6  # opinions
    return model.eval()


def log_probability(model: SequenceModel, prime: list[int], symbols: tuple[int, ...]) -> float:
    sequence = torch.tensor([*prime, *symbols])
    with torch.no_grad():
        logs = torch.log_softmax(model(sequence[:-1, None])[0][:, 0].double(), -1)
    return float(logs.gather(1, sequence[1:, None])[len(prime) - 1 :].sum())


def every_continuation(model: SequenceModel, prime: list[int], length: int, never: list[int]) -> list[Hypothesis]:
    """All of at most `length` symbols that end, and all of just so many that do not; the likeliest first."""
    found: list[Hypothesis] = []
    going = [symbol for symbol in range(5) if symbol not in never and symbol != END]
    for size in range(length + 1):
        for body in itertools.product(going, repeat=size):
            texts = [((*body, END), True)] if size < length else [(body, False)]
            found += [Hypothesis(text, log_probability(model, prime, text), ended) for text, ended in texts]
    return sorted(found, key=lambda beam: -beam.log_probability)


@pytest.mark.parametrize(("prime", "never"), [([1], []), ([2, 3, 1], [4])])
def test_enough_beams_find_what_an_exhaustive_search_does(
    model: SequenceModel, prime: list[int], never: list[int]
) -> None:
    want = every_continuation(model, prime, 3, never)[:10]
    found = search(model, prime, 3, beams=125, end=END, never=never)
    assert [beam.symbols for beam in found[:10]] == [beam.symbols for beam in want]
    for one, other in zip(found, want, strict=False):
        assert one.ended == other.ended
        assert abs(one.log_probability - other.log_probability) <= 1e-4


def test_one_beam_is_greedy(model: SequenceModel) -> None:
    symbols = [2]
    for _ in range(12):
        with torch.no_grad():
            symbols.append(int(model(torch.tensor(symbols)[:, None])[0][-1, 0].argmax()))
    (found,) = search(model, [2], 12, beams=1)
    assert list(found.symbols) == symbols[1:]
    assert not found.ended


def test_every_result_has_its_own_probability(model: SequenceModel) -> None:
    """Copied states go on as if they had been computed."""
    for beam in search(model, [1, 3], 9, beams=6, end=END):
        assert abs(beam.log_probability - log_probability(model, [1, 3], beam.symbols)) <= 1e-4


def test_length_can_be_made_up_for(model: SequenceModel) -> None:
    short, long = Hypothesis((1, 0), -2.0, True), Hypothesis((1, 2, 3, 0), -3.0, True)
    assert short.score(0.0) > long.score(0.0)
    assert short.score(1.0) < long.score(1.0)
    found = search(model, [1], 6, beams=8, end=END, length_power=1.0)
    scores = [beam.score(1.0) for beam in found]
    assert scores == sorted(scores, reverse=True)


def test_the_impossible_is_never_found(model: SequenceModel) -> None:
    for beam in search(model, [1], 5, beams=8, never=[2, 3]):
        assert not {2, 3} & set(beam.symbols)
        assert beam.log_probability > -math.inf


@pytest.mark.parametrize("how", [{"beams": 0}, {"length": 0}])
def test_no_beams_and_no_length_are_refused(model: SequenceModel, how: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="expected at least 1 of each"):
        search(model, [1], **{"length": 5, "beams": 2, **how})
