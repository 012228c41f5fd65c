"""Causes inside the cells: gates that no longer move, activations at their ends, ReLU units that never fire."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from peephole.doctor.examination import Examination
from peephole.doctor.finding import Cure, Evidence, Finding
from peephole.doctor.measuring.inside import GateSeen, Inside, LayerInside, inside, inside_at_start
from peephole.doctor.measuring.missing import missing, weighed

ALWAYS = 0.95  # share of units, rows and steps at one end that makes a gate stuck
STILL = 0.03  # deviation of a gate over rows and steps under which it does not follow its input
EMPTY = 0.1  # size of the states of a layer that says next to nothing, where a healthy one has 0.2 to 1
FROZEN = 0.02  # share of what is new that a step takes in: a hundredth is left of a state after 230 steps
MOST_FROZEN = 0.5  # of the units
# Of a tanh: the share of arguments beyond ±3, and the mean derivative. The candidate of an LSTM that has learnt to read
# sits at 0.7 and 0.09, and is well: its memory does not pass through that tanh.
FAR_SHARE, SLOPE = {"rnn": 0.7, "lstm": 0.92, "gru": 0.92}, {"rnn": 0.1, "lstm": 0.03, "gru": 0.03}
FAR_AT_START, SLOPE_AT_START = 0.15, 0.4  # before training, where every usual start has 0 and 0.6 to 0.95
DEAD_SHARE = 0.45  # a start at random kills up to a third

STUCK_WHY = (
    "A sigmoid at its end passes no gradient, so that a gate which is shut, or which never lets anything new in, stays "
    "as it is whatever the data asks for (Hochreiter & Schmidhuber 1997; Gu et al. 2020)"
)
SATURATED_WHY = (
    "At the ends of a tanh its derivative is near zero: little of the gradient comes through, all inputs look alike "
    "(LeCun et al. 1998; Glorot & Bengio 2010)"
)
DEAD_WHY = (
    "A ReLU that is below zero on all the data gives zero and passes no gradient, so that nothing brings it back "
    "(Maas, Hannun & Ng 2013; Lu et al. 2019)"
)


@dataclass(frozen=True)
class _Stuck:
    """A gate that does not move, and what that does."""

    layer: LayerInside
    name: str
    gate: GateSeen
    does: str


def gates_stuck(examination: Examination) -> Finding | None:
    """A gate at one end for nearly all units, rows and steps, in a way that does harm, now or when training began.

    Shut input, output or reset gates; an update gate that lets nothing in; a forget gate wide open with a state that
    only grows. Open input and output gates do no harm, and a net remembers by forget gates that are nearly always open.
    """
    left = missing(examination)
    now = {(one.layer.name, one.name): one for one in _stuck(examination, examination.measured(inside))}
    start = {(one.layer.name, one.name): one for one in _stuck(examination, examination.measured(inside_at_start))}
    if not (now or start):
        return None
    both = [one for place, one in now.items() if place in start]
    first = max(both or start.values() or now.values(), key=lambda one: max(one.gate.shut, one.gate.open))
    gate = first.gate
    share, side = (gate.shut, "under 0.1") if gate.shut > gate.open else (gate.open, "above 0.9")
    changes, text, sure = _since(examination, now=bool(both) or not start, start=bool(start))
    when = "" if both or not start else " before training"
    return Finding(
        "gates stuck",
        cost=(0.9 if both else 0.5 if start else 0.7) * left,
        confidence=weighed(sure, left, 0.2 if start else 0.4),
        says=f"Gate {first.name} of {first.layer.name} is{text} {side} in {100 * share:.0f} % of units and steps{when} "
        f"and varies by {gate.varies:.2g}: {first.does}.",
        numbers={"shut": gate.shut, "open": gate.open, "mean": gate.mean, "varies": gate.varies},
        why=STUCK_WHY,
        cure=Cure(
            "begin with biases of zero (init orthogonal), so that gates start half open" + _slower(changes), changes
        ),
        evidence=_shares(first.layer),
    )


def _since(examination: Examination, *, now: bool, start: bool) -> tuple[dict[str, object], str, float]:
    """Since when it is so: the settings to change, in words, and how sure that makes it a cause.

    What the net began with is a cause for sure; what training made of it may be what other things do.
    """
    changes: dict[str, object] = {"init": "orthogonal"}
    if start:
        return changes, ", as before training," if now else "", 0.9 if now else 0.75
    if examination.case.start is None:
        return changes, "", 0.75
    rate = examination.case.settings.get("learning_rate")
    if isinstance(rate, float):
        changes["learning_rate"] = float(f"{rate / 5:.2g}")
    return changes, ", where training drove it,", 0.45


def _slower(changes: dict[str, object]) -> str:
    return "; take smaller steps, which drove it there" if "learning_rate" in changes else ""


def _shares(layer: LayerInside) -> Evidence | None:
    """How often each gate of the layer is at an end."""
    gates = layer.gates
    if len(gates) < 2:
        return None
    return Evidence(
        f"Gates {', '.join(gates)} of {layer.name} at an end",
        tuple(map(float, range(1, len(gates) + 1))),
        tuple(max(gate.shut, gate.open) for gate in gates.values()),
        f"gate ({', '.join(gates)})",
        "share under 0.1 or above 0.9, the larger",
        ALWAYS,
        "stuck",
    )


def _stuck(examination: Examination, seen: Inside | None) -> Iterator[_Stuck]:
    spread = examination.case.settings.get("init") in ("chrono", "auto")  # update gates nearly open on purpose
    for layer in () if seen is None else seen.layers:
        for name, gate in layer.gates.items():
            does = _harm(layer, name, gate, FROZEN / 10 if spread else FROZEN)
            if does and math.isfinite(gate.varies):
                yield _Stuck(layer, name, gate, does)


def _harm(layer: LayerInside, name: str, gate: GateSeen, least: float) -> str:
    """What a gate at its end does; empty where it does no harm. `least`: what an update gate has to let in."""
    shut, wide = gate.shut >= ALWAYS, gate.open >= ALWAYS
    family, still = layer.spec.family, gate.varies < STILL
    last = float(layer.sizes["h"][-1]) if "h" in layer.sizes else math.nan
    cell = float(layer.sizes["c"][-1]) if "c" in layer.sizes else math.nan
    if family == "lstm" and name == "o" and shut and last < EMPTY:
        return "nothing of the cell's state is shown"
    if family == "lstm" and name == "i" and shut and cell < EMPTY and _fills(layer, gate) < EMPTY:
        return "nothing is written into the cell's state"
    if family == "lstm" and name == "f" and wide and cell > 20.0 and _grows(layer):
        return "the cell's state only grows"
    if family == "gru" and name == "r" and shut and still:
        return "the candidate never sees the state before"
    writes = 1.0 - gate.mean if layer.spec.update == "keeps" else gate.mean
    frozen = wide if layer.spec.update == "keeps" else shut
    if family == "gru" and name == "z" and frozen and still and writes < least:
        return f"a step takes in {100 * writes:.2g} % of what is new"
    held = gate.frozen_open if layer.spec.update == "keeps" else gate.frozen_shut
    if family == "gru" and name == "z" and held > MOST_FROZEN and least == FROZEN:
        return f"{100 * held:.0f} % of the units take in next to nothing that is new"
    return ""


def _fills(layer: LayerInside, gate: GateSeen) -> float:
    """What c comes to in the long run, of its candidate: i / (1 − f). With time constants spread on purpose (chrono)
    both are small together.
    """
    if layer.kept is None:
        return math.inf
    return gate.mean / max(1.0 - float(layer.kept.mean()), 1e-6)


def _grows(layer: LayerInside) -> bool:
    curve = layer.sizes["c"]
    return float(curve[-1]) > 1.5 * float(curve[len(curve) // 2])


def saturated_activations(examination: Examination) -> Finding | None:
    """The tanh that h or the candidate comes from lies at its ends, now or when training began; not when it has learnt.

    An RNN that has learnt an automaton's work sits there on purpose.
    """
    left = missing(examination)
    layers = _layers(examination.measured(inside))
    now = {layer.name: layer for layer in layers if _saturated(layer)}
    begun = _layers(examination.measured(inside_at_start))
    start = {layer.name: layer for layer in begun if layer.far >= FAR_AT_START and layer.slope <= SLOPE_AT_START}
    if not (now or start):
        return None
    both = [layer for name, layer in now.items() if name in start]
    layer = max(both or start.values() or now.values(), key=lambda one: one.far)
    changes, text, sure = _since(examination, now=bool(both) or not start, start=bool(start))
    what = "the state" if layer.spec.family == "rnn" else "the candidate"
    when = " before training" if start and not both else ""
    return Finding(
        "saturated activations",
        cost=(0.85 if both else 0.5 if start else 0.7) * left,
        confidence=weighed(sure, left, 0.2 if start else 0.5),
        says=f"{100 * layer.far:.0f} % of the arguments of the tanh of {what} in {layer.name} lie{text} beyond ±3{when}"
        f"; {100 * layer.slope:.2g} % of a gradient comes through a step on average.",
        numbers={"far": layer.far, "slope": layer.slope},
        why=SATURATED_WHY,
        cure=Cure(
            "begin with smaller weights (orthogonal, Glorot for the inputs) and inputs whose deviation is about 1"
            + _slower(changes),
            changes,
        ),
        evidence=_slopes(layers),
    )


def _saturated(layer: LayerInside) -> bool:
    family = layer.spec.family
    return layer.far >= FAR_SHARE.get(family, 1.0) and layer.slope <= SLOPE.get(family, 0.0)


def _slopes(layers: tuple[LayerInside, ...]) -> Evidence | None:
    if len(layers) < 2:
        return None
    return Evidence(
        "Mean derivative of the tanh, by layer",
        tuple(map(float, range(len(layers)))),
        tuple(layer.slope for layer in layers),
        "layer",
        "mean derivative",
        SLOPE.get(layers[0].spec.family, 0.0),
        "saturated",
    )


def _layers(seen: Inside | None) -> tuple[LayerInside, ...]:
    return () if seen is None else seen.layers


def dead_units(examination: Examination) -> Finding | None:
    """ReLU units that are never above zero on the data, of recurrent layers and of `nn.ReLU` modules."""
    left = missing(examination)
    dead = _dead(examination.measured(inside))
    if not dead:
        return None
    name = max(dead, key=dead.__getitem__)
    share = dead[name]
    if share < DEAD_SHARE:
        return None
    before = _dead(examination.measured(inside_at_start)).get(name)
    since = "" if before is None else f" (before training {100 * before:.0f} %)"
    changes: dict[str, object] = {"init": "orthogonal"}
    rate = examination.case.settings.get("learning_rate")
    killed = before is not None and before < DEAD_SHARE
    if killed and isinstance(rate, float):
        changes["learning_rate"] = float(f"{rate / 5:.2g}")
    sure = (
        DEAD_SHARE
        + 0.5 * (share - DEAD_SHARE) / (1.0 - DEAD_SHARE)
        + (0.2 if before is not None and not killed else 0.0)
    )
    return Finding(
        "dead ReLU units",
        cost=min(1.0, share * (0.3 + 0.6 * left)),
        confidence=weighed(min(0.95, sure), left, 0.25),
        says=f"{100 * share:.0f} % of the ReLU units of {name} are never above zero{since}.",
        numbers={"dead": share} | ({} if before is None else {"dead_before": before}),
        why=DEAD_WHY,
        cure=Cure("begin with biases of zero (init orthogonal); a tanh cannot die" + _slower(changes), changes),
        evidence=None,
    )


def _dead(seen: Inside | None) -> dict[str, float]:
    if seen is None:
        return {}
    return {layer.name: layer.dead for layer in seen.layers if not math.isnan(layer.dead)} | dict(seen.relus)
