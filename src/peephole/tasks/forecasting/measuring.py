"""How far forecasts lie from what came: errors at each step ahead, and how much lies below each quantile."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from peephole.errors import InputError

Values = Float[np.ndarray, "windows horizon"]


@dataclass(frozen=True, eq=False)
class Measured:
    """Means over windows, at each step ahead: `[H]`.

    Attributes:
        windows: over how many.
        squared, absolute: errors in deviations of the training part.
        percent: 2 |forecast − value| / (|forecast| + |value|).
        scaled: absolute errors in those of seasonal naive within the training part (Hyndman & Koehler 2006).
        pinball: the pinball divergence of each quantile `[H, Q]`, twice, in deviations.
        below: share of values below each quantile `[H, Q]`.
    """

    windows: int
    squared: NDArray[np.float64]
    absolute: NDArray[np.float64]
    percent: NDArray[np.float64]
    scaled: NDArray[np.float64]
    pinball: NDArray[np.float64]
    below: NDArray[np.float64]


def measured(
    forecast: Values,
    truth: Values,
    deviation: float,
    seasonal_error: float,
    quantiles: Float[np.ndarray, "windows horizon quantiles"] | None = None,
    shares: Sequence[float] = (),
) -> Measured:
    """Of forecasts of one series in its own unit. `InputError` where scikit-learn is missing."""
    try:
        from sklearn.metrics import mean_absolute_error, mean_pinball_loss, mean_squared_error
    except ImportError:
        raise InputError("metrics need scikit-learn, which is not installed; pip install 'peephole[metrics]'") from None
    raw = "raw_values"  # at each step ahead
    absolute = np.asarray(mean_absolute_error(truth, forecast, multioutput=raw))
    size = np.abs(truth) + np.abs(forecast)
    percent = np.divide(2 * np.abs(truth - forecast), size, out=np.zeros_like(size), where=size > 0)
    horizon = truth.shape[1]
    pinball, below = np.zeros((horizon, len(shares))), np.zeros((horizon, len(shares)))
    for place, share in enumerate(shares if quantiles is not None else ()):
        assert quantiles is not None
        one = quantiles[..., place]
        pinball[:, place] = 2 * np.asarray(mean_pinball_loss(truth, one, alpha=share, multioutput=raw)) / deviation
        below[:, place] = (truth < one).mean(0)
    squared = np.asarray(mean_squared_error(truth, forecast, multioutput=raw)) / deviation**2
    return Measured(
        len(truth), squared, absolute / deviation, percent.mean(0), absolute / seasonal_error, pinball, below
    )


def together(found: Sequence[Measured]) -> Measured:
    """Several series as one, each window counting the same."""
    windows = np.array([one.windows for one in found], np.float64)
    names = ("squared", "absolute", "percent", "scaled", "pinball", "below")
    means = {name: np.average([getattr(one, name) for one in found], axis=0, weights=windows) for name in names}
    return Measured(int(windows.sum()), **means)


def intervals(shares: Sequence[float]) -> dict[float, tuple[int, int]]:
    """The intervals that quantiles make, by the share that should lie within, widest last: the places of their ends."""
    found: dict[float, tuple[int, int]] = {}
    for low, share in enumerate(shares):
        high = next((place for place, other in enumerate(shares) if abs(other - (1 - share)) < 1e-9), None)
        if high is not None and high > low:
            found[round(1 - 2 * share, 9)] = (low, high)
    return dict(sorted(found.items()))


def metrics(found: Measured, shares: Sequence[float] = (), one: tuple[str, float] | None = None) -> dict[str, float]:
    """The metrics that are reported; of `one` series, its name and deviation, errors in its own unit too."""
    named = {"MSE": float(found.squared.mean()), "MAE": float(found.absolute.mean())}
    if one is not None:
        name, deviation = one
        named[f"RMSE, {name}"] = float(np.sqrt(found.squared.mean())) * deviation
        named[f"MAE, {name}"] = named["MAE"] * deviation
    named |= {"MASE": float(found.scaled.mean()), "sMAPE %": float(found.percent.mean())}
    if len(shares) > 1:
        named["pinball"] = float(found.pinball.mean())
    for share, (low, high) in intervals(shares).items():
        within = found.below[:, high] - found.below[:, low]
        named[f"{100 * share:.6g} % interval %"] = float(within.mean())
    return named
