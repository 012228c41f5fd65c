"""The effects of many interventions side by side: which of them matter."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from peephole.errors import InputError
from peephole.inside.effect_result import Effect

if TYPE_CHECKING:
    import polars
    from matplotlib.axes import Axes

SHOWN = 20  # in a table as text, and with their names in a figure
SLIGHT = 0.01  # of the largest change: less counts as next to none


@dataclass(frozen=True, eq=False)
class Effects:
    """What `effects` found, `each` in the order of the interventions. As text: the largest of them, a line each."""

    each: tuple[Effect, ...]

    def __len__(self) -> int:
        return len(self.each)

    def __iter__(self) -> Iterator[Effect]:
        return iter(self.each)

    def __getitem__(self, number: int) -> Effect:
        return self.each[number]

    @property
    def differences(self) -> Float[Tensor, "interventions"]:
        """By how much the divergence rises with each."""
        return torch.tensor([effect.difference for effect in self.each], dtype=torch.float64)

    @property
    def order(self) -> tuple[int, ...]:
        """Numbers of the interventions, the one that changes most first."""
        sizes = self.differences.abs().nan_to_num(nan=torch.inf)
        return tuple(sizes.argsort(descending=True, stable=True).tolist())

    @property
    def ranked(self) -> tuple[Effect, ...]:
        """The effects, the largest first."""
        return tuple(self.each[number] for number in self.order)

    def __str__(self) -> str:
        ranked = self.ranked[:SHOWN]
        width = max(len(effect.text) for effect in ranked)
        lines = [f"{'':{width}}  change of divergence {self.each[0].without:.4g}"]
        lines += [f"{effect.text:{width}}  {effect.difference:+10.4g}  {effect.relative_text:>9}" for effect in ranked]
        more = len(self.each) - len(ranked)
        return "\n".join([*lines, f"… and {more} that change it less"] if more else lines)

    def frame(self) -> "polars.DataFrame":
        """A polars table, the largest first: rank, number (of the intervention), text, divergence, difference,
        relative. `InputError` without polars.
        """
        try:
            import polars
        except ImportError:
            raise InputError("a frame needs polars, which is not installed; pip install 'peephole[frames]'") from None
        ranked = self.ranked
        return polars.DataFrame(
            {
                "rank": list(range(1, len(ranked) + 1)),
                "number": list(self.order),
                "text": [effect.text for effect in ranked],
                "divergence": [effect.changed for effect in ranked],
                "difference": [effect.difference for effect in ranked],
                "relative": [effect.relative for effect in ranked],
            }
        )

    @property
    def verdict(self) -> str:
        """The largest, how many make up half of all change, and how many do next to nothing."""
        first = self.ranked[0]
        sizes = self.differences.abs()
        slight = int((sizes < SLIGHT * sizes.max()).sum())
        said = f"Of {len(self)} interventions {first.text} changes the divergence {first.without:.4g} most, by "
        said += f"{first.difference:+.4g} ({first.relative_text})"
        if len(self) > 1 and bool(sizes.isfinite().all()) and bool(sizes.any()):
            descending = sizes.sort(descending=True).values.cumsum(0)
            half = int((descending < 0.5 * descending[-1]).sum()) + 1
            said += f"; {'it makes' if half == 1 else f'the {half} largest make'} up half of all change"
        return f"{said}; {slight} change it by less than {SLIGHT:.0%} of that."

    def plot(self, ax: "Axes") -> None:
        """Up to 20 of them: bars with their names, the largest on top. More: all in order of their rank."""
        ranked = self.ranked
        differences = [effect.difference for effect in ranked]
        if len(ranked) <= SHOWN:
            ax.barh(range(len(ranked)), differences)
            ax.set_yticks(range(len(ranked)), [effect.text for effect in ranked])
            ax.invert_yaxis()
            ax.axvline(0.0, color="0.6", linewidth=1)
            ax.set(xlabel="change of the divergence")
        else:
            ax.bar(range(1, len(ranked) + 1), differences, width=1.0)
            ax.axhline(0.0, color="0.6", linewidth=1)
            ax.set(xlabel="rank of the intervention", ylabel="change of the divergence")
            ax.set_title(f"largest: {ranked[0].text}")
        ax.spines[["top", "right"]].set_visible(False)
