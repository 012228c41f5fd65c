"""What a benchmark of streams found, frozen, to and from JSON."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from peephole.bench.machine import Machine, read_machine
from peephole.bench.results import FORMAT, OURS, median_ratio, read_text
from peephole.bench.stream_cases import Size, StreamCase, describe, read_case
from peephole.bench.stream_memory import IdleMemory

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Whose time over whose of ours the summary gives, for one step of one stream.
PAIRS = (
    ("onnxruntime", OURS),
    ("onnxruntime", f"{OURS} bfloat16"),
    ("onnxruntime", f"{OURS} int8"),
    ("onnxruntime int8", f"{OURS} int8"),
    ("torch.nn", OURS),
    ("LSTMCell", OURS),
)


@dataclass(frozen=True)
class Stepped:
    """One case: seconds of one step of each contestant, a number a round, its operations, and how far it was off.

    `red` are complaints about results and `refused` the reasons of those that did not take part; neither have seconds,
    and without the case's reference nobody has. `engine` is what runs our streams.
    """

    case: StreamCase
    engine: str
    seconds: dict[str, tuple[float, ...]]
    flops: dict[str, int]
    errors: dict[str, float]
    red: dict[str, str]
    refused: dict[str, str]

    def median(self, name: str) -> float:
        """Seconds of one step, the middle of its rounds."""
        return statistics.median(self.seconds[name])

    def ratio(self, theirs: str, ours: str) -> float | None:
        """Their time over ours, the middle over rounds of the ratios in each; None where one was not timed."""
        if theirs not in self.seconds or ours not in self.seconds:
            return None
        return median_ratio(self.seconds[theirs], self.seconds[ours])

    def cost(self, name: str) -> float | None:
        """Time of an operation over that of one of the case's reference."""
        ratio, reference = self.ratio(name, self.case.reference), self.case.reference
        return None if ratio is None else ratio * self.flops[reference] / self.flops[name]

    def share(self, name: str) -> float | None:
        """Operations a second as a share of those of the plain matrix product."""
        ratio = self.ratio("product", name)
        return None if ratio is None else ratio * self.flops[name] / self.flops["product"]


@dataclass(frozen=True)
class StreamSummary:
    """Their time over ours for one step of one stream: geometric mean and worst of so many sizes."""

    theirs: str
    ours: str
    count: int
    geometric_mean: float
    worst: float
    worst_size: str


@dataclass(frozen=True)
class StreamReport:
    """Every case in the order in which they were measured, and what an idle stream takes, if that was asked."""

    machine: Machine
    stepped: tuple[Stepped, ...]
    idle: IdleMemory | None = None

    @property
    def red(self) -> tuple[str, ...]:
        """What was wrong with results, one line each; empty when all were right."""
        return tuple(f"{one.case}: {name}: {said}" for one in self.stepped for name, said in one.red.items())

    def part(self, name: str) -> tuple[Stepped, ...]:
        """The cases of one part."""
        return tuple(one for one in self.stepped if one.case.part == name)

    def summaries(self) -> tuple[StreamSummary, ...]:
        """Each pair over all sizes at which both were timed."""
        found = (_summarise(self.part("step"), *pair) for pair in PAIRS)
        return tuple(summary for summary in found if summary is not None)

    def as_json(self) -> dict[str, Any]:
        """Plain values; `read_stream_report` takes them back."""
        return {
            "format": FORMAT,
            "machine": asdict(self.machine),
            "stepped": [{**vars(one), "case": describe(one.case)} for one in self.stepped],
            "idle": None if self.idle is None else asdict(self.idle) | {"beside_state": self.idle.beside_state},
            "summaries": [asdict(summary) for summary in self.summaries()],
        }

    def plot(self, figure: "Figure") -> None:
        """Draw a panel for each part: ratios, rates over the number of streams, other cells."""
        from peephole.bench.stream_plot import draw

        draw(figure, self)


def _summarise(group: Sequence[Stepped], theirs: str, ours: str) -> StreamSummary | None:
    ratios = {str(one.case.size): ratio for one in group if (ratio := one.ratio(theirs, ours)) is not None}
    if not ratios:
        return None
    worst = min(ratios, key=lambda size: ratios[size])
    mean = math.exp(statistics.fmean(math.log(ratio) for ratio in ratios.values()))
    return StreamSummary(theirs, ours, len(ratios), mean, ratios[worst], worst)


def read_stream_report(text: str) -> StreamReport:
    """The report that `json.dumps(report.as_json())` wrote. `InputError` for another text."""
    return read_text(text, _build)


def _build(tree: dict[str, Any]) -> StreamReport:
    idle = None
    if tree["idle"] is not None:
        fields: dict[str, Any] = tree["idle"] | {"size": Size(**tree["idle"]["size"])}
        del fields["beside_state"]
        idle = IdleMemory(**fields)
    return StreamReport(read_machine(tree["machine"]), tuple(map(_read_stepped, tree["stepped"])), idle)


def _read_stepped(row: dict[str, Any]) -> Stepped:
    seconds = {name: tuple(values) for name, values in row["seconds"].items()}
    return Stepped(**row | {"case": read_case(row["case"]), "seconds": seconds})
