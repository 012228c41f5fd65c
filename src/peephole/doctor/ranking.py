"""Which findings explain which: causes in the order in which to mend them."""

from collections.abc import Sequence
from dataclasses import replace

from peephole.doctor.finding import CAUSES, HIGH, Finding

LEARNING = CAUSES[CAUSES.index("learning rate too high") :]  # whatever may be wrong with net and training

# A cause and what it may bring about: wrong data comes before weights, and weights before what they do to gradients.
EXPLAINS: dict[str, tuple[str, ...]] = {
    "not a number": LEARNING,
    "nothing to predict": LEARNING,
    "targets shifted": LEARNING,
    "inputs not normalised": LEARNING,
    "batch rows that leak": ("net too large for the data",),
    "padding in the divergence": ("net too large for the data",),
    "state carried across unrelated sequences": (
        "dependency beyond the horizon",
        "window shorter than the dependency",
        "net too small for the data",
        "net too large for the data",
    ),
    "bfloat16 loses updates": ("learning rate too low", "net too small for the data", "dependency beyond the horizon"),
    "learning rate too high": (
        "not a number",
        "exploding gradient",
        "clipping on every step",
        "recurrent weights that blow up",
        "recurrent weights that forget",
        "forget bias that forgets",
        "gates stuck",
        "saturated activations",
        "dead ReLU units",
        "dependency beyond the horizon",
        "net too small for the data",
    ),
    "learning rate too low": ("net too small for the data",),
    "clipping on every step": ("learning rate too low", "net too small for the data"),
    "recurrent weights that blow up": (
        "not a number",
        "exploding gradient",
        "clipping on every step",
        "saturated activations",
        "dependency beyond the horizon",
        "net too small for the data",
    ),
    "exploding gradient": (
        "not a number",
        "clipping on every step",
        "saturated activations",
        "dependency beyond the horizon",
        "net too small for the data",
    ),
    "recurrent weights that forget": ("dependency beyond the horizon", "net too small for the data"),
    "forget bias that forgets": ("gates stuck", "dependency beyond the horizon", "net too small for the data"),
    "gates stuck": (
        "learning rate too low",
        "dependency beyond the horizon",
        "window shorter than the dependency",
        "net too small for the data",
    ),
    "saturated activations": ("gates stuck", "dependency beyond the horizon", "net too small for the data"),
    "dead ReLU units": ("learning rate too low", "dependency beyond the horizon", "net too small for the data"),
    "window shorter than the dependency": ("dependency beyond the horizon", "net too small for the data"),
}


def ranked(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Causes first, what they cost as far as it is sure deciding; one that another explains stands after all that none
    does, and says so. Then the symptoms.
    """
    causes = sorted((one for one in findings if one.kind == "cause"), key=lambda one: -one.weight)
    told = [replace(one, follows=_explainer(one, causes)) for one in causes]
    first = [one for one in told if not one.follows]
    symptoms = sorted((one for one in findings if one.kind == "symptom"), key=lambda one: -one.weight)
    return (*first, *(one for one in told if one.follows), *symptoms)


def _explainer(finding: Finding, causes: Sequence[Finding]) -> str:
    """The weightiest cause that is sure enough to explain this one; empty where there is none."""
    if _was_born_outside(finding):
        return ""
    for other in causes:
        if other.name == "not a number" and not _was_born_outside(other):
            continue  # it is itself what came of another
        if finding.name in EXPLAINS.get(other.name, ()) and other.confidence >= min(HIGH, finding.confidence):
            return other.name
    return ""


def _was_born_outside(finding: Finding) -> bool:
    """Whether it is a number that was not finite before the net had anything to do with it."""
    return finding.name == "not a number" and bool(finding.cure.repair)
