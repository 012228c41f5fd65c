"""A trace of `torch.nn`'s RNN, LSTM and GRU, which show nothing: a copy in peephole's layers runs on the same input."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from peephole.errors import InputError
from peephole.nn.exchange import from_torch
from peephole.nn.inside import Inside
from peephole.nn.recurrent import Recurrent
from peephole.ops.tracing import Record
from peephole.ops.tracing.beside import Change

logger = logging.getLogger("peephole")


@contextmanager
def looking_at_torch(net: nn.RNNBase, inside: Inside) -> Iterator[None]:
    """While the block runs, `inside` hears of every call of `net` as if it were peephole's."""
    _say_once(type(net).__name__)

    def hook(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        _run_beside(net, inside, args, kwargs, output)

    def check(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if net.training and net.dropout > 0 and net.num_layers > 1:
            raise InputError(
                f"torch.nn.{type(net).__name__} drops outputs between its layers and tells nobody which; trace it in "
                "evaluation mode, or peephole.from_torch(module) in its place"
            )

    handles = [
        net.register_forward_pre_hook(check, with_kwargs=True),
        net.register_forward_hook(hook, with_kwargs=True),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@lru_cache(maxsize=16)
def _say_once(kind: str) -> None:
    logger.warning("torch.nn.%s shows nothing of its inside: a copy in peephole's layers runs beside it", kind)


def _run_beside(net: Any, inside: Inside, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
    like = net.weight_ih_l0
    with torch.random.fork_rng([like.device] if like.is_cuda else []):  # a new layer draws its weights
        copy = from_torch(net)
    copy.dropout = 0.0
    listening = _Listening(inside, f"a copy of torch.nn.{type(net).__name__} in peephole's layers")
    copy._inside = (*getattr(net.forward, "inside", ()), listening)  # and who takes a hand in the module
    given = _tensors(output)
    wants = torch.is_grad_enabled() and any(each.requires_grad for each in given)
    with torch.set_grad_enabled(wants):
        again = _tensors(copy(*map(_detached, args), **{name: _detached(value) for name, value in kwargs.items()}))
    if wants:
        _carry_over(given, again, listening.records, list(copy.parameters()))


class _Listening:
    """Another `Inside`, and the records that it gave."""

    def __init__(self, inside: Inside, by: str) -> None:
        self.inside, self.by, self.records = inside, by, list[Record]()

    def begin(self, net: Recurrent, steps: int, batch: int, lengths: Tensor | None) -> None:
        self.inside.begin(net, steps, batch, lengths)

    def record(self, net: Recurrent, layer: int, reverse: bool) -> Record | None:
        record = self.inside.record(net, layer, reverse)
        if record is not None:
            record.source = self.by
            self.records.append(record)
        return record

    def change(self, net: Recurrent, layer: int, reverse: bool) -> Change | None:
        return None


def _carry_over(
    given: list[Tensor], again: list[Tensor], records: list[Record], parameters: list[nn.Parameter]
) -> None:
    """The gradients that reach what the module gave go back through the copy when somebody asks for what they show."""
    came: dict[int, Tensor] = {}

    def back() -> None:
        if came:
            reached, gradients = [again[number] for number in came], list(came.values())
            came.clear()
            torch.autograd.backward(reached, gradients, inputs=parameters, retain_graph=True)

    def hear(number: int, gradient: Tensor) -> None:
        if not came:
            for record in records:
                record.unfinished.insert(0, back)  # before the equations look for what came of it
        came[number] = came[number] + gradient.detach() if number in came else gradient.detach()

    for number, tensor in enumerate(given):
        if tensor.requires_grad:
            tensor.register_hook(partial(hear, number))


def _tensors(output: Any) -> list[Tensor]:
    """Output and final states; of a packed output its data."""
    sequence, finals = output
    first = sequence.data if isinstance(sequence, PackedSequence) else sequence
    return [first, *((finals,) if isinstance(finals, Tensor) else finals)]


def _detached(value: Any) -> Any:
    if isinstance(value, PackedSequence):
        return PackedSequence(value.data.detach(), value.batch_sizes, value.sorted_indices, value.unsorted_indices)
    if isinstance(value, Tensor):
        return value.detach()
    return tuple(map(_detached, value)) if isinstance(value, tuple) else value
