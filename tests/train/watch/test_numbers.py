"""What is counted, on layers whose numbers are known."""

import json
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from peephole.spec import CellSpec
from peephole.train.watch.looking import LayerSeen
from peephole.train.watch.memory import memory_held
from peephole.train.watch.numbers import inside, plain, update_ratios

LSTM = CellSpec("lstm")
STEPS, ROWS, UNITS = 10, 2, 4


def seen(spec: CellSpec | None = LSTM, h: Tensor | None = None, flow: Any = None, **gates: Tensor) -> LayerSeen:
    h = torch.linspace(-1, 1, STEPS)[:, None, None].expand(STEPS, ROWS, UNITS) if h is None else h
    return LayerSeen("layer 0", spec, gates, {"h": h}, {} if flow is None else {"h": flow})


def filled(*values: float) -> Tensor:
    """`[T, B, U]`, a value a unit."""
    return torch.tensor(values)[None, None].expand(STEPS, ROWS, len(values))


def test_saturation_counts_values_under_and_above_the_thresholds() -> None:
    gates = {
        "i": filled(0.0, 0.05, 0.0999, 0.1001),
        "f": filled(0.5, 0.8999, 0.9001, 1.0),
        "o": filled(0.5, 0.5, 0.5, 1.0),
    }
    found = inside([seen(**gates, g=filled(-1.0, -1.0, 1.0, 1.0))])
    assert found["saturation"] == {"layer 0": {"i": [0.75, 0.0], "f": [0.0, 0.5], "o": [0.0, 0.25]}}
    gru = inside(
        [seen(CellSpec("gru"), r=filled(0.0, 0.5, 0.5, 0.5), z=filled(0.5, 1.0, 1.0, 1.0), n=filled(0, 0, 0, 0))]
    )
    assert gru["saturation"] == {"layer 0": {"r": [0.25, 0.0], "z": [0.0, 0.75]}}
    assert "saturation" not in inside([seen(CellSpec("rnn"))])
    mixed = torch.zeros(STEPS, ROWS, UNITS)
    mixed[:3] = 0.5
    mixed[3, 0] = 0.95
    found = inside([seen(f=mixed)])["saturation"]["layer 0"]["f"]
    assert found == pytest.approx([1 - 3 / 10 - 1 / 20, 1 / 20])


@pytest.mark.parametrize(
    ("spec", "gates", "want"),
    [
        (LSTM, {"f": filled(1.0, 0.9, 0.5, 0.0)}, (1 + 0.9**10 + 0.5**10) / 4),
        (CellSpec("lstm", coupled=True), {"i": filled(0.0, 0.1, 0.5, 1.0)}, (1 + 0.9**10 + 0.5**10) / 4),
        (CellSpec("lstm", forget_gate=False), {"i": filled(0.0, 0.1, 0.5, 1.0)}, None),
        (CellSpec("gru"), {"z": filled(1.0, 0.9, 0.5, 0.0)}, (1 + 0.9**10 + 0.5**10) / 4),
        (CellSpec("gru", update="writes"), {"z": filled(0.0, 0.1, 0.5, 1.0)}, (1 + 0.9**10 + 0.5**10) / 4),
        (CellSpec("rnn"), {}, None),
        (None, {}, None),
    ],
)
def test_what_the_gates_keep_is_multiplied_over_the_steps(
    spec: CellSpec | None, gates: dict[str, Tensor], want: float | None
) -> None:
    found = inside([seen(spec, **gates)])
    if want is None:
        assert "forget_product" not in found
    else:
        assert found["forget_product"]["layer 0"] == pytest.approx(want, rel=1e-5)


def test_relus_are_dead_that_never_fire_and_others_that_do_not_move() -> None:
    h = torch.zeros(STEPS, ROWS, 4)
    h[7, 1, 1] = 1e-6  # fires once
    h[..., 2] = 0.7  # fires, and never moves
    h[..., 3] = torch.linspace(0, 0.5, STEPS)[:, None]
    relu, tanh = CellSpec("rnn", nonlinearity="relu"), CellSpec("rnn")
    assert inside([seen(relu, h)])["dead"] == {"layer 0": 1}
    assert inside([seen(None, h)])["dead"] == {"layer 0": 1}
    assert inside([seen(tanh, h)])["dead"] == {"layer 0": 3}
    assert inside([seen(LSTM, h)])["dead"] == {"layer 0": 3}
    assert inside([seen(CellSpec("rnn", nonlinearity="relu", residual="full"), h)])["dead"] == {"layer 0": 3}
    assert inside([seen(LSTM, h)])["units"] == {"layer 0": 4}


def test_the_horizon_is_the_first_lag_under_a_hundredth() -> None:
    falling = 2.0 * 0.5 ** torch.arange(20.0)
    assert inside([seen(flow=falling)])["horizon"] == {"layer 0": {"h": 7}}  # 0.5⁶ = 1.6 %, 0.5⁷ = 0.8 %
    assert inside([seen(flow=falling[:7])])["horizon"] == {"layer 0": {"h": None}}
    assert inside([seen(flow=torch.full((5,), 3.0))])["horizon"] == {"layer 0": {"h": None}}
    assert inside([seen(flow=torch.zeros(5))])["horizon"] == {"layer 0": {"h": 0}}
    assert inside([seen(flow=falling)])["flow"]["layer 0"]["h"] == falling.tolist()
    assert "flow" not in inside([seen(None)])
    assert "horizon" not in inside([seen(None)])


def test_ranges_are_the_ends() -> None:
    assert inside([seen()])["range"] == {"layer 0": {"h": [-1.0, 1.0]}}


def test_update_ratios() -> None:
    before = {"a": torch.full((2, 2), 2.0), "b": torch.zeros(3), "c": torch.tensor([3.0, 4.0])}
    after = {"a": torch.full((2, 2), 2.5), "b": torch.ones(3), "c": torch.tensor([3.0, 4.0])}
    found = update_ratios(before, after)
    assert found["a"] == 0.25
    assert math.isnan(found["b"])
    assert found["c"] == 0.0


def test_a_row_is_json_of_four_digits() -> None:
    row = plain({"a": [1 / 3, math.nan, math.inf, -math.inf], "b": {"c": 123456.789, "d": None, "e": 7}, "f": 1e-30})
    assert row == {"a": [0.3333, None, None, None], "b": {"c": 123500.0, "d": None, "e": 7}, "f": 1e-30}
    json.dumps(row, allow_nan=False)


def test_memory_is_what_this_process_holds() -> None:
    before = memory_held(torch.device("cpu"))
    block = torch.ones(25_000_000)
    assert 90e6 < memory_held(torch.device("cpu")) - before < 150e6
    del block
