"""`StaticModel`: what a recurrent net is compared with, a feed-forward net that reads all steps at once."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import one_hot, pad

from peephole.errors import InputError
from peephole.shapes import Logits, Resets, Symbols


class StaticModel(nn.Module):
    """A multilayer perceptron over `steps` steps: each has weights of its own, and all answers come at once.

    `model(symbols [T, B]) -> (logits [T, B, O], ())`, or `model(numbers [T, B, I])` with `features` in place of
    symbols: called and trained as a `SequenceModel`, without states. Symbols go in one-hot, or through an embedding of
    `embedding_size` that all steps share; then `layers` hidden layers of ReLU units. The answer at a step sees every
    step, later ones too.

    Fewer steps are filled up with zeros, which are no symbol. Of more the first `steps` are read; the answers after
    them are zeros, for there is nothing to make them of.
    """

    def __init__(
        self,
        symbols: int,
        outputs: int,
        steps: int,
        hidden_size: int = 64,
        layers: int = 1,
        embedding_size: int = 0,
        features: int = 0,
    ) -> None:
        super().__init__()
        if (symbols > 0) == (features > 0):
            raise InputError(f"got {symbols} symbols and {features} features; expected one of them to be the input")
        for name, size in {"outputs": outputs, "steps": steps, "hidden_size": hidden_size, "layers": layers}.items():
            if size < 1:
                raise InputError(f"{name} is {size}; expected at least 1")
        if embedding_size < 0 or (embedding_size and features):
            raise InputError(f"embedding_size is {embedding_size}; expected at least 0, and 0 where numbers go in")
        self.symbols, self.features, self.outputs = symbols, features, outputs
        self.steps, self.hidden_size, self.embedding_size = steps, hidden_size, embedding_size
        self.embedding: nn.Embedding | None = nn.Embedding(symbols, embedding_size) if embedding_size else None
        widths = [steps * (features or embedding_size or symbols), *[hidden_size] * layers]
        self.hidden = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))
        self.head = nn.Linear(hidden_size, steps * outputs)

    def initial_states(self, batch: int) -> tuple[Tensor, ...]:
        """None: it has no states."""
        return ()

    def forward(
        self,
        inputs: Symbols | Float[Tensor, "time batch features"],
        states: Sequence[Tensor] | None = None,
        resets: Resets | None = None,
        seed: Tensor | None = None,
    ) -> tuple[Logits, tuple[Tensor, ...]]:
        if states or (resets is not None and bool(resets.any())):
            raise InputError("a static net has no state to go on from or to reset; expected whole sequences")
        given = len(inputs)
        values = self._fitted(self._as_numbers(inputs[: self.steps]), self.steps)  # [T, B, W]
        values = values.transpose(0, 1).flatten(1)
        for layer in self.hidden:
            values = torch.relu(layer(values))
        answers = self.head(values).unflatten(1, (self.steps, self.outputs)).transpose(0, 1)
        return self._fitted(answers[:given], given), ()

    def widened(self, steps: int) -> "StaticModel":
        """A net that reads `steps` steps, more than this one: weights of the new steps as a new net draws them."""
        if steps <= self.steps:
            raise InputError(f"steps is {steps}; expected more than the {self.steps} that the net reads")
        wide = StaticModel(
            self.symbols, self.outputs, steps, self.hidden_size, len(self.hidden), self.embedding_size, self.features
        )
        with torch.no_grad():
            for new, old in zip(wide.parameters(), self.parameters(), strict=True):
                new[tuple(map(slice, old.shape))] = old  # the first steps come first in rows and columns
        return wide.to(self.head.weight)

    def _as_numbers(self, inputs: Tensor) -> Tensor:
        if self.features:
            return inputs
        if self.embedding is not None:
            return self.embedding(inputs)
        return one_hot(inputs, self.symbols).to(self.head.weight)

    @staticmethod
    def _fitted(values: Tensor, steps: int) -> Tensor:
        """`[T, B, ·]` with zeros after what is there, up to `steps`."""
        return values if len(values) == steps else pad(values, (0, 0, 0, 0, 0, steps - len(values)))
