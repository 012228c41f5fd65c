"""Noise inside the recurrence while training: variational recurrent dropout, zoneout, weight drop."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn.functional import dropout

from peephole.errors import InputError
from peephole.ops import dropout_mask, random_mask
from peephole.reference import noise
from peephole.spec import BUILT_IN, CellSpec


@dataclass(frozen=True)
class Noise:
    """How much of what is random, each a probability; all are 0 by default.

    `recurrent_dropout`: of each unit of h, on its way into the recurrent product and nowhere else, to be zero for the
    whole sequence (Gal & Ghahramani 2016). `zoneout`, `zoneout_cell`: of each unit of h and of c to keep its old value
    at a step; at evaluation the state is mixed in that share instead (Krueger et al. 2017). `weight_drop`: of each
    recurrent weight to be zero for the whole batch (Merity, Keskar & Socher 2018).
    """

    recurrent_dropout: float = 0.0
    zoneout: float = 0.0
    zoneout_cell: float = 0.0
    weight_drop: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value, top = getattr(self, field.name), "1" if field.name.startswith("zoneout") else "below 1"
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise InputError(f"{field.name} is {value!r}; expected a probability from 0 to {top}")
            if not 0.0 <= value <= 1.0 or (value == 1.0 and top != "1"):
                raise InputError(f"{field.name} is {value}; expected a probability from 0 to {top}")

    def check(self, spec: CellSpec) -> None:
        """Raise `InputError` for noise that `spec` has no place for."""
        if self.zoneout_cell and "c" not in spec.states:
            raise InputError(f"zoneout_cell={self.zoneout_cell} keeps the cell state, and a {spec.family} has none")
        if self.zoneout and "h" not in spec.states:
            raise InputError(f"zoneout={self.zoneout} keeps the state h, and a {spec.family} has none")
        if self.recurrent_dropout and spec.family not in BUILT_IN:
            raise InputError(
                f"recurrent_dropout needs the cell's own recurrent product; drop inside the step of {spec.family!r}"
            )
        for name in ("recurrent_dropout", "weight_drop"):
            if getattr(self, name) and "weight_hh" not in spec.parameter_names():
                raise InputError(f"{name} drops from the recurrent product, and residual='input' has none")

    @property
    def shares(self) -> dict[str, float]:
        """Zoneout's probability by the state that it keeps."""
        return {"h": self.zoneout, "c": self.zoneout_cell}

    @property
    def any(self) -> bool:
        """Whether there is noise at all."""
        return any(getattr(self, field.name) for field in fields(self))

    def in_steps(self, training: bool) -> bool:
        """Whether steps, rather than weights, are computed otherwise than without noise."""
        return bool(self.zoneout or self.zoneout_cell or (training and self.recurrent_dropout))

    def masks(
        self, spec: CellSpec, states: Sequence[Tensor], steps: int, layer: int, seed: Tensor | None
    ) -> list[Tensor]:
        """`Operands.masks` of one layer and direction, number `layer`; without a `seed` those of evaluation.

        States `[B, ·]` give sizes, device and dtype.
        """
        if not self.in_steps(seed is not None):
            return []
        nothing = states[0].new_empty(0)
        masks = [nothing]
        if seed is not None and self.recurrent_dropout:
            batch, units = states[0].shape
            rate, dtype = self.recurrent_dropout, states[0].dtype
            masks = [dropout_mask(rate, seed, noise.RECURRENT, layer, batch, units, dtype)]
        for number, (name, state) in enumerate(zip(spec.states, states, strict=True)):
            share = self.shares.get(name, 0.0)
            if not share:
                masks.append(nothing)
            elif seed is None:
                masks.append(state.new_full((1, 1, 1), share))
            else:
                purpose = noise.ZONEOUT + number
                batch, units = state.shape
                kept = random_mask(seed, purpose, layer, steps, batch, units, share, 1.0, 0.0, state.dtype)
                masks.append(kept)
        return masks

    def dropped(self, weight: Tensor, layer: int, seed: Tensor | None) -> Tensor:
        """The recurrent weights of one layer and direction with some of them zero, the others scaled up to make up."""
        if seed is None or not self.weight_drop:
            return weight
        rows, columns = weight.shape
        rate, dtype = self.weight_drop, weight.dtype
        return weight * dropout_mask(rate, seed, noise.WEIGHT, layer, rows, columns, dtype)


def dropped_between(x: Tensor, rate: float, training: bool, locked: bool) -> Tensor:
    """What comes between two layers, `[T, B, ·]`, with a share `rate` of its numbers zero, the others scaled up.

    `locked`: the same numbers at all steps, a variational dropout (Gal & Ghahramani 2016); else others at each step.
    """
    if not training or not rate:
        return x
    if not locked:
        return dropout(x, rate, True)
    return x * dropout(torch.ones_like(x[:1]), rate, True)


def noise_seed(seed: int | Tensor | None, device: torch.device) -> Tensor:
    """The seed as an int64 scalar on `device`; without one, drawn from torch's generator."""
    if seed is None:
        return torch.randint(2**62, ()).to(device)
    if isinstance(seed, Tensor):
        if seed.dtype != torch.int64 or seed.dim():
            raise InputError(f"seed is {seed.dtype} {list(seed.shape)}; expected an int64 scalar")
        return seed.to(device)
    if isinstance(seed, bool) or not isinstance(seed, int) or not -(2**63) <= seed < 2**63:
        raise InputError(f"seed is {seed!r}; expected a whole number of 64 bits")
    return torch.tensor(seed, device=device)
