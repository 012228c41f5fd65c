"""`Following`: a one-sided net of any input layer and head, step by step in constant memory."""

from collections import deque

import torch
from jaxtyping import Float
from torch import Tensor, nn

from peephole.models.heads import Pooled
from peephole.models.inputs import Convolution, Numbers, Projection, entered
from peephole.models.sequence import SequenceModel
from peephole.streams.stream import Stream


class Following:
    """One sequence that comes step by step: `step(inputs [1, …]) -> outputs [1, O]`, logits or values.

    The recurrent layers run over weights that are packed once. An input layer that the packed model lacks is run beside
    it, and a head that pools is kept up to date: what comes out after t steps is what the model says of a sequence that
    ends there. A convolution with a stride answers after every `stride` steps, and None in between.

    Raises:
        InputError: a net of both directions.
    """

    def __init__(self, model: SequenceModel, weights: str = "float32") -> None:
        self.model = model.eval()
        self.stream: Stream = model.stream(weights=weights)
        self._inside = isinstance(model.embedding, nn.Embedding | Numbers | Projection)  # what the stream has itself
        self._recent = _Recent(model.embedding) if isinstance(model.embedding, Convolution) else None
        self._pool = _Pool(model.head) if isinstance(model.head, Pooled) else None

    @torch.no_grad()
    def step(self, inputs: Tensor) -> Float[Tensor, "one outputs"] | None:
        """The answer after this step; log-probabilities where the head answers every step with classes."""
        x: Tensor | None = inputs
        if self._recent is not None:
            x = self._recent.add(inputs)
        elif not self._inside:
            x = entered(self.model.embedding, inputs[None])[0][0]
        if x is None:
            return None
        output = self.stream.step(x)
        return output if self._pool is None else self._pool.add(output)

    def reset(self) -> None:
        """Forget the sequence: the next step is the first of another."""
        self.stream.reset()
        if self._recent is not None:
            self._recent.clear()
        if self._pool is not None:
            self._pool.clear()


class _Recent:
    """The steps that a convolution still reads."""

    def __init__(self, layer: Convolution) -> None:
        self.layer = layer
        self.clear()

    def clear(self) -> None:
        self.steps: deque[Tensor] = deque(maxlen=self.layer.kernel)
        self.count = 0

    def add(self, inputs: Tensor) -> Tensor | None:
        """`[1, width]` after every `stride` steps."""
        self.steps.append(inputs)
        self.count += 1
        if self.count % self.layer.stride:
            return None
        missing = self.layer.kernel - len(self.steps)
        seen = torch.stack([torch.zeros_like(inputs)] * missing + list(self.steps), -1)  # [1, I, kernel]
        return torch.relu(self.layer.filters(seen))[..., 0]


class _Pool:
    """A pool over the steps so far."""

    def __init__(self, head: Pooled) -> None:
        self.head = head
        self.clear()

    def clear(self) -> None:
        self.total: Tensor | float = 0.0
        self.weight: Tensor | float = 0.0
        self.most: Tensor | None = None
        self.top: Tensor | None = None

    def add(self, y: Tensor) -> Tensor:
        """The answer `[1, O]` to the sequence up to this y `[1, width]`."""
        head, parts = self.head, []
        if head.pool == "last":
            parts = [y]
        if head.pool in ("mean", "mean-max"):
            self.total, self.weight = self.total + y, self.weight + 1.0
            parts.append(self.total / self.weight)
        if head.pool in ("max", "mean-max"):
            self.most = y if self.most is None else torch.maximum(self.most, y)
            parts.append(self.most)
        if head.score is not None:
            score = head.score(torch.tanh(y))
            before = score if self.top is None else self.top
            self.top = torch.maximum(before, score)
            share, old = torch.exp(score - self.top), torch.exp(before - self.top)
            self.total, self.weight = self.total * old + share * y, self.weight * old + share
            parts.append(self.total / self.weight)
        return nn.functional.linear(torch.cat(parts, -1), head.weight, head.bias)
