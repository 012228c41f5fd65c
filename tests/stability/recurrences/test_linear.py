"""The linear recurrence on matrices whose modes, powers and bounds are known."""

import doctest
import math
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from peephole.errors import InputError
from peephole.stability.recurrences import linear
from peephole.stability.recurrences import linear_bound as bounds
from peephole.stability.recurrences import modes as spectra
from peephole.stability.recurrences.linear import linear_recurrence
from peephole.stability.recurrences.linear_bound import LinearBound, linear_bound
from peephole.stability.recurrences.modes import modes


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def orthogonal(size: int, seed: int = 0) -> Tensor:
    return torch.linalg.qr(draw(size, size, seed=seed))[0]


def jordan(size: int, value: float, coupling: float = 1.0) -> Tensor:
    return value * torch.eye(size, dtype=torch.float64) + coupling * torch.diag(
        torch.ones(size - 1, dtype=torch.float64), 1
    )


def turn(angle: float, rate: float = 1.0) -> Tensor:
    c, s = rate * math.cos(angle), rate * math.sin(angle)
    return torch.tensor([[c, -s], [s, c]], dtype=torch.float64)


def turned(matrix: Tensor, seed: int = 3) -> Tensor:
    """The same map in other coordinates, so that nothing is triangular and every eigenvalue carries rounding."""
    q = orthogonal(len(matrix), seed)
    return q @ matrix @ q.mT


def driven(weight: Tensor, input_weight: Tensor, inputs: Tensor) -> Tensor:
    """h at the end, from h = 0."""
    state = torch.zeros(len(weight), dtype=torch.float64)
    for x in inputs:
        state = weight @ state + input_weight @ x
    return state


def test_examples_in_the_docstrings_hold() -> None:
    results = [doctest.testmod(module) for module in (linear, bounds, spectra)]
    assert sum(result.failed for result in results) == 0
    assert sum(result.attempted for result in results) >= 3


@pytest.mark.parametrize(
    ("weight", "behaviour", "words"),
    [
        (0.5, "forgets", "halved every 1 steps"),
        (2.0, "blows up", "twofold every 1 steps"),
        (-2.0, "blows up", "turning once in 2 steps"),
        (1.0, "holds", "holds: the largest |λ| is 1"),
        (-1, "holds", "turning once in 2 steps"),
        (0.0, "forgets", "W is nilpotent, W = 0"),
    ],
)
def test_scalar_goes_like_the_power_of_its_weight(weight: float, behaviour: str, words: str) -> None:
    found = linear_recurrence(weight, 3.0, 2.0, steps=20)
    want = torch.tensor([6.0 * float(weight) ** t for t in range(21)], dtype=torch.float64)
    assert torch.equal(found.response[:, 0], want)
    assert torch.equal(found.power_norms, want.abs() / 6)
    assert found.behaviour == behaviour
    assert words in found.verdict


@pytest.mark.parametrize("rate", [0.7, 1.0, 1.2])
def test_scaled_orthogonal_matrix_changes_every_length_alike(rate: float) -> None:
    weight = rate * orthogonal(7)
    found = linear_recurrence(weight, steps=30)
    want = rate ** torch.arange(31, dtype=torch.float64)
    assert (found.power_norms / want - 1).abs().max() <= 1e-12
    assert (found.response_norms / want / math.sqrt(7) - 1).abs().max() <= 1e-12
    assert found.normal
    assert abs(found.spectral_radius - rate) <= 1e-12
    assert found.behaviour == {0.7: "forgets", 1.0: "holds", 1.2: "blows up"}[rate]
    assert found.direction.shape == (7, 7)  # all of it survives alike
    assert "first" not in found.verdict
    assert "times |λ|^t" not in found.verdict


def test_response_is_the_power_of_w_times_c_times_x() -> None:
    weight, input_weight, impulse = draw(5, 5), draw(5, 3, seed=1), draw(3, seed=2)
    found = linear_recurrence(weight, input_weight, impulse, steps=9)
    for t in range(10):
        power = torch.linalg.matrix_power(weight, t)
        want = power @ input_weight @ impulse
        assert torch.linalg.vector_norm(found.response[t] - want) <= 1e-12 * torch.linalg.vector_norm(want)
        assert abs(float(found.power_norms[t] / torch.linalg.matrix_norm(power, 2)) - 1) <= 1e-12


def test_without_impulse_every_input_is_one_and_without_c_the_input_is_the_state() -> None:
    assert torch.equal(linear_recurrence(draw(4, 4)).response[0], torch.ones(4, dtype=torch.float64))
    column = draw(4)
    assert torch.equal(linear_recurrence(draw(4, 4), column).response[0], column)


def test_rotation_is_one_mode_with_its_period_and_half_life() -> None:
    (mode,) = modes(turn(2 * math.pi / 12, 0.9))
    assert mode.is_pair
    assert abs(mode.period - 12) <= 1e-9
    assert abs(mode.rate - 0.9) <= 1e-14
    assert abs(mode.half_life - math.log(0.5) / math.log(0.9)) <= 1e-9
    assert mode.doubling_time == math.inf
    assert mode.behaviour == "decays"
    (mode,) = modes(turn(1.0, 1.1))
    assert abs(mode.doubling_time - math.log(2) / math.log(1.1)) <= 1e-9
    assert mode.half_life == math.inf
    assert modes([[0.5]])[0].period == math.inf
    assert modes([[-0.5]])[0].period == 2


@pytest.mark.parametrize("size", [2, 3, 5, 8])
@pytest.mark.parametrize("value", [0.0, 0.6, 0.9, 1.0, -1.0, 1.1])
def test_jordan_block_is_one_mode_in_any_coordinates(size: int, value: float) -> None:
    for matrix in (jordan(size, value), turned(jordan(size, value)), jordan(size, value, 0.01)):
        (mode,) = modes(matrix)
        assert (mode.multiplicity, mode.index) == (size, size)
        assert abs(mode.eigenvalue - value) <= 1e-11
        assert mode.behaviour == ("decays" if abs(value) < 1 else "grows")
    found = linear_recurrence(turned(jordan(size, value)), steps=40)
    assert found.index == size
    assert not found.normal


@pytest.mark.parametrize("size", [2, 3, 4])
def test_jordan_block_on_the_circle_grows_like_a_power_of_t(size: int) -> None:
    found = linear_recurrence(turned(jordan(size, 1.0)), steps=2000)
    assert found.behaviour == "grows like a power of t"
    assert found.verdict.startswith(f"grows like t{['', '²', '³'][size - 2]}: ")
    exponent = math.log(float(found.power_norms[2000] / found.power_norms[1000])) / math.log(2)
    assert abs(exponent - (size - 1)) <= 0.01


def test_small_coupling_on_the_circle_still_grows() -> None:
    found = linear_recurrence(turned(jordan(2, 1.0, 1e-6)))
    assert found.behaviour == "grows like a power of t"
    found = linear_recurrence(turned(torch.diag(torch.tensor([1.0, 1.0, 0.4], dtype=torch.float64))))
    assert (found.behaviour, found.modes[0].multiplicity, found.index) == ("holds", 2, 1)


def test_large_coupling_does_not_blur_what_is_small() -> None:
    (mode,) = modes([[0.5, 1e15], [0.0, 0.5]])
    assert (mode.eigenvalue, mode.index, mode.behaviour) == (0.5, 2, "decays")
    pair = torch.cat([torch.cat([turn(1.0, 0.5), 1e6 * torch.eye(2).double()], 1), torch.zeros(2, 4).double()])
    pair[2:, 2:] = turn(1.0, 0.5)
    (mode,) = modes(pair)
    assert (mode.multiplicity, mode.index, mode.is_pair, mode.behaviour) == (2, 2, True, "decays")


def test_jordan_block_of_a_complex_pair() -> None:
    block = turn(2 * math.pi / 8)
    one = torch.eye(2, dtype=torch.float64)
    matrix = torch.cat([torch.cat([block, one], 1), torch.cat([0 * block, block], 1)])
    found = linear_recurrence(turned(matrix), steps=1000)
    (mode,) = found.modes
    assert (mode.multiplicity, mode.index, mode.is_pair) == (2, 2, True)
    assert abs(mode.period - 8) <= 1e-9
    assert found.behaviour == "grows like a power of t"
    assert found.direction.shape == (4, 2)
    assert abs(float(found.power_norms[1000] / found.power_norms[500]) - 2) <= 0.01


def test_blocks_of_several_sizes_beside_simple_modes() -> None:
    simple = torch.diag(torch.tensor([0.2, 0.3, 1.0], dtype=torch.float64))
    matrix = torch.block_diag(jordan(3, 1.0), jordan(2, 1.0), jordan(2, 0.5), simple)
    for given in (matrix, turned(matrix)):
        found = [(round(mode.rate, 9), mode.multiplicity, mode.index) for mode in modes(given)]
        assert found == [(1.0, 6, 3), (0.5, 2, 2), (0.3, 1, 1), (0.2, 1, 1)]


def test_eigenvalues_that_are_close_but_apart_stay_apart() -> None:
    values = torch.tensor([0.9, 0.9 + 1e-9, 0.9 - 1e-5, 0.3], dtype=torch.float64)
    for matrix in (torch.diag(values), turned(torch.diag(values))):
        found = sorted(mode.eigenvalue.real for mode in modes(matrix))
        assert np.abs(np.array(found) - sorted(values.tolist())).max() <= 1e-13
        assert all(mode.index == 1 for mode in modes(matrix))
    # coupled, and still further apart than any rounding of a defective matrix
    apart = turned(torch.tensor([[0.9, 1.0], [0.0, 0.9 + 1e-4]], dtype=torch.float64))
    assert [mode.index for mode in modes(apart)] == [1, 1]


def test_triangular_matrix_keeps_its_diagonal_however_ill_conditioned() -> None:
    dense = torch.triu(draw(20, 20), 1) + torch.diag(torch.linspace(0.1, 0.5, 20).double())
    for matrix in (torch.triu(draw(64, 64)) / 8, dense):
        rates = sorted(mode.eigenvalue.real for mode in modes(matrix))
        assert rates == sorted(torch.diagonal(matrix).tolist())


def test_index_counts_weak_couplings() -> None:
    matrix = jordan(3, 1.0)
    matrix[1, 2] = 1e-9
    for given in (matrix, turned(matrix)):
        assert [(mode.multiplicity, mode.index) for mode in modes(given)] == [(3, 3)]


def test_condition_says_how_far_a_perturbation_moves_a_mode() -> None:
    weight = torch.tensor([[0.9, 100.0], [0.0, 0.5]], dtype=torch.float64)
    first = modes(weight)[0]
    assert abs(first.condition - math.sqrt(1 + (100 / 0.4) ** 2)) <= 1e-9 * first.condition
    # of a Jordan block: its projector is [I, X] with (A − 0.5 I) X = b
    block, coupling = jordan(2, 0.9), torch.tensor([0.0, 3000.0], dtype=torch.float64)
    whole = torch.cat([torch.cat([block, coupling[:, None]], 1), torch.tensor([[0.0, 0.0, 0.5]]).double()])
    beside = torch.linalg.solve(block - 0.5 * torch.eye(2).double(), coupling)
    for given in (whole, turned(whole)):
        assert modes(given)[0].condition == pytest.approx(math.sqrt(1 + float(beside.square().sum())), rel=1e-6)
    # the worst perturbation of its size: yᴴ E x / yᴴ x is first.condition · ‖E‖
    y = torch.tensor([1.0, 100 / 0.4], dtype=torch.float64)
    worst = 1e-9 * torch.outer(y / y.norm(), torch.tensor([1.0, 0.0], dtype=torch.float64))
    moved = modes(weight + worst)[0].eigenvalue.real - 0.9
    assert abs(moved / (1e-9 * first.condition) - 1) <= 1e-3


def test_matrix_that_is_not_normal_grows_first_by_the_known_amount() -> None:
    a, b, c = 0.9, 0.8, 100.0
    found = linear_recurrence([[a, c], [0, b]], steps=60)
    # W^t has a^t, b^t and c (a^t − b^t) / (a − b)
    for t in (1, 5, 30):
        corner = c * (a**t - b**t) / (a - b)
        want = np.linalg.norm([[a**t, corner], [0, b**t]], 2)
        assert abs(float(found.power_norms[t]) / want - 1) <= 1e-11
    assert found.behaviour == "forgets"
    assert not found.normal
    assert "but W is not normal, and grows 269-fold first, by step 6" in found.verdict


def test_nilpotent_matrix_forgets_everything_after_its_index() -> None:
    found = linear_recurrence(jordan(4, 0.0), steps=10)
    assert found.spectral_radius == 0
    assert "W⁴ = 0" in found.verdict
    assert bool((found.power_norms[4:] == 0).all())
    assert bool((found.power_norms[:4] == 1).all())
    assert bool(found.angles[4:].isnan().all())
    assert found.modes[0].half_life == 0


def test_uncertain_eigenvalues_are_called_so() -> None:
    assert "λ is not certain" in linear_recurrence(turned(jordan(64, 0.9)), steps=10).verdict
    assert "not certain" not in linear_recurrence(turned(jordan(8, 0.9)), steps=10).verdict


def test_impulse_turns_into_the_dominant_eigenvector() -> None:
    q = torch.linalg.inv(draw(4, 4, seed=8))
    values = torch.tensor([0.95, 0.6, -0.5, 0.2], dtype=torch.float64)
    weight = q @ torch.diag(values) @ torch.linalg.inv(q)
    found = linear_recurrence(weight, steps=80)
    eigenvector = q[:, 0] / q[:, 0].norm()
    assert found.direction.shape == (4, 1)
    assert abs(abs(float(eigenvector @ found.direction[:, 0])) - 1) <= 1e-12
    along = found.response @ eigenvector / found.response_norms
    want = torch.rad2deg(torch.arccos(along.abs().clamp(max=1)))
    assert (found.angles - want)[:20].abs().max() <= 1e-5
    # what is left of the others shrinks by 0.6 / 0.95 a step
    assert abs(float(found.angles[60] / found.angles[50]) - (0.6 / 0.95) ** 10) <= 1e-4
    # an input without any of it never turns
    assert bool((linear_recurrence(weight, q[:, 1], steps=20).angles > 1).all())


def test_impulse_turns_into_the_plane_of_a_dominant_pair() -> None:
    basis = draw(4, 4, seed=9)
    weight = basis @ torch.block_diag(turn(0.7, 0.97), 0.3 * torch.eye(2).double()) @ torch.linalg.inv(basis)
    found = linear_recurrence(weight, steps=60)
    assert found.direction.shape == (4, 2)
    inside = found.direction.mT @ torch.linalg.qr(basis[:, :2])[0]
    assert torch.linalg.svdvals(inside).min() >= 1 - 1e-12
    assert float(found.angles[60]) <= 1e-10 < float(found.angles[0])


def test_defective_matrix_turns_into_its_only_eigenvector_slowly() -> None:
    found = linear_recurrence(jordan(3, 1.0), steps=1000)
    assert abs(abs(float(found.direction[0, 0])) - 1) <= 1e-9
    assert 0.05 <= float(found.angles[1000]) <= 0.2  # 2/t, in degrees


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_rounding_of_the_dtype_hides_is_on_the_circle(dtype: torch.dtype) -> None:
    found = linear_recurrence(orthogonal(6).to(dtype), steps=20)
    assert found.response.dtype == torch.float64
    assert found.behaviour == "holds"
    assert {mode.behaviour for mode in found.modes} == {"holds"}
    # the same numbers as float64 are known better, and their eigenvalues are off the circle
    exact = linear_recurrence(orthogonal(6).to(dtype).double(), steps=20)
    assert {mode.behaviour for mode in exact.modes} <= {"grows", "decays"}


@pytest.mark.parametrize(
    "given", [[[0.5, 1], [0, 0.25]], np.array([[0.5, 1], [0, 0.25]]), torch.tensor([[0.5, 1], [0, 0.25]])]
)
def test_lists_arrays_and_tensors_are_the_same_and_stay_as_they_were(given: Any) -> None:
    before = torch.as_tensor(given).clone()
    found = linear_recurrence(given, [[1.0], [2.0]], [3.0], steps=5)
    assert found.response[1].tolist() == [7.5, 1.5]
    found.weight.zero_()
    assert torch.equal(torch.as_tensor(given), before)


def test_parameters_are_taken_and_not_changed() -> None:
    layer = nn.RNN(3, 6)
    found = linear_recurrence(layer.weight_hh_l0, layer.weight_ih_l0, steps=5)
    found.weight.zero_()
    assert not found.response.requires_grad
    assert bool(layer.weight_hh_l0.any())
    assert layer.weight_hh_l0.grad is None


def test_bound_of_a_scalar_is_the_geometric_series() -> None:
    for weight in (0.5, -0.5):
        found = linear_bound(weight, 2.0, 3.0)
        assert abs(float(found.worst + found.error) - 12) <= 1e-12
        assert float(found.worst) <= 12
        assert float(found.error) <= 1e-9 * 12
    found = linear_bound(0.99999, longest=64)  # far from summed, and its rest known all the same
    assert float(found.error) > 1e4
    assert abs(float(found.worst + found.error) / 1e5 - 1) <= 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_the_returned_input_attains_the_bound_and_no_other_passes_it(seed: int) -> None:
    weight, input_weight = draw(6, 6, seed=seed), draw(6, 2, seed=seed + 10)
    weight *= 0.9 / torch.linalg.eigvals(weight).abs().max()
    limit = torch.tensor([0.5, 2.0], dtype=torch.float64)
    found = linear_bound(weight, input_weight, limit)
    assert bool((found.error <= 1e-9 * found.worst.max()).all())
    for unit in range(6):
        inputs = found.worst_input(unit)
        assert bool((inputs.abs() <= limit).all())
        reached = float(driven(weight, input_weight, inputs)[unit])
        assert abs(reached / float(found.worst[unit]) - 1) <= 1e-10
    # against the sum written out, by powers
    powers = [torch.linalg.matrix_power(weight, s) @ input_weight for s in range(400)]
    want = sum((power.abs() @ limit for power in powers), torch.zeros(6, dtype=torch.float64))
    assert bool((want <= (found.worst + found.error) * (1 + 1e-12)).all())
    assert bool((want >= found.worst * (1 - 1e-12)).all())
    signs = torch.sign(draw(found.steps, 2, seed=seed + 20)) * limit
    assert bool((driven(weight, input_weight, signs).abs() < found.worst).all())


def test_shorter_worst_input_is_the_end_of_the_longer_one() -> None:
    found = linear_bound([[0.9, -0.4], [0.4, 0.8]])
    assert torch.equal(found.worst_input(0, 10), found.worst_input(0)[-10:])
    for weight in (0.5, 2.0):  # whose powers leave float64
        assert bool((linear_bound(weight).worst_input(0, 3000) == 1).all())
    with pytest.raises(InputError, match="unit is 2; expected 0 to 1"):
        found.worst_input(2)


@pytest.mark.parametrize("weight", [1.0, -1.0, 1.2, [[1.0, 1.0], [0.0, 1.0]], turn(0.7).tolist()])
def test_a_recurrence_on_or_outside_the_circle_is_driven_without_end(weight: Any) -> None:
    found = linear_bound(weight)
    assert bool(found.worst.isinf().all())
    assert found.verdict.startswith("not bounded")
    ends = [
        float(driven(found.weight, found.input_weight, found.worst_input(0, steps))[0].abs()) for steps in (20, 40, 80)
    ]
    assert ends[0] >= 12  # of at most 20
    assert ends[1] >= 1.9 * ends[0]
    assert ends[2] >= 1.9 * ends[1]


def test_unstable_mode_that_no_input_reaches_is_no_danger() -> None:
    unstable, stable = torch.tensor([[1.1, 0.4], [0.0, 1.05]], dtype=torch.float64), 0.2 * draw(3, 3)
    q = orthogonal(5)
    weight = q @ torch.block_diag(unstable, stable) @ q.mT
    inputs = q @ torch.cat([torch.zeros(2, 2, dtype=torch.float64), draw(3, 2, seed=4)])
    found = linear_bound(weight, inputs)
    assert (found.reached, found.spectral_radius) == (3, pytest.approx(1.1))
    assert found.reached_radius < 1
    alone = [torch.linalg.matrix_power(stable, s) @ (q.mT @ inputs)[2:] for s in range(200)]
    want = sum(((q[:, 2:] @ one).abs().sum(1) for one in alone), torch.zeros(5, dtype=torch.float64))
    assert (found.worst / want - 1).abs().max() <= 1e-8
    assert "the mode with |λ| = 1.1 is out of their reach" in found.verdict
    # a trace of it in an input, and every unit is driven
    touched = linear_bound(weight, inputs + 1e-6 * q[:, :2])
    assert bool(touched.worst.isinf().all())
    assert touched.reached == 5


def test_unit_that_does_not_see_the_unstable_mode_stays_bounded() -> None:
    found = linear_bound([[1.2, 0.3], [0.0, 0.5]], [[1.0], [1.0]])
    assert found.worst[0] == math.inf
    assert abs(float(found.worst[1] + found.error[1]) - 2) <= 1e-12
    assert "drive 1 of 2 units without end" in found.verdict
    # the same where nothing is triangular: two groups of units that do not know each other
    order = torch.tensor([2, 0, 3, 1])
    weight = torch.block_diag(turned(torch.diag(torch.tensor([1.1, 0.3]).double())), turned(0.6 * turn(1.0)))
    found = linear_bound(weight[order][:, order])
    assert found.worst.isinf().tolist() == [False, True, False, True]
    inputs = found.worst_input(0)
    end = float(driven(*found.decaying, inputs)[0])
    assert abs(end / float(found.worst[0]) - 1) <= 1e-10


def test_without_way_in_nothing_moves() -> None:
    found = linear_bound(1.5, 0.0)
    assert (float(found.worst), float(found.error), found.reached) == (0.0, 0.0, 0)
    assert float(linear_bound(0.5, 1.0, 0.0).worst) == 0.0


def test_large_matrices_take_no_time() -> None:
    weight = draw(256, 256) / 16 * 0.9
    found = linear_recurrence(weight, steps=20)
    assert abs(found.spectral_radius - float(torch.linalg.eigvals(weight).abs().max())) <= 1e-12
    assert sum(2 if mode.is_pair else 1 for mode in found.modes) == 256
    found = linear_recurrence(torch.eye(256))
    assert (found.modes[0].multiplicity, found.behaviour) == (256, "holds")


BAD_MATRICES = [
    ([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], r"weight has shape \[2, 3\]; expected \[H, H\], or a number"),
    (np.zeros((0, 0)), r"weight has shape \[0, 0\]"),
    ([], r"weight has shape \[0\]"),
    (torch.zeros(2, 2, 2), r"weight has shape \[2, 2, 2\]"),
    (math.nan, "weight has 1 numbers that are not finite"),
    ([[1.0, math.inf], [math.nan, 0.0]], "weight has 2 numbers that are not finite"),
    ([["a", "b"], ["c", "d"]], "weight holds str"),
    ("0.5", "weight holds str"),
    ([[1.0, 2.0], [3.0]], "its rows differ in length"),
    (torch.ones(2, 2, dtype=torch.complex64), "weight is complex64"),
    (np.ones((2, 2), dtype=np.complex128), "weight holds complex128"),
]


@pytest.mark.parametrize(("given", "message"), BAD_MATRICES)
def test_what_is_no_matrix_is_refused_in_one_line(given: Any, message: str) -> None:
    for measure in (linear_recurrence, linear_bound, modes):
        with pytest.raises(InputError, match=message) as caught:
            measure(given)
        assert "\n" not in str(caught.value)
        assert "expected" in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"input_weight": np.ones((3, 1))},
            r"input_weight has shape \[3, 1\] and weight is \[2, 2\]; expected \[2, I\]",
        ),
        ({"input_weight": 1.0}, r"input_weight has shape \[\]"),
        ({"input_weight": np.ones((2, 0))}, r"input_weight has shape \[2, 0\]"),
        ({"impulse": [1.0, 2.0, 3.0]}, r"impulse has shape \[3\] and there are 2 inputs; expected \[2\]"),
        ({"impulse": [0.0, 0.0]}, r"make h\(0\) = 0"),
        ({"impulse": [0.0, math.nan]}, "impulse has 1 numbers"),
        ({"steps": 0}, "steps is 0; expected a whole number"),
        ({"steps": True}, "steps is True; expected a whole number"),
    ],
)
def test_what_does_not_fit_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        linear_recurrence([[0.5, 0.0], [0.0, 0.5]], **arguments)


def test_powers_beyond_float64_are_refused_with_the_number_that_fits() -> None:
    with pytest.raises(InputError, match=r"steps is 2000: W\^1024 passes the largest float64; expected at most 1023"):
        linear_recurrence(2.0, steps=2000)
    assert math.isfinite(float(linear_recurrence(2.0, steps=1023).power_norms[-1]))


@pytest.mark.parametrize(
    ("bound", "message"),
    [
        (-1.0, "input_bound is -1; expected 0 or more"),
        ([1.0, 2.0, 3.0], r"input_bound has shape \[3\] and there are 2 inputs"),
        (math.inf, "input_bound has 1 numbers that are not finite"),
    ],
)
def test_bounds_that_are_none_are_refused(bound: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        linear_bound([[0.5, 0.0], [0.0, 0.5]], None, bound)


def test_figures_show_what_they_say() -> None:
    axes = Figure().subplots(1, 3)
    found = linear_recurrence([[0.9, 100], [0, 0.8]], steps=40)
    found.plot(axes[0])
    powers, response, expected = (line.get_ydata() for line in axes[0].lines[:3])
    assert np.array_equal(powers, found.power_norms.numpy())
    assert np.allclose(response, found.response_norms / found.response_norms[0])
    assert np.allclose(expected, 0.9 ** np.arange(41))
    assert (axes[0].get_xlabel(), axes[0].get_yscale()) == ("step t", "log")
    bounded = linear_bound([[0.9, 1.0], [0.0, 0.8]])
    bounded.plot(axes[1])
    path = np.asarray(axes[1].lines[0].get_ydata())
    assert 0.999 * float(bounded.worst[0]) <= path.max() <= float(bounded.worst[0])
    linear_bound(1.0).plot(axes[2])
    assert np.asarray(axes[2].lines[0].get_ydata()).max() == 50
    assert len(axes[2].lines) == 1  # and no bound is drawn
    assert isinstance(bounded, LinearBound)
