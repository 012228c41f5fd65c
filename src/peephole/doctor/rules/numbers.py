"""Causes in the numbers themselves: some that are not finite, and weights with too few bits for their updates."""

import math

from peephole.doctor.examination import Examination
from peephole.doctor.finding import Cure, Evidence, Finding
from peephole.doctor.measuring.attainable import attainable
from peephole.doctor.measuring.course import course
from peephole.doctor.measuring.finite import Birth, birth
from peephole.doctor.measuring.rounding import MULTIPLES, rounding

NAN_WHY = (
    "One number that is not finite makes everything that is computed from it so: the divergence, all gradients and, "
    "one step later, all weights. Where it is born first decides what to mend"
)
BFLOAT16_WHY = (
    "bfloat16 has 8 bits for the size of a weight: an update under about 1/512 of it is rounded away, however often it "
    "is repeated. Weights are kept in float32 beside the fast products (Micikevicius et al. 2018)"
)


def not_a_number(examination: Examination) -> Finding | None:
    """Whatever is not finite, at the place where it is first."""
    found = examination.measured(birth)
    if not found.kind:
        return None
    went = examination.measured(course)
    died = f" The training died: {went.died.split(';')[0]}." if went.died and found.kind != "history" else ""
    return Finding(
        "not a number",
        cost=1.0,
        confidence=0.97,
        says=f"Not finite first in {found.where}.{died}"
        if found.kind != "history"
        else f"Training died: {found.where}.",
        numbers={"share": found.share} if found.share else {},
        why=NAN_WHY,
        cure=_finite_cure(found, examination),
        evidence=_norms(examination),
    )


def _finite_cure(found: Birth, examination: Examination) -> Cure:
    if found.kind == "data":
        return Cure(f"Mend {found.where}: leave such examples out, or put in what is known.", repair="finite inputs")
    if found.kind == "start":
        return Cure("Fill every weight before training begins.", {"init": "orthogonal"}, repair="finite inputs")
    settings = examination.case.settings
    rate, clip = settings.get("learning_rate"), settings.get("clip_norm")
    changes: dict[str, float] = {}
    if isinstance(rate, int | float):
        changes["learning_rate"] = float(f"{rate / 10:.0e}")
    changes["clip_norm"] = min(1.0, float(clip)) if isinstance(clip, int | float) else 1.0
    text = "Train with shorter steps: a tenth of the learning rate, and gradients shortened to a length of 1."
    return Cure(text, changes)


def _norms(examination: Examination) -> Evidence | None:
    """The last 100 gradient norms before the end."""
    went = examination.measured(course)
    if len(went.norms) < 2:
        return None
    x, y = went.steps[-100:], went.norms[-100:]
    return Evidence(
        "Length of the gradient", tuple(map(float, x)), tuple(map(float, y)), "step", "‖∂Div/∂w‖", logarithmic=True
    )


def bfloat16_loses(examination: Examination) -> Finding | None:
    """Weights that need no more than half the bits, which training in float32 does not leave so."""
    found = examination.measured(rounding)
    if found.kept == "float32":
        return None
    lost = examination.measured(attainable).lost
    known = math.isfinite(found.lost)
    share = found.lost if known else 0.5
    confidence = 0.5 if not known else 0.6 if share < 0.2 else 0.95
    rounded = f"an update at a learning rate of {found.rate:.2g} leaves {100 * share:.0f} % of them as they are"
    return Finding(
        "bfloat16 loses updates",
        cost=min(1.0, max(0.5 * share, (lost if math.isfinite(lost) else 0.5) * (0.5 + 0.5 * share))),
        confidence=confidence,
        says=f"All weights are numbers of {found.kept}{f': {rounded}' if known else ''}.",
        numbers={"lost": share, "learning_rate": found.rate} if known else {},
        why=BFLOAT16_WHY,
        cure=Cure("Keep the weights in float32, and only the products in half the bits.", repair="float32 weights"),
        evidence=Evidence(
            f"Updates that {found.kept} rounds away",
            tuple(math.log10(found.rate * each) for each in MULTIPLES),
            found.curve,
            "log10 of the learning rate",
            "share of the weights",
        )
        if known
        else None,
    )
