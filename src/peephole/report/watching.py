"""The section on what was watched while training went on."""

import math
from typing import Any

from peephole.errors import InputError
from peephole.report.parts import Paragraph, Part, Picture, Table
from peephole.report.watched import (
    WatchedFlow,
    WatchedGates,
    WatchedSeries,
    mapping,
    names_under,
    number,
    numbers,
    watches_of,
)
from peephole.tasks.subject import Subject
from peephole.train.watch.reading import read_watch

MOST_LAYERS = 4  # with figures of their own
MOST_TURNS = 20  # in the table, the last ones


def watching(subject: Subject) -> list[Part]:
    """Flow, horizon, gates and updates over training. `InputError` where nothing was watched."""
    watched = read_watch(subject.history)
    watches = watches_of(subject.history)
    layers = names_under(watches, "flow")
    parts: list[Part] = []
    for name in layers[-1:]:
        for state in names_under(watches, "flow", name):
            flow = WatchedFlow.of(watches, name, state)
            if flow is not None:
                parts.append(Picture(f"Gradient flow of {state}, {name}", flow))
    if layers:
        parts.append(Picture("Horizon", watched))
    for name in names_under(watches, "saturation")[:MOST_LAYERS]:
        gates = WatchedGates.of(watches, name)
        if gates is not None:
            parts.append(Picture(f"Gates, {name}", gates))
    for key, title, told, label in (
        ("forget_product", "Forget gates", "mean product of the forget gates over a window", "∏ f over a window"),
        ("update_ratio", "Updates", "length of an update as a share of that of the weights", "‖Δw‖ / ‖w‖"),
    ):
        series = WatchedSeries.of(watches, key, told, label)
        if series is not None:
            parts.append(Picture(title, series))
    parts += _remarks(watches[-1][1])
    if watched.turned:
        rows = tuple((f"{step:,}", sentence) for step, sentence in watched.turned[-MOST_TURNS:])
        parts.append(Table("What turned while it was trained.", ("step", "what"), rows))
    if not parts:
        raise InputError("what was watched while this run was trained holds no measurement of a recurrent layer")
    return parts


def _remarks(last: dict[str, Any]) -> list[Part]:
    """What is a sentence rather than a curve."""
    said: list[str] = []
    units = mapping(last, "units")
    for name, count in mapping(last, "dead").items():
        if number(count) > 0:
            said.append(f"{number(count):,.0f} of {number(units.get(name)):,.0f} units of {name} do not move any more.")
    for name in mapping(last, "range"):
        ends = {state: numbers(pair) for state, pair in mapping(last, "range", name).items()}
        shown = [f"{state} from {pair[0]:.3g} to {pair[1]:.3g}" for state, pair in ends.items() if len(pair) == 2]
        if shown:
            said.append(f"At the end of training the states of {name} lie in: {', '.join(shown)}.")
    memory = number(last.get("memory"))
    if math.isfinite(memory):
        said.append(f"The training took {memory / 1e6:,.0f} MB of memory.")
    return [Paragraph(" ".join(said))] if said else []
