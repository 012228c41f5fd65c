"""A model on a batch, and what a divergence says of what it gave: the run that an effect compares."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from peephole.errors import InputError

Divergence = Callable[[Any], Any]


@dataclass(frozen=True, eq=False)
class Measured:
    """A divergence: its sum, and where it gives them the numbers of each step `[T]`, row `[B]` or both `[T, B]`."""

    total: float
    steps: Tensor | None = None
    rows: Tensor | None = None
    both: Tensor | None = None


def run(model: nn.Module, batch: Any) -> Any:
    """What the model gives: of output and states the output. `InputError` where it does not take the batch."""
    try:
        if isinstance(batch, Mapping):
            given = model(**batch)
        else:
            given = (
                model(*batch) if isinstance(batch, tuple) and not isinstance(batch, PackedSequence) else model(batch)
            )
    except InputError:
        raise
    except Exception as error:  # the module's own words, and where they came from, stay in the cause
        said = " ".join(str(error).split()) or "no reason given"
        raise InputError(f"{type(model).__name__} does not take this batch ({type(error).__name__}: {said})") from error
    return given[0] if isinstance(given, tuple) and not isinstance(given, PackedSequence) else given


def measure(divergence: Divergence, output: Any, shape: tuple[int, int] | None) -> Measured:
    """The divergence of an output over `shape` T, B: a number, or one for each step, row, or both.

    Without a shape, which a net has that is called more than once, two axes are steps and rows, and one is steps.
    `InputError` for anything else.
    """
    value = divergence(output)
    if not isinstance(value, Tensor) or not value.is_floating_point():
        got = f"a tensor of {value.dtype}" if isinstance(value, Tensor) else type(value).__name__
        raise InputError(f"the divergence returned {got}; expected a tensor, one number or one for each step and row")
    value = value.detach().double().cpu()
    total, got = float(value.sum()), tuple(value.shape)
    if got in ((), (1,)):
        return Measured(total)
    steps, rows = shape or (got[0], got[-1])
    if got == (steps, rows):
        return Measured(total, value.sum(1), value.sum(0), value)
    if got == (rows, steps):
        return Measured(total, value.sum(0), value.sum(1), value.T)
    if got == (steps,):
        return Measured(total, steps=value)
    if got == (rows,):
        return Measured(total, rows=value)
    raise InputError(
        f"the divergence has shape {list(got)}; expected one number, or one for each of {steps} steps and {rows} rows"
    )


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Without dropout and noise; every part's mode is put back."""
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training
