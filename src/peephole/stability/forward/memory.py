"""How much of a state is left in the state at the end, and in which directions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from peephole.errors import InputError
from peephole.stability.forward.jacobian_products import multiply_back
from peephole.stability.forward.nudging import Nudge, nudge
from peephole.stability.recordings.layers import choose_passages
from peephole.stability.recordings.passage import Passage
from peephole.stability.recordings.recording import record
from peephole.stability.recordings.timeline import ending_together, steps_taken

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORGOTTEN = 0.01
LEAST_SHOWN = 1e-8  # what is less is gone, and would press the rest of the figure together
USUAL_COUNT = 16  # lags: four or five to every factor of ten up to some thousands


@dataclass(frozen=True, eq=False)
class LayerMemory:
    """What is left in one layer and direction, ℓ steps later, of a small change of its state; T is each row's end.

    With D = ∂h(T)/∂h(T − ℓ), every other state at T − ℓ as it was: `values` are the singular values of D at each of
    `lags`, largest first, and `states` those of ∂s(T)/∂s(T − ℓ), all states side by side. `grown` and `shrunk` are the
    directions of h(T − ℓ), of norm 1, that are kept best and worst, the most so first; what is kept less than rounding
    of the best has no direction to speak of. `typical` is ‖D‖_F / √H at every lag from 0, root mean square of what is
    left of a change in a random direction. `nudge` began at the longest lag. NaN where a row has no such lag.
    """

    name: str
    lags: tuple[int, ...]
    values: Float[Tensor, "lags batch hidden"]
    states: Float[Tensor, "lags batch states"]
    grown: Float[Tensor, "lags batch directions hidden"]
    shrunk: Float[Tensor, "lags batch directions hidden"]
    typical: Float[Tensor, "every_lag batch"]
    nudge: Nudge

    @property
    def forgotten(self) -> int | None:
        """The first lag at which less than 1 % of a change in a random direction is left, mean over rows, or None."""
        return _first(range(len(self.typical)), self.typical.nanmean(1))

    @property
    def best_forgotten(self) -> int | None:
        """The first of `lags` at which less than 1 % is left of the direction that is kept best, or None."""
        return _first(self.lags, self.values[..., 0].nanmean(1))

    @property
    def whole_forgotten(self) -> int | None:
        """The same of the best direction of the whole state; of an LSTM's h and c together."""
        return _first(self.lags, self.states[..., 0].nanmean(1))

    @property
    def nudge_error(self) -> float:
        """How far the nudge really made was from its linear map at most, as a share of the nudge."""
        difference = (self.nudge.actual - self.nudge.linear).abs()
        return float(difference[difference.isfinite()].amax()) if bool(difference.isfinite().any()) else 0.0


@dataclass(frozen=True, eq=False)
class Memory:
    """What `memory` found, `layers` in torch's order."""

    layers: tuple[LayerMemory, ...]

    @property
    def verdict(self) -> str:
        """After how many steps each layer has lost a change, and how far a real one was from the linear map."""
        parts = []
        for layer in self.layers:
            longest = layer.lags[-1]
            lags = layer.forgotten, layer.best_forgotten, layer.whole_forgotten
            usual, best, whole = (f"more than {longest}" if lag is None else str(lag) for lag in lags)
            wider = layer.states.shape[-1] > layer.values.shape[-1]
            among_all = f", {whole} in the best direction of all its states" if wider else ""
            parts.append(f"{usual} steps in {layer.name} ({best} in the direction that it keeps best{among_all})")
        size, error = self.layers[0].nudge.size, max(layer.nudge_error for layer in self.layers)
        return (
            f"Less than 1 % of a small random change of h is left after {', '.join(parts)}; a nudge "
            f"of {100 * size:.3g} % really made was at most {100 * error:.2g} % of itself away from the linear map."
        )

    def plot(self, ax: "Axes") -> None:
        """What is left over the lag, mean over rows: best direction, random direction, and the nudge really made."""
        for number, layer in enumerate(self.layers):
            colour = f"C{number}"
            best, typical, actual = (
                _positive(values.nanmean(1)) for values in (layer.values[..., 0], layer.typical, layer.nudge.actual)
            )
            ax.plot(layer.lags, best, "-", color=colour, linewidth=1.2, label=f"{layer.name}, best direction")
            ax.plot(range(len(typical)), typical, "--", color=colour, linewidth=1, label="random direction")
            ax.plot(range(len(actual)), actual, ":", color=colour, linewidth=1.5, label="a nudge, as time goes on")
        ax.axhline(FORGOTTEN, color="0.6", linewidth=1)
        ax.set(xlabel="steps between", ylabel="share that is left", xscale="symlog", yscale="log")
        ax.set_xlim(left=0)
        ax.set_ylim(bottom=max(ax.get_ylim()[0], LEAST_SHOWN))
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False, fontsize="small")


def memory(
    module: nn.Module,
    batch: Any,
    lags: Sequence[int] | None = None,
    layers: Sequence[int] | None = None,
    size: float = 1e-3,
    directions: int = 3,
    seed: int = 0,
) -> Memory:
    """How much of the state at T − ℓ is left in the state at T, for each layer and direction of `module` on `batch`.

    Singular values and directions of ∂h(T)/∂h(T − ℓ), the product of the Jacobians between (Hochreiter 1991; Bengio,
    Simard & Frasconi 1994; Pascanu, Mikolov & Bengio 2013), at some lags; and a nudge really made: h at the longest lag
    moved by `size` of its norm in a random direction, the same inputs going on, and the difference followed to the end.

    `lags`: from 1 to the number of steps, whose state is the initial one; else 16 from 1 to all steps, evenly on a
    logarithmic scale. `layers`: their numbers, else all. `directions`: how many of the best and the worst are kept.
    T is each row's end; in the reverse direction, where it arrives at its first step. Time and memory grow linearly
    with the steps; the time with B S² H.

    `InputError` for a module without recurrent net, for one step, lags beyond the rows, and numbers out of range.
    """
    if isinstance(size, bool) or not isinstance(size, int | float) or not 0 < size < float("inf"):
        raise InputError(f"size is {size!r}; expected the share of h by which it is nudged, over 0")
    passages = choose_passages(record(module, batch), layers)
    chosen = _choose_lags(lags, ending_together(passages[0]).steps)
    if isinstance(directions, bool) or not isinstance(directions, int) or directions < 1:
        raise InputError(f"directions is {directions!r}; expected at least 1")
    count = min(directions, passages[0].sizes[0])
    return Memory(tuple(_measure(passage, chosen, size, count, seed) for passage in passages))


def _choose_lags(lags: Sequence[int] | None, steps: int) -> tuple[int, ...]:
    if lags is None:
        return tuple(sorted({round(steps ** (place / (USUAL_COUNT - 1))) for place in range(USUAL_COUNT)}))
    lags = [lags] if isinstance(lags, int) else lags
    wrong = [lag for lag in lags if isinstance(lag, bool) or not isinstance(lag, int) or not 1 <= lag <= steps]
    if wrong or not len(lags):
        raise InputError(
            f"lags are {list(lags)}; expected whole numbers from 1 to {steps}, the steps of the longest row"
        )
    return tuple(sorted(set(lags)))


def _measure(passage: Passage, lags: tuple[int, ...], size: float, directions: int, seed: int) -> LayerMemory:
    name, passage = passage.name, ending_together(passage)
    products = multiply_back(passage, lags, directions)
    taken = steps_taken(passage)
    every = torch.arange(lags[-1] + 1, device=taken.device)
    absent = every[:, None] > taken  # [longest + 1, B]
    here = absent[list(lags)]

    def known(values: Tensor) -> Tensor:
        return values.masked_fill(here.reshape(*here.shape, *(1,) * (values.dim() - 2)), torch.nan).cpu()

    made = nudge(passage, passage.steps - lags[-1], size, ~absent[-1], seed)
    return LayerMemory(
        name,
        lags,
        known(products.values),
        known(products.states),
        known(products.grown),
        known(products.shrunk),
        products.typical.masked_fill(absent, torch.nan).cpu(),
        made,
    )


def _first(lags: Sequence[int], left: Tensor) -> int | None:
    """The first lag at which less than 1 % is left."""
    return next((lag for lag, share in zip(lags, left.tolist(), strict=True) if share < FORGOTTEN), None)


def _positive(values: Tensor) -> Tensor:
    """Without zeros, which a logarithmic axis has no place for."""
    return values.masked_fill(values <= 0, torch.nan)
