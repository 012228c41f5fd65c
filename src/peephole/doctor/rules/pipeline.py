"""What may be wrong in one's own code between the data and the net: carried states, padding, targets, rows that mix."""

import math

from peephole.doctor.examination import Examination
from peephole.doctor.finding import Cure, Evidence, Finding
from peephole.doctor.measuring.boundary import Boundary, boundary
from peephole.doctor.measuring.carrying import carried
from peephole.doctor.measuring.leaking import leak
from peephole.doctor.measuring.level import level_of, still_to_learn
from peephole.doctor.measuring.padding import tails
from peephole.doctor.measuring.shifting import copies

GOES_ON = 0.9  # share of rows whose next batch begins with what was wanted last
TELLS, SILENT = 8.0, 3.5  # deviations above chance from which on there is information, and below which there is none
EDGES = 0.5  # total variation by which sequences begin or end with batches in a way of their own
FILLED = 0.5  # share of rows whose end says nothing
RELATED = 4.0  # standard errors by which a row's own state has to be better than another's

PADDED = 0.05  # share of the targets that count
COPIED = 0.25  # share of the rows
MIXED = 1e-5  # share of the outputs' deviation: float32 sums in another order differ by less


def state_carried_across_unrelated_sequences(examination: Examination) -> Finding | None:
    """States that batches hand on although the next batch does not go on where they ended."""
    found = examination.measured(boundary)
    if found is None:
        return None
    confidence = _unrelated(found)
    helped = examination.measured(carried)
    exact = not math.isnan(found.continues)
    if helped is not None and not exact:
        if helped.kinship > RELATED:
            return None  # a row's own state tells it something
        confidence += 0.1 if helped.help < -3 else 0.0
    if confidence <= 0:
        return None
    numbers = {"boundaries": float(found.boundaries), "carried": found.carried}
    if exact:
        numbers["continues"] = found.continues
        told = (
            f"{100 * (1 - found.continues):.0f} % of the rows go on elsewhere at the next batch, though the state is "
            f"carried there"
        )
    else:
        numbers |= {"across": found.across, "within": found.within, "edges": found.edges}
        told = (
            f"{100 * found.carried:.0f} % of the batches go on with the state of the batch before, of whose last step "
            f"their first tells nothing ({found.across:.1f} deviations above chance; "
        )
        told += (
            f"within batches it is {found.within:.1f})"
            if found.within > TELLS
            else f"sequences begin and end with the batch: {100 * found.edges:.0f} % of what stands there does not "
            f"stand inside)"
        )
    if helped is not None:
        numbers |= {"with": helped.carried, "without": helped.none, "of_another_row": helped.other}
        told += f"; the divergence is {helped.carried:.4g} with that state and {helped.none:.4g} without"
    return Finding(
        name="state carried across unrelated sequences",
        cost=max(0.5, still_to_learn(level_of(examination))) * (0.6 + 0.4 * found.carried),
        confidence=min(0.95, confidence),
        says=f"{told}.",
        numbers=numbers,
        why="The net starts each sequence from what another one left behind, noise that it has to learn to forget, and "
        "in evaluation it starts from elsewhere. States may be handed on where a batch goes on with the very rows of "
        "the one before (Williams & Peng 1990; Mikolov et al. 2010).",
        cure=Cure(
            "Start every sequence from the initial state, or feed the rows in such an order that each goes on where it "
            "ended.",
            changes={"carry": False},
            repair="no carry",
        ),
    )


def _unrelated(found: Boundary) -> float:
    """How sure it is that the batches do not go on; 0 where they do, or nothing can be said."""
    if not math.isnan(found.continues):
        return 0.0 if found.continues >= GOES_ON else 0.95 if found.continues < 0.5 else 0.8
    if found.across >= 2 * SILENT or found.filled > FILLED or math.isnan(found.edges):
        return 0.0
    breaks, begins = found.within > TELLS, found.edges > EDGES
    confidence = 0.85 if breaks and begins else 0.7 if breaks else 0.65 if begins else 0.0
    return confidence - (0.3 if found.across > SILENT and confidence else 0.0)


def padding_in_the_divergence(examination: Examination) -> Finding | None:
    """Rows that end in runs of one and the same input and target, which count."""
    found = examination.measured(tails)
    if found is None or found.share < PADDED or found.counted < 2:
        return None
    if found.lengths < 2 and (found.rows < 0.9 or found.counted < 4):
        return None  # padding has different lengths, or all rows have it
    if found.share - found.at_start < PADDED or found.share < 3 * found.at_start:
        return None  # the same runs stand elsewhere: they belong to the data
    longest = max(found.steps)
    return Finding(
        name="padding in the divergence",
        cost=min(1.0, 0.5 + 0.5 * found.share),
        confidence=0.9 if found.lengths >= 3 and found.share >= 2 * PADDED else 0.75,
        says=f"{100 * found.rows:.0f} % of the rows end in a run of one and the same input and target, up to {longest} "
        f"steps long, and these runs are {100 * found.share:.0f} % of the targets that count.",
        numbers={
            "share": found.share,
            "rows": found.rows,
            "mean": sum(found.steps) / len(found.steps),
            "longest": float(longest),
        },
        why="Padding is predicted soon and perfectly: the divergence falls by what it counts, its gradient drowns that "
        "of the answers, and shorter rows count less than longer ones.",
        cure=Cure(
            "Give targets beyond the end of their sequence the weight 0 (in torch: ignore_index, or a mask times the "
            "divergence of each step), and divide by the targets that are left.",
            repair="padding left out",
        ),
        evidence=Evidence(
            "constant ends of the rows",
            tuple((number + 0.5) / len(found.steps) for number in range(len(found.steps))),
            tuple(map(float, found.steps)),
            "share of the rows that have one",
            "steps",
        ),
    )


def targets_shifted(examination: Examination) -> Finding | None:
    """Targets that are what the net has just been given."""
    found = examination.measured(copies)
    if found is None or found.rows < COPIED or found.rows * found.judged < 2:
        return None
    late = f"the input {found.lag} {'step' if found.lag == 1 else 'steps'} before" if found.lag else "the input itself"
    # An echo some steps late may be wanted; the input itself hardly ever, nor either of them in a part of the rows.
    meant = found.lag > 0 and found.rows > 0.95
    return Finding(
        name="targets shifted",
        cost=0.5 + 0.5 * found.rows,
        confidence=0.6 if meant else 0.95,
        says=f"In {100 * found.rows:.0f} % of the rows the target is {late}, at nearly every step that counts.",
        numbers={"rows": found.rows, "lag": float(found.lag), "ahead": found.ahead, "judged": float(found.judged)},
        why="The net learns to copy what it has just read: the divergence falls towards zero, and nothing is "
        "predicted. To predict, the target at step t has to be the input at step t + 1 (Elman 1990).",
        cure=Cure(
            "Cut inputs and targets out of one sequence as x[:-1] and x[1:], along the axis of time not of the batch.",
            repair="targets one step ahead",
        ),
        evidence=Evidence(
            "targets that equal the input",
            tuple(float(number - 1) for number in range(len(found.by_lag))),
            found.by_lag,
            "steps after the input (−1: the next input)",
            "share",
        ),
    )


def batch_rows_that_leak(examination: Examination) -> Finding | None:
    """Outputs of a row that change with the inputs of another one."""
    found = examination.measured(leak)
    if found is None:
        return None
    always = found.evaluating > MIXED + 10 * found.noise
    sometimes = found.training > MIXED + 10 * found.noise
    if not always and not sometimes:
        return None
    change = found.evaluating if always else found.training
    # Batch normalisation mixes rows on purpose, in training; there it is no more than something to know.
    confidence = 0.95 if always else 0.3 if found.statistics else 0.6
    when = "" if always else ", in training mode only"
    return Finding(
        name="batch rows that leak",
        cost=min(1.0, 0.5 + 0.5 * change) if always else 0.3,
        confidence=confidence,
        says=f"When the inputs of one row change, outputs of other rows change by up to {100 * change:.3g} % of their "
        f"standard deviation{when}.",
        numbers={"evaluation": found.evaluating, "training": found.training, "noise": found.noise},
        why="Rows of a batch are sequences of their own: what is mixed in from others is noise that no answer depends "
        "on, or lets the net read an answer in another row, and at other batch sizes it is something else.",
        cure=Cure(
            "Look for a batch_first that does not fit the layout of the batch, a view or reshape where a transpose is "
            "meant, a softmax or mean over the axis of the batch, and statistics over the batch (use layer "
            "normalisation)."
        ),
        evidence=Evidence(
            "change of a row's outputs with the inputs of another row",
            tuple(float(number + 1) for number in range(len(found.by_distance))),
            found.by_distance,
            "rows between",
            "share of the deviation",
            limit=MIXED,
            limit_name="rounding",
            logarithmic=True,
        )
        if always
        else None,
    )
