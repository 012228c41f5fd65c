"""A record filled while a kernel runs: the compiled ones keep all of it anyway, beside others the equations run too."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from peephole._native import layer, recomputing
from peephole._native.layer import Shown, new_saved, room_for, run_forward
from peephole._native.reading import Saved
from peephole.errors import InputError
from peephole.operands import Operands, Selection, state_dtype
from peephole.ops.support import KERNELS
from peephole.ops.tracing import beside
from peephole.ops.tracing.contributions import Contributions, contributions
from peephole.ops.tracing.record import Later, Piece

Given = tuple[Tensor, tuple[Tensor, ...], Tensor]


def forward(operands: Operands, kernel: str, save: bool, piece: Piece) -> Given:
    """What the kernel's forward gives: y, the final states, and with `save` what its backward needs."""
    if kernel not in ("native", "recomputing"):
        y, finals, saved = KERNELS[kernel].forward(operands, save)
        beside.show(operands, piece)
        return y, tuple(finals), saved
    if kernel == "native" and (save or piece.record.wanted.everything):
        saved = new_saved(operands)
        y, finals = _run_shown(operands, saved, piece)
        return y, finals, saved if save else y.new_empty(0)
    # States now and then, from which the steps that are wanted are run again: memory for those alone.
    y, finals, checkpoints = recomputing.forward(operands, True)
    for number in range(len(checkpoints)):
        start, operands_of_segment = recomputing.segment(operands, checkpoints, number)
        within = piece.piece(start, start + operands_of_segment.x.shape[0])
        if not within.empty:
            _run_shown(operands_of_segment, new_saved(operands_of_segment), within)
    return y, tuple(finals), checkpoints if save and kernel == "recomputing" else y.new_empty(0)


def backward(
    operands: Operands,
    kernel: str,
    grads: Sequence[Tensor],
    y: Tensor,
    finals: Sequence[Tensor],
    saved: Tensor,
    piece: Piece,
    wants_x: bool,
    wants_weights: bool,
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """What the kernel's backward gives: gradients of x, of each initial state and of each weight."""
    if kernel == "native":
        shown = Shown.room(operands)
        given = layer.backward(operands, grads, y, finals, saved, wants_x, wants_weights, shown)
        _show_gradients(operands, y, saved, shown, piece)
        return given
    if kernel == "recomputing":

        def show(start: int, segment: Operands, y: Tensor, saved: Tensor, shown: Shown) -> None:
            within = piece.piece(start, start + segment.x.shape[0])
            if not within.empty:
                _show_gradients(segment, y, saved, shown, within, at_once=True)  # what was recomputed is not to stay

        return recomputing.backward(operands, grads, y, finals, saved, wants_x, wants_weights, show)
    beside.show_gradients(operands, grads, piece)
    return KERNELS[kernel].backward(operands, grads, y, finals, saved)


def _run_shown(operands: Operands, saved: Tensor, piece: Piece) -> tuple[Tensor, tuple[Tensor, ...]]:
    rows, spec = operands.weights[0].shape[0], operands.spec
    z = None
    if piece.record.preactivations:
        z = room_for((*operands.x.shape[:2], rows), state_dtype(operands.dtype))
    y, finals = run_forward(operands, saved, preactivations=z)
    piece.record.by = "the compiled kernels"
    kept = tuple(final.detach().clone() for final in finals)  # those that are given away may be written into
    read, wanted = Saved(without_graph(operands), saved, y.detach(), kept), piece.wanted
    later: dict[str, Later] = {}
    if spec.family != "rnn":
        later |= {name: _reading(read.gate, name, wanted) for name in spec.gates}
    check = unchanged("output of a traced layer", read.y)

    def hidden_state() -> Tensor:
        check()
        return read.hidden(wanted).clone()

    later["h"] = hidden_state
    if spec.family == "lstm":
        later["c"] = lambda: read.cell(wanted)
    if z is not None:
        hidden = rows // len(spec.gates)
        for place, name in enumerate(spec.gates):
            later[f"z_{name}"] = _reading(_part, z[..., place * hidden : (place + 1) * hidden], wanted)
    values: Mapping[str, Tensor | Later] = later
    if not piece.record.wanted.everything:  # what is read now need not be held
        values = {name: read_now() for name, read_now in later.items()}
    piece.shows(values)
    return y, finals


def _reading(read: Callable[..., Tensor], what: object, wanted: Selection) -> Later:
    return lambda: read(what, wanted)


def _part(values: Tensor, wanted: Selection) -> Tensor:
    chosen = wanted.of(values)
    return chosen.clone() if chosen.data_ptr() == values.data_ptr() else chosen


def without_graph(operands: Operands) -> Operands:
    """The same numbers, from which nothing leads back to the graph they are part of."""
    return replace(
        operands,
        x=operands.x.detach(),
        states=[state.detach() for state in operands.states],
        weights=[weight.detach() for weight in operands.weights],
    )


def unchanged(what: str, tensor: Tensor) -> Callable[[], None]:
    """Raises `InputError` when it is called and somebody has written into the tensor, of which there is no copy."""
    counted = not tensor.is_inference()
    version = tensor._version if counted else 0

    def check() -> None:
        if counted and tensor._version != version:
            raise InputError(
                f"the {what} was changed in place before it was read; read it before that, or trace with a filter, "
                "which copies"
            )

    return check


def _show_gradients(
    operands: Operands, y: Tensor, saved: Tensor, shown: Shown, piece: Piece, at_once: bool = False
) -> None:
    spec, wanted = operands.spec, piece.wanted
    gradients = {"h": wanted.of(shown.dhidden)}
    if shown.dcell is not None:
        gradients["c"] = wanted.of(shown.dcell)
    piece.shows_gradients(gradients)
    y, held = y.detach(), without_graph(operands)
    checks = unchanged("output of a traced layer", y), unchanged("input of a traced layer", held.x)
    begun = replace(held, states=[state.clone() for state in held.states])
    embedding = None if piece.record.embedding is None else piece.record.embedding.detach().clone()

    def find() -> Contributions:
        for check in checks:
            check()
        reset = None
        if spec.family == "gru" and spec.reset != "none":
            reset = Saved(held, saved, y, ()).gate("r", Selection())
        return contributions(begun, y, shown.dz, reset, embedding)

    piece.adds(find, at_once)
