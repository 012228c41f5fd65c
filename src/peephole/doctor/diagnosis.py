"""`Diagnosis`: all findings of a case in the order in which to mend them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from peephole.doctor.finding import MEDIUM, Finding
from peephole.doctor.measuring.level import Level

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Diagnosis:
    """`findings` ranked: causes, those that another explains after the others, then symptoms. `level` says how much has
    been learnt, `unfinished` why there was less to go on than usual, a line each.
    """

    findings: tuple[Finding, ...]
    level: Level
    unfinished: tuple[str, ...] = ()

    @property
    def causes(self) -> tuple[Finding, ...]:
        """What does harm, what to mend first on top."""
        return tuple(finding for finding in self.findings if finding.kind == "cause")

    @property
    def symptoms(self) -> tuple[Finding, ...]:
        """What only shows that something does."""
        return tuple(finding for finding in self.findings if finding.kind == "symptom")

    @property
    def first(self) -> Finding | None:
        """The cause to mend first: of medium confidence at least; None where there is none."""
        return next((finding for finding in self.causes if finding.confidence >= MEDIUM), None)

    @property
    def verdict(self) -> str:
        """The first cause with its evidence and cure, and how many others there are."""
        first = self.first
        if first is None:
            shown = f"; {', '.join(one.name for one in self.symptoms)}" if self.symptoms else ""
            return f"Nothing was found that keeps this net from learning{shown}."
        others = sum(one.confidence >= MEDIUM for one in self.causes) - 1
        more = f" {others} more {'cause' if others == 1 else 'causes'} below." if others else ""
        name = f"{first.name[0].upper()}{first.name[1:]}"
        return f"{name} ({first.level} confidence): {first.says} {first.cure.text}{more}"

    def plot(self, ax: "Axes") -> None:
        """A bar a finding: what it costs, filled as far as it is sure."""
        shown = self.findings[::-1]
        places = range(len(shown))
        ax.barh(places, [one.cost for one in shown], color="0.88")
        ax.barh(places, [one.weight for one in shown], color=["C0" if one.kind == "cause" else "C1" for one in shown])
        ax.set_yticks(places, [one.name for one in shown])
        ax.set(xlim=(0, 1), xlabel="share of what could be learnt that it costs (filled: times confidence)")

    def as_dict(self) -> dict[str, Any]:
        """In JSON's types."""
        return {
            "verdict": self.verdict,
            "level": {
                "training": _finite(self.level.training),
                "held_out": _finite(self.level.held_out),
                "trivial": _finite(self.level.trivial),
            },
            "findings": [finding.as_dict() for finding in self.findings],
            "unfinished": list(self.unfinished),
        }


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None
