"""`WatchRow`: one look at a training, read back from a row of its history."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

Shares = Mapping[str, Mapping[str, tuple[float, float]]]


@dataclass(frozen=True)
class WatchRow:
    """What was seen after `step`; see `numbers.inside` for what is counted, and how.

    Layers go by their names, `layer 0`, states by theirs, h and c. `longest` is the largest lag that was looked at.
    Where a net has no such thing a mapping is empty.
    """

    step: int
    learning_rate: float = 0.0
    per_second: float = 0.0
    flow: Mapping[str, Mapping[str, tuple[float, ...]]] = field(default_factory=dict)
    horizon: Mapping[str, Mapping[str, int | None]] = field(default_factory=dict)
    saturation: Shares = field(default_factory=dict)
    forget_product: Mapping[str, float] = field(default_factory=dict)
    dead: Mapping[str, int] = field(default_factory=dict)
    units: Mapping[str, int] = field(default_factory=dict)
    range: Mapping[str, Mapping[str, tuple[float, float]]] = field(default_factory=dict)
    update_ratio: Mapping[str, float] = field(default_factory=dict)
    clipped: float = 0.0
    memory: int = 0

    @staticmethod
    def read(row: Mapping[str, Any]) -> "WatchRow | None":
        """Of a row of the history; None where nobody looked. Numbers that were not finite are NaN."""
        watch = row.get("watch")
        if not isinstance(watch, Mapping):
            return None
        return WatchRow(
            int(row["step"]),
            float(row.get("learning_rate") or 0.0),
            float(row.get("per_second") or 0.0),
            {layer: {name: _numbers(curve) for name, curve in by.items()} for layer, by in _of(watch, "flow")},
            {layer: dict(by) for layer, by in _of(watch, "horizon")},
            {layer: {name: _pair(shares) for name, shares in by.items()} for layer, by in _of(watch, "saturation")},
            {layer: _number(value) for layer, value in _of(watch, "forget_product")},
            dict(_of(watch, "dead")),
            dict(_of(watch, "units")),
            {layer: {name: _pair(ends) for name, ends in by.items()} for layer, by in _of(watch, "range")},
            {name: _number(value) for name, value in _of(watch, "update_ratio")},
            _number(watch.get("clipped", 0.0)),
            int(watch.get("memory") or 0),
        )

    @property
    def longest(self) -> int:
        """The largest lag that was looked at; 0 where no flow was."""
        return max((len(curve) - 1 for by in self.flow.values() for curve in by.values()), default=0)

    @property
    def reach(self) -> int | None:
        """The longest horizon of all layers and states; `longest` where one reaches further, None without any."""
        found = [self.longest if lag is None else lag for by in self.horizon.values() for lag in by.values()]
        return max(found, default=None)

    @property
    def reaches_beyond(self) -> bool:
        """Whether a horizon is longer than what was looked at."""
        return any(lag is None for by in self.horizon.values() for lag in by.values())

    @property
    def largest(self) -> float:
        """The largest |state| of all that are finite."""
        ends = [abs(end) for by in self.range.values() for pair in by.values() for end in pair]
        return max((end for end in ends if end == end), default=0.0)

    @property
    def update(self) -> float | None:
        """The median over parameters of ‖Δw‖ / ‖w‖."""
        known = [ratio for ratio in self.update_ratio.values() if ratio == ratio]
        return median(known) if known else None

    def saturated(self) -> dict[str, tuple[float, float]]:
        """Of each gate the shares left and right, mean over layers."""
        gates: dict[str, list[tuple[float, float]]] = {}
        for by in self.saturation.values():
            for gate, shares in by.items():
                gates.setdefault(gate, []).append(shares)
        return {
            gate: (_mean([one[0] for one in all_]), _mean([one[1] for one in all_])) for gate, all_ in gates.items()
        }

    @property
    def verdict(self) -> str:
        """The look as one line."""
        parts: list[str] = []
        if self.reach is not None:
            more = "more than " if self.reaches_beyond else ""
            parts.append(f"gradients reach {more}{self.reach} steps back")
        gates = [f"{gate} {100 * left:.0f}/{100 * right:.0f} %" for gate, (left, right) in self.saturated().items()]
        if gates:
            parts.append("gates shut/open " + ", ".join(gates))
        if self.units:
            parts.append(f"{sum(self.dead.values())} of {sum(self.units.values())} units dead")
        if self.update is not None:
            parts.append(f"updates {self.update:.1g} of the weights")
        parts.append(f"{100 * self.clipped:.0f} % of the steps clipped")
        if self.memory:
            parts.append(f"{self.memory / 1e6:,.0f} MB")
        return "; ".join(parts)


def _of(watch: Mapping[str, Any], name: str) -> list[tuple[str, Any]]:
    return list((watch.get(name) or {}).items())


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _numbers(values: list[float | None]) -> tuple[float, ...]:
    return tuple(map(_number, values))


def _pair(values: list[float | None]) -> tuple[float, float]:
    first, second = values
    return _number(first), _number(second)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
