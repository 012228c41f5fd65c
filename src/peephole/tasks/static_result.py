"""What `static` finds: its rows, what they say together, and their picture."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Net = Literal["static", "recurrent"]
NETS: tuple[Net, Net] = ("static", "recurrent")
LEARNT = 0.99  # share of all patterns from which on a problem counts as learnt


@dataclass(frozen=True)
class Outcome:
    """One trained net.

    Attributes:
        parameters: how many numbers it learnt.
        steps: updates until it had learnt its samples.
        wrong: answers about its samples that are wrong in the end; 0 unless it ran out of steps.
        right: share of all patterns of N bits that it gets right.
        unseen: the same of those that it did not learn from; None where it learnt from all.
        longer: share right of longer ones, by the way of asking.
    """

    parameters: int
    steps: int
    wrong: int
    right: float
    unseen: float | None
    longer: dict[str, float]


@dataclass(frozen=True)
class StaticRow:
    """A static and a recurrent net that learnt from the same `samples` patterns of so many `bits`."""

    bits: int
    samples: int
    seed: int
    static: Outcome
    recurrent: Outcome

    @staticmethod
    def read(row: Mapping[str, Any]) -> "StaticRow":
        """The row that `dataclasses.asdict` wrote."""
        return StaticRow(**{**row, **{net: Outcome(**row[net]) for net in NETS}})

    def of(self, net: Net) -> Outcome:
        """What became of one of the two."""
        return self.static if net == "static" else self.recurrent


@dataclass(frozen=True)
class StaticComparison:
    """What `compare_static` found."""

    problem: Literal["parity", "addition"]
    cell: str
    hidden_size: int
    rows: tuple[StaticRow, ...]

    @property
    def bits(self) -> tuple[int, ...]:
        """The sizes N, ascending."""
        return tuple(sorted({row.bits for row in self.rows}))

    def patterns(self, bits: int) -> int:
        """How many patterns there are."""
        return (2 if self.problem == "parity" else 4) ** bits

    def chance(self, bits: int) -> float:
        """Share of patterns of N bits that an answer by the throw of a coin, for each digit, gets right."""
        return 0.5 if self.problem == "parity" else 0.5 ** (bits + 1)

    def needed(self, net: Net, bits: int) -> tuple[int | None, ...]:
        """For each seed the samples from which on the net gets at least 99 % of all patterns right; None for never."""
        found: list[int | None] = []
        for seed in sorted({row.seed for row in self.rows}):
            least: int | None = None
            rows = [row for row in self.rows if row.bits == bits and row.seed == seed]
            for row in sorted(rows, key=lambda row: -row.samples):
                if row.of(net).right < LEARNT:
                    break
                least = row.samples
            found.append(least)
        return tuple(found)

    def typical(self, net: Net, bits: int) -> float:
        """The median of `needed`, where never counts as infinite."""
        return float(median(math.inf if samples is None else samples for samples in self.needed(net, bits)))

    def growth(self, net: Net) -> float:
        """By what factor `typical` grows with a bit more: of the line through its logarithms.

        NaN with one N alone, and where all patterns were too few.
        """
        samples = [self.typical(net, bits) for bits in self.bits]
        if len(samples) < 2 or math.inf in samples:
            return math.nan
        return float(2 ** np.polyfit(self.bits, np.log2(samples), 1)[0])

    def longer(self, net: Net, bits: int) -> dict[str, tuple[float, float, float]]:
        """Least, mean and largest share of longer patterns right, of nets that learnt from all patterns of N bits."""
        rows = [row.of(net).longer for row in self.rows if row.bits == bits and row.samples == self.patterns(bits)]
        columns = {way: [row[way] for row in rows] for way in rows[0]}
        return {way: (min(each), sum(each) / len(each), max(each)) for way, each in columns.items()}

    @property
    def unlearnt(self) -> dict[Net, int]:
        """How many nets ran out of steps before they had learnt their samples."""
        return {net: sum(row.of(net).wrong > 0 for row in self.rows) for net in NETS}

    @property
    def verdict(self) -> str:
        """Samples needed, how they grow, and what becomes of one bit more."""
        largest = self.bits[-1]
        span = f"{self.bits[0]} to {largest}" if len(self.bits) > 1 else f"{largest}"
        needs = {net: ", ".join(_samples(self.typical(net, bits)) for bits in self.bits) for net in NETS}
        grows = {
            net: "" if math.isnan(self.growth(net)) else f", {self.growth(net):.2f} times as many a bit" for net in NETS
        }
        every = ", ".join(str(self.patterns(bits)) for bits in self.bits)
        static, recurrent = self.longer("static", largest), self.longer("recurrent", largest)
        unlearnt = [f"{count} {net} nets did not learn their samples" for net, count in self.unlearnt.items() if count]
        return (
            f"To get 99 % of all patterns of {span} bits of {self.problem} right, a static net of {self.hidden_size} "
            f"units has to see {needs['static']} of {every}{grows['static']}, and a recurrent one ({self.cell}) of as "
            f"many parameters {needs['recurrent']}{grows['recurrent']}; having seen all of {largest} bits, the static "
            f"net is right on {static['unread'][1]:.1%} of those with one bit more if that bit is not read and on "
            f"{static['widened'][1]:.1%} through an untrained input, the recurrent one on {recurrent['N + 1'][1]:.1%}, "
            f"and with ten times as many bits on {recurrent['10 N'][1]:.1%}{'; ' if unlearnt else ''}"
            f"{', '.join(unlearnt)}."
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for a file."""
        return {
            "verdict": self.verdict,
            "problem": self.problem,
            "cell": self.cell,
            "hidden_size": self.hidden_size,
            "bits": self.bits,
            "patterns": [self.patterns(bits) for bits in self.bits],
            "needed": {net: [self.needed(net, bits) for bits in self.bits] for net in NETS},
            "growth": {net: self.growth(net) for net in NETS},
            "longer": {net: [self.longer(net, bits) for bits in self.bits] for net in NETS},
            "rows": [asdict(row) for row in self.rows],
        }

    def plot(self, figure: "Figure") -> None:
        """Samples needed over N, right on patterns not seen, right on longer ones."""
        from peephole.tasks.static_plot import draw_longer, draw_needed, draw_unseen

        for draw, ax in zip((draw_needed, draw_unseen, draw_longer), figure.subplots(1, 3), strict=True):
            draw(ax, self)


def _samples(count: float) -> str:
    return f"{count:g}" if math.isfinite(count) else "more than all"
