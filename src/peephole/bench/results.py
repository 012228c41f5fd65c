"""What a benchmark found, frozen, to and from JSON."""

import json
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from peephole.bench.cases import BATCH_OF_VARIANTS, GRIDS, WORK_OF_BFLOAT16, Case, describe, read_case
from peephole.bench.machine import Machine, read_machine
from peephole.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Found = TypeVar("Found")
OURS = "peephole"  # the contestant that everybody is compared with
FORMAT = 1
BETTER = "better of torch.nn, onnxruntime"


def median_ratio(theirs: Sequence[float], ours: Sequence[float]) -> float:
    """The middle over rounds of the ratios within each: a round in which the machine was slow was so for both."""
    return statistics.median(one / other for one, other in zip(theirs, ours, strict=True))


@dataclass(frozen=True)
class Measured:
    """One case: seconds of one run of each contestant, a number a round, and how far its results were off.

    `red` are the complaints of the gate and `refused` the reasons of those that did not take part; neither have
    seconds, and without ours nobody has. `backend` is what `explain_backend` says of ours.
    """

    case: Case
    backend: str
    seconds: dict[str, tuple[float, ...]]
    errors: dict[str, float]
    red: dict[str, str]
    refused: dict[str, str]

    def median(self, name: str) -> float:
        """Seconds of one run, the middle of its rounds."""
        return statistics.median(self.seconds[name])

    def ratio(self, name: str) -> float | None:
        """Their time over ours, the middle over rounds of the ratios in each; None where they were not timed."""
        if name == BETTER:
            ratios = [self.ratio(peer) for peer in ("torch.nn", "onnxruntime")]
            return min((ratio for ratio in ratios if ratio is not None), default=None)
        if name not in self.seconds or OURS not in self.seconds:
            return None
        return median_ratio(self.seconds[name], self.seconds[OURS])

    def flops_over_plain(self) -> float:
        """Operations of this cell over those of a plain LSTM of the same sizes."""
        return self.case.flops / Case("lstm", self.case.shape, mode=self.case.mode).flops


@dataclass(frozen=True)
class Summary:
    """Ratios of one cell, dtype and mode against one peer, over `count` shapes that `where` names.

    `geometric_mean` and `worst` of their time over ours; for a `cost`, of ours over theirs. `worst_shape` has it.
    """

    cell: str
    dtype: str
    mode: str
    against: str
    where: str
    count: int
    geometric_mean: float
    worst: float
    worst_shape: str
    cost: bool


@dataclass(frozen=True)
class Report:
    """Every case of one run of the benchmark, in the order in which they were measured."""

    machine: Machine
    measured: tuple[Measured, ...]

    @property
    def red(self) -> tuple[str, ...]:
        """What was wrong with results, one line each; empty when all were right."""
        return tuple(f"{one.case}: {name}: {said}" for one in self.measured for name, said in one.red.items())

    def summaries(self) -> tuple[Summary, ...]:
        """Geometric mean and worst ratio for each cell, dtype, mode and peer."""
        groups: dict[tuple[str, str, str], list[Measured]] = {}
        for one in self.measured:
            groups.setdefault((one.case.cell, one.case.dtype, one.case.mode), []).append(one)
        found: list[Summary] = []
        for group in groups.values():
            names = list(dict.fromkeys(name for one in group for name in one.seconds if name != OURS))
            if {"torch.nn", "onnxruntime"} <= set(names):
                names.insert(2, BETTER)
            summaries = (_summarise(group, name, *where) for name in names for where in _wheres(group, name))
            found += [summary for summary in summaries if summary is not None]
        return tuple(found)

    def as_json(self) -> dict[str, Any]:
        """Plain values; `read_report` takes them back."""
        rows = [write_measured(one) for one in self.measured]
        summaries = [asdict(summary) for summary in self.summaries()]
        return {"format": FORMAT, "machine": asdict(self.machine), "measured": rows, "summaries": summaries}

    def plot(self, ax: "Axes") -> None:
        """Draw the ratios, a row for each cell, dtype and mode and a dot for each shape."""
        from peephole.bench.plot import draw_ratios

        draw_ratios(ax, self)


def _wheres(group: Sequence[Measured], against: str) -> list[tuple[str, Callable[[Measured], bool]]]:
    """The shapes that a comparison is about, as text and as a question; grids also each for itself."""
    if against == "product":
        return [("B ≥ 16, H ≥ 256", lambda one: one.case.shape.batch >= 16 and one.case.shape.hidden_size >= 256)]
    if against == "peephole lstm":
        return [(f"B ≥ {BATCH_OF_VARIANTS}", lambda one: one.case.shape.batch >= BATCH_OF_VARIANTS)]
    if group[0].case.dtype == "bfloat16":
        return [(f"B·H ≥ {WORK_OF_BFLOAT16}", _is_wide)]
    parts = [(name, lambda one, name=name: one.case.shape in GRIDS[name]) for name in GRIDS]
    parts = [(name, wanted) for name, wanted in parts if any(map(wanted, group))]
    return [("", lambda one: True), *(parts if len(parts) > 1 else [])]


def _is_wide(one: Measured) -> bool:
    return one.case.shape.batch * one.case.shape.hidden_size >= WORK_OF_BFLOAT16


def _summarise(
    group: Sequence[Measured], against: str, where: str, wanted: Callable[[Measured], bool]
) -> Summary | None:
    group = [one for one in group if wanted(one)]
    ratios = {str(one.case.shape): ratio for one in group if (ratio := one.ratio(against)) is not None}
    if not ratios:
        return None
    cost = against == "peephole lstm"
    if cost:
        ratios = {shape: 1 / ratio for shape, ratio in ratios.items()}
    worst = (max if cost else min)(ratios, key=lambda shape: ratios[shape])
    mean = math.exp(statistics.fmean(math.log(ratio) for ratio in ratios.values()))
    case = group[0].case
    return Summary(case.cell, case.dtype, case.mode, against, where, len(ratios), mean, ratios[worst], worst, cost)


def write_measured(one: Measured) -> dict[str, Any]:
    """One case as JSON values."""
    return {**vars(one), "case": describe(one.case)}


def read_measured(row: dict[str, Any]) -> Measured:
    """The case that `write_measured` wrote."""
    seconds = {name: tuple(values) for name, values in row["seconds"].items()}
    return Measured(**row | {"case": read_case(row["case"]), "seconds": seconds})


def read_report(text: str) -> Report:
    """The report that `json.dumps(report.as_json())` wrote. `InputError` for another text."""
    return read_text(
        text, lambda tree: Report(read_machine(tree["machine"]), tuple(map(read_measured, tree["measured"])))
    )


def read_text(text: str, build: Callable[[dict[str, Any]], Found]) -> Found:
    """What `build` makes of a text that `--out` wrote. `InputError` for another text, or one of another format."""
    try:
        tree = json.loads(text)
        if tree["format"] != FORMAT:
            raise InputError(f"benchmark format {tree['format']}; this version reads format {FORMAT}: measure again")
        return build(tree)
    except InputError:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"not a report of peephole bench ({error}); expected what --out wrote") from None
