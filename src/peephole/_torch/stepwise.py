"""Every plain cell as a loop of torch's own operations, forward and hand-derived backward.

It serves what the libraries lack: GRU and RNN on the CPU, float64, projections, lengths, resets, single steps. The
input product of all steps is one matrix product, so are the weight gradients; a step of the backward is one product
by the recurrent weights and a few pointwise operations whose factors were made for all steps at once.

Operands may be bfloat16 or float16; states and pointwise arithmetic are then float32.

Saved for the backward, per step and side by side in the last axis: the gate activations, what else the cell needs,
and the states after the step.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import linear

from peephole.operands import Call, Operands, state_dtype
from peephole.spec import CellSpec


def refusal(call: Call) -> str | None:
    """Why the loop cannot run this call; None when it can."""
    if call.spec.beyond_torch:
        return f"the loop has no {call.spec.beyond_torch}"
    if call.noisy:
        return "the loop has no recurrent dropout and no zoneout"
    if call.symbols:
        return "the loop wants vectors, not symbols"
    if call.recompute:
        return "the loop keeps what it computed"
    return None if call.dtype.is_floating_point else f"{call.dtype} is not a floating dtype"


def saved_width(spec: CellSpec, hidden_size: int, proj_size: int) -> int:
    """Numbers saved per step and row."""
    blocks = {"rnn": 0, "lstm": 4, "gru": 4}[spec.family]
    return blocks * hidden_size + sum(spec.state_sizes(hidden_size, proj_size))


@dataclass(frozen=True)
class _Walk:
    """The order of the steps, who is alive at each, and whose state is cut before each."""

    order: list[int]
    alive: Tensor | None  # [T, B, 1]
    cut: Tensor | None  # [T, B, 1], true where the state before step t is set to zero
    reverse: bool

    @staticmethod
    def over(operands: Operands) -> "_Walk":
        steps, lengths, resets = operands.x.shape[0], operands.lengths, operands.borders
        order = list(range(steps))
        alive = cut = None
        if lengths is not None:
            alive = (torch.arange(steps, device=lengths.device)[:, None] < lengths)[..., None]
        if resets is not None:
            cut = resets[..., None]
            if operands.reverse:  # the border between t and t + 1 is crossed on the way to step t
                cut = torch.cat([cut[1:], torch.zeros_like(cut[:1])])
        if operands.reverse:
            order.reverse()
        return _Walk(order, alive, cut, operands.reverse)

    def states_before(self, initial: Tensor, states: Tensor) -> Tensor:
        """[T, B, H]: the state that each step started from, from the states after each step."""
        before = torch.cat([states[1:], initial[None]]) if self.reverse else torch.cat([initial[None], states[:-1]])
        return before if self.cut is None else before.masked_fill(self.cut, 0.0)


def forward(operands: Operands, save: bool) -> tuple[Tensor, tuple[Tensor, ...], Tensor]:
    """y `[T, B, H]` (or P) in x's dtype, the final states, and what the backward needs (empty unless `save`)."""
    spec, x, states, named = operands.spec, operands.x, operands.states, operands.named_weights
    walk = _Walk.over(operands)
    dtype = state_dtype(x.dtype)
    batch = x.shape[1]
    bias = named.get("bias_ih")
    if bias is not None and spec.family != "gru":  # the GRU's reset gate weighs bias_hh
        bias = bias + named["bias_hh"]
    z = linear(x, named["weight_ih"], bias).to(dtype)  # [T, B, G·H]
    recurrent = named["weight_hh"].t()
    kept = [z.new_empty(x.shape[0], batch, state.shape[-1]) for state in states]
    current = [state.to(dtype) for state in states]
    extra: Tensor | None = None

    from_state, bias_hh = z, z  # the GRU alone keeps W_hh h + b_hh apart: its reset gate weighs the last third
    if spec.family == "gru":
        from_state = z.new_empty(z.shape)
        bias_hh = named["bias_hh"].to(dtype) if spec.bias else z.new_zeros(z.shape[-1])
        extra = from_state[..., 2 * z.shape[-1] // 3 :]

    for t in walk.order:
        if walk.cut is not None:
            current = [state.masked_fill(walk.cut[t], 0.0) for state in current]
        h, z_t, out = current[0], z[t], [buffer[t] for buffer in kept]
        if spec.family == "gru":
            _product(bias_hh.expand(batch, -1), h, recurrent, from_state[t])
            _gru_step(z_t, from_state[t], h, out[0])
        else:
            _product(z_t, h, recurrent, z_t)
            if spec.family == "lstm":
                _lstm_step(z_t, current[1], named.get("weight_hr"), out)
            else:
                _rnn_step(spec, z_t, out[0])
        if walk.alive is not None:
            for new, old in zip(out, current, strict=True):
                torch.where(walk.alive[t], new, old, out=new)
        current = out

    y = kept[0].to(x.dtype, copy=True)
    if walk.alive is not None:
        y.masked_fill_(~walk.alive, 0.0)
    finals = tuple(state.to(given.dtype, copy=True) for state, given in zip(current, states, strict=True))
    if not save:
        return y, finals, z.new_empty(0)
    pieces = [*([] if spec.family == "rnn" else [z]), *([] if extra is None else [extra]), *kept]
    return y, finals, torch.cat(pieces, dim=-1)


def _product(start: Tensor, h: Tensor, recurrent: Tensor, out: Tensor) -> None:
    """out = start + h · recurrent, with the operands in the dtype of `recurrent`."""
    if h.dtype == recurrent.dtype:
        torch.addmm(start, h, recurrent, out=out)
    else:
        torch.add(start, torch.mm(h.to(recurrent.dtype), recurrent), out=out)


def _rnn_step(spec: CellSpec, z: Tensor, h_out: Tensor) -> None:
    if spec.nonlinearity == "tanh":
        torch.tanh(z, out=h_out)
    else:
        torch.clamp_min(z, 0.0, out=h_out)


def _lstm_step(z: Tensor, c: Tensor, projection: Tensor | None, out: list[Tensor]) -> None:
    hidden = c.shape[-1]
    input_gate, forget_gate, candidate, output_gate = z.split(hidden, dim=-1)
    z[:, : 2 * hidden].sigmoid_()
    candidate.tanh_()
    output_gate.sigmoid_()
    h_out, c_out = out
    torch.mul(forget_gate, c, out=c_out).addcmul_(input_gate, candidate)
    if projection is None:
        torch.mul(output_gate, torch.tanh(c_out), out=h_out)
    else:
        h_out.copy_((output_gate * torch.tanh(c_out)).to(projection.dtype) @ projection.t())


def _gru_step(z: Tensor, from_state: Tensor, h: Tensor, h_out: Tensor) -> None:
    hidden = h.shape[-1]
    gates, candidate = z[:, : 2 * hidden], z[:, 2 * hidden :]
    gates.add_(from_state[:, : 2 * hidden]).sigmoid_()
    candidate.addcmul_(gates[:, :hidden], from_state[:, 2 * hidden :]).tanh_()
    torch.lerp(candidate, h, gates[:, hidden:], out=h_out)


def backward(
    operands: Operands, grads: Sequence[Tensor], y: Tensor, finals: Sequence[Tensor], saved: Tensor
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Gradients of x, of each initial state and of each weight."""
    spec, x, states, named = operands.spec, operands.x, operands.states, operands.named_weights
    walk = _Walk.over(operands)
    derive = {"rnn": _rnn_backward, "lstm": _lstm_backward, "gru": _gru_backward}[spec.family]
    dtype = state_dtype(x.dtype)
    dy = grads[0].to(dtype)
    if walk.alive is not None:
        dy = dy.masked_fill(~walk.alive, 0.0)
    wide = [state.to(dtype) for state in states]
    tape = _Tape(spec, walk, dy, [grad.to(dtype) for grad in grads[1:]], wide, named, saved)
    dstates, dz_input, dz_state, dprojection = derive(tape)
    operand = x.dtype
    h_before = walk.states_before(wide[0], tape.states_after()[0]).to(operand)
    rows_input, rows_state = dz_input.flatten(0, 1).to(operand), dz_state.flatten(0, 1).to(operand)  # [T·B, G·H]
    dx = (rows_input @ named["weight_ih"]).view(x.shape)
    dweights = {
        "weight_ih": rows_input.t() @ x.flatten(0, 1),
        "weight_hh": rows_state.t() @ h_before.flatten(0, 1),
    }
    if spec.bias:
        dweights["bias_ih"] = dz_input.sum((0, 1))
        dweights["bias_hh"] = dz_state.sum((0, 1))
    if dprojection is not None:
        dweights["weight_hr"] = dprojection
    return (
        dx,
        [grad.to(state.dtype) for grad, state in zip(dstates, states, strict=True)],
        [dweights[name].to(named[name].dtype) for name in named],
    )


@dataclass(frozen=True)
class _Tape:
    """What the backward of a cell reads: upstream gradients, initial states, weights, and what the forward saved."""

    spec: CellSpec
    walk: _Walk
    dy: Tensor  # [T, B, H]
    dfinals: list[Tensor]
    states: list[Tensor]
    named: dict[str, Tensor]
    saved: Tensor

    def states_after(self) -> list[Tensor]:
        """Each state after each step, `[T, B, ·]`."""
        sizes = [state.shape[-1] for state in self.states]
        return list(self.saved[..., self.saved.shape[-1] - sum(sizes) :].split(sizes, dim=-1))


def _freeze(walk: _Walk, t: int, new: Tensor, old: Tensor) -> Tensor:
    """The gradient of the state before step t: a row past its end hands on what it got, a cut row gets none."""
    if walk.alive is not None:
        new = torch.where(walk.alive[t], new, old)
    return new if walk.cut is None else new.masked_fill(walk.cut[t], 0.0)


_Derived = tuple[list[Tensor], Tensor, Tensor, Tensor | None]


def _rnn_backward(tape: _Tape) -> _Derived:
    walk, saved = tape.walk, tape.saved
    slope = 1 - saved.square() if tape.spec.nonlinearity == "tanh" else (saved > 0).to(saved.dtype)
    if walk.alive is not None:
        slope = slope * walk.alive
    dz = torch.empty_like(slope)
    recurrent, (dh,) = tape.named["weight_hh"], tape.dfinals
    for t in reversed(walk.order):
        total = dh + tape.dy[t]
        torch.mul(total, slope[t], out=dz[t])
        dh = _freeze(walk, t, _back(dz[t], recurrent), total)
    return [dh], dz, dz, None


def _lstm_backward(tape: _Tape) -> _Derived:
    walk, saved = tape.walk, tape.saved
    steps, batch, hidden = saved.shape[0], saved.shape[1], tape.states[1].shape[-1]
    i, f, g, o = saved[..., : 4 * hidden].split(hidden, dim=-1)
    c = tape.states_after()[1]
    c_before = walk.states_before(tape.states[1], c)
    squashed = torch.tanh(c)
    # dz of a gate = (dc or dh) times what multiplies the gate, times the gate's slope
    factors = torch.stack([g * i * (1 - i), c_before * f * (1 - f), i * (1 - g * g)], dim=2)  # [T, B, 3, H], times dc
    factor_o = squashed * o * (1 - o)  # times dh
    carousel = o * (1 - squashed * squashed)  # from dh to dc
    if walk.alive is not None:
        factors, factor_o = factors * walk.alive[..., None], factor_o * walk.alive
    dz = saved.new_empty(steps, batch, 4, hidden)
    recurrent, projection = tape.named["weight_hh"], tape.named.get("weight_hr")
    doutput = torch.empty_like(tape.dy) if projection is not None else None
    dh, dc = tape.dfinals
    for t in reversed(walk.order):
        dh_total = dh + tape.dy[t]
        dh_hidden = dh_total
        if projection is not None and doutput is not None:
            doutput[t] = dh_total
            dh_hidden = _back(dh_total, projection)
        dc_total = torch.addcmul(dc, dh_hidden, carousel[t])
        torch.mul(dc_total[:, None], factors[t], out=dz[t, :, :3])
        torch.mul(dh_hidden, factor_o[t], out=dz[t, :, 3])
        dh = _freeze(walk, t, _back(dz[t].flatten(1), recurrent), dh_total)
        dc = _freeze(walk, t, dc_total * f[t], dc)
    flat = dz.flatten(2)
    if projection is None or doutput is None:
        return [dh, dc], flat, flat, None
    if walk.alive is not None:
        doutput = doutput * walk.alive
    outer = doutput.flatten(0, 1).t() @ (o * squashed).flatten(0, 1)
    return [dh, dc], flat, flat, outer


def _gru_backward(tape: _Tape) -> _Derived:
    walk, saved = tape.walk, tape.saved
    hidden = tape.states[0].shape[-1]
    r, z, n, from_state, h = saved.split(hidden, dim=-1)
    h_before = walk.states_before(tape.states[0], h)
    factor_n = (1 - z) * (1 - n * n)  # from dh to the candidate's pre-activation
    factor_r = factor_n * from_state * r * (1 - r)
    factor_z = (h_before - n) * z * (1 - z)
    factors = torch.stack([factor_r, factor_z, factor_n * r], dim=2)  # [T, B, 3, H], rows of W_hh
    if walk.alive is not None:
        factors, factor_n = factors * walk.alive[..., None], factor_n * walk.alive
    dz_state = torch.empty_like(factors)
    dz_candidate = torch.empty_like(factor_n)
    recurrent, (dh,) = tape.named["weight_hh"], tape.dfinals
    for t in reversed(walk.order):
        total = dh + tape.dy[t]
        torch.mul(total[:, None], factors[t], out=dz_state[t])
        torch.mul(total, factor_n[t], out=dz_candidate[t])
        dh = _freeze(walk, t, _back(dz_state[t].flatten(1), recurrent).addcmul_(total, z[t]), total)
    dz_input = torch.cat([dz_state[:, :, :2].flatten(2), dz_candidate], dim=-1)
    return [dh], dz_input, dz_state.flatten(2), None


def _back(dz: Tensor, weight: Tensor) -> Tensor:
    """dz · weight with operands in the weight's dtype, in the dtype of dz."""
    return (dz.to(weight.dtype) @ weight).to(dz.dtype)
