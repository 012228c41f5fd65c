"""How surprised a model is: −log P of each symbol given those before it."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from peephole.errors import InputError
from peephole.generate.threads import map_pieces
from peephole.models.sequence import SequenceModel

CHUNK = 512  # steps at a time, so that logits stay small
ROWS = 16  # pieces of text side by side


@dataclass(frozen=True)
class Pieces:
    """How a long text is cut to be read side by side: pieces of `length` targets, each after `context` unscored steps.

    The state that a piece starts from has seen `context` symbols instead of everything before; with `length` None one
    pass reads the text from its start, exact and slower.
    """

    length: int | None = 4096
    context: int = 512


def surprisals(
    model: SequenceModel,
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
    groups = [starts[first : first + ROWS] for first in range(0, len(starts), ROWS)]
    context = min(pieces.context, targets) if len(starts) > 1 or starts[0] > 0 else 0
    model.eval()
    device = model.embedding.weight.device

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
        values = _read(model, torch.from_numpy(inputs), torch.from_numpy(following), torch.from_numpy(begins), device)
        kept = [values[context : context + min(length, targets - start), row] for row, start in enumerate(group)]
        return np.concatenate(kept)

    return np.concatenate(map_pieces(score, groups))


@torch.no_grad()
def _read(
    model: SequenceModel,
    inputs: torch.Tensor,
    following: torch.Tensor,
    begins: torch.Tensor,
    device: torch.device,
) -> NDArray[np.float64]:
    """Surprisals `[T, B]` in nats, chunk after chunk with carried state."""
    states = model.initial_states(inputs.shape[1])
    parts: list[torch.Tensor] = []
    for start in range(0, len(inputs), CHUNK):
        part = slice(start, start + CHUNK)
        begin = begins[part].to(device)
        begin_or_none = begin if bool(begin.any()) else None
        logits, states = model(inputs[part].to(device), states, begin_or_none)
        logs = torch.log_softmax(logits.float(), dim=-1)
        parts.append(-logs.gather(-1, following[part].to(device)[..., None])[..., 0].double().cpu())
    return torch.cat(parts).numpy()
