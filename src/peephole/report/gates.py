"""Gates left- and right-saturated, unit by unit, as Karpathy, Johnson & Fei-Fei 2015 (section 4.2) draw them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from peephole.errors import InputError
from peephole.stability.recordings.passage import Passage
from peephole.stability.steps import linearise
from peephole.stability.steps.gru import GRUSteps
from peephole.stability.steps.lstm import LSTMSteps

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEFT, RIGHT = 0.1, 0.9
MOST_POINTS = 1500  # of one gate in the figure; of wider layers every so-manieth unit
WORDS = {"i": "input", "f": "forget", "o": "output", "r": "reset", "z": "update", "h": "unit"}
FORMS = ("o", "s", "^", "D")


@dataclass(frozen=True, eq=False)
class SaturatedGates:
    """Of one layer: for each gate the share of steps and rows in which each unit's is under 0.1 (`left`) and over 0.9
    (`right`), `[H]` each. A layer without gates has its units: the outer tenths of their range.
    """

    name: str
    left: dict[str, Tensor]
    right: dict[str, Tensor]

    @property
    def verdict(self) -> str:
        """How many units have each gate nearly always open, and nearly always shut."""
        said: list[str] = []
        for gate, right in self.right.items():
            opened, shut = int((right > RIGHT).sum()), int((self.left[gate] > RIGHT).sum())
            said.append(f"{WORDS[gate]} gate {opened:,} and {shut:,}" if gate != "h" else f"{opened:,} and {shut:,}")
        ends = "at the upper and at the lower end" if "h" in self.right else "nearly open and nearly shut"
        count = len(next(iter(self.right.values())))
        return (
            f"Of {count:,} units of {self.name} so many are {ends} in more than 90 % of the steps: {', '.join(said)}."
        )

    def plot(self, ax: "Axes") -> None:
        """A point a unit: how often it is saturated to the left, and to the right."""
        for place, gate in enumerate(self.left):
            count = len(self.left[gate])
            every = slice(None, None, max(1, count // MOST_POINTS))
            label = f"{WORDS[gate]} gate" if gate != "h" else "unit"
            ax.plot(
                self.left[gate][every].numpy(), self.right[gate][every].numpy(), FORMS[place % len(FORMS)],
                color=f"C{place}", markersize=3.5, alpha=0.6, markeredgewidth=0, label=label,
            )  # fmt: skip
        ax.plot([0, 1], [1, 0], "-", color="0.7", linewidth=0.8)
        ax.set(xlabel=f"share of steps under {LEFT}", ylabel=f"share of steps over {RIGHT}")
        ax.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
        ax.legend(loc="upper right")


@torch.no_grad()
def saturated_gates(passage: Passage) -> SaturatedGates:
    """Count the gates of a recorded layer. `InputError` for a cell whose units have no bounded range."""
    spec = passage.spec
    values: dict[str, Tensor] = {}
    if spec.family in ("lstm", "gru"):
        steps = linearise(passage)
        assert isinstance(steps, LSTMSteps | GRUSteps)
        values = {gate: value for gate, value in steps.gates.items() if gate in WORDS}
    elif spec.family == "rnn" and spec.residual == "none" and spec.nonlinearity in ("tanh", "sigmoid"):
        low = -1.0 if spec.nonlinearity == "tanh" else 0.0
        values = {"h": (passage.after[0] - low) / (1.0 - low)}
    if not values:
        raise InputError(f"{passage.name} has no gates and its units no bounds, so that nothing saturates")
    alive = torch.ones_like(passage.x[..., :1], dtype=torch.bool) if passage.alive is None else passage.alive
    count = alive.sum()

    def share(outside: Tensor) -> Tensor:
        return ((outside & alive).sum((0, 1)).double() / count).cpu()

    return SaturatedGates(
        passage.name,
        {gate: share(value < LEFT) for gate, value in values.items()},
        {gate: share(value > RIGHT) for gate, value in values.items()},
    )
