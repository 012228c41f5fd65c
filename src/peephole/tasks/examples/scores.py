"""`Scores`: how good a net is on a part of its data, beside what it is compared with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Metrics = Mapping[str, float]  # by name


@dataclass(frozen=True)
class ScoreTable:
    """Rows under a header, such as the score of each label."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, eq=False)
class Scores:
    """What came out on one part of the data.

    Attributes:
        part: `test` or `held out`.
        counted: what was measured on, `2,077 sentences, 25,094 words`.
        metrics: of the run's net; the first is the one that the task is judged by. Names that end in `%` are shares.
        lower: whether the first metric is the better the lower it is.
        others: the same of others by name: the mlp, the field's naive method.
        pictures: results by title, each with a `verdict` and a `plot(ax)`.
        tables: what no figure shows.
        notes: sentences about what was left out or has to be known.
    """

    part: str
    counted: str
    metrics: Metrics
    lower: bool = False
    others: Mapping[str, Metrics] = field(default_factory=dict)
    pictures: tuple[tuple[str, Any], ...] = ()
    tables: tuple[ScoreTable, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """The metric that counts, of this net and of the others."""
        name = next(iter(self.metrics))
        found = f"{self.part}: {shown(name, self.metrics[name])}"
        beside = [f"{other} {shown(name, metrics[name], False)}" for other, metrics in self.others.items()]
        return found + (f" ({'; '.join(beside)})" if beside else "")

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """A row a net, a column a metric, as text; the header first."""
        names = list(self.metrics)
        all_of_them = {"this net": self.metrics, **self.others}
        body = [
            (who, *(shown(name, metrics[name], False) if name in metrics else "" for name in names))
            for who, metrics in all_of_them.items()
        ]
        return (("", *(name.removesuffix(" %") for name in names)), *body)

    def as_dict(self) -> dict[str, Any]:
        """In JSON's types."""
        return {
            "part": self.part,
            "counted": self.counted,
            "metrics": dict(self.metrics),
            "others": {name: dict(metrics) for name, metrics in self.others.items()},
            "verdicts": {title: result.verdict for title, result in self.pictures},
            "notes": list(self.notes),
        }


def shown(name: str, value: float, named: bool = True) -> str:
    """A metric as text: names that end in ` %` as a share, others with four digits."""
    if name.endswith("%"):
        text = f"{value:.2%}"
        return f"{text} {name.removesuffix(' %')}" if named else text
    return f"{name} {value:.4g}" if named else f"{value:.4g}"
