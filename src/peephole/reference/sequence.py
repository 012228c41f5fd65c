"""The loop over time, with lengths, resets and either direction. It knows no gate."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from peephole.reference import gru, lstm, rnn
from peephole.spec import CellSpec

Step = Callable[[CellSpec, Tensor, tuple[Tensor, ...], dict[str, Tensor]], tuple[Tensor, ...]]
STEPS: dict[str, Step] = {"rnn": rnn.step, "lstm": lstm.step, "gru": gru.step}


def run(
    spec: CellSpec,
    x: Tensor,
    states: Sequence[Tensor],
    weights: Sequence[Tensor],
    lengths: Tensor | None = None,
    resets: Tensor | None = None,
    reverse: bool = False,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run one layer in one direction over a sequence.

    x `[T, B, I]`; states each `[B, ·]`, as `spec.states` names them; weights as `spec.parameter_names()` orders them.
    `lengths` `[B]`: past a row's end outputs are zero and its state is frozen; the reverse direction therefore starts
    at each row's own end. `resets` `[T, B]`: true where a new sequence begins inside the row; no state crosses the
    border between steps t-1 and t. Returns y `[T, B, H]` (or P) and the final states.
    """
    step = STEPS[spec.family]
    named = dict(zip(spec.parameter_names(), weights, strict=True))
    current = tuple(states)
    steps = x.shape[0]
    outputs: list[Tensor] = [x.new_empty(0)] * steps
    for t in reversed(range(steps)) if reverse else range(steps):
        border = t + 1 if reverse else t
        if resets is not None and border < steps:
            current = tuple(state.masked_fill(resets[border, :, None], 0.0) for state in current)
        following = step(spec, x[t], current, named)
        output = following[0]
        if lengths is not None:
            alive = (t < lengths)[:, None]
            following = tuple(torch.where(alive, new, old) for new, old in zip(following, current, strict=True))
            output = torch.where(alive, output, 0.0)
        outputs[t] = output
        current = following
    return torch.stack(outputs), current
