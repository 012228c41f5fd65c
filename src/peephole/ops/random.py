"""The operators that draw random words and masks from a counter: compiled on the CPU, else `reference.noise`.

Operators, because a compiler takes minutes over the rounds of every mask of every layer.
"""

from collections.abc import Callable

import numpy
import torch
from torch import Tensor

from peephole._native import random
from peephole._native.instructions import absence
from peephole.reference import noise

_library = torch.library.Library("peephole", "FRAGMENT")


def _compiled(seed: Tensor) -> bool:
    return seed.device.type == "cpu" and not absence()


def _words(seed: Tensor, purpose: int, layer: int, steps: int, rows: int, units: int) -> Tensor:
    draw = random.words if _compiled(seed) else noise.words
    return draw(seed, purpose, layer, steps, rows, units)


def _words_fake(seed: Tensor, purpose: int, layer: int, steps: int, rows: int, units: int) -> Tensor:
    return seed.new_empty(steps, rows, units)


def _mask(
    seed: Tensor,
    purpose: int,
    layer: int,
    steps: int,
    rows: int,
    units: int,
    share: float,
    yes: float,
    no: float,
    dtype: torch.dtype,
) -> Tensor:
    if _compiled(seed) and dtype in (torch.float32, torch.float64):
        return random.pick(seed, purpose, layer, steps, rows, units, round(share * 2**32), yes, no, dtype)
    chosen = noise.chosen(share, seed, purpose, layer, steps, rows, units, torch.bool, _words)
    values = torch.tensor([no, yes], dtype=dtype, device=seed.device)
    return torch.where(chosen, values[1], values[0])


def _mask_fake(
    seed: Tensor,
    purpose: int,
    layer: int,
    steps: int,
    rows: int,
    units: int,
    share: float,
    yes: float,
    no: float,
    dtype: torch.dtype,
) -> Tensor:
    return seed.new_empty(steps, rows, units, dtype=dtype)


_library.define("random_words(Tensor seed, int purpose, int layer, SymInt steps, SymInt rows, SymInt units) -> Tensor")
_library.impl("random_words", _words, "CompositeExplicitAutograd")
torch.library.register_fake("peephole::random_words", _words_fake, lib=_library)
_library.define(
    "random_mask(Tensor seed, int purpose, int layer, SymInt steps, SymInt rows, SymInt units, "
    "float share, float yes, float no, ScalarType dtype) -> Tensor"
)
_library.impl("random_mask", _mask, "CompositeExplicitAutograd")
torch.library.register_fake("peephole::random_mask", _mask_fake, lib=_library)

random_words: Callable[..., Tensor] = torch.ops.peephole.random_words.default
random_mask: Callable[..., Tensor] = torch.ops.peephole.random_mask.default


def dropout_mask(
    rate: float, seed: Tensor, purpose: int, layer: int, rows: int, units: int, dtype: torch.dtype
) -> Tensor:
    """0 with probability `rate`, else 1 / (1 - rate), `[rows, units]`: what `reference.noise.dropout_mask` gives."""
    kept = 1 / (1 - rate) if dtype == torch.float64 else float(numpy.float32(1) / numpy.float32(1 - rate))
    return random_mask(seed, purpose, layer, 1, rows, units, rate, 0.0, kept, dtype)[0]
