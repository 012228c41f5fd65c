"""Who steps in a case: ours with each kind of weights, and for each peer a refusal with its reason, and a builder."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from peephole._native import decoding
from peephole.bench.peers import SPINNING_SECONDS
from peephole.bench.results import OURS
from peephole.bench.stream_cases import CELLS_COMPARED, StreamCase
from peephole.bench.stream_setup import Stepper, StreamSetup, make_setup
from peephole.errors import InputError
from peephole.nn.exchange import to_torch
from peephole.spec import CellSpec

PRODUCT_SIZE = 1024  # rows, depth and columns: as fast as the machine multiplies, and over within a turn


@dataclass(frozen=True)
class StreamPeer:
    """Takes part in `parts`; `refusal` gives the reason why it cannot, or None; `build` makes the contestant."""

    name: str
    parts: tuple[str, ...]
    refusal: Callable[[], str | None]
    build: Callable[[StreamSetup], Stepper]


def ours(setup: StreamSetup, name: str = OURS, weights: str = "float32") -> Stepper:
    """Our streams."""
    stream = setup.layer.stream(setup.case.streams, weights=weights)
    return Stepper(name, stream.step, setup, setup.flops, weights)


def invite(case: StreamCase, peers: tuple[str, ...]) -> tuple[list[Stepper], dict[str, str]]:
    """Ours and the peers that can take part, from the zero state, and the reasons of the others."""
    if case.part == "cells":
        return [ours(make_setup(case, cell), cell) for cell in CELLS_COMPARED], {}
    setup = make_setup(case)
    steppers, refused = [ours(setup)], {}
    for peer in (PEERS[name] for name in peers):
        if case.part in peer.parts:
            reason = peer.refusal()
            if reason is None:
                steppers.append(peer.build(setup))
            else:
                refused[peer.name] = reason
    return steppers, refused


def check_peers(peers: tuple[str, ...]) -> None:
    """Raise `InputError` for peers that nobody knows."""
    for name in peers:
        if name not in PEERS:
            raise InputError(f"unknown peer {name!r}; choose from {', '.join(PEERS)}")


# --- peers ---


def _smaller(weights: str) -> StreamPeer:
    name = f"{OURS} {weights}"
    return StreamPeer(name, ("step",), _no_decoder, lambda setup: ours(setup, name, weights))


def _no_decoder() -> str | None:
    reason = decoding.refusal(CellSpec("lstm"))
    return reason and f"smaller weights need the compiled decoder: {reason}"


def _torch(setup: StreamSetup) -> Stepper:
    module = to_torch(setup.layer)
    states: tuple[Tensor, Tensor] | None = None

    def step(x: Tensor) -> Tensor:
        nonlocal states
        output, states = module(x, states)
        return output

    return Stepper("torch.nn", step, setup, setup.flops, given=lambda x: x[None], taken=lambda output: output[0])


def _cells(setup: StreamSetup) -> Stepper:
    """A loop over the layers, one of torch's cells each."""
    size = setup.case.size
    cells = [nn.LSTMCell(size.hidden_size, size.hidden_size) for _ in range(size.layers)]
    for cell, weights in zip(cells, setup.layer.named_layers(), strict=True):
        cell.load_state_dict(weights)
    states: list[tuple[Tensor, Tensor] | None] = [None] * size.layers

    def step(x: Tensor) -> Tensor:
        for index, cell in enumerate(cells):
            states[index] = h, _ = cell(x, states[index])
            x = h
        return x

    return Stepper("LSTMCell", step, setup, setup.flops)


def _no_onnx() -> str | None:
    try:
        from peephole.bench import onnx_steps  # noqa: F401
    except ImportError as error:
        return f"{error.name} is not installed; pip install 'peephole[onnx]' brings it"
    return None


def _onnx(setup: StreamSetup, name: str = "onnxruntime", weights: str = "float32") -> Stepper:
    from peephole.bench.onnx_steps import OnnxSteps, build_step, quantised

    model = build_step(setup.layer, setup.case.streams)
    steps = OnnxSteps(model if weights == "float32" else quantised(model), setup.case.threads)
    return Stepper(
        name,
        steps.step,
        setup,
        setup.flops,
        weights,
        given=Tensor.numpy,
        taken=torch.from_numpy,
        pause=SPINNING_SECONDS,
    )


def _product(setup: StreamSetup) -> Stepper:
    """One large matrix product, which no recurrence can have: how fast the machine multiplies."""
    left, right = (torch.randn(PRODUCT_SIZE, PRODUCT_SIZE) for _ in range(2))
    return Stepper("product", lambda x: left @ right, setup, 2 * PRODUCT_SIZE**3, compared=False)


PEERS: dict[str, StreamPeer] = {
    "bfloat16": _smaller("bfloat16"),
    "int8": _smaller("int8"),
    "torch": StreamPeer("torch.nn", ("step", "many"), lambda: None, _torch),
    "cells": StreamPeer("LSTMCell", ("step",), lambda: None, _cells),
    "onnxruntime": StreamPeer("onnxruntime", ("step",), _no_onnx, _onnx),
    "onnxruntime-int8": StreamPeer(
        "onnxruntime int8", ("step",), _no_onnx, lambda setup: _onnx(setup, "onnxruntime int8", "int8")
    ),
    "product": StreamPeer("product", ("many",), lambda: None, _product),
}
