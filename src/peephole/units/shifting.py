"""A permutation test that keeps what neighbouring characters have in common: the property is shifted along the text."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHIFTS = 9999  # random ones: p is 0.0001 at least, which leaves room for a correction for many properties


@dataclass(frozen=True, eq=False)
class ShiftTest:
    """r as it is, and with the property somewhere else, `[K]`."""

    r: float
    shifted: NDArray[np.float64]

    @property
    def p(self) -> float:
        """The share of shifts with an |r| as large, the unshifted text counted among them (Phipson & Smyth 2010)."""
        as_large = np.abs(self.shifted) >= abs(self.r) * (1 - 1e-9)
        return float((1 + as_large.sum()) / (1 + len(self.shifted)))


def shift_test(
    values: NDArray[np.float64], properties: NDArray[np.float64], shifts: int = SHIFTS, seed: int = 0
) -> ShiftTest:
    """r of a unit's values `[T, B]` and a property `[T, B]`, tested.

    For each shift every row of values is given the property of a row drawn without repetition, its own among them,
    turned round by a number of steps drawn for it. Both keep their courses and how often they take which value; what
    they share besides the moment is in the shifted r too. That rows can change places is assumed, as for text from
    distant places of one source. The unit has to be chosen from other text: of a chosen one p would be too small.
    """
    steps, rows = values.shape
    generator = np.random.default_rng(seed)
    x, y = _standard(values), _standard(properties)
    spectra = np.fft.rfft(x, axis=0).conj()[:, :, None] * np.fft.rfft(y, axis=0)[:, None, :]
    products = np.fft.irfft(spectra, n=steps, axis=0)  # [shift, row of values, row of the property]
    order = generator.permuted(np.tile(np.arange(rows), (shifts, 1)), axis=1)  # [K, B]
    turned = generator.integers(0, steps, (shifts, rows))
    shifted = products[turned, np.arange(rows), order].sum(1) / (steps * rows)
    return ShiftTest(float((x * y).mean()), shifted)


def _standard(values: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = values - values.mean()
    deviation = centred.std()
    return centred / deviation if deviation > 0 else np.zeros_like(centred)  # NaN too, of a net that blew up
