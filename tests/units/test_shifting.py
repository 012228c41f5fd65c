"""The permutation test: its p is uniform where nothing is shared, and small where something is."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from peephole.tasks.comparing.significance import holm
from peephole.units.correlation import correlations
from peephole.units.shifting import shift_test


def slow(generator: np.random.Generator, steps: int, rows: int, keep: float = 0.95) -> NDArray[np.float64]:
    """Numbers that hang together over some twenty steps."""
    noise = generator.standard_normal((steps, rows))
    found = np.zeros_like(noise)
    found[0] = noise[0] / np.sqrt(1 - keep**2)
    for t in range(1, steps):
        found[t] = keep * found[t - 1] + noise[t]
    return found


@pytest.mark.parametrize("binary", [False, True])
def test_p_is_uniform_where_nothing_is_shared(binary: bool) -> None:
    """Kolmogorov–Smirnov's distance of 200 p from the uniform distribution stays under its 1 % point, 0.115."""
    generator = np.random.default_rng(3)
    found = []
    for seed in range(200):
        states, text = slow(generator, 300, 4), slow(generator, 300, 4)
        text = (text > 1.0).astype(np.float64) if binary else text
        found.append(shift_test(states, text, 499, seed).p)
    places = np.arange(1, 201) / 200
    assert np.abs(np.sort(found) - places).max() <= 0.115


def test_a_test_that_took_neighbours_for_independent_would_not_do() -> None:
    """What the shifts are for: 1,200 steps that hang together are fewer observations, and chance reaches further."""
    generator = np.random.default_rng(0)
    test = shift_test(slow(generator, 300, 4), slow(generator, 300, 4), 999)
    assert np.quantile(np.abs(test.shifted), 0.99) >= 3 * 2.58 / np.sqrt(1200)


def test_what_goes_together_is_found_in_either_direction() -> None:
    generator = np.random.default_rng(1)
    text = slow(generator, 300, 4)
    states = -0.8 * text + slow(generator, 300, 4)
    test = shift_test(states, text)
    assert test.p <= 0.002
    assert test.r == pytest.approx(np.corrcoef(states.ravel(), text.ravel())[0, 1], abs=1e-12)
    assert shift_test(np.roll(states, 150, axis=0), text).p >= 0.01


def test_shifted_values_are_those_of_shifting() -> None:
    """Of one row every r is that of some rotation, and all rotations come."""
    generator = np.random.default_rng(2)
    states, text = slow(generator, 7, 1), slow(generator, 7, 1)
    shifted = np.unique(shift_test(states, text, 500).shifted.round(12))
    by_hand = [np.corrcoef(states[:, 0], np.roll(text[:, 0], shift))[0, 1] for shift in range(7)]
    np.testing.assert_allclose(shifted, np.unique(np.round(by_hand, 12)), atol=1e-11)


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_what_does_not_move_follows_nothing(value: float) -> None:
    test = shift_test(np.full((50, 2), value), slow(np.random.default_rng(0), 50, 2))
    assert (test.r, test.p) == (0.0, 1.0)
    found = correlations(torch.randn(50, 2, 3).double(), torch.full((50, 2, 4), value))
    assert found.tolist() == [[0.0] * 4] * 3


def test_correlations_are_pearsons() -> None:
    torch.manual_seed(0)
    text, units = torch.randn(20, 3, 2).double(), torch.randn(20, 3, 5000)  # more than are looked at at a time
    found = correlations(text, units)
    for place, unit in ((0, 0), (1, 4999), (0, 4100)):
        both = torch.stack([text[..., place].flatten(), units[..., unit].double().flatten()])
        assert abs(float(found[place, unit] - torch.corrcoef(both)[0, 1])) <= 1e-12


def test_holm_is_that_of_the_paper() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
