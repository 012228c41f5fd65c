"""The section on what is inside now: the stability laboratory on a small held-out batch, so that it takes seconds."""

from collections.abc import Callable

from peephole.errors import InputError
from peephole.models.language.time_delay import TimeDelayModel
from peephole.models.perceptron import Perceptron
from peephole.models.static import StaticModel
from peephole.report.gates import saturated_gates
from peephole.report.parts import Paragraph, Part, Picture, parts_or_reason
from peephole.stability.backward.flow import gradient_flow
from peephole.stability.forward.lyapunov import lyapunov_spectrum
from peephole.stability.forward.saturation import saturation
from peephole.stability.forward.timescales import timescales
from peephole.stability.recordings.recording import record
from peephole.tasks.subject import Subject

SEQUENCES, STEPS, TARGETS, EXPONENTS = 4, 100, 8, 16
STARTS = 3  # of nudges, for timescales: each carries a matrix of all states back
MOST_LAYERS = 4  # with figures of their own
MOST_WORK = 4e12  # products that a measurement may take; wider nets are left to `peephole stability`


def laboratory(subject: Subject) -> list[Part]:
    """Flow, horizon, saturation, timescales and spectrum. `InputError` for a static net, and without weights."""
    subject.need_weights()
    model = subject.model
    if isinstance(model.model, StaticModel | Perceptron | TimeDelayModel):
        raise InputError("a net without recurrence, nothing flows through time in it")
    batch, divergence = model.examined(SEQUENCES, None, STEPS)
    net = model.model
    recording = record(net, batch)
    width = max(sum(passage.sizes) for passage in recording.passages)
    work = recording.steps * recording.batch * TARGETS * len(recording.passages) * 4.0 * width**2
    if work > MOST_WORK:
        raise InputError(f"layers with {width:,} states are too wide to measure in passing; use `peephole stability`")
    told = (
        f"Measured on {recording.batch} held-out sequences of {recording.steps} steps, with the weights as they are "
        "kept; `peephole stability` takes more of them and says how sure it is."
    )

    def flow() -> list[Part]:
        return [Picture("Gradient flow over lag", gradient_flow(net, batch, divergence, TARGETS))]

    def gates() -> list[Part]:
        layers = recording.passages[:MOST_LAYERS]
        return [Picture(f"Saturation, {layer.name}", saturated_gates(layer)) for layer in layers]

    def spectrum() -> list[Part]:
        count = min(EXPONENTS, sum(recording.passages[0].sizes))
        return [Picture("Lyapunov spectrum", lyapunov_spectrum(net, batch, exponents=count))]

    making: tuple[Callable[[], list[Part]], ...] = (
        flow,
        gates,
        lambda: [Picture("Bounds of the states", saturation(net, batch))],
        lambda: [Picture("Timescales", timescales(net, batch, starts=STARTS))],
        spectrum,
    )
    return [Paragraph(told), *(part for make in making for part in parts_or_reason(lambda make=make: _finite(make)))]


def _finite(make: Callable[[], list[Part]]) -> list[Part]:
    """The parts; `InputError` where the numbers of a net that blew up leave the range in which they can be measured."""
    try:
        return make()
    except (ValueError, ArithmeticError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"the net's numbers are out of range ({error})") from error
