"""cuDNN's RNN, LSTM and GRU on an NVIDIA GPU: one layer and direction in one call."""

from collections.abc import Sequence

import torch
from torch import Tensor

from peephole.operands import Call, Operands
from peephole.spec import CellSpec

DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


def refusal(call: Call) -> str | None:
    """Why cuDNN cannot run this call; None when it can."""
    if call.device != "cuda":
        return f"cuDNN runs on CUDA devices, the tensors are on {call.device}"
    if not torch.backends.cudnn.is_available() or not torch.backends.cudnn.enabled:
        return "this torch has cuDNN missing or switched off"
    if call.spec.beyond_torch:
        return f"cuDNN has no {call.spec.beyond_torch}"
    if call.noisy:
        return "cuDNN has no recurrent dropout and no zoneout"
    if call.symbols:
        return "cuDNN wants vectors, not symbols"
    if call.recompute:
        return "cuDNN keeps what it computed"
    if call.dtype not in DTYPES:
        return f"cuDNN has no {str(call.dtype).removeprefix('torch.')} recurrence"
    if call.masked:
        return "cuDNN wants rows sorted by length and knows no resets inside a row"
    if call.empty:
        return "cuDNN refuses an empty batch"
    return None


def _unpacked(operands: Operands) -> tuple[CellSpec, Tensor, Sequence[Tensor], Sequence[Tensor], bool]:
    return operands.spec, operands.x, operands.states, operands.weights, operands.reverse


def _mode(spec: CellSpec) -> int:
    """cuDNN's number of the cell."""
    return {"rnn": int(spec.nonlinearity == "tanh"), "lstm": 2, "gru": 3}[spec.family]


def _flat_weights(spec: CellSpec, weights: Sequence[Tensor], input_size: int, hidden: int, proj: int) -> Tensor:
    """The weights in the one buffer that cuDNN reads; copies, since torch re-points the tensors it flattens."""
    copies = [weight.detach().clone() for weight in weights]
    return torch.ops.aten._cudnn_rnn_flatten_weight(
        copies, len(copies), input_size, _mode(spec), hidden, proj, 1, False, False
    )


def _sizes(spec: CellSpec, states: Sequence[Tensor], weights: Sequence[Tensor]) -> tuple[int, int]:
    """Hidden size and projection (0 when there is none)."""
    hidden = weights[0].shape[0] // len(spec.gates)
    return hidden, states[0].shape[-1] if spec.projected else 0


def forward(operands: Operands, save: bool) -> tuple[Tensor, tuple[Tensor, ...], Tensor]:
    """y `[T, B, H]` (or P), the final states and cuDNN's reserve. The reverse direction runs on the flipped input."""
    spec, x, states, weights, reverse = _unpacked(operands)
    hidden, proj = _sizes(spec, states, weights)
    source = x.flip(0) if reverse else x.contiguous()
    buffer = _flat_weights(spec, weights, x.shape[-1], hidden, proj)
    initial = [state.to(x.dtype)[None].contiguous() for state in states]
    y, h, c, reserve, _ = torch.ops.aten._cudnn_rnn(
        source,
        list(weights),
        len(weights),
        buffer,
        initial[0],
        initial[1] if spec.family == "lstm" else None,
        _mode(spec),
        hidden,
        proj,
        1,
        False,
        0.0,
        save,
        False,
        [],
        None,
    )
    finals = [h, c] if spec.family == "lstm" else [h]
    cast = tuple(final[0].to(state.dtype, copy=True) for final, state in zip(finals, states, strict=True))
    return (y.flip(0) if reverse else y), cast, reserve


def backward(
    operands: Operands, grads: Sequence[Tensor], y: Tensor, finals: Sequence[Tensor], saved: Tensor
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Gradients of x, of each initial state and of each weight."""
    spec, x, states, weights, reverse = _unpacked(operands)
    hidden, proj = _sizes(spec, states, weights)
    initial = [state.to(x.dtype)[None].contiguous() for state in states]
    dfinals = [grad.to(x.dtype)[None].contiguous() for grad in grads[1:]]
    is_lstm = spec.family == "lstm"
    dx, dh, dc, dweights = torch.ops.aten._cudnn_rnn_backward(
        x.flip(0) if reverse else x.contiguous(),
        list(weights),
        len(weights),
        _flat_weights(spec, weights, x.shape[-1], hidden, proj),
        initial[0],
        initial[1] if is_lstm else None,
        y.flip(0) if reverse else y,
        grads[0].flip(0) if reverse else grads[0].contiguous(),
        dfinals[0],
        dfinals[1] if is_lstm else None,
        _mode(spec),
        hidden,
        proj,
        1,
        False,
        0.0,
        True,
        False,
        [],
        None,
        saved,
        [True, True, is_lstm, True],
    )
    dstates = [dh, dc] if is_lstm else [dh]
    return (
        dx.flip(0) if reverse else dx,
        [grad[0].to(state.dtype, copy=True) for grad, state in zip(dstates, states, strict=True)],
        [grad.to(weight.dtype, copy=True) for grad, weight in zip(dweights, weights, strict=True)],
    )
