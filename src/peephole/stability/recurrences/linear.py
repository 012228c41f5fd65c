"""The linear recurrence h(t) = W h(t−1) + C x(t): what one input leaves behind, mode by mode, and the worst of all.

Everything is a sum of responses to single inputs, h(t) = Σ_s W^s C x(t−s). In the long run the eigenvalues of W decide;
`stability.transient` shows what they hide until then.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.linalg import matrix_norm, vector_norm

from peephole.errors import InputError
from peephole.stability.recurrences.arguments import check_steps
from peephole.stability.recurrences.matrices import (
    EPSILON,
    Numbers,
    fitting,
    input_matrix,
    is_normal,
    square_matrix,
    table,
)
from peephole.stability.recurrences.modes import LOOSEST, Mode, clusters

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class LinearRecurrence:
    """h(t) = W h(t−1) + C x(t) after the single input x(0), and the powers of W. Made by `linear_recurrence`.

    `response[t]` is W^t C x(0) and `response_norms[t]` its length; `power_norms[t]` is ‖W^t‖₂, the most by which any
    h(0) is stretched in t steps. `direction` is an orthonormal basis of what survives in the end: one column for a real
    dominant eigenvalue, two for a complex pair, more where several share |λ|. `angles[t]` is the angle between h(t) and
    it, in degrees; NaN where h(t) = 0.
    """

    weight: Float[Tensor, "hidden hidden"]
    input_weight: Float[Tensor, "hidden input"]
    impulse: Float[Tensor, " input"]
    response: Float[Tensor, "times hidden"]
    response_norms: Float[Tensor, " times"]
    power_norms: Float[Tensor, " times"]
    modes: tuple[Mode, ...]
    direction: Float[Tensor, "hidden dimensions"]
    angles: Float[Tensor, " times"]
    normal: bool

    @property
    def spectral_radius(self) -> float:
        """max |λ|."""
        return self.modes[0].rate

    @property
    def index(self) -> int:
        """The largest Jordan block among the modes that decide: ‖W^t‖ goes like t^(index−1) |λ|^t."""
        return max(mode.index for mode in self.modes if _ties(mode, self.modes[0]))

    @property
    def behaviour(self) -> Literal["blows up", "grows like a power of t", "holds", "forgets"]:
        """What becomes of ‖W^t‖ as t grows without end."""
        if self.modes[0].behaviour == "decays":
            return "forgets"
        if self.modes[0].rate > 1:
            return "blows up"
        return "holds" if self.index == 1 else "grows like a power of t"

    @property
    def verdict(self) -> str:
        """One sentence: what becomes of an input, how fast, and what comes before."""
        first, radius = self.modes[0], f"|λ| is {self.spectral_radius:.6g}"
        power = "" if self.index == 1 else f"t{_superscript(self.index - 1)} × "
        if self.behaviour == "forgets" and not self.spectral_radius:
            said = f"forgets all of it: W is nilpotent, W{_superscript(self.index)} = 0"
        elif self.behaviour == "forgets":
            said = f"forgets: the largest {radius}, ‖W^t‖ falls like {power}|λ|^t, halved every "
            said += f"{first.half_life:.3g} steps"
        elif self.behaviour == "blows up":
            said = f"blows up: the largest {radius}, ‖W^t‖ grows like {power}|λ|^t, twofold every "
            said += f"{first.doubling_time:.3g} steps"
        elif self.behaviour == "holds":
            said = f"holds: the largest {radius}, with all its eigenvectors"
        else:
            said = f"grows like t{_superscript(self.index - 1)}: the largest {radius}, in a Jordan block of size "
            said += f"{self.index}"
        ties = sum(_ties(mode, first) for mode in self.modes)
        if ties > 1:
            said += f", shared by {ties} modes"
        elif math.isfinite(first.period):
            said += f", turning once in {first.period:.4g} steps"
        return f"{said}{self._warning()}{self._turned()}."

    def _warning(self) -> str:
        """What eigenvalues do not say, where W is not normal."""
        peak = int(self.power_norms.argmax())
        height = float(self.power_norms[peak])
        condition = self.modes[0].condition
        if condition * EPSILON > LOOSEST:
            return (
                f"; but λ is not certain, W being so far from normal that rounding moves it (condition "
                f"{condition:.2g}), and ‖W^t‖ reaches {height:.3g} at step {peak}"
            )
        if self.behaviour == "blows up":
            times = torch.arange(len(self.power_norms), dtype=torch.float64)
            excess = float((self.power_norms.log() - times * math.log(self.spectral_radius)).max().exp())
            return f"; W is not normal, and ‖W^t‖ reaches {excess:.3g} times |λ|^t" if excess > 2 else ""
        if self.normal or height <= 1 + 1e-9 or self.behaviour == "grows like a power of t":
            return ""
        return f"; but W is not normal, and grows {height:.3g}-fold first, by step {peak}"

    def _turned(self) -> str:
        angle = float(self.angles[-1])
        if math.isnan(angle) or not self.spectral_radius or self.direction.shape[1] == len(self.weight):
            return ""
        return f"; after {len(self.angles) - 1} steps h is {angle:.2g}° from the direction that survives"

    def plot(self, ax: "Axes") -> None:
        """Draw, over steps, ‖W^t‖, the length of the response relative to its start, and |λ|^t, on a log scale."""
        start = float(self.response_norms[0])
        expected = self.spectral_radius ** torch.arange(len(self.power_norms), dtype=torch.float64)
        draw_line(ax, self.power_norms, "‖W$^t$‖: the worst h(0)", color="black", linewidth=2.5)
        draw_line(ax, self.response_norms / start, "‖h(t)‖ / ‖h(0)‖: this input", color="C0")
        draw_line(ax, expected, "|λ|$^t$: eigenvalues", color="0.5", linestyle="--")
        if not float(self.power_norms[-1]):
            ax.text(1.0, 0.02, "a line ends where it becomes 0", color="0.4", ha="right", transform=ax.transAxes)
        ax.axhline(1.0, color="0.85", linewidth=1, zorder=0)
        ax.set(yscale="log", xlabel="step t", ylabel="growth since step 0", xlim=(0, len(self.power_norms) - 1))
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize="small")


def linear_recurrence(
    weight: Numbers, input_weight: Numbers | None = None, impulse: Numbers | None = None, steps: int = 100
) -> LinearRecurrence:
    """Follow one input x(0) through h(t) = W h(t−1) + C x(t) for `steps` steps, and take W apart into modes.

    `weight` is W `[H, H]`, or a number for H = 1; `input_weight` C `[H, I]` (`[H]` for one input; without it C = I);
    `impulse` x(0) `[I]` (without it 1 in every input). Tensors, arrays, nested lists and numbers are taken; everything
    is float64. Eigenvalues that no rounding of W's dtype tells apart count as one of higher multiplicity, and one
    within rounding of the unit circle as on it; Jordan blocks are found by the powers of W − λI on the invariant
    subspace (Golub & Wilkinson 1976, "Ill-conditioned eigensystems and the computation of the Jordan canonical form").

    Raises `InputError` for what is no finite matrix of numbers, shapes that do not fit, an impulse that leaves
    h(0) = 0, and steps whose powers pass the largest float64.

    >>> linear_recurrence(0.5, steps=3).response_norms.tolist()
    [1.0, 0.5, 0.25, 0.125]
    >>> linear_recurrence([[1, 1], [0, 1]]).behaviour
    'grows like a power of t'
    """
    matrix, rounding = square_matrix(weight)
    check_steps("steps", steps)
    inputs = input_matrix(input_weight, len(matrix))
    given = torch.ones(inputs.shape[1], dtype=torch.float64) if impulse is None else table(impulse, "impulse")[0]
    given = fitting(given, "impulse", inputs.shape[1])
    state = inputs @ given
    if not bool(state.any()):
        raise InputError("impulse and input_weight make h(0) = 0; expected an input that moves a unit at least")
    response, power = [state], torch.eye(len(matrix), dtype=torch.float64)
    norms = [1.0]
    for _ in range(steps):
        response.append(matrix @ response[-1])
        power = matrix @ power
        norms.append(float(matrix_norm(power, 2)) if bool(torch.isfinite(power).all()) else math.inf)
        if not (math.isfinite(norms[-1]) and bool(torch.isfinite(response[-1]).all())):
            raise InputError(
                f"steps is {steps}: W^{len(norms) - 1} passes the largest float64; expected at most {len(norms) - 2}"
            )
    found = clusters(matrix, rounding)
    first = found[0].mode
    ties = [cluster for cluster in found if _ties(cluster.mode, first)]
    deepest = max(cluster.mode.index for cluster in ties)
    direction = _real_basis(torch.cat([one.survivors for one in ties if one.mode.index == deepest], dim=1))
    path = torch.stack(response)
    return LinearRecurrence(
        matrix,
        inputs,
        given,
        path,
        vector_norm(path, dim=1),
        torch.tensor(norms, dtype=torch.float64),
        tuple(cluster.mode for cluster in found),
        direction,
        _angles(path, direction),
        is_normal(matrix, rounding),
    )


def _ties(mode: Mode, first: Mode) -> bool:
    """Whether a mode has the |λ| of the first."""
    return mode.rate >= first.rate * (1 - 1e-12)


def _real_basis(vectors: Tensor) -> Tensor:
    """An orthonormal basis `[H, d]` of the real and imaginary parts."""
    both = torch.view_as_real(vectors.to(torch.complex128))
    parts = torch.cat([both[..., 0], both[..., 1]], dim=1)
    left, sizes, _ = torch.linalg.svd(parts, full_matrices=False)
    return left[:, sizes > 1e-6 * sizes[0]]


def _angles(path: Tensor, direction: Tensor) -> Tensor:
    """Degrees between each row and the subspace; by both sides of the triangle, as an arc cosine loses small angles."""
    unit = path / vector_norm(path, dim=1, keepdim=True)
    along = unit @ direction
    across = vector_norm(unit - along @ direction.mT, dim=1)
    return torch.rad2deg(torch.atan2(across, vector_norm(along, dim=1)))


def _superscript(number: int) -> str:
    return "" if number == 1 else str(number).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def draw_line(ax: "Axes", values: Tensor, label: str, **style: Any) -> None:
    """A line over steps 0, 1, …, for a log scale: it ends where the values become zero."""
    ax.plot(np.arange(len(values)), values.masked_fill(values <= 0, math.nan).numpy(), label=label, **style)
