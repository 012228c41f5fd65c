"""Recurrences without input, h ← f(g W h): their largest Lyapunov exponent, and the gain at which it reaches zero."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from peephole.errors import InputError
from peephole.stability.recurrences.activations import activate, check_scalar_activation, slope

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SMALLEST = 1e-30  # what is smaller counts as zero: a decaying state would be computed at a tenth of the speed
NEAR = 1e-3  # nats a step from zero that are as good as zero: what thousands of steps of transients leave
CLEAR = 5e-3  # nats a step that no periodic motion is mistaken for: a difference doubles in 140 steps


@dataclass(frozen=True, eq=False)
class CriticalGain:
    """What `critical_gain` found: the largest `exponents` in nats a step at each of `gains`.

    `zero`: the smallest gain at which the exponent reaches zero. `chaos`: the smallest at which it is clearly positive,
    None if it is nowhere. `rest`: 1 over the spectral radius of W where f(0) = 0 and f′(0) = 1, the gain at which the
    state 0 stops attracting; None for other activations.
    """

    gains: Float[Tensor, "gains"]
    exponents: Float[Tensor, "gains"]
    zero: float
    chaos: float | None
    rest: float | None

    @property
    def verdict(self) -> str:
        """Both gains, and what happens between them."""
        rest = "" if self.rest is None else f" (h = 0 stops attracting at 1/ρ(W) = {self.rest:.4g})"
        later = f"nowhere up to {float(self.gains.max()):.3g}" if self.chaos is None else f"first at {self.chaos:.3g}"
        return (
            f"The largest Lyapunov exponent reaches zero at gain {self.zero:.4g}{rest} and is clearly positive, more "
            f"than {CLEAR:.3g} nats a step, {later}; what lies between rests elsewhere, cycles or turns without chaos."
        )

    def plot(self, ax: "Axes") -> None:
        """The exponent over the gain, with both gains."""
        ax.plot(self.gains, self.exponents, color="black", marker="o", markersize=2, linewidth=0.8)
        ax.axhline(0.0, color="0.6", linewidth=1)
        ax.axvline(self.zero, color="C0", linewidth=1, label=f"zero at {self.zero:.3f}")
        if self.chaos is not None:
            ax.axvline(self.chaos, color="C1", linewidth=1, label=f"clearly positive at {self.chaos:.3f}")
        ax.set(xlabel="gain", ylabel="largest exponent, nats a step")
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False)


def largest_exponent(
    weight: Float[Tensor, "units units"],
    gain: float = 1.0,
    activation: str = "tanh",
    steps: int = 2000,
    burn_in: int | None = None,
    seed: int = 0,
) -> float:
    """The largest Lyapunov exponent of h ← f(g W h), in nats a step: how fast a small difference grows or shrinks.

    One tangent is carried along and its growth averaged over `steps`, after `burn_in` steps (as many unless given) that
    bring the state from a random start to where it stays; O(H²) a step. −inf where the tangent vanishes.

    `InputError` for a weight that is no square matrix of finite numbers, an unknown activation, or no steps.
    """
    return float(largest_exponents(weight, [gain], activation, steps, burn_in, seed)[0])


def largest_exponents(
    weight: Float[Tensor, "units units"],
    gains: Sequence[float] | Tensor,
    activation: str = "tanh",
    steps: int = 2000,
    burn_in: int | None = None,
    seed: int = 0,
) -> Float[Tensor, "gains"]:
    """`largest_exponent` at each gain, all in one pass, from the same start."""
    _check_weight(weight)
    check_scalar_activation(activation)
    try:
        values = torch.as_tensor(gains, dtype=torch.float64).reshape(-1)
    except (TypeError, ValueError):
        raise InputError(f"gains are {gains!r}; expected finite numbers, one at least") from None
    if not len(values) or not bool(values.isfinite().all()):
        raise InputError(f"gains are {values.tolist()}; expected finite numbers, one at least")
    burn_in = steps if burn_in is None else burn_in
    for name, number, least in (("steps", steps, 1), ("burn_in", burn_in, 0)):
        if isinstance(number, bool) or not isinstance(number, int) or number < least:
            raise InputError(f"{name} is {number!r}; expected a whole number of at least {least}")
    return _follow(weight, values, activation, steps, burn_in, seed)


@torch.no_grad()
def _follow(weight: Tensor, gains: Tensor, activation: str, steps: int, burn_in: int, seed: int) -> Tensor:
    """One state and one tangent a gain."""
    weight = weight.detach()
    weight = weight if weight.dtype == torch.float64 else weight.float()
    generator = torch.Generator().manual_seed(seed)
    begun = torch.randn(2, 1, len(weight), generator=generator, dtype=torch.float64).to(weight)
    h, tangent = begun.expand(2, len(gains), -1)  # [G, H] each
    scale, sums = gains.to(weight)[:, None], torch.zeros(len(gains), dtype=torch.float64)
    for t in range(burn_in + steps):
        z, tz = (torch.cat([h, tangent]) @ weight.t()).chunk(2)
        z = scale * z
        h = activate(activation, z)
        h = h.masked_fill(h.abs() < SMALLEST, 0.0)
        tangent = slope(activation, z) * (scale * tz)
        growth = torch.linalg.vector_norm(tangent, dim=-1)  # [G]
        tangent = tangent / growth.clamp_min(torch.finfo(growth.dtype).tiny)[:, None]
        if t >= burn_in:
            sums += growth.double().log().cpu()
    if not bool(torch.isfinite(h).all()):
        wrong = gains[~torch.isfinite(h).all(-1).cpu()]
        raise InputError(f"the state left all bounds at gain {float(wrong[0]):.4g}; take smaller gains, or fewer steps")
    return sums / steps


def critical_gain(
    weight: Float[Tensor, "units units"],
    low: float = 0.5,
    high: float = 1.5,
    activation: str = "tanh",
    steps: int = 2000,
    count: int = 51,
    seed: int = 0,
) -> CriticalGain:
    """The gain at which the largest exponent of h ← f(g W h) reaches zero, between `low` and `high`.

    Without input a random tanh net with entries W_ij ~ N(0, 1/H) rests at 0 below gain 1 and is chaotic above it as
    H → ∞ (for maps Molgedey, Schuchhardt & Schuster 1992; in continuous time Sompolinsky, Crisanti & Sommers 1988). At
    finite H the two part: the exponent is log(g ρ(W)) until it reaches zero at 1/ρ(W), and then stays at zero (the
    state turns on a circle) or falls under it again (it rests elsewhere, or alternates) until chaos sets in at a higher
    gain. A sign change alone is therefore a matter of luck; both gains are given.

    `count` gains are tried over the whole range. Since the exponent may just touch zero, finer ones are then tried
    around each that comes near it or is a peak, and around 1/ρ(W), smallest first, until one reaches it: within 0.001,
    or within 2 / `steps`.

    `InputError` where the exponent is not negative at `low`, or does not reach zero up to `high`.
    """
    if not 0 < low < high:
        raise InputError(f"low is {low} and high is {high}; expected 0 < low < high")
    if isinstance(count, bool) or not isinstance(count, int) or count < 3:
        raise InputError(f"count is {count!r}; expected at least 3 gains")
    gains = torch.linspace(low, high, count, dtype=torch.float64)
    spacing = (high - low) / (count - 1)
    exponents = largest_exponents(weight, gains, activation, steps, None, seed)
    near = max(NEAR, 2 / steps)  # where it touches zero the state settles like 1/√t, and 1/t is left of the exponent
    if float(exponents[0]) > -near:
        raise InputError(
            f"the largest exponent is {float(exponents[0]):+.3g} already at low={low}; take a smaller gain"
        )
    rest, zero = _rest(weight, activation), None
    places = _candidates(gains, exponents, near)
    if rest is not None and low < rest < min([high, *places[-1:]]):
        places.append(rest)
    for place in sorted(places):
        # Close enough for two to be near zero if it only touches it, with slopes of 1 and −2 over log gain.
        finer = math.ceil(2 * spacing / (place * near / 2)) + 1
        around = torch.linspace(max(low, place - spacing), min(high, place + spacing), finer, dtype=torch.float64)
        found = largest_exponents(weight, around, activation, steps, None, seed)
        gains, exponents = torch.cat([gains, around]), torch.cat([exponents, found])
        reached = (found >= -near).nonzero()[:, 0].tolist()
        if reached:
            zero = float(around[reached[0]])
            break
    if zero is None:
        raise InputError(f"the largest exponent stays under zero up to high={high}; take a larger gain")
    order = gains.argsort(stable=True)
    gains, exponents = gains[order], exponents[order]
    positive = (exponents > CLEAR).nonzero()[:, 0].tolist()
    return CriticalGain(gains, exponents, zero, float(gains[positive[0]]) if positive else None, rest)


def _candidates(gains: Tensor, exponents: Tensor, near: float) -> list[float]:
    """Gains at which the exponent is near zero or at a peak, up to the first at which it is near zero."""
    values, found = exponents.tolist(), []
    for place in range(1, len(values)):
        there = values[place] >= -near
        if there or (place + 1 < len(values) and values[place] >= max(values[place - 1], values[place + 1])):
            found.append(float(gains[place]))
        if there:
            break
    return found


def _rest(weight: Tensor, activation: str) -> float | None:
    """The gain at which the state 0 stops attracting."""
    if activation not in ("tanh", "identity"):
        return None
    radius = float(torch.linalg.eigvals(weight.detach().double()).abs().max())
    return 1 / radius if radius > 0 else float("inf")


def _check_weight(weight: Tensor) -> None:
    if not isinstance(weight, Tensor) or weight.ndim != 2 or weight.shape[0] != weight.shape[1] or not len(weight):
        got = list(weight.shape) if isinstance(weight, Tensor) else type(weight).__name__
        raise InputError(f"weight is {got}; expected a square matrix [H, H]")
    if not weight.is_floating_point() or not bool(torch.isfinite(torch.linalg.matrix_norm(weight))):
        raise InputError("weight holds numbers that are not finite, too large, or whole; expected floating-point ones")
