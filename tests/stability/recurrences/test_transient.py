"""What eigenvalues hide, on matrices whose powers, field of values and resolvent are known or can be searched whole."""

import doctest
import math
import sys
import time
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor

from peephole.errors import InputError
from peephole.stability.recurrences.transient import transient


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def jordan(size: int, value: float, coupling: float = 1.0) -> Tensor:
    return value * torch.eye(size, dtype=torch.float64) + coupling * torch.diag(
        torch.ones(size - 1, dtype=torch.float64), 1
    )


def searched(matrix: Tensor, angles: int = 300, radii: int = 300) -> float:
    """The Kreiss constant on a fine grid, from below."""
    turns = torch.linspace(0, math.pi, angles, dtype=torch.float64)
    logs = torch.linspace(-14, 8, radii, dtype=torch.float64)
    angle, log = (grid.flatten() for grid in torch.meshgrid(turns, logs, indexing="ij"))
    shifted = torch.polar(1 + log.exp(), angle)[:, None, None] * torch.eye(len(matrix)) - matrix
    return float((log.exp() / torch.linalg.svdvals(shifted)[:, -1]).max())


def lively(seed: int) -> Tensor:
    """A stable matrix of two to seven units, the more of them far from normal the higher the seed."""
    size = 2 + seed % 6
    matrix = draw(size, size, seed=seed) + seed * torch.triu(draw(size, size, seed=seed + 100), 1)
    return matrix * [0.5, 0.9, 0.99][seed % 3] / torch.linalg.eigvals(matrix).abs().max()


def test_examples_in_the_docstrings_hold() -> None:
    results = doctest.testmod(sys.modules[transient.__module__])
    assert results.failed == 0
    assert results.attempted >= 2


@pytest.mark.parametrize("value", [0.0, 0.5, 0.9, -0.9])
@pytest.mark.parametrize("coupling", [0.3, 1.0, 5.0])
def test_two_by_two_jordan_block_in_closed_form(value: float, coupling: float) -> None:
    found = transient(jordan(2, value, coupling), steps=150)
    for t in (1, 2, 10, 40):
        corner = t * coupling * value ** (t - 1)
        want = np.linalg.norm([[value**t, corner], [0, value**t]], 2)
        assert abs(float(found.power_norms[t]) - want) <= 1e-12 * max(want, 1e-9)
    assert abs(found.numerical_radius - (abs(value) + coupling / 2)) <= 1e-9  # its field of values is a disc
    assert abs(found.numerical_abscissa - (value + coupling / 2)) <= 1e-12
    assert abs(found.departure - coupling) <= 1e-9
    size = 2 * value**2 + coupling**2
    assert abs(found.commutator - math.sqrt(2) * coupling**2 / size) <= 1e-12
    assert not found.normal
    # the resolvent of a Jordan block depends on |z − λ| alone, so that the sup lies on the real axis, one-dimensional
    gap = torch.logspace(-6, 6, 200_001, dtype=torch.float64)
    away = gap + 1 - abs(value)
    shape = coupling / (2 * away)
    want = max(1.0, float((gap / away * (shape + (1 + shape.square()).sqrt())).max()))
    assert abs(found.kreiss / want - 1) <= 1e-8


@pytest.mark.parametrize("coupling", [2.0, 20.0])
def test_kreiss_constant_of_a_jordan_block_against_a_fine_grid(coupling: float) -> None:
    matrix = jordan(2, 0.8, coupling)
    found = transient(matrix)
    want = searched(matrix, angles=401, radii=1500)
    assert want <= found.kreiss <= want * (1 + 1e-4)
    z = found.kreiss_point
    assert z is not None
    resolvent = torch.linalg.inv(z * torch.eye(2, dtype=torch.complex128) - matrix)
    assert abs((abs(z) - 1) * float(torch.linalg.matrix_norm(resolvent, 2)) / found.kreiss - 1) <= 1e-12


@pytest.mark.parametrize("seed", range(12))
def test_kreiss_theorem_and_every_other_bound_hold(seed: int) -> None:
    matrix = lively(seed)
    found = transient(matrix, steps=2000)
    assert found.settled
    assert searched(matrix, 120, 120) <= found.kreiss * (1 + 1e-12)
    assert found.kreiss <= found.peak * (1 + 1e-9)
    assert found.peak <= math.e * len(matrix) * found.kreiss
    times = torch.arange(len(found.power_norms), dtype=torch.float64)
    assert bool((found.power_norms <= 2 * found.numerical_radius**times + 1e-9).all())
    assert bool((found.power_norms <= found.norm**times * (1 + 1e-9)).all())
    assert found.spectral_radius <= found.numerical_radius * (1 + 1e-12)
    assert found.numerical_radius <= found.norm * (1 + 1e-12) <= 2 * found.numerical_radius * (1 + 1e-9)
    assert found.numerical_abscissa <= found.numerical_radius * (1 + 1e-12)
    assert found.numerical_abscissa == pytest.approx(float(torch.linalg.eigvalsh((matrix + matrix.mT) / 2)[-1]))
    # Henrici's two-sided bound between departure and commutator
    size = float(torch.linalg.matrix_norm(matrix))
    cube = (len(matrix) ** 3 - len(matrix)) / 12
    assert found.departure**2 <= math.sqrt(cube) * found.commutator * size**2 * (1 + 1e-9)
    assert found.commutator <= math.sqrt(6) * found.departure / size * (1 + 1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_numerical_radius_against_a_fine_grid(seed: int) -> None:
    matrix = lively(seed)
    turns = torch.polar(torch.ones(2000, dtype=torch.float64), torch.linspace(0, 2 * math.pi, 2000).double())
    parts = turns[:, None, None] * matrix
    want = float(torch.linalg.eigvalsh((parts + parts.mH) / 2)[:, -1].max())
    assert want * (1 - 1e-12) <= transient(matrix, 5).numerical_radius <= want / math.cos(math.pi / 2000)


@pytest.mark.parametrize("steps", [40, 300])
def test_eigenvalues_alone_mislead(steps: int) -> None:
    weight = [[0.9, 1000.0], [0.0, 0.8]]
    found = transient(weight, steps=steps)
    assert found.spectral_radius == 0.9
    best = max(range(1, 40), key=lambda t: 1000 * (0.9**t - 0.8**t) / 0.1)
    assert found.peak_step == best == 6
    assert found.peak > 1000
    assert found.settled == (steps == 300)
    assert found.verdict.startswith("eigenvalues mislead: |λ| ≤ 0.9 promises decay, yet ‖W^t‖ reaches 2693 at step 6")
    assert ("of the 40 taken" in found.verdict) == (steps == 40)


def test_normal_matrices_hide_nothing() -> None:
    rotation = torch.linalg.qr(draw(5, 5))[0]
    symmetric = draw(5, 5) + draw(5, 5).mT
    for matrix in (0.9 * rotation, symmetric / 8, torch.zeros(3, 3).double(), torch.eye(4).double()):
        found = transient(matrix, steps=30)
        radius = float(torch.linalg.eigvals(matrix).abs().max())
        want = radius ** torch.arange(31, dtype=torch.float64)
        assert (found.power_norms - want).abs().max() <= 1e-12
        assert (found.kreiss, found.departure, found.kreiss_point) == (1.0, 0.0, None)
        assert found.commutator <= 1e-14
        assert abs(found.numerical_radius - radius) <= 1e-12
        assert found.normal
        assert found.verdict.startswith("nothing hidden: W is normal")
        assert found.peak_step == 0
    assert "blows up" in transient(2.0, 10).verdict
    assert "holds" in transient(-1.0, 10).verdict


def test_kreiss_constant_is_one_exactly_where_the_numerical_radius_is_at_most_one() -> None:
    inside = transient(jordan(2, 0.5, 0.9))
    assert not inside.normal
    assert (inside.kreiss, inside.kreiss_point) == (1.0, None)
    assert inside.numerical_radius < 1 < inside.peak  # 1 is Kreiss' lower bound, not what the powers do
    outside = transient(jordan(2, 0.5, 1.02))
    assert 1.00001 < outside.kreiss < 1.001
    assert abs(outside.kreiss_point or 0) > 5


def test_on_the_circle_it_is_finite_unless_defective() -> None:
    found = transient([[1.0, 10.0], [0.0, 0.5]])
    # as z comes to 1, it becomes the norm of the spectral projector
    assert found.kreiss == pytest.approx(math.sqrt(1 + 20**2), rel=1e-5)
    assert found.kreiss <= found.peak * (1 + 1e-9)
    assert "promises no growth" in found.verdict
    for matrix in (jordan(2, 1.0), jordan(3, -1.0, 0.1), torch.tensor([[1.1, 3.0], [0.0, 0.2]])):
        found = transient(matrix)
        assert (found.kreiss, found.kreiss_point) == (math.inf, None)
        assert found.verdict.startswith("grows without end")
    assert "100 times what |λ|^t says" in transient(jordan(2, 1.0)).verdict


def test_peak_that_still_rises_is_called_so() -> None:
    found = transient(jordan(4, 0.95), steps=10)
    assert not found.settled
    assert "at step 10 of the 10 taken and still rises" in found.verdict


def test_nilpotent_matrix() -> None:
    found = transient(jordan(3, 0.0, 5.0), steps=6)
    assert found.power_norms.tolist() == pytest.approx([1, 5, 25, 0, 0, 0, 0], abs=1e-14)
    assert found.spectral_radius == 0
    assert found.numerical_radius == pytest.approx(5 * math.cos(math.pi / 4))
    assert found.kreiss == pytest.approx(searched(jordan(3, 0.0, 5.0)), rel=1e-3)


def test_scalar_has_nothing_to_hide() -> None:
    found = transient(-0.5, steps=3)
    assert found.power_norms.tolist() == [1, 0.5, 0.25, 0.125]
    assert (found.numerical_radius, found.numerical_abscissa, found.norm) == (0.5, -0.5, 0.5)


def test_a_singular_value_that_is_rounding_does_not_make_the_constant() -> None:
    found = transient(jordan(100, 0.4), steps=100)  # at |z| = 1 the smallest is 0.6^100
    assert 1e10 < found.kreiss <= 2 / torch.finfo(torch.float64).eps
    assert "eigenvalues mislead" in found.verdict


def test_large_matrices_take_a_few_seconds() -> None:
    matrix = draw(256, 256) / 16 * 0.9
    start = time.process_time()
    found = transient(matrix)
    assert time.process_time() - start <= 15  # of about 3.5
    assert 1 < found.kreiss <= found.peak


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([[1.0, 2.0]], r"weight has shape \[1, 2\]; expected \[H, H\], or a number"),
        ([], r"weight has shape \[0\]"),
        ([[math.nan]], "weight has 1 numbers that are not finite"),
        ([["a"]], "weight holds str"),
        ([[1.0, 2.0], [3.0]], "its rows differ in length"),
        (torch.ones(2, 2, dtype=torch.complex128), "weight is complex128"),
    ],
)
def test_what_is_no_matrix_is_refused_in_one_line(given: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        transient(given)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("unchecked_annotations")
def test_what_is_no_table_at_all_is_refused() -> None:
    with pytest.raises(InputError, match="weight holds object, for example 'None'"):
        transient(None)  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match=r"steps is 2\.5; expected a whole number"):
        transient(0.5, 2.5)  # pyright: ignore[reportArgumentType]


def test_steps_are_checked_before_and_overflow_names_what_fits() -> None:
    with pytest.raises(InputError, match="steps is 0; expected a whole number"):
        transient(0.5, 0)
    with pytest.raises(InputError, match=r"steps is 5000: W\^1024 passes the largest float64; expected at most 1023"):
        transient(2.0, 5000)


def test_input_stays_as_it_was() -> None:
    weight = draw(4, 4)
    before = weight.clone()
    transient(weight, 5).weight.zero_()
    assert torch.equal(weight, before)


def test_figure_shows_powers_between_promise_and_bound() -> None:
    ax = Figure().subplots()
    found = transient([[0.9, 100.0], [0.0, 0.8]], steps=50)
    found.plot(ax)
    drawn = {str(line.get_label()): np.asarray(line.get_ydata(), dtype=float) for line in ax.lines}
    assert np.array_equal(drawn["‖W$^t$‖"], found.power_norms.numpy())
    assert np.allclose(drawn["eigenvalues: |λ|$^t$"], 0.9 ** np.arange(51))
    assert drawn["Kreiss: peak ≥ 171.6"][0] == found.kreiss
    assert [text.get_text() for text in ax.texts] == ["269.3 at step 6"]
    assert (ax.get_xlabel(), ax.get_yscale()) == ("step t", "log")
    transient(torch.zeros(2, 2)).plot(Figure().subplots())
    transient(jordan(2, 1.0)).plot(Figure().subplots())
