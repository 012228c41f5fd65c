"""Layers of ours as an ONNX model of one step, whose states come in and go out, run by ONNX Runtime on the CPU."""

import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from peephole.bench.onnx_runtime import attributes, model_of, operand_names, operands, refusal, session_of
from peephole.nn.recurrent import Recurrent


class OnnxSteps:
    """Rows that step together, each with its own state, which begins at zero.

    Inputs, states and outputs stay where they are: two bindings take turns, and each reads the states that the other
    wrote. Handing states to `session.run` and taking them back costs a step of a small model a third more.
    """

    def __init__(self, model: onnx.ModelProto, threads: int) -> None:
        self._session = session_of(model, threads)
        sizes = {each.name: [axis.dim_value for axis in each.type.tensor_type.shape.dim] for each in model.graph.input}
        self._x = np.zeros(sizes.pop("x"), np.float32)
        self._states = [{name: np.zeros(size, np.float32) for name, size in sizes.items()} for _ in range(2)]
        self._bindings = [self._bind(*self._states), self._bind(*reversed(self._states))]
        self._last = max(name for name in sizes if name.startswith("h"))
        self._turn = 0

    def _bind(
        self, before: dict[str, NDArray[np.float32]], after: dict[str, NDArray[np.float32]]
    ) -> onnxruntime.IOBinding:
        binding = self._session.io_binding()
        binding.bind_ortvalue_input("x", onnxruntime.OrtValue.ortvalue_from_numpy(self._x))
        for name, state in before.items():
            binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(state))
            binding.bind_ortvalue_output(f"next_{name}", onnxruntime.OrtValue.ortvalue_from_numpy(after[name]))
        return binding

    def step(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """The last layer's h `[B, H]` after x `[B, I]`, until the step after the next writes another there."""
        np.copyto(self._x[0], x)
        self._session.run_with_iobinding(self._bindings[self._turn])
        self._turn = 1 - self._turn
        return self._states[self._turn][self._last][0]


def build_step(layer: Recurrent, batch: int) -> onnx.ModelProto:
    """The model of one step of `batch` rows, a node for each layer: inputs `x` `[1, B, I]` and states `h00`, `c00`, …;
    outputs `next_h00`, …, `[1, B, H]` each.
    """
    spec, hidden = layer.spec, layer.hidden_size
    reason = refusal(spec)
    if reason or layer.bidirectional:
        raise ValueError(f"{reason or 'a step has one direction'}: {layer}")
    inputs, outputs, nodes, weights = [_vector("x", batch, layer.input_size)], [], [], []
    below = "x"
    for index, parameters in enumerate(layer.named_layers()):
        constants = operands(spec, [parameters], hidden)
        states = [f"{name}{index:02}" for name in spec.states]
        own = {name: f"{name}{index:02}" for name in constants} | {"X": below}
        own |= dict(zip(("initial_h", "initial_c"), states, strict=False))
        node = helper.make_node(
            spec.family.upper(),
            [own.get(name, "") for name in operand_names(spec)],
            ["", *(f"next_{state}" for state in states)],
            name=f"layer{index}",
            hidden_size=hidden,
            **attributes(spec, 1),
        )
        nodes.append(node)
        weights += [numpy_helper.from_array(array, own[name]) for name, array in constants.items()]
        inputs += [_vector(state, batch, hidden) for state in states]
        outputs += [_vector(f"next_{state}", batch, hidden) for state in states]
        below = f"next_{states[0]}"
    return model_of(helper.make_graph(nodes, f"step of {spec.family}", inputs, outputs, weights))


def _vector(name: str, batch: int, width: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, batch, width])


def quantised(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with weights of 8 bits, and operands that become so at every step: ONNX Runtime's own quantisation."""
    prepared = onnx.ModelProto()
    prepared.CopyFrom(model)
    # It advises to infer shapes first unless told that this was done; here every shape is given.
    helper.set_model_props(prepared, {"onnx.quant.pre_process": "onnxruntime.quant"})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        quantize_dynamic(prepared, path, weight_type=QuantType.QInt8)
        return onnx.load(path)
