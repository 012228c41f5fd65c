"""How surprised a model is: −log P of each symbol given those before it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from peephole.errors import InputError
from peephole.models.language.model import LanguageModel
from peephole.streams.snapshot import Streaming
from peephole.streams.stream import Stream
from peephole.streams.threads import map_pieces

CHUNK, NET_CHUNK = 512, 64  # steps at a time: after each, Ctrl-C is heard
ROWS = {"native": 128, "stepwise": 16, "net": 32}  # pieces of text side by side
MANY_SYMBOLS = 4096  # from which on the net itself reads: it makes its products with all of them for many steps at once


@dataclass(frozen=True)
class Pieces:
    """How a long text is cut to be read side by side: pieces of `length` targets, each after `context` unscored steps.

    The state that a piece starts from has seen `context` symbols instead of everything before; with `length` None one
    pass reads the text from its start, exact and slower.
    """

    length: int | None = 4096
    context: int = 512


def surprisals(
    model: Streaming | LanguageModel,
    tokens: NDArray[np.unsignedinteger],
    reset: int,
    pieces: Pieces = Pieces(),
    limit: int | None = None,
) -> NDArray[np.float64]:
    """Surprisal in nats of `tokens[1:]`, `[N − 1]`; of about `limit` of them, in evenly spaced pieces, when given.

    The state starts anew at every input that equals `reset`. The result depends on no number of threads.
    """
    targets = len(tokens) - 1
    if targets < 1:
        raise InputError(f"got {len(tokens)} symbols; expected at least 2, one to start from and one to predict")
    length = min(pieces.length or targets, targets)
    starts = np.arange(0, targets, length)
    if limit is not None and limit < targets:
        wanted = max(1, round(limit / length))
        starts = starts[np.unique(np.linspace(0, len(starts) - 1, wanted).astype(int))]
    reader = _Reader.of(model)
    rows = ROWS[reader.engine]
    groups = [starts[first : first + rows] for first in range(0, len(starts), rows)]
    context = min(pieces.context, targets) if len(starts) > 1 or starts[0] > 0 else 0

    def score(group: NDArray[np.int64]) -> NDArray[np.float64]:
        steps = context + length
        inputs = np.full((steps, len(group)), reset, dtype=np.int64)
        following = np.full((steps, len(group)), reset, dtype=np.int64)
        begins = np.zeros((steps, len(group)), dtype=bool)
        for row, start in enumerate(group):
            first, end = max(0, start - context), min(start + length, targets)
            offset = first - (start - context)  # the text begins inside the context: padding before it
            inputs[offset : offset + end - first, row] = tokens[first:end]
            following[offset : offset + end - first, row] = tokens[first + 1 : end + 1]
            begins[offset, row] = True
            begins[offset : offset + end - first, row] |= tokens[first:end] == reset
        values = reader.read(*map(torch.from_numpy, (inputs, following, begins)))
        kept = [values[context : context + min(length, targets - start), row] for row, start in enumerate(group)]
        return np.concatenate(kept)

    with _evaluating(model):
        # the native engine has threads of its own
        found = list(map(score, groups)) if reader.engine == "native" else map_pieces(score, groups)
    return np.concatenate(found)


@contextmanager
def _evaluating(model: object) -> Iterator[None]:
    """Without dropout, for all pieces that are read at once; then as it was."""
    training = isinstance(model, nn.Module) and model.training
    if isinstance(model, nn.Module):
        model.eval()
    try:
        yield
    finally:
        if isinstance(model, nn.Module):
            model.train(training)


def reads_through(model: object) -> bool:
    """Whether a model's text is better read through the net itself than symbol by symbol."""
    return isinstance(model, LanguageModel) and (not model.packs or model.vocabulary > MANY_SYMBOLS)


@dataclass(frozen=True)
class _Reader:
    """How texts side by side are read: `read(inputs, following, begins)`, `[T, B]` each, gives surprisals `[T, B]`."""

    engine: str
    read: Callable[[Tensor, Tensor, Tensor], NDArray[np.float64]]

    @classmethod
    def of(cls, model: Streaming | LanguageModel) -> "_Reader":
        if isinstance(model, LanguageModel) and reads_through(model):
            return cls("net", partial(_read_through, model))
        stream = model.stream(0)
        if stream.engine == "native":
            return cls("native", partial(_read, stream))
        return cls("stepwise", lambda *given: _read(model.stream(0), *given))


def _read(stream: Stream, inputs: Tensor, following: Tensor, begins: Tensor) -> NDArray[np.float64]:
    """Surprisals in nats, chunk after chunk with carried state, of streams that join for it."""
    ids = stream.join(inputs.shape[1])
    parts: list[Tensor] = []
    for part in _chunks(len(inputs), CHUNK):
        parts.append(stream.surprisals(inputs[part], following[part], ids, _any(begins[part])))
    stream.leave(ids)
    return torch.cat(parts).double().numpy()


def _read_through(net: LanguageModel, inputs: Tensor, following: Tensor, begins: Tensor) -> NDArray[np.float64]:
    """The same by the net itself, many steps at once."""
    device, states = net.head.weight.device, None
    parts: list[Tensor] = []
    for part in _chunks(len(inputs), NET_CHUNK):
        begin = _any(begins[part].to(device))
        values, states = net.surprisals(inputs[part].to(device), following[part].to(device), states, begin)
        parts.append(values.cpu())
    return torch.cat(parts).double().numpy()


def _chunks(steps: int, size: int) -> list[slice]:
    return [slice(start, start + size) for start in range(0, steps, size)]


def _any(begins: Tensor) -> Tensor | None:
    return begins if bool(begins.any()) else None
