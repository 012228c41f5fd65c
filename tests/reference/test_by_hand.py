"""The lecture's pseudocode, against automatic differentiation of the oracle and against finite differences."""

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise, product
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from peephole.errors import InputError
from peephole.reference import by_hand, run
from peephole.reference.by_hand import (
    Cell,
    GRUCell,
    LSTMCell,
    Network,
    RNNCell,
    gradients_to_stacked,
    parameters_from_stacked,
    softmax_jacobian,
)
from peephole.spec import CellSpec

Kind = tuple[Callable[[], Cell], CellSpec]


def rnn(nonlinearity: str) -> Kind:
    return lambda: RNNCell(nonlinearity), CellSpec("rnn", nonlinearity=nonlinearity)


def lstm(**switches: object) -> Kind:
    return LSTMCell, CellSpec("lstm", **switches)


def gru(reset: str, update: str) -> Kind:
    return lambda: GRUCell(reset, update), CellSpec("gru", reset=reset, update=update)


KINDS: dict[str, Kind] = {
    **{f"rnn {f}": rnn(f) for f in ("tanh", "relu", "sigmoid", "identity", "softmax")},
    "lstm": lstm(),
    "lstm full": lstm(peephole="full"),
    "lstm full and candidate": lstm(peephole="full", candidate_peephole=True),
    "lstm diagonal": lstm(peephole="diagonal"),
    "lstm diagonal and candidate": lstm(peephole="diagonal", candidate_peephole=True),
    **{f"gru {r} {u}": gru(r, u) for r, u in product(("before", "after"), ("writes", "keeps"))},
}
LECTURED = "lstm full and candidate"
T, V = 5, 4


@dataclass
class Case:
    """A network with everything that a gradient is asked of; initial states in the lecture's order, h last."""

    make: Callable[[], Cell]
    spec: CellSpec
    weights: list[dict[str, Tensor]]
    W_o: Tensor
    b_o: Tensor
    x: Tensor
    initial: list[tuple[Tensor, ...]]

    def network(self) -> Network:
        layers = [parameters_from_stacked(self.make(), weights) for weights in self.weights]
        return Network(self.make, layers, self.W_o, self.b_o)

    def leaves(self) -> dict[str, Tensor]:
        """Everything differentiable by name."""
        found = {"W_o": self.W_o, "b_o": self.b_o, "x": self.x}
        for l, (weights, states) in enumerate(zip(self.weights, self.initial, strict=True), start=1):
            found |= {f"{name} of layer {l}": weight for name, weight in weights.items()}
            found |= {
                f"initial {name} of layer {l}": state for name, state in zip(self.make().states, states, strict=True)
            }
        return found

    def by_hand(self, dY: Tensor) -> dict[str, Tensor]:
        """The gradients of `leaves`, by the pseudocode."""
        network = self.network()
        network.forward(self.x, self.initial)
        gradients = network.backward(dY)
        layers = [gradients_to_stacked(self.make(), each) for each in gradients.layers]
        if not self.spec.bias:
            layers = [{name: each[name] for name in self.spec.parameter_names()} for each in layers]
        return replace(
            self, weights=layers, W_o=gradients.W_o, b_o=gradients.b_o, x=gradients.x, initial=gradients.initial
        ).leaves()

    def oracle(self) -> Tensor:
        """Y, by `peephole.reference.run`, which can be differentiated."""
        y = self.x[:, None]
        for weights, states in zip(self.weights, self.initial, strict=True):
            y, _ = run(self.spec, y, [state[None] for state in reversed(states)], list(weights.values()))
        return torch.softmax(y[:, 0] @ self.W_o.T + self.b_o, dim=-1)


def case(kind: str | Kind, H: int, L: int = 2, I: int = 3, seed: int = 0) -> Case:
    make, spec = KINDS[kind] if isinstance(kind, str) else kind
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        wide = shape[-1] if len(shape) > 1 else 1
        return torch.randn(*shape, generator=generator, dtype=torch.float64) / wide**0.5

    sizes = [I, *[H + l for l in range(L)]]  # layers of different sizes, so that no index can be mistaken
    weights = [
        {name: draw(*shape) for name, shape in spec.parameter_shapes(before, after).items()}
        for before, after in pairwise(sizes)
    ]
    initial = [tuple(draw(size) for _ in make().states) for size in sizes[1:]]
    x = torch.randn(T, I, generator=generator, dtype=torch.float64)
    return Case(make, spec, weights, draw(V, sizes[-1]), draw(V), x, initial)


def draws(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# --- against automatic differentiation of the oracle ---


@pytest.mark.parametrize("L", [1, 2])
@pytest.mark.parametrize("H", [1, 2, 7, 33])
@pytest.mark.parametrize("kind", KINDS)
def test_network_equals_the_oracle(kind: str, H: int, L: int, agree: Callable[..., None]):
    net = case(kind, H, L)
    leaves = net.leaves()
    for leaf in leaves.values():
        leaf.requires_grad_()
    Y, dY = net.oracle(), draws(T, V)
    want = dict(zip(leaves, torch.autograd.grad(Y, list(leaves.values()), dY), strict=True))

    agree(net.network().forward(net.x, net.initial), Y, 1e-12, "Y")
    got = net.by_hand(dY)
    assert got.keys() == want.keys()
    for name in want:
        agree(got[name], want[name], 1e-10, name, floor=1e-4)


def test_network_without_biases_equals_the_oracle(agree: Callable[..., None]):
    net = case(lstm(bias=False, peephole="full"), H=7)
    leaves = net.leaves()
    assert not any("bias" in name for name in leaves)
    for leaf in leaves.values():
        leaf.requires_grad_()
    want = dict(zip(leaves, torch.autograd.grad(net.oracle(), list(leaves.values()), dY := draws(T, V)), strict=True))
    got = net.by_hand(dY)
    for name in want:
        agree(got[name], want[name], 1e-10, name)


@pytest.mark.parametrize("H", [1, 2, 7, 33])
@pytest.mark.parametrize("kind", KINDS)
def test_cell_equals_the_oracle_with_a_gradient_on_every_state(kind: str, H: int, agree: Callable[..., None]):
    one = case(kind, H, L=1)
    weights, states, x = one.weights[0], one.initial[0], one.x[0]
    leaves = [*states, x, *weights.values()]
    for leaf in leaves[: len(states)] + leaves[len(states) + 1 :]:
        leaf.requires_grad_()
    x.requires_grad_()
    _, finals = run(one.spec, x[None, None], [state[None] for state in reversed(states)], list(weights.values()))
    dstates_o = [draws(H, seed=seed) for seed in range(len(states))]
    want = torch.autograd.grad(finals, leaves, [d[None] for d in reversed(dstates_o)])

    cell = one.make()
    parameters = parameters_from_stacked(cell, weights)
    states_o = cell.forward(*states, x, parameters)
    for state, final in zip(states_o, reversed(finals), strict=True):
        agree(state, final[0], 1e-12, "state")
    upstream = [d.clone() for d in dstates_o]
    *dstates, dx, d = cell.backward(*upstream, *states, *states_o, x, parameters)
    got = [*dstates, dx, *gradients_to_stacked(cell, d).values()]
    names = [*cell.states, "x", *weights]
    for name, mine, theirs in zip(names, got, want, strict=True):
        agree(mine, theirs, 1e-10, name, floor=1e-4)
    for given, before in zip(upstream, dstates_o, strict=True):
        assert torch.equal(given, before), "backward changed what it was given"


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_have_the_shapes_of_their_parameters(kind: str):
    net = case(kind, H=7)
    network = net.network()
    network.forward(net.x, net.initial)
    for parameters, d in zip(network.parameters.values(), network.backward(draws(T, V)).layers, strict=True):
        assert {name: W.shape for name, W in parameters.items()} == {name: dW.shape for name, dW in d.items()}


def test_softmax_jacobian_is_full_and_its_rows_sum_to_nothing(agree: Callable[..., None]):
    z = draws(6)
    jacobian = softmax_jacobian(z)
    agree(jacobian, torch.autograd.functional.jacobian(lambda z: torch.softmax(z, 0), z), 1e-12)
    assert (jacobian != 0).all()
    assert jacobian.sum(1).abs().max() <= 1e-15


# --- against finite differences of a divergence ---


def divergence(Y: Tensor, D: Tensor, w: Tensor) -> Tensor:
    """Σ_t w_t KL(D(t) ‖ Y(t))."""
    return (w[:, None] * D * (D / Y).log()).sum()


@pytest.mark.parametrize(("H", "L"), [(1, 1), (2, 2), (7, 2), (33, 2)])
@pytest.mark.parametrize("kind", KINDS)
def test_network_equals_finite_differences(kind: str, H: int, L: int):
    net = case(kind, H, L, seed=2)
    D = torch.softmax(draws(T, V, seed=3), dim=-1)
    w = torch.tensor([1.0, 0.5, 0.0, 2.0, 1.5], dtype=torch.float64)
    Y = net.network().forward(net.x, net.initial)
    gradients = net.by_hand(-w[:, None] * D / Y)
    step, largest = 1e-5, max(float(d.abs().max()) for d in gradients.values())
    assert largest > 1e-2

    for name, leaf in net.leaves().items():
        scale = max(float(gradients[name].abs().max()), 1e-3 * largest)
        for entry in torch.linspace(0, leaf.numel() - 1, min(5, leaf.numel())).long().tolist():
            values = leaf.view(-1)
            kept = float(values[entry])
            around: list[float] = []
            for moved in (kept + step, kept - step):
                values[entry] = moved
                around.append(float(divergence(net.network().forward(net.x, net.initial), D, w)))
            values[entry] = kept
            difference = (around[0] - around[1]) / (2 * step)
            error = abs(float(gradients[name].view(-1)[entry]) - difference)
            assert error <= 1e-6 * scale, f"{name}, entry {entry}"


# --- what the pseudocode promises ---


def test_every_step_and_layer_has_a_cell_of_its_own_with_its_static_values(agree: Callable[..., None]):
    net = case(LECTURED, H=7)
    network = net.network()
    network.forward(net.x, net.initial)
    assert set(network.cells) == {(t, l) for t in range(T) for l in (1, 2)}
    assert len({id(cell) for cell in network.cells.values()}) == 2 * T

    def check() -> None:
        for (t, l), cell in network.cells.items():
            p = SimpleNamespace(**network.parameters[l])
            (C, h), (C_o, h_o) = network.states[t - 1, l], network.states[t, l]
            x = net.x[t] if l == 1 else network.states[t, l - 1][-1]
            agree(cell.z_f, p.W_fc @ C + p.W_fh @ h + p.W_fx @ x + p.b_f, 1e-14, "z_f")
            agree(cell.z_i, p.W_ic @ C + p.W_ih @ h + p.W_ix @ x + p.b_i, 1e-14, "z_i")
            agree(cell.z_c, p.W_cc @ C + p.W_ch @ h + p.W_cx @ x + p.b_c, 1e-14, "z_c")
            agree(cell.z_o, p.W_oc @ C_o + p.W_oh @ h + p.W_ox @ x + p.b_o, 1e-14, "z_o")
            for gate, z in ((cell.f, cell.z_f), (cell.i, cell.z_i), (cell.o, cell.z_o)):
                agree(gate, torch.sigmoid(z), 1e-14, "gate")
            agree(cell.C_i, torch.tanh(cell.z_c), 1e-14, "C_i")
            agree(C_o, cell.f * C + cell.i * cell.C_i, 1e-14, "C_o")
            agree(h_o, cell.o * torch.tanh(C_o), 1e-14, "h_o")

    check()
    network.backward(draws(T, V))
    check()


@pytest.mark.parametrize(
    ("kind", "names"), [("rnn tanh", ["z"]), ("gru before writes", ["z_z", "z_r", "z_n", "z", "r", "h_tilde"])]
)
def test_the_other_cells_retain_their_static_values(kind: str, names: list[str]):
    net = case(kind, H=7)
    network = net.network()
    network.forward(net.x, net.initial)
    for (t, l), cell in network.cells.items():
        again = net.make()
        x = net.x[t] if l == 1 else network.states[t, l - 1][-1]
        again.forward(*network.states[t - 1, l], x, network.parameters[l])
        assert list(vars(cell)) == list(vars(again))
        for name in names:
            assert torch.equal(getattr(cell, name), getattr(again, name))


@pytest.mark.parametrize("kind", KINDS)
def test_initial_states_are_zero_where_left_out(kind: str):
    net = case(kind, H=7)
    zeros = [tuple(torch.zeros_like(state) for state in states) for states in net.initial]
    assert torch.equal(net.network().forward(net.x), net.network().forward(net.x, zeros))


@pytest.mark.parametrize("kind", KINDS)
def test_the_network_can_run_again(kind: str):
    net = case(kind, H=2)
    network, dY = net.network(), draws(3, V)
    network.forward(net.x, net.initial)
    network.backward(draws(T, V))
    Y, gradients = network.forward(net.x[:3], net.initial), network.backward(dY)
    assert max(t for t, _ in network.cells) == max(network.z_o) == 2
    fresh = net.network()
    assert torch.equal(Y, fresh.forward(net.x[:3], net.initial))
    assert torch.equal(gradients.x, fresh.backward(dY).x)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_records_what_was_computed(kind: str, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("autograd was asked")

    for owner, name in ((torch.autograd, "grad"), (torch.autograd, "backward"), (Tensor, "backward")):
        monkeypatch.setattr(owner, name, refuse)
    net = case(kind, H=2)
    for leaf in net.leaves().values():
        leaf.requires_grad_()
    network = net.network()
    Y = network.forward(net.x, net.initial)
    results = [
        Y,
        *net.by_hand(draws(T, V)).values(),
        *(state for states in network.states.values() for state in states),
    ]
    results += [value for cell in network.cells.values() for value in vars(cell).values() if isinstance(value, Tensor)]
    made = [value for value in results if all(value is not leaf for leaf in net.leaves().values())]
    assert len(made) > 20
    assert not any(value.requires_grad or value.grad_fn for value in made)


def test_the_source_names_no_automatic_differentiation():
    for path in Path(inspect.getfile(by_hand)).parent.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert not names & {"autograd", "func", "requires_grad", "requires_grad_", "enable_grad", "vjp", "jacrev"}, path


# --- what cannot be used is refused in one line ---


def test_sizes_that_do_not_fit_are_refused(unchecked_annotations: None):
    net = case(LECTURED, H=4, L=2, I=3)
    network, (first, second) = net.network(), net.initial

    def complaint(call: Callable[[], object]) -> str:
        with pytest.raises(InputError) as caught:
            call()
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert complaint(lambda: network.backward(draws(T, V))).startswith("backward came before forward")
    assert complaint(lambda: network.forward(draws(T, 2))) == "x has shape [5, 2]; expected [5, 3]"
    assert complaint(lambda: network.forward(draws(3))) == "x has shape [3]; expected [3, 3]"
    assert complaint(lambda: network.forward(draws(0, 3))) == "x has shape [0, 3]; expected [1, 3]"
    assert complaint(lambda: network.forward(net.x, [first])).startswith("got the initial states of 1 layers")
    assert complaint(lambda: network.forward(net.x, [first, second[:1]])).startswith("layer 2 has 1 initial states")
    assert complaint(lambda: network.forward(net.x, [second, first])) == (
        "initial C of layer 1 has shape [5]; expected [4]"
    )
    network.forward(net.x)
    assert complaint(lambda: network.backward(draws(T - 1, V))) == "dY has shape [4, 4]; expected [5, 4]"

    def build(layer: int = 0, W_o: Tensor = net.W_o, b_o: Tensor = net.b_o, **changes: Tensor | None) -> Network:
        layers = [dict(parameters) for parameters in network.parameters.values()]
        layers[layer].update(changes)
        return Network(LSTMCell, [{k: W for k, W in each.items() if W is not None} for each in layers], W_o, b_o)

    assert complaint(lambda: build(W_fx=draws(4, 2))) == "W_fx of layer 1 has shape [4, 2]; expected [4, 3]"
    assert complaint(lambda: build(W_fh=draws(4, 5))) == "W_fh of layer 1 has shape [4, 5]; expected [4, 4]"
    assert complaint(lambda: build(W_oc=draws(3))) == "W_oc of layer 1 has shape [3]; expected [4]"
    assert complaint(lambda: build(1, W_ix=draws(5, 5))) == "W_ix of layer 2 has shape [5, 5]; expected [5, 4]"
    assert complaint(lambda: build(b_c=None)).startswith("layer 1 lacks b_c; expected W_ix, ")
    assert complaint(lambda: build(W_co=draws(4, 4))).startswith("layer 1 has W_co; expected W_ix, ")
    assert complaint(lambda: build(W_o=draws(V, 6))) == "W_o has shape [4, 6]; expected [4, 5]"
    assert complaint(lambda: build(b_o=draws(3))) == "b_o has shape [3]; expected [4]"
    assert complaint(lambda: Network(LSTMCell, [], net.W_o, net.b_o)).startswith("a network has no hidden layers")
    assert complaint(lambda: Network(lambda: GRUCell(reset="after"), [{}], net.W_o, net.b_o)).count("lacks") == 10


def test_unknown_switches_are_refused():
    with pytest.raises(InputError, match="unknown nonlinearity 'swish'; choose one of tanh, relu"):
        RNNCell("swish")
    with pytest.raises(InputError, match="reset is 'never'"):
        GRUCell(reset="never")
    with pytest.raises(InputError, match="update is 'never'"):
        GRUCell(update="never")
