"""Drawing symbols one after another from a model's distributions."""

import time
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from peephole.generate.config import Sampling
from peephole.shapes import Distributions
from peephole.streams.snapshot import Streaming

SLICE_SECONDS = 0.03  # of one call, so that text appears as it is written and Ctrl-C is heard
MOST_STEPS = 4096


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


class Writing:
    """`count` texts that go on from the symbols of `prime` (at least one), each drawn with random numbers of its own.

    The text with number i is the same whatever is written beside it. Symbols in `never` are not drawn; after `end` a
    text repeats it.
    """

    def __init__(
        self,
        model: Streaming,
        prime: Sequence[int],
        how: Sampling,
        count: int = 1,
        never: Sequence[int] = (),
        end: int | None = None,
    ) -> None:
        self.open = list(range(count))  # numbers of the texts that are still written
        self._how, self._never, self._end = how, list(never), end
        self._stream = model.stream(1)
        if len(prime) > 1:
            self._stream.read(torch.tensor(prime[:-1])[:, None], last=True)
        if count > 1:  # the prime is read once
            others = self._stream.join(count - 1)
            self._stream.copy(self._stream.ids[:1].expand(count - 1), others)
        self._stream.seed(how.seed)
        self._ids = self._stream.ids
        self._last = torch.full((count,), prime[-1], dtype=torch.int64)
        self._ended = torch.zeros(count, dtype=torch.bool)
        self._steps = 1  # of the next slice

    def take(self, most: int) -> NDArray[np.int64]:
        """The next symbols of the texts in `open`, `[steps, texts]`: as many as a moment gives, at most `most`."""
        steps = min(self._steps, most, MOST_STEPS)
        before = time.perf_counter()
        drawn = self._draw(steps)
        seconds = max(time.perf_counter() - before, 1e-6)
        self._steps = max(1, min(2 * steps, round(steps * SLICE_SECONDS / seconds)))
        if self._end is not None:
            drawn[:, self._ended] = self._end
            self._ended |= drawn[-1] == self._end
        self._last = drawn[-1].contiguous()
        return drawn.numpy()

    def close(self, number: int) -> None:
        """Write text `number` no further."""
        place = self.open.index(number)
        kept = torch.arange(len(self.open)) != place
        self._stream.leave(self._ids[place : place + 1])
        self._ids, self._last, self._ended = self._ids[kept], self._last[kept], self._ended[kept]
        del self.open[place]

    def _draw(self, steps: int) -> Tensor:
        how = self._how
        if self._stream.engine == "native":
            return self._stream.draw(
                self._last,
                steps,
                self._ids,
                temperature=how.temperature,
                top_k=how.top_k,
                top_p=how.top_p,
                end=self._end,
                never=self._never,
            )
        rows: list[Tensor] = []
        last, ended = self._last, self._ended
        for _ in range(steps):
            logs = self._stream.step(last, self._ids)
            logs[:, self._never] = -torch.inf
            last = torch.where(ended, last, self._pick(narrow(logs, how), ended))
            ended = ended if self._end is None else ended | (last == self._end)
            rows.append(last)
        return torch.stack(rows)

    def _pick(self, probabilities: Tensor, ended: Tensor) -> Tensor:
        """One symbol of each row, at the place that the stream's random number points at."""
        likeliest = probabilities.argmax(-1)
        going = (~ended).nonzero()[:, 0]
        if self._how.temperature == 0 or not len(going):
            return likeliest
        sums = probabilities[going].double().cumsum(-1)
        places = self._stream.uniform(self._ids[going]) * sums[:, -1]
        picked = torch.searchsorted(sums, places[:, None], right=True)[:, 0]
        possible = torch.where(probabilities[going] > 0, torch.arange(probabilities.shape[-1]), 0).amax(-1)
        return likeliest.index_put((going,), torch.minimum(picked, possible))
