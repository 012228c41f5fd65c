"""`trace`: gates, states, pre-activations and gradients of every step, while a model runs as it always does."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from peephole.inside.memory import check_fits
from peephole.inside.nets import looked_into, recurrent_nets
from peephole.inside.seen import Seen
from peephole.inside.selection import Which, chosen
from peephole.inside.torch_nets import looking_at_torch
from peephole.inside.traced import TracedLayer
from peephole.nn.recurrent import Recurrent
from peephole.operands import Selection, state_dtype
from peephole.ops.tracing import Record
from peephole.ops.tracing.beside import Change


@contextmanager
def trace(
    model: nn.Module,
    layers: int | Sequence[int] | None = None,
    units: Which = None,
    steps: Which = None,
    rows: Which = None,
    *,
    preactivations: bool = False,
    gradients: bool = True,
) -> Iterator[Seen]:
    """See inside the recurrent nets of `model` in everything that runs within the block.

        with peephole.trace(model) as seen:
            output, _ = model(x)
            divergence(output).backward()
        seen.layers[0].gates["f"]        # [T, B, H]
        seen.layers[0].gradients["c"]    # ∂Div/∂c_t, [T, B, H]

    Outputs, gradients and back ends are those of the untraced run, bit for bit: the compiled kernels keep all of it for
    their backward anyway. Other kernels have the equations run beside them, and `torch.nn` modules a copy in peephole's
    layers (each layer's `by` says so). `layers`, `units`, `steps` and `rows` (one, several, a slice, or all) say what
    is kept; with any of them only that stays in memory, without gradients even of sequences of any length.
    `preactivations` adds what enters the activations; `gradients=False` leaves the backward as it is.

    Raises:
        InputError: the model has no recurrent net or went through torch.compile; a layer is not there. At the call: a
            unit, step or row is not there; what would be kept does not fit into memory (with a filter that would).
    """
    nets = recurrent_nets(model)
    seen = Seen()
    with ExitStack() as stack:
        for name, net in nets:
            chosen("layers", layers, net.num_layers)  # before anything runs
            watcher = _Watcher(name, seen, layers, units, steps, rows, preactivations, gradients)
            if isinstance(net, Recurrent):
                stack.enter_context(looked_into(net, watcher))
            else:
                stack.enter_context(looking_at_torch(net, watcher))
        yield seen


class _Watcher:
    """The `Inside` of a trace: one record for each wanted layer and direction of each call."""

    def __init__(
        self,
        name: str,
        seen: Seen,
        layers: int | Sequence[int] | None,
        units: Which,
        steps: Which,
        rows: Which,
        preactivations: bool,
        gradients: bool,
    ) -> None:
        self.name, self.seen = name, seen
        self.layers, self.units, self.steps, self.rows = layers, units, steps, rows
        self.preactivations, self.gradients = preactivations, gradients

    def begin(self, net: Recurrent, steps: int, batch: int, lengths: Tensor | None) -> None:
        """A new call: what of it is wanted, and whether that fits."""
        like = net.all_weights[0][0]
        chosen_layers = chosen("layers", self.layers, net.num_layers)
        self.wanted_layers = set(range(net.num_layers) if chosen_layers is None else chosen_layers.tolist())
        self.wanted = Selection(
            chosen("steps", self.steps, steps),
            chosen("rows", self.rows, batch),
            chosen("units", self.units, net.hidden_size),
        )
        self.sizes, self.lengths = (steps, batch), lengths
        self._check_memory(net, like)
        if like.device.type != "cpu":
            self.wanted = Selection(
                *(_on(each, like.device) for each in (self.wanted.steps, self.wanted.rows, self.wanted.units))
            )
        self.call = self.seen.begin(self.name)

    def record(self, net: Recurrent, layer: int, reverse: bool) -> Record | None:
        if layer not in self.wanted_layers:
            return None
        record = Record(self.wanted, self.preactivations, self.gradients)
        device = net.all_weights[0][0].device
        steps, rows, units = (
            torch.arange(size, device=device) if index is None else index
            for index, size in (
                (self.wanted.steps, self.sizes[0]),
                (self.wanted.rows, self.sizes[1]),
                (self.wanted.units, net.hidden_size),
            )
        )
        alive = None if self.lengths is None else steps[:, None] < self.lengths[rows]
        self.call.append(TracedLayer(self.name, net.spec, layer, reverse, record, steps, rows, units, alive))
        return record

    def change(self, net: Recurrent, layer: int, reverse: bool) -> Change | None:
        return None

    def _check_memory(self, net: Recurrent, like: Tensor) -> None:
        spec, (steps, batch) = net.spec, self.sizes
        kinds = len(spec.gates) * (1 + self.preactivations) + len(spec.states) * (1 + self.gradients)
        if self.gradients and self.wanted.everything:  # of pre-activations, until contributions are read
            kinds += len(spec.gates)
        kept = [
            size if index is None else len(index)
            for index, size in (
                (self.wanted.steps, steps),
                (self.wanted.rows, batch),
                (self.wanted.units, net.hidden_size),
            )
        ]
        count = kinds * kept[0] * kept[1] * kept[2] * len(self.wanted_layers) * net.num_directions
        check_fits(self.name, count, state_dtype(like.dtype).itemsize, kept[0], kept[2], like.device)


def _on(index: Tensor | None, device: torch.device) -> Tensor | None:
    return None if index is None else index.to(device)
