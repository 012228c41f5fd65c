"""`Perceptron`: the lecture's one-to-one net, which answers each step from that step alone. No recurrence."""

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor, nn
from torch.nn.functional import dropout

from peephole.errors import InputError
from peephole.models.heads import Pooled
from peephole.models.inputs import entered, width_of
from peephole.shapes import Logits, Resets


class Perceptron(nn.Module):
    """Input layer, one hidden layer of ReLU units, head: called and trained as a `SequenceModel`, without states.

    `model(inputs [T, B, …], lengths=[B]) -> (outputs [T, B, O] or [1, B, O], ())`. What it answers at a step depends on
    that step; a `Pooled` head sees all of them, in no order.
    """

    def __init__(self, inputs: nn.Module, hidden_size: int, head: nn.Linear, rate: float = 0.0) -> None:
        """`head` reads `hidden_size` numbers; `rate` is the share of hidden units dropped while training."""
        super().__init__()
        if hidden_size < 1:
            raise InputError(f"hidden_size is {hidden_size}; expected at least 1")
        self.embedding, self.head, self.rate = inputs, head, rate
        self.hidden = nn.Linear(width_of(inputs), hidden_size)

    def initial_states(self, batch: int) -> tuple[Tensor, ...]:
        """None: it has no states."""
        return ()

    def forward(
        self,
        inputs: Tensor,
        states: Sequence[Tensor] | None = None,
        resets: Resets | None = None,
        seed: Tensor | None = None,
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> tuple[Logits, tuple[Tensor, ...]]:
        x, inner = entered(self.embedding, inputs, lengths)
        y = dropout(torch.relu(self.hidden(x)), self.rate, self.training)
        return (self.head(y, inner) if isinstance(self.head, Pooled) else self.head(y)), ()
