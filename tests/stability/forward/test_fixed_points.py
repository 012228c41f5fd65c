"""Fixed and slow points where they are known, of nets made to hold a bit, and of every kind of cell."""

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
from peephole.stability.forward.fixed_points import FixedPoints, fixed_points
from peephole.stability.recordings.recording import record

from ...cells import MATRIX
from ..nets import lively, same, snapshot

DTYPES = {torch.float64: 1e-9, torch.float32: 1e-5}


def draw(*shape: int, seed: int = 5) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function changes its sign."""
    for _ in range(200):
        middle = (low + high) / 2
        if (function(middle) > 0) == (function(high) > 0):
            high = middle
        else:
            low = middle
    return low


def one_unit(weight: float, bias: float = 0.0, dtype: torch.dtype = torch.float64) -> nn.Module:
    """h ← tanh(w h + x + b)."""
    net = nn.RNN(1, 1, dtype=dtype)
    with torch.no_grad():
        for name, value in (("weight_hh", weight), ("weight_ih", 1.0), ("bias_hh", bias), ("bias_ih", 0.0)):
            getattr(net, f"{name}_l0").fill_(value)
    return net


def values(found: FixedPoints, kind: str) -> list[float]:
    return sorted(float(point.state[0]) for point in found.of_kind(kind))


H = root(lambda h: math.tanh(1.5 * h) - h, 0.1, 1.0)  # 0.8586


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_tanh_unit_has_two_attractors_and_a_repeller(dtype: torch.dtype) -> None:
    found = fixed_points(one_unit(1.5, dtype=dtype))
    assert len(found.points) == 3
    assert values(found, "attractor") == pytest.approx([-H, H], abs=DTYPES[dtype])
    assert values(found, "repeller") == pytest.approx([0.0], abs=DTYPES[dtype])
    assert 0.8585 < H < 0.8587
    want = 1.5 * (1 - H * H)
    for point in found.of_kind("attractor"):
        assert float(point.eigenvalues.abs()[0]) == pytest.approx(want, abs=10 * DTYPES[dtype])
        assert point.slowest == pytest.approx(-1 / math.log(want), rel=1e-4)
        assert point.state.dtype == dtype
    assert float(found.of_kind("repeller")[0].eigenvalues.real[0]) == pytest.approx(1.5, abs=1e-5)
    assert sum(point.found_by for point in found.points) == found.starts == 256
    assert found.lost == 0
    assert "2 attractors, 1 repeller; the slowest mode of an attractor lasts 1.07 steps" in found.verdict


def test_an_input_leaves_one_attractor_and_nearly_two() -> None:
    pushed = fixed_points(one_unit(1.5), torch.tensor([0.5]))
    want = root(lambda h: math.tanh(1.5 * h + 0.5) - h, 0.0, 1.0)
    assert values(pushed, "attractor") == pytest.approx([want], abs=1e-9)
    # Two fixed points meet where the slope is 1, at h = −√(1/3); a little more input and only a slow point is left.
    h = -((1 / 3) ** 0.5)
    border = math.atanh(h) - 1.5 * h
    for bias, kinds in (
        (border - 0.01, ["attractor", "attractor", "repeller"]),
        (border + 0.005, ["attractor", "slow point"]),
    ):
        found = fixed_points(one_unit(1.5, bias))
        assert sorted(point.kind for point in found.points) == kinds
    (slow,) = found.of_kind("slow point")
    assert float(slow.state[0]) == pytest.approx(h, abs=0.02)
    assert slow.speed == pytest.approx(0.005 * (1 - h * h), rel=0.05)
    assert fixed_points(one_unit(1.5, border + 0.005), slow=1e-4).of_kind("slow point") == ()


def test_a_slope_of_one_is_marginal() -> None:
    found = fixed_points(one_unit(1.0), starts=16)
    assert [point.kind for point in found.points] == ["marginal point"]
    assert abs(float(found.points[0].state[0])) <= 1e-3


def test_a_hopfield_net_holds_its_patterns() -> None:
    patterns = torch.tensor(
        [[1.0] * 8 + [-1.0] * 8, ([1.0] * 4 + [-1.0] * 4) * 2, ([1.0] * 2 + [-1.0] * 2) * 4]
    ).double()
    net = nn.RNN(1, 16, bias=False, dtype=torch.float64)
    with torch.no_grad():
        net.weight_hh_l0.copy_(1.5 * patterns.t() @ patterns / 16)
    found = fixed_points(net)
    attractors = torch.stack([point.state for point in found.of_kind("attractor")])
    for pattern in (*patterns, *-patterns):
        distance = (attractors - H * pattern).abs().amax(1)
        assert distance.min() <= 1e-9
        point = found.of_kind("attractor")[int(distance.argmin())]
        want = torch.zeros(16, dtype=torch.float64)
        want[:3] = 1.5 * (1 - H * H)
        assert (point.eigenvalues.abs() - want).abs().max() <= 1e-8
    (origin,) = [point for point in found.points if float(point.state.abs().max()) < 1e-6]
    assert (origin.kind, origin.unstable) == ("saddle", 3)
    assert "(1 to 3 unstable directions)" in found.verdict
    figure = Figure()
    found.plot(figure.add_subplot())
    found.plot_eigenvalues(figure.add_subplot())
    figure.canvas.draw()


def flip_flop_gru() -> nn.GRU:
    """One unit that an input of ±1 sets and that holds what it was set to."""
    net = nn.GRU(1, 1, dtype=torch.float64)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
        net.bias_ih_l0.copy_(torch.tensor([50.0, 1.0, 0.0]))  # resets nothing, keeps σ(1)
        net.weight_hh_l0[2], net.weight_ih_l0[2] = 2.5, 5.0
    return net


def test_a_gru_that_holds_a_bit() -> None:
    net, z = flip_flop_gru(), 1 / (1 + math.exp(-1))
    h = root(lambda h: math.tanh(2.5 * h) - h, 0.1, 1.0)
    found = fixed_points(net)
    assert values(found, "attractor") == pytest.approx([-h, h], abs=1e-9)
    assert values(found, "repeller") == pytest.approx([0.0], abs=1e-9)
    for point in found.of_kind("attractor"):
        assert float(point.eigenvalues.real[0]) == pytest.approx(z + (1 - z) * 2.5 * (1 - h * h), abs=1e-9)
    pushed = fixed_points(net, torch.tensor([1.0]))
    assert len(pushed.points) == 1
    assert values(pushed, "attractor")[0] > 0.99


def test_an_lstm_that_holds_a_bit() -> None:
    net = nn.LSTM(1, 1, dtype=torch.float64)
    i, f, o = (1 / (1 + math.exp(-b)) for b in (1.0, 2.0, 3.0))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
        net.bias_ih_l0.copy_(torch.tensor([1.0, 2.0, 0.0, 3.0]))
        net.weight_hh_l0[2] = 2.0
    c = root(lambda c: i * math.tanh(2 * o * math.tanh(c)) - c * (1 - f), 0.5, 20.0)
    found = fixed_points(net)
    cells = sorted(float(point.state[1]) for point in found.of_kind("attractor"))
    assert cells == pytest.approx([-c, c], abs=1e-8)
    g = math.tanh(2 * o * math.tanh(c))
    leading = f + i * 2 * (1 - g * g) * o * (1 - math.tanh(c) ** 2)
    for point in found.of_kind("attractor"):
        assert point.eigenvalues.abs().tolist() == pytest.approx([leading, 0.0], abs=1e-8)
        assert float(point.state[0]) == pytest.approx(o * math.tanh(float(point.state[1])), abs=1e-9)
    (middle,) = found.of_kind("saddle")
    assert middle.unstable == 1
    assert "1 saddle (1 unstable direction)" in found.verdict


def step_of(net: Any, x: Tensor, state: Tensor) -> Tensor:
    """One step of the module itself from a state, all states side by side."""
    sizes = net.spec.state_sizes(net.hidden_size, net.proj_size)
    hx = tuple(part[None, None] for part in state.split(sizes))
    _, finals = net(x[None, None], hx[0] if len(hx) == 1 else hx)
    return torch.cat([final[0, 0] for final in ((finals,) if isinstance(finals, Tensor) else finals)])


CELLS = [
    *("rnn tanh", "rnn relu", "rnn softmax", "rnn 3 taps", "rnn residual full"),
    *("lstm", "lstm projected", "lstm V", "lstm NIG", "lstm FGR", "lstm coupled, full candidate peephole, projected"),
    *("gru", "gru before, writes", "gru layer norm"),
]


@pytest.mark.parametrize("name", CELLS)
def test_points_of_every_cell_stand_still_in_the_module_itself(name: str) -> None:
    net, x = lively(MATRIX[name], spread=0.4), draw(3)
    found = fixed_points(net, x, starts=12, iterations=60)
    still = [point for point in found.points if point.kind != "slow point"]
    for point in still[:3]:
        after = step_of(net, x, point.state).detach()
        assert (after - point.state).abs().max() <= 1e-10 * point.state.abs().max().clamp_min(1.0)
        matrix = torch.autograd.functional.jacobian(lambda state: step_of(net, x, state), point.state)
        want = torch.linalg.eigvals(matrix).abs().sort(descending=True).values  # pyright: ignore[reportArgumentType]
        assert (point.eigenvalues.abs() - want).abs().max() <= 1e-5  # equal eigenvalues part like √rounding
    assert still or name in ("lstm NIG", "rnn relu", "rnn residual full")  # those may run away for ever


def test_states_led_to_an_attractor_are_attracted() -> None:
    net, x = lively(MATRIX["lstm V"], spread=0.4), draw(3)
    found = fixed_points(net, x, starts=64)
    for point in found.of_kind("attractor"):
        state = point.state + 1e-3 * draw(len(point.state))
        for _ in range(int(20 * point.slowest) + 1):
            state = step_of(net, x, state).detach()
        assert (state - point.state).abs().max() <= 1e-6
    assert found.of_kind("attractor")


def test_layer_direction_input_and_starts_come_from_the_batch() -> None:
    net = lively(MATRIX["gru"], layers=2, bidirectional=True, spread=0.4)
    batch = {"input": draw(9, 4, 3), "lengths": [9, 3, 0, 6]}
    found = fixed_points(net, batch=batch, layer=1, reverse=True, starts=32)
    passage = record(net, batch).layers[1][1]
    assert found.name == "layer 1 reverse"
    assert passage.alive is not None
    assert (found.input - passage.x[passage.alive[..., 0]].mean(0)).abs().max() <= 1e-12
    point = found.points[0]
    cell = lively(MATRIX["gru"])  # a layer by itself, with the weights of that one
    wide = peephole.GRU(10, 5, dtype=torch.float64)
    with torch.no_grad():
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            getattr(wide, f"{name}_l0").copy_(getattr(net, f"{name}_l1_reverse"))
    assert (step_of(wide, found.input, point.state) - point.state).abs().max() <= 1e-10
    assert cell.hidden_size == wide.hidden_size


def test_given_starts_are_where_the_search_begins() -> None:
    found = fixed_points(one_unit(1.5), starts=torch.tensor([[0.7], [0.9], [-0.8]], dtype=torch.float64))
    assert found.starts == 3
    assert values(found, "attractor") == pytest.approx([-H, H], abs=1e-9)
    assert sorted(point.found_by for point in found.points) == [1, 2]


def test_zoneout_moves_no_point_and_slows_its_modes() -> None:
    net = lively(MATRIX["gru"], zoneout=0.5, spread=0.4).eval()
    plain = fixed_points(lively(MATRIX["gru"], spread=0.4), starts=16).points[0]
    zoned = fixed_points(net, starts=16).points[0]
    assert (plain.state - zoned.state).abs().max() <= 1e-9
    assert (
        ((1 + plain.eigenvalues) / 2).abs().sort().values - zoned.eigenvalues.abs().sort().values
    ).abs().max() <= 1e-8


def test_a_cell_state_that_runs_away_is_no_point() -> None:
    found = fixed_points(lively(MATRIX["lstm NFG"]), starts=64, iterations=60)
    assert all(float(point.state.abs().max()) <= 100 for point in found.points)
    assert found.lost + sum(point.found_by for point in found.points) == 64
    assert found.lost > 0
    figure = Figure()
    found.plot(figure.add_subplot())
    found.plot_eigenvalues(figure.add_subplot())
    figure.canvas.draw()


def test_the_module_stays_as_it_was_and_the_result_is_frozen() -> None:
    net = nn.LSTM(3, 4, 2, batch_first=True, dropout=0.5)
    before, random = snapshot(net), torch.get_rng_state()
    found = fixed_points(net, layer=1, starts=16)
    assert same(before, snapshot(net))
    assert torch.equal(random, torch.get_rng_state())
    again = fixed_points(net, layer=1, starts=16)
    assert torch.equal(found.points[0].state, again.points[0].state)
    for thing, name in ((found, "lost"), (found.points[0], "kind")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(thing, name, 3)


def test_nothing_still_is_said_and_drawn() -> None:
    net = peephole.RNN(1, 2, nonlinearity="identity", residual="input", dtype=torch.float64)
    with torch.no_grad():
        net.bias_ih_l0.fill_(1.0)
    found = fixed_points(net, starts=8)
    assert found.points == ()
    assert "was found to rest nowhere; 8 of 8 starts led to nothing still." in found.verdict
    figure = Figure()
    found.plot(figure.add_subplot())
    found.plot_eigenvalues(figure.add_subplot())
    figure.canvas.draw()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"module": nn.Linear(3, 3)}, "Linear has no recurrent net in it"),
        ({"input": torch.zeros(2)}, "input has shape [2]; layer 0 sees [3] at a step"),
        ({"input": torch.zeros(1, 3)}, "input has shape [1, 3]; layer 0 sees [3] at a step"),
        ({"input": torch.tensor([0.0, torch.nan, 0.0])}, "input holds numbers that are not finite"),
        ({"starts": 0}, "starts is 0"),
        ({"starts": torch.zeros(4, 3)}, "starts have shape [4, 3]; expected [P, 10]"),
        ({"starts": torch.full((4, 10), torch.inf)}, "starts holds numbers that are not finite"),
        ({"layer": 2}, "layer is 2; expected a number from 0 to 1"),
        ({"layer": -1}, "layer is -1; expected a number from 0 to 1"),
        ({"reverse": True}, "the net has no reverse direction"),
        ({"slow": 0.0}, "slow is 0.0"),
        ({"iterations": 0}, "iterations is 0"),
        ({"batch": torch.zeros(1, 2, 3).double()}, "2 sequences of 1 step;"),
    ],
)
@pytest.mark.usefixtures("unchecked_annotations")
def test_bad_input_is_named(options: dict[str, Any], message: str) -> None:
    module = options.pop("module", peephole.LSTM(3, 5, 2, dtype=torch.float64))
    with pytest.raises(InputError) as caught:
        fixed_points(module, **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(InputError, match="kind is 'sink'; expected one of attractor"):
        fixed_points(one_unit(1.5), starts=4).of_kind("sink")


def test_no_point_of_a_gru_lies_where_no_state_can_be() -> None:
    torch.manual_seed(0)
    net = peephole.GRU(2, 6, dtype=torch.float64)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(6.0)
    starts = 8.0 * torch.randn(60, 6, dtype=torch.float64)
    points = fixed_points(net, starts=starts).points
    assert all(point.state.abs().max() <= 1.001 for point in points)
