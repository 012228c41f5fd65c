"""Trains compiled and uncompiled copies of layers side by side: `compiled_training.py COMPILER CELL...`.

A CELL is one of the test matrix, with `+lengths` or `+noise`, or "model", "learned", "masks".

A program of its own, because the shape checker that the tests install breaks torch.compile(fullgraph=True).
"""

import copy
import sys
from pathlib import Path

import torch

from peephole.models.config import ModelConfig
from peephole.models.sequence import SequenceModel
from peephole.nn.layers import LSTM
from peephole.nn.recurrent import Recurrent
from peephole.reference import noise

sys.path.insert(0, str(Path(__file__).parents[1]))
from cells import MATRIX


def error(got: torch.Tensor, want: torch.Tensor) -> float:
    return float((got - want).detach().abs().max() / want.detach().abs().max().clamp_min(1e-3))


def train_layer(layer: Recurrent, compiler: str, lengths: bool) -> None:
    """Steps of training with other numbers of steps T and rows B each."""
    other = copy.deepcopy(layer)
    # without fullgraph a break would be an uncompiled call in disguise
    compiled = torch.compile(layer, fullgraph=True, backend=compiler)
    optimisers = [torch.optim.SGD(module.parameters(), lr=0.01) for module in (layer, other)]
    sizes = ((7, 3), (12, 3), (5, 4), (1, 2))
    for steps, batch in sizes[:2] if layer.spec.beyond_torch else sizes:  # the equations have one kernel for all
        x = torch.randn(steps, batch, 5)
        given = torch.randint(0, steps + 1, (batch,)) if lengths else None
        seed = torch.randint(2**62, ())
        for module, optimiser in zip((compiled, other), optimisers, strict=True):
            output, finals = module(x, lengths=given, seed=seed)
            finals = finals if isinstance(finals, tuple) else (finals,)
            optimiser.zero_grad()
            (output.square().sum() + sum(state.sum() for state in finals)).backward()
        for one, two in zip(layer.parameters(), other.parameters(), strict=True):
            assert one.grad is not None
            assert two.grad is not None
            assert error(one.grad, two.grad) <= 1e-5, (steps, batch)
        for optimiser in optimisers:
            optimiser.step()
    one, two = (module(x, lengths=given, seed=seed)[0] for module in (compiled, other))
    assert error(one, two) <= 1e-5


def train_learned_states(compiler: str) -> None:
    """Resets restart from states that are learned: a compiled graph goes step by step."""
    torch.manual_seed(0)
    layer = LSTM(5, 8, bidirectional=True, learned_states=True)
    other = copy.deepcopy(layer)
    compiled = torch.compile(layer, fullgraph=True, backend=compiler)
    x, resets = torch.randn(6, 3, 5), torch.rand(6, 3) < 0.3
    for module in (compiled, other):
        module(x, resets=resets)[0].square().sum().backward()
    for one, two in zip(layer.parameters(), other.parameters(), strict=True):
        assert one.grad is not None
        assert two.grad is not None
        assert error(one.grad, two.grad) <= 1e-5


def draw_masks(compiler: str) -> None:
    """The same bits from the same seed: a compiler must not take an overflow for impossible."""

    def draw(seed: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(noise.words(seed, noise.ZONEOUT, layer, 3, 2, 9) for layer in (0, 1))

    compiled = torch.compile(draw, fullgraph=True, backend=compiler)
    for _ in range(50):
        seed = torch.randint(-(2**63), 2**63 - 1, ())
        assert all(torch.equal(one, two) for one, two in zip(compiled(seed), draw(seed), strict=True)), seed


def train_model(compiler: str) -> None:
    """The model of the text task, with states carried and resets inside rows."""
    torch.manual_seed(0)
    model = SequenceModel(11, ModelConfig(hidden_size=8, embedding_size=5, dropout=0.0))
    other = copy.deepcopy(model)
    compiled = torch.compile(model, fullgraph=True, backend=compiler)
    states, other_states = model.initial_states(3), other.initial_states(3)
    for steps in (6, 9, 4):
        symbols, resets = torch.randint(0, 11, (steps, 3)), torch.rand(steps, 3) < 0.3
        logits, states = compiled(symbols, states, resets)
        want, other_states = other(symbols, other_states, resets)
        assert error(logits, want) <= 1e-5, steps
        logits.square().sum().backward()
        want.square().sum().backward()
        for one, two in zip(model.parameters(), other.parameters(), strict=True):
            assert one.grad is not None
            assert two.grad is not None
            assert error(one.grad, two.grad) <= 1e-5, steps
        states, other_states = (tuple(s.detach() for s in given) for given in (states, other_states))


def main(compiler: str, *cells: str) -> None:
    torch.set_num_threads(1)
    for cell in cells:
        torch._dynamo.reset()
        if cell == "model":
            train_model(compiler)
        elif cell == "learned":
            train_learned_states(compiler)
        elif cell == "masks":
            draw_masks(compiler)
        else:
            torch.manual_seed(0)
            name, *more = cell.split("+")
            rates = {"recurrent_dropout": 0.3, "zoneout": 0.2, "weight_drop": 0.1} if "noise" in more else {}
            spec = MATRIX[name]
            layer = Recurrent(
                spec, 5, 8, bidirectional=not spec.beyond_torch, proj_size=4 if spec.projected else 0, **rates
            )
            train_layer(layer, compiler, "lengths" in more)
        print(f"{cell}: equal")


if __name__ == "__main__":
    main(*sys.argv[1:])
