"""What a search finds: hypotheses, and everything that it looked at on the way."""

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor

Fate = Literal["kept", "ended", "pruned"]


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """One answer.

    Attributes:
        symbols: what it says, the end included where it ended.
        log_probability: of all of them, in nats.
        ended: whether it ended by itself; else it was stopped.
        attention: where the decoder looked as it said each, `[U, S]`; None where it looks at nothing.
    """

    symbols: tuple[int, ...]
    log_probability: float
    ended: bool
    attention: Float[Tensor, "symbols places"] | None = None

    def score(self, length_power: float) -> float:
        """log P / length^power: 0 prefers short answers, 1 the mean over their symbols (after Wu et al. 2016, eq. 14).

        The length is that of `symbols`, the end included.
        """
        return self.log_probability / max(1, len(self.symbols)) ** length_power


@dataclass(frozen=True)
class Node:
    """One symbol that a search considered after those before it.

    Attributes:
        symbol: which.
        log_probability: of all symbols up to it, in nats.
        parent: number of the node before it; -1 at the beginning.
        fate: `kept`, it was gone on from; `ended`, it is the end of a hypothesis; `pruned`, others were likelier.
    """

    symbol: int
    log_probability: float
    parent: int
    fate: Fate


@dataclass(frozen=True, eq=False)
class Found:
    """What a search found for one source.

    Attributes:
        hypotheses: the best first.
        nodes: all that it considered, step by step, the likelier first; empty unless it was asked to keep them.
    """

    hypotheses: tuple[Hypothesis, ...]
    nodes: tuple[Node, ...] = ()

    @property
    def best(self) -> Hypothesis:
        """The first."""
        return self.hypotheses[0]
