"""`Units`: for each property the unit that follows it, and how sure that is."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from peephole.units.reading import Reading
from peephole.units.values import Values

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SURE, LEAST = 0.01, 0.3  # p, corrected for the number of properties, and |r| with which a unit is said to follow one


@dataclass(frozen=True)
class Ablation:
    """`explained` is R² of the probe on `characters` characters (words, pieces), `loss` what it loses without the unit,
    `random` what it loses without each of other units, least first; `rise` and `rise_elsewhere` are by how much the
    divergence rises without the unit, in bits a character, where the property holds (is above its mean) and where not.
    """

    explained: float
    loss: float
    random: tuple[float, ...]
    rise: float
    rise_elsewhere: float
    characters: int

    @property
    def percentile(self) -> float:
        """The percentage of the other units without which less is lost."""
        return 100.0 * sum(other < self.loss for other in self.random) / max(1, len(self.random))


@dataclass(frozen=True)
class Unit:
    """A unit and the property that it `follows`: Pearson's r on the rows that chose it, `chosen_r`, and on others, `r`.

    `kind` is the state or gate, by the cell's name (c counts as tanh(c)); `p` is of the shift test on the other rows,
    `holm` the same corrected for the number of properties, `chance` the |r| that 1 % of the shifts exceed.
    """

    follows: str
    layer: int
    unit: int
    kind: str
    chosen_r: float
    r: float
    p: float
    holm: float
    chance: float
    ablation: Ablation | None = None

    @property
    def name(self) -> str:
        """Layer, unit, and the state or gate: `0:12:c`."""
        return f"{self.layer}:{self.unit}:{self.kind}"

    @property
    def sure(self) -> bool:
        """Whether it follows the property on text that did not choose it, more than by chance."""
        return self.holm < SURE and abs(self.r) >= LEAST

    def as_dict(self) -> dict[str, Any]:
        """All numbers, in JSON's types."""
        found = asdict(self)
        if self.ablation is not None:
            found["ablation"] |= {"random": list(self.ablation.random), "percentile": self.ablation.percentile}
        return found


@dataclass(frozen=True, eq=False)
class Units:
    """What `find_units` found: `each` with the largest |r| on held-out rows first, in what the net read (`reading`)
    with the properties there (`values`).
    """

    each: tuple[Unit, ...]
    reading: Reading
    values: Values

    @property
    def sure(self) -> tuple[Unit, ...]:
        """Those that follow their property more than by chance."""
        return tuple(unit for unit in self.each if unit.sure)

    @property
    def telling(self) -> tuple[Unit, ...]:
        """The same, states before gates: those follow single characters mostly, which says little of a memory."""
        return tuple(sorted(self.sure, key=lambda unit: unit.kind != self.reading.layers[0].state))

    @property
    def verdict(self) -> str:
        """How many properties have a unit, and some of them."""
        sure, reading = self.telling, self.reading
        text = f"{reading.read:,} held-out {reading.unit}"
        if not sure:
            return f"No unit follows any of {len(self.each)} properties of {text} more than by chance."
        named = ", ".join(f"{unit.follows} by {unit.name} (r {unit.r:+.2f})" for unit in sure[:4])
        more = f" and {len(sure) - 4} more" if len(sure) > 4 else ""
        count = f"{len(sure)} of {len(self.each)} properties"
        return f"{count} of {text} have a unit that follows them (Holm's p < {SURE:g}): {named}{more}."

    def plot(self, ax: "Axes") -> None:
        """|r| of each property's unit: bars on held-out rows, rings on those that chose it, a tick: chance."""
        shown = self.each[::-1]
        places = range(len(shown))
        ax.barh(places, [abs(unit.r) for unit in shown], color=["C0" if unit.sure else "0.75" for unit in shown])
        ax.scatter(
            [abs(unit.chosen_r) for unit in shown], places, facecolors="none", edgecolors="0.2", zorder=3,
            label="rows that chose it",
        )  # fmt: skip
        ax.scatter(
            [unit.chance for unit in shown], places, marker="|", s=120, color="C1", zorder=3, label="1 % of shifts"
        )
        ax.set_yticks(places, [f"{unit.follows}  {unit.name}" for unit in shown])
        ax.set(xlim=(0, 1), xlabel="|r| on held-out rows")
        ax.legend(loc="lower right", frameon=False)
        ax.spines[["top", "right"]].set_visible(False)

    def as_dict(self) -> dict[str, Any]:
        """All findings, in JSON's types."""
        return {
            "verdict": self.verdict,
            self.reading.unit: self.reading.read,
            "units": [unit.as_dict() for unit in self.each],
            "left_out": list(self.values.left_out),
        }
