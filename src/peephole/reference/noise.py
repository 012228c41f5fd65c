"""Random masks from a counter: the same numbers from (seed, layer, step) on every back end, whatever ran before.

Philox 4×32 with ten rounds (Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3). A number is a function
of its place alone, so that no back end has to agree with another about an order.
"""

from collections.abc import Callable

import torch
from torch import Tensor

MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
WEYL = 0x9E3779B9, 0xBB67AE85
ROUNDS = 10
WORD = 0xFFFFFFFF  # 32 bits, kept in int64

# What a stream of numbers is for.
RECURRENT, WEIGHT, ZONEOUT = 0, 1, 2  # ZONEOUT + k is the zoneout of the k-th state

Words = tuple[Tensor, Tensor, Tensor, Tensor]


def product(multiplier: int, word: Tensor) -> tuple[Tensor, Tensor]:
    """The upper and lower 32 bits of a product of 32-bit words, without a step that overflows 63 bits.

    Compilers may assume that signed numbers never overflow, and what they make of one that does is wrong.
    """
    below = multiplier * (word & 0xFFFF)
    above = multiplier * (word >> 16) + (below >> 16)
    return above >> 16, (above & 0xFFFF) << 16 | below & 0xFFFF


def philox(counter: Words, key: tuple[Tensor, Tensor]) -> Words:
    """Four random words of 32 bits for each counter of four words, all int64 and of shapes that broadcast."""
    a, b, c, d = counter
    k, m = key
    for _ in range(ROUNDS):
        (upper_a, lower_a), (upper_c, lower_c) = product(MULTIPLIERS[0], a), product(MULTIPLIERS[1], c)
        a, b, c, d = upper_c ^ b ^ k, lower_c, upper_a ^ d ^ m, lower_a
        k, m = (k + WEYL[0]) & WORD, (m + WEYL[1]) & WORD
    return a, b, c, d


def words(seed: Tensor, purpose: int, layer: int, steps: int, rows: int, units: int) -> Tensor:
    """Random words of 32 bits as int64 `[steps, rows, units]`.

    The counter is (unit // 4, step, row, purpose and layer), the key the two halves of `seed`, an int64 scalar;
    `layer` counts layers and directions.
    """

    def axis(size: int, *shape: int) -> Tensor:
        return torch.arange(size, device=seed.device).view(shape)

    blocks = (units + 3) // 4
    stream = torch.full((1, 1, 1), purpose << 24 | layer, dtype=torch.int64, device=seed.device)
    counter = axis(blocks, 1, 1, -1), axis(steps, -1, 1, 1), axis(rows, 1, -1, 1), stream
    four = philox(counter, (seed & WORD, (seed >> 32) & WORD))
    together = torch.stack([word.expand(steps, rows, blocks) for word in four], dim=-1)
    return together.flatten(2)[..., :units].contiguous()


def chosen(
    share: float,
    seed: Tensor,
    purpose: int,
    layer: int,
    steps: int,
    rows: int,
    units: int,
    dtype: torch.dtype,
    draw: Callable[..., Tensor] = words,
) -> Tensor:
    """1 with probability `share`, else 0, `[steps, rows, units]`. `draw` gives what `words` does."""
    return (draw(seed, purpose, layer, steps, rows, units) < round(share * 2**32)).to(dtype)


def dropout_mask(
    rate: float,
    seed: Tensor,
    purpose: int,
    layer: int,
    rows: int,
    units: int,
    dtype: torch.dtype,
    draw: Callable[..., Tensor] = words,
) -> Tensor:
    """0 with probability `rate`, else 1 / (1 - rate), `[rows, units]`. `draw` gives what `words` does."""
    return (1 - chosen(rate, seed, purpose, layer, 1, rows, units, dtype, draw)[0]) / (1 - rate)
