"""From cases to report: turns, ratios, JSON there and back, table and figure."""

import json
import math

import pytest
import torch

from peephole.bench import growth
from peephole.bench.cases import Case, Shape, weight
from peephole.bench.machine import this_machine
from peephole.bench.measure import measure
from peephole.bench.peers import PEERS
from peephole.bench.plot import picture
from peephole.bench.results import BETTER, OURS, Measured, Report, read_report
from peephole.bench.table import case_line, duration, text_of
from peephole.bench.timing import Budget, shared, take_turns, torch_threads
from peephole.errors import InputError


@pytest.fixture(scope="module")
def report() -> Report:
    """Every peer at least once, one round each."""
    shape = Shape(5, 17, 3, 7)
    cases = (
        Case("lstm", shape),
        Case("lstm", shape, "bfloat16", "training"),
        Case("lstm-full", shape, mode="training"),
        Case("lstm-noise", shape),
    )
    return measure(cases, rounds=1)


def test_every_peer_took_part(report: Report) -> None:
    assert {name for one in report.measured for name in one.seconds} == {OURS, *(peer.name for peer in PEERS.values())}
    assert report.red == ()
    for one in report.measured:
        assert all(seconds > 0 for values in one.seconds.values() for seconds in values)
        assert one.backend
        assert max(one.errors.values()) <= 3e-2


def test_json_there_and_back(report: Report) -> None:
    text = json.dumps(report.as_json(), allow_nan=False)
    assert read_report(text) == report
    stamp = json.loads(text)["machine"]
    assert stamp["cores"] >= 1
    assert {"peephole", "python", "torch"} <= set(stamp["versions"])


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 99}'])
def test_another_file_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        read_report(text)


def test_the_table_shows_cases_and_summaries(report: Report) -> None:
    text = text_of(report)
    for part in ("torch.nn", "onnxruntime", "loop", "product", "peephole float32", "peephole lstm", BETTER, "5x17x3x7"):
        assert part in text
    assert "cost over peephole lstm" in text
    assert "torch.nn has no noise in the recurrence" in text
    assert max(map(len, text.splitlines())) <= 160


def test_the_figure_is_a_picture(report: Report) -> None:
    pytest.importorskip("matplotlib")
    assert picture(report).startswith(b"\x89PNG")


def timed(case: Case, **seconds: float) -> Measured:
    """A measurement with these seconds in each of three rounds, a slow machine in the second."""
    rounds = {name.replace("_", " "): (value, 9 * value, value) for name, value in seconds.items()}
    return Measured(case, "torch: made up", {"peephole": (1.0, 9.0, 1.0), **rounds}, {}, {}, {})


def test_ratios_means_and_worst() -> None:
    wide = Shape(4, 16, 256, 256)
    ones = (
        timed(Case("lstm", Shape(4, 1, 2, 3)), onnxruntime=4.0, product=0.1, **{"torch.nn": 2.0}),
        timed(Case("lstm", wide), onnxruntime=2.0, product=0.5, **{"torch.nn": 8.0}),
        timed(Case("lstm-full", wide), peephole_lstm=0.5),
    )
    found = {(one.cell, one.against): one for one in Report(this_machine(), ones).summaries()}
    torch_nn = found["lstm", "torch.nn"]
    assert (torch_nn.count, torch_nn.worst, torch_nn.worst_shape) == (2, 2.0, "4x1x2x3")
    assert torch_nn.geometric_mean == pytest.approx(4.0)
    better = found["lstm", BETTER]
    assert (better.geometric_mean, better.worst) == (pytest.approx(2.0), 2.0)
    product = found["lstm", "product"]
    assert (product.count, product.worst) == (1, 0.5)
    cost = found["lstm-full", "peephole lstm"]
    assert (cost.cost, cost.worst) == (True, 2.0)
    assert ones[2].flops_over_plain() == pytest.approx((4 * 512 + 3 * 256) / (4 * 512))


def test_grids_are_also_summed_up_each_for_itself() -> None:
    shapes = (Shape(100, 1, 128, 128), Shape(64, 10, 96, 160), Shape(2, 3, 4, 5))
    ones = tuple(timed(Case("lstm", shape), **{"torch.nn": number + 2.0}) for number, shape in enumerate(shapes))
    report = Report(this_machine(), ones)
    assert [(one.where, one.count, one.worst) for one in report.summaries()] == [
        ("", 3, 2.0),
        ("grid", 1, 2.0),
        ("own", 1, 3.0),
    ]


def test_red_lines_are_shown() -> None:
    one = Measured(Case("gru", Shape(4, 1, 2, 3)), "torch: made up", {}, {OURS: 0.5}, {OURS: "y is off"}, {})
    report = Report(this_machine(), (one,))
    assert "RED, not timed: y is off" in case_line(one)
    assert "RED, never timed:\n  gru 4x1x2x3 float32 inference: peephole: y is off" in text_of(report)
    assert report.summaries() == ()


class Clock:
    """In place of `time`: it goes on only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("peephole.bench.timing.time", made)
    return made


def test_turns_go_round(clock: Clock) -> None:
    order: list[str] = []
    runs = {name: (lambda name=name: (order.append(name), clock.sleep(0.101))) for name in "ab"}
    taken = take_turns(runs, Budget(0.0, 2), {"a": 0.0})
    assert "".join(order) == "ab" + "ab" + "ba"  # to say how short they are, then each round from another
    assert taken == {"a": pytest.approx((0.101, 0.101)), "b": pytest.approx((0.101, 0.101))}


def test_three_rounds_at_least_and_more_in_time(clock: Clock) -> None:
    assert len(take_turns({"a": lambda: clock.sleep(0.02)}, Budget(0.0))["a"]) == 3
    began = clock.now
    rounds = len(take_turns({"a": lambda: clock.sleep(0.02)}, Budget(3.0))["a"])
    assert rounds > 50
    assert clock.now - began <= 3.0


def test_time_is_shared_by_weight() -> None:
    assert shared(10.0, [1.0, 3.0, 1.0]) == pytest.approx(2.0)
    assert shared(-1.0, [1.0]) == 0.0
    assert weight(Case("lstm", Shape(9, 9, 99, 99), mode="training")) > weight(Case("lstm", Shape(9, 9, 99, 99)))


def test_threads_are_set_and_put_back() -> None:
    before = torch.get_num_threads()
    with torch_threads(2):
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == before


def test_unknown_peers_and_back_ends_are_refused() -> None:
    with pytest.raises(InputError, match="unknown peer 'jax'"):
        measure((), peers=("jax",))
    with pytest.raises(InputError, match="unknown back end 'abacus'"):
        measure((), backend="abacus")


def test_growth_from_points_to_text(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = (Shape(2, 1, 3, 4), Shape(8, 1, 3, 4))
    monkeypatch.setattr(growth, "AXES", {"T": shapes, "threads": shapes[:1]})
    monkeypatch.setattr(growth, "GATED_STEPS", 4)
    found = growth.measure_growth(growth.plan(("lstm",), ("float32",), ("inference",), 1), peers=("torch",), rounds=1)
    assert found.red == ()
    series = {(one.axis, one.name): one for one in found.series()}
    assert series["T", OURS].values == (2, 8)
    assert math.isfinite(series["T", OURS].exponent)
    assert json.loads(json.dumps(found.as_json(), allow_nan=False))["series"][-1]["exponent"] is None
    text = text_of(found)
    assert "time of one run over T" in text
    assert "time of one run over threads" in text
    pytest.importorskip("matplotlib")
    assert picture(found).startswith(b"\x89PNG")


def test_the_exponent_of_a_straight_line_is_one() -> None:
    assert growth.Series("T", "lstm", "inference", OURS, (10, 100, 1000), (9.0, 2.0, 20.0)).exponent == pytest.approx(1)


def test_durations_have_three_digits() -> None:
    assert [duration(seconds) for seconds in (12.345, 1234.5, 0.0123, 0.9999, 1.2345e-4)] == [
        "12.3 s",
        "1234 s",
        "12.3 ms",
        "1 s",
        "123 µs",
    ]
