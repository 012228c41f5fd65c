"""Cells of users: a function of one step has all that built-in cells have, and is told in one line what is wrong."""

import copy
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import peephole
from peephole import spec as specs
from peephole.errors import InputError
from peephole.reference import sequence
from peephole.spec import CellSpec

from .step_by_step import step_by_step

T, B, I, H = 6, 3, 4, 5
TOLERANCE = 1e-12
Tensors = dict[str, Tensor]
States = tuple[Tensor, ...]


def minimal(z: Tensors, states: States, weights: Tensors) -> States:
    """The minimal gated unit, Zhou et al. 2016: f decides what of h is seen and what is written."""
    (h,) = states
    forget, candidate = weights["weight_hh"].chunk(2)
    f = torch.sigmoid(z["f"] + h @ forget.T)
    n = torch.tanh(z["n"] + (f * h) @ candidate.T)
    return ((1 - f) * h + f * n,)


def jordan(z: Tensors, states: States, weights: Tensors) -> States:
    """Jordan 1986: what comes back is the output."""
    (y,) = states
    h = torch.sigmoid(z["a"] + y @ weights["weight_hh"].T)
    return (torch.tanh(h @ weights["weight_hy"].T + weights["bias_y"]),)


def leaky(z: Tensors, states: States, weights: Tensors) -> States:
    """Two states: the output, and a memory that leaks into it."""
    h, c = states
    c = 0.9 * c + 0.1 * torch.tanh(z["u"] + h @ weights["weight_hh"].T)
    return c * h.cos(), c


CELLS: dict[str, tuple[Any, dict[str, Any]]] = {
    "minimal": (minimal, {"gates": ("f", "n"), "source": "Zhou et al. 2016"}),
    "jordan": (jordan, {"gates": ("a",), "parameters": {"weight_hy": ("H", "H"), "bias_y": ("H",)}}),
    "leaky": (leaky, {"gates": ("u",), "states": ("h", "c")}),
}


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    """Every cell above under its name; afterwards none."""
    families, steps = dict(specs.FAMILIES), dict(sequence.STEPS)
    for name, (function, options) in CELLS.items():
        peephole.register_cell(name, **options)(function)
    yield
    specs.FAMILIES.clear()
    specs.FAMILIES.update(families)
    sequence.STEPS.clear()
    sequence.STEPS.update(steps)
    specs.parse_spec.cache_clear()


def build(name: str, **options: Any) -> peephole.Recurrent:
    torch.manual_seed(0)
    arguments: dict[str, Any] = {"dtype": torch.float64} | options
    return peephole.Recurrent(name, I, H, **arguments)


def draw(layer: peephole.Recurrent) -> tuple[Tensor, list[Tensor]]:
    torch.manual_seed(1)
    count = layer.num_layers * layer.num_directions
    states = [torch.randn(count, B, H, dtype=torch.float64) for _ in layer.spec.states]
    return torch.randn(T, B, I, dtype=torch.float64), states


def given(states: list[Tensor]) -> Any:
    return states[0] if len(states) == 1 else tuple(states)


def listed(states: Any) -> list[Tensor]:
    return [states] if isinstance(states, Tensor) else list(states)


def same(got: tuple[Tensor, Any], want: tuple[Tensor, Any], tolerance: float = TOLERANCE) -> None:
    for one, two in zip([got[0], *listed(got[1])], [want[0], *listed(want[1])], strict=True):
        assert one.shape == two.shape
        assert float((one - two).detach().abs().max()) <= tolerance


def test_the_loop_over_time_is_what_one_would_write() -> None:
    for name, (function, options) in CELLS.items():
        layer = build(name)
        x, states = draw(layer)
        weights = {key.removesuffix("_l0"): parameter for key, parameter in layer.named_parameters()}
        current, want = tuple(state[0] for state in states), []
        for t in range(T):
            rows = x[t] @ weights["weight_ih"].T + weights["bias_ih"] + weights["bias_hh"]
            z = dict(zip(options["gates"], rows.chunk(len(options["gates"]), dim=-1), strict=True))
            current = function(z, current, weights)
            want.append(current[0])
        same(layer(x, given(states)), (torch.stack(want), [state[None] for state in current]))


def test_parameters() -> None:
    shapes = {key: tuple(value.shape) for key, value in build("jordan", bidirectional=True).named_parameters()}
    assert shapes["weight_hy_l0"] == shapes["weight_hy_l0_reverse"] == (H, H)
    assert shapes["bias_y_l0"] == (H,)
    assert shapes["weight_ih_l0"] == (H, I)
    shapes = {key: tuple(value.shape) for key, value in build("minimal", num_layers=2).named_parameters()}
    assert (shapes["weight_ih_l0"], shapes["weight_ih_l1"]) == ((2 * H, I), (2 * H, H))
    assert CellSpec("jordan").parameter_count(I, H) == H * I + 2 * H * H + 3 * H
    assert CellSpec("minimal").source == "Zhou et al. 2016"
    assert CellSpec("leaky").source == "registered by leaky"
    assert repr(build("minimal", num_layers=2)) == "Recurrent('minimal', 4, 5, num_layers=2)"


@pytest.mark.parametrize("name", CELLS)
def test_layers_directions_lengths_resets_and_learned_states(name: str) -> None:
    layer = build(name, num_layers=2, bidirectional=True, learned_states=True)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(std=0.7)
    x, states = draw(layer)
    resets = torch.zeros(T, B, dtype=torch.bool)
    resets[2, 0] = resets[3, 2] = resets[0, 1] = True
    for hx in (states, None):
        begin = states if hx else list(layer.initial_states(B, x))
        for lengths in (None, [6, 0, 4]):
            for borders in (None, resets):
                got = layer(x, given(states) if hx else None, lengths=lengths, resets=borders)
                same(got, step_by_step(layer, x, begin, lengths, borders))


@pytest.mark.parametrize("name", CELLS)
def test_layouts_and_carried_states(name: str) -> None:
    layer = build(name, bidirectional=True)
    x, states = draw(layer)
    y, finals = layer(x, given(states), lengths=[5, 6, 2])
    packed = pack_padded_sequence(x, torch.tensor([5, 6, 2]), enforce_sorted=False)
    got, last = layer(packed, given(states))
    same((pad_packed_sequence(got)[0], last), (y, finals))
    first = build(name, bidirectional=True, batch_first=True)
    got, last = first(x.transpose(0, 1), given(states), lengths=[5, 6, 2])
    same((got.transpose(0, 1), last), (y, finals))
    layer = build(name, num_layers=2)
    x, states = draw(layer)
    start, carried = layer(x[:2], given(states))
    end, last = layer(x[2:], carried)
    same((torch.cat([start, end]), last), layer(x, given(states)))
    row, last = layer(x[:, 0], given([state[:, 0] for state in states]))
    whole, finals = layer(x, given(states))
    same((row, last), (whole[:, 0], [state[:, 0] for state in listed(finals)]))


@pytest.mark.parametrize("name", CELLS)
def test_noise(name: str) -> None:
    noise = {"weight_drop": 0.4} | ({"zoneout": 0.3} if name != "jordan" else {})
    noise |= {"zoneout_cell": 0.5} if name == "leaky" else {}
    layer = build(name, num_layers=2, bidirectional=True, **noise)
    x, states = draw(layer)
    got = layer(x, given(states), seed=3)
    same(got, step_by_step(layer, x, states, seed=3))
    same(layer.eval()(x, given(states)), step_by_step(layer, x, states))
    assert float((layer(x, given(states))[0] - got[0]).detach().abs().max()) > 1e-4


@pytest.mark.parametrize("name", CELLS)
def test_first_and_second_derivatives(name: str) -> None:
    layer = build(name)
    x, states = draw(layer)
    x, states = x[:3, :2].clone().requires_grad_(), [state[:, :2].clone().requires_grad_() for state in states]

    def run(x: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        named = dict(zip(dict(layer.named_parameters()), rest[len(states) :], strict=True))
        y, finals = torch.func.functional_call(layer, named, (x, given(list(rest[: len(states)]))))
        return (y, *listed(finals))

    everything = (x, *states, *layer.parameters())
    assert torch.autograd.gradcheck(run, everything, fast_mode=True)
    assert torch.autograd.gradgradcheck(run, everything, fast_mode=True)


@pytest.mark.parametrize("name", CELLS)
def test_training_learns(name: str) -> None:
    torch.manual_seed(0)
    layer, head = peephole.Recurrent(name, 1, 12, init="orthogonal"), torch.nn.Linear(12, 1)
    x = torch.randn(8, 16, 1)
    target = torch.cat([torch.zeros_like(x[:1]), x[:-1]])
    optimiser = torch.optim.Adam([*layer.parameters(), *head.parameters()], lr=0.03)
    losses = []
    for _ in range(50):
        loss = (head(layer(x)[0]) - target).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] <= (0.5 if name != "leaky" else 0.9) * losses[0]


@pytest.mark.parametrize("name", CELLS)
def test_copies_and_state_dicts(name: str) -> None:
    layer, other = build(name, learned_states=True), build(name, learned_states=True)
    x, _ = draw(layer)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.1)
    want = layer(x)[0]
    assert not torch.equal(other(x)[0], want)
    other.load_state_dict(layer.state_dict())
    for again in (other, copy.deepcopy(layer)):
        assert torch.equal(again(x)[0], want)
    with pytest.raises(InputError, match="lacks weight_ih_l0"):
        layer.load_state_dict({})


@pytest.mark.parametrize("name", CELLS)
def test_one_step_as_a_module(name: str) -> None:
    layer = build(name)
    cell = peephole.Cell(name, I, H, dtype=torch.float64)
    cell.load_state_dict({key.removesuffix("_l0"): value for key, value in layer.state_dict().items()})
    x, states = draw(layer)
    current = given([state[0] for state in states])
    outputs = []
    for t in range(T):
        current = cell(x[t], current)
        outputs.append(listed(current)[0])
    same((torch.stack(outputs), [state[None] for state in listed(current)]), layer(x, given(states)))
    same((cell(x[0])[0], []), (cell(x[0], given([torch.zeros(B, H, dtype=x.dtype) for _ in states]))[0], []))


def test_which_back_end() -> None:
    layer = build("minimal")
    told = peephole.explain_backend(layer)
    assert "minimal, float64 on cpu" in told
    assert "reference: the equations" in told
    assert "has no cell 'minimal'" in told
    with pytest.raises(InputError, match=r"back end 'torch' cannot run minimal: .*; use backend='auto'") as caught:
        build("minimal", backend="torch")(draw(layer)[0])
    assert "\n" not in str(caught.value)


def test_low_precision() -> None:
    for name in CELLS:
        layer = build(name, dtype=torch.float32)
        x, _ = draw(layer)
        want = layer(x.float())[0]
        with torch.autocast("cpu", torch.bfloat16):
            mixed, finals = layer(x.float())
        assert mixed.dtype == torch.bfloat16
        assert {state.dtype for state in listed(finals)} == {torch.float32}
        assert float((mixed.float() - want).detach().abs().max()) <= 0.05
        mixed.float().sum().backward()


def test_without_bias() -> None:
    layer = build("minimal", dtype=torch.float64)
    bare = peephole.Recurrent(CellSpec("minimal", bias=False), I, H, dtype=torch.float64)
    assert set(dict(bare.named_parameters())) == {"weight_ih_l0", "weight_hh_l0"}
    with torch.no_grad():
        for name in ("bias_ih_l0", "bias_hh_l0"):
            dict(layer.named_parameters())[name].zero_()
    bare.load_state_dict({key: value for key, value in layer.state_dict().items() if "bias" not in key})
    x, states = draw(layer)
    same(bare(x, given(states)), layer(x, given(states)))


# --- the built-in cells once more ---


def test_the_plain_cells_written_by_a_user_are_the_plain_cells() -> None:
    @peephole.register_cell("my_lstm", ("i", "f", "g", "o"), ("h", "c"))
    def my_lstm(z: Tensors, states: States, weights: Tensors) -> States:
        h, c = states
        i, f, g, o = (
            z[gate] + part for gate, part in zip("ifgo", (h @ weights["weight_hh"].T).chunk(4, -1), strict=True)
        )
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c

    @peephole.register_cell("my_gru", ("r", "z", "n"))
    def my_gru(z: Tensors, states: States, weights: Tensors) -> States:
        (h,) = states
        part = dict(zip("rzn", (h @ weights["weight_hh"].T).chunk(3, -1), strict=True))
        r, u = (z["r"] + part["r"]).sigmoid(), (z["z"] + part["z"]).sigmoid()
        bias = weights["bias_hh"].chunk(3)[2]  # z has it already, outside of r
        n = (z["n"] - bias + r * (part["n"] + bias)).tanh()
        return ((1 - u) * n + u * h,)

    for name, kind in (("my_lstm", peephole.LSTM), ("my_gru", peephole.GRU)):
        mine = build(name, num_layers=2, bidirectional=True)
        theirs = kind(I, H, 2, bidirectional=True, dtype=torch.float64)
        theirs.load_state_dict(mine.state_dict())
        x, states = draw(mine)
        resets = torch.zeros(T, B, dtype=torch.bool)
        resets[2, 0] = True
        got, want = (layer(x, given(states), lengths=[6, 2, 0], resets=resets) for layer in (mine, theirs))
        same(got, want)
        for y, _ in (got, want):
            y.square().sum().backward()
        for one, two in zip(mine.parameters(), theirs.parameters(), strict=True):
            assert one.grad is not None
            assert two.grad is not None
            assert float((one.grad - two.grad).abs().max()) <= 1e-11


def test_registering_again_replaces_the_cell() -> None:
    x, _ = draw(build("minimal"))
    before = build("minimal")(x)[0]

    @peephole.register_cell("minimal", ("f", "n"))
    def other(z: Tensors, states: States, weights: Tensors) -> States:
        return (torch.tanh(z["n"]) * torch.sigmoid(z["f"]),)

    after = build("minimal")(x)[0]
    assert not torch.equal(after, before)
    assert CellSpec("minimal").source.startswith("registered by ")

    @peephole.register_cell(
        "minimal", ("a",), ("h", "s", "m"), parameters={"weight_scale": ("H",), "weight_mix": ("I", "H", 2)}
    )
    def larger(z: Tensors, states: States, weights: Tensors) -> States:
        h, s, m = states
        return (z["a"].tanh() * weights["weight_scale"], h + weights["weight_mix"].sum((0, 2)), s + m)

    layer = build("minimal", bidirectional=True)
    assert layer.weight_mix_l0_reverse.shape == (I, H, 2)
    assert layer.weight_ih_l0.shape == (H, I)
    y, (h, s, m) = layer(x)
    assert y.shape == (T, B, 2 * H)
    assert h.shape == s.shape == m.shape == (2, B, H)
    same((y, (h, s, m)), step_by_step(layer, x, list(layer.initial_states(B, x))))
    peephole.register_cell("minimal", ("f", "n"))(minimal)
    assert torch.equal(build("minimal")(x)[0], before)


# --- refusals ---


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda h, c: (h, c[:, :2]), "returned state c with shape [3, 2] at step 0; expected [3, 5]"),
        (lambda h, c: (h[0], c), "returned state h with shape [5] at step 0; expected [3, 5]"),
        (lambda h, c: (h,), "returned 1 values at step 0; expected a tuple of its states: h, c"),
        (lambda h, c: (h, c, c), "returned 3 values at step 0; expected a tuple of its states: h, c"),
        (lambda h, c: (h, 1.0), "returned state c with type float at step 0; expected [3, 5]"),
        (lambda h, c: (None, c), "returned state h with type NoneType at step 0; expected [3, 5]"),
        (lambda h, c: h, "returned a Tensor at step 0; expected a tuple of its states: h, c"),
        (lambda h, c: None, "returned a NoneType at step 0; expected a tuple of its states: h, c"),
        (lambda h, c: [h, c], "returned a list at step 0; expected a tuple of its states: h, c"),
    ],
)
@pytest.mark.usefixtures("unchecked_annotations")
def test_what_a_step_may_not_return(returned: Callable[..., Any], message: str) -> None:
    @peephole.register_cell("wrong", ("u",), ("h", "c"))
    def wrong(z: Tensors, states: States, weights: Tensors) -> Any:
        return returned(*states)

    for call in (
        lambda: build("wrong")(torch.zeros(T, B, I, dtype=torch.float64)),
        lambda: peephole.Cell("wrong", I, H)(torch.zeros(B, I)),
    ):
        with pytest.raises(InputError) as caught:
            call()
        assert str(caught.value) == f"the cell 'wrong' {message}"


def test_the_step_at_which_it_goes_wrong_is_named() -> None:
    seen: list[int] = []

    @peephole.register_cell("late", ("u",))
    def late(z: Tensors, states: States, weights: Tensors) -> States:
        seen.append(0)
        return (z["u"][:, : -1 if len(seen) == 4 else None],)

    with pytest.raises(InputError, match=r"returned state h with shape \[3, 4\] at step 3; expected \[3, 5\]"):
        build("late")(torch.zeros(T, B, I, dtype=torch.float64))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("lstm", {"gates": ("a",)}, "the cell name 'lstm' is taken; choose another than rnn, lstm, gru"),
        ("my cell", {"gates": ("a",)}, "the cell name is 'my cell'; expected letters, digits and underscores"),
        ("", {"gates": ("a",)}, "the cell name is ''; expected letters, digits and underscores"),
        ("class", {"gates": ("a",)}, "the cell name is 'class'; expected letters, digits and underscores"),
        ("2nd", {"gates": ("a",)}, "the cell name is '2nd'; expected letters, digits and underscores"),
        ("new", {"gates": ()}, "gates of the cell 'new' are (); expected a tuple of different names"),
        ("new", {"gates": ("a", "a")}, "gates of the cell 'new' are ('a', 'a'); expected a tuple of different names"),
        ("new", {"gates": "ab"}, "gates of the cell 'new' are 'ab'; expected a tuple of different names"),
        ("new", {"gates": ("a",), "states": ()}, "states of the cell 'new' are (); expected"),
        ("new", {"gates": ("a",), "states": "h"}, "states of the cell 'new' are 'h'; expected"),
        ("new", {"gates": ("a",), "parameters": {"weight_hh": ("H",)}}, "parameter 'weight_hh' of the cell 'new' is"),
        ("new", {"gates": ("a",), "parameters": {"my weight": ("H",)}}, "parameter 'my weight' of the cell 'new' is"),
        (
            "new",
            {"gates": ("a",), "parameters": {"weight_w": ("H", "X")}},
            "shape of 'weight_w' is ('H', 'X'); expected a tuple of",
        ),
        (
            "new",
            {"gates": ("a",), "parameters": {"weight_w": ("H", 0)}},
            "shape of 'weight_w' is ('H', 0); expected a tuple of",
        ),
        (
            "new",
            {"gates": ("a",), "parameters": {"weight_w": ("H", -1)}},
            "shape of 'weight_w' is ('H', -1); expected a tuple of",
        ),
        ("new", {"gates": ("a",), "parameters": {"weight_w": ()}}, "shape of 'weight_w' is (); expected a tuple of"),
        (
            "new",
            {"gates": ("a",), "parameters": {"weight_w": (1.5,)}},
            "shape of 'weight_w' is (1.5,); expected a tuple of",
        ),
    ],
)
@pytest.mark.usefixtures("unchecked_annotations")
def test_what_cannot_be_registered(name: str, options: dict[str, Any], message: str) -> None:
    before = dict(specs.FAMILIES)
    with pytest.raises(InputError) as caught:
        peephole.register_cell(name, **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert before == specs.FAMILIES


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CellSpec("minimal", layer_norm=True), "layer_norm needs the cell's own pre-activations"),
        (lambda: build("minimal", recurrent_dropout=0.1), "recurrent_dropout needs the cell's own recurrent product"),
        (lambda: build("minimal", zoneout_cell=0.1), "zoneout_cell=0.1 keeps the cell state, and a minimal has none"),
        (lambda: CellSpec("minimal", taps=2), "taps=2 is a switch of the rnn; a minimal has none"),
        (lambda: CellSpec("minimal", coupled=True), "coupled=True is a switch of the lstm; a minimal has none"),
        (lambda: CellSpec("minimal", projected=True), "proj_size is an option of the lstm; a minimal cannot project"),
        (lambda: build("minimal", proj_size=2), "proj_size is 2 and the spec is 'minimal'; expected both or none"),
        (lambda: build("minimal", init="identity"), "identity initialisation is the RNN's"),
        (lambda: build("leaky", init="chrono", longest=9), "chrono initialisation sets the gate that forgets"),
        (lambda: build("leaky", forget_bias=1.0), "leaky has no forget gate"),
        (lambda: build("unheard_of"), "unknown cell family 'unheard_of'; choose one of rnn, lstm, gru, minimal"),
        (lambda: build("leaky")(torch.zeros(T, B, I), torch.zeros(1, B, H)), "got 1 initial states; a leaky has 2: h"),
        (lambda: peephole.to_torch(build("minimal")), "cell 'minimal'"),
    ],
)
def test_what_a_cell_of_ones_own_cannot_have(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        make()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


COMPILED = """
import copy, torch, peephole

@peephole.register_cell("minimal", ("f", "n"), parameters={"weight_scale": ("H",)})
def minimal(z, states, weights):
    (h,) = states
    forget, candidate = weights["weight_hh"].chunk(2)
    f = torch.sigmoid(z["f"] + h @ forget.T)
    n = torch.tanh(z["n"] * weights["weight_scale"] + (f * h) @ candidate.T)
    return ((1 - f) * h + f * n,)

torch.set_num_threads(1)
torch.manual_seed(0)
layer = peephole.Recurrent("minimal", 4, 5, zoneout=0.2)
other = copy.deepcopy(layer)
compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
for steps, batch in ((6, 3), (9, 2)):
    x = torch.randn(steps, batch, 4)
    layer.zero_grad(), other.zero_grad()
    (got, last), (want, final) = (module(x, seed=torch.tensor(4)) for module in (compiled, other))
    got.square().sum().backward()
    want.square().sum().backward()
    assert float((got - want).detach().abs().max()) <= 1e-5
    assert float((last - final).detach().abs().max()) <= 1e-5
    for one, two in zip(layer.parameters(), other.parameters(), strict=True):
        assert float((one.grad - two.grad).abs().max()) <= 1e-5 * max(1.0, float(two.grad.abs().max()))
print("equal")
"""


def test_compiled() -> None:
    environment = os.environ | {"PEEPHOLE_NO_HOOK": "1"}
    command = [sys.executable, "-c", COMPILED]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout == "equal\n"


def test_a_state_changed_in_place_is_named_rather_than_believed() -> None:
    peephole.register_cell("minimal", ("a",))(lambda z, states, weights: (states[0].mul_(0.5).add_(z["a"]),))
    with pytest.raises(InputError, match="the cell 'minimal' changed a state in place at step 0"):
        build("minimal")(torch.randn(T, B, I, dtype=torch.float64))
