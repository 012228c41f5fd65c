"""The LSTM of oneDNN on the CPU: the whole sequence of one layer and direction in one call."""

from collections.abc import Sequence

import torch
from torch import Tensor

from peephole.operands import Call, Operands
from peephole.spec import CellSpec

LSTM_MODE = 2  # at::native's number for an LSTM
DTYPES = (torch.float32, torch.bfloat16)


def refusal(call: Call) -> str | None:
    """Why oneDNN cannot (or should not) run this call; None when it can."""
    if call.device != "cpu":
        return f"oneDNN runs on the CPU, the tensors are on {call.device}"
    if not torch.backends.mkldnn.is_available() or not torch.backends.mkldnn.enabled:  # pyright: ignore[reportAttributeAccessIssue]
        return "this torch has oneDNN missing or switched off"
    if call.spec.beyond_torch:
        return f"oneDNN has no {call.spec.beyond_torch}"
    if call.spec.family != "lstm":
        return f"torch gives oneDNN the LSTM alone, not the {call.spec.family}"
    if call.noisy:
        return "oneDNN has no recurrent dropout and no zoneout"
    if call.symbols:
        return "oneDNN wants vectors, not symbols"
    if call.recompute:
        return "oneDNN keeps what it computed"
    if call.spec.projected:
        return "oneDNN's LSTM has no projection here"
    if call.dtype not in DTYPES:
        return f"oneDNN has no {str(call.dtype).removeprefix('torch.')} LSTM"
    if call.dtype == torch.bfloat16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return "this processor lacks the instructions for oneDNN's bfloat16"
    if call.masked:
        return "oneDNN's LSTM knows no lengths or resets inside a row"
    if call.one:
        return "oneDNN packs the weights anew on each call, which a single step does not repay"
    if call.empty:
        return "oneDNN refuses an empty batch"
    return None


def _biases(spec: CellSpec, weights: Sequence[Tensor]) -> list[Tensor]:
    if spec.bias:
        return list(weights)
    zero = weights[0].new_zeros(weights[0].shape[0])
    return [*weights, zero, zero]


def forward(operands: Operands, save: bool) -> tuple[Tensor, tuple[Tensor, ...], Tensor]:
    """y `[T, B, H]`, the final states and oneDNN's workspace. In bfloat16 h is rounded, c stays float32."""
    spec, x, weights, (h, c) = operands.spec, operands.x, operands.weights, operands.states
    with torch.set_grad_enabled(save):  # torch asks oneDNN for its workspace in grad mode only
        y, final_h, final_c, workspace = torch.ops.aten.mkldnn_rnn_layer(
            x.contiguous(),
            *(weight.contiguous() for weight in _biases(spec, weights)),
            h.to(x.dtype).contiguous(),
            c.contiguous(),
            operands.reverse,
            [],
            LSTM_MODE,
            h.shape[-1],
            1,
            spec.bias,
            False,
            False,
            save,
        )
    if workspace is None:
        workspace = x.new_empty(0, dtype=torch.uint8)
    return y, (final_h.to(h.dtype), final_c), workspace


def backward(
    operands: Operands, grads: Sequence[Tensor], y: Tensor, finals: Sequence[Tensor], saved: Tensor
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Gradients of x, of each initial state and of each weight."""
    spec, x, weights, (h, c) = operands.spec, operands.x, operands.weights, operands.states
    grad_y, grad_h, grad_c = grads
    dx, dweight_ih, dweight_hh, dbias_ih, dbias_hh, dh, dc = torch.ops.aten.mkldnn_rnn_layer_backward(
        x.contiguous(),
        *(weight.contiguous() for weight in _biases(spec, weights)),
        h.to(x.dtype).contiguous(),
        c.contiguous(),
        y,
        finals[0].to(x.dtype),
        finals[1],
        grad_y.contiguous(),
        grad_h.to(x.dtype).contiguous(),
        grad_c.contiguous(),
        operands.reverse,
        LSTM_MODE,
        h.shape[-1],
        1,
        spec.bias,
        True,
        False,
        [],
        False,
        saved,
    )
    dweights = [dweight_ih, dweight_hh]
    if spec.bias:
        dweights += [dbias_ih, dbias_hh]
    # oneDNN hands both biases one tensor; an operator's outputs may not alias.
    dweights = [grad.clone() if i == 3 else grad for i, grad in enumerate(dweights)]
    cast = [grad.to(weight.dtype) for grad, weight in zip(dweights, weights, strict=True)]
    return dx.to(x.dtype), [dh.to(h.dtype), dc.to(c.dtype)], cast
