"""Drawing inside the decoder: from which distribution, with which random numbers, and that no neighbour has a say."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from peephole.generate.config import Sampling
from peephole.generate.sampling import narrow
from peephole.reference.noise import WORD, philox
from peephole.streams.stream import Stream

from .nets import fixed_distribution, language_model

KNOWN = torch.tensor([0.4, 0.05, 0.3, 0.2, 0.05]).log()


def uniform(seed: int, numbers: Tensor, drawn: int) -> Tensor:
    """What the random number `drawn` of each (seed, number) is: 53 bits of Philox."""
    counter = torch.tensor(drawn & WORD), torch.tensor(drawn >> 32), numbers & WORD, numbers >> 32 & WORD | 0x80000000
    words = philox(counter, (torch.tensor(seed & WORD), torch.tensor(seed >> 32 & WORD)))
    return (words[0] << 21 ^ words[1] >> 11).double() * 2.0**-53


def first_draws(logits: Tensor, count: int, seed: int = 3, **how: Any) -> Tensor:
    """The first symbol of each of `count` streams."""
    stream = fixed_distribution(logits).stream(count)
    stream.seed(seed)
    return stream.draw(torch.zeros(count, dtype=torch.int64), 1, **how)[0]


@pytest.mark.parametrize("seed", [0, 5, 2**32 + 1, 2**63 - 1])
def test_the_random_numbers_are_philoxs(seed: int, instruction_set: str) -> None:
    """Of 4096 equal symbols the number of the one that is drawn is the first 12 bits of the random number."""
    snapshot = fixed_distribution(torch.zeros(4096))
    numbers = torch.tensor([0, 1, 77, 2**32 - 1, 2**32, 2**62 + 5, -1])
    native = snapshot.stream(len(numbers))
    native.seed(seed, numbers)
    drawn = native.draw(torch.zeros(len(numbers), dtype=torch.int64), 9)
    stepwise = language_model().stream(len(numbers), backend="stepwise")
    stepwise.seed(seed, numbers)
    for step in range(9):
        want = uniform(seed, numbers, step)
        assert torch.equal(drawn[step], (want * 4096).long())
        assert torch.equal(stepwise.uniform(), want)
    assert native._engine.read_generators(native.ids).tolist() == [[seed, int(number), 9] for number in numbers]


def test_beyond_four_billion_draws() -> None:
    snapshot = fixed_distribution(torch.zeros(4096))
    stream, number = snapshot.stream(1), torch.tensor([6])
    for drawn in (2**32 - 2, 2**40):
        stream._engine.seed(stream.ids, 8, number, torch.tensor([drawn]))
        got = stream.draw(torch.tensor([0]), 4)[:, 0]
        assert got.tolist() == [int(uniform(8, number, drawn + step) * 4096) for step in range(4)]


@pytest.mark.parametrize("temperature", [0.3, 1.0, 1.5])
@pytest.mark.parametrize("more", [{}, {"top_k": 3}, {"top_p": 0.8}])
def test_draws_follow_the_distribution(temperature: float, more: dict[str, Any]) -> None:
    """20,000 streams that take one step from the same place."""
    count, how = 20_000, Sampling(temperature=temperature, **more)
    expected = narrow(KNOWN[None], how)[0].double()
    counts = torch.bincount(first_draws(KNOWN, count, temperature=temperature, **more), minlength=5)
    assert bool((counts[expected == 0] == 0).all())
    kept = expected > 0
    spread = (count * expected[kept] * (1 - expected[kept])).sqrt().clamp_min(1e-9)
    assert float(((counts[kept] - count * expected[kept]) / spread).abs().max()) <= 4


@pytest.mark.parametrize(
    "how",
    [
        *({"temperature": value} for value in (0.0, 1e-40, 0.05, 0.5, 1.0, 3.0, 1e38)),
        *({"top_k": value} for value in (1, 2, 7, 39, 40, 999)),
        *({"top_p": value} for value in (1e-9, 0.3, 0.7, 0.999, 1.0)),
        {"top_k": 10, "top_p": 0.5},
        {"temperature": 0.7, "top_k": 20, "top_p": 0.9},
        {"temperature": 2.0, "top_p": 0.4},
    ],
)
@pytest.mark.parametrize("never", [[], [3, 17, 3]])
def test_which_symbols_the_random_numbers_choose(how: dict[str, Any], never: list[int], instruction_set: str) -> None:
    """The symbol at whose place in the sums of the narrowed distribution the random number stands."""
    count, seed = 3000, 11
    logits = torch.randn(40, generator=torch.Generator().manual_seed(4)) * 2
    logits[17] = logits[5] = logits.max()  # equals, of which the first is kept
    drawn = first_draws(logits, count, seed, never=never, **how)
    logs = torch.log_softmax(logits, -1)[None].clone()
    logs[:, never] = -torch.inf
    probabilities = narrow(logs, Sampling(**how))[0].double()
    assert bool((probabilities[drawn] > 0).all())
    sums = probabilities.cumsum(-1)
    places = uniform(seed, torch.arange(count), 0) * sums[-1]
    want = torch.searchsorted(sums, places, right=True)
    close = (places[:, None] - sums).abs().amin(-1) <= 1e-6  # where rounding decides
    assert int(close.sum()) <= 5
    assert torch.equal(drawn[~close], want[~close])


def test_what_cannot_be_is_never_drawn() -> None:
    for how in (
        {"temperature": 1e38},
        {"temperature": 3.0},
        {"top_k": 4},
        {"temperature": 0.0},
        {"temperature": 1e-320},
    ):
        symbols = first_draws(KNOWN, 500, never=[0, 2], **how)
        assert not {0, 2} & set(symbols.tolist())
    far = torch.tensor([-3e38, 0.0, -2e3, 3e38])
    for how in ({}, {"temperature": 1e-40}, {"top_k": 3}, {"top_p": 0.9}, {"temperature": 1e30}):
        assert set(first_draws(far, 100, **how).tolist()) == {3}
    assert set(first_draws(KNOWN, 100, never=[0, 1, 2, 3], temperature=7.0).tolist()) == {4}


# --- one stream after another ---


def text(stream: Stream, number: int, steps: int, **how: Any) -> list[int]:
    """Joined, drawn alone, and left."""
    (one,) = stream.join().tolist()
    stream.seed(9, [number], [one])
    drawn = stream.draw(torch.tensor([number % 9]), steps, [one], **how)[:, 0].tolist()
    stream.leave([one])
    return drawn


@pytest.mark.parametrize("storage", ["float32", "bfloat16", "int8"])
def test_no_neighbour_thread_or_slice_has_a_say(storage: str, instruction_set: str) -> None:
    """300 texts side by side, in two calls, of which some are left and others joined in between."""
    snapshot = language_model(layers=2).snapshot(storage)
    how = {"temperature": 0.8, "top_k": 6, "top_p": 0.95}
    alone = {number: text(snapshot.stream(0, threads=1), number, 40, **how) for number in (0, 1, 5, 150, 299)}
    stream = snapshot.stream(300, threads=3)
    stream.seed(9)
    numbers = torch.arange(300)
    first = stream.draw(numbers % 9, 15, **how)
    stream.leave([7, 8, 298])
    stream.join(2)
    kept = [int(number) for number in numbers if number not in (7, 8, 298)]
    second = stream.draw(first[-1, kept], 25, kept, **how)
    both = torch.cat([first[:, kept], second])
    for number, want in alone.items():
        assert both[:, kept.index(number)].tolist() == want
    assert len({tuple(column) for column in both.t().tolist()}) >= 290


@pytest.mark.parametrize("vocabulary", [9, 600])
def test_what_is_drawn_is_fed(vocabulary: int, instruction_set: str) -> None:
    """By hand: step, narrow, choose. The states are those of what was read."""
    model = language_model(vocabulary, 2)
    stream, by_hand = model.stream(3), model.stream(3)
    stream.seed(1)
    drawn = stream.draw(torch.tensor([1, 2, 3]), 12, temperature=0.9)
    fed = torch.cat([torch.tensor([[1, 2, 3]]), drawn[:-1]])
    logs = by_hand.read(fed)
    assert torch.equal(by_hand.states(), stream.states())
    for step, row in enumerate(logs):
        sums = narrow(row, Sampling(temperature=0.9)).double().cumsum(-1)
        places = uniform(1, torch.arange(3), step)[:, None] * sums[:, -1:]
        assert torch.equal(torch.searchsorted(sums, places, right=True)[:, 0], drawn[step])


def test_the_coldest_takes_the_likeliest_and_no_random_number() -> None:
    model = language_model(layers=2)
    stream, by_hand = model.stream(2), model.stream(2)
    stream.seed(1)
    symbols = torch.tensor([1, 2])
    drawn = stream.draw(symbols, 15, temperature=0.0)
    for step in range(15):
        symbols = by_hand.step(symbols).argmax(-1)
        assert torch.equal(drawn[step], symbols)
    assert stream._engine.read_generators(stream.ids)[:, 2].tolist() == [0, 0]
    assert torch.equal(drawn, model.stream(2).draw(torch.tensor([1, 2]), 15, top_k=1))


def test_after_its_end_a_text_repeats_it_and_draws_no_more() -> None:
    model = language_model()
    stream, free = model.stream(20), model.stream(20)
    for one in (stream, free):
        one.seed(2)
    begin = torch.full((20,), 4)  # to begin with the end is no end
    drawn, without = stream.draw(begin, 30, end=4), free.draw(begin, 30)
    counts = stream._engine.read_generators(stream.ids)[:, 2]
    lengths: list[int] = []
    for row in range(20):
        column = without[:, row].tolist()
        length = column.index(4) + 1 if 4 in column else 30
        lengths.append(length)
        assert drawn[:length, row].tolist() == column[:length]
        assert set(drawn[length:, row].tolist()) <= {4}
    assert counts.tolist() == lengths
    assert min(lengths) < 10 < max(lengths)


def test_copies_and_new_seeds() -> None:
    stream = language_model().stream(4)
    stream.seed(5, [7, 7, 7, 8])
    begin = torch.full((4,), 3)
    first = stream.draw(begin, 20)
    assert torch.equal(first[:, 0], first[:, 1])
    assert not torch.equal(first[:, 0], first[:, 3])
    stream.copy([3], [0])
    again = stream.draw(first[-1, [3, 1, 2, 3]].contiguous(), 20)
    assert torch.equal(again[:, 0], again[:, 3])
    stream.reset()
    stream.seed(5, [7, 7, 7, 8])
    assert torch.equal(stream.draw(begin, 20), first)
    assert math.isfinite(float(stream.states().sum()))
