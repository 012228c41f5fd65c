"""Symbols in place of one-hot vectors: what one-hot vectors give."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from peephole.errors import InputError
from peephole.ops import run_layer

from ..cells import MATRIX

EVERYTHING = ("lengths", "resets", "noise")
CELLS = ["rnn 2 taps, residual, layer norm", "lstm projected", "lstm FGR", "gru", "gru before, layer norm"]
SYMBOLS = 11


def solve(task: Any, symbols: Tensor, by_number: bool, recompute: bool = False) -> dict[str, Tensor]:
    """Outputs and gradients, without that of x: symbols have none."""
    one_hot = torch.nn.functional.one_hot(symbols, SYMBOLS).to(task.tensors["x"].dtype)

    def run(spec: Any, x: Tensor, *arguments: Any, **options: Any) -> Any:
        x = symbols if by_number else one_hot
        return run_layer(spec, x, *arguments, **options, backend="native", recompute=recompute)

    found = task.solve(run)
    assert found.pop("gradient of x") is None
    return found


def draw(task: Any) -> Tensor:
    """Symbols of which one never comes: its column of the gradient is zero."""
    generator = torch.Generator().manual_seed(3)
    return torch.randint(1, SYMBOLS, (task.steps, task.batch), generator=generator)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("name", CELLS)
def test_symbols_are_one_hot_vectors(
    name: str, dtype: torch.dtype, instruction_set: str, problem: Any, agree: Callable[..., None]
) -> None:
    """Over several chunks, with rows that end and start anew."""
    for masks, reverse in ((EVERYTHING, True), ((), False)):
        task = problem(MATRIX[name], 61, 11, SYMBOLS, 9, masks, reverse, dtype)
        symbols = draw(task)
        want = solve(task, symbols, False)
        for recompute in (False, True):
            got = solve(task, symbols, True, recompute)
            assert list(got) == list(want)
            for key, tensor in want.items():
                agree(got[key], tensor, 1e-5 if dtype == torch.float32 else 1e-12, key, floor=0.01)
            assert bool((got["gradient of weight_ih"][:, 0] == 0).all())
            assert bool((got["gradient of weight_ih"][:, 1:] != 0).any())


@pytest.mark.parametrize("name", CELLS)
def test_threads_change_no_bit(name: str, problem: Any) -> None:
    for steps, batch, hidden in ((61, 19, 9), (61, 3, 66)):
        task = problem(MATRIX[name], steps, batch, SYMBOLS, hidden, ("lengths",), False, torch.float32)
        symbols = draw(task)
        torch.set_num_threads(1)
        want = solve(task, symbols, True)
        for threads in (2, 3):
            torch.set_num_threads(threads)
            got = solve(task, symbols, True)
            for key, tensor in want.items():
                assert torch.equal(got[key], tensor), (key, threads)


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("wrong", [-1, SYMBOLS, 2**40])
def test_a_number_that_is_no_symbol_is_refused(wrong: int, recompute: bool, problem: Any) -> None:
    task = problem(MATRIX["gru"], 5, 3, SYMBOLS, 9, dtype=torch.float32)
    symbols = draw(task)
    symbols[2, 1] = wrong
    _, states, weights = task.split(task.tensors)
    with pytest.raises(InputError, match=rf"symbols run from -?\d+ to \d+; expected 0 to {SYMBOLS - 1}"):
        run_layer(task.spec, symbols, states, weights, backend="native", recompute=recompute)


def test_strided_symbols(problem: Any) -> None:
    task = problem(MATRIX["gru"], 5, 3, SYMBOLS, 9, dtype=torch.float32)
    symbols = draw(task)
    other = symbols.t().contiguous().t()
    assert not other.is_contiguous()
    want = solve(task, symbols, True)
    for key, tensor in solve(task, other, True).items():
        assert torch.equal(tensor, want[key]), key
