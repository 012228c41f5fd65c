"""Random numbers from a counter: Philox as published, numbers that know their place alone, and shares as asked."""

import itertools
import math
import os
import random
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from peephole.reference.noise import RECURRENT, WEIGHT, ZONEOUT, chosen, dropout_mask, philox, words

SEED = torch.tensor(7)

# Random123, tests/kat_vectors: philox4x32 with ten rounds.
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def numbers(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


def by_torch(counter: list[int], key: list[int]) -> list[int]:
    a, b, c, d = map(torch.tensor, counter)
    k, m = map(torch.tensor, key)
    return [int(word) for word in philox((a, b, c, d), (k, m))]


def by_hand(counter: list[int], key: list[int]) -> list[int]:
    """Salmon et al. 2011, section 3.3, in whole numbers of Python."""
    x, k = list(counter), list(key)
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * x[0], 2**32)
        high2, low2 = divmod(0xCD9E8D57 * x[2], 2**32)
        x = [high2 ^ x[1] ^ k[0], low2, high0 ^ x[3] ^ k[1], low0]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return x


@pytest.mark.parametrize(("counter", "key", "want"), KNOWN)
def test_known_answers(counter: str, key: str, want: str) -> None:
    assert by_torch(numbers(counter), numbers(key)) == numbers(want)
    assert by_hand(numbers(counter), numbers(key)) == numbers(want)


def test_random_counters_and_keys() -> None:
    dice = random.Random(0)
    counters = [[dice.getrandbits(32) for _ in range(4)] for _ in range(200)]
    keys = [[dice.getrandbits(32) for _ in range(2)] for _ in range(200)]
    a, b, c, d = torch.tensor(counters).T
    k, m = torch.tensor(keys).T
    got = torch.stack(philox((a, b, c, d), (k, m)), dim=-1)
    want = [by_hand(counter, key) for counter, key in zip(counters, keys, strict=True)]
    assert got.tolist() == want


@pytest.mark.parametrize("seed", [0, 7, 2**32, 2**62 - 1, 2**63 - 1, -1, -(2**63)])
def test_words_are_philox_of_their_place(seed: int) -> None:
    got = words(torch.tensor(seed), 3, 5, 4, 3, 10)
    assert got.shape == (4, 3, 10)
    bits = seed % 2**64
    for step, row, unit in itertools.product(range(4), range(3), range(10)):
        four = by_hand([unit // 4, step, row, 3 * 2**24 + 5], [bits % 2**32, bits // 2**32])
        assert int(got[step, row, unit]) == four[unit % 4]


@pytest.mark.parametrize("sizes", [(1, 1, 1), (3, 2, 5), (9, 4, 8), (2, 7, 3)])
def test_larger_sizes_begin_as_smaller_ones(sizes: tuple[int, int, int]) -> None:
    steps, rows, units = sizes
    whole = words(SEED, ZONEOUT, 1, 9, 7, 13)
    assert torch.equal(words(SEED, ZONEOUT, 1, steps, rows, units), whole[:steps, :rows, :units])
    mask = dropout_mask(0.5, SEED, RECURRENT, 1, 7, 13, torch.float64)
    assert torch.equal(dropout_mask(0.5, SEED, RECURRENT, 1, rows, units, torch.float64), mask[:rows, :units])


def test_what_tells_two_streams_apart() -> None:
    places = [(seed, purpose, layer) for seed in (7, 8, 7 + 2**32) for purpose in (0, 1, 2, 3) for layer in (0, 1, 7)]
    found = [words(torch.tensor(seed), purpose, layer, 3, 3, 12) for seed, purpose, layer in places]
    everything = torch.cat([each.flatten() for each in found])
    assert len(everything.unique()) == len(everything)  # 3,888 words of 32 bits: two alike has a chance of 0.2 %
    assert len({RECURRENT, WEIGHT, ZONEOUT, ZONEOUT + 1}) == 4


def correlation(one: Tensor, two: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([one.flatten(), two.flatten()]))[0, 1])


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_shares_and_independence(share: float) -> None:
    """All bounds are six standard deviations of an ideal generator; the smallest mistakes are far beyond them."""
    steps, rows, units = 100, 40, 52
    noise = chosen(share, SEED, ZONEOUT, 0, steps, rows, units, torch.float64)
    assert set(noise.unique().tolist()) == {0.0, 1.0}
    spread = math.sqrt(share * (1 - share))
    assert abs(float(noise.mean()) - share) <= 6 * spread / math.sqrt(noise.numel())
    for kept in (0, 1, 2):  # each step, row and unit for itself
        others = [axis for axis in (0, 1, 2) if axis != kept]
        means = noise.mean(dim=others)
        assert float((means - share).abs().max()) <= 6 * spread / math.sqrt(noise.numel() / len(means))
    bound = 6 / math.sqrt(noise.numel() / 2)
    for axis, lag in itertools.product((0, 1, 2), (1, 2, 3, 4, 8)):
        size = noise.shape[axis]
        one, two = noise.narrow(axis, 0, size - lag), noise.narrow(axis, lag, size - lag)
        assert abs(correlation(one, two)) <= bound, (axis, lag)
    for seed, purpose, layer in ((8, ZONEOUT, 0), (7, ZONEOUT + 1, 0), (7, ZONEOUT, 1), (7, RECURRENT, 0)):
        other = chosen(share, torch.tensor(seed), purpose, layer, steps, rows, units, torch.float64)
        assert abs(correlation(noise, other)) <= bound, (seed, purpose, layer)


def test_words_are_uniform() -> None:
    found = words(SEED, WEIGHT, 0, 20, 50, 64)
    assert int(found.min()) >= 0
    assert int(found.max()) < 2**32
    for bit in range(32):
        assert abs(float(((found >> bit) & 1).double().mean()) - 0.5) <= 3 / math.sqrt(found.numel()), bit
    counts = torch.histc(found.double(), 64, 0, 2**32)
    expected = found.numel() / 64
    chi = float(((counts - expected).square() / expected).sum())
    assert 63 - 6 * math.sqrt(2 * 63) <= chi <= 63 + 6 * math.sqrt(2 * 63)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_shares_zero_and_one_are_exact(dtype: torch.dtype) -> None:
    assert not chosen(0.0, SEED, ZONEOUT, 0, 50, 40, 50, dtype).any()
    assert bool(chosen(1.0, SEED, ZONEOUT, 0, 50, 40, 50, dtype).all())
    assert torch.equal(dropout_mask(0.0, SEED, RECURRENT, 0, 300, 300, dtype), torch.ones(300, 300, dtype=dtype))
    assert chosen(0.5, SEED, ZONEOUT, 0, 1, 1, 1, dtype).dtype == dtype


def test_a_larger_share_chooses_more_and_drops_nothing() -> None:
    few, many = (chosen(share, SEED, ZONEOUT, 0, 9, 9, 9, torch.float64) for share in (0.3, 0.6))
    assert bool((few <= many).all())
    assert float(few.sum()) < float(many.sum())


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_dropout_keeps_the_mean(rate: float) -> None:
    mask = dropout_mask(rate, SEED, WEIGHT, 0, 300, 300, torch.float64)
    dropped = (mask == 0).double()
    assert abs(float(dropped.mean()) - rate) <= 6 * math.sqrt(rate * (1 - rate)) / 300
    assert float((mask[mask != 0] - 1 / (1 - rate)).abs().max()) <= 1e-15
    assert abs(float(mask.mean()) - 1) <= 6 * math.sqrt(rate / (1 - rate)) / 300
    assert torch.equal(dropped, chosen(rate, SEED, WEIGHT, 0, 1, 300, 300, torch.float64)[0])


COMPILED = """
import torch
from peephole.reference.noise import chosen, dropout_mask, words

def draw(seed):
    zoneout = chosen(0.3, seed, 2, 5, 7, 3, 10, torch.float32)
    return words(seed, 1, 2, 6, 3, 11), zoneout, dropout_mask(0.4, seed, 0, 1, 3, 9, torch.float64)

compiled = torch.compile(draw, fullgraph=True, backend="aot_eager")
for seed in (0, 7, 2**40 + 3, 2**62 - 1, -5):
    for got, want in zip(compiled(torch.tensor(seed)), draw(torch.tensor(seed)), strict=True):
        assert got.dtype == want.dtype
        assert torch.equal(got, want), seed
print("equal")
"""


@pytest.fixture
def alone() -> Callable[[str], str]:
    """`alone(program)`: what it prints in a process of its own, without the checks that break a compiled graph."""

    def run(program: str) -> str:
        environment = os.environ | {"PEEPHOLE_NO_HOOK": "1"}
        result = subprocess.run(
            [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", program],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    return run


def test_compiled_code_draws_the_same_bits(alone: Callable[[str], str]) -> None:
    assert alone(COMPILED) == "equal\n"
