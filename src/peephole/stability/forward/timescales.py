"""A timescale for each unit, beside how much its gates keep: do units with long memories have active update gates?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from peephole.errors import InputError
from peephole.stability.forward.persistence import autocorrelation, self_influence, time_to_fall
from peephole.stability.forward.rank_correlation import spearman
from peephole.stability.recordings.layers import choose_passages
from peephole.stability.recordings.passage import Passage
from peephole.stability.recordings.recording import record
from peephole.stability.recordings.timeline import ending_together
from peephole.stability.steps import linearise
from peephole.stability.steps.gru import GRUSteps
from peephole.stability.steps.lstm import LSTMSteps

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class UnitTimescales:
    """Timescales, in steps, of the units of one layer and direction.

    `correlation`: until the autocorrelation of the unit's h on the batch is 1/e; NaN if it does not move. `influence`:
    until the mean of |∂s_i(k + ℓ)/∂s_i(k)| is 1/e, where s is the LSTM's c, else h. Where the `…_reached` is false it
    never was, and the timescale is longer. `kept`: how much the unit's gates keep of its state at a step, mean over
    steps and rows, by the gate that `gate` names; `reset`: the mean of the GRU's reset gate. None without such a gate.
    """

    name: str
    correlation: Float[Tensor, "units"]
    correlation_reached: Bool[Tensor, "units"]
    influence: Float[Tensor, "units"]
    influence_reached: Bool[Tensor, "units"]
    gate: str
    kept: Float[Tensor, "units"] | None
    reset: Float[Tensor, "units"] | None

    @property
    def influence_with_kept(self) -> float | None:
        """Spearman's rank correlation of `influence` with `kept`; None where one of them is the same for all units."""
        return None if self.kept is None else spearman(self.influence, self.kept)

    @property
    def correlation_with_kept(self) -> float | None:
        """Spearman's rank correlation of `correlation` with `kept`."""
        return None if self.kept is None else spearman(self.correlation, self.kept)

    @property
    def influence_with_reset(self) -> float | None:
        """Spearman's rank correlation of `influence` with `reset`."""
        return None if self.reset is None else spearman(self.influence, self.reset)

    @property
    def correlation_with_reset(self) -> float | None:
        """Spearman's rank correlation of `correlation` with `reset`."""
        return None if self.reset is None else spearman(self.correlation, self.reset)

    @property
    def chance(self) -> float:
        """Two standard errors of a rank correlation of so many units that have nothing to do with each other."""
        return 2 / max(1, len(self.influence) - 1) ** 0.5

    @property
    def holds(self) -> bool | None:
        """Whether both timescales grow with what is kept, by more than chance; None where that cannot be said."""
        both = self.influence_with_kept, self.correlation_with_kept
        known = [value for value in both if value is not None]
        return all(value > self.chance for value in known) if len(known) == 2 else None

    @property
    def verdict(self) -> str:
        """Whether the claim holds, by which rank correlations, and the medians of the timescales."""
        influence, correlation = self.influence_with_kept, self.correlation_with_kept
        medians = f"medians {_middle(self.influence)} by self-influence and {_middle(self.correlation)} by "
        medians += "autocorrelation"
        if influence is None and correlation is None:
            return f"in {self.name} no gate says unit by unit how much is kept ({medians})"
        grows = [value is not None and value > self.chance for value in (influence, correlation)]
        answer = {
            (True, True): "holds",
            (True, False): "holds by self-influence only",
            (False, True): "holds by autocorrelation only",
            (False, False): "does not hold",
        }[grows[0], grows[1]]
        reset = ""
        if self.reset is not None:
            reset = f", with the mean reset gate {_signed(self.influence_with_reset)} and "
            reset += _signed(self.correlation_with_reset)
        return (
            f"in {self.name} it {answer} that units with a long memory keep more (rank correlation with the mean "
            f"{self.gate} {_signed(influence)} and {_signed(correlation)}{reset}, chance ±{self.chance:.2f}; {medians})"
        )


@dataclass(frozen=True, eq=False)
class Timescales:
    """What `timescales` found, `layers` in torch's order; nothing longer than `longest` steps was looked at."""

    layers: tuple[UnitTimescales, ...]
    longest: int

    @property
    def verdict(self) -> str:
        """For each layer whether units that keep more have longer timescales, with the rank correlations."""
        found = "; ".join(layer.verdict for layer in self.layers)
        return f"{found[0].upper()}{found[1:]}."

    def plot(self, ax: "Axes") -> None:
        """The units' timescales over what their gate keeps, hollow where longer than shown; without gates both
        timescales over each other.
        """
        gate = ""
        for number, layer in enumerate(self.layers):
            gate = layer.gate
            prefix = f"{layer.name}, " if len(self.layers) > 1 else ""
            if layer.kept is None:
                ax.scatter(layer.influence, layer.correlation, s=14, color=f"C{number}", alpha=0.7, label=layer.name)
                continue
            for side, (marker, word, values, reached) in enumerate(
                (
                    ("o", "self-influence", layer.influence, layer.influence_reached),
                    ("^", "autocorrelation", layer.correlation, layer.correlation_reached),
                )
            ):
                colour = f"C{2 * number + side}"
                filled = [colour if done else "none" for done in reached.tolist()]
                style = {"marker": marker, "s": 14, "alpha": 0.7, "edgecolors": colour, "facecolors": filled}
                ax.scatter(layer.kept, values, **style)  # pyright: ignore[reportArgumentType]
                ax.scatter(
                    [], [], marker=marker, s=14, color=colour, label=prefix + word
                )  # a filled one, whatever came
        gated = all(layer.kept is not None for layer in self.layers)
        ax.set(xlabel=f"mean {gate}" if gated else "self-influence, steps")
        ax.set(ylabel="timescale, steps" if gated else "autocorrelation, steps")
        if all(bool((values > 0).any()) for layer in self.layers for values in (layer.influence, layer.correlation)):
            ax.set(yscale="log", xscale="linear" if gated else "log")
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False, fontsize="small")


def timescales(
    module: nn.Module,
    batch: Any,
    layers: Sequence[int] | None = None,
    longest: int | None = None,
    starts: int = 8,
) -> Timescales:
    """A timescale for each unit of each layer and direction of `module` on `batch`, measured in two ways, and its rank
    correlation with what the unit's gates keep.

    Autocorrelation: how long the unit's h resembles itself while the net reads the batch (of an LSTM with projection,
    o ∘ tanh(c), which has the units of c). Self-influence: how long a nudge of its state (c of an LSTM, else h) stays
    in the unit itself, |∂s_i(k + ℓ)/∂s_i(k)| by the Jacobians of the steps, mean over rows and `starts` times. Both are
    the steps until 1/e is left, at most `longest`, else half the steps.

    Cho et al. 2014 (section 2.3) and the lectures say that units with long-term dependencies have active update gates.
    What counts is how much a gate keeps: z of a GRU, or 1 − z where the update gate writes; f of an LSTM, or 1 − i
    where they are coupled. Self-influence contains that gate as a factor, so that it agrees more easily than
    autocorrelation, which the input moves too.

    `InputError` for a module without recurrent net, for one step, and for numbers out of range.
    """
    if isinstance(starts, bool) or not isinstance(starts, int) or starts < 1:
        raise InputError(f"starts is {starts!r}; expected at least 1")
    passages = choose_passages(record(module, batch), layers)
    steps = ending_together(passages[0]).steps
    if steps < 2:
        raise InputError("the longest row of the batch has 1 step; expected at least 2")
    longest = max(1, steps // 2) if longest is None else longest
    if isinstance(longest, bool) or not isinstance(longest, int) or not 1 <= longest < steps:
        raise InputError(f"longest is {longest!r}; expected 1 to {steps - 1}, less than the steps of the longest row")
    return Timescales(tuple(_measure(passage, longest, starts) for passage in passages), longest)


@torch.no_grad()
def _measure(passage: Passage, longest: int, starts: int) -> UnitTimescales:
    name, passage = passage.name, ending_together(passage)
    linear = linearise(passage)
    shown = linear.shown if isinstance(linear, LSTMSteps) and passage.spec.projected else passage.after[0]
    state = 1 if isinstance(linear, LSTMSteps) else 0
    correlation = time_to_fall(autocorrelation(shown, passage.alive, longest).cpu())
    influence = time_to_fall(self_influence(passage, state, longest, starts).cpu())
    gate, kept, reset = "", None, None
    if isinstance(linear, GRUSteps):
        gate = "update gate" if passage.spec.update == "keeps" else "1 − update gate"
        kept = _mean(linear.kept, passage.alive)
        reset = _mean(linear.gates["r"], passage.alive) if "r" in linear.gates else None
    elif isinstance(linear, LSTMSteps) and (passage.spec.forget_gate or passage.spec.coupled):
        gate = "1 − input gate" if passage.spec.coupled else "forget gate"
        kept = _mean(linear.kept, passage.alive)
    return UnitTimescales(name, *correlation, *influence, gate, kept, reset)


def _mean(gate: Tensor, alive: Tensor | None) -> Tensor:
    """Over the steps that rows took, `[T, B, H]` to `[H]`."""
    if alive is None:
        return gate.double().mean((0, 1)).cpu()
    return ((gate.double() * alive).sum((0, 1)) / alive.sum()).cpu()


def _middle(values: Tensor) -> str:
    return "undefined" if bool(values.isnan().all()) else f"{float(values.nanmedian()):.3g} steps"


def _signed(value: float | None) -> str:
    return "undefined" if value is None else f"{value:+.2f}"
