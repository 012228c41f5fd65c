"""Weights in bfloat16 and int8: what the numbers are rounded to, against the same written plainly; sums are exact."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from peephole._native import instructions
from peephole.nn.recurrent import Recurrent

from ..cells import MATRIX
from .nets import exact, inputs, language_model, net, solve, some_resets

Floats = NDArray[np.float32]
SIZES = [(1, 1, 1), (5, 7, 3), (40, 33, 17), (3, 130, 2), (64, 64, 20)]  # I, H, B


# --- bfloat16: matrices are rounded, nothing else ---


def rounded(made: Recurrent, looked_up: bool = False) -> Recurrent:
    """The same net with matrices of bfloat16's numbers; those that are looked up stay as they are."""
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if parameter.dim() == 2 and not (looked_up and name == "weight_ih_l0"):
                parameter.copy_(parameter.bfloat16())
    return made


@pytest.mark.parametrize("name", MATRIX)
def test_bfloat16_is_float32_with_rounded_matrices(name: str, agree: Callable[..., None]) -> None:
    for turn, (size, hidden, batch) in enumerate(SIZES):
        options: dict[str, Any] = {"learned_states": turn % 2 == 1, "zoneout": 0.1 * (turn % 3)}
        made = net(name, size, hidden, 1 + turn % 2, **options)
        x, resets = inputs(made, 4, batch), some_resets(4, batch)
        with instructions.using(instructions.supported()[turn % len(instructions.supported())]):
            stream = made.stream(batch, "bfloat16")
            got = stream.read(x, resets=resets)
            want = rounded(made).stream(batch)
            agree(got, want.read(x, resets=resets), 1e-5, f"output of {size, hidden, batch}")
            agree(stream.states(), want.states(), 1e-5, f"states of {size, hidden, batch}")
            assert torch.equal(made.stream(batch, "bfloat16").read(x, resets=resets), got)  # rounded twice is once


@pytest.mark.parametrize("vocabulary", [9, 600])  # whose input products are looked up, and are not
def test_bfloat16_models_of_symbols(vocabulary: int, agree: Callable[..., None]) -> None:
    model = language_model(vocabulary, 2)
    symbols = torch.randint(vocabulary, (5, 4))
    got = model.stream(4, "bfloat16").read(symbols)
    rounded(model.recurrent, looked_up=vocabulary == 9)
    model.head.weight.data = model.head.weight.data.bfloat16().float()
    agree(got, model.stream(4).read(symbols), 1e-5)


# --- int8: whole numbers times scales ---


def whole_rows(matrix: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Each row's whole numbers from -127 to 127 and what 1 stands for; a row of next to nothing is nothing."""
    largest = np.abs(matrix).max(axis=1)
    return np.rint(matrix * (127.0 / largest.astype(np.float64))[:, None]).astype(np.int64), largest / np.float32(127)


def whole_operand(rows: Floats) -> tuple[NDArray[np.int64], Floats]:
    """The same of what is multiplied, in float32 throughout: as it is found at each step."""
    largest = np.abs(rows).max(axis=1)
    inverse = np.where(largest >= 1e-30, np.float32(127) / np.maximum(largest, np.float32(1e-30)), np.float32(0))
    return np.rint(rows * inverse[:, None]).astype(np.int64), np.where(largest >= 1e-30, largest, 0) / np.float32(127)


def product(rows: Floats, matrix: Floats) -> NDArray[np.float64]:
    """`rows @ matrix.T` of whole numbers, exact until the scales come in."""
    (left, of_left), (right, of_right) = whole_operand(rows), whole_rows(matrix)
    assert max(np.abs(left).max(initial=0), np.abs(right).max(initial=0)) <= 127
    return (left @ right.T) * (of_left[:, None].astype(np.float64) * of_right)


def sigmoid(z: NDArray[np.float64]) -> NDArray[np.float64]:
    return 0.5 + 0.5 * np.tanh(z / 2)


class Plain:
    """One layer's step in NumPy: x and states in, states out."""

    def __init__(self, made: Recurrent, layer: int) -> None:
        names = made.spec.parameter_names()
        self.weights = {name: getattr(made, f"{name}_l{layer}").detach().numpy() for name in names}
        self.spec = made.spec

    def step(self, x: Floats, states: list[Floats]) -> list[NDArray[np.float64]]:
        return getattr(self, self.spec.family)(x, states)

    def fed(self, x: Floats) -> NDArray[np.float64]:
        return product(x, self.weights["weight_ih"]) + self.weights["bias_ih"]

    def back(self, h: Floats) -> NDArray[np.float64]:
        return product(h, self.weights["weight_hh"]) + self.weights["bias_hh"]

    def rnn(self, x: Floats, states: list[Floats]) -> list[NDArray[np.float64]]:
        return [np.tanh(self.fed(x) + self.back(states[0]))]

    def lstm(self, x: Floats, states: list[Floats]) -> list[NDArray[np.float64]]:
        h, c = states
        z = self.fed(x) + self.back(h)
        hidden = c.shape[1]
        i, f, g, o = (z[:, k * hidden : (k + 1) * hidden] for k in range(4))
        if self.spec.peephole == "full":
            seen = self.weights["weight_ch"]
            i, f = i + product(c, seen[:hidden]), f + product(c, seen[hidden : 2 * hidden])
        new = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        if self.spec.peephole == "full":
            o = o + product(new.astype(np.float32), self.weights["weight_ch"][2 * hidden :])
        shown = sigmoid(o) * np.tanh(new)
        return [product(shown.astype(np.float32), self.weights["weight_hr"]) if self.spec.projected else shown, new]

    def gru(self, x: Floats, states: list[Floats]) -> list[NDArray[np.float64]]:
        (h,) = states
        hidden = h.shape[1]
        fed = self.fed(x)
        if self.spec.reset == "none":
            z, n = np.split(fed + self.back(h), 2, axis=1)
        elif self.spec.reset == "after":
            back = self.back(h)
            r, z = np.split(fed[:, : 2 * hidden] + back[:, : 2 * hidden], 2, axis=1)
            n = fed[:, 2 * hidden :] + sigmoid(r) * back[:, 2 * hidden :]
        else:
            seen, candidate = self.weights["weight_hh"][: 2 * hidden], self.weights["weight_hh"][2 * hidden :]
            z = fed + self.weights["bias_hh"]
            r = sigmoid(z[:, :hidden] + product(h, seen[:hidden]))
            n = z[:, 2 * hidden :] + product((r * h).astype(np.float32), candidate)
            z = z[:, hidden : 2 * hidden] + product(h, seen[hidden:])
        return [sigmoid(z) * h + (1 - sigmoid(z)) * np.tanh(n)]


# What is rounded to whole within a step may be rounded to another number where it differs in its last bit.
TOLERANCES = {"rnn tanh": 1e-6, "lstm": 1e-6, "gru": 1e-6, "gru without reset": 1e-6} | {
    "lstm projected": 2e-3,
    "lstm full peephole": 2e-3,
    "gru before": 2e-3,
}


@pytest.mark.parametrize("name", TOLERANCES)
def test_int8_is_what_it_says(name: str, instruction_set: str) -> None:
    """Each step from the states that the stream has, so that whole numbers are the same whole numbers."""
    for size, hidden, batch in SIZES:
        made = net(name, size, hidden, 2)
        stream = made.stream(batch, "int8")
        widths = made.spec.state_sizes(made.hidden_size, made.proj_size) * 2
        x = inputs(made, 4, batch)
        x[1, 0] = 0
        x[2] *= 1e4
        x[3, -1, -1] = 1e-35
        errors: list[float] = []
        for t in range(4):
            before = np.split(stream.states().numpy(), np.cumsum(widths)[:-1], axis=1)
            stream.step(x[t])
            after = np.split(stream.states().numpy(), np.cumsum(widths)[:-1], axis=1)
            count, below = len(widths) // 2, x[t].numpy()
            for layer in range(2):
                here = slice(layer * count, (layer + 1) * count)
                want = Plain(made, layer).step(below, before[here])
                errors += [float(np.abs(got - state).max()) for got, state in zip(after[here], want, strict=True)]
                below = after[layer * count]
        assert max(errors) <= TOLERANCES[name] * 3, (size, hidden, batch)
        assert sorted(errors)[len(errors) // 2] <= 1e-6


def test_int8_head_and_embedding(instruction_set: str) -> None:
    """Of symbols that are not looked up the embedding stays in float32, and is rounded as any input is."""
    model = language_model(600, cell="gru")
    stream = model.stream(5, "int8")
    h, layer = stream.states().numpy(), Plain(model.recurrent, 0)
    head, bias = model.head.weight.detach().numpy(), model.head.bias.detach().numpy()
    for _ in range(3):
        symbols = torch.randint(600, (5,))
        got = stream.step(symbols)
        (want,) = layer.step(model.embedding.weight.detach()[symbols].numpy(), [h])
        h = stream.states().numpy()
        assert np.abs(h - want).max() <= 1e-6
        logits = torch.from_numpy(product(h, head) + bias)
        assert bool((got - torch.log_softmax(logits, -1)).abs().max() <= 3e-6)


def test_the_same_bits_on_every_instruction_set() -> None:
    """A net without a nonlinearity is products and sums, of which none is fused with another."""
    made = net("rnn identity", 61, 45, 2)
    x = inputs(made, 6, 23)
    found: list[Tensor] = []
    for name in instructions.supported():
        with instructions.using(name):
            found.append(made.stream(23, "int8").read(x))
    assert all(torch.equal(one, found[0]) for one in found)


@pytest.mark.parametrize("name", MATRIX)
@pytest.mark.parametrize("storage", ["bfloat16", "int8"])
def test_every_cell_stays_near_the_whole_numbers(name: str, storage: str, agree: Callable[..., None]) -> None:
    """Every matrix of every cell is packed in its place: what is small in one net is not small in another."""
    made = net(name, 20, 33, 2)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(0.5)  # no chaos
    x = inputs(made, 3, 5)
    want, _ = solve(exact(made), x)
    rough = 0.02 if storage == "int8" else 0.01
    agree(made.stream(5, storage).read(x), want, 4 * rough, rms=rough, floor=0.1)
