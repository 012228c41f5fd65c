"""Drawing symbols one after another from a model's distributions."""

from collections.abc import Iterator, Sequence

import torch

from peephole.generate.config import Sampling
from peephole.generate.stream import Stream
from peephole.models.sequence import SequenceModel
from peephole.shapes import Distributions


def narrow(logs: Distributions, how: Sampling) -> Distributions:
    """The distribution to draw from: temperature, then top-k, then top-p, normalised again."""
    if how.temperature == 0:
        return torch.nn.functional.one_hot(logs.argmax(-1), logs.shape[-1]).to(logs.dtype)
    # below the largest, so that no temperature, however low, makes every one of them infinite
    below = logs - logs.max(-1, keepdim=True).values
    probabilities = torch.softmax(below / max(how.temperature, torch.finfo(logs.dtype).tiny), dim=-1)
    if how.top_k is not None or how.top_p is not None:
        ranked, order = probabilities.sort(dim=-1, descending=True, stable=True)
        if how.top_k is not None:
            ranked[:, how.top_k :] = 0.0
        if how.top_p is not None and how.top_p < 1:
            before = ranked.cumsum(-1) - ranked  # the likeliest stays, whatever p is
            ranked = ranked.where(before < how.top_p * ranked.sum(-1, keepdim=True), 0.0)
        probabilities = torch.zeros_like(ranked).scatter(-1, order, ranked)
    return probabilities / probabilities.sum(-1, keepdim=True)


def draw(
    model: SequenceModel, prime: Sequence[int], how: Sampling, streams: int = 1, never: Sequence[int] = ()
) -> Iterator[list[int]]:
    """Symbols without end, one per stream at a time, after the symbols of `prime` (at least one).

    Each stream has a generator of its own, seeded by (seed, stream); symbols in `never` are not drawn.
    """
    stream = Stream(model, streams)
    generators = [torch.Generator().manual_seed(how.seed * 1_000_003 + index) for index in range(streams)]
    symbols = torch.tensor(prime)[:, None].expand(-1, streams)
    logs = stream.read(symbols)[-1].cpu()
    while True:
        logs[:, list(never)] = -torch.inf
        probabilities = narrow(logs, how)
        drawn = [
            int(torch.multinomial(row, 1, generator=each)) for row, each in zip(probabilities, generators, strict=True)
        ]
        yield drawn
        logs = stream.step(torch.tensor(drawn)).cpu()
