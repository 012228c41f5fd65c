"""Groups of runs that differ in nothing but the seed, named by what tells them from the others."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from peephole.models.config import ModelConfig
from peephole.spec import SWITCHES
from peephole.tasks.comparing.fields import spell
from peephole.tasks.comparing.record import BUDGETS, Record

# What changes how a training is carried out and not what it is: beyond rounding its numbers stay.
CARRIED_OUT = {
    *("threads", "checkpoint_seconds", "watch", "tensorboard", "compile", "accelerator"),
    *("backend", "recompute"),
}
TOKENS = ("tokens", "words", "vocabulary")  # settings of a text that say what is read of it, and how it is cut


@dataclass(frozen=True)
class Group:
    """Runs with the same settings, by seed."""

    name: str
    records: tuple[Record, ...]

    @property
    def values(self) -> tuple[float, ...]:
        """Held-out divergences, one a seed."""
        return tuple(record.held_out for record in self.records)

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(record.seed for record in self.records)

    @property
    def mean(self) -> float:
        return fmean(self.values)

    @property
    def spread(self) -> float | None:
        """The standard deviation over seeds (n − 1 in the denominator); None of a single one."""
        return stdev(self.values) if len(self.values) > 1 else None

    @property
    def right(self) -> float | None:
        """The mean share of right answers, of a problem."""
        shares = [record.right for record in self.records if record.right is not None]
        return fmean(shares) if shares else None

    @property
    def parameters(self) -> int | None:
        return self.records[0].parameters

    @property
    def steps(self) -> float:
        return fmean(record.steps for record in self.records)

    @property
    def minutes(self) -> float:
        return fmean(record.minutes for record in self.records)


def group_records(records: Sequence[Record]) -> tuple[tuple[Group, ...], tuple[str, ...]]:
    """Groups, the lowest mean first, and what was left out: the same settings with the same seed again.

    A repetition is no further witness: with a budget in steps it ends with the same weights, bit for bit.
    """
    grouped: dict[str, list[Record]] = {}
    repeated: list[str] = []
    for record in records:
        those = grouped.setdefault(json.dumps(_identity(record), sort_keys=True), [])
        twin = next((other for other in those if other.seed == record.seed), None)
        if twin is None:
            those.append(record)
        else:
            repeated.append(f"{record.name} repeats {twin.name} (same settings, same seed): left out")
    names = _names([_identity(those[0]) for those in grouped.values()])
    groups = [
        Group(name, tuple(sorted(those, key=lambda record: record.seed)))
        for name, those in zip(names, grouped.values(), strict=True)
    ]
    return tuple(sorted(groups, key=lambda group: group.mean)), tuple(repeated)


def _identity(record: Record) -> dict[str, Any]:
    """The settings that make a group, flat; the text or problem is the same for all, but not what its tokens are."""
    settings = record.settings
    tokens = {name: settings["data"][name] for name in TOKENS} if record.task == "text" else {}
    flat = {**settings["model"], **settings["training"], **tokens, "net": settings.get("net", "recurrent")}
    if flat.get("context"):  # its cell is none
        flat["cell"] = "tdnn"
    return {name: value for name, value in flat.items() if name != "seed" and name not in CARRIED_OUT}


def _names(identities: list[dict[str, Any]]) -> list[str]:
    """What tells each group from the others: the cell first, then options that differ.

    Where cells differ, switches that a cell leaves at their default go without saying.
    """
    everything = dict.fromkeys(name for identity in identities for name in identity)
    missing = object()
    differing = [name for name in everything if len({json.dumps(identity.get(name)) for identity in identities}) > 1]
    if not differing:
        return [str(identities[0]["cell"])]
    defaults = {field.name: field.default for field in dataclasses.fields(ModelConfig)}

    def told(identity: dict[str, Any], name: str) -> str | None:
        value = identity.get(name)
        if name in ("cell", "net"):
            return f"{value} net" if name == "net" else str(value)
        if value is None and name in BUDGETS:
            return None
        plain = name in SWITCHES or value is None
        if "cell" in differing and plain and value == defaults.get(name, missing):
            return None
        return f"{name}={spell(value)}"

    short = [" ".join(filter(None, (told(identity, name) for name in differing))) for identity in identities]
    if all(short) and len(set(short)) == len(short):
        return short
    return [" ".join(f"{name}={spell(identity.get(name))}" for name in differing) for identity in identities]
