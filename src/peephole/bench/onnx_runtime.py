"""A layer of ours as an ONNX model of one operator, run by ONNX Runtime on the CPU.

ONNX has the RNN, the LSTM and the GRU with their gates in other orders, and some of our switches as attributes. Two
more can be had from weights: a missing gate is one that a large bias keeps at 1, and z in place of 1 − z is σ of the
negated sum.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from peephole.nn.recurrent import Recurrent
from peephole.spec import CellSpec

# The first opset with today's three operators, in the first file format that has it.
OPSET, FORMAT = 14, 7
GATES = {"rnn": ("h",), "lstm": ("i", "o", "f", "g"), "gru": ("z", "r", "n")}
PEEPHOLES = ("i", "o", "f")
NONLINEARITIES = {"tanh": "Tanh", "relu": "Relu", "sigmoid": "Sigmoid", "identity": "Affine"}
SWITCHES = {
    "bias",
    "nonlinearity",
    "peephole",
    "coupled",
    "input_gate",
    "forget_gate",
    "output_gate",
    "input_activation",
    "output_activation",
    "reset",
    "update",
}
OPEN = 100.0  # σ of it is 1


def run_onnx(
    layer: Recurrent, x: Tensor, states: Sequence[Tensor] = (), lengths: Tensor | None = None
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Output `[T, B, D·H]` and final states `[D, B, H]`; initial states are zero when none are given."""
    feeds = {"X": x, "sequence_lens": lengths.int() if lengths is not None else None}
    feeds |= dict(zip(("initial_h", "initial_c"), states, strict=False))
    given = {name: tensor.numpy() for name, tensor in feeds.items() if tensor is not None}
    session = open_session(layer, {name: array.shape for name, array in given.items()}, threads=1)
    output, *finals = (torch.from_numpy(array) for array in session.run(None, given))
    return output.transpose(1, 2).flatten(2), tuple(finals)


def open_session(layer: Recurrent, inputs: dict[str, tuple[int, ...]], threads: int) -> onnxruntime.InferenceSession:
    """The model of `layer`, ready to run; `inputs` are the shapes of what it will be fed."""
    return session_of(build(layer, inputs), threads)


def session_of(model: onnx.ModelProto, threads: int) -> onnxruntime.InferenceSession:
    """A model, ready to run on the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def refusal(spec: CellSpec) -> str | None:
    """What ONNX's operators lack of a cell, as text; None when they have it."""
    lacking = set(spec.changes) - SWITCHES
    if lacking or spec.peephole == "full" or spec.candidate_peephole or spec.nonlinearity == "softmax":
        return f"ONNX has no operator for {spec.code}"
    return None


def build(layer: Recurrent, inputs: dict[str, tuple[int, ...]]) -> onnx.ModelProto:
    """The model, with the weights of `layer` inside; `inputs` are the shapes of what it will be fed."""
    spec = layer.spec
    reason = refusal(spec) or ("ONNX's operators have one layer" if layer.num_layers > 1 else None)
    if reason:
        raise ValueError(f"{reason}: {layer}")
    directions = list(layer.named_layers())
    constants = operands(spec, directions, layer.hidden_size)
    names = operand_names(spec)
    results = {"Y": 4, "Y_h": 3} | ({"Y_c": 3} if spec.family == "lstm" else {})  # and how many dimensions
    node = helper.make_node(
        spec.family.upper(),
        [name if name in constants or name in inputs else "" for name in names],
        list(results),
        hidden_size=layer.hidden_size,
        direction="bidirectional" if len(directions) == 2 else "forward",
        **attributes(spec, len(directions)),
    )
    kinds = {"sequence_lens": TensorProto.INT32}
    graph = helper.make_graph(
        [node],
        spec.family,
        [helper.make_tensor_value_info(name, kinds.get(name, TensorProto.FLOAT), inputs[name]) for name in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * rank) for name, rank in results.items()],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return model_of(graph)


def model_of(graph: onnx.GraphProto) -> onnx.ModelProto:
    """A graph in the file format and with the operators that are used here, checked."""
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=FORMAT)
    onnx.checker.check_model(model)
    return model


def operand_names(spec: CellSpec) -> list[str]:
    """What the operator is given, in order."""
    names = ["X", "W", "R", "B", "sequence_lens", "initial_h"]
    return names + (["initial_c", "P"] if spec.family == "lstm" else [])


def operands(
    spec: CellSpec, directions: Sequence[dict[str, Tensor]], hidden_size: int
) -> dict[str, NDArray[np.float32]]:
    """Those of them that are a layer's weights, `[D, ...]` each."""
    found = {
        "W": [stack(spec, weights["weight_ih"]) for weights in directions],
        "R": [stack(spec, weights["weight_hh"]) for weights in directions],
        "B": [biases(spec, weights, hidden_size) for weights in directions],
    }
    if spec.peephole == "diagonal":
        found["P"] = [peepholes(spec, weights["weight_ch"]) for weights in directions]
    return {name: torch.stack(parts).detach().numpy() for name, parts in found.items()}


def attributes(spec: CellSpec, directions: int) -> dict[str, Any]:
    """What the operator is told besides sizes and direction."""
    told: dict[str, Any] = {}
    functions: list[str] = []
    if spec.family == "rnn":
        functions = [NONLINEARITIES[spec.nonlinearity]]
    elif spec.family == "gru":
        told["linear_before_reset"] = int(spec.reset == "after")
    else:
        told["input_forget"] = int(spec.coupled)
        functions = ["Sigmoid", *("Tanh" if on else "Affine" for on in (spec.input_activation, spec.output_activation))]
    if functions:
        told["activations"] = functions * directions
    # αx + β, and ONNX Runtime takes the next α and β only for a function that has them.
    count = functions.count("Affine") * directions
    return told | ({"activation_alpha": [1.0] * count, "activation_beta": [0.0] * count} if count else {})


def stack(spec: CellSpec, rows: Tensor, missing: float = 0.0) -> Tensor:
    """Rows gate by gate in ONNX's order; those of a gate that we lack are filled with `missing`."""
    blocks = dict(zip(spec.gates, rows.chunk(len(spec.gates)), strict=True))
    if spec.update == "writes":
        blocks["z"] = -blocks["z"]
    nothing = torch.full_like(rows.chunk(len(spec.gates))[0], missing)
    return torch.cat([blocks.get(gate, nothing) for gate in GATES[spec.family]])


def biases(spec: CellSpec, weights: dict[str, Tensor], hidden_size: int) -> Tensor:
    """Of the input, then of the recurrence."""
    zeros = torch.zeros(len(spec.gates) * hidden_size)
    input, recurrent = (weights.get(name, zeros) for name in ("bias_ih", "bias_hh"))
    return torch.cat([stack(spec, input, OPEN), stack(spec, recurrent)])


def peepholes(spec: CellSpec, vectors: Tensor) -> Tensor:
    """The diagonals in ONNX's order, zero for a gate that we lack."""
    blocks = dict(zip(spec.peephole_gates, vectors.chunk(len(spec.peephole_gates)), strict=True))
    nothing = torch.zeros_like(vectors.chunk(len(spec.peephole_gates))[0])
    return torch.cat([blocks.get(gate, nothing) for gate in PEEPHOLES])
