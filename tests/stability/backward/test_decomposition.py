"""The gradient by lag: against autograd with a copy of the weights for every step, known systems, bad input."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

import peephole
from peephole.errors import InputError
from peephole.nn.recurrent import Recurrent
from peephole.reference.sequence import STEPS
from peephole.spec import CellSpec
from peephole.stability.backward import lags
from peephole.stability.backward.decomposition import Decomposition, decompose_gradient
from peephole.stability.backward.seeds import seeds_of
from peephole.stability.recordings.recording import record
from peephole.stability.steps import Linearised

from ...cells import MATRIX
from ..nets import lively, same, snapshot

T, B = 6, 3

Sums = dict[int, dict[str, Tensor]]  # gradients by lag and name


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(5))


def weighed(y: Tensor) -> Tensor:
    """A divergence that treats every time, row and unit differently."""
    return (y.square() * torch.linspace(-1, 2, y.numel(), dtype=y.dtype).view(y.shape)).sum()


class WithFinals(nn.Module):
    """A net whose output depends on every output and every final state."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, **given: Any) -> Tensor:
        y, finals = self.net(**given)
        finals = (finals,) if isinstance(finals, Tensor) else finals
        return weighed(y) + sum(weighed(3 * state) for state in finals)


class Padded(nn.Module):
    """The same divergence of the first steps alone."""

    def __init__(self, model: WithFinals, steps: int) -> None:
        super().__init__()
        self.net, self.steps = model.net, steps

    def forward(self, **given: Any) -> Tensor:
        y, finals = self.net(**given)
        return weighed(y[: self.steps]) + sum(weighed(3 * state) for state in finals)


def found_by_lag(module: nn.Module, batch: Any, divergence: Callable[[Any], Tensor], longest: int) -> Sums:
    recording = record(module, batch)
    layers, sent = lags.linearised_layers(recording), lags.entering(recording, seeds_of(recording, divergence))
    found: Sums = {}
    with torch.no_grad():
        for lag, index, gradients in lags.gradients_by_lag(layers, sent, longest):
            passage = recording.passages[index]
            suffix = f"_l{passage.layer}{'_reverse' if passage.reverse else ''}"
            found.setdefault(lag, {}).update({name + suffix: gradient for name, gradient in gradients.items()})
    return found


def wanted_by_lag(net: Recurrent, x: Tensor, divergence_at: Callable[[Tensor, int], Tensor]) -> Sums:
    """By autograd: each step has its own copy of the weights, so that Div(t) can be asked about those of step k."""
    inputs, copies = list(x), {}
    for layer in range(net.num_layers):
        sides = []
        for direction in range(net.num_directions):
            index = layer * net.num_directions + direction
            named = list(net.named_layers())[index]
            states = tuple(state[index] for state in net.initial_states(x.shape[1], x))
            outputs: list[Tensor] = [x] * len(inputs)
            for t in reversed(range(len(inputs))) if direction else range(len(inputs)):
                own = {name: weight.detach().clone().requires_grad_() for name, weight in named.items()}
                copies[f"_l{layer}{'_reverse' if direction else ''}", t] = own
                states = STEPS[net.spec.family](net.spec, inputs[t], states, own, None)
                outputs[t] = states[0]
            sides.append(outputs)
        inputs = [torch.cat(each, -1) for each in zip(*sides, strict=True)]
    found: Sums = {}
    leaves = [(suffix, k, name, copy) for (suffix, k), own in copies.items() for name, copy in own.items()]
    for t in range(len(inputs)):
        gradients = torch.autograd.grad(
            divergence_at(inputs[t], t), [leaf[3] for leaf in leaves], retain_graph=True, allow_unused=True
        )
        for (suffix, k, name, _), gradient in zip(leaves, gradients, strict=True):
            if gradient is not None:
                of_lag = found.setdefault(t - k, {})
                of_lag[name + suffix] = of_lag.get(name + suffix, 0) + gradient
    return found


def apart(got: Tensor, wanted: Tensor) -> float:
    return float((got - wanted).norm() / wanted.norm().clamp_min(1e-12))


@pytest.mark.parametrize("spec", MATRIX.values(), ids=MATRIX)
def test_every_lag_of_every_cell_against_autograd(spec: CellSpec) -> None:
    net, x, weights = lively(spec, layers=2), draw(T, B, 3), draw(T, B, 2 if spec.projected else 5)
    found = found_by_lag(net, x, lambda y: (y * weights).sum(), T - 1)
    wanted = wanted_by_lag(net, x, lambda y, t: (y * weights[t]).sum())
    assert sorted(found) == sorted(wanted) == list(range(T))
    for lag, gradients in wanted.items():
        for name, gradient in gradients.items():
            assert apart(found[lag][name], gradient) <= 1e-9, (lag, name)


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("cell", ["lstm V", "gru", "rnn tanh"])
def test_both_directions_against_autograd(cell: str, layers: int) -> None:
    net, x, weights = lively(MATRIX[cell], layers, bidirectional=True), draw(T, B, 3), draw(T, B, 10)
    found = found_by_lag(net, x, lambda y: (y * weights).sum(), T - 1)
    wanted = wanted_by_lag(net, x, lambda y, t: (y * weights[t]).sum())
    assert sorted(found) == sorted(wanted) == list(range(1 - T, T))
    for lag, gradients in wanted.items():
        for name, gradient in gradients.items():
            assert apart(found[lag][name], gradient) <= 1e-9, (lag, name)
        if layers == 1:  # what goes back in time is negative
            assert all(name.endswith("_reverse") == (lag < 0) for name in gradients if lag)


@pytest.mark.parametrize("spec", MATRIX.values(), ids=MATRIX)
@pytest.mark.parametrize("sided", ["stack", "both directions"])
def test_lags_add_up_to_backpropagation_through_time(spec: CellSpec, sided: str) -> None:
    """With rows that end, sequences that begin inside a row, zoneout and divergences of final states."""
    layers, bidirectional = (2, False) if sided == "stack" else (1, True)
    model = WithFinals(lively(spec, layers, bidirectional, zoneout=0.1).eval())
    batch = {"input": draw(T, B, 3), "lengths": [T, 0, 4], "resets": draw(T, B) > 0.8}
    model(**batch).backward()
    found = decompose_gradient(model, batch, lambda value: value, longest=None)
    added: dict[str, Tensor] = {}
    for gradients in found_by_lag(model, batch, lambda value: value, T - 1).values():
        for name, gradient in gradients.items():
            added[name] = added.get(name, 0) + gradient
    for name, parameter in model.net.named_parameters():
        assert parameter.grad is not None
        assert apart(found.gradients[name], parameter.grad) <= 1e-8, name
        assert apart(added[name], parameter.grad) <= 1e-8, name
        assert found.errors[name][-1] <= 1e-8
        assert found.remainders[name] <= 1e-8 * (1 + float(parameter.grad.norm()))
    assert found.error[-1] <= 1e-8


def test_a_deep_bidirectional_net_with_rows_that_end() -> None:
    model = WithFinals(lively(CellSpec("gru"), 3, bidirectional=True))
    batch = {"input": draw(T, B, 3), "lengths": [T, 3, 1]}
    model(**batch).backward()
    found = decompose_gradient(model, batch, lambda value: value, longest=2)
    added = found_by_lag(model, batch, lambda value: value, T - 1)
    assert found.lags == (-2, -1, 0, 1, 2)
    for name, parameter in model.net.named_parameters():
        assert parameter.grad is not None
        assert apart(found.gradients[name], parameter.grad) <= 1e-8
        nothing = torch.zeros_like(parameter)  # the last layer's directions have one sign each
        assert apart(sum((each.get(name, nothing) for each in added.values()), nothing), parameter.grad) <= 1e-8
        for place, lag in enumerate(found.lags):
            assert abs(float(found.norms[name][place] - added[lag].get(name, nothing).norm())) <= 1e-9


@pytest.mark.parametrize("bidirectional", [False, True])
def test_lags_count_the_steps_that_a_row_took(bidirectional: bool) -> None:
    """The final state of a short row is its last step's: padding moves no lag."""
    model = WithFinals(lively(CellSpec("lstm"), bidirectional=bidirectional))
    x = draw(T, B, 3)
    whole = decompose_gradient(model, {"input": x[:4]}, lambda value: value)
    padded = decompose_gradient(Padded(model, 4), {"input": x, "lengths": [4] * B}, lambda value: value)
    reach = 3 if bidirectional else 0
    kept = [place for place, lag in enumerate(padded.lags) if -reach <= lag <= 3]
    for name, norms in whole.norms.items():
        assert torch.allclose(padded.norms[name][kept], norms, rtol=1e-9)
        assert float(padded.norms[name].sum() - norms.sum()) <= 1e-9  # nothing beyond


@pytest.fixture(scope="module")
def stack() -> tuple[Recurrent, Tensor, Decomposition, Sums]:
    net, x = lively(CellSpec("lstm", peephole="diagonal"), 2, spread=0.4), draw(30, B, 3)
    return net, x, decompose_gradient(net, x, weighed, longest=None), found_by_lag(net, x, weighed, 29)


def test_truncation_is_the_sum_of_the_first_lags(stack: tuple[Recurrent, Tensor, Decomposition, Sums]) -> None:
    _, _, found, by_lag = stack
    whole = torch.cat([gradient.flatten() for gradient in found.gradients.values()])
    for k in (0, 1, 7, 29):
        sums = {name: sum(by_lag[lag][name] for lag in range(k + 1)) for name in found.gradients}
        for name, truncated in sums.items():
            want = (truncated - found.gradients[name]).norm() / found.gradients[name].norm()
            assert abs(float(found.errors[name][k] - want)) <= 1e-9
            cosine = torch.cosine_similarity(truncated.flatten(), found.gradients[name].flatten(), dim=0)
            assert abs(float(found.cosines[name][k] - cosine)) <= 1e-9
        together = torch.cat([truncated.flatten() for truncated in sums.values()])
        assert abs(float(found.error[k] - (together - whole).norm() / whole.norm())) <= 1e-9
        assert abs(float(found.cosine[k] - torch.cosine_similarity(together, whole, dim=0))) <= 1e-9
    k = found.enough(0.05)
    assert k is not None
    assert 0 < k < 29
    assert found.error[k - 1] > 0.05 >= found.error[k:].max()
    assert found.enough(0.0) is None


def test_norms_and_participation(stack: tuple[Recurrent, Tensor, Decomposition, Sums]) -> None:
    _, _, found, by_lag = stack
    for lag in (0, 3, 29):
        for layer in (0, 1):
            own = [gradient.flatten() for name, gradient in by_lag[lag].items() if name.endswith(f"_l{layer}")]
            g = torch.cat(own)
            assert abs(float(found.norm(f"layer {layer}")[lag] / g.norm()) - 1) <= 1e-9
            want = float(g.square().sum() ** 2 / (len(g) * g.pow(4).sum()))
            assert abs(float(found.participation[f"layer {layer}"][lag]) - want) <= 1e-9
    both = (found.norm("layer 0").square() + found.norm("layer 1").square()).sqrt()
    assert (found.norm() - both).abs().max() <= 1e-9
    g = torch.cat([gradient.flatten() for name, gradient in found.gradients.items() if name.endswith("_l1")])
    assert abs(found.whole_participation["layer 1"] - float(g.square().sum() ** 2 / (len(g) * g.pow(4).sum()))) <= 1e-9
    with pytest.raises(InputError, match="layer 0, layer 1"):
        found.norm("layer 2")


def test_the_longest_lag_leaves_one_remainder(stack: tuple[Recurrent, Tensor, Decomposition, Sums]) -> None:
    net, x, everything, by_lag = stack
    short = decompose_gradient(net, x, weighed, longest=4)
    assert short.lags == tuple(range(5))
    for name, gradient in short.gradients.items():
        assert apart(gradient, everything.gradients[name]) <= 1e-12
        assert (short.norms[name] - everything.norms[name][:5]).abs().max() <= 1e-12
        rest = sum(by_lag[lag][name] for lag in range(5, 30))
        assert abs(short.remainders[name] / float(rest.norm()) - 1) <= 1e-9  # pyright: ignore
    assert (short.error - everything.error[:5]).abs().max() <= 1e-12
    assert decompose_gradient(net, x, weighed).lags == tuple(range(30))  # 64 at most, 29 there are


def test_time_is_linear_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    pulled = 0
    plain = Linearised.pull

    def counted(self: Linearised, at: int | slice, gradients: tuple[Tensor, ...]) -> object:
        nonlocal pulled
        pulled += 1 if isinstance(at, int) else len(range(*at.indices(self.passage.steps)))
        return plain(self, at, gradients)

    monkeypatch.setattr(Linearised, "pull", counted)
    net = lively(CellSpec("gru"), 2, spread=0.3)
    decompose_gradient(net, draw(100, 1, 3), weighed, longest=5)
    assert 2 * 100 < pulled <= 2 * 100 * (6 + 2)  # layers, steps; lags and the whole


def test_a_scalar_recurrence_is_a_power() -> None:
    """h_t = w h_{t−1} + x_t, Div = h_T: the lag ℓ of ∂Div/∂w is w^ℓ h_{T−ℓ−1}, and of ∂Div/∂u w^ℓ x_{T−ℓ}."""
    net = peephole.RNN(1, 1, nonlinearity="identity", bias=False, dtype=torch.float64)
    x = draw(20, 1, 1)
    with torch.no_grad():
        net.weight_hh_l0.fill_(-0.8)
        net.weight_ih_l0.fill_(1.0)
    found = decompose_gradient(net, x, lambda y: y[-1].sum(), longest=None)
    h = torch.cat([torch.zeros(1), net(x)[0].detach().flatten()])
    for lag in range(20):
        assert abs(float(found.norms["weight_ih_l0"][lag] - (0.8**lag * x[19 - lag]).abs())) <= 1e-12
        assert abs(float(found.norms["weight_hh_l0"][lag] - (0.8**lag * h[19 - lag]).abs())) <= 1e-12
    assert float(found.participation["layer 0"][19]) == 0.5  # h before the first step is 0: one weight of two


def test_identical_gradients_take_part_alike() -> None:
    net = peephole.RNN(2, 3, residual="input", nonlinearity="identity", bias=False, dtype=torch.float64)
    found = decompose_gradient(net, torch.ones(4, 1, 2, dtype=torch.float64), lambda y: y[-1].sum())
    assert torch.equal(found.participation["layer 0"], torch.ones(4, dtype=torch.float64))
    assert (found.norms["weight_ih_l0"] == found.norms["weight_ih_l0"][0]).all()  # the identity mapping
    assert found.error.tolist() == pytest.approx([0.75, 0.5, 0.25, 0.0])
    assert found.cosine.tolist() == pytest.approx([1.0] * 4)


def test_a_parameter_without_gradient() -> None:
    net = peephole.RNN(2, 3, nonlinearity="relu", dtype=torch.float64)
    with torch.no_grad():
        net.bias_ih_l0.fill_(-100.0)
    found = decompose_gradient(net, draw(T, B, 2), lambda y: y.sum())
    assert not any(bool(gradient.any()) for gradient in found.gradients.values())
    assert found.error.tolist() == [0.0] * T
    assert torch.isnan(found.cosine).all()
    assert torch.isnan(found.participation["layer 0"]).all()
    assert found.verdict == "No gradient reaches the 21 recurrent parameters."
    found.plot(Figure().subplots())


class Model(nn.Module):
    """What people measure: an embedding, a net of torch's, a head."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.embedding, self.net, self.head = nn.Embedding(7, 3), net, nn.Linear(5, 7)

    def forward(self, symbols: Tensor) -> Tensor:
        return self.head(self.net(self.embedding(symbols))[0])


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_torch_and_peephole_alike_in_float32(kind: type[nn.RNNBase]) -> None:
    torch.manual_seed(0)
    theirs = Model(kind(3, 5, num_layers=2, batch_first=True))
    ours = Model(peephole.from_torch(theirs.net))  # pyright: ignore[reportArgumentType]
    ours.load_state_dict(theirs.state_dict())
    symbols = torch.randint(0, 7, (B, T))

    def divergence(logits: Tensor) -> Tensor:
        return nn.functional.cross_entropy(logits.flatten(0, 1), symbols.flatten())

    before = snapshot(theirs)
    found, other = (decompose_gradient(model, symbols, divergence, longest=None) for model in (theirs, ours))
    assert same(before, snapshot(theirs))
    divergence(theirs(symbols)).backward()
    for name, parameter in theirs.net.named_parameters():
        assert apart(found.gradients[name], parameter.grad) <= 1e-5  # pyright: ignore
        assert apart(found.norms[name], other.norms[name]) <= 1e-5
        assert found.norms[name].dtype == found.error.dtype == torch.float32
    assert found.error[-1] <= 1e-6
    assert found.parameters == sum(parameter.numel() for parameter in theirs.net.parameters())


def test_learned_states_are_left_out() -> None:
    net = lively(CellSpec("gru"), learned_states=True)
    found = decompose_gradient(net, draw(T, B, 3), weighed)
    assert set(found.gradients) == {name for name, _ in net.named_parameters() if not name.startswith("state_")}


def test_a_cell_of_ones_own() -> None:
    from peephole.spec import FAMILIES

    before = dict(FAMILIES), dict(STEPS)
    try:

        @peephole.register_cell("leaky", gates=("h",), states=("h",))
        def leaky(z: Any, states: Any, weights: Any) -> Any:
            return (0.5 * states[0] + torch.tanh(z["h"] + states[0] @ weights["weight_hh"].T),)

        net = lively(CellSpec("leaky"), 2)
        weighed(net(draw(T, B, 3))[0]).backward()
        found = decompose_gradient(net, draw(T, B, 3), weighed, longest=None)
        for name, parameter in net.named_parameters():
            assert apart(found.gradients[name], parameter.grad) <= 1e-8  # pyright: ignore
        assert found.error[-1] <= 1e-8
    finally:
        for registry, content in zip((FAMILIES, STEPS), before, strict=True):
            registry.clear()
            registry.update(content)


def test_the_result_is_frozen_and_says_what_it_found(stack: tuple[Recurrent, Tensor, Decomposition, Sums]) -> None:
    net, x, found, _ = stack
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.lags = ()  # pyright: ignore[reportAttributeAccessIssue]
    k = found.enough()
    assert k is not None
    assert found.verdict.startswith(f"{k} steps back are enough for the gradient of {found.parameters} parameters")
    assert f"{found.whole_participation['layer 0']:.2%}" in found.verdict or "layer 1" in found.verdict
    short = decompose_gradient(net, x, weighed, longest=2)
    assert short.verdict.startswith("Even 2 steps back are not enough")
    assert f"{float(short.error[-1]):.2%}" in short.verdict
    growing = peephole.RNN(3, 5, nonlinearity="identity", init="orthogonal", dtype=torch.float64)
    with torch.no_grad():
        growing.weight_hh_l0.mul_(1.2)
    assert decompose_gradient(growing, x, lambda y: y[-1].sum(), None).verdict.startswith("It takes all 29 steps back")
    for each in (found, short):
        assert each.verdict.count(".\n") == 0
        assert each.verdict.endswith(".")


def test_plots(stack: tuple[Recurrent, Tensor, Decomposition, Sums]) -> None:
    ax = Figure().subplots()
    stack[2].plot(ax)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["lag ℓ alone, layer 0", "lag ℓ alone, layer 1", "lost by truncation at |ℓ|"]
    assert ax.get_yscale() == "log"
    assert not ax.spines["top"].get_visible()
    whole = math.sqrt(sum(float(gradient.square().sum()) for gradient in stack[2].gradients.values()))
    drawn = ax.lines[1].get_ydata()
    assert abs(drawn[3] * whole / float(stack[2].norm("layer 1")[3]) - 1) <= 1e-9  # pyright: ignore
    ax = Figure().subplots()
    decompose_gradient(lively(CellSpec("gru"), bidirectional=True), draw(T, B, 3), weighed).plot(ax)
    assert [min(line.get_xdata()) for line in ax.lines] == [0, 1 - T, 0]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"longest": 0}, "longest is 0; expected a whole number of lags of at least 1, or None"),
        ({"longest": True}, "longest is True"),
        ({"module": nn.Linear(3, 5)}, "no recurrent net"),
        ({"batch": torch.zeros(1, B, 3)}, "at least 2 steps"),
        ({"divergence": lambda y: 3.0}, "returned float"),
        ({"divergence": lambda y: y.detach().sum()}, "does not depend"),
        ({"divergence": lambda y: torch.zeros(9, 9)}, "expected one number"),
    ],
)
def test_bad_input(given: dict[str, Any], complaint: str) -> None:
    arguments = {"module": peephole.GRU(3, 5), "batch": torch.zeros(T, B, 3), "divergence": lambda y: y.sum()} | given
    with pytest.raises(InputError, match=complaint) as raised:
        decompose_gradient(**arguments)
    assert "\n" not in str(raised.value)


def test_gradients_that_are_not_finite() -> None:
    net = peephole.RNN(3, 5, nonlinearity="identity", bias=False)
    with torch.no_grad():
        net.weight_hh_l0.copy_(4 * torch.eye(5))
    with pytest.raises(InputError, match="is not finite; it explodes on this batch"):  # 4⁹⁹ > 10³⁸
        decompose_gradient(net, torch.zeros(100, 1, 3), lambda y: y[-1].sum(), longest=1)


def test_a_deep_bidirectional_net_refuses_what_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lags, "MOST_KEPT", T * T * B * 10 - 1)
    net = lively(CellSpec("gru"), 2, bidirectional=True)
    with pytest.raises(InputError, match=f"T²·B·2H = {T * T * B * 10:,} numbers"):
        decompose_gradient(net, draw(T, B, 3), weighed)
