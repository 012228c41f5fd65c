"""Causes in what carries the state from step to step: recurrent weights that forget or blow up, forget gates shut."""

import math

from torch import Tensor

from peephole.doctor.examination import Examination
from peephole.doctor.finding import Cure, Evidence, Finding
from peephole.doctor.measuring.inside import Inside, LayerInside, inside, inside_at_start
from peephole.doctor.measuring.missing import missing, weighed
from peephole.doctor.measuring.recurrence import Memory, memory, memory_at_start

SURE_BY_STEPS = {1: 0.9, 2: 0.9, 3: 0.85, 4: 0.7, 5: 0.5}  # confidence by the step at which 1 % is left
RADIUS = 0.5  # torch's own start has about 0.58, which is no fault by itself
SLOPE = {"sigmoid": 0.25, "softmax": 0.25}  # largest derivative of those activations that are flatter than the identity
GROWTH, LARGE = 4.0, 5.0  # over half of the steps; what only adds up grows by 2
FORGETS = 0.3  # of a state that a step keeps: 1 % is left after 4 steps

FORGET_WHY = (
    "A recurrence whose weights shrink the state by a constant factor forgets exponentially fast, whatever the input "
    "(Hochreiter 1991; Bengio, Simard & Frasconi 1994; Pascanu, Mikolov & Bengio 2013)"
)
BLOW_UP_WHY = (
    "A recurrence without saturation whose weights stretch the state grows exponentially with the steps, and its "
    "gradients with it (Le, Jaitly & Hinton 2015; Pascanu, Mikolov & Bengio 2013)"
)
BIAS_WHY = (
    "A forget gate that begins nearly shut empties the state within a few steps, and no gradient comes through to open "
    "it (Gers, Schmidhuber & Cummins 2000; Jozefowicz, Zaremba & Sutskever 2015)"
)


def weights_that_forget(examination: Examination) -> Finding | None:
    """An RNN whose states have nothing left of what came a few steps before, because its recurrent weights are small;
    now, or when training began, which then had to mend that first.
    """
    left = missing(examination)
    now, before = examination.measured(memory), examination.measured(memory_at_start)
    if now is None or not now.radius:
        return None
    sure, begun = _forgets(examination, now), 0.0 if before is None else _forgets(examination, before)
    if not max(sure, begun):
        return None
    shown = now if sure or before is None else before
    radius, curve = _effective(examination, shown), shown.longest.tolist()
    when = "Before training" if shown is before else "Now as before training" if begun else "Now"
    after = f"; training brought it to {_effective(examination, now):.2g}" if shown is before else ""
    relu = any(layer.spec.nonlinearity == "relu" for layer in _layers(examination))
    init = "identity" if relu else "orthogonal"
    return Finding(
        "recurrent weights that forget",
        cost=(0.9 if sure else 0.5) * left,
        confidence=weighed(max(sure, 0.9 * begun), left, 0.2 if begun else 0.4),
        says=f"{when} {100 * curve[1]:.0f} % of what came before is left in the states after one step more and under 1 "
        f"% after {shown.steps}: the spectral radius of the recurrent weights is {radius:.2g}{after}.",
        numbers={"steps": float(shown.steps), "radius": radius, "after_one_step": curve[1]},
        why=FORGET_WHY,
        cure=Cure(f"begin with recurrent weights that keep the state's length: {init}", {"init": init}),
        evidence=Evidence(
            "What is left of another past",
            tuple(map(float, range(len(curve)))),
            tuple(max(each, 1e-12) for each in curve),
            "steps since",
            "difference of the states",
            0.01,
            "1 %",
            logarithmic=True,
        ),
    )


def _forgets(examination: Examination, found: Memory) -> float:
    """How sure it is that recurrent weights, and nothing else, make the states forget."""
    small = bool(found.radius) and _effective(examination, found) < RADIUS
    return SURE_BY_STEPS.get(found.steps, 0.0) if small else 0.0


def _effective(examination: Examination, found: Memory) -> float:
    slopes = [SLOPE.get(layer.spec.nonlinearity, 1.0) for layer in _layers(examination)] or [1.0]
    return max(found.radius.values()) * max(slopes)


def _layers(examination: Examination) -> tuple[LayerInside, ...]:
    seen = examination.measured(inside)
    return () if seen is None else seen.layers


def weights_that_blow_up(examination: Examination) -> Finding | None:
    """States that grow over the steps of a sequence, or overflow, now or when training began."""
    left = missing(examination)
    layer = _growing(examination.measured(inside))
    start = _growing(examination.measured(inside_at_start))
    begun = layer is None
    layer = start if layer is None else layer
    if layer is None:
        return None
    curve = layer.sizes["h"]
    growth, last = _growth(curve), float(curve[-1])
    overflows = not math.isfinite(last)
    when = "before training " if begun else ""
    says = f"{when}the states of {layer.name} "
    says += (
        "overflow" if overflows else f"grow {growth:.3g} times over the later half of {len(curve)} steps, to {last:.3g}"
    )
    relu = layer.spec.nonlinearity == "relu"
    init = "identity" if relu else "orthogonal"
    shown = [min(max(float(each), 1e-12), 1e38) if math.isfinite(float(each)) else 1e38 for each in curve]
    return Finding(
        "recurrent weights that blow up",
        cost=(0.5 if begun and not _died(examination) else 0.95) * left,
        confidence=weighed(0.95 if overflows or start is not None else 0.75, left, 0.25),
        says=f"{says[0].upper()}{says[1:]}.",
        numbers={"growth": min(growth, 1e38), "last": min(last, 1e38) if not math.isnan(last) else 1e38},
        why=BLOW_UP_WHY,
        cure=Cure(
            f"begin with recurrent weights that keep the state's length ({init}), and limit the gradient",
            {"init": init, "clip_norm": 1.0},
        ),
        evidence=Evidence(
            f"Size of the states of {layer.name}",
            tuple(map(float, range(len(shown)))),
            tuple(shown),
            "step",
            "root mean square of h",
            logarithmic=True,
        ),
    )


def _growing(seen: Inside | None) -> LayerInside | None:
    """The layer without bounds on its states that grows most, if it does."""
    found = [
        layer
        for layer in (() if seen is None else seen.layers)
        if layer.spec.family == "rnn" and "h" in layer.sizes and _grows(layer)
    ]
    return max(found, key=lambda layer: _growth(layer.sizes["h"]), default=None)


def _grows(layer: LayerInside) -> bool:
    bounded = layer.spec.nonlinearity in ("tanh", "sigmoid", "softmax") and layer.spec.residual == "none"
    curve = layer.sizes["h"]
    if bounded or not math.isfinite(float(curve[0])):  # what is not finite from the first step on was never carried
        return False
    return _growth(curve) > GROWTH and not float(curve[-1]) < LARGE


def _growth(curve: Tensor) -> float:
    middle, last = float(curve[(len(curve) - 1) // 2]), float(curve[-1])
    if not math.isfinite(last):
        return math.inf
    return last / max(middle, 1e-6)


def _died(examination: Examination) -> bool:
    history = examination.case.history
    return bool(history) and "died" in history[-1]


def forget_bias_that_forgets(examination: Examination) -> Finding | None:
    """A gate that keeps the state (f, or the GRU's update gate) so far shut that nothing lasts, now or at the start."""
    left = missing(examination)
    now = _least_kept(examination.measured(inside))
    if now is None:
        return None
    layer, kept = now
    begun = _least_kept(examination.measured(inside_at_start))
    start = None if begun is None else float(begun[1].mean())
    mean, best = float(kept.mean()), float(kept.quantile(0.9))
    sure = 0.0
    if mean < FORGETS:
        sure = 0.9 if best < FORGETS else 0.75
    elif start is not None and start < FORGETS:
        sure = 0.7
    if start is not None and start >= FORGETS:  # training shut it, perhaps because nothing is worth remembering
        sure = min(sure, 0.45 if best < FORGETS else 0.3)
    if not sure:
        return None
    gate = "update gate" if layer.spec.family == "gru" else "forget gate"
    steps = math.log(0.01) / math.log(min(max(best, 1e-6), 0.9999))
    where = "" if start is None else f" (before training {100 * start:.0f} %)"
    known = examination.case.dependency
    cure = Cure("begin with a forget gate that is open: bias 1", {"forget_bias": 1.0})
    if layer.spec.family == "gru" or (known or 0) >= 20:
        longest = known if known is not None and known >= 3 else 32
        cure = Cure(
            f"begin with gates whose time constants spread up to {longest} steps (chrono, Tallec & Ollivier 2018)",
            {"init": "chrono", "longest": longest},
        )
    shares = kept.sort(descending=True).values.tolist()
    return Finding(
        "forget bias that forgets",
        cost=(0.9 if mean < 0.5 else 0.5) * left,
        confidence=weighed(sure, left, 0.4 if start is None else 0.2),
        says=f"The {gate} of {layer.name} keeps {100 * mean:.0f} % of the state a step{where}; of nine units in ten "
        f"less than 1 % is left after {max(1, math.ceil(steps))} steps.",
        numbers={"kept": mean, "kept_by_the_best": best} | ({} if start is None else {"kept_before": start}),
        why=BIAS_WHY,
        cure=cure,
        evidence=Evidence(
            f"What the units of {layer.name} keep of their state a step",
            tuple(map(float, range(1, len(shares) + 1))),
            tuple(shares),
            "unit, in order",
            "share kept a step",
            FORGETS,
            "gone in four steps",
        ),
    )


def _least_kept(seen: Inside | None) -> tuple[LayerInside, Tensor] | None:
    """The layer that keeps least, by its mean."""
    found = [(layer, layer.kept) for layer in (() if seen is None else seen.layers) if layer.kept is not None]
    found = [(layer, kept) for layer, kept in found if bool(kept.isfinite().all())]
    return min(found, key=lambda each: float(each[1].mean()), default=None)
