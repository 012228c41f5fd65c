"""What the compiled kernels saved for the backward, read by name: gates and states of every step.

Past a row's end values mean nothing. The layout is the kernels' own (`csrc/sequence.h`): along the walk, for each step
`[unit blocks][slots][B][lanes]`, then what layer norm keeps of each row.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from peephole._native.instructions import chosen, core
from peephole.operands import Operands, Selection, state_dtype


@dataclass(frozen=True, eq=False)
class Saved:
    """A layer's call after its forward: `saved` as the kernels left it, y `[T, B, ·]` and the final states."""

    operands: Operands
    saved: Tensor
    y: Tensor
    finals: tuple[Tensor, ...]

    def gate(self, name: str, wanted: Selection) -> Tensor:
        """The wanted values `[T, B, H]` of a gate or candidate after its activation (none of an RNN is saved)."""
        return self._slot(self.operands.spec.gates.index(name), wanted)

    def hidden(self, wanted: Selection) -> Tensor:
        """h after each step, `[T, B, H]` (or P) in the dtype of the states."""
        return wanted.of(self.y.detach()).to(state_dtype(self.operands.dtype))

    def cell(self, wanted: Selection) -> Tensor:
        """An LSTM's c after each step, `[T, B, H]`."""
        operands = self.operands
        if operands.borders is not None:
            return self._cell_made_again(wanted)
        # The c that the next step began with.
        steps = torch.arange(operands.x.shape[0]) if wanted.steps is None else wanted.steps
        following = steps - 1 if operands.reverse else steps + 1
        last = (following < 0) | (following == operands.x.shape[0])
        following = following.clamp(0, operands.x.shape[0] - 1)
        after = self._slot(len(operands.spec.gates), Selection(following, wanted.rows, wanted.units))
        if bool(last.any()):
            after[last] = Selection(None, wanted.rows, wanted.units).of(self.finals[1].detach()[None]).to(after.dtype)
        return after

    def _cell_made_again(self, wanted: Selection) -> Tensor:
        """c from the gates: where a border follows, the next step began from zero."""
        operands, spec = self.operands, self.operands.spec
        before = self._slot(len(spec.gates), wanted)
        value = {name: self.gate(name, wanted) for name in spec.gates}
        input_gate = value.get("i", torch.ones_like(before))
        forget_gate = value.get("f", 1 - input_gate if spec.coupled else torch.ones_like(before))
        made = forget_gate * before + input_gate * value["g"]
        kept = operands.zoneout[1] if operands.zoneout else None
        if kept is not None:
            share = wanted.of(kept.expand(operands.x.shape[0], operands.x.shape[1], self._hidden).to(made.dtype))
            made = share * before + (1 - share) * made
        return made

    @property
    def _hidden(self) -> int:
        return self.operands.weights[0].shape[0] // len(self.operands.spec.gates)

    def _slot(self, slot: int, wanted: Selection) -> Tensor:
        """What is wanted of a slot, as a new tensor."""
        assert core is not None
        spec, (steps, batch) = self.operands.spec, self.operands.x.shape[:2]
        lanes = core.lanes(chosen(), self.saved.dtype == torch.float64)
        units, width = -(-self._hidden // lanes), self.saved.shape[-1]
        slots = (width - (len(spec.gates) if spec.layer_norm else 0)) // (units * lanes)
        blocks = self.saved.as_strided(
            (steps, batch, units, lanes),
            (batch * width, lanes, slots * batch * lanes, 1),
            self.saved.storage_offset() + slot * batch * lanes,
        )
        walk = wanted.steps
        if self.operands.reverse:
            walk = steps - 1 - (torch.arange(steps) if walk is None else walk)
        blocks = Selection(walk, wanted.rows).of(blocks)
        if wanted.units is not None:
            return blocks[..., wanted.units // lanes, wanted.units % lanes]
        return blocks.reshape(*blocks.shape[:2], units * lanes)[..., : self._hidden]
