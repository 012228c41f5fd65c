"""Causes in how far back a net reaches: gradients that die before what matters, and windows that cut it off."""

import math

from peephole.doctor.examination import Examination
from peephole.doctor.finding import MEDIUM, Cure, Evidence, Finding
from peephole.doctor.measuring.dependency import lags
from peephole.doctor.measuring.missing import MOST_WHERE_LEARNT, has_just_begun, missing
from peephole.doctor.measuring.reach import Cut, Reach, cut_by, reach
from peephole.inside.nets import recurrent_nets
from peephole.nn.recurrent import Recurrent

LEARNT = 0.1  # less than this to be learnt: whatever reaches back reaches far enough
EXPLAINED = 0.05  # share of the residual that makes lags count as a dependency
# Relative bias of a truncated gradient that misleads, by the longest window that it is asked of: a text is learnt as
# well with windows of 16 steps, which leave out a quarter, as with longer ones.
CUT = {7: 0.35, 15: 0.45, 10**9: 0.6}
GROWS = 10.0  # a flow that grows this much over lag is not cut but explodes, which is another cause
SMALLEST = 32  # window that is advised

BEYOND_WHY = (
    "What has to be learnt about an input arrives as a gradient through every step in between; one that has died on "
    "the way teaches nothing (Bengio, Simard & Frasconi 1994; Hochreiter et al. 2001; Pascanu, Mikolov & Bengio 2013)"
)
WINDOW_WHY = (
    "Back-propagation that stops at a window's edge leaves out what earlier inputs did, so the gradient points "
    "elsewhere (Williams & Peng 1990; Tallec & Ollivier 2017; Aicher, Foti & Fox 2019)"
)


def dependency_beyond_horizon(examination: Examination) -> Finding | None:
    """Where the task is not learnt, what has to be remembered lies further back than gradients flow."""
    left = missing(examination)
    flow = examination.measured(reach)
    if flow is None or left < LEARNT or flow.horizon is None:
        return None
    dependency, told = examination.case.dependency, True
    if dependency is None:
        found = examination.measured(lags)
        dependency, told = (None if found is None else found.furthest(EXPLAINED)), False
    if dependency is None or dependency <= flow.horizon:
        return None
    arrives = _arrives(flow, dependency)
    confidence = min(0.9 if told else 0.5, 0.1 + 0.1 * arrives) * min(1.0, left / 0.7)
    if not told and has_just_begun(examination):
        confidence = min(confidence, MOST_WHERE_LEARNT)
    curve = flow.furthest.tolist()
    whose = "the task asks for" if told else "what the net gets wrong depends on inputs up to"
    return Finding(
        "dependency beyond the horizon",
        cost=0.85 * left,
        confidence=confidence,
        says=f"Gradients fall under 1 % after {flow.horizon} steps, {whose} {dependency} steps back, where "
        f"{f'about 1e-{arrives:.0f} of them' if arrives < 30 else 'nothing'} arrives.",
        numbers={
            "horizon": float(flow.horizon),
            "dependency": float(dependency),
            "arrives": 10.0 ** -min(300.0, arrives),
        },
        why=BEYOND_WHY,
        cure=_longer(examination, dependency),
        evidence=Evidence(
            "Gradient flow over lag",
            tuple(map(float, range(len(curve)))),
            tuple(curve),
            "lag in steps",
            "flow relative to lag 0",
            0.01,
            "1 %",
            logarithmic=True,
        ),
    )


def _arrives(flow: Reach, lag: int) -> float:
    """−log₁₀ of the flow that arrives at a lag; further than was looked at it goes on as steeply as up to there."""
    curve = flow.furthest.clamp_min(1e-300)
    last = min(lag, len(curve) - 1)
    return max(0.0, -math.log10(float(curve[last])) * lag / max(1, last))


def _longer(examination: Examination, dependency: int) -> Cure:
    """What lets gradients reach `dependency` steps, by the cell."""
    model = examination.case.model
    cells = {_cell(net) for _, net in recurrent_nets(model)} if model is not None else set()
    if cells and cells <= {"rnn"}:
        return Cure(
            "use an LSTM whose gates begin with time constants up to the dependency (chrono), or an RNN that begins at "
            "the identity with ReLUs; begin with shorter sequences",
            {"cell": "lstm", "nonlinearity": "tanh", "init": "chrono", "longest": max(3, dependency)},
        )
    return Cure(
        f"begin with gates whose time constants spread up to {dependency} steps (chrono, Tallec & Ollivier 2018), and "
        "with shorter sequences",
        {"init": "chrono", "longest": max(3, dependency)},
    )


def _cell(net: object) -> str:
    return net.spec.family if isinstance(net, Recurrent) else type(net).__name__.lower()


def window_too_short(examination: Examination) -> Finding | None:
    """Windows with carried states that cut off what matters: by the task, or by how far the cut gradient is off."""
    case, left = examination.case, missing(examination)
    if left < LEARNT or not case.training:
        return None
    cut_up = any(batch.carry for batch in case.training) or case.streams is not None
    if not cut_up or case.settings.get("bptt") == "full":
        return None
    window = max(batch.steps for batch in case.training)
    bias = cut_by(examination, window, max(96, min(256, 2 * window)))
    flow = examination.measured(reach)
    if case.dependency is not None:
        return _by_task(window, case.dependency, left, bias, flow) if case.dependency >= window else None
    if bias is None or flow is None or float(flow.furthest.max()) > GROWS:
        return None
    found = examination.measured(lags)
    explained = 0.0 if found is None else found.beyond(window)
    limit = next(limit for longest, limit in CUT.items() if window <= longest)
    if bias.bias < limit and explained < EXPLAINED:
        return None
    horizon = flow.longest if flow.horizon is None else flow.horizon
    wanted = max(horizon, 2 * window, (found.furthest(EXPLAINED) or 0) if found is not None else 0)
    seen = [f"windows of {window} steps leave out {100 * min(1.0, bias.bias):.0f} % of the gradient"]
    if explained >= EXPLAINED:
        seen.append(f"inputs before them explain {100 * explained:.0f} % of what the net gets wrong")
    sure = max(
        MEDIUM + bias.bias - limit if bias.bias >= limit else 0.0, MEDIUM + explained if explained >= EXPLAINED else 0.0
    )
    return _window(
        f"{' and '.join(seen).capitalize()}; gradients would reach {horizon} steps.",
        {"window": float(window), "bias": bias.bias, "horizon": float(horizon), "explained": explained},
        cost=left * min(1.0, 0.5 + bias.bias),
        confidence=min(
            MOST_WHERE_LEARNT if has_just_begun(examination) else 0.85, sure + (0.15 if window < 8 else 0.0)
        ),
        wanted=wanted,
        flow=flow,
        window=window,
    )


def _by_task(window: int, dependency: int, left: float, bias: Cut | None, flow: Reach | None) -> Finding:
    numbers = {"window": float(window), "dependency": float(dependency)}
    if bias is not None:
        numbers["bias"] = bias.bias
    return _window(
        f"The answer depends on inputs {dependency} steps back; gradients end after the {window} steps of a window.",
        numbers,
        cost=0.95 * left,
        confidence=0.9 * min(1.0, left / 0.5),
        wanted=dependency + 1,
        flow=flow,
        window=window,
    )


def _window(
    says: str,
    numbers: dict[str, float],
    *,
    cost: float,
    confidence: float,
    wanted: int,
    flow: Reach | None,
    window: int,
) -> Finding:
    longer = max(SMALLEST, 2 ** math.ceil(math.log2(wanted + 1)))
    curve = [] if flow is None else flow.furthest.tolist()
    evidence = Evidence(
        f"Gradient flow over lag; windows end at {window}",
        tuple(map(float, range(len(curve)))),
        tuple(curve),
        "lag in steps",
        "flow relative to lag 0",
        logarithmic=True,
    )
    return Finding(
        "window shorter than the dependency",
        cost=cost,
        confidence=confidence,
        says=says,
        numbers=numbers,
        why=WINDOW_WHY,
        cure=Cure(f"train on windows of {longer} steps", {"window": longer}),
        evidence=evidence if curve else None,
    )
