"""The modes of a matrix: eigenvalues told apart by what rounding allows, with their Jordan blocks and conditions."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.linalg import matrix_norm

from peephole.stability.recurrences.matrices import EPSILON, Numbers, square_matrix

Behaviour = Literal["grows", "holds", "decays"]

MOST = 24  # eigenvalues that hang together by rounding, up to which a Jordan block is looked for among unequal ones
LOOSEST = 1e-6  # however ill-conditioned an eigenvalue is, one that is this much past rounding off the circle is off it


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
class Cluster:
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
    return tuple(cluster.mode for cluster in clusters(*square_matrix(weight)))


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


def clusters(matrix: Tensor, rounding: float) -> list[Cluster]:
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
    found: list[Cluster] = []
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


def _merged(spectrum: _Spectrum, members: Tensor) -> list[Cluster]:
    """One mode of all members if W − λI is nilpotent on their subspace up to rounding; else theirs, taken apart."""
    values, smallest = spectrum.values, EPSILON * spectrum.scale
    if len(members) == 1:
        i = int(members)
        mode = _mode(spectrum, complex(values[i]), 1, 1, float(spectrum.conditions[i]))
        return [Cluster(mode, spectrum.vectors[:, i : i + 1], values[i].reshape(1, 1))]
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


def _as_one(spectrum: _Spectrum, members: Tensor) -> Cluster | None:
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
            return Cluster(_mode(spectrum, complex(mean), count, index, condition), basis, block)
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
