"""`SequenceModel`: input layer, recurrent stack, head."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import dropout

from peephole.errors import InputError
from peephole.models.config import ModelConfig
from peephole.nn.recurrent import Recurrent
from peephole.shapes import Logits, Resets, Symbols
from peephole.streams.opening import open_stream
from peephole.streams.snapshot import Snapshot
from peephole.streams.source import Source
from peephole.streams.stepwise import Steps
from peephole.streams.stream import Stream

States = tuple[Tensor, ...]


class SequenceModel(nn.Module):
    """Symbols in, one vector of logits a step out: embedding, recurrent layers, linear head.

    `model(symbols [T, B], states, resets [T, B]) -> (logits [T, B, V], states)`; each state is `[L, B, ·]`. A `seed`,
    an int64 scalar, fixes the noise in the recurrence while training. `outputs` is the size of the head where it is not
    the vocabulary. With a `vocabulary` of 0 the input are numbers, `features` a step, which go into the recurrent
    layers as they are: `model(numbers [T, B, I])`. `valued` outputs are numbers themselves: a stream gives them as they
    are, in place of the log-probabilities that it makes of logits.
    """

    def __init__(
        self,
        vocabulary: int,
        config: ModelConfig,
        outputs: int | None = None,
        features: int = 0,
        valued: bool = False,
    ) -> None:
        super().__init__()
        if (vocabulary > 0) == (features > 0):
            raise InputError(f"got {vocabulary} symbols and {features} features; expected one of them to be the input")
        self.config, self.valued = config, valued
        self.embedding: nn.Embedding | None = nn.Embedding(vocabulary, config.embedding_size) if vocabulary else None
        self.recurrent = Recurrent(
            config.spec,
            features or config.embedding_size,
            config.hidden_size,
            config.layers,
            dropout=config.dropout if config.layers > 1 else 0.0,
            proj_size=config.proj_size,
            learned_states=config.learned_states,
            backend=config.backend,
            recurrent_dropout=config.recurrent_dropout,
            zoneout=config.zoneout,
            zoneout_cell=config.zoneout_cell,
            weight_drop=config.weight_drop,
            recompute=config.recompute,
            **config.start,  # pyright: ignore[reportArgumentType]
        )
        self.head = nn.Linear(config.proj_size or config.hidden_size, outputs or vocabulary or features)
        if config.init != "torch":
            if self.embedding is not None:
                nn.init.normal_(self.embedding.weight, std=0.5)
            nn.init.zeros_(self.head.bias)

    @property
    def vocabulary(self) -> int:
        """Number of symbols V; 0 where the input are numbers."""
        return 0 if self.embedding is None else self.embedding.num_embeddings

    def initial_states(self, batch: int) -> States:
        """What a text starts from, zero or learned, in float32 on the model's device."""
        return self.recurrent.initial_states(batch, self.head.weight)

    def source(self) -> Source:
        """The model as tensors."""
        return replace(
            self.recurrent.source(self._projection, self.head.weight, self.head.bias), softmax=not self.valued
        )

    def snapshot(self, weights: str = "float32") -> Snapshot:
        """The model packed for streaming, as it is now; `weights`: float32, bfloat16 or int8."""
        return Snapshot.of(self.source(), weights)

    def stream(
        self, batch: int = 1, weights: str = "float32", threads: int | None = None, backend: str = "auto"
    ) -> Stream:
        """`batch` streams of symbols or numbers; arguments as `Recurrent.stream`'s."""

        def run(symbols: Tensor, states: States, resets: Tensor | None) -> tuple[Tensor, States]:
            training = self.training
            self.eval()
            try:
                return self(symbols, states, resets)
            finally:
                self.train(training)

        device = self.head.weight.device
        steps = Steps(run, self.initial_states, logits=not self.valued, device=device)
        return open_stream(self.source(), lambda: steps, batch, weights, threads, backend, device)

    @property
    def _projection(self) -> Tensor | None:
        return None if self.embedding is None else self.embedding.weight

    def forward(
        self,
        symbols: Symbols | Float[Tensor, "time batch features"],
        states: Sequence[Tensor] | None = None,
        resets: Resets | None = None,
        seed: Tensor | None = None,
    ) -> tuple[Logits, States]:
        given = None if states is None else (states[0] if len(states) == 1 else tuple(states))
        output, finals = self.recurrent(symbols, given, resets=resets, seed=seed, embedding=self._projection)
        if self.config.dropout:
            output = dropout(output, self.config.dropout, self.training)
        return self.head(output), (finals,) if isinstance(finals, torch.Tensor) else tuple(finals)
