"""The difference that one intervention makes to a divergence."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jaxtyping import Float
from torch import Tensor

from peephole.inside.effect_running import Measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class Effect:
    """The divergence of a batch `before` and `after` an intervention, in the divergence's own unit (nats for KL).

    `text` says what was done. Differences are after less before: positive where it harms.
    """

    text: str
    before: Measured
    after: Measured

    @property
    def without(self) -> float:
        """The divergence of the net as it is, summed over steps and rows."""
        return self.before.total

    @property
    def changed(self) -> float:
        """The same with the intervention."""
        return self.after.total

    @property
    def difference(self) -> float:
        """By how much it rises."""
        return self.after.total - self.before.total

    @property
    def relative(self) -> float:
        """The difference over the divergence without the intervention."""
        return self.difference / abs(self.without) if self.without else math.copysign(math.inf, self.difference)

    @property
    def relative_text(self) -> str:
        """The same as people write it: `+3.21%`, or `+42 times` where it is more than ten times as much."""
        return f"{self.relative:+.2%}" if abs(self.relative) < 10 else f"{self.relative:+,.0f} times"

    @property
    def per_step(self) -> Float[Tensor, "steps"] | None:
        """The difference at each step, summed over rows, where the divergence tells steps apart."""
        return _less(self.after.steps, self.before.steps)

    @property
    def per_row(self) -> Float[Tensor, "rows"] | None:
        """The difference in each row, summed over steps, where the divergence tells rows apart."""
        return _less(self.after.rows, self.before.rows)

    @property
    def per_step_and_row(self) -> Float[Tensor, "steps rows"] | None:
        """The difference at each step of each row, where the divergence tells both apart."""
        return _less(self.after.both, self.before.both)

    @property
    def verdict(self) -> str:
        """What it does, and where most."""
        if not self.difference:
            return f"With {self.text} the divergence stays at {self.without:.4g}."
        moves = "rises" if self.difference > 0 else "falls"
        return (
            f"With {self.text} the divergence {moves} from {self.without:.4g} to {self.changed:.4g}, by "
            f"{abs(self.difference):.4g} ({self.relative_text}){self._where}."
        )

    @property
    def _where(self) -> str:
        steps = self.per_step
        if steps is None or len(steps) < 2:
            return ""
        most = int(steps.abs().argmax())
        return f", most at step {most} ({float(steps[most]):+.3g})"

    def plot(self, ax: "Axes") -> None:
        """The difference by step, else by row; of a divergence that is one number the two numbers as bars."""
        if self.per_step is not None:
            ax.plot(self.per_step.numpy())
            ax.set(xlabel="t")
            ax.locator_params(axis="x", integer=True)
        elif self.per_row is not None:
            ax.bar(range(len(self.per_row)), self.per_row.numpy())
            ax.set(xlabel="row")
        else:
            ax.bar(["without", "with"], [self.without, self.changed], color=["0.7", "C0"])
        single = self.per_step is None and self.per_row is None
        ax.axhline(0.0, color="0.6", linewidth=1)
        ax.set(ylabel="divergence" if single else "change of the divergence", title=self.text)
        ax.spines[["top", "right"]].set_visible(False)


def _less(after: Tensor | None, before: Tensor | None) -> Tensor | None:
    return None if after is None or before is None else after - before
