"""Fixed and slow points of a layer under a constant input: what it holds on to, and what it passes by."""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn

from peephole.errors import InputError
from peephole.stability.forward.fixed_point_search import (
    Layer,
    distinct,
    random_starts,
    rounding,
    seek,
    speeds,
    walk,
)
from peephole.stability.recordings.passage import Passage
from peephole.stability.recordings.recording import find_recurrent, record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARGIN = {torch.float64: 1e-6, torch.float32: 1e-3}  # |λ| so close to 1 is 1
APART = 1e-3  # points nearer to each other than this are one: a thousandth of what a unit may reach
# Where gates are saturated to rounding a state of any size is held: an LSTM's gates long before its cell state is so
# large, while a GRU's h lies between old ones and a tanh.
REACH = {"lstm": 100.0, "gru": 1.0 + APART}
WALK = 100  # steps of the layer itself, which lead to attractors: downhill steps alone mostly meet saddles
SPEED = 1e-2  # a point that takes a hundred steps to change by 1 is slow
KINDS = ("attractor", "marginal point", "saddle", "repeller", "slow point")


@dataclass(frozen=True, eq=False)
class FixedPoint:
    """A state `[S]`, all states of the cell side by side, that a step leaves where it is, or moves by little.

    `speed`: how far a step moves it, root mean square over the units. `eigenvalues` of ∂F/∂s there, largest modulus
    first. `kind`: attractor (all |λ| < 1), marginal point (none over 1, one at 1), saddle, repeller (all over 1), or
    slow point, which is none but nearly. `found_by`: how many starts were led to it.
    """

    state: Float[Tensor, "states"]
    speed: float
    eigenvalues: Complex[Tensor, "states"]
    unstable: int
    kind: str
    found_by: int

    @property
    def timescales(self) -> Float[Tensor, "states"]:
        """1 / |log |λ||, the steps in which each mode shrinks or grows by e; inf at |λ| = 1, 0 at λ = 0."""
        return 1 / self.eigenvalues.abs().log().abs()

    @property
    def slowest(self) -> float:
        """The longest timescale, in steps."""
        return float(self.timescales.max())


@dataclass(frozen=True, eq=False)
class FixedPoints:
    """What `fixed_points` found in the layer `name` under `input`, the stillest first, from `starts` starts.

    `lost`: how many starts were led to no fixed or slow point.
    """

    name: str
    input: Float[Tensor, "features"]
    points: tuple[FixedPoint, ...]
    starts: int
    lost: int

    def of_kind(self, kind: str) -> tuple[FixedPoint, ...]:
        """The attractors, marginal points, saddles, repellers or slow points."""
        if kind not in KINDS:
            raise InputError(f"kind is {kind!r}; expected one of {', '.join(KINDS)}")
        return tuple(point for point in self.points if point.kind == kind)

    @property
    def verdict(self) -> str:
        """How many of each kind, the slowest mode of the attractors, and how many starts found nothing."""
        counts = Counter(point.kind for point in self.points)
        parts = [f"{counts[kind]} {kind}{'s' if counts[kind] > 1 else ''}" for kind in KINDS if counts[kind]]
        saddles = sorted({point.unstable for point in self.of_kind("saddle")})
        if saddles:
            span = str(saddles[0]) if len(saddles) == 1 else f"{saddles[0]} to {saddles[-1]}"
            word = "direction" if saddles == [1] else "directions"
            parts = [f"{part} ({span} unstable {word})" if "saddle" in part else part for part in parts]
        found = f"has {', '.join(parts)}" if parts else "was found to rest nowhere"
        attractors = self.of_kind("attractor")
        slow = ""
        if attractors:
            slow = f"; the slowest mode of an attractor lasts {max(point.slowest for point in attractors):.3g} steps"
        lost = f"{self.lost} of {self.starts} starts led to nothing still"
        return f"With a constant input {self.name} {found}{slow}; {lost}."

    def plot(self, ax: "Axes") -> None:
        """The points on the first two principal components of them all, by kind."""
        markers = dict(zip(KINDS, "osXP^", strict=True))
        states = torch.stack([point.state for point in self.points]) if self.points else self.input.new_zeros(0, 1)
        shown = _principal(states.double())
        for number, (kind, marker) in enumerate(markers.items()):
            chosen = [place for place, point in enumerate(self.points) if point.kind == kind]
            if chosen:
                label = f"{len(chosen)} {kind}{'s' if len(chosen) > 1 else ''}"
                across, up = shown[chosen].unbind(1)
                ax.scatter(across, up, marker=marker, s=30, alpha=0.7, color=f"C{number}", label=label)
        ax.set(xlabel="first principal component", ylabel="second")
        ax.spines[["top", "right"]].set_visible(False)
        if self.points:
            ax.legend(frameon=False)

    def plot_eigenvalues(self, ax: "Axes") -> None:
        """The eigenvalues at all points, by kind, and the unit circle: what lies outside grows."""
        turn = torch.linspace(0, 2 * torch.pi, 200)
        ax.plot(turn.cos(), turn.sin(), color="0.6", linewidth=1)
        for number, kind in enumerate(KINDS):
            chosen = [point.eigenvalues for point in self.of_kind(kind)]
            if chosen:
                values = torch.cat(chosen)
                ax.plot(values.real, values.imag, "o", markersize=3, alpha=0.6, color=f"C{number}", label=kind)
        ax.set(xlabel="Re λ", ylabel="Im λ", aspect="equal")
        ax.spines[["top", "right"]].set_visible(False)
        if self.points:
            ax.legend(frameon=False)


def fixed_points(
    module: nn.Module,
    input: Float[Tensor, "features"] | None = None,
    starts: int | Float[Tensor, "starts states"] = 256,
    *,
    batch: Any = None,
    layer: int = 0,
    reverse: bool = False,
    slow: float = SPEED,
    iterations: int = 200,
    seed: int = 0,
) -> FixedPoints:
    """The fixed and slow points of one layer and direction of `module` while its input stays the same.

    From many starts ½‖F(s) − s‖² is minimised, where F is the layer's step (Sussillo & Barak 2013, Opening the black
    box; Golub & Sussillo 2018), by Levenberg–Marquardt with the Jacobian in closed form; what is left of it is compared
    with rounding (a fixed point) or with `slow`, the root mean square over the units of how far a step moves it (a slow
    point). Points that coincide are given once, each with the eigenvalues of the step there. Left out are
    points that only saturated gates hold: of an LSTM those beyond 100, of a GRU those beyond 1.

    `input`: what the layer sees, `[I]`; else the mean of what it sees on `batch`, else zeros. `starts`: how many, or
    states `[P, S]`. They are random over what the states can reach, and with a `batch` half of them are states of the
    layer on it; every second one first goes 100 steps with the layer, towards where that settles. `layer` and `reverse`
    choose the layer and direction.

    `InputError` for a module without recurrent net, a layer or direction that it lacks, an input or starts of another
    size, and numbers out of range.
    """
    _check_numbers(starts, slow, iterations)
    passage, visited = _choose(module, batch, layer, reverse)
    like = passage.x
    if input is None:
        found = like.new_zeros(like.shape[-1]) if batch is None else _live(passage, passage.x).mean(0)
    else:
        if not isinstance(input, Tensor):
            raise InputError(f"input is a {type(input).__name__}; expected a tensor [{like.shape[-1]}]")
        found = input.detach().to(like)
        if found.shape != like.shape[-1:]:
            raise InputError(f"input has shape {list(found.shape)}; {passage.name} sees [{like.shape[-1]}] at a step")
    mapping = Layer(passage, found)
    begun = _begin(mapping, starts, visited, seed)
    for name, tensor in (("input", found), ("starts", begun)):
        if not bool(torch.isfinite(tensor).all()):
            raise InputError(f"{name} holds numbers that are not finite; expected finite ones")
    ended = seek(mapping, begun, iterations)
    speed = speeds(mapping, ended)
    still = speed <= slow
    still &= ended.abs().amax(-1) <= REACH.get(passage.spec.family, torch.inf)
    order = speed.argsort(stable=True)
    order = order[still[order]]
    kept, counts = distinct(ended[order], APART)
    points = _describe(mapping, ended[order][kept], speed[order][kept], counts)
    return FixedPoints(passage.name, found.cpu(), points, len(begun), len(begun) - len(order))


def _check_numbers(starts: Any, slow: float, iterations: int) -> None:
    if not isinstance(starts, Tensor) and (isinstance(starts, bool) or not isinstance(starts, int) or starts < 1):
        raise InputError(f"starts is {starts!r}; expected a number of at least 1, or states [P, S]")
    if not 0 < slow < float("inf"):
        raise InputError(f"slow is {slow!r}; expected a speed over 0, in units a step")
    if isinstance(iterations, bool) or not isinstance(iterations, int) or iterations < 1:
        raise InputError(f"iterations is {iterations!r}; expected at least 1")


def _choose(module: nn.Module, batch: Any, layer: int, reverse: bool) -> tuple[Passage, Tensor | None]:
    """The layer's passage, and the states `[N, S]` in which the batch found it."""
    inner: Any = find_recurrent(module)
    if batch is None:  # any input will do to get at the weights, whichever axis is time
        weight = inner.weight_ih_l0
        recording = record(inner, weight.new_zeros(2, 2, inner.input_size))
    else:
        recording = record(module, batch)
    if isinstance(layer, bool) or layer not in range(len(recording.layers)):
        raise InputError(f"layer is {layer!r}; expected a number from 0 to {len(recording.layers) - 1}")
    sides = recording.layers[layer]
    if reverse and len(sides) == 1:
        raise InputError("the net has no reverse direction; leave reverse at False")
    passage = sides[int(reverse)]
    if batch is None:
        return passage, None
    return passage, _live(passage, torch.cat(passage.after, dim=-1))


def _live(passage: Passage, values: Tensor) -> Tensor:
    """`[T, B, ·]` as rows, without those past a row's end."""
    rows = values.flatten(0, 1)
    return rows if passage.alive is None else rows[passage.alive.flatten()]


def _begin(mapping: Layer, starts: Any, visited: Tensor | None, seed: int) -> Tensor:
    """The states to start from, `[P, S]`."""
    if isinstance(starts, Tensor):
        if starts.ndim != 2 or starts.shape[1] != mapping.size or not len(starts):
            name, got = mapping.passage.name, list(starts.shape)
            raise InputError(f"starts have shape {got}; expected [P, {mapping.size}], the states of {name}")
        return starts.detach().to(mapping.input)
    generator = torch.Generator().manual_seed(seed)
    random = random_starts(mapping, starts, generator)
    if visited is not None:
        chosen = torch.randint(len(visited), (starts // 2,), generator=generator)
        random[: len(chosen)] = visited[chosen.to(visited.device)]
    random[::2] = walk(mapping, random[::2], WALK)
    return random


@torch.no_grad()
def _describe(mapping: Layer, states: Tensor, speed: Tensor, counts: list[int]) -> tuple[FixedPoint, ...]:
    """Eigenvalues and kind of each point, one at a time: their Jacobians together may not fit."""
    margin, found = MARGIN[states.dtype], []
    for state, moved, limit, count in zip(states, speed.tolist(), rounding(states).tolist(), counts, strict=True):
        eigenvalues = torch.linalg.eigvals(mapping.jacobians(state[None])[0])
        eigenvalues = eigenvalues[eigenvalues.abs().argsort(descending=True)]
        sizes = eigenvalues.abs()
        unstable = int((sizes > 1 + margin).sum())
        if moved > limit:
            kind = "slow point"
        elif unstable:
            kind = "repeller" if unstable == len(sizes) else "saddle"
        else:
            kind = "attractor" if float(sizes[0]) < 1 - margin else "marginal point"
        found.append(FixedPoint(state.cpu(), moved, eigenvalues.cpu(), unstable, kind, count))
    return tuple(found)


def _principal(states: Tensor) -> Tensor:
    """`[P, S]` on its first two principal components, `[P, 2]`; zeros where there are fewer."""
    shown = states.new_zeros(len(states), 2)
    if len(states) > 1:
        centred = states - states.mean(0)
        axes = torch.linalg.svd(centred, full_matrices=False).Vh[:2]
        shown[:, : len(axes)] = centred @ axes.t()
    return shown
