"""Which distribution is drawn from, and that the seed alone decides what is drawn."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from peephole.errors import InputError
from peephole.generate import sampling
from peephole.generate.config import Sampling
from peephole.generate.sampling import Writing, narrow
from peephole.models.config import ModelConfig
from peephole.models.sequence import SequenceModel
from peephole.streams.snapshot import Streaming
from peephole.streams.stream import Stream

KNOWN = [0.4, 0.05, 0.3, 0.2, 0.05]


def narrowed(probabilities: list[float], **how: Any) -> list[float]:
    result = narrow(torch.tensor([probabilities]).log(), Sampling(**how))[0]
    assert result.sum().item() == pytest.approx(1, abs=1e-6)
    return result.tolist()


def test_nothing_asked_changes_nothing() -> None:
    for how in ({}, {"top_k": 5}, {"top_k": 99}, {"top_p": 1.0}):
        assert narrowed(KNOWN, **how) == pytest.approx(KNOWN, abs=1e-6)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0, 7.0])
def test_temperature_is_a_power(temperature: float) -> None:
    powers = [p ** (1 / temperature) for p in KNOWN]
    assert narrowed(KNOWN, temperature=temperature) == pytest.approx([p / sum(powers) for p in powers], rel=1e-4)


@pytest.mark.parametrize("temperature", [0.0, 5e-324, 1e-46, 1e-40, 1e-9])
def test_the_coldest_take_the_likeliest(temperature: float) -> None:
    assert narrowed(KNOWN, temperature=temperature) == [1, 0, 0, 0, 0]
    assert narrowed([0.0, 0.2, 0.0, 0.8], temperature=temperature) == [0, 0, 0, 1]


def test_the_hottest_are_indifferent_and_never_draw_the_impossible() -> None:
    assert narrowed([0.9, 0.0, 0.1], temperature=1e38) == pytest.approx([0.5, 0, 0.5], abs=1e-6)


@pytest.mark.parametrize(("k", "kept"), [(1, [0.4]), (2, [0.4, 0.3]), (3, [0.4, 0.3, 0.2]), (4, [0.4, 0.3, 0.2, 0.05])])
def test_top_k_keeps_exactly_k(k: int, kept: list[float]) -> None:
    result = narrowed(KNOWN, top_k=k)
    assert sorted((p for p in result if p), reverse=True) == pytest.approx([p / sum(kept) for p in kept], abs=1e-6)
    if k == 4:
        assert result[4] == 0  # of equals the first is kept


@pytest.mark.parametrize(
    ("p", "count"), [(1e-9, 1), (0.39, 1), (0.41, 2), (0.69, 2), (0.71, 3), (0.89, 3), (0.91, 4), (0.96, 5), (1.0, 5)]
)
def test_top_p_keeps_the_smallest_set_that_suffices(p: float, count: int) -> None:
    result = narrowed(KNOWN, top_p=p)
    ranked = sorted(KNOWN, reverse=True)[:count]
    assert sum(ranked) >= p - 1e-6
    assert sum(ranked[:-1]) < p
    assert sorted((each for each in result if each), reverse=True) == pytest.approx(
        [each / sum(ranked) for each in ranked], abs=1e-6
    )


def test_what_just_reaches_p_suffices() -> None:
    for p, kept in ((0.25, 1), (0.5, 2), (0.75, 3), (0.76, 4)):
        result = narrow(torch.zeros(1, 4), Sampling(top_p=p))  # four quarters, exactly
        assert int((result > 0).sum()) == kept


def test_top_p_counts_what_top_k_left_and_after_temperature() -> None:
    assert narrowed([0.5, 0.25, 0.25], top_k=2, top_p=0.66) == pytest.approx([1, 0, 0])  # of 2/3 and 1/3
    assert narrowed([0.5, 0.25, 0.25], top_k=2, top_p=0.67) == pytest.approx([2 / 3, 1 / 3, 0])
    assert narrowed([0.6, 0.4], temperature=0.01, top_p=0.7) == [1, 0]


def test_rows_are_narrowed_apart() -> None:
    logs = torch.tensor([KNOWN, KNOWN[::-1]]).log()
    both = narrow(logs, Sampling(top_k=2, temperature=0.7))
    for row, log in zip(both, logs, strict=True):
        assert torch.equal(row, narrow(log[None], Sampling(top_k=2, temperature=0.7))[0])


@pytest.mark.parametrize(
    "how",
    [
        *({"temperature": value} for value in (-1.0, math.inf, math.nan)),
        *({"top_k": value} for value in (0, -3)),
        *({"top_p": value} for value in (0.0, -0.5, 2.0, math.nan)),
        *({"seed": value} for value in (-1, 2**32, 10**30)),
    ],
)
def test_settings_that_cannot_be_are_refused(how: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        Sampling(**how)
    assert str(caught.value).startswith(f"--{next(iter(how)).replace('_', '-')} is ")


@pytest.fixture(scope="module")
def model() -> SequenceModel:
    torch.manual_seed(0)
    config = ModelConfig(hidden_size=12, embedding_size=6, init="torch", dropout=0.5)
    model = SequenceModel(9, config)
    with torch.no_grad():
        model.head.weight *= 8  # opinions
    return model


class Slow:
    """The model through its module's forward."""

    def __init__(self, model: SequenceModel) -> None:
        self.model = model

    def stream(self, batch: int = 1) -> Stream:
        return self.model.stream(batch, backend="stepwise")


def drawn(model: Streaming, length: int, how: Sampling, streams: int = 1, **more: Any) -> list[list[int]]:
    writing = Writing(model, [0, 3], how, streams, **more)
    rows: list[list[int]] = []
    while len(rows) < length:
        rows += writing.take(length - len(rows)).tolist()
    return rows


def test_the_seed_decides(model: SequenceModel) -> None:
    once = drawn(model, 60, Sampling(seed=5))
    assert drawn(model, 60, Sampling(seed=5)) == once
    assert drawn(model, 60, Sampling(seed=6)) != once
    torch.manual_seed(1)  # neither the process's random numbers
    torch.set_num_threads(2)  # nor its threads count
    assert drawn(model, 60, Sampling(seed=5)) == once
    assert torch.get_num_threads() == 2


def test_streams_have_seeds_of_their_own_and_do_not_touch_each_other(model: SequenceModel) -> None:
    alone = [row[0] for row in drawn(model, 40, Sampling(seed=5))]
    side_by_side = list(zip(*drawn(model, 40, Sampling(seed=5), streams=3), strict=True))
    assert list(side_by_side[0]) == alone
    assert len(set(side_by_side)) == 3


@pytest.mark.parametrize("how", [{"temperature": 0.0}, {"top_k": 1}, {"top_p": 1e-9}, {"temperature": 1e-40}])
def test_certainty_is_the_argmax(model: SequenceModel, how: dict[str, Any]) -> None:
    model.eval()
    symbols = [0, 3]
    with torch.no_grad():
        for _ in range(25):
            logits, _ = model(torch.tensor(symbols)[:, None])
            symbols.append(int(logits[-1, 0].argmax()))
    for seed in (0, 1):
        assert [row[0] for row in drawn(model, 25, Sampling(seed=seed, **how))] == symbols[2:]


def test_draws_follow_the_distribution(model: SequenceModel) -> None:
    """10,000 streams that take one step from the same place."""
    model.eval()
    with torch.no_grad():
        logits, _ = model(torch.tensor([[0], [3]]))
    expected = torch.softmax(logits[-1, 0] / 1.5, -1)
    counts = torch.bincount(torch.tensor(drawn(model, 1, Sampling(temperature=1.5), streams=10_000)[0]), minlength=9)
    deviations = (counts - 10_000 * expected) / (10_000 * expected * (1 - expected)).sqrt()
    assert float(deviations.abs().max()) <= 4


def test_some_symbols_are_never_drawn(model: SequenceModel) -> None:
    free = {row[0] for row in drawn(model, 200, Sampling(temperature=3.0))}
    assert {1, 4} <= free
    for how in (Sampling(temperature=3.0), Sampling(temperature=1e38), Sampling(temperature=0.0)):
        assert not {1, 4} & {row[0] for row in drawn(model, 200, how, never=[1, 4])}


def test_dropout_is_off(model: SequenceModel) -> None:
    model.train()
    first = drawn(model, 30, Sampling(temperature=0.0))
    model.train()
    assert drawn(model, 30, Sampling(temperature=0.0)) == first


def test_a_logit_of_minus_infinity_is_never_drawn(model: SequenceModel) -> None:
    def only(index: int) -> Tensor:
        return torch.full((1, 5), -torch.inf).index_fill(1, torch.tensor(index), 0.0)

    for how in ({}, {"temperature": 1e-40}, {"top_k": 3}, {"top_p": 0.9}):
        assert narrow(only(2), Sampling(**how)).tolist() == [[0, 0, 1, 0, 0]]


@pytest.mark.parametrize(
    "how",
    [{}, {"temperature": 0.7, "top_k": 4}, {"top_p": 0.8}, {"temperature": 0.0}, {"temperature": 3.0, "top_k": 3}],
)
def test_the_slow_way_draws_the_same(model: SequenceModel, how: dict[str, Any]) -> None:
    """Both engines take the same random numbers to the same distributions; a step apart could only be rounding's."""
    want = drawn(model, 60, Sampling(seed=4, **how), streams=3, never=[1], end=0)
    assert drawn(Slow(model), 60, Sampling(seed=4, **how), streams=3, never=[1], end=0) == want


def test_slices_change_nothing(model: SequenceModel, monkeypatch: pytest.MonkeyPatch) -> None:
    want = drawn(model, 100, Sampling(seed=2), streams=2)
    monkeypatch.setattr(sampling, "MOST_STEPS", 7)
    assert drawn(model, 100, Sampling(seed=2), streams=2) == want
    writing = Writing(model, [0, 3], Sampling(seed=2), 2)
    assert [row for _ in range(100) for row in writing.take(1).tolist()] == want


def test_a_text_that_closes_leaves_the_others_as_they_were(model: SequenceModel) -> None:
    want = [list(column) for column in zip(*drawn(model, 60, Sampling(seed=3), streams=3), strict=True)]
    writing = Writing(model, [0, 3], Sampling(seed=3), 3)
    found: list[list[int]] = [[], [], []]
    while len(found[2]) < 60:
        numbers = list(writing.open)
        symbols = writing.take(60 - len(found[2]))
        for column, number in enumerate(numbers):
            found[number] += symbols[:, column].tolist()
        for number in {0, 1} & set(writing.open):
            if len(found[number]) >= 10 * (number + 1):
                writing.close(number)
    for number, text in enumerate(found):
        assert text == want[number][: len(text)]
    assert writing.open == [2]


def test_after_its_end_a_text_repeats_it(model: SequenceModel) -> None:
    rows = drawn(model, 120, Sampling(temperature=2.0), streams=4, end=5)
    for column in zip(*rows, strict=True):
        assert 5 in column
        assert set(column[column.index(5) :]) == {5}


def test_a_prime_of_one_symbol_and_of_many(model: SequenceModel) -> None:
    for prime in ([3], [0, 1, 2, 3, 4, 5, 6, 7, 8]):
        model.eval()
        with torch.no_grad():
            logits, _ = model(torch.tensor(prime)[:, None])
        writing = Writing(model, prime, Sampling(temperature=0.0), 2)
        assert writing.take(1).tolist() == [[int(logits[-1, 0].argmax())] * 2]
