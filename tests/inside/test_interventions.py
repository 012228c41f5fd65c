"""What is put in place of gates and states is what the net goes on with; everything else stays as it was."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
import torch
from torch import Tensor

import peephole
from peephole.errors import InputError
from peephole.nn.recurrent import Recurrent
from peephole.ops.registration import register_cell
from peephole.reference.sequence import STEPS
from peephole.spec import FAMILIES

from ..cells import MATRIX

T, B, I, H, P = 6, 3, 4, 6, 3
EVERY_CELL = pytest.mark.parametrize("name", MATRIX)


def build(name: str, layers: int = 2, **options: Any) -> Recurrent:
    torch.manual_seed(0)
    spec = MATRIX[name]
    options = {"dtype": torch.float64, "backend": "reference"} | options
    return Recurrent(spec, I, H, layers, proj_size=P * spec.projected, **options)


def inputs(net: Recurrent, seed: int = 1, batch: int = B) -> Tensor:
    return torch.randn(T, batch, I, generator=torch.Generator().manual_seed(seed)).to(next(net.parameters()))


def tensors(given: tuple[Tensor, Any]) -> list[Tensor]:
    output, finals = given
    return [output, *((finals,) if isinstance(finals, Tensor) else finals)]


def same(got: Any, want: Any) -> bool:
    return all(torch.equal(one, other) for one, other in zip(tensors(got), tensors(want), strict=True))


def test_an_lstm_that_forgets_nothing_and_writes_nothing_keeps_its_cell_state_exactly() -> None:
    net = build("lstm", 1)
    start = torch.randn(1, B, H).double(), torch.randn(1, B, H).double()
    with peephole.clamp(net, gate="f", value=1.0), peephole.clamp(net, gate="i", value=0.0):
        _, (_, c) = net(inputs(net), start)
    assert torch.equal(c, start[1])


@pytest.mark.parametrize(("name", "value"), [("gru", 1.0), ("gru before", 1.0), ("gru writes", 0.0)])
def test_a_gru_whose_update_gate_keeps_everything_keeps_its_state_exactly(name: str, value: float) -> None:
    net, start = build(name, 1), torch.randn(1, B, H).double()
    with peephole.clamp(net, gate="z", value=value):
        output, h = net(inputs(net), start)
    assert torch.equal(h, start)
    assert torch.equal(output, start.expand(T, B, H))


@EVERY_CELL
@torch.no_grad()
def test_times_one_changes_nothing(name: str, agree: Callable[..., None]) -> None:
    net = build(name, 1, bidirectional=True)
    x, lengths = inputs(net)[:3], [3, 2, 0]
    want = net(x, lengths=lengths)
    for state in FAMILIES[net.spec.family].states:
        with peephole.scale(net, state=state, factor=1.0):
            assert same(net(x, lengths=lengths), want)
    with ExitStack() as stack:
        for gate in net.spec.gates:
            stack.enter_context(peephole.scale(net, preactivation=gate, factor=1.0))
        # the activation of numbers that lie side by side may round its last bit otherwise
        agree(net(x, lengths=lengths)[0], want[0], 1e-15)


@EVERY_CELL
@torch.no_grad()
def test_a_run_that_is_given_its_own_values_stays_as_it_is(name: str) -> None:
    net = build(name, 1, bidirectional=True)
    x, lengths = inputs(net)[:3], [3, 2, 0]
    with peephole.trace(net) as seen:
        want = net(x, lengths=lengths)
    groups = [[{"state": state}] for state in FAMILIES[net.spec.family].states]
    groups += [[{"gate": gate} for gate in net.spec.gates if net.spec.family != "rnn"]]
    for group in groups:
        with ExitStack() as stack:
            for named in group:
                stack.enter_context(peephole.swap(net, source=seen, **named))
            assert same(net(x, lengths=lengths), want)


@pytest.mark.parametrize("backend", ["auto", "reference"])
def test_another_runs_states_make_another_runs_output(backend: str, agree: Callable[..., None]) -> None:
    net = build("lstm", backend=backend)
    one, other = inputs(net, 1), inputs(net, 2)
    with peephole.trace(net) as seen:
        want, _ = net(other)
    with peephole.swap(net, source=seen, layer=0, state="h"):  # layer 1 sees nothing else
        got, _ = net(one)
    agree(got, want, 1e-12)
    with peephole.swap(net, source=seen.layers[0], state="h"):
        agree(net(one)[0], want, 1e-12)
    with peephole.swap(net, value=seen.layers[0].states["h"], layer=0, state="h"):
        agree(net(one)[0], want, 1e-12)


def test_a_run_of_one_row_serves_all_and_a_longer_one_the_steps_that_are_chosen() -> None:
    net = build("gru")
    x, alone = inputs(net), torch.randn(T + 4, 1, I).double()
    with peephole.trace(net) as seen:
        net(alone)
    with peephole.swap(net, source=seen, layer=1, state="h", steps=[2, T - 1]):
        output, _ = net(x)
    taken = seen.layers[1].states["h"]
    assert torch.equal(output[2], taken[2].expand(B, H))
    assert torch.equal(output[T - 1], taken[T - 1].expand(B, H))
    with (
        peephole.swap(net, source=seen, layer=1, state="h"),
        pytest.raises(InputError, match=r"10 steps and 1 rows, this call 6 and 3"),
    ):
        net(x)


def test_a_layer_of_a_trace_goes_where_it_came_from_or_where_it_is_told_to() -> None:
    net = build("gru", bidirectional=True)
    with torch.no_grad():
        with peephole.trace(net) as seen:
            net(inputs(net, 2))
        for source in seen.layers[2:]:
            swapped = peephole.swap(net, source=source, state="h")
            with swapped:
                output, _ = net(inputs(net))
            side = output.chunk(2, dim=-1)[int(source.reverse)]
            assert torch.equal(side, source.states["h"])
            assert swapped.text == f"h in layer 1 {'reverse' if source.reverse else 'forward'} from another run"
        with peephole.swap(net, source=seen.layers[2], layer=1, reverse=True, state="h"):
            output, _ = net(inputs(net))
        assert torch.equal(output.chunk(2, dim=-1)[1], seen.layers[2].states["h"])


def test_clamping_equals_a_loop_by_hand(agree: Callable[..., None]) -> None:
    net = build("lstm", 1, backend="auto")
    x, weights = inputs(net), next(net.named_layers())
    units, steps, rows = [4, 1], [5, 2], [2, 0]
    value = torch.rand(2, 2, 2, generator=torch.Generator().manual_seed(3)).double()
    h, c, outputs = torch.zeros(B, H).double(), torch.zeros(B, H).double(), []
    for t in range(T):
        z = x[t] @ weights["weight_ih"].T + weights["bias_ih"] + h @ weights["weight_hh"].T + weights["bias_hh"]
        i, f, g, o = z.chunk(4, dim=1)
        i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
        for place, step in enumerate(steps):
            if step == t:
                for a, row in enumerate(rows):
                    for b, unit in enumerate(units):
                        f[row, unit] = value[place, a, b]
        c = f * c + i * g
        h = o * c.tanh()
        outputs.append(h)
    with peephole.clamp(net, gate="f", value=value, units=units, steps=steps, rows=rows):
        got, _ = net(x)
    agree(got, torch.stack(outputs), 1e-12)


def test_what_replaces_c_is_what_the_same_steps_h_is_made_of() -> None:
    net = build("lstm", 1)
    with peephole.trace(net) as seen, peephole.clamp(net, state="c", value=0.5, steps=slice(3, None), units=slice(2)):
        output, _ = net(inputs(net))
    o = seen.layers[0].gates["o"]
    assert torch.equal(output[3:, :, :2], o[3:, :, :2] * torch.tensor(0.5).double().tanh())
    assert not bool((seen.layers[0].states["c"][:3] == 0.5).any())


@pytest.mark.parametrize("reverse", [False, True])
def test_t_is_the_time_in_both_directions_and_behind_resets(reverse: bool) -> None:
    net = build("gru", 1, bidirectional=True, learned_states=True)
    x = inputs(net)
    resets = torch.zeros(T, B, dtype=torch.bool)
    resets[3, 1] = resets[5, 0] = True
    want, _ = net(x, resets=resets)
    with peephole.clamp(net, state="h", value=9.0, steps=[1, 4], reverse=reverse):
        output, _ = net(x, resets=resets)
    side, other = output.chunk(2, dim=-1)[:: -1 if reverse else 1]
    assert torch.equal(other, want.chunk(2, dim=-1)[0 if reverse else 1])
    assert side.eq(9.0).all(-1).all(-1).nonzero()[:, 0].tolist() == [1, 4]


def test_zoneout_lengths_and_noise_go_on_as_always() -> None:
    net = build("lstm", zoneout=0.3, zoneout_cell=0.2, recurrent_dropout=0.25, weight_drop=0.2, dropout=0.5)
    x, lengths = inputs(net), [T, 3, 5]
    for training in (True, False):
        net.train(training)
        torch.manual_seed(5)
        want = net(x, lengths=lengths, seed=3)
        torch.manual_seed(5)
        with peephole.scale(net, state="c", factor=1.0):
            assert same(net(x, lengths=lengths, seed=3), want)
        with peephole.clamp(net, layer=1, state="h", value=2.0):
            output, _ = net(x, lengths=lengths, seed=3)
        assert bool((output[:3] == 2.0).all())
        assert not bool(output[3:, 1].any())


def test_gradients_flow_through_and_into_the_value() -> None:
    net = Recurrent(MATRIX["lstm V"], 2, 3, dtype=torch.float64)
    x = torch.randn(3, 1, 2, dtype=torch.float64, requires_grad=True)
    value = torch.rand(3, 1, 2, dtype=torch.float64, requires_grad=True)
    factor = torch.rand(3, dtype=torch.float64, requires_grad=True)

    def run(x: Tensor, value: Tensor, factor: Tensor) -> Tensor:
        clamped = peephole.clamp(net, gate="f", value=value, units=[2, 0])
        with clamped, peephole.scale(net, state="c", factor=factor, steps=[2, 1]):
            return net(x)[0]

    assert torch.autograd.gradcheck(run, (x, value, factor))
    with peephole.clamp(net, gate="f", value=torch.tensor(0.3, requires_grad=True)) as clamped:
        net(x)[0].sum().backward()
    assert clamped.text == "f in layer 0 held at 0.3"
    gradient = net.weight_ih_l0.grad
    assert isinstance(gradient, Tensor)
    assert not bool(gradient[3:6].any())  # what was not used
    assert bool(gradient[:3].any())


def test_a_trace_shows_what_the_net_went_on_with_and_its_gradients() -> None:
    net = build("lstm")
    x = inputs(net).requires_grad_()
    with peephole.trace(net) as seen, peephole.ablate(net, layer=0, units=2):
        output, _ = net(x)
        output.square().sum().backward()
    assert not bool(seen.layers[0].states["h"][..., 2].any())
    assert bool(seen.layers[0].states["c"][..., 2].any())
    last = seen.layers[1].gradients["h"][-1]
    assert torch.equal(last, 2 * output[-1].detach())
    assert "equations" in seen.layers[0].by


def test_interventions_nest_the_outer_first_and_leave_nothing_behind() -> None:
    net = build("gru", backend="auto")
    x = inputs(net)
    want = net(x)
    doubled = peephole.scale(net, layer=1, state="h", factor=2.0, steps=T - 1)
    held = peephole.clamp(net, layer=1, state="h", value=3.0, steps=T - 1)
    with held, doubled:
        assert bool((net(x)[0][-1] == 6.0).all())
    with doubled, held:
        assert bool((net(x)[0][-1] == 3.0).all())
        with doubled:  # itself again
            assert bool((net(x)[0][-1] == 6.0).all())
    with pytest.raises(RuntimeError, match="stop"), held:
        raise RuntimeError("stop")
    assert net._inside == ()
    assert same(net(x), want)


def test_a_layer_in_a_model_runs_changed_and_the_others_on_their_kernels() -> None:
    from peephole.models.config import ModelConfig
    from peephole.models.sequence import SequenceModel

    torch.manual_seed(0)
    model = SequenceModel(11, ModelConfig(hidden_size=8, embedding_size=4, layers=2, dropout=0.3)).eval()
    symbols = torch.randint(0, 11, (T, B))
    with torch.no_grad(), peephole.ablate(model, layer=1) as ablated:
        logits, (h, _) = model(symbols)
    assert torch.equal(logits, model.head.bias.expand_as(logits))
    assert not bool(h[1].any())
    assert bool(h[0].any())
    assert repr(ablated) == "ablate(h in layer 1 at zero)"


def test_a_cell_of_ones_own_shows_its_states() -> None:
    before = dict(FAMILIES), dict(STEPS)

    @register_cell("leaky", gates=("z",), states=("s",), source="here")
    def leaky(z: dict[str, Tensor], states: tuple[Tensor, ...], weights: dict[str, Tensor]) -> tuple[Tensor, ...]:
        (s,) = states
        return (0.5 * s + z["z"],)

    try:
        net = Recurrent("leaky", I, H)
        x = torch.randn(T, B, I)
        with peephole.ablate(net, steps=2):
            output, _ = net(x)
        assert not bool(output[2].any())
        with peephole.clamp(net, preactivation="z", value=1.0):
            output, _ = net(x)
        assert torch.allclose(output[-1], torch.full((B, H), 2 - 0.5 ** (T - 1)))
        with pytest.raises(InputError, match="the cell 'leaky' shows no gates, change state='s'"):
            peephole.clamp(net, gate="z", value=1.0)
    finally:
        for registry, content in zip((FAMILIES, STEPS), before, strict=True):
            registry.clear()
            registry.update(content)
