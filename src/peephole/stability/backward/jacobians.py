"""The Jacobian of single steps, as a matrix, with what it does to lengths."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from peephole.errors import InputError
from peephole.stability.recordings.recording import record
from peephole.stability.recordings.whole_numbers import whole_numbers
from peephole.stability.steps import linearise

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class LayerJacobians:
    """One layer and direction: `matrices` `[N, B, S, S]` are ∂s(t)/∂s(t − 1) at N times, where s is all `states` side
    by side, of `sizes` units each; row i is how state number i answers.
    """

    name: str
    states: tuple[str, ...]
    sizes: tuple[int, ...]
    matrices: Float[Tensor, "times batch states states"]

    def block(self, of: str, by: str) -> Tensor:
        """∂of/∂by `[N, B, ·, ·]`, for example `block("c", "h")`."""
        for name in (of, by):
            if name not in self.states:
                raise InputError(f"no state {name!r} here; this cell has {', '.join(self.states)}")
        places = dict(zip(self.states, torch.tensor((0, *self.sizes)).cumsum(0).tolist(), strict=False))
        size = dict(zip(self.states, self.sizes, strict=True))
        rows, columns = (slice(places[name], places[name] + size[name]) for name in (of, by))
        return self.matrices[..., rows, columns]

    @property
    def singular_values(self) -> Float[Tensor, "times batch states"]:
        """Largest first."""
        return torch.linalg.svdvals(self.matrices)


@dataclass(frozen=True, eq=False)
class StepJacobians:
    """What `step_jacobians` found."""

    times: tuple[int, ...]
    layers: tuple[LayerJacobians, ...]

    @property
    def verdict(self) -> str:
        """How much a step stretches and shrinks."""
        words: list[str] = []
        for layer in self.layers:
            values = layer.singular_values
            words.append(
                f"{layer.name} stretches by {float(values[..., 0].max()):.3g} at most, "
                f"and shrinks {float((values < 1).float().mean()):.0%} of the directions"
            )
        return f"A step of {'; of '.join(words)}."

    def plot(self, ax: "Axes") -> None:
        """The singular values in order, mean over times and rows, with their range."""
        for place, layer in enumerate(self.layers):
            values = layer.singular_values.flatten(0, 1).cpu().numpy()
            across = range(1, values.shape[-1] + 1)
            ax.plot(across, values.mean(0), color=f"C{place}", label=layer.name)
            ax.fill_between(across, values.min(0), values.max(0), color=f"C{place}", alpha=0.2, linewidth=0)
        ax.axhline(1.0, color="0.6", linewidth=1)
        ax.set(xlabel="direction, most stretched first", ylabel="singular value of ∂s(t)/∂s(t − 1)")
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False)


@torch.no_grad()
def step_jacobians(module: nn.Module, batch: Any, times: int | Sequence[int] = 8) -> StepJacobians:
    """∂s(t)/∂s(t − 1) of every layer and direction, in closed form, at the given times or at as many, spread evenly.

    RNN: diag(f′) W_hh, a full matrix for softmax; LSTM: of (h, c), with all peepholes; GRU: of h. Memory grows with
    N·B·S². `module` and `batch` as `gradient_flow` takes them. `InputError` for a time that the batch lacks.
    """
    recording = record(module, batch, shortest=1)
    steps = recording.steps
    asked = whole_numbers(times, "times")
    if isinstance(asked, int):
        if asked < 1:
            raise InputError(f"times is {asked}; expected at least 1, or a list of times")
        chosen = sorted(set(torch.linspace(0, steps - 1, min(asked, steps)).round().long().tolist()))
    else:
        chosen = [t + steps if t < 0 else t for t in asked]
    if not chosen or min(chosen) < 0 or max(chosen) >= steps:
        raise InputError(f"times are {asked}; expected 0 to {steps - 1}")
    layers: list[LayerJacobians] = []
    for passage in recording.passages:
        one = linearise(passage)
        matrices = torch.stack([one.jacobian(t) for t in chosen])
        layers.append(LayerJacobians(passage.name, passage.spec.states, passage.sizes, matrices))
    return StepJacobians(tuple(chosen), tuple(layers))
