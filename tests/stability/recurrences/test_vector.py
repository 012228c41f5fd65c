"""A layer that feeds itself: systems whose answer is known, Jacobians against autograd, figures, bad input."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor

from peephole.errors import InputError
from peephole.stability.recurrences.activations import VECTOR, activate, slope
from peephole.stability.recurrences.scalar import scalar_recurrence
from peephole.stability.recurrences.start_left import step_jacobian
from peephole.stability.recurrences.vector import vector_recurrence


def random_matrix(size: int, scale: float, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(size, size, dtype=torch.float64, generator=generator) / size**0.5


def orthogonal(size: int, seed: int = 0) -> Tensor:
    return torch.linalg.qr(random_matrix(size, 1.0, seed))[0]


def rotation(angle: float) -> Tensor:
    cosine, sine = math.cos(angle), math.sin(angle)
    return torch.tensor([[cosine, -sine], [sine, cosine]], dtype=torch.float64)


# --- what is followed ---


@pytest.mark.parametrize("activation", VECTOR)
def test_trajectories_are_the_equation(activation: str) -> None:
    weight, bias, input = random_matrix(3, 1.0), torch.tensor([0.5, -1.0, 0.0]), torch.tensor([0.0, 0.25, 2.0])
    found = vector_recurrence(weight, activation, bias, input, starts=4, steps=6)
    numpy = weight.numpy()
    functions = {
        "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
        "tanh": np.tanh,
        "relu": lambda z: np.maximum(z, 0),
        "identity": lambda z: z,
        "softmax": lambda z: np.exp(z) / np.exp(z).sum(),
    }
    for start in range(4):
        h = found.trajectories[0, start].numpy()
        for t in range(1, 7):
            h = functions[activation](numpy @ h + (bias + input).double().numpy())
            assert np.abs(found.trajectories[t, start].numpy() - h).max() <= 1e-12


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_one_unit_is_the_scalar_recurrence(activation: str) -> None:
    starts = torch.tensor([-0.75, 0.0, 0.5], dtype=torch.float64)
    found = vector_recurrence([[-0.9]], activation, [0.25], starts=starts[:, None], steps=30)
    scalar = scalar_recurrence(activation, -0.9, 0.25, starts=starts, steps=30)
    assert (found.trajectories[..., 0] - scalar.trajectories).abs().max() <= 1e-15


@pytest.mark.parametrize("activation", VECTOR)
def test_starts_are_drawn_from_what_the_activation_returns(activation: str) -> None:
    one, same, other = (
        vector_recurrence(random_matrix(5, 1.0), activation, starts=200, steps=1, seed=seed).trajectories[0]
        for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    low = -1.0 if activation in ("tanh", "identity") else 0.0
    assert low <= one.min()
    assert one.max() <= 1
    if activation == "softmax":
        assert (one.sum(1) - 1).abs().max() <= 1e-14
        assert (one.mean(0) - 0.2).abs().max() <= 0.05
    else:
        assert one.min() <= low + 0.02
        assert one.max() >= 0.98


# --- forgetting ---


@pytest.mark.parametrize("rate", [0.5, 0.9, 0.97])
def test_a_scaled_rotation_forgets_at_its_scale(rate: float) -> None:
    found = vector_recurrence(rate * orthogonal(7), "identity", starts=6, steps=300)
    assert found.forgotten_after == math.ceil(math.log(0.01) / math.log(rate))
    assert abs(found.rate - rate) <= 1e-6
    want = torch.tensor([rate**t for t in found.left_at], dtype=torch.float64)
    assert (found.left / want[:, None] - 1).abs().max() <= 1e-10
    shown = found.distances[:20] / torch.tensor([rate**t for t in range(20)], dtype=torch.float64)[:, None]
    assert (shown - 1).abs().max() <= 1e-9
    assert not found.ending.blows_up


def test_forgotten_is_forgotten_for_good() -> None:
    # Not normal: distances grow twentyfold before they fall.
    weight = torch.tensor([[0.5, 30.0], [0.0, 0.5]], dtype=torch.float64)
    starts = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0]], dtype=torch.float64)
    found = vector_recurrence(weight, "identity", starts=starts, steps=60)
    powers = torch.stack([torch.linalg.matrix_power(weight, t) for t in range(61)])
    apart = torch.stack([powers[:, :, 1].norm(dim=1), powers[:, :, 0].norm(dim=1)])
    worst = torch.maximum(apart.amax(0), (powers[:, :, 1] - powers[:, :, 0]).norm(dim=1) / 2**0.5)
    assert found.distances.amax(1).sub(worst).abs().max() <= 1e-12
    assert worst.max() > 20
    assert found.forgotten_after == int((worst > 0.01).nonzero()[-1]) + 1


def test_nothing_is_left_after_one_step_of_zeros() -> None:
    found = vector_recurrence(torch.zeros(3, 3), "tanh", steps=10)
    assert (found.forgotten_after, found.rate) == (1, 0.0)
    assert found.left[1:].eq(0).all()
    assert "in 1 step:" in found.verdict


def test_an_identity_forgets_nothing() -> None:
    found = vector_recurrence(torch.eye(4), "identity", starts=9)
    assert found.forgotten_after is None
    assert (found.rate, len(found.ending.limits)) == (1.0, 9)
    assert found.ending.limit_of == tuple(range(9))
    assert "keeps 9 limits apart" in found.verdict


@pytest.mark.parametrize("activation", VECTOR)
def test_what_is_left_is_the_jacobian_of_all_steps(activation: str) -> None:
    weight, bias = random_matrix(5, 1.2, seed=3), random_matrix(5, 1.0, seed=4)[0]
    found = vector_recurrence(weight, activation, bias, starts=2, steps=11)
    h = found.trajectories[0, 0]
    for t, values in zip(found.left_at, found.left, strict=True):

        def run(h: Tensor, steps: int = t) -> Tensor:
            for _ in range(steps):
                h = activate(activation, weight @ h + bias)
            return h

        jacobian = torch.autograd.functional.jacobian(run, h)
        assert (torch.linalg.svdvals(jacobian) - values).abs().max() <= 1e-13
        assert (values.diff() <= 0).all()
    assert found.left_at == (0, 1, 2, 3, 4, 6, 8, 11)


@pytest.mark.parametrize("activation", VECTOR)
def test_slopes_and_step_jacobians_are_those_of_autograd(activation: str) -> None:
    weight, drive, h = random_matrix(4, 2.0), random_matrix(4, 1.0, seed=1)[0], random_matrix(4, 1.0, seed=2)[0]
    want = torch.autograd.functional.jacobian(lambda h: activate(activation, weight @ h + drive), h)
    assert (step_jacobian(activation, weight, drive, h) - want).abs().max() <= 1e-15
    z = torch.tensor([-40.0, -3.0, -0.5, 0.0, 0.25, 2.0, 40.0], dtype=torch.float64)
    own = torch.autograd.functional.jacobian(lambda z: activate(activation, z), z).diagonal()
    assert (slope(activation, z) - own).abs().max() <= 1e-15
    if activation in ("sigmoid", "tanh"):
        assert slope(activation, z)[-1] > 0  # 1 - y² is 0 there


# --- limits ---


def test_separate_units_keep_a_bit_each() -> None:
    weight = torch.diag(torch.tensor([1.5, 1.4, 0.5], dtype=torch.float64))
    found = vector_recurrence(weight, "tanh", starts=64)
    ending = found.ending
    assert ending.periods == (1,) * 64
    high = [scalar_recurrence("tanh", w).portrait.cycles[2].points[0] for w in (1.5, 1.4)]
    got = sorted(limit[0].tolist() for limit in ending.limits)
    want = sorted([one * high[0], other * high[1], 0.0] for one in (-1, 1) for other in (-1, 1))
    assert (torch.tensor(got) - torch.tensor(want)).abs().max() <= 1e-6
    for start, place in enumerate(ending.limit_of):
        assert place is not None
        assert torch.equal(ending.limits[place][0].sign()[:2], found.trajectories[0, start].sign()[:2])
    assert "keeps 4 limits apart:" in found.verdict


def test_cycles_are_found_whatever_the_place_on_them() -> None:
    # A rotation of units: h goes through the corners of a square, whose places tell of the start.
    weight = 1.5 * torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    found = vector_recurrence(weight, "tanh", starts=40)
    assert set(found.ending.periods) == {4}
    assert found.ending.limit_of == (0,) * 40
    (limit,) = found.ending.limits
    assert limit.shape == (4, 2)
    corner = scalar_recurrence("tanh", 1.5).portrait.cycles[2].points[0]
    assert (limit.abs() - corner).abs().max() <= 1e-6
    assert "comes to one cycle of 4 steps" in found.verdict
    pairs = vector_recurrence(-1.5 * torch.eye(2), "tanh", starts=40)
    assert len(pairs.ending.limits) == 2
    assert "keeps 2 limits apart, each a cycle of 2 steps" in pairs.verdict


def test_a_turning_state_keeps_moving() -> None:
    found = vector_recurrence(1.3 * rotation(0.7), "tanh", starts=5)
    assert found.ending.moving == 5
    assert found.ending.limits == ()
    assert not found.ending.blows_up
    assert "keeps moving: 5 of 5 starts have not settled in 200 steps" in found.verdict


def test_settling_and_moving_at_once() -> None:
    starts = torch.tensor([[0.1, 0.2], [0.0, 0.0]], dtype=torch.float64)
    found = vector_recurrence(rotation(0.7), "identity", starts=starts)
    assert found.ending.periods == (None, 1)
    assert "1 of 2 starts have not settled in 200 steps, 1 have come to 1 limit" in found.verdict


@pytest.mark.parametrize(
    ("weight", "activation", "bias", "growth"),
    [
        (1.01 * orthogonal(6), "identity", None, 1.01),
        (torch.eye(3), "identity", torch.ones(3), 2 ** (1 / 100)),
        (1.5 * torch.eye(3), "relu", None, 1.5),
        (1e30 * torch.eye(3), "identity", None, 1e30),
    ],
)
def test_what_grows_blows_up(weight: Tensor, activation: str, bias: Tensor | None, growth: float) -> None:
    found = vector_recurrence(weight, activation, bias)
    assert found.ending.blows_up
    assert found.forgotten_after is None
    assert abs(found.ending.growth / growth - 1) <= 0.01
    assert "blows up" in found.verdict
    assert not found.trajectories.isnan().any()
    assert not found.distances.isnan().any()
    assert found.left.isfinite().all()


def test_beyond_float64_states_are_infinite() -> None:
    weight = torch.tensor([[1e200, -1e200], [1e200, 1e200]], dtype=torch.float64)
    found = vector_recurrence(weight, "identity", starts=3, steps=20)
    assert found.trajectories[1].isfinite().all()
    assert found.trajectories[2:].isinf().all()
    assert "after 1 step and leaves float64 in the next" in found.verdict


@pytest.mark.parametrize(
    ("weight", "activation", "bias"),
    [
        (0.999 * torch.eye(2), "relu", torch.ones(2)),  # on its way to 1000, ever more slowly
        (orthogonal(6), "identity", None),
        (50 * random_matrix(6, 1.0), "tanh", None),
        (random_matrix(6, 9.0), "softmax", None),
        (-3.0 * torch.eye(3), "relu", torch.ones(3)),
    ],
)
def test_what_is_bounded_does_not_blow_up(weight: Tensor, activation: str, bias: Tensor | None) -> None:
    assert not vector_recurrence(weight, activation, bias).ending.blows_up


def test_saturation_is_the_share_of_flat_slopes() -> None:
    weight = torch.diag(torch.tensor([9.0, 0.5, 0.5, 0.5], dtype=torch.float64))
    assert vector_recurrence(weight, "tanh").saturated == 0.25
    assert "25 % of the units" in vector_recurrence(weight, "tanh").verdict
    assert vector_recurrence(0.5 * torch.eye(4), "relu", torch.tensor([-1.0, -1.0, -1.0, 1.0])).saturated == 0.75
    assert vector_recurrence(0.5 * torch.eye(4), "identity").saturated == 0


# --- verdicts, figures, and what is handed in and out ---

KINDS = [
    (random_matrix(16, 0.8), "tanh", "forgets its start"),
    (torch.diag(torch.tensor([1.5, 1.5])), "tanh", "limits apart"),
    (random_matrix(16, 3.0), "tanh", "keeps moving"),
    (1.5 * torch.eye(2), "relu", "blows up"),
    (1e30 * torch.eye(2), "identity", "blows up"),
    (torch.zeros(3, 3), "softmax", "forgets its start"),
    (torch.tensor([[1.5]]), "tanh", "keeps 2 limits apart"),
]


@pytest.mark.parametrize(("weight", "activation", "said"), KINDS)
def test_verdicts_and_figures(weight: Tensor, activation: str, said: str) -> None:
    found = vector_recurrence(weight, activation)
    assert said in found.verdict
    assert found.verdict.endswith(".")
    assert ". " not in found.verdict
    figure = Figure(layout="constrained")
    forgetting, states = figure.subplots(1, 2)
    found.plot(forgetting)
    found.plot_states(states)
    figure.canvas.draw()
    for ax in figure.axes:
        assert ax.get_xlabel()
        assert ax.get_ylabel()
        assert not ax.spines["top"].get_visible()
    assert forgetting.get_yscale() == "log"


def test_results_are_frozen_and_arguments_untouched() -> None:
    weight, bias, starts = torch.eye(2), torch.ones(2), torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    found = vector_recurrence(weight, "tanh", bias, bias, starts)
    for result in (found, found.ending):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(result, dataclasses.fields(result)[0].name, None)
    found.trajectories.zero_()
    assert weight.equal(torch.eye(2))
    assert bias.equal(torch.ones(2))
    assert starts.tolist() == [[0.0, 1.0], [1.0, 0.0]]
    assert found.distances.dtype == found.left.dtype == torch.float64


def test_arrays_and_lists_are_taken() -> None:
    rows = [[0.5, 0.1], [0.0, 0.25]]
    one = vector_recurrence(torch.tensor(rows, dtype=torch.float64))
    for given in (rows, np.array(rows)):
        assert torch.equal(vector_recurrence(given).trajectories, one.trajectories)


@pytest.mark.usefixtures("unchecked_annotations")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weight": torch.ones(2, 3)}, "weight has shape [2, 3]; expected a square matrix"),
        ({"weight": torch.ones(3)}, "weight has shape [3]"),
        ({"weight": torch.ones(0, 0)}, "weight has shape [0, 0]"),
        ({"weight": torch.tensor([[math.nan]])}, "weight holds nan"),
        ({"weight": torch.eye(2) * 1j}, "weight holds no real numbers"),
        ({"weight": "W"}, "weight holds no real numbers"),
        ({"weight": None}, "weight holds no real numbers"),
        ({"activation": "gelu"}, "activation is 'gelu'; expected one of sigmoid, tanh, relu, identity, softmax"),
        ({"bias": torch.ones(3)}, "bias has shape [3]; expected [2]"),
        ({"input": torch.tensor([math.inf, 0])}, "input holds inf"),
        ({"starts": 1}, "starts is 1; expected 2 to 1,000"),
        ({"starts": True}, "starts is True"),
        ({"starts": 10**6}, "starts is 1000000"),
        ({"starts": torch.ones(3)}, "starts has shape [3]; expected [N, 2]"),
        ({"starts": torch.ones(1, 2)}, "1 starts; expected 2 to 1,000"),
        ({"starts": torch.ones(2, 2)}, "two of the starts are the same"),
        ({"starts": [[1e200, 0.0], [0.0, 0.0]]}, "two of the starts are too far apart for float64"),
        ({"starts": torch.tensor([[0.0, 1.0], [0.0, math.nan]])}, "starts holds nan"),
        ({"steps": 0}, "steps is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"weight": torch.eye(1), "activation": "softmax"}, "softmax of one unit is always 1"),
    ],
)
def test_refusals(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as refusal:
        vector_recurrence(**{"weight": torch.eye(2), **arguments})
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)
