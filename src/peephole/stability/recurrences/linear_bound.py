"""Bounded input, bounded output of a linear recurrence: the bound itself, and the input that attains it."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.linalg import matrix_norm, vector_norm

from peephole.errors import InputError
from peephole.stability.recurrences.arguments import check_steps
from peephole.stability.recurrences.matrices import Numbers, fitting, input_matrix, square_matrix, table
from peephole.stability.recurrences.modes import Mode, clusters

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class LinearBound:
    """The largest |h_i(t)| that inputs with |x_j(t)| ≤ `input_bound[j]` can reach from h = 0. Made by `linear_bound`.

    `worst[i]` sums `steps` terms of Σ_s Σ_j |(W^s C)_ij| x_max_j, and `worst_input(i)` attains it; what the terms left
    out can add is at most `error[i]`. Both are infinite for a unit that can be driven without end. `reached` is the
    dimension of what inputs can move, `reached_radius` the spectral radius of W on it.
    """

    weight: Float[Tensor, "hidden hidden"]
    input_weight: Float[Tensor, "hidden input"]
    input_bound: Float[Tensor, " input"]
    worst: Float[Tensor, " hidden"]
    error: Float[Tensor, " hidden"]
    steps: int
    reached: int
    reached_radius: float
    spectral_radius: float
    decaying: tuple[Float[Tensor, "hidden hidden"], Float[Tensor, "hidden input"]]
    """W and C without what inputs cannot reach and without what does not decay."""

    @property
    def unit(self) -> int:
        """The unit that goes furthest."""
        return int(self.worst.argmax())

    def worst_input(self, unit: int, steps: int | None = None) -> Float[Tensor, "steps input"]:
        """x(1…steps) that takes |h_unit(steps)| as far as it can go in so many steps (as many as were summed)."""
        if not 0 <= unit < len(self.worst):
            raise InputError(f"unit is {unit}; expected 0 to {len(self.worst) - 1}")
        steps = self.steps if steps is None else steps
        check_steps("steps", steps)
        weight, input_weight = (self.weight, self.input_weight) if self.worst[unit].isinf() else self.decaying
        row, found = self.input_weight.new_zeros(len(self.weight)), []
        row[unit] = 1.0
        # (W^s C)_ij from the row e_i W^s: its sign is what the input s steps before the end has to have
        for _ in range(steps):
            found.append(torch.sign(row @ input_weight) * self.input_bound)
            row = row @ weight
            row = row / vector_norm(row).clamp_min(torch.finfo(torch.float64).tiny)
        return torch.stack(found[::-1])

    @property
    def verdict(self) -> str:
        """One sentence: whether bounded inputs keep the state bounded, and by what."""
        unbounded = int(self.worst.isinf().sum())
        largest = f"{float(self.input_bound.max()):.4g}"
        if unbounded:
            what = f"{unbounded} of {len(self.worst)} units" if len(self.worst) > 1 else "h"
            return (
                f"not bounded: inputs within ±{largest} drive {what} without end, as what they reach has "
                f"|λ| = {self.reached_radius:.6g}, not below 1."
            )
        place = f" (unit {self.unit})" if len(self.worst) > 1 else ""
        said = (
            f"bounded: inputs within ±{largest} take no unit past {float(self.worst.max() + self.error[self.unit]):.6g}"
            f"{place}, of which the last {self.steps} steps can make {float(self.worst.max()):.6g}"
        )
        if self.spectral_radius > self.reached_radius and self.spectral_radius >= 1:
            said += f"; the mode with |λ| = {self.spectral_radius:.6g} is out of their reach"
        return said + "."

    def _driven(self, steps: int) -> list[float]:
        """h of `unit` under its worst input, from h(0) = 0."""
        weight, input_weight = self.decaying if self.worst[self.unit].isfinite() else (self.weight, self.input_weight)
        state, path = torch.zeros(len(self.weight), dtype=torch.float64), [0.0]
        for x in self.worst_input(self.unit, steps):
            state = weight @ state + input_weight @ x
            path.append(float(state[self.unit]))
        return path

    def plot(self, ax: "Axes") -> None:
        """Draw the unit that goes furthest under the input that takes it there, and its bound."""
        bounded, steps = not bool(self.worst[self.unit].isinf()), 8
        while bounded and 2 * steps < self.steps and self._driven(steps)[-1] < 0.999 * float(self.worst[self.unit]):
            steps *= 2
        path = self._driven(steps if bounded else 50)
        ax.plot(np.arange(len(path)), path, color="black", label=f"h of unit {self.unit} under its worst input")
        if bounded:
            bound = float(self.worst[self.unit] + self.error[self.unit])
            ax.axhline(bound, color="C1", linestyle="--", label=f"no input goes past ±{bound:.4g}")
            ax.axhline(-bound, color="C1", linestyle="--")
        ax.set(xlabel="step t", ylabel="h(t)")
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0))


def linear_bound(
    weight: Numbers,
    input_weight: Numbers | None = None,
    input_bound: Numbers = 1.0,
    *,
    tolerance: float = 1e-9,
    longest: int = 8192,
) -> LinearBound:
    """Bounded input, bounded output: how far inputs with |x_j(t)| ≤ x_max_j can drive each unit, and which do.

    `weight` and `input_weight` are as in `linear_recurrence`; `input_bound` is x_max, a number or `[I]`. The answer is
    exact, Σ_s Σ_j |(W^s C)_ij| x_max_j, the ℓ1 norm of the impulse response (Desoer & Vidyasagar 1975, "Feedback
    Systems", II.2), summed until the rest is below `tolerance` of it, or for `longest` steps; the rest is bounded by
    |W^(s+T) C| ≤ |W^T| |W^s C| for every further doubling of T.

    A mode with |λ| ≥ 1 is no danger where inputs do not reach it, and to a unit that does not see it. What is reached
    is the span of C, WC, W²C, …, a new direction counting if it stands out of rounding (the staircase of Rosenbrock
    1970); a unit sees the modes that do not decay if its row of their invariant subspace stands out of rounding. W on
    the circle counts as not decaying: its sum grows without end.

    Raises `InputError` for what is no finite matrix of numbers, shapes that do not fit, and bounds below 0.

    >>> linear_bound(0.5, 1.0, 3.0).verdict
    'bounded: inputs within ±3 take no unit past 6, of which the last 32 steps can make 6.'
    """
    matrix, rounding = square_matrix(weight)
    inputs = input_matrix(input_weight, len(matrix))
    bound = table(input_bound, "input_bound")[0]
    bound = fitting(
        bound.expand(inputs.shape[1]) if bound.dim() == 0 else bound, "input_bound", inputs.shape[1]
    ).clone()
    if bool((bound < 0).any()):
        raise InputError(f"input_bound is {float(bound.min()):g}; expected 0 or more, the largest |x|")
    check_steps("longest", longest)
    basis = _reached(matrix, inputs, rounding)  # [H, R]
    kept, kept_inputs, seen, radius = matrix, inputs, torch.zeros(len(matrix), dtype=torch.bool), 0.0
    if basis.shape[1]:
        inner = basis.mT @ matrix @ basis if basis.shape[1] < len(matrix) else matrix
        within = [cluster.mode for cluster in clusters(inner, rounding)]
        radius = within[0].rate
        lasting = _lasting_projector(inner, within)  # [R, R]
        if basis.shape[1] < len(matrix) or bool(lasting.any()):
            outer = basis if basis.shape[1] < len(matrix) else torch.eye(len(matrix), dtype=torch.float64)
            # a unit's row of the projector, beside what rounding leaves of a row of zeros
            seen = vector_norm(outer @ lasting, dim=1) > 1e3 * rounding * max(1.0, float(matrix_norm(lasting, 2)))
            projector = outer @ (torch.eye(len(inner), dtype=torch.float64) - lasting) @ outer.mT
            kept, kept_inputs = projector @ matrix @ projector, projector @ inputs
    else:
        kept = torch.zeros_like(matrix)
    worst, error, steps = _summed(kept, kept_inputs, bound, tolerance, longest)
    worst, error = worst.masked_fill(seen, math.inf), error.masked_fill(seen, math.inf)
    largest = radius if basis.shape[1] == len(matrix) else clusters(matrix, rounding)[0].mode.rate
    decaying = (kept, kept_inputs)
    return LinearBound(matrix, inputs, bound, worst, error, steps, basis.shape[1], radius, largest, decaying)


def _reached(matrix: Tensor, inputs: Tensor, rounding: float) -> Tensor:
    """An orthonormal basis `[H, R]` of the span of C, WC, W²C, …."""
    basis, fresh, scale = inputs[:, :0], inputs, matrix_norm(inputs, 2)
    while basis.shape[1] < len(matrix):
        for _ in range(2):  # twice is enough for orthogonality
            fresh = fresh - basis @ (basis.mT @ fresh)
        left, sizes, _ = torch.linalg.svd(fresh, full_matrices=False)
        left = left[:, sizes > rounding * scale]
        if not left.shape[1]:
            break
        basis = torch.cat([basis, left], dim=1)
        fresh, scale = matrix @ left, matrix_norm(matrix, 2)
    return basis


def _lasting_projector(matrix: Tensor, within: list[Mode]) -> Tensor:
    """The spectral projector onto what does not decay, by the matrix sign function (Roberts 1980)."""
    lasting = [mode.rate for mode in within if mode.behaviour != "decays"]
    fading = [mode.rate for mode in within if mode.behaviour == "decays"]
    one = torch.eye(len(matrix), dtype=torch.float64)
    if not lasting or not fading:
        return one if lasting else torch.zeros_like(one)
    inside, outside = max(fading), min(lasting)
    circle = math.sqrt(inside * outside) if inside else outside / 2
    # Cayley's map takes the outside of the circle to the right half plane, where the sign is +1
    sign = torch.linalg.solve(matrix / circle + one, matrix / circle - one)
    for _ in range(60):
        inverse = torch.linalg.inv(sign)
        weigh = float((matrix_norm(inverse) / matrix_norm(sign)).sqrt())
        following = (weigh * sign + inverse / weigh) / 2
        change, sign = float(matrix_norm(following - sign)), following
        if change <= 1e-14 * float(matrix_norm(sign)):
            break
    return (one + sign) / 2


def _summed(
    weight: Tensor, inputs: Tensor, bound: Tensor, tolerance: float, longest: int
) -> tuple[Tensor, Tensor, int]:
    """Σ_s |W^s C| x_max `[H]`, what the terms left out add at most `[H]`, and the number of terms."""
    total, kernel, power, steps = torch.zeros(len(weight), dtype=torch.float64), inputs, weight, 0
    while True:
        until = max(1, 2 * steps)
        for _ in range(until - steps):
            total = total + kernel.abs() @ bound
            kernel = weight @ kernel
        steps, power = until, weight if until == 1 else power @ power
        rest = _rest(power, total)
        if float(rest.max()) <= tolerance * float(total.max()) or 2 * steps > longest:
            return total, rest, steps


def _rest(power: Tensor, total: Tensor) -> Tensor:
    """A bound on the terms from T on, given W^T and the sum of the terms before."""
    whole = total
    for _ in range(60):
        whole = whole + power.abs() @ whole
        power = power @ power
        share = float(power.abs().sum(1).max())
        if share < 1e-20:
            return whole - total + share * whole.max()
    return torch.full_like(total, math.inf)
