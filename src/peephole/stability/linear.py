"""The linear recurrence h(t) = W h(t−1) + C x(t): what one input leaves behind, mode by mode, and the worst of all.

Everything is a sum of responses to single inputs, h(t) = Σ_s W^s C x(t−s). In the long run the eigenvalues of W decide;
`stability.transient` shows what they hide until then.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.linalg import matrix_norm, vector_norm

from peephole.errors import InputError
from peephole.stability.arguments import check_steps

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Numbers = Tensor | np.ndarray | np.generic | Sequence[Any] | float | int
Behaviour = Literal["grows", "holds", "decays"]

EPSILON = torch.finfo(torch.float64).eps
MOST = 24  # eigenvalues that hang together by rounding, up to which a Jordan block is looked for among unequal ones
LOOSEST = 1e-6  # however ill-conditioned an eigenvalue is, one that is this much past rounding off the circle is off it


def square_matrix(given: Numbers, name: str = "weight") -> tuple[Float[Tensor, "hidden hidden"], float]:
    """W as a new float64 matrix, and the relative rounding with which its entries and eigenvalues are known."""
    matrix, epsilon = _numbers(given, name)
    matrix = matrix.reshape(1, 1) if matrix.dim() == 0 else matrix
    if matrix.dim() != 2 or matrix.shape[0] != matrix.shape[1] or not len(matrix):
        raise InputError(f"{name} has shape {list(matrix.shape)}; expected [H, H], or a number")
    # what the eigenvalue routine itself adds, and the spacing of entries that came in less than float64
    return matrix, max(16 * math.sqrt(len(matrix)) * EPSILON, epsilon)


def is_normal(matrix: Tensor, rounding: float) -> bool:
    """Whether W Wᵀ = Wᵀ W up to rounding: its eigenvectors are orthogonal, and ‖W^t‖ = ρ^t."""
    commutator = float(matrix_norm(matrix @ matrix.mT - matrix.mT @ matrix))
    return commutator <= 4 * rounding * float(matrix_norm(matrix)) ** 2


def _numbers(given: Numbers, name: str) -> tuple[Tensor, float]:
    """A float64 copy on the CPU, and the relative spacing of the numbers as they came."""
    expected = "expected finite real numbers, as a tensor, an array, nested lists or a number"
    if isinstance(given, Tensor):
        if given.is_complex():
            raise InputError(f"{name} is {str(given.dtype).removeprefix('torch.')}; {expected}")
        epsilon = torch.finfo(given.dtype).eps if given.is_floating_point() else EPSILON
        found = given.detach().to("cpu", torch.float64, copy=True)
    else:
        try:
            array = np.asarray(given)
        except (ValueError, TypeError, RuntimeError):
            raise InputError(f"{name} is no table of numbers, its rows differ in length; {expected}") from None
        if array.dtype.kind not in "biuf":
            raise InputError(f"{name} holds {array.dtype.name}, for example {str(given)[:40]!r}; {expected}")
        epsilon = float(np.finfo(array.dtype).eps) if array.dtype.kind == "f" else EPSILON
        found = torch.from_numpy(np.array(array, dtype=np.float64))
    if not bool(torch.isfinite(found).all()):
        raise InputError(f"{name} has {int((~torch.isfinite(found)).sum())} numbers that are not finite; {expected}")
    return found, max(epsilon, EPSILON)


def _input_matrix(given: Numbers | None, hidden: int) -> Tensor:
    """C `[H, I]`."""
    if given is None:
        return torch.eye(hidden, dtype=torch.float64)
    matrix = _numbers(given, "input_weight")[0]
    shape = list(matrix.shape)
    matrix = matrix.reshape(1, 1) if matrix.dim() == 0 else matrix[:, None] if matrix.dim() == 1 else matrix
    if matrix.dim() != 2 or matrix.shape[0] != hidden or not matrix.shape[1]:
        raise InputError(f"input_weight has shape {shape} and weight is [{hidden}, {hidden}]; expected [{hidden}, I]")
    return matrix


def _fit(vector: Tensor, name: str, inputs: int) -> Tensor:
    vector = vector.reshape(1) if vector.dim() == 0 else vector
    if vector.shape != (inputs,):
        raise InputError(f"{name} has shape {list(vector.shape)} and there are {inputs} inputs; expected [{inputs}]")
    return vector


@dataclass(frozen=True)
class Mode:
    """An eigenvalue λ of W, or a complex pair of them (then λ is the one above the real axis).

    `multiplicity` is that of λ, with eigenvalues that differ by rounding counted as one; `index` the size of its
    largest Jordan block: 1 where it has all its eigenvectors, more where W is defective. `condition` is the norm of the
    spectral projector: λ moves by about `condition` · ‖E‖ when W becomes W + E, and 1 is the best there is.
    """

    eigenvalue: complex
    multiplicity: int
    index: int
    condition: float
    behaviour: Behaviour

    @property
    def rate(self) -> float:
        """|λ|: the factor per step, up to the polynomial of a Jordan block."""
        return abs(self.eigenvalue)

    @property
    def half_life(self) -> float:
        """Steps until it is halved; infinite where it does not decay."""
        if self.behaviour != "decays":
            return math.inf
        return math.log(2) / -math.log(self.rate) if self.rate else 0.0

    @property
    def doubling_time(self) -> float:
        """Steps until it is doubled; infinite where it does not grow by a factor per step."""
        return math.log(2) / math.log(self.rate) if self.rate > 1 and self.behaviour == "grows" else math.inf

    @property
    def period(self) -> float:
        """Steps of one turn, 2π/|arg λ|; infinite where λ is positive, 2 where it is negative."""
        angle = abs(math.atan2(self.eigenvalue.imag, self.eigenvalue.real))
        return 2 * math.pi / angle if angle and self.rate else math.inf

    @property
    def is_pair(self) -> bool:
        """Whether it stands for λ and its conjugate."""
        return self.eigenvalue.imag > 0


@dataclass(frozen=True)
class _Cluster:
    """A mode with an orthonormal basis of its invariant subspace `[H, m]`, and W in that basis `[m, m]`."""

    mode: Mode
    basis: Tensor
    block: Tensor

    @property
    def survivors(self) -> Tensor:
        """`[H, ·]`: the directions that dominate W^t in the end, the range of (W − λI)^(index−1)."""
        if self.mode.index == 1:
            return self.basis
        shifted = self.block - self.mode.eigenvalue * torch.eye(len(self.block), dtype=self.block.dtype)
        left, sizes, _ = torch.linalg.svd(torch.linalg.matrix_power(shifted, self.mode.index - 1))
        return self.basis.to(left.dtype) @ left[:, sizes > 1e-6 * sizes[0]]


def modes(weight: Numbers) -> tuple[Mode, ...]:
    """The modes of W `[H, H]`, largest |λ| first. Tolerances and errors are those of `linear_recurrence`."""
    return tuple(cluster.mode for cluster in _clusters(*square_matrix(weight)))


@dataclass(frozen=True)
class _Spectrum:
    """Eigenvalues and vectors as they were computed; `scale` is ‖W‖, and `rounding` how much of it W may be off.

    `blur` is what that does to W, for telling eigenvalues apart, where dtypes of a few bits would blur all into one.
    """

    matrix: Tensor
    values: Tensor
    vectors: Tensor
    conditions: Tensor
    scale: float
    rounding: float
    blur: float


def _clusters(matrix: Tensor, rounding: float) -> list[_Cluster]:
    """The modes with their subspaces, largest |λ| first, then smallest angle."""
    values, vectors = torch.linalg.eig(matrix)
    scale = float(matrix_norm(matrix, 2))
    _, sizes, right = torch.linalg.svd(vectors)
    sizes = sizes.clamp_min(EPSILON * sizes[0])
    # 1/|yᴴx| of each eigenvalue, the lengths of the rows of V⁻¹: infinite, here capped, where W is defective
    conditions = (right.abs().square() / sizes.square()[:, None]).sum(0).sqrt()
    blur = min(rounding, torch.finfo(torch.float32).eps) * scale
    spectrum = _Spectrum(matrix, values, vectors, conditions, scale, rounding, blur)
    near = (values[:, None] - values).abs() <= blur * (conditions[:, None] + conditions)
    found: list[_Cluster] = []
    for members in _components(near):
        found += _merged(spectrum, members)
    upper = [cluster for cluster in found if cluster.mode.eigenvalue.imag >= 0]
    return sorted(upper, key=lambda one: (-round(one.mode.rate, 12), abs(np.angle(one.mode.eigenvalue))))


def _components(near: Tensor) -> list[Tensor]:
    """Groups of indices that are connected by `near` `[n, n]`."""
    left, found = torch.ones(len(near), dtype=torch.bool), []
    while bool(left.any()):
        group = torch.zeros_like(left)
        group[left.nonzero()[0]] = True
        while True:
            grown = near[group].any(0) | group
            if bool((grown == group).all()):
                break
            group = grown
        found.append(group.nonzero().flatten())
        left &= ~group
    return found


def _merged(spectrum: _Spectrum, members: Tensor) -> list[_Cluster]:
    """One mode of all members if W − λI is nilpotent on their subspace up to rounding; else theirs, taken apart."""
    values, smallest = spectrum.values, EPSILON * spectrum.scale
    if len(members) == 1:
        i = int(members)
        mode = _mode(spectrum, complex(values[i]), 1, 1, float(spectrum.conditions[i]))
        return [_Cluster(mode, spectrum.vectors[:, i : i + 1], values[i].reshape(1, 1))]
    found = _as_one(spectrum, members)
    if found is not None:
        return [found]
    distances = (values[members, None] - values[members]).abs()
    reach = float(distances.max())
    # where so many are out of order the eigenvalues as computed are all there is, but for equal ones
    if len(members) > MOST or not reach:
        reach = min(reach, 1e3 * smallest)
    parts = _components(distances <= reach)
    while len(parts) == 1 and reach > smallest:
        reach /= 2
        parts = _components(distances <= reach)
    if len(parts) == 1:
        parts = list(torch.arange(len(members))[:, None])
    return [one for part in parts for one in _merged(spectrum, members[part])]


def _as_one(spectrum: _Spectrum, members: Tensor) -> _Cluster | None:
    """The mode of all members, if W − λI is nilpotent on their invariant subspace up to rounding."""
    matrix, scale, count = spectrum.matrix, spectrum.scale, len(members)
    mean = spectrum.values[members].mean()
    spread = float((spectrum.values[members] - mean).abs().max())
    if count > MOST and spread > 1e3 * EPSILON * scale:
        return None
    others = spectrum.values[~torch.isin(torch.arange(len(matrix)), members)]
    if len(others) and float((others - mean).abs().min()) < 3 * spread:
        return None  # not by themselves
    sides = torch.sign(spectrum.values[members].imag)
    if not float(sides.sum()):  # pairs alone, whose subspace is real
        mean = mean.real
    else:
        matrix = matrix.to(mean.dtype)
    basis = _invariant(matrix, mean, spread, others, count)
    dual = _invariant(matrix.mT, mean.conj(), spread, others.conj(), count)
    block = basis.mH @ matrix @ basis
    residual = float(matrix_norm(matrix @ basis - basis @ block))
    condition = 1 / max(float(torch.linalg.svdvals(dual.mH @ basis)[-1]), EPSILON)
    if residual > 1e-8 * scale:
        return None
    mean = torch.diagonal(block).mean()
    shifted = block - mean * torch.eye(count, dtype=block.dtype)
    off = 2 * spectrum.blur * condition + residual  # what rounding of W becomes in this subspace
    power, sizes = shifted, [1.0]
    for index in range(1, count + 1):
        size = float(matrix_norm(power))
        # (N + E)^k of a nilpotent N: the sum of N^i E N^(k−1−i)
        if size <= off * sum(before * after for before, after in zip(sizes, sizes[::-1], strict=True)):
            return _Cluster(_mode(spectrum, complex(mean), count, index, condition), basis, block)
        power, sizes = power @ shifted, [*sizes, size]
    return None


def _mode(spectrum: _Spectrum, value: complex, multiplicity: int, index: int, condition: float) -> Mode:
    """A mode whose λ is put on the circle, or to zero if it is several, where no more than rounding parts them."""
    reach = min(spectrum.rounding * spectrum.scale * condition, spectrum.rounding + LOOSEST)
    if multiplicity > 1 and abs(value) <= reach:
        value = 0j
    if abs(abs(value) - 1) <= reach:
        return Mode(value / abs(value), multiplicity, index, condition, "holds" if index == 1 else "grows")
    return Mode(value, multiplicity, index, condition, "grows" if abs(value) > 1 else "decays")


def _invariant(matrix: Tensor, mean: Tensor, spread: float, others: Tensor, count: int) -> Tensor:
    """An orthonormal basis `[H, count]` of the subspace of the eigenvalues around `mean`, by inverse iteration."""
    one = torch.eye(len(matrix), dtype=matrix.dtype)
    if not len(others):
        return one
    away = mean - others[(others - mean).abs().argmin()]
    gap = float(away.abs())
    if not matrix.is_complex():
        away = torch.copysign(torch.tensor(gap, dtype=torch.float64), away.real)
    # off the cluster by three tenths of the gap, away from the nearest other: closer, and a Jordan block's lesser
    # directions drown in rounding; further, and it converges slowly
    inverse = torch.linalg.inv(matrix - (mean + max(1.5 * spread / gap, 0.3) * away) * one)
    basis = torch.randn(len(matrix), count, dtype=matrix.dtype, generator=torch.Generator().manual_seed(0))
    for _ in range(60):
        basis = torch.linalg.qr(inverse @ basis)[0]
    return basis


@dataclass(frozen=True)
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
        draw_line(ax, self.response_norms / start, "‖h(t)‖ / ‖h(0)‖: this input", color="tab:blue")
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
    inputs = _input_matrix(input_weight, len(matrix))
    given = torch.ones(inputs.shape[1], dtype=torch.float64) if impulse is None else _numbers(impulse, "impulse")[0]
    given = _fit(given, "impulse", inputs.shape[1])
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
    clusters = _clusters(matrix, rounding)
    first = clusters[0].mode
    ties = [cluster for cluster in clusters if _ties(cluster.mode, first)]
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
        tuple(cluster.mode for cluster in clusters),
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


@dataclass(frozen=True)
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
            ax.axhline(bound, color="tab:red", linestyle="--", label=f"no input goes past ±{bound:.4g}")
            ax.axhline(-bound, color="tab:red", linestyle="--")
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
    inputs = _input_matrix(input_weight, len(matrix))
    bound = _numbers(input_bound, "input_bound")[0]
    bound = _fit(bound.expand(inputs.shape[1]) if bound.dim() == 0 else bound, "input_bound", inputs.shape[1]).clone()
    if bool((bound < 0).any()):
        raise InputError(f"input_bound is {float(bound.min()):g}; expected 0 or more, the largest |x|")
    check_steps("longest", longest)
    basis = _reached(matrix, inputs, rounding)  # [H, R]
    kept, kept_inputs, seen, radius = matrix, inputs, torch.zeros(len(matrix), dtype=torch.bool), 0.0
    if basis.shape[1]:
        inner = basis.mT @ matrix @ basis if basis.shape[1] < len(matrix) else matrix
        within = [cluster.mode for cluster in _clusters(inner, rounding)]
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
    largest = radius if basis.shape[1] == len(matrix) else _clusters(matrix, rounding)[0].mode.rate
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
