"""Lyapunov exponents as a result: of a layer, and of all measured layers together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peephole.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def kaplan_yorke(exponents: Float[Tensor, "exponents"], complete: bool = True) -> float | None:
    """The Kaplan–Yorke dimension: how many of the exponents, largest first, it takes until their sum is negative, the
    last of them in part: j + (λ_1 + … + λ_j) / |λ_{j+1}| (Kaplan & Yorke 1979).

    All of them where the sum stays positive; None if it does and there are more that are not known.
    """
    ordered = exponents.double().sort(descending=True).values
    sums = ordered.cumsum(0)
    whole = int((sums >= 0).sum())  # the sums rise, then fall: those that are not negative come first
    if whole == len(ordered):
        return float(whole) if complete else None
    return whole + (float(sums[whole - 1] / -ordered[whole]) if whole else 0.0)


def entropy_rate(exponents: Float[Tensor, "exponents"], complete: bool = True) -> float | None:
    """The sum of the positive exponents, nats a step: at most so much is the rate at which the layer makes entropy of
    its own (Ruelle 1978). None where there may be further positive ones.
    """
    if not complete and float(exponents.min()) > 0:
        return None
    return float(exponents.clamp_min(0.0).double().sum())


@dataclass(frozen=True, eq=False)
class LayerExponents:
    """Lyapunov exponents of one layer and direction, in nats a step, largest first, means over the rows.

    `by_row` are those of each row; `errors` the standard errors of the means, None with fewer than two rows. −inf
    stands for what is singular, or shrinks too fast for the precision. `history[k]` is the running mean after
    `times[k]` steps of measurement. The layer has `states` exponents, of which the first ones were measured. What is no
    further from zero than `rounding` is zero as far as the precision tells.
    """

    name: str
    exponents: Float[Tensor, "exponents"]
    by_row: Float[Tensor, "rows exponents"]
    errors: Float[Tensor, "exponents"] | None
    times: Int[Tensor, "intervals"]
    history: Float[Tensor, "intervals exponents"]
    states: int
    rounding: float = 0.0

    @property
    def positive(self) -> int:
        """How many exponents are over zero by more than rounding."""
        return int((self.exponents > self.rounding).sum())

    @property
    def largest(self) -> float:
        """λ_1."""
        return float(self.exponents[0])

    @property
    def complete(self) -> bool:
        """Whether all exponents were measured."""
        return len(self.exponents) == self.states

    @property
    def kaplan_yorke(self) -> float | None:
        """The Kaplan–Yorke dimension; None where it takes more exponents than were measured."""
        return kaplan_yorke(self.exponents, self.complete)

    @property
    def entropy_rate(self) -> float | None:
        """The sum of the positive exponents, nats a step; None where there may be more of them than were measured."""
        return entropy_rate(self.exponents, self.complete)

    def averaged(self, sizes: Sequence[int]) -> Float[Tensor, "groups"]:
        """The mean of each group of neighbouring exponents: `sizes=(1, 2)` is one alone and then a pair.

        The two exponents of a complex pair of eigenvalues λ swing about log |λ| as long as the basis turns; their mean
        does not. `InputError` unless the sizes are positive and fill the spectrum.
        """
        if any(size < 1 for size in sizes) or sum(sizes) != len(self.exponents):
            raise InputError(f"sizes are {list(sizes)}; expected positive ones, of {len(self.exponents)} in total")
        return torch.stack([part.mean() for part in self.exponents.split(list(sizes))])


@dataclass(frozen=True, eq=False)
class LyapunovSpectrum:
    """What `lyapunov_spectrum` found: `layers` in torch's order, measured over `steps` steps after `burn_in`."""

    layers: tuple[LayerExponents, ...]
    steps: int
    burn_in: int

    @property
    def exponents(self) -> Float[Tensor, "exponents"]:
        """Those of all measured layers, largest first: the stack's, as its Jacobian is block triangular."""
        return torch.cat([layer.exponents for layer in self.layers]).sort(descending=True).values

    @property
    def largest(self) -> float:
        """λ_1 of all measured layers."""
        return max(layer.largest for layer in self.layers)

    @property
    def kaplan_yorke(self) -> float | None:
        """The Kaplan–Yorke dimension of all measured layers together; None where it takes more exponents."""
        return kaplan_yorke(self.exponents, all(layer.complete for layer in self.layers))

    @property
    def entropy_rate(self) -> float | None:
        """The sum of all positive exponents; None where there may be more of them than were measured."""
        parts = [layer.entropy_rate for layer in self.layers]
        return None if None in parts else sum(part for part in parts if part is not None)

    @property
    def unsure(self) -> bool:
        """Whether the largest exponent is not to be told from zero: by two standard errors, or by rounding."""
        layer = max(self.layers, key=lambda one: one.largest)
        value, error = abs(layer.largest), None if layer.errors is None else float(layer.errors[0])
        return value <= layer.rounding or (value <= 2 * error if error is not None else value * self.steps < 1)

    @property
    def verdict(self) -> str:
        """The largest exponent, what it means, how many are positive, and the dimension."""
        layer = max(self.layers, key=lambda one: one.largest)
        value, error = layer.largest, None if layer.errors is None else float(layer.errors[0])
        shown = f"{value:+.3g}" + ("" if error is None else f" ± {error:.1g}")
        rate = 0.6931 / abs(value) if value else float("inf")
        if self.unsure:
            meaning = "not to be told from zero: a small difference neither grows nor shrinks clearly"
        elif value > 0:
            meaning = f"a small difference doubles in {rate:.3g} steps while small (chaos, if states stay bounded)"
        else:
            meaning = f"what differed at the start is halved every {rate:.3g} steps, and the input decides the state"
        found = self.exponents
        positive, singular = sum(layer.positive for layer in self.layers), int(found.isneginf().sum())
        dimension = self.kaplan_yorke
        counted = f"{positive} of {len(found)} exponents {'is' if positive == 1 else 'are'} positive"
        if singular:
            counted += f", {singular} too small to be measured"
        return (
            f"Over {self.steps} steps the largest Lyapunov exponent is {shown} nats a step ({layer.name}), {meaning}; "
            f"{counted}, and the Kaplan–Yorke dimension is "
            f"{f'more than {len(found)}' if dimension is None else f'{dimension:.3g}'}."
        )

    def plot(self, ax: "Axes") -> None:
        """The spectrum of each layer, with two standard errors; what is too small is counted in the legend."""
        for layer in self.layers:
            values = layer.exponents.double()
            finite = values.isfinite()
            shown = torch.arange(1, len(values) + 1)[finite]
            missing = int((~finite).sum())
            label = layer.name + (f" ({missing} too small)" if missing else "")
            style = {"marker": "o", "markersize": 3, "linewidth": 0.8}
            (line,) = ax.plot(shown, values[finite], label=label, **style)  # pyright: ignore[reportArgumentType]
            if layer.errors is not None:
                spread = 2 * layer.errors[finite].double()
                low, high = values[finite] - spread, values[finite] + spread
                ax.fill_between(shown, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
        ax.axhline(0.0, color="0.6", linewidth=1)
        ax.set(xlabel="exponent, largest first", ylabel="nats a step")
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False)

    def plot_convergence(self, ax: "Axes", most: int = 8) -> None:
        """The running mean of at most `most` exponents a layer, spread evenly over its spectrum."""
        for number, layer in enumerate(self.layers):
            count = layer.history.shape[1]
            places = torch.linspace(0, count - 1, min(most, count)).round().long().tolist()
            for place in places:
                label = layer.name if place == places[0] else None
                ax.plot(layer.times, layer.history[:, place], color=f"C{number}", linewidth=1, label=label)
        ax.axhline(0.0, color="0.6", linewidth=1)
        ax.set(xlabel="steps measured", ylabel="mean so far, nats a step")
        if any(bool(layer.history.isfinite().any()) for layer in self.layers):
            ax.set_xscale("log")
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False)
