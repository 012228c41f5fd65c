"""Attention: where a decoder looks in what an encoder made of the source, step by step.

    e_ts = score(query_t, key_s)      a_ts = softmax over s of e_ts      context_t = Σ_s a_ts value_s

Each is called `attention(queries [U, B, Q], keys, memory) -> (contexts [U, B, M], weights [U, B, S])`, with the keys
that `attention.keys(memory)` makes once of a whole source.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from peephole.errors import InputError

Score = Literal["additive", "multiplicative", "dot"]


@dataclass(frozen=True, eq=False)
class Memory:
    """What an encoder made of sources.

    Attributes:
        steps: of each place of a source, `[S, B, M]`.
        lengths: places of each row, `[B]`; None where all rows have all of them.
        summary: of each source as a whole, `[B, K]`.
    """

    steps: Float[Tensor, "places batch features"]
    lengths: Int[Tensor, " batch"] | None
    summary: Float[Tensor, "batch summary"]

    @property
    def alive(self) -> Bool[Tensor, "places batch"] | None:
        """Which places lie before the end of their row; None where all do."""
        if self.lengths is None:
            return None
        places = torch.arange(len(self.steps), device=self.steps.device)[:, None]
        return places < self.lengths.to(self.steps.device)

    def rows(self, numbers: Int[Tensor, " rows"]) -> "Memory":
        """Of those rows alone, each as often as it is named."""
        lengths = None if self.lengths is None else self.lengths[numbers]
        return Memory(self.steps[:, numbers], lengths, self.summary[numbers])


class Attention(nn.Module):
    """Soft attention with one of three scores of a query q and a place m.

    - additive: v · tanh(W q + V m + b) (Bahdanau, Cho and Bengio 2015)
    - multiplicative: q · (V m) (Luong, Pham and Manning 2015, "general")
    - dot: q · m, which needs both to be as wide ("dot" there)

    Arguments: `query` numbers of a query, `memory` numbers of a place, and `width`, the inner width of the additive
    score.
    """

    def __init__(self, query: int, memory: int, score: Score = "multiplicative", width: int | None = None) -> None:
        super().__init__()
        if score not in get_args(Score):
            raise InputError(f"score is {score!r}; expected one of {', '.join(get_args(Score))}")
        if score == "dot" and query != memory:
            raise InputError(f"a dot of {query} and {memory} numbers; expected as many, or a multiplicative score")
        self.score: Score = score
        inner = (width or query) if score == "additive" else query
        self.key: nn.Linear | None = None if score == "dot" else nn.Linear(memory, inner, bias=score == "additive")
        self.query: nn.Linear | None = nn.Linear(query, inner, bias=False) if score == "additive" else None
        self.vector: nn.Linear | None = nn.Linear(inner, 1, bias=False) if score == "additive" else None

    def keys(self, memory: Memory) -> Float[Tensor, "places batch inner"]:
        """What queries are compared with, of every place; the same for all queries."""
        return memory.steps if self.key is None else self.key(memory.steps)

    def forward(
        self,
        queries: Float[Tensor, "steps batch query"],
        keys: Float[Tensor, "places batch inner"],
        memory: Memory,
    ) -> tuple[Float[Tensor, "steps batch features"], Float[Tensor, "steps batch places"]]:
        """Contexts and weights; a row without places looks at nothing, and its context is zero."""
        if self.query is None or self.vector is None:
            scores = torch.einsum("ubq,sbq->ubs", queries, keys)
        else:
            scores = self.vector(torch.tanh(self.query(queries)[:, None] + keys)).squeeze(-1).transpose(1, 2)
        alive = memory.alive
        if alive is not None:
            scores = scores.masked_fill(~alive.t(), torch.finfo(scores.dtype).min)
        weights = torch.softmax(scores, -1)
        if alive is not None:
            weights = weights * alive.t()  # of a row without places softmax shares among what there is not
        return torch.einsum("ubs,sbm->ubm", weights, memory.steps), weights
