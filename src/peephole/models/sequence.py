"""`SequenceModel`: input layer, recurrent stack, head."""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace

import torch
from jaxtyping import Int
from torch import Tensor, nn
from torch.nn import functional

from peephole.errors import InputError
from peephole.models.config import ModelConfig
from peephole.models.heads import Pooled
from peephole.models.inputs import Numbers, Projection, entered, width_of
from peephole.models.layers import recurrent_layers
from peephole.shapes import Logits, Resets
from peephole.streams.opening import open_stream
from peephole.streams.snapshot import Snapshot
from peephole.streams.source import Source
from peephole.streams.stepwise import Steps
from peephole.streams.stream import Stream

States = tuple[Tensor, ...]


class SequenceModel(nn.Module):
    """Input layer, recurrent layers, head: sequences in, one vector of outputs a step or a sequence out.

    `model(inputs [T, B, …], states, resets [T, B], lengths=[B]) -> (outputs [T, B, O] or [1, B, O], states)`; each
    state is `[L·D, B, ·]`. A `seed`, an int64 scalar, fixes the noise in the recurrence while training.

    Attributes:
        embedding: the input layer, one of `models.inputs` or `nn.Embedding`. As an argument a number V stands for an
            embedding of V symbols.
        head: `nn.Linear` for an answer a step, `Pooled` for one a sequence. As an argument a number O stands for
            `nn.Linear` with so many outputs; without one there are as many as symbols, or numbers a step.
        valued: whether outputs are no logits of classes: a stream then gives them as they are, in place of the
            log-probabilities that it makes of logits.
    """

    def __init__(
        self,
        inputs: int | nn.Module,
        config: ModelConfig,
        head: int | nn.Linear | None = None,
        valued: bool = False,
    ) -> None:
        super().__init__()
        if isinstance(inputs, int):
            if inputs < 1:
                raise InputError(f"got {inputs} symbols; expected at least 1, or an input layer")
            inputs = nn.Embedding(inputs, config.embedding_size)
        self.config, self.valued = config, valued
        self.embedding = inputs
        self.recurrent = recurrent_layers(config, width_of(inputs), config.bidirectional, config.learned_states)
        if head is None:
            head = self.vocabulary or width_of(inputs)
        self.head: nn.Linear = nn.Linear(config.width, head) if isinstance(head, int) else head
        if config.init != "torch":
            if isinstance(inputs, nn.Embedding):
                nn.init.normal_(inputs.weight, std=0.5)
            nn.init.zeros_(self.head.bias)

    @property
    def vocabulary(self) -> int:
        """Number of symbols V; 0 where the input is something else."""
        return self.embedding.num_embeddings if isinstance(self.embedding, nn.Embedding) else 0

    def initial_states(self, batch: int) -> States:
        """What a text starts from, zero or learned, in float32 on the model's device."""
        return self.recurrent.initial_states(batch, self.recurrent.all_weights[0][0])

    def headless(self) -> "SequenceModel":
        """The same modules without the head: what comes out is what a `Pooled` head reads, `[T, B, width]`."""
        bare = copy(self)
        bare._modules = {**self._modules, "head": nn.Identity()}
        return bare

    def entered(self) -> "SequenceModel":
        """The same modules without the input layer: it reads what that one gives, `[T, B, width]`."""
        bare = copy(self)
        bare._modules = {**self._modules, "embedding": Numbers(width_of(self.embedding))}
        return bare

    def source(self) -> Source:
        """The model as tensors: what a stream of symbols, or of numbers as they are or through a `Projection`, reads.

        Of another input layer, or a head that pools over time, they are the recurrent layers alone: `models.following`
        has the rest.
        """
        head = (self.head.weight, self.head.bias) if self._answers_steps else (None, None)
        found = self.recurrent.source(self._projection, *head)
        entry = self.embedding if isinstance(self.embedding, Projection) else None
        around = {} if entry is None else {"entry": entry.weight, "entry_bias": entry.bias}
        return replace(found, softmax=self._answers_steps and not self.valued, **around)

    def snapshot(self, weights: str = "float32") -> Snapshot:
        """The model packed for streaming, as it is now; `weights`: float32, bfloat16 or int8."""
        return Snapshot.of(self.source(), weights)

    def stream(
        self, batch: int = 1, weights: str = "float32", threads: int | None = None, backend: str = "auto"
    ) -> Stream:
        """`batch` streams of symbols or numbers; arguments as `Recurrent.stream`'s."""

        def run(inputs: Tensor, states: States, resets: Tensor | None) -> tuple[Tensor, States]:
            training = self.training
            self.eval()
            try:
                return self._stepped(inputs, states, resets)
            finally:
                self.train(training)

        device = self.head.weight.device
        logits = self._answers_steps and not self.valued
        steps = Steps(run, self.initial_states, logits=logits, device=device)
        return open_stream(self.source(), lambda: steps, batch, weights, threads, backend, device)

    @property
    def _answers_steps(self) -> bool:
        return not isinstance(self.head, Pooled)

    @property
    def _projection(self) -> Tensor | None:
        return self.embedding.weight if isinstance(self.embedding, nn.Embedding) else None

    def _stepped(self, inputs: Tensor, states: States, resets: Tensor | None) -> tuple[Tensor, States]:
        """What `source` has, by the modules themselves."""
        x = self.embedding(inputs) if isinstance(self.embedding, Projection) else inputs
        given = states[0] if len(states) == 1 else tuple(states)
        output, finals = self.recurrent(x, given, resets=resets, embedding=self._projection)
        output = self.head(output) if self._answers_steps else output
        return output, (finals,) if isinstance(finals, Tensor) else tuple(finals)

    def forward(
        self,
        inputs: Tensor,
        states: Sequence[Tensor] | None = None,
        resets: Resets | None = None,
        seed: Tensor | None = None,
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> tuple[Logits, States]:
        given = None if states is None else (states[0] if len(states) == 1 else tuple(states))
        x, inner = inputs, lengths
        embedding, entry = self._projection, self.config.entry_dropout if self.training else 0.0
        if embedding is None:
            x, inner = entered(self.embedding, inputs, lengths)
        elif entry:
            x, embedding = functional.embedding(inputs, embedding), None
        if entry:
            x = functional.dropout(x, entry, self.training)
        output, finals = self.recurrent(x, given, resets=resets, seed=seed, embedding=embedding, lengths=inner)
        if self.config.dropout:
            output = functional.dropout(output, self.config.dropout, self.training)
        found = self.head(output, inner) if isinstance(self.head, Pooled) else self.head(output)
        return found, (finals,) if isinstance(finals, torch.Tensor) else tuple(finals)
