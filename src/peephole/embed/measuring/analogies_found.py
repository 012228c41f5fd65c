"""`Analogies`: which questions some vectors have answered."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HOW = {"addition": "b − a + c", "multiplication": "b · c / a"}


@dataclass(frozen=True)
class SectionScore:
    """A section of questions: how many there are, how many have known words, and how many were answered right."""

    name: str
    questions: int
    known: int
    right: int
    syntactic: bool = False

    @property
    def accuracy(self) -> float | None:
        """The share of right answers among the known questions; None where there are none."""
        return self.right / self.known if self.known else None


@dataclass(frozen=True, eq=False)
class Analogies:
    """Answers to analogy questions by nearness.

    Attributes:
        sections: as in the file.
        searched: words that answers were looked for among.
        by: `addition` (3CosAdd) or `multiplication` (3CosMul).
        right: of each known question whether the answer was right, `[known]`.
    """

    sections: tuple[SectionScore, ...]
    searched: int
    by: str
    right: NDArray[np.bool_]

    @property
    def total(self) -> SectionScore:
        """All sections together."""
        return _together("total", self.sections)

    @property
    def kinds(self) -> tuple[SectionScore, ...]:
        """Semantic and syntactic questions, where there are both."""
        kinds = {
            name: [one for one in self.sections if one.syntactic == syntactic]
            for name, syntactic in (("semantic", False), ("syntactic", True))
        }
        return tuple(_together(name, parts) for name, parts in kinds.items()) if all(kinds.values()) else ()

    @property
    def rows(self) -> tuple[tuple[str, str, str, str], ...]:
        """Section, accuracy, right answers, known questions of all; then the kinds and the total."""
        return tuple(
            (one.name, percent(one.accuracy), f"{one.right:,}", f"{one.known:,} of {one.questions:,}")
            for one in (*self.sections, *self.kinds, self.total)
        )

    @property
    def verdict(self) -> str:
        """The share of right answers, by kind, and how answers were found."""
        total = self.total
        kinds = " and ".join(f"{percent(one.accuracy)} of the {one.name}" for one in self.kinds if one.known)
        unknown = total.questions - total.known
        missing = (
            f"; {unknown:,} of {total.questions:,} questions have a word that is not among them" if unknown else ""
        )
        return (
            f"{percent(total.accuracy)} of {total.known:,} analogy questions are answered right"
            f"{f' ({kinds} ones)' if kinds else ''}: the word nearest to {HOW[self.by]} among "
            f"{self.searched:,}{missing}."
        )

    def plot(self, ax: "Axes") -> None:
        """The accuracy of each section that has known questions, the first at the top, semantic and syntactic apart."""
        shown = [one for one in self.sections if one.known][::-1]
        for syntactic, name, colour in ((False, "semantic", "C0"), (True, "syntactic", "C1")):
            some = [(place, one) for place, one in enumerate(shown) if one.syntactic == syntactic]
            if some:
                widths = [100 * one.right / one.known for _, one in some]
                ax.barh([place for place, _ in some], widths, color=colour, label=name if self.kinds else None)
        ax.set_yticks(range(len(shown)), [one.name for one in shown])
        ax.axvline(100 * self.total.right / self.total.known, color="0.3", linestyle="--", linewidth=1.4, label="total")
        ax.set(xlabel="questions answered right (%)", xlim=(0, 100))
        ax.legend(loc="best")

    def as_dict(self) -> dict[str, Any]:
        """The numbers, in JSON's types."""
        return {
            "verdict": self.verdict,
            "by": self.by,
            "searched": self.searched,
            "sections": [_as_dict(one) for one in self.sections],
            **{one.name: _as_dict(one) for one in (*self.kinds, self.total)},
        }


def percent(share: float | None) -> str:
    """`12.3 %`; a dash for what is not known."""
    return "-" if share is None else f"{100 * share:.1f} %"


def _together(name: str, parts: "list[SectionScore] | tuple[SectionScore, ...]") -> SectionScore:
    questions, found, right = (sum(getattr(one, what) for one in parts) for what in ("questions", "known", "right"))
    return SectionScore(name, questions, found, right)


def _as_dict(one: SectionScore) -> dict[str, Any]:
    return {
        "name": one.name, "questions": one.questions, "known": one.known, "right": one.right, "accuracy": one.accuracy,
    }  # fmt: skip
