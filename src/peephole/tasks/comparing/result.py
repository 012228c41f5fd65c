"""`Comparison`: groups of runs beside each other, with spread, significance and curves."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peephole.errors import InputError
from peephole.tasks.comparing.by_words import in_words
from peephole.tasks.comparing.curves import Over, plot_curves
from peephole.tasks.comparing.ground import check_comparable, vocabularies_differ
from peephole.tasks.comparing.groups import Group, group_records
from peephole.tasks.comparing.record import number, read_record, renamed
from peephole.tasks.comparing.significance import Difference, differences

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEAST_SEEDS = 5  # of a group, from which on an interval is worth much


@dataclass(frozen=True)
class Comparison:
    """What `compare` found: groups from the lowest mean on, and how far each but the first is above it.

    `warnings` are what a reader has to know: runs left out or not at their end, budgets that differ.
    """

    task: str
    unit: str
    groups: tuple[Group, ...]
    differences: tuple[Difference, ...]
    warnings: tuple[str, ...]

    def number(self, value: float, signed: bool = False) -> str:
        """A divergence as it is written."""
        return number(value, self.unit, signed)

    def interval(self, found: Difference) -> str:
        """The ends of an interval, `0.01 to 0.05`; empty where there is none."""
        if found.low is None or found.high is None:
            return ""
        return f"{self.number(found.low)} to {self.number(found.high)}"

    @property
    def verdict(self) -> str:
        """Which group is best, and of every other whether it is worse or whether that may be chance."""
        best, *others = self.groups
        told = f"{best.name}: {self.number(best.mean)} {self.unit}, mean of {_seeds(best)}"
        if not others:
            spread = "" if best.spread is None else f", standard deviation {self.number(best.spread)}"
            return f"{told}{spread}; the runs differ in nothing but the seed."
        clear = sum(found.clear for found in self.differences)
        head = "best is" if clear == len(others) else "lowest is"
        told = (
            f"{head} {told}" if best.spread is not None else f"{head} {best.name}: {self.number(best.mean)} {self.unit}"
        )
        said = [self._beside(group, found) for group, found in zip(others, self.differences, strict=True)]
        few = min(len(group.records) for group in self.groups)
        caution = f" ({few} seeds are few: intervals are wide)" if 1 < few < LEAST_SEEDS else ""
        return f"{told[0].upper()}{told[1:]}; {'; '.join(said)}.{caution}"

    def _beside(self, group: Group, found: Difference) -> str:
        told = f"{group.name} is {self.number(found.mean)} above it"
        if found.low is None:
            why = "one seed: no test can tell" if found.test.startswith("one seed") else "no spread, no test"
            return f"{told} ({why})"
        interval = f"95 % interval {self.interval(found)}"
        if found.clear:
            return f"{told}, worse ({interval})"
        corrected = " once corrected for the number of groups" if found.low > 0 or (found.high or 0) < 0 else ""
        return f"{told}, which may be chance{corrected} ({interval})"

    def plot(self, ax: "Axes", over: Over = "steps") -> None:
        """Held-out divergence over steps or minutes: the mean of each group, its range over seeds as a band."""
        plot_curves(ax, self.groups, self.unit, over)

    def as_dict(self) -> dict[str, Any]:
        """Everything in JSON's types."""
        found: list[Difference | None] = [None, *self.differences]
        return {
            "verdict": self.verdict,
            "task": self.task,
            "unit": self.unit,
            "warnings": list(self.warnings),
            "groups": [
                {
                    "name": group.name,
                    "held_out": group.mean,
                    "standard_deviation": group.spread,
                    "range": [min(group.values), max(group.values)],
                    "seeds": list(group.seeds),
                    "right": group.right,
                    "parameters": group.parameters,
                    "steps": group.steps,
                    "minutes": group.minutes,
                    "above_best": None if each is None else dataclasses.asdict(each),
                    "runs": [
                        {
                            "run": str(record.folder),
                            "seed": record.seed,
                            "held_out": record.held_out,
                            "right": record.right,
                            "steps": record.steps,
                            "total": record.total,
                            "minutes": record.minutes,
                            "finished": record.finished,
                            "curve": [list(dataclasses.astuple(point)) for point in record.curve],
                        }
                        for record in group.records
                    ],
                }
                for group, each in zip(self.groups, found, strict=True)
            ],
        }


def compare(folders: Sequence[Path | str], optional: Sequence[Path | str] = ()) -> Comparison:
    """Compare runs: grouped by what differs besides the seed, each group tested against the one of the lowest mean.

    A run counts with the held-out divergence of the weights that it keeps. Tested is in pairs where both groups have
    the same seeds, else by Welch's t; with more than two groups p values are corrected by Holm's method. That the best
    was chosen by the same numbers favours it a little. `optional` are runs that are left out, with a warning, where
    they have nothing to compare yet.

    Raises:
        InputError: fewer than two runs, one that is given twice or has no measurement, or runs whose numbers mean
            different things: another task, problem, text, held-out part or vocabulary of characters or of words.
    """
    given = [Path(folder) for folder in folders]
    twice = {path.resolve() for path in given}
    if len(twice) < len(given):
        again = next(path for place, path in enumerate(given) if path.resolve() in {p.resolve() for p in given[:place]})
        raise InputError(f"{again}: given twice; expected different runs")
    records, left_out = [read_record(path) for path in given], list[str]()
    for path in map(Path, optional):
        if path.resolve() in twice:
            continue
        try:
            records.append(read_record(path))
        except InputError as error:
            left_out.append(f"left out: {error}")
    if len(records) < 2 and left_out:
        raise InputError(f"{len(records)} of the runs can be compared; {left_out[0]}")
    records = renamed(records)
    warnings = check_comparable(records)
    if vocabularies_differ(records):
        found_words = in_words(records)
        if found_words is None:
            raise InputError("runs over other tokens, and one was trained before words were counted; train it anew")
        records, warnings = found_words[0], (*found_words[1], *warnings)
    groups, repeated = group_records(records)
    best, *others = groups
    paired = [group.seeds == best.seeds for group in others]
    found = differences(best.values, [group.values for group in others], paired)
    return Comparison(records[0].task, records[0].unit, groups, tuple(found), (*left_out, *repeated, *warnings))


def _seeds(group: Group) -> str:
    return f"{len(group.records)} seed{'s' * (len(group.records) != 1)}"
