"""How surprised a model is: −log P of each symbol given those before it."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from peephole.errors import InputError
from peephole.streams.snapshot import Streaming
from peephole.streams.stream import Stream
from peephole.streams.threads import map_pieces

CHUNK = 512  # steps at a time: after each, Ctrl-C is heard
ROWS = {"native": 128, "stepwise": 16}  # pieces of text side by side


@dataclass(frozen=True)
class Pieces:
    """How a long text is cut to be read side by side: pieces of `length` targets, each after `context` unscored steps.

    The state that a piece starts from has seen `context` symbols instead of everything before; with `length` None one
    pass reads the text from its start, exact and slower.
    """

    length: int | None = 4096
    context: int = 512


def surprisals(
    model: Streaming,
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
    stream = model.stream(0)
    rows = ROWS[stream.engine]
    groups = [starts[first : first + rows] for first in range(0, len(starts), rows)]
    context = min(pieces.context, targets) if len(starts) > 1 or starts[0] > 0 else 0

    def score(group: NDArray[np.int64], stream: Stream) -> NDArray[np.float64]:
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
        values = _read(stream, *map(torch.from_numpy, (inputs, following, begins)))
        kept = [values[context : context + min(length, targets - start), row] for row, start in enumerate(group)]
        return np.concatenate(kept)

    if stream.engine == "native":  # which has threads of its own
        found = [score(group, stream) for group in groups]
    else:
        found = map_pieces(lambda group: score(group, model.stream(0)), groups)
    return np.concatenate(found)


def _read(stream: Stream, inputs: torch.Tensor, following: torch.Tensor, begins: torch.Tensor) -> NDArray[np.float64]:
    """Surprisals `[T, B]` in nats, chunk after chunk with carried state, of streams that join for it."""
    ids = stream.join(inputs.shape[1])
    parts: list[torch.Tensor] = []
    for start in range(0, len(inputs), CHUNK):
        part = slice(start, start + CHUNK)
        begin = begins[part] if bool(begins[part].any()) else None
        parts.append(stream.surprisals(inputs[part], following[part], ids, begin))
    stream.leave(ids)
    return torch.cat(parts).double().numpy()
