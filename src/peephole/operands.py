"""What one call of a layer in one direction is given, and what is known of it beforehand."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from peephole.spec import CellSpec

LOW_PRECISION = (torch.bfloat16, torch.float16)


def state_dtype(dtype: torch.dtype) -> torch.dtype:
    """The dtype of states and pointwise arithmetic for operands of `dtype`."""
    return torch.float32 if dtype in LOW_PRECISION else dtype


@dataclass(frozen=True)
class Call:
    """What a back end needs to know to say yes or no.

    `one`: a single step; `empty`: a batch without rows; `masked`: lengths, or resets inside a row, are given; `noisy`:
    recurrent dropout or zoneout; `recompute`: save states only, compute the rest again for the backward; `symbols`: x
    are whole numbers.
    """

    spec: CellSpec
    device: str
    dtype: torch.dtype
    one: bool = False
    empty: bool = False
    masked: bool = False
    noisy: bool = False
    recompute: bool = False
    symbols: bool = False


@dataclass(frozen=True)
class Operands:
    """The arguments of one layer in one direction.

    x `[T, B, I]`, or int64 `[T, B]`: symbols, each in place of a one-hot vector of size I; states `[B, ·]` as
    `spec.states` names them; weights as `spec.parameter_names()` orders them; `lengths` int64 `[B]`; `resets` bool `[T,
    B]`; `masks` none, or first that of recurrent dropout `[B, H]`, then for each state how much of it zoneout keeps,
    `[T, B, ·]` or broadcasting to it. A mask without elements is none.
    """

    spec: CellSpec
    x: Tensor
    states: Sequence[Tensor]
    weights: Sequence[Tensor]
    lengths: Tensor | None = None
    resets: Tensor | None = None
    masks: Sequence[Tensor] = ()
    reverse: bool = False

    @property
    def symbols(self) -> bool:
        """Whether x are symbols rather than vectors."""
        return not self.x.is_floating_point()

    @property
    def dtype(self) -> torch.dtype:
        """That of the operands of products, and of the output."""
        return self.weights[0].dtype if self.symbols else self.x.dtype

    @property
    def named_weights(self) -> dict[str, Tensor]:
        """The weights by name."""
        return dict(zip(self.spec.parameter_names(), self.weights, strict=True))

    @property
    def borders(self) -> Tensor | None:
        """`resets` within each row's length: past its end a state is frozen."""
        if self.resets is None or self.lengths is None:
            return self.resets
        return self.resets & (torch.arange(self.x.shape[0], device=self.x.device)[:, None] < self.lengths)

    @property
    def recurrent_mask(self) -> Tensor | None:
        """What multiplies h on its way into the recurrent product."""
        return self.masks[0] if self.masks and self.masks[0].numel() else None

    @property
    def zoneout(self) -> list[Tensor | None]:
        """For each state how much of it each step keeps; empty without zoneout."""
        kept = [mask if mask.numel() else None for mask in self.masks[1:]]
        return kept if any(mask is not None for mask in kept) else []


@dataclass(frozen=True, eq=False)
class Selection:
    """Which steps, rows and units of `[T, B, units]` are wanted: ascending int64 indices, or None for all."""

    steps: Tensor | None = None
    rows: Tensor | None = None
    units: Tensor | None = None

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return self.steps is None and self.rows is None and self.units is None

    def of(self, values: Tensor) -> Tensor:
        """What is wanted of `values` `[T, B, units]`; units that it has not are left out."""
        if self.steps is not None:
            values = values[self.steps]
        if self.rows is not None:
            values = values[:, self.rows]
        if self.units is not None:
            values = values[..., self.units[self.units < values.shape[-1]]]
        return values

    def within(self, start: int, stop: int) -> "Selection":
        """The same of a piece of the steps, counted from its first."""
        if self.steps is None:
            return self
        steps = self.steps[(self.steps >= start) & (self.steps < stop)] - start
        return Selection(steps, self.rows, self.units)
