"""What eigenvalues hide: how far ‖W^t‖ rises before they decide, where W is not normal.

The eigenvalue rule, |λ| < 1 and it dies down, holds in the long run. What comes before is told by numbers that look at
all of W: the resolvent (Kreiss), the field of values (numerical radius), and the distance to a normal matrix (Henrici).
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor
from torch.linalg import matrix_norm

from peephole.errors import InputError
from peephole.stability.recurrences.arguments import check_steps
from peephole.stability.recurrences.linear import draw_line
from peephole.stability.recurrences.matrices import EPSILON, Numbers, is_normal, square_matrix
from peephole.stability.recurrences.modes import Mode, modes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ANGLES, RADII, SUMMITS = 13, 10, 3  # of the first search of the resolvent, and how many of its maxima are climbed
LARGEST = 1e150  # squares of what is larger leave float64


@dataclass(frozen=True, eq=False)
class Transient:
    """The powers of W beside what bounds them, all in the spectral norm. Made by `transient`.

    `power_norms[t]` is ‖W^t‖. `settled` says that some power was below 1, so that no later one can rise above the peak:
    ‖W^(k+t)‖ ≤ ‖W^k‖ ‖W^t‖. `kreiss` is K(W) = sup over |z| > 1 of (|z| − 1) ‖(zI − W)⁻¹‖, attained at `kreiss_point`
    (None where it is 1, approached as z grows, or infinite); K ≤ sup ‖W^t‖ ≤ e H K. `numerical_radius` r is the largest
    |x* W x| over unit vectors, with |λ| ≤ r and ‖W^t‖ ≤ 2 r^t; `numerical_abscissa` the largest eigenvalue of
    (W + Wᵀ)/2. `departure` is Henrici's √(‖W‖_F² − Σ|λ|²), and `commutator` ‖W Wᵀ − Wᵀ W‖_F / ‖W‖_F²; both are 0 for
    normal W alone.
    """

    weight: Float[Tensor, "hidden hidden"]
    power_norms: Float[Tensor, " times"]
    modes: tuple[Mode, ...]
    kreiss: float
    kreiss_point: complex | None
    numerical_abscissa: float
    numerical_radius: float
    departure: float
    commutator: float
    normal: bool

    @property
    def peak_step(self) -> int:
        """The step of the largest ‖W^t‖ (the first, where several tie up to rounding)."""
        return int((self.power_norms >= (1 - 1e-12) * self.power_norms.max()).nonzero()[0])

    @property
    def peak(self) -> float:
        """The largest ‖W^t‖ among the steps taken; at least 1, that of W^0."""
        return float(self.power_norms[self.peak_step])

    @property
    def settled(self) -> bool:
        """Whether the peak is that of all steps, and not only of those taken."""
        return bool((self.power_norms < 1 - 1e-9).any())

    @property
    def spectral_radius(self) -> float:
        """max |λ|."""
        return self.modes[0].rate

    @property
    def norm(self) -> float:
        """‖W‖."""
        return float(self.power_norms[1])

    @property
    def verdict(self) -> str:
        """One sentence: what the eigenvalues promise and what the powers do."""
        radius, steps = f"|λ| ≤ {self.spectral_radius:.6g}", len(self.power_norms) - 1
        far = f"departure from normality {self.departure:.3g}, Kreiss constant {self.kreiss:.4g}"
        if self.normal:
            fate = {"grows": "blows up", "holds": "holds", "decays": "dies down"}[self.modes[0].behaviour]
            return f"nothing hidden: W is normal, so that ‖W^t‖ is the largest |λ|^t, which {fate} with {radius}."
        if math.isinf(self.kreiss):
            return (
                f"grows without end: {radius}, and ‖W^t‖ reaches {self.peak:.4g} in {steps} steps, "
                f"{self._excess:.3g} times what |λ|^t says at most (departure from normality {self.departure:.3g})."
            )
        if self.peak <= 1 + 1e-9:
            hidden = "nothing hidden" if self.settled else "nothing seen"
            return f"{hidden}: {radius}, and though W is not normal ‖W^t‖ never passes 1 in {steps} steps ({far})."
        when = f"at step {self.peak_step}" if self.settled else f"at step {self.peak_step} of the {steps} taken"
        still = " and still rises" if self.peak_step == steps else ""
        said = "eigenvalues mislead" if self.peak >= 10 else "grows first"
        promise = "decay" if self.modes[0].behaviour == "decays" else "no growth"
        return f"{said}: {radius} promises {promise}, yet ‖W^t‖ reaches {self.peak:.4g} {when}{still} ({far})."

    @property
    def _excess(self) -> float:
        """The largest ‖W^t‖ / ρ^t."""
        times = torch.arange(len(self.power_norms), dtype=torch.float64)
        return float((self.power_norms.log() - times * math.log(self.spectral_radius)).max().exp())

    def plot(self, ax: "Axes") -> None:
        """Draw ‖W^t‖ over steps between what eigenvalues promise and what the numerical radius allows, log scale."""
        times = torch.arange(len(self.power_norms), dtype=torch.float64)
        draw_line(ax, self.power_norms, "‖W$^t$‖", color="black", linewidth=2.5)
        draw_line(ax, self.spectral_radius**times, "eigenvalues: |λ|$^t$", color="0.5", linestyle="--")
        allowed = 2 * self.numerical_radius**times
        # a bound far above everything would leave no room for the rest
        allowed = allowed.masked_fill(allowed > 10 * self.peak, math.nan)
        draw_line(ax, allowed, "numerical radius: ≤ 2 r$^t$", color="C4", linestyle=":")
        if math.isfinite(self.kreiss):
            label = f"Kreiss: peak ≥ {self.kreiss:.4g}"
            ax.axhline(self.kreiss, color="C1", linestyle="--", linewidth=1, label=label)
        if self.peak_step:
            ax.plot(self.peak_step, self.peak, "o", color="black")
            late = self.peak_step > len(times) / 2
            ax.annotate(
                f"{self.peak:.4g} at step {self.peak_step}",
                (self.peak_step, self.peak),
                xytext=(0 if late else 4, 5),
                textcoords="offset points",
                horizontalalignment="right" if late else "left",
            )
        ax.set(yscale="log", xlabel="step t", ylabel="‖W$^t$‖", xlim=(0, len(self.power_norms) - 1))
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize="small")


def transient(weight: Numbers, steps: int = 100) -> Transient:
    """Measure how far the powers of W rise in `steps` steps, and what bounds them whatever the number of steps.

    `weight` is W `[H, H]`, or a number; as a tensor, an array or nested lists. Everything is float64.

    The Kreiss constant is searched over angle and log(|z| − 1), then climbed from the best points, so that it is a
    lower bound that is attained, at most what singular values above rounding can show: Kreiss 1962, "Über die
    Stabilitätsdefinition für Differenzengleichungen"; the factor e H of his theorem is Spijker's, 1991, "On a
    conjecture by LeVeque and Trefethen related to the Kreiss matrix theorem". It is 1 exactly where the numerical
    radius is at most 1, and infinite where some |λ| > 1, or some |λ| = 1 has a Jordan block. Numerical radius: Berger
    1965, "A strange dilation theorem"; departure: Henrici 1962, "Bounds for iterates, inverses, spectral variation and
    fields of values of non-normal matrices"; the whole: Trefethen & Embree 2005, "Spectra and Pseudospectra", chapters
    14 to 18.

    Raises `InputError` for what is no finite matrix of numbers, and steps whose powers pass the largest float64.

    >>> found = transient([[0.9, 100], [0, 0.8]])
    >>> found.spectral_radius, found.peak_step
    (0.9, 6)
    """
    matrix, rounding = square_matrix(weight)
    check_steps("steps", steps)
    largest = float(matrix.abs().max())
    if largest > LARGEST:
        raise InputError(f"weight has entries up to {largest:.3g}, whose square passes float64; scale it down")
    power, norms = torch.eye(len(matrix), dtype=torch.float64), [1.0]
    for step in range(1, steps + 1):
        power = matrix @ power
        if not bool(torch.isfinite(power).all()):
            raise InputError(f"steps is {steps}: W^{step} passes the largest float64; expected at most {step - 1}")
        norms.append(float(matrix_norm(power, 2)))
    found = modes(weight)
    squared = sum(mode.rate * mode.rate * mode.multiplicity * (2 if mode.is_pair else 1) for mode in found)
    size = float(matrix_norm(matrix))
    normal = is_normal(matrix, rounding)
    abscissa, radius = _numerical_radius(matrix)
    commutator = float(matrix_norm(matrix @ matrix.mT - matrix.mT @ matrix))
    kreiss, point = _kreiss(matrix, found, radius, normal)
    return Transient(
        matrix,
        torch.tensor(norms, dtype=torch.float64),
        found,
        kreiss,
        point,
        abscissa,
        radius,
        # the difference of two squares that nearly agree is rounding
        0.0 if normal else math.sqrt(max(size**2 - squared, 0.0)),
        0.0 if not size else commutator / size**2,
        normal,
    )


def _numerical_radius(matrix: Tensor) -> tuple[float, float]:
    """The largest eigenvalue of (W + Wᵀ)/2, and the largest over all turns e^{iθ} W: the field of values' reach.

    For real W half a circle is enough. Around the best angles of a grid the root of the slope is bracketed and closed
    by the Illinois rule: the eigenvalue is the support function of a convex set, and has the slope −Im(e^{iθ} x* W x).
    """
    grid = torch.linspace(0, math.pi, 33, dtype=torch.float64).tolist()
    heights, slopes = zip(*(_support(matrix, angle) for angle in grid), strict=True)
    best = max(heights)
    for k in sorted(range(32), key=lambda k: -max(heights[k], heights[k + 1])):
        if slopes[k] > 0 > slopes[k + 1] and max(heights[k], heights[k + 1]) > 0.99 * best:
            best = max(best, _summit(matrix, (grid[k], slopes[k]), (grid[k + 1], slopes[k + 1])))
    return heights[0], best


def _summit(matrix: Tensor, rising: tuple[float, float], falling: tuple[float, float]) -> float:
    """The largest support between an angle where it rises and one where it falls, each with its slope."""
    best = 0.0
    for _ in range(12):
        (a, up), (b, down) = rising, falling
        middle = a + (b - a) * up / (up - down)
        height, slope = _support(matrix, middle)
        best = max(best, height)
        if abs(slope) <= 1e-9 * abs(height) or b - a < 1e-9:
            break
        # the side that stays counts half, or it would stay for ever
        rising, falling = ((middle, slope), (b, down / 2)) if slope > 0 else ((a, up / 2), (middle, slope))
    return best


def _support(matrix: Tensor, angle: float) -> tuple[float, float]:
    """The largest eigenvalue of the Hermitian part of e^{iθ} W, and its derivative by θ."""
    turned = complex(math.cos(angle), math.sin(angle)) * matrix
    values, vectors = torch.linalg.eigh((turned + turned.mH) / 2)
    top = vectors[:, -1]
    return float(values[-1]), -float((top.conj() @ (turned @ top)).imag)


def _kreiss(matrix: Tensor, found: tuple[Mode, ...], radius: float, normal: bool) -> tuple[float, complex | None]:
    """K(W) and the z at which it is attained."""
    if any(mode.behaviour == "grows" for mode in found):
        return math.inf, None
    if normal or radius <= 1 + 1e-12:
        return 1.0, None
    # between the circle and the nearest eigenvalue the resolvent is nearly constant, and beyond ‖W‖ nearly 1/|z|
    near = max(1e-7, 0.3 * (1 - found[0].rate) / len(matrix))
    far = 10 * (1 + float(matrix_norm(matrix, 2)))
    logs = torch.linspace(math.log(near), math.log(far), RADII, dtype=torch.float64)
    turns = torch.linspace(0, math.pi, ANGLES, dtype=torch.float64)
    # a narrow peak stands where a single eigenvalue comes close to the circle
    spikes = [abs(math.atan2(mode.eigenvalue.imag, mode.eigenvalue.real)) for mode in found[:6]]
    turns = torch.cat([turns, torch.tensor(spikes, dtype=torch.float64)]).unique()
    angles, radii = (grid.flatten() for grid in torch.meshgrid(turns, logs, indexing="ij"))
    heights = _heights(matrix, angles, radii).view(len(turns), RADII)
    best, point = 1.0, None
    for k in _maxima(heights)[:SUMMITS]:
        height, angle, log = _climb(matrix, float(angles[k]), float(radii[k]))
        if height > best:
            distance = 1 + math.exp(log)
            best, point = height, complex(distance * math.cos(angle), distance * math.sin(angle))
    return best, point


def _heights(matrix: Tensor, angles: Tensor, radii: Tensor) -> Tensor:
    """(|z| − 1) ‖(zI − W)⁻¹‖ at each angle and log(|z| − 1), in pieces that fit the memory."""
    one = torch.eye(len(matrix), dtype=torch.complex128)
    points = torch.polar(1 + radii.exp(), angles)
    piece = max(1, 2**20 // matrix.numel())
    smallest = [torch.linalg.svdvals(some[:, None, None] * one - matrix)[:, -1] for some in points.split(piece)]
    return radii.exp() / torch.cat(smallest).clamp_min(_least(matrix))


def _least(matrix: Tensor) -> float:
    """What is left of a singular value of zero: smaller ones are rounding, and would make the constant too large."""
    return EPSILON * float(matrix_norm(matrix))


def _maxima(heights: Tensor) -> list[int]:
    """The flat places of the local maxima of a table, highest first; a maximum may lie at its border."""
    padded = torch.nn.functional.pad(heights, (1, 1, 1, 1), value=-math.inf)
    windows = padded.unfold(0, 3, 1).unfold(1, 3, 1).flatten(2).amax(-1)
    places = (heights >= windows).flatten().nonzero().flatten()
    return places[heights.flatten()[places].argsort(descending=True)].tolist()


def _climb(matrix: Tensor, angle: float, log: float) -> tuple[float, float, float]:
    """The local maximum above a point, by BFGS with steps that are halved until they rise: height, angle, log."""
    place = torch.tensor([angle, log], dtype=torch.float64)
    height, slope = _slope(matrix, place)
    curvature = 0.1 * torch.eye(2, dtype=torch.float64)
    for _ in range(20):
        step = curvature @ slope
        step = step / max(1.0, 2 * float(step.norm()))  # half a radian, and a factor of 1.6 in |z| − 1
        rise = float(step @ slope)
        for _ in range(8):
            higher, after = _slope(matrix, place + step)
            if higher >= height + 1e-4 * rise:
                break
            step, rise = step / 2, rise / 2
        else:
            break
        gained, change = higher - height, slope - after
        place, height, slope = place + step, higher, after
        along = float(step @ change)
        if along > 0:
            shear = torch.eye(2, dtype=torch.float64) - torch.outer(step, change) / along
            curvature = shear @ curvature @ shear.mT + torch.outer(step, step) / along
        if gained <= 1e-13:
            break
    return math.exp(height), float(place[0]), float(place[1])


def _slope(matrix: Tensor, place: Tensor) -> tuple[float, Tensor]:
    """log of (|z| − 1) ‖(zI − W)⁻¹‖ and its gradient by angle and log(|z| − 1)."""
    angle, log = place.tolist()
    gap, turn = math.exp(log), complex(math.cos(angle), math.sin(angle))
    z = (1 + gap) * turn
    left, sizes, right = torch.linalg.svd(z * torch.eye(len(matrix), dtype=torch.complex128) - matrix)
    smallest = max(float(sizes[-1]), _least(matrix))
    # a singular value moves as its vectors say: dσ = Re u* v dz
    moves = complex(left[:, -1].conj() @ right[-1].conj()) / smallest
    return log - math.log(smallest), torch.tensor(
        [-(moves * 1j * z).real, 1 - (moves * gap * turn).real], dtype=torch.float64
    )
