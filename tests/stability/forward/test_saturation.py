"""Bounded input, bounded output: the bounds hold, and what has none has none."""

import math

import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

import peephole
from peephole.errors import InputError
from peephole.spec import CellSpec
from peephole.stability.backward.jacobians import step_jacobians
from peephole.stability.forward.saturation import saturation, state_bounds

from ...cells import MATRIX
from ..nets import lively


@pytest.mark.parametrize("spec", MATRIX.values(), ids=MATRIX)
def test_no_cell_leaves_its_bounds(spec: CellSpec) -> None:
    net = lively(spec, layers=2, bidirectional=True, spread=2.0)
    x = 10 * torch.randn(40, 5, 3, dtype=torch.float64)
    for layer in saturation(net, {"input": x, "lengths": [40, 30, 20, 1, 0]}).layers:
        for state, curve in layer.largest.items():
            assert curve.max() <= layer.bounds[state]
        assert all(0.0 <= share <= 1.0 for share in layer.saturated.values())


def test_the_lectured_bounds() -> None:
    assert state_bounds(CellSpec("rnn"), 100) == {"h": 1.0}
    assert state_bounds(CellSpec("rnn", nonlinearity="sigmoid"), 100) == {"h": 1.0}
    assert state_bounds(CellSpec("rnn", nonlinearity="relu"), 100) == {"h": math.inf}
    assert state_bounds(CellSpec("lstm"), 100, start=2.0) == {"h": 1.0, "c": 102.0}
    assert state_bounds(CellSpec("lstm", coupled=True), 100) == {"h": 1.0, "c": 1.0}
    assert state_bounds(CellSpec("gru"), 100, start=3.0) == {"h": 3.0}
    assert state_bounds(CellSpec("lstm", input_activation=False), 9)["c"] == math.inf
    assert state_bounds(CellSpec("lstm", output_activation=False), 9) == {"h": 9.0, "c": 9.0}


def test_an_lstm_can_come_as_close_to_its_bound_as_it_likes() -> None:
    net = nn.LSTM(1, 1, dtype=torch.float64)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
        net.bias_ih_l0.fill_(50.0)  # every gate open, the candidate at 1
    found = saturation(net, torch.zeros(100, 1, 1, dtype=torch.float64)).layers[0]
    assert abs(float(found.largest["c"][-1]) - 100.0) <= 1e-9
    assert found.saturated == {"i": 1.0, "f": 1.0, "g": 1.0, "o": 1.0}
    assert "|c| reaches 100 of 100" in found.verdict


def test_relu_has_no_bound_and_is_seen_to_grow() -> None:
    net = peephole.RNN(1, 1, nonlinearity="relu", bias=False)
    with torch.no_grad():
        net.weight_hh_l0.fill_(1.5)
        net.weight_ih_l0.fill_(1.0)
    found = saturation(net, torch.ones(30, 1, 1))
    assert found.layers[0].largest["h"][-1] > 1.5**29
    assert "has no bound" in found.verdict


def test_pictures_and_jacobians() -> None:
    net, x = nn.LSTM(3, 6, 2, bidirectional=True), torch.randn(20, 4, 3)
    figure = Figure()
    left, right = figure.subplots(1, 2)
    saturation(net, x).plot(left)
    jacobians = step_jacobians(net, x, times=[0, -1])
    jacobians.plot(right)
    figure.canvas.draw()
    assert jacobians.times == (0, 19)
    layer = jacobians.layers[0]
    assert layer.matrices.shape == (2, 4, 12, 12)
    assert torch.equal(layer.block("c", "h"), layer.matrices[..., 6:, :6])
    assert jacobians.verdict.startswith("A step of layer 0 stretches by ")
    with pytest.raises(InputError, match="no state 'x' here"):
        layer.block("x", "h")
    with pytest.raises(InputError, match="expected 0 to 19"):
        step_jacobians(net, x, times=[20])
    with pytest.raises(InputError, match="times is 0"):
        step_jacobians(net, x, times=0)
