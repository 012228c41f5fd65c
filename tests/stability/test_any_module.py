"""Nets as people write them, and batches that do not fit: a right answer or one clear line."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

import peephole
from peephole import stability
from peephole.errors import InputError

T, B, I, H = 6, 2, 3, 4


def draw(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(2))


def total(y: Tensor) -> Tensor:
    return y.sum()


class InPlace(nn.Module):
    """Writes into what the recurrent net gave it."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.LSTM(I, H, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.net(x)
        y += 1
        return torch.relu_(y)


class Lower(nn.Module):
    """Shows the lower layer's last state alone."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.GRU(I, H, 2, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)[1][0]


def test_a_head_that_writes_in_place() -> None:
    torch.manual_seed(0)
    module, x = InPlace(), draw(T, B, I)
    gradients = stability.decompose_gradient(module, x, total).gradients
    module(x).sum().backward()
    for name, gradient in gradients.items():
        wanted = getattr(module.net, name).grad
        assert (gradient - wanted).abs().max() <= 1e-12, name


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_where_gradients_are_off(mode: Callable[[], Any]) -> None:
    net, x = nn.GRU(I, H, dtype=torch.float64), draw(T, B, I)
    wanted = stability.gradient_flow(net, x, total).layers[0].norms["h"]
    with mode():
        assert torch.equal(stability.gradient_flow(net, x, total).layers[0].norms["h"], wanted)
        assert stability.decompose_gradient(net, x, total).gradients


def test_a_weight_made_of_others() -> None:
    net, x = nn.LSTM(I, H, dtype=torch.float64), draw(T, B, I)
    wanted = stability.gradient_flow(net, x, total).layers[0].norms["c"]
    nn.utils.parametrizations.weight_norm(net, "weight_hh_l0")
    assert (stability.gradient_flow(net, x, total).layers[0].norms["c"] - wanted).abs().max() <= 1e-12


def test_where_no_gradient_enters_nothing_is_said_about_it() -> None:
    one_side = nn.LSTM(I, H, bidirectional=True, dtype=torch.float64)
    flow = stability.gradient_flow(one_side, draw(T, B, I), lambda y: y[..., :H].sum())
    assert flow.furthest == 0
    assert "in layer 0 " in flow.verdict
    assert flow.horizon(1, "c").lag == 0
    found = stability.carousel(one_side, draw(T, B, I), lambda y: y[..., :H].sum())
    assert found.verdict.startswith("In layer 0 the carousel")
    below = stability.gradient_flow(Lower(), draw(T, B, I), total)
    assert below.furthest == 0
    assert "nan" not in below.verdict
    for result in (flow, found, below):
        result.plot(Figure().subplots())


def test_an_explosion_beyond_float32_is_no_vanishing() -> None:
    net = nn.RNN(1, 1, nonlinearity="relu", bias=False)
    with torch.no_grad():
        net.weight_ih_l0.fill_(1e-30)
        net.weight_hh_l0.fill_(2.0)
    x = torch.cat([torch.full((200, 1, 1), 1e-7), torch.full((200, 1, 1), -1e-7)], 1)
    flow = stability.gradient_flow(net, x, lambda y: y[-1].sum())
    assert flow.horizon().lag is None
    assert "grows" in flow.verdict


def test_everything_of_a_dead_net_can_be_drawn() -> None:
    net = nn.RNN(I, H)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
    found = stability.examine(net, draw(T, B, I, dtype=torch.float32), total)
    figure = Figure(figsize=(12, 6))
    found.plot(figure)
    figure.canvas.draw()
    found.lyapunov.plot_convergence(Figure().subplots())
    assert "\n" not in found.verdict


def test_the_headline_does_not_contradict_its_exponents() -> None:
    net = peephole.RNN(I, H, nonlinearity="identity", init="orthogonal", dtype=torch.float64)
    found = stability.examine(net, draw(40, B, I), total)
    assert found.verdict.startswith("It neither clearly blows up small differences nor forgets them")


def test_states_that_zoneout_keeps_are_within_their_bound() -> None:
    net = peephole.LSTM(I, H, zoneout=0.9).eval()
    states = torch.full((1, B, H), 50.0), torch.zeros(1, B, H)
    layer = stability.saturation(net, (draw(T, B, I, dtype=torch.float32), states)).layers[0]
    assert 1 < layer.largest["h"].max() <= layer.bounds["h"]


def test_results_stay_as_they_are() -> None:
    flow = stability.gradient_flow(nn.GRU(I, H), draw(T, B, I, dtype=torch.float32), total)
    with pytest.raises(TypeError, match="does not support item assignment"):
        flow.layers[0].norms["h"] = torch.zeros(1)  # pyright: ignore
    assert hash(flow) == hash(flow)
    assert flow == flow


GOOD = draw(T, B, I, dtype=torch.float32)
BATCHES: dict[str, tuple[Any, str]] = {
    "features": (draw(T, B, I + 1, dtype=torch.float32), "does not take this batch .*Expected 3, got 4"),
    "dtype": (GOOD.double(), "does not take this batch"),
    "dimensions": (GOOD[None], "does not take this batch"),
    "no steps": (GOOD[:0], "does not take this batch"),
    "numpy": (GOOD.numpy(), "got a ndarray; expected a tensor of sequences"),
    "list": ([1, 2], "got a list; expected a tensor of sequences"),
    "nothing": (None, "got a NoneType"),
    "unknown keyword": ({"foo": GOOD}, "does not take this batch|got a NoneType"),
    "meta": (GOOD.to("meta"), "without numbers"),
    "one state of two": ((GOOD, torch.zeros(1, B, H)), "does not take this batch"),
}


@pytest.mark.parametrize(("batch", "words"), BATCHES.values(), ids=BATCHES)
def test_batches_that_do_not_fit(batch: Any, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        stability.gradient_flow(nn.LSTM(I, H), batch, total)
    assert "\n" not in str(caught.value)


def test_sequences_that_are_all_empty() -> None:
    with pytest.raises(InputError, match="longest row of the batch has 0 steps"):
        stability.memory(peephole.LSTM(I, H), {"input": GOOD, "lengths": [0, 0]})


@pytest.mark.parametrize("given", [True, 2.0, ["a"], [1.9], [True]])
@pytest.mark.usefixtures("unchecked_annotations")
def test_times_that_are_none(given: Any) -> None:
    with pytest.raises(InputError, match="expected a whole number, or a list of them"):
        stability.gradient_flow(nn.GRU(I, H), GOOD, total, given)
    with pytest.raises(InputError, match="expected a whole number, or a list of them"):
        stability.step_jacobians(nn.GRU(I, H), GOOD, given)


@pytest.mark.parametrize("given", [range(1, 3), np.array([1, 2]), torch.tensor([1, 2]), [np.int64(1), 2]])
@pytest.mark.usefixtures("unchecked_annotations")
def test_times_of_every_kind(given: Any) -> None:
    assert stability.gradient_flow(nn.GRU(I, H), GOOD, total, given).targets == (1, 2)


def test_matrices_whose_square_is_no_number() -> None:
    with pytest.raises(InputError, match="whose square passes float64"):
        stability.transient(1e300 * torch.eye(2, dtype=torch.float64))
    with pytest.raises(InputError, match="too large"):
        stability.largest_exponent(torch.full((2, 2), 1e308, dtype=torch.float64))
