"""How long one unit remembers, against its recurrent weight."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from peephole.stability.recurrences.activations import FUNCTIONS, check_scalar_activation
from peephole.stability.recurrences.arguments import Numbers, check_drive, check_number, check_numbers, check_steps
from peephole.stability.recurrences.scalar import Outcome, outcome_of, portrait_of
from peephole.stability.recurrences.settling import LONGEST, destination, settle

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STARTS = (-1.0, 1.0)  # the ends of what tanh can return
# Both sides of ±1 / f'(0), where the fixed point at the steepest place of f turns neutral, and that weight itself.
USUAL_WEIGHTS = {"sigmoid": 8.0, "tanh": 2.0, "relu": 2.0, "identity": 2.0}
SOON = 512  # steps after which only the few weights that take longer are followed
USUAL_COUNT = 80  # on each side of 0; a multiple of 2, so that those weights are among them


@dataclass(frozen=True, eq=False)
class MemoryCurve:
    """What `memory_curve` found: `steps` and `outcomes` at each of `weights`.

    `steps` are those until at most 1 % is left of the distance of every start to its limit; inf where a start never
    loses it, or takes more than `longest`; NaN where starts leave all bounds.
    """

    activation: str
    bias: float
    input: float
    starts: tuple[float, ...]
    longest: int
    weights: Float[Tensor, " weights"]
    steps: Float[Tensor, " weights"]
    outcomes: tuple[Outcome, ...]

    @property
    def best(self) -> tuple[float, ...]:
        """The weights with the longest memory among those that stay bounded; empty if none does."""
        bounded = ~self.steps.isnan()
        if not bounded.any():
            return ()
        return tuple(self.weights[bounded & (self.steps == self.steps[bounded].max())].tolist())

    @property
    def verdict(self) -> str:
        """One sentence."""
        low, high = self.weights.min().item(), self.weights.max().item()
        where = f"of {len(self.weights)} weights from {low:.4g} to {high:.4g}"
        drive = self.bias + self.input
        name = self.activation + (f" with b + c x = {drive:.6g}" if drive else "")
        blown = int(self.steps.isnan().sum())
        blows = f"; {blown} of them blow up" if blown else ""
        if not self.best:
            return f"{name} blows up at every one {where}."
        shown = " and ".join(f"{weight:.4g}" for weight in self.best)
        if len(self.best) > 4:
            shown = f"{len(self.best)} weights from {min(self.best):.4g} to {max(self.best):.4g}"
        most = self.steps[~self.steps.isnan()].max().item()
        length = f"more than {self.longest:,} steps" if math.isinf(most) else f"{most:,.0f} steps"
        middle = self.steps.nanmedian().item()
        usual = f"more than {self.longest:,}" if math.isinf(middle) else f"{middle:,.0f}"
        return (
            f"{name} remembers longest at w = {shown} {where}: {length} until 1 % is left of a start's distance to its "
            f"limit, and {usual} at the median weight{blows}."
        )

    def plot(self, ax: "Axes") -> None:
        """Draw the steps over the weights, logarithmic, and what the starts end in as shades."""
        from peephole.stability.recurrences.scalar_plot import draw_memory

        draw_memory(ax, self)


def memory_curve(
    activation: str,
    weights: Numbers | None = None,
    bias: float = 0.0,
    input: float = 0.0,
    starts: Numbers = STARTS,
    longest: int = LONGEST,
) -> MemoryCurve:
    """How many steps h(t) = f(w h(t−1) + c x + b) takes until nothing but its limit tells of the start, for each w.

    Measured as for `scalar_recurrence`, of the slowest of `starts`. With two limits, which of them it came to is still
    remembered then, for ever; the rest of the start is gone. `weights` are by default 161 from −2 to 2, for sigmoid
    from −8 to 8.

    Raises `InputError` for what is no finite number, an unknown activation, empty lists, or `longest` below 1.
    """
    check_scalar_activation(activation)
    drive = check_drive(check_number("bias", bias), check_number("input", input))
    check_steps("longest", longest)
    h = check_numbers("starts", starts)
    if weights is None:
        w = torch.arange(-USUAL_COUNT, USUAL_COUNT + 1, dtype=torch.float64) * (USUAL_WEIGHTS[activation] / USUAL_COUNT)
    else:
        w = check_numbers("weights", weights)
    portraits = [portrait_of(activation, weight, drive) for weight in w.tolist()]
    ends = torch.tensor(
        [
            [destination(portrait, weight, drive, start)[1:] for start in h.tolist()]
            for weight, portrait in zip(w.tolist(), portraits, strict=True)
        ],
        dtype=torch.float64,
    )  # [W, N, 2]
    even, odd = ends.unbind(-1)
    f = FUNCTIONS[activation]

    def steps_of(rows: Tensor, longest: int) -> Tensor:
        column, starts = w[rows, None], h.expand(len(rows), -1)
        return settle(lambda h: f(column * h + drive), starts, even[rows], odd[rows], longest).amax(1)

    found = steps_of(torch.arange(len(w)), min(longest, SOON))
    slow = (found.isinf() & even.isfinite().all(1)).nonzero()[:, 0]
    if longest > SOON and len(slow):
        found[slow] = steps_of(slow, longest)
    outcomes: tuple[Outcome, ...] = tuple(
        outcome_of(activation, weight, drive, portrait) for weight, portrait in zip(w.tolist(), portraits, strict=True)
    )
    found[torch.tensor([outcome == "keeps every start" for outcome in outcomes])] = math.inf
    found[even.isinf().any(1)] = math.nan
    return MemoryCurve(activation, float(bias), float(input), tuple(h.tolist()), longest, w, found, outcomes)
