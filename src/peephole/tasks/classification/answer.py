"""What a net says of a sequence: a label, and how sure it is of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

SHOWN = 3  # labels that are printed for people


@dataclass(frozen=True)
class ClassifiedSequence:
    """A sequence with the probability of each label, the likeliest first.

    `name` is where the sequence stands, or at which step of which sequence of a stream the answer came.
    """

    name: str
    labels: tuple[str, ...]
    confidences: tuple[float, ...]

    @classmethod
    def of(cls, name: str, labels: Sequence[str], probabilities: Sequence[float]) -> "ClassifiedSequence":
        """From the probability of each label in their order."""
        order = sorted(range(len(labels)), key=lambda place: -probabilities[place])
        return cls(name, tuple(labels[place] for place in order), tuple(float(probabilities[place]) for place in order))

    @property
    def text(self) -> str:
        """Columns parted by tabs: name, label, confidence, and the labels next to it."""
        first, *others = [
            f"{label}\t{confidence:.4f}" if place == 0 else f"{label} {confidence:.2f}"
            for place, (label, confidence) in enumerate(zip(self.labels, self.confidences, strict=True))
        ]
        return "\t".join([self.name, first, ", ".join(others[: SHOWN - 1])])

    def as_dict(self) -> dict[str, Any]:
        return {
            "sequence": self.name,
            "label": self.labels[0],
            "confidence": round(self.confidences[0], 4),
            "confidences": {
                label: round(confidence, 4) for label, confidence in zip(self.labels, self.confidences, strict=True)
            },
        }
