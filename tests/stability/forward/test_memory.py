"""What is left of a state, where it is known, against autograd, and by nudging the module itself."""

import dataclasses
import math
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

import peephole
from peephole.errors import InputError
from peephole.stability.forward.memory import memory
from peephole.stability.recordings.recording import record

from ...cells import MATRIX
from ..nets import lively, same, snapshot
from ..steps_by_autograd import jacobian_by_autograd


def draw(*shape: int, seed: int = 5) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def linear(weight: Tensor, dtype: torch.dtype = torch.float64) -> peephole.RNN:
    net = peephole.RNN(2, len(weight), nonlinearity="identity", dtype=dtype)
    with torch.no_grad():
        net.weight_hh_l0.copy_(weight)
    return net


def test_a_linear_recurrence_keeps_the_powers_of_its_matrix() -> None:
    weight = 0.4 * draw(4, 4)
    found = memory(linear(weight), draw(30, 2, 2), lags=[1, 5, 30]).layers[0]
    for place, lag in enumerate(found.lags):
        power = torch.linalg.matrix_power(weight, lag)
        want = torch.linalg.svdvals(power)
        for row in range(2):
            assert (found.values[place, row] - want).abs().max() <= 1e-12 * float(want[0]) + 1e-15
            assert (found.states[place, row] - want).abs().max() <= 1e-12 * float(want[0]) + 1e-15
    typical = torch.stack([torch.linalg.matrix_power(weight, lag).norm() / 2 for lag in range(31)])
    assert ((found.typical - typical[:, None]) / typical[:, None]).abs().max() <= 1e-12
    assert (found.nudge.actual - found.nudge.linear).abs().max() <= 1e-9
    assert found.nudge.actual.shape == (31, 2)


def test_scaled_orthogonal_weights_forget_in_all_directions_alike() -> None:
    found = memory(linear(0.9 * torch.linalg.qr(draw(4, 4)).Q), draw(60, 2, 2), lags=range(1, 61))
    layer = found.layers[0]
    want = 0.9 ** torch.tensor(layer.lags, dtype=torch.float64)[:, None, None]
    assert (layer.values / want - 1).abs().max() <= 1e-12
    assert (layer.nudge.linear / 0.9 ** torch.arange(61, dtype=torch.float64)[:, None] - 1).abs().max() <= 1e-9
    assert layer.forgotten == layer.best_forgotten == math.ceil(math.log(0.01) / math.log(0.9))
    assert "after 44 steps in layer 0 (44 in the direction that it keeps best)" in found.verdict
    assert "a nudge of 0.1 % really made" in found.verdict
    longer = memory(linear(0.99 * torch.linalg.qr(draw(4, 4)).Q), draw(60, 2, 2))
    assert longer.layers[0].forgotten is None
    assert longer.layers[0].lags[0] == 1
    assert longer.layers[0].lags[-1] == 60
    assert "more than 60 steps in layer 0 (more than 60 in" in longer.verdict


CELLS = [
    *("rnn relu", "rnn softmax", "rnn 3 taps", "rnn residual full", "lstm", "lstm projected", "lstm FGR"),
    *("lstm coupled, full candidate peephole, projected", "lstm layer norm", "gru", "gru before", "gru writes"),
]


@pytest.mark.parametrize("name", CELLS)
def test_against_products_of_jacobians_by_autograd(name: str) -> None:
    both = name in ("lstm", "gru")
    net, x = lively(MATRIX[name], layers=1 + both, bidirectional=both), draw(7, 2, 3)
    found = memory(net, x, lags=[1, 4, 7], directions=2)
    for passage, layer in zip(record(net, x).passages, found.layers, strict=True):
        assert layer.name == passage.name
        hidden, order = passage.sizes[0], list(passage.order)
        for row in range(2):
            product = torch.eye(sum(passage.sizes), dtype=torch.float64)
            for lag in range(1, 8):
                product = product @ jacobian_by_autograd(passage, order[-lag], row)
                block = product[:hidden, :hidden]
                assert abs(float(layer.typical[lag, row] - block.norm() / hidden**0.5)) <= 1e-9
                if lag not in layer.lags:
                    continue
                place = layer.lags.index(lag)
                want = torch.linalg.svdvals(block)
                assert (layer.values[place, row] - want).abs().max() <= 1e-9
                assert (layer.states[place, row] - torch.linalg.svdvals(product)).abs().max() <= 1e-9
                grown, shrunk = layer.grown[place, row], layer.shrunk[place, row]
                kept = min(2, hidden)
                assert ((block @ grown.t()).norm(dim=0) - want[:kept]).abs().max() <= 1e-9
                assert ((block @ shrunk.t()).norm(dim=0) - want.flip(0)[:kept]).abs().max() <= 1e-9
                assert (grown @ grown.t() - torch.eye(kept)).abs().max() <= 1e-9


@pytest.mark.parametrize("name", ["rnn tanh", "lstm V", "gru before"])
def test_the_nudge_is_one_of_the_module_itself(name: str) -> None:
    net, x = lively(MATRIX[name]), draw(12, 3, 3)
    size = 1e-2
    found = memory(net, x, lags=[8], size=size, seed=4).layers[0].nudge
    _, given = net(x[:4])
    states = (given,) if isinstance(given, Tensor) else given
    delta = draw(3, 5, seed=4)
    delta = size * states[0][0].norm(dim=-1, keepdim=True) * delta / delta.norm(dim=-1, keepdim=True)
    moved = states[0] + delta
    nudged = net(x[4:], moved if len(states) == 1 else (moved, *states[1:]))[0]
    difference = (nudged - net(x[4:], given)[0]).norm(dim=-1) / delta.norm(dim=-1)
    assert (found.actual[1:] - difference).abs().max() <= 1e-9
    assert (found.actual[0] - 1).abs().max() <= 1e-12
    assert found.size == size


def test_small_nudges_agree_with_the_linear_map_and_large_ones_do_not() -> None:
    net, x = lively(MATRIX["gru"]), draw(20, 4, 3)
    errors = [memory(net, x, lags=[15], size=size).layers[0].nudge_error for size in (1e-4, 1e-3, 1e-2, 1.0)]
    assert errors[0] <= 1e-4
    assert 5 <= errors[1] / errors[0] <= 20  # of second order
    assert 5 <= errors[2] / errors[1] <= 20
    assert errors[3] > 0.05


def test_rows_end_where_they_end() -> None:
    net, x = lively(MATRIX["lstm"], layers=2, bidirectional=True), draw(12, 4, 3)
    lengths = [12, 5, 0, 8]
    found = memory(net, {"input": x, "lengths": lengths}, lags=[1, 4, 8, 12])
    for row in (1, 3):
        steps = lengths[row]
        alone = memory(net, x[:steps, row : row + 1], lags=[lag for lag in (1, 4, 8) if lag <= steps])
        for layer, other in zip(found.layers, alone.layers, strict=True):
            reached = len(other.lags)
            assert (layer.values[:reached, row] - other.values[:, 0]).abs().max() <= 1e-12
            assert layer.values[reached:, row].isnan().all()
            assert (layer.typical[: other.lags[-1] + 1, row] - other.typical[:, 0]).abs().max() <= 1e-12
            assert layer.typical[steps + 1 :, row].isnan().all()
            assert layer.nudge.actual[:, row].isnan().all()
    for layer in found.layers:
        assert layer.values[:, 0].isfinite().all()
        assert layer.nudge.actual[:, 0].isfinite().all()
        assert layer.values[:, 2].isnan().all()
        assert layer.forgotten is None or layer.forgotten >= 1
    assert "nan" not in found.verdict


def test_nothing_crosses_a_border() -> None:
    net, x = lively(MATRIX["gru"], learned_states=True), draw(10, 2, 3)
    resets = torch.zeros(10, 2, dtype=torch.bool)
    resets[6, 0] = True
    found = memory(net, {"input": x, "resets": resets}, lags=[3, 4, 5]).layers[0]
    assert (found.values[0] > 0).all()
    assert (found.values[1:, 0] == 0).all()
    assert (found.values[1:, 1] > 0).all()
    assert (found.nudge.actual[2:, 0] == 0).all()
    assert (found.nudge.linear[2:, 0] == 0).all()
    assert (found.nudge.actual[:, 1] > 0).all()


@pytest.mark.parametrize("scale", [3.0, 0.3, 0.0])
def test_what_explodes_or_vanishes_keeps_its_size(scale: float) -> None:
    net = linear(scale * torch.eye(3), torch.float32)
    with torch.no_grad():
        for name in ("weight_ih", "bias_ih", "bias_hh"):
            getattr(net, f"{name}_l0").zero_()  # the state stays 0
    found = memory(net, torch.zeros(200, 2, 2), lags=[1, 100, 200])
    layer = found.layers[0]
    want = scale ** torch.tensor([1.0, 100.0, 200.0], dtype=torch.float64)  # beyond float32 both ways
    assert ((layer.values - want[:, None, None]).abs() <= 1e-4 * want[:, None, None]).all()
    assert layer.typical.isfinite().all()
    figure = Figure()
    found.plot(figure.add_subplot())
    figure.canvas.draw()


def test_torchs_nets_and_ours_agree() -> None:
    net = nn.LSTM(3, 4, 2, dtype=torch.float64)
    x = draw(9, 2, 3)
    for layer, other in zip(memory(net, x).layers, memory(peephole.from_torch(net), x).layers, strict=True):
        assert torch.equal(layer.values, other.values)


def test_the_module_stays_as_it_was_and_the_result_is_frozen() -> None:
    net = nn.GRU(3, 4, 2, dropout=0.5)
    before, random = snapshot(net), torch.get_rng_state()
    found = memory(net, draw(20, 2, 3).float())
    assert same(before, snapshot(net))
    assert torch.equal(random, torch.get_rng_state())
    assert found.layers[0].values.dtype == torch.float64
    for thing, name in ((found, "layers"), (found.layers[0], "lags"), (found.layers[0].nudge, "size")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(thing, name, 3)


def test_layers_are_chosen() -> None:
    net, x = lively(MATRIX["gru"], layers=3), draw(8, 2, 3)
    whole, part = memory(net, x), memory(net, x, layers=[2, 0])
    assert [layer.name for layer in part.layers] == ["layer 0", "layer 2"]
    assert torch.equal(part.layers[1].values, whole.layers[2].values)


GOOD = draw(10, 2, 3)


@pytest.mark.parametrize(
    ("module", "batch", "options", "message"),
    [
        (nn.Linear(3, 3), GOOD, {}, "Linear has no recurrent net in it"),
        (None, GOOD[:1], {}, "2 sequences of 1 step;"),
        (None, GOOD, {"lags": [0]}, "lags are [0]; expected whole numbers from 1 to 10"),
        (None, GOOD, {"lags": [2, 11]}, "lags are [2, 11]; expected whole numbers from 1 to 10"),
        (None, {"input": GOOD, "lengths": [4, 3]}, {"lags": [5]}, "from 1 to 4, the steps of the longest row"),
        (None, GOOD, {"lags": []}, "lags are []"),
        (None, GOOD, {"lags": [1.5]}, "lags are [1.5]"),
        (None, GOOD, {"layers": [3]}, "layers are [3]; expected numbers from 0 to 0"),
        (None, GOOD, {"size": 0.0}, "size is 0.0"),
        (None, GOOD, {"directions": 0}, "directions is 0"),
    ],
)
@pytest.mark.usefixtures("unchecked_annotations")
def test_bad_input_is_named(module: Any, batch: Any, options: dict[str, Any], message: str) -> None:
    module = peephole.LSTM(3, 5, dtype=torch.float64) if module is None else module
    with pytest.raises(InputError) as caught:
        memory(module, batch, **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
