"""Masks of the compiled kernels, bit for bit those of the reference."""

from itertools import product

import pytest
import torch

from peephole._native import instructions, random
from peephole.ops.random import dropout_mask, random_mask, random_words
from peephole.reference import noise

SEEDS = [0, 1, -1, 2**63 - 1, -(2**63), 2**32, 2**32 - 1, -(2**32), 0x0123456789ABCDEF]
# (steps, rows, units): parts of blocks of four and of 128, and one that is worth a team of threads.
SHAPES = [
    *[(2, 3, units) for units in (1, 2, 3, 4, 5, 127, 128, 129, 130)],
    *[(1, 1, 1), (7, 1, 3), (1, 17, 33), (61, 3, 7), (300, 3, 41)],
]
WORD = 2**32


@pytest.mark.parametrize("seed", SEEDS)
def test_words(seed: int, instruction_set: str) -> None:
    given = torch.tensor(seed)
    purposes = product((noise.RECURRENT, noise.WEIGHT, noise.ZONEOUT, noise.ZONEOUT + 9), (0, 1, 5, 2**24 - 1))
    for place, (purpose, layer) in enumerate(purposes):
        shape = SHAPES[(place + SEEDS.index(seed)) % len(SHAPES)]
        torch.set_num_threads(1 + place % 3)
        got, want = random.words(given, purpose, layer, *shape), noise.words(given, purpose, layer, *shape)
        assert got.dtype == want.dtype
        assert torch.equal(got, want), (seed, purpose, layer, shape)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_words_of_every_shape(shape: tuple[int, int, int], instruction_set: str) -> None:
    seed = torch.tensor(-7)
    want = noise.words(seed, 2, 3, *shape)
    assert want.unique().numel() > min(want.numel(), 50) * 0.9  # numbers, and not one number
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        assert torch.equal(random.words(seed, 2, 3, *shape), want)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_masks(dtype: torch.dtype, instruction_set: str) -> None:
    """From never to always, with limits that a word of 32 bits cannot hold and that only one word in 2^32 is below."""
    for place, share in enumerate((0.0, 1.0, 2**-32, 1 - 2**-32, 1e-12, 0.5, 0.3, 1 - 1e-12)):
        shape, seed = SHAPES[place % len(SHAPES)], torch.tensor(SEEDS[place])
        torch.set_num_threads(1 + place % 3)
        words = noise.words(seed, 2, 1, *shape)
        yes, no = torch.tensor([0.7, -0.3], dtype=dtype)
        want = torch.where(words < round(share * WORD), yes, no)
        got = random.pick(seed, 2, 1, *shape, round(share * WORD), 0.7, -0.3, dtype)
        assert got.dtype == dtype
        assert torch.equal(got, want), share
    exact = noise.words(torch.tensor(3), 0, 0, 1, 1, 4)  # a word is not below itself
    limit = int(exact[0, 0, 1])
    picked = random.pick(torch.tensor(3), 0, 0, 1, 1, 4, limit, 1.0, 0.0, dtype)
    assert torch.equal(picked, (exact < limit).to(dtype))
    assert not picked[0, 0, 1]


def test_a_mask_of_many_numbers(instruction_set: str) -> None:
    """Large enough for a team, with a share that can be counted."""
    want = noise.chosen(0.25, torch.tensor(11), 2, 0, 50, 40, 33, torch.float32)
    assert abs(float(want.mean()) - 0.25) < 0.01
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        assert torch.equal(random_mask(torch.tensor(11), 2, 0, 50, 40, 33, 0.25, 1.0, 0.0, torch.float32), want)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.3, 0.5, 0.999])
def test_dropout_masks(rate: float, dtype: torch.dtype, instruction_set: str) -> None:
    for rows, units in ((1, 1), (5, 33), (33, 130)):
        seed = torch.tensor(rows - 3)
        want = noise.dropout_mask(rate, seed, noise.RECURRENT, 4, rows, units, dtype)
        assert torch.equal(dropout_mask(rate, seed, noise.RECURRENT, 4, rows, units, dtype), want)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_other_dtypes_have_the_same_mask(dtype: torch.dtype) -> None:
    wide, low = (random_mask(torch.tensor(5), 2, 0, 3, 5, 7, 0.4, 1.0, 0.0, which) for which in (torch.float32, dtype))
    assert low.dtype == dtype
    assert torch.equal(low.float(), wide)


def test_masks_without_numbers() -> None:
    assert instructions.chosen()
    for shape in ((0, 3, 4), (3, 0, 4), (3, 4, 0)):
        assert random_words(torch.tensor(1), 0, 0, *shape).shape == shape
        assert random_mask(torch.tensor(1), 0, 0, *shape, 0.5, 1.0, 0.0, torch.float32).shape == shape
