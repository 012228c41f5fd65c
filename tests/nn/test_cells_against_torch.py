"""RNNCell, LSTMCell and GRUCell against torch.nn's: results, gradients, first parameters, and what they refuse."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from peephole.errors import InputError
from peephole.nn.cells import Cell, GRUCell, LSTMCell, RNNCell
from peephole.nn.recurrent import Recurrent

from ..cells import MATRIX

CELLS: dict[str, tuple[type[Cell], type[nn.RNNCellBase], dict[str, Any]]] = {
    "rnn tanh": (RNNCell, nn.RNNCell, {"nonlinearity": "tanh"}),
    "rnn relu": (RNNCell, nn.RNNCell, {"nonlinearity": "relu"}),
    "lstm": (LSTMCell, nn.LSTMCell, {}),
    "gru": (GRUCell, nn.GRUCell, {}),
}
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}


def draw(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


def run(cell: nn.Module, states: int, x: Tensor, hidden: int, given: bool) -> dict[str, Tensor]:
    dtype = next(cell.parameters()).dtype
    x = x.to(dtype, copy=True).requires_grad_()
    initial = [draw(*x.shape[:-1], hidden, seed=i).to(dtype).requires_grad_() for i in range(states)]
    finals = cell(x, (tuple(initial) if states > 1 else initial[0])) if given else cell(x)
    finals = finals if isinstance(finals, tuple) else (finals,)
    torch.autograd.backward(finals, [draw(*state.shape, seed=9 + i).to(dtype) for i, state in enumerate(finals)])
    results = {f"final {i}": state for i, state in enumerate(finals)} | {"gradient of x": x.grad}
    if given:
        results |= {f"gradient of initial {i}": state.grad for i, state in enumerate(initial)}
    return results | {f"gradient of {name}": parameter.grad for name, parameter in cell.named_parameters()}


@pytest.mark.parametrize("backend", ["auto", "reference"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("given", [True, False], ids=["given states", "zero states"])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize(("hidden", "batch"), [(1, 3), (7, 1), (33, 17), (5, None)])
@pytest.mark.parametrize("name", CELLS)
def test_one_step(
    name: str,
    hidden: int,
    batch: int | None,
    bias: bool,
    given: bool,
    dtype: torch.dtype,
    backend: str,
    agree: Callable[..., None],
) -> None:
    ours, theirs, options = CELLS[name]
    torch.manual_seed(0)
    cell = ours(4, hidden, bias=bias, dtype=dtype, backend=backend, **options)
    other = theirs(4, hidden, bias=bias, dtype=torch.float64, **options)
    other.load_state_dict(cell.state_dict())
    x = draw(4, seed=5) if batch is None else draw(batch, 4, seed=5)
    got, want = (run(module, len(cell.spec.states), x, hidden, given) for module in (cell, other))
    assert list(got) == list(want)
    for what, tensor in want.items():
        assert got[what].dtype == dtype
        agree(got[what], tensor, TOLERANCE[dtype], what, floor=0.01)


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("name", CELLS)
def test_equal_seeds_give_equal_cells(name: str, bias: bool) -> None:
    ours, theirs, options = CELLS[name]
    torch.manual_seed(3)
    other = theirs(4, 7, bias=bias, **options).state_dict()
    torch.manual_seed(3)
    cell = ours(4, 7, bias=bias, **options)
    assert list(cell.state_dict()) == list(other)
    assert all(torch.equal(cell.state_dict()[key], value) for key, value in other.items())
    cell.reset_parameters()
    assert not any(torch.equal(cell.state_dict()[key], value) for key, value in other.items())


@pytest.mark.parametrize("name", MATRIX)
def test_switches_are_keywords_and_a_loop_of_steps_is_a_layer(name: str, agree: Callable[..., None]) -> None:
    """Outputs, states and gradients, also of a single row, and of states that nobody gave."""
    spec = MATRIX[name]
    options = {switch: value for switch, value in spec.changes.items() if switch != "projected"}
    sizes = {"proj_size": 3} if spec.projected else {}
    torch.manual_seed(0)
    cell = {"rnn": RNNCell, "lstm": LSTMCell, "gru": GRUCell}[spec.family](
        4, 6, dtype=torch.float64, **options, **sizes
    )
    torch.manual_seed(0)
    layer = Recurrent(spec, 4, 6, dtype=torch.float64, **sizes)
    assert cell.spec == spec
    state_dict = cell.state_dict()
    assert list(state_dict) == list(spec.parameter_names())
    assert all(torch.equal(state_dict[key.removesuffix("_l0")], value) for key, value in layer.state_dict().items())
    for weight in [*cell.parameters(), *layer.parameters()]:
        weight.data.mul_(1.5)
    x, states = draw(5, 3, 4, seed=5), None
    want, want_states = layer(x)
    for t in range(5):
        states = cell(x[t], states)
        agree(states[0] if isinstance(states, tuple) else states, want[t], 1e-12)
    alone = None
    for t in range(5):
        alone = cell(x[t, 1], alone)
    states, want_states, alone = (
        found if isinstance(found, tuple) else (found,) for found in (states, want_states, alone)
    )
    upstream = [draw(*state.shape, seed=9 + i) for i, state in enumerate(states)]
    torch.autograd.backward(states, upstream)
    torch.autograd.backward([state[0] for state in want_states], upstream)
    for name, one, other, row in zip(spec.states, states, want_states, alone, strict=True):
        agree(one, other[0], 1e-12, name)
        agree(row, one[1], 1e-12, name)
    for name in spec.parameter_names():
        agree(getattr(cell, name).grad, getattr(layer, f"{name}_l0").grad, 1e-12, name, floor=0.01)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: LSTMCell(0, 4), "input_size is 0; expected at least 1"),
        (lambda: GRUCell(3, -1), "hidden_size is -1; expected at least 1"),
        (lambda: LSTMCell(3, 4)(torch.zeros(2, 5)), "input has 5 features; expected input_size=3"),
        (lambda: LSTMCell(3, 4)(torch.zeros(1, 2, 3)), "input has 3 dimensions; expected 2, or 1"),
        (lambda: RNNCell(3, 4)(torch.zeros(2, 3), torch.zeros(2, 5)), r"state h has shape \[2, 5\]; expected \[2, 4\]"),
        (lambda: GRUCell(3, 4)(torch.zeros(2, 3), torch.zeros(1, 4)), r"state h has shape \[1, 4\]; expected \[2, 4\]"),
        (lambda: GRUCell(3, 4)(torch.zeros(3), torch.zeros(5)), r"state h has shape \[1, 5\]; expected \[1, 4\]"),
        (lambda: GRUCell(3, 4, backend="fast")(torch.zeros(3)), "unknown back end .fast.; choose one of auto, native"),
        (lambda: GRUCell(3, 4)(torch.zeros(2, 3).double()), "weight_ih is torch.float32 .* input is torch.float64"),
    ],
)
def test_what_does_not_fit_is_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
