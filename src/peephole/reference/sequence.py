"""The loop over time, with lengths, resets, zoneout and either direction. It knows no gate."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from peephole.errors import InputError
from peephole.reference import gru, lstm, rnn
from peephole.reference.passing import Passing, unchanged
from peephole.spec import BUILT_IN, CellSpec

Step = Callable[..., tuple[Tensor, ...]]  # spec, x, states, weights, recurrent mask, and what sees its numbers
STEPS: dict[str, Step] = {"rnn": rnn.step, "lstm": lstm.step, "gru": gru.step}


def run(
    spec: CellSpec,
    x: Tensor,
    states: Sequence[Tensor],
    weights: Sequence[Tensor],
    lengths: Tensor | None = None,
    resets: Tensor | None = None,
    reverse: bool = False,
    recurrent_mask: Tensor | None = None,
    zoneout: Sequence[Tensor | None] = (),
    passing: Callable[[int, str, Tensor], Tensor] | None = None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run one layer in one direction over a sequence.

    x `[T, B, I]`, or int64 `[T, B]` in place of one-hot vectors; states each `[B, ·]`, as `spec.states` names them;
    weights as `spec.parameter_names()` orders them. `lengths` `[B]`: past a row's end outputs are zero and its state is
    frozen; the reverse direction therefore starts at each row's own end. `resets` `[T, B]`: true where a new sequence
    begins inside the row, before its end; no state crosses the border between steps t-1 and t. `recurrent_mask` `[B,
    H]` multiplies h on its way into the recurrent product. `zoneout`, for each state none or how much of it each step
    keeps, `[T, B, ·]` or of a size that broadcasts to it: 0 and 1 while training, a share at evaluation (Krueger et al.
    2017). `passing` sees every step's numbers, (t, name, value), and may put others in their place (`Passing`); a state
    of which zoneout keeps a part it sees after that. Returns y `[T, B, H]` (or P) and the final states.
    """
    step = STEPS[spec.family]
    named = dict(zip(spec.parameter_names(), weights, strict=True))
    kept_shares = [None if kept is None else kept.expand(x.shape[0], -1, -1) for kept in zoneout]
    zoned = {name for name, kept in zip(spec.states, zoneout, strict=False) if kept is not None}
    current = tuple(states)
    steps = x.shape[0]
    if resets is not None and lengths is not None:
        resets = resets & (torch.arange(steps, device=x.device)[:, None] < lengths)
    outputs: list[Tensor] = [x.new_empty(0)] * steps
    for t in reversed(range(steps)) if reverse else range(steps):
        border = t + 1 if reverse else t
        if resets is not None and border < steps:
            current = tuple(state.masked_fill(resets[border, :, None], 0.0) for state in current)
        versions = _versions(current)
        see = unchanged if passing is None else _at_step(passing, t, zoned)
        following = step(spec, x[t], current, named, recurrent_mask, see)
        if spec.family not in BUILT_IN:
            _check_states(spec, following, current, t)
            if _versions(current) != versions:
                raise InputError(
                    f"the cell {spec.family!r} changed a state in place at step {t}; return new tensors instead"
                )
        if kept_shares:
            following = tuple(
                new if kept is None else kept[t] * old + (1 - kept[t]) * new
                for new, old, kept in zip(following, current, kept_shares, strict=True)
            )
        if passing is not None:
            following = tuple(
                passing(t, name, new) if name in zoned else new
                for name, new in zip(spec.states, following, strict=True)
            )
        output = following[0]
        if lengths is not None:
            alive = (t < lengths)[:, None]
            following = tuple(torch.where(alive, new, old) for new, old in zip(following, current, strict=True))
            output = torch.where(alive, output, 0.0)
        outputs[t] = output
        current = following
    return torch.stack(outputs), current


def _at_step(passing: Callable[[int, str, Tensor], Tensor], t: int, zoned: set[str]) -> Passing:
    """What a step at time t shows its numbers to; states that zoneout mixes are shown when it has."""

    def see(name: str, value: Tensor) -> Tensor:
        return value if name in zoned else passing(t, name, value)

    return see


def _versions(states: tuple[Tensor, ...]) -> list[int]:
    """How often each state was written to, which torch counts outside inference mode."""
    return [state._version for state in states if not state.is_inference()]


def _check_states(spec: CellSpec, new: object, old: tuple[Tensor, ...], t: int) -> None:
    """Raise `InputError` where a user's step at time t did not return one tensor per state, of the state's shape."""
    names = ", ".join(spec.states)
    if not isinstance(new, tuple) or len(new) != len(old):
        got = f"{len(new)} values" if isinstance(new, tuple) else f"a {type(new).__name__}"
        raise InputError(
            f"the cell {spec.family!r} returned {got} at step {t}; expected a tuple of its states: {names}"
        )
    for name, state, before in zip(spec.states, new, old, strict=True):
        if isinstance(state, Tensor) and state.shape == before.shape and state.dtype != before.dtype:
            raise InputError(
                f"the cell {spec.family!r} returned state {name} as {state.dtype} at step {t}; expected {before.dtype}"
            )
        if not isinstance(state, Tensor) or state.shape != before.shape:
            got = f"shape {list(state.shape)}" if isinstance(state, Tensor) else f"type {type(state).__name__}"
            raise InputError(
                f"the cell {spec.family!r} returned state {name} with {got} at step {t}; expected {list(before.shape)}"
            )
