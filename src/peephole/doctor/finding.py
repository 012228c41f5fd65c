"""What the doctor says: findings, each with its evidence, what it costs, how sure it is and what to change."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CAUSES = (
    "not a number",
    "nothing to predict",
    "targets shifted",
    "padding in the divergence",
    "batch rows that leak",
    "state carried across unrelated sequences",
    "data in both splits",
    "inputs not normalised",
    "bfloat16 loses updates",
    "learning rate too high",
    "learning rate too low",
    "clipping on every step",
    "exploding gradient",
    "recurrent weights that blow up",
    "recurrent weights that forget",
    "forget bias that forgets",
    "gates stuck",
    "saturated activations",
    "dead ReLU units",
    "dependency beyond the horizon",
    "window shorter than the dependency",
    "net too large for the data",
    "net too small for the data",
)
SYMPTOMS = ("stuck at the trivial baseline", "underfitting", "overfitting", "plateau", "oscillation")

MEDIUM, HIGH = 0.4, 0.7  # confidence from which on it is called so; less is low
BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Evidence:
    """One curve that shows a finding: y over x, with the `limit` that it crosses or misses."""

    title: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    xlabel: str
    ylabel: str
    limit: float | None = None
    limit_name: str = ""
    logarithmic: bool = False

    @property
    def sparkline(self) -> str:
        """The curve as a word of at most 24 bars; of numbers that are not finite a cross."""
        import math

        values = [math.log(max(value, 1e-30)) if self.logarithmic else value for value in self.y]
        places = [round(number * (len(values) - 1) / 23) for number in range(24)] if len(values) > 24 else None
        values = values if places is None else [values[place] for place in places]
        finite = [value for value in values if math.isfinite(value)]
        if not finite:
            return "×" * len(values)
        low, high = min(finite), max(finite)
        width = (high - low) or 1.0
        return "".join(
            BARS[round((value - low) / width * (len(BARS) - 1))] if math.isfinite(value) else "×" for value in values
        )

    def plot(self, ax: "Axes") -> None:
        """The curve and the limit."""
        ax.plot(self.x, self.y, marker="o" if len(self.x) < 20 else "")
        if self.limit is not None:
            ax.axhline(self.limit, color="0.4", linestyle="--", linewidth=1, label=self.limit_name)
            if self.limit_name:
                ax.legend()
        if self.logarithmic:
            ax.set_yscale("log")
        ax.set(title=self.title, xlabel=self.xlabel, ylabel=self.ylabel)


@dataclass(frozen=True)
class Cure:
    """What to change: `text` for people; `changes` are settings by name with their new values, where a setting does it;
    `repair` names what has to be mended in one's own code or data where none does (`treatment` knows those it can).
    """

    text: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    repair: str = ""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    `cost` is the share, 0 to 1, of what could be learnt that it is thought to cost; `confidence`, 0 to 1, how sure it
    is that this is so. `says` is one sentence with the numbers that were measured, which `numbers` has by name; `why`
    says how it does harm, with its source. `follows` names the cause that explains this one, where one was found.
    """

    name: str
    cost: float
    confidence: float
    says: str
    numbers: Mapping[str, float]
    why: str
    cure: Cure
    evidence: Evidence | None = None
    follows: str = ""

    def __post_init__(self) -> None:
        if self.name not in CAUSES + SYMPTOMS:
            raise ValueError(f"{self.name!r} is no finding that the doctor knows")
        for name in ("cost", "confidence"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{self.name}: {name} is {getattr(self, name)}; expected 0 to 1")

    @property
    def kind(self) -> Literal["cause", "symptom"]:
        """Whether it does harm, or only shows that something does."""
        return "cause" if self.name in CAUSES else "symptom"

    @property
    def level(self) -> Literal["low", "medium", "high"]:
        """The confidence in a word."""
        return "high" if self.confidence >= HIGH else "medium" if self.confidence >= MEDIUM else "low"

    @property
    def weight(self) -> float:
        """What it costs, as far as it is sure."""
        return self.cost * self.confidence

    def as_dict(self) -> dict[str, Any]:
        """In JSON's types, without the figure."""
        return {
            "name": self.name,
            "kind": self.kind,
            "cost": self.cost,
            "confidence": self.confidence,
            "level": self.level,
            "says": self.says,
            "numbers": dict(self.numbers),
            "why": self.why,
            "cure": {"text": self.cure.text, "changes": dict(self.cure.changes), "repair": self.cure.repair},
            "follows": self.follows,
        }
