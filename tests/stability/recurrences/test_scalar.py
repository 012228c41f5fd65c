"""One unit that feeds itself: known fixed points, brute force over grids, degenerate weights, memory, bad input."""

import dataclasses
import itertools
import math
import random
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure

from peephole.errors import InputError
from peephole.stability.recurrences.activations import activate, slope
from peephole.stability.recurrences.cycles import Continuum, Cycle
from peephole.stability.recurrences.memory_curve import memory_curve
from peephole.stability.recurrences.saturating import contested_drives, turn
from peephole.stability.recurrences.scalar import ScalarRecurrence, portrait_of, scalar_recurrence
from peephole.stability.recurrences.settling import LONGEST

INF = math.inf


def apply(activation: str, weight: float, drive: float, h: torch.Tensor) -> torch.Tensor:
    return activate(activation, weight * h + drive)


def points(found: ScalarRecurrence, period: int) -> list[float]:
    return [point for cycle in found.portrait.cycles if cycle.period == period for point in cycle.points]


def random_recurrences(count: int, seed: int) -> list[tuple[str, float, float]]:
    """Half of them drawn where sigmoid or tanh may have more than one limit."""
    generator = random.Random(seed)
    found = []
    for place in range(count):
        activation = generator.choice(["sigmoid", "tanh"])
        scale = 4.0 if activation == "sigmoid" else 1.0
        weight = generator.uniform(-3, 3) * scale
        centre = -weight / 2 if activation == "sigmoid" else 0.0
        spread = abs(weight) if place % 2 else 0.3 * abs(weight)
        found.append((activation, weight, centre + generator.uniform(-spread, spread)))
    return found


# --- fixed points and cycles ---


@pytest.mark.parametrize(("activation", "weight", "drive"), random_recurrences(40, seed=1))
def test_fixed_points_and_cycles_are_those_that_a_fine_grid_finds(activation: str, weight: float, drive: float) -> None:
    found = scalar_recurrence(activation, weight, drive)
    low = 0.0 if activation == "sigmoid" else -1.0
    grid = torch.linspace(low, 1.0, 200_001, dtype=torch.float64)
    once = apply(activation, weight, drive, grid)
    for period, mapped in ((1, once), (2, apply(activation, weight, drive, once))):
        gap = mapped - grid
        crossings = grid[:-1][gap[:-1].sign() != gap[1:].sign()].tolist()
        known = sorted(points(found, 1) + (points(found, 2) if period == 2 else []))
        assert len(known) == len(crossings), (period, known, crossings)
        assert all(abs(one - other) <= 1e-5 for one, other in zip(known, crossings, strict=True))


@pytest.mark.parametrize(("activation", "weight", "drive"), random_recurrences(20, seed=2))
def test_every_point_returns_and_multipliers_are_those_of_autograd(
    activation: str, weight: float, drive: float
) -> None:
    for cycle in scalar_recurrence(activation, weight, drive).portrait.cycles:
        for point in cycle.points:
            start = torch.tensor(point, dtype=torch.float64, requires_grad=True)
            h = start
            for _ in range(cycle.period):
                h = apply(activation, weight, drive, h)
            (gradient,) = torch.autograd.grad(h, start)
            assert abs(h.item() - point) <= 1e-13
            assert abs(gradient.item() - cycle.multiplier) <= 1e-10 * max(1, abs(cycle.multiplier))
        if cycle.period == 2:
            low, high = cycle.points
            assert low < high


@pytest.mark.parametrize(("activation", "weight", "drive"), random_recurrences(12, seed=4))
def test_starts_end_where_it_is_said_and_nowhere_before(activation: str, weight: float, drive: float) -> None:
    starts = torch.linspace(-2.0, 2.0, 23, dtype=torch.float64)
    found = scalar_recurrence(activation, weight, drive, starts=starts, steps=4000)
    assert (found.trajectories[-1] - found.limits[0]).abs().max() <= 1e-6
    assert (found.trajectories[-2] - found.limits[1]).abs().max() <= 1e-6
    for destination, ends in zip(found.destinations, found.limits.T.tolist(), strict=True):
        assert destination is not None
        assert set(destination.points) == set(ends)
    # Counted on the trajectories, and against the last of all steps that are further away.
    phase = torch.arange(4001) % 2
    left = (found.trajectories - found.limits[phase]).abs() / (starts - found.limits[0]).abs()
    for column, steps in enumerate(found.settling.tolist()):
        outside = (left[:, column] > 0.01).nonzero()
        assert steps == (int(outside[-1]) + 1 if len(outside) else 0)


def test_the_limit_of_the_sigmoid_solves_its_equation() -> None:
    for weight, bias in itertools.product((-3.5, -1.0, 0.0, 0.5, 2.0, 3.9), (-2.0, 0.0, 1.0)):
        found = scalar_recurrence("sigmoid", weight, bias)
        (point,) = points(found, 1)
        assert abs(point - 1 / (1 + math.exp(-weight * point - bias))) <= 1e-15
        assert found.outcome == "one limit"


def test_input_adds_to_the_bias() -> None:
    one, other = scalar_recurrence("tanh", 1.5, 0.25, 0.5), scalar_recurrence("tanh", 1.5, 0.75)
    assert torch.equal(one.trajectories, other.trajectories)
    assert one.portrait == other.portrait


@pytest.mark.parametrize(
    ("activation", "weight", "bias", "outcome"),
    [
        ("sigmoid", 4.5, -2.25, "two limits"),
        ("sigmoid", -4.5, 2.25, "cycle of two"),
        ("sigmoid", 4.5, 0.0, "one limit"),
        ("tanh", 1.2, 0.0, "two limits"),
        ("tanh", 1.2, 0.5, "one limit"),
        ("tanh", -1.2, 0.0, "cycle of two"),
        ("relu", -3.0, 1.0, "cycle of two"),
        ("relu", 1.1, 0.0, "blows up"),
        ("identity", -1.1, 0.0, "blows up"),
        ("identity", 1.0, 0.1, "blows up"),
        ("identity", 1.0, 0.0, "keeps every start"),
    ],
)
def test_outcomes(activation: str, weight: float, bias: float, outcome: str) -> None:
    assert scalar_recurrence(activation, weight, bias).outcome == outcome


@pytest.mark.parametrize(("activation", "weight"), [("sigmoid", 5.0), ("sigmoid", -7.0), ("tanh", 1.1), ("tanh", -3.0)])
def test_more_than_one_limit_exactly_between_the_contested_drives(activation: str, weight: float) -> None:
    between = contested_drives(activation, weight)
    assert between is not None
    low, high = between
    assert abs((low + high) / 2 - (-weight / 2 if activation == "sigmoid" else 0)) <= 1e-12
    several = {"cycle of two", "two limits"}
    for share in (0.001, 0.3, 0.999):
        assert scalar_recurrence(activation, weight, low + share * (high - low)).outcome in several
    for outside in (low - 1e-3, high + 1e-3):
        assert scalar_recurrence(activation, weight, outside).outcome == "one limit"


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_drives_are_contested_from_the_critical_weight_on(activation: str) -> None:
    critical = 4.0 if activation == "sigmoid" else 1.0
    for weight in (critical, -critical, 0.0, 0.5 * critical):
        assert contested_drives(activation, weight) is None
    assert contested_drives("relu", 3.0) is None
    z = torch.tensor(turn(activation, 1.7 * critical), dtype=torch.float64)
    assert abs(1.7 * critical * slope(activation, z).item() - 1) <= 1e-14


def test_at_the_edge_of_the_contested_drives_a_neutral_point_attracts_from_one_side() -> None:
    for edge, sides in ((1, "from below"), (0, "from above")):
        drives = contested_drives("sigmoid", 6.0)
        assert drives is not None
        found = scalar_recurrence("sigmoid", 6.0, drives[edge])
        (neutral,) = (cycle for cycle in found.portrait.cycles if cycle.kind == "neutral")
        (other,) = (cycle for cycle in found.portrait.cycles if cycle.kind == "attracting")
        assert neutral.attracts == sides
        assert neutral.multiplier == 1
        assert abs(6 * neutral.points[0] * (1 - neutral.points[0]) - 1) <= 1e-12
        assert (other.points > neutral.points) == (edge == 1)
        assert "power of t" in found.verdict


# --- closed forms: identity and relu ---


@pytest.mark.parametrize("weight", [-0.9, 0.0, 0.5, 0.99])
def test_identity_contracts_to_its_fixed_point(weight: float) -> None:
    found = scalar_recurrence("identity", weight, 2.0, starts=[-3.0, 0.0, 5.0], steps=40)
    limit = 2.0 / (1 - weight)
    assert points(found, 1) == [limit]
    want = torch.stack([weight**t * (found.trajectories[0] - limit) + limit for t in range(41)])
    assert (found.trajectories - want).abs().max() <= 1e-12
    steps = 1 if weight == 0 else math.ceil(math.log(0.01) / math.log(abs(weight)))
    assert found.settling.tolist() == [steps] * 3
    assert found.portrait.cycles[0].rate == abs(weight)
    halves = 0.0 if weight == 0 else math.log(0.5) / math.log(abs(weight))
    assert abs(found.portrait.cycles[0].half_life - halves) <= 1e-12


def test_identity_at_one_and_minus_one() -> None:
    still = scalar_recurrence("identity", 1.0, starts=[-2.0, 0.5])
    assert still.portrait.continuum == Continuum(1, -INF, INF)
    assert still.limits.tolist() == [[-2.0, 0.5], [-2.0, 0.5]]
    assert still.outcome == "keeps every start"
    swapped = scalar_recurrence("identity", -1.0, 0.5, starts=[-2.0, 0.25, 3.0])
    assert swapped.portrait == dataclasses.replace(
        swapped.portrait, cycles=(Cycle((0.25,), -1.0, False, False),), continuum=Continuum(2, -INF, INF)
    )
    assert swapped.limits.tolist() == [[-2.0, 0.25, 3.0], [2.5, 0.25, -2.5]]
    assert [cycle.points for cycle in swapped.destinations if cycle is not None] == [(-2.0, 2.5), (0.25,), (-2.5, 3.0)]
    assert torch.equal(swapped.trajectories[2], swapped.trajectories[0])


def test_identity_grows_by_what_comes_in() -> None:
    found = scalar_recurrence("identity", 1.0, -0.25, starts=[1.0], steps=8)
    assert found.trajectories[:, 0].tolist() == [1 - 0.25 * t for t in range(9)]
    assert found.destinations == (None,)
    assert found.limits[:, 0].tolist() == [-INF, -INF]
    assert "by 0.25 a step" in found.verdict


def test_identity_beyond_one_leaves_from_all_but_its_fixed_point() -> None:
    found = scalar_recurrence("identity", -2.0, 3.0, starts=[0.0, 1.0, 4.0], steps=2000)
    assert points(found, 1) == [1.0]
    assert found.limits.tolist() == [[-INF, 1.0, INF], [INF, 1.0, -INF]]
    assert found.trajectories[:, 1].eq(1).all()
    assert found.trajectories[-1].tolist() == [-INF, 1.0, INF]
    assert found.settling.tolist() == [INF, 0.0, INF]


@pytest.mark.parametrize(
    ("weight", "drive", "cycles", "ends"),
    [
        # every fixed point and cycle with its multiplier, and where -2, 0.1 and 9 are at even steps in the end
        (0.0, 0.5, [((0.5,), 0.0)], [0.5, 0.5, 0.5]),
        (0.0, -0.5, [((0.0,), 0.0)], [0.0, 0.0, 0.0]),
        (0.5, 1.0, [((2.0,), 0.5)], [2.0, 2.0, 2.0]),
        (0.5, 0.0, [((0.0,), 0.5)], [0.0, 0.0, 0.0]),
        (0.5, -1.0, [((0.0,), 0.0)], [0.0, 0.0, 0.0]),
        (1.0, -1.0, [((0.0,), 0.0)], [0.0, 0.0, 0.0]),
        (1.0, 1.0, [], [INF, INF, INF]),
        (2.0, 1.0, [], [INF, INF, INF]),
        (2.0, 0.0, [((0.0,), 2.0)], [0.0, INF, INF]),
        (2.0, -1.0, [((0.0,), 0.0), ((1.0,), 2.0)], [0.0, 0.0, INF]),
        (-0.5, 1.0, [((1 / 1.5,), -0.5)], [1 / 1.5, 1 / 1.5, 1 / 1.5]),
        (-2.0, 0.0, [((0.0,), 0.0)], [0.0, 0.0, 0.0]),
        (-2.0, -1.0, [((0.0,), 0.0)], [0.0, 0.0, 0.0]),
        (-2.0, 1.0, [((1 / 3,), -2.0), ((0.0, 1.0), 0.0)], [0.0, 0.0, 1.0]),
    ],
)
def test_relu(weight: float, drive: float, cycles: list[tuple[tuple[float, ...], float]], ends: list[float]) -> None:
    found = scalar_recurrence("relu", weight, drive, starts=[-2.0, 0.1, 9.0], steps=2000)
    assert [(cycle.points, cycle.multiplier) for cycle in found.portrait.cycles] == cycles
    assert found.portrait.continuum is None
    assert found.limits[0].tolist() == ends
    bounded = found.limits[0].isfinite()
    assert (found.trajectories[-1] - found.limits[0])[bounded].abs().le(1e-12).all()
    assert found.trajectories[-1][~bounded].gt(1000).all()
    assert found.settling.isfinite().tolist() == bounded.tolist()


def test_relu_attracts_and_repels_at_its_kink() -> None:
    (cycle,) = scalar_recurrence("relu", 2.0).portrait.cycles
    assert (cycle.kind, cycle.attracts) == ("repelling", "from below")


def test_relu_keeps_starts_at_one_and_minus_one() -> None:
    still = scalar_recurrence("relu", 1.0, starts=[-2.0, 0.5, 3.0])
    assert still.portrait.continuum == Continuum(1, 0.0, INF)
    assert still.limits.tolist() == [[0.0, 0.5, 3.0]] * 2
    swapped = scalar_recurrence("relu", -1.0, 2.0, starts=[-1.0, 0.25, 1.0, 2.0, 7.0], steps=51)
    assert swapped.portrait.continuum == Continuum(2, 0.0, 2.0)
    assert points(swapped, 1) == [1.0]
    assert swapped.limits.tolist() == [[0.0, 0.25, 1.0, 2.0, 2.0], [2.0, 1.75, 1.0, 0.0, 0.0]]
    assert torch.equal(swapped.trajectories[-2:], swapped.limits)
    assert "[0, 2]" in swapped.verdict


@pytest.mark.parametrize(("weight", "drive"), [(-5.0, 3.0), (-5.0, -3.0), (-1.0, 1.0), (0.9, 1.0)])
def test_relu_that_falls_never_blows_up(weight: float, drive: float) -> None:
    found = scalar_recurrence("relu", weight, drive, starts=[-1e6, 0.3, 1e6], steps=300)
    assert found.trajectories.abs().max() <= 1e7
    assert found.outcome != "blows up"


# --- critical and huge weights ---


@pytest.mark.parametrize(
    ("activation", "weight", "bias"),
    [("tanh", 1.0, 0.0), ("sigmoid", -4.0, 2.0)],
)
def test_at_the_critical_weight_distances_shrink_as_a_power(activation: str, weight: float, bias: float) -> None:
    centre = 0.5 if activation == "sigmoid" else 0.0
    found = scalar_recurrence(activation, weight, bias, starts=[centre + 0.4], steps=20_000)
    (cycle,) = found.portrait.cycles
    assert cycle == Cycle((centre,), math.copysign(1, weight), True, True)
    assert (cycle.kind, cycle.half_life, found.outcome) == ("neutral", INF, "one limit")
    assert "power of t" in found.verdict
    # tanh u = u - u^3/3 + ..., so that u falls like sqrt(3 / 2t); sigmoid is tanh at a quarter and a half of the scales
    left = (found.trajectories[:, 0] - centre).abs() * (2 if activation == "sigmoid" else 1)
    for t in (5000, 20_000):
        assert abs(left[t].item() / math.sqrt(1.5 / t) - 1) <= 0.01


def test_next_to_the_critical_weight_three_fixed_points_are_told_from_one() -> None:
    for excess in (1e-6, 1e-9):
        above = portrait_of("tanh", 1 + excess, 0.0)
        assert [cycle.attracts for cycle in above.cycles] == ["from both sides", "nothing", "from both sides"]
        assert abs(above.cycles[2].points[0] / math.sqrt(3 * excess) - 1) <= 1e-5
        assert len(portrait_of("tanh", 1 - excess, 0.0).cycles) == 1


@pytest.mark.parametrize("weight", [1e20, -1e20, 1e308, -1e308])
@pytest.mark.parametrize("drive", [0.0, -1e308, 1e308])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "identity"])
def test_huge_numbers(activation: str, weight: float, drive: float) -> None:
    found = scalar_recurrence(activation, weight, drive, starts=[-1e300, -1.0, 0.25, 2.0, 1e300])
    assert not found.trajectories.isnan().any()
    assert not found.limits.isnan().any()
    if activation in ("sigmoid", "tanh"):
        settled = (found.trajectories[-1] - found.limits[0]).abs() <= 1e-9
        near = (found.trajectories[-1] - found.limits[1]).abs() <= 1e-9
        assert (settled | near).all()
    assert all(math.isfinite(point) for cycle in found.portrait.cycles for point in cycle.points)
    assert found.verdict.endswith(".")
    figure = Figure()
    trajectories, cobweb = figure.subplots(1, 2)
    found.plot(trajectories)
    found.plot_cobweb(cobweb)
    assert all(map(math.isfinite, (*trajectories.get_ylim(), *cobweb.get_ylim())))


def test_a_fixed_point_in_the_flat_part_of_f_is_as_exact_as_any() -> None:
    # z = w (f(z) - 1) with w = -1e15: z = 1e15 / (1 + e^z), so that the multiplier -z f(z) is close to -z
    found = scalar_recurrence("sigmoid", -1e15, 1e15)
    (fixed, cycle) = found.portrait.cycles
    z = -fixed.multiplier
    for _ in range(20):
        z = math.log(1e15 / z - 1)
    assert abs(fixed.multiplier / (z * (1 - z / 1e15)) + 1) <= 1e-9
    assert cycle.points == (0.5, 1.0)


# --- memory over the weight ---


def test_tanh_remembers_longest_at_one() -> None:
    curve = memory_curve("tanh")
    assert curve.best == (-1.0, 1.0)
    assert "w = -1 and 1 " in curve.verdict
    assert "14,998 steps" in curve.verdict
    order = curve.steps[curve.weights >= 0]
    peak = int(order.argmax())
    assert (order[: peak + 1].diff() >= 0).all()
    assert (order[peak:].diff() <= 0).all()


def test_memory_is_that_of_the_slowest_start_of_the_recurrence() -> None:
    weights = [-5.8, -2.0, 0.0, 0.7, 3.0, 4.5]
    curve = memory_curve("sigmoid", weights, bias=-1.0, starts=[-0.5, 0.25, 2.0])
    for weight, steps, outcome in zip(weights, curve.steps.tolist(), curve.outcomes, strict=True):
        found = scalar_recurrence("sigmoid", weight, -1.0, starts=[-0.5, 0.25, 2.0])
        assert steps == found.settling.max().item()
        assert outcome == found.outcome


def test_memory_of_the_identity_is_its_logarithm() -> None:
    curve = memory_curve("identity", [0.5, -0.9, 1.0, 1.5, -1.5, -1.0])
    want = [math.ceil(math.log(0.01) / math.log(rate)) for rate in (0.5, 0.9)]
    assert curve.steps[:3].tolist() == [*want, INF]
    assert curve.steps[3:5].isnan().all()
    assert curve.steps[5] == INF
    assert curve.best == (1.0, -1.0)
    assert "2 of them blow up" in curve.verdict


def test_memory_where_everything_blows_up() -> None:
    curve = memory_curve("identity", [1.5, -2.0])
    assert curve.best == ()
    assert curve.verdict == "identity blows up at every one of 2 weights from -2 to 1.5."


def test_memory_is_tried_so_long_and_no_longer() -> None:
    full = memory_curve("tanh", [0.9]).steps.item()
    for longest, steps in ((int(full) - 1, INF), (int(full), full)):
        assert memory_curve("tanh", [0.9], longest=longest).steps.tolist() == [steps]
    curve = memory_curve("tanh", [1.0, 0.5], longest=100)
    assert curve.steps[0] == INF
    assert "more than 100 steps" in curve.verdict


# --- verdicts, figures, and what is handed in and out ---

EVERY_KIND = [
    ("tanh", 0.5, 0.0, ["one ends at h = 0", "0.5 of it", "half-life 1 steps"]),
    ("tanh", 1.5, 0.0, ["two limits", "-0.8586", "0.8586", "below h = 0 "]),
    ("tanh", -1.5, 0.0, ["cycle of two -0.8586, 0.8586", "every start but h = 0 "]),
    ("tanh", 1.0, 0.0, [f"the others after more than {LONGEST:,}", "power of t"]),
    ("sigmoid", 6.0, -3.0, ["b + c x = -3", "below h = 0.5 end at 0.07072"]),
    ("relu", 1.5, -1.0, ["blows up", "factor of 1.5", "above h = 2", "below end at 0"]),
    ("relu", 1.5, 1.0, ["blows up", "from every start"]),
    ("relu", 1.0, 0.0, ["keeps every start in h ≥ 0"]),
    ("relu", 0.0, 1.0, ["after at most 1 step;", "leaves nothing"]),
    ("identity", 2.0, 1.0, ["blows up", "every start but h = -1"]),
    ("identity", 1.0, 0.5, ["by 0.5 a step"]),
    ("identity", -1.0, 0.5, ["cycle of two of its own: h and 0.5 − h"]),
]


@pytest.mark.parametrize(("activation", "weight", "bias", "said"), EVERY_KIND)
def test_verdicts_say_it_in_one_sentence(activation: str, weight: float, bias: float, said: list[str]) -> None:
    verdict = scalar_recurrence(activation, weight, bias).verdict
    assert all(part in verdict for part in said), verdict
    assert verdict.endswith(".")
    assert ". " not in verdict
    assert "\n" not in verdict


@pytest.mark.parametrize(("activation", "weight", "bias", "said"), EVERY_KIND)
def test_figures(activation: str, weight: float, bias: float, said: list[str]) -> None:
    figure = Figure(layout="constrained")
    trajectories, cobweb, memory = figure.subplots(1, 3)
    found = scalar_recurrence(activation, weight, bias, steps=200)
    found.plot(trajectories)
    found.plot_cobweb(cobweb)
    memory_curve(activation, [weight, 0.5, -0.5], bias).plot(memory)
    figure.canvas.draw()  # as pixels, where warnings would come from
    for ax in figure.axes:
        assert ax.get_xlabel()
        assert ax.get_ylabel()
        assert not ax.spines["top"].get_visible()
    low, high = cobweb.get_xlim()
    for cycle in found.portrait.cycles:
        assert all(low < point < high for point in cycle.points)
    assert max(map(abs, trajectories.get_ylim())) <= 100


def test_results_are_frozen_and_arguments_untouched() -> None:
    starts = torch.tensor([0.5, -0.5])
    found, curve = scalar_recurrence("tanh", 0.5, starts=starts), memory_curve("tanh", starts, starts=starts)
    assert starts.tolist() == [0.5, -0.5]
    for result in (found, curve, found.portrait, found.portrait.cycles[0]):
        field = dataclasses.fields(result)[0].name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(result, field, None)
    found.trajectories.zero_()
    curve.weights.zero_()
    assert starts.tolist() == [0.5, -0.5]
    assert found.limits.dtype == curve.steps.dtype == torch.float64


def test_usual_starts_span_every_fixed_point() -> None:
    starts = scalar_recurrence("relu", 1.1, -1.0).trajectories[0]
    assert starts[0] <= -1
    assert starts[-1] > 10  # the threshold


@pytest.mark.usefixtures("unchecked_annotations")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"activation": "softmax"}, "softmax acts on a vector, and of one unit it is always 1"),
        ({"activation": "gelu"}, "activation is 'gelu'; expected one of sigmoid, tanh, relu, identity"),
        ({"activation": None}, "activation is None"),
        ({"weight": math.nan}, "weight is nan; expected a finite number"),
        ({"weight": INF}, "weight is inf"),
        ({"weight": "two"}, "weight is 'two'; expected a number"),
        ({"weight": True}, "weight is True; expected a number"),
        ({"weight": 1j}, "weight is 1j"),
        ({"weight": 10**400}, "weight is inf"),
        ({"bias": -INF}, "bias is -inf"),
        ({"input": math.nan}, "input is nan"),
        ({"bias": 1e308, "input": 1e308}, "bias + input is 1e+308 + 1e+308, beyond float64"),
        ({"starts": []}, "starts have shape [0]"),
        ({"starts": [[1.0]]}, "starts have shape [1, 1]"),
        ({"starts": [0.0, math.nan]}, "starts holds nan"),
        ({"starts": ["a"]}, "starts holds no real numbers"),
        ({"starts": [[1.0], [1.0, 2.0]]}, "starts holds no real numbers"),
        ({"starts": torch.tensor([1j])}, "starts holds no real numbers"),
        ({"steps": 0}, "steps is 0; expected a whole number from 1 to 1,000,000"),
        ({"steps": 2.5}, "steps is 2.5"),
        ({"steps": True}, "steps is True"),
        ({"steps": 10**9}, "steps is 1000000000"),
        ({"activation": "identity", "weight": 1 - 1e-10, "bias": 1e300}, "lies beyond float64"),
    ],
)
def test_refusals(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as refusal:
        scalar_recurrence(**{"activation": "tanh", "weight": 0.5, **arguments})
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.usefixtures("unchecked_annotations")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"activation": "softmax"}, "softmax acts on a vector"),
        ({"weights": []}, "weights have shape [0]"),
        ({"weights": [1.0, INF]}, "weights holds inf"),
        ({"starts": []}, "starts have shape [0]"),
        ({"bias": math.nan}, "bias is nan"),
        ({"longest": 0}, "longest is 0"),
    ],
)
def test_refusals_of_the_memory_curve(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as refusal:
        memory_curve(**{"activation": "tanh", **arguments})
    assert message in str(refusal.value)
