"""`Decoder`: symbols one after another, given those before them and what an encoder made of the source."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from peephole.errors import InputError
from peephole.models.attention import Attention, Memory, Score
from peephole.models.config import DecoderConfig
from peephole.models.layers import recurrent_layers
from peephole.shapes import Symbols

END = 0  # the symbol that ends an answer, stands before its first symbol, and fills up what lies behind its end

States = tuple[Tensor, ...]


def entering(targets: Symbols) -> Symbols:
    """What the decoder reads where it is taught to say `targets` `[U, B]`: the symbol before each; `END` at first."""
    return functional.pad(targets[:-1], (0, 0, 1, 0), value=END)


@dataclass(frozen=True, eq=False)
class Heard:
    """What the steps of an answer begin from and look at, made once of a source.

    Attributes:
        memory: what the encoder handed over.
        keys: what attention compares with, `[S, B, ·]`; None without attention.
        states: of the recurrent layers before the first step, `[L, B, ·]` each.
        fed: what the first step reads beside its symbol, `[B, F]`.
    """

    memory: Memory
    keys: Tensor | None
    states: States
    fed: Tensor


class Decoder(nn.Module):
    """Embedding, recurrent layers in one direction, attention, readout, head.

        s_t = cell([e_t; fed_t], s_{t−1})      r_t = tanh(W [s_t; context_t] + b)      P(next) = softmax(V r_t + b')

    The first state is a linear map of the summary through tanh. The context is what attention gives, or without it the
    summary. `fed` is the summary without attention (Cho et al. 2014), the context with `bahdanau`, r_{t−1} with luong's
    input feeding, else nothing.

    Arguments: `symbols` V, of which number 0 is `END`; `memory` numbers of a place; `summary` numbers of a summary.
    """

    def __init__(self, symbols: int, config: DecoderConfig, memory: int, summary: int) -> None:
        super().__init__()
        if symbols < 2:
            raise InputError(f"got {symbols} symbols; expected the end and at least one more")
        self.config, self.symbols = config, symbols
        width = config.proj_size or config.hidden_size
        readout = config.embedding_size
        context = summary if config.attention == "none" else memory
        self.fed_size = {"none": summary, "bahdanau": memory, "luong": readout if config.input_feeding else 0}[
            config.attention
        ]
        self.embedding = nn.Embedding(symbols, config.embedding_size)
        self.recurrent = recurrent_layers(config, config.embedding_size + self.fed_size)
        self._sizes = config.spec.state_sizes(config.hidden_size, config.proj_size)
        self.beginning = nn.Linear(summary, config.layers * sum(self._sizes))
        scores: dict[str, Score] = {"luong": "multiplicative", "bahdanau": "additive"}
        score = scores.get(config.attention)
        self.attention: Attention | None = None if score is None else Attention(width, memory, score)
        self.readout = nn.Linear(width + context, readout)
        self.head = nn.Linear(readout, symbols)
        if config.init != "torch":
            nn.init.normal_(self.embedding.weight, std=config.embedding_size**-0.5)
            nn.init.zeros_(self.head.bias)
        if config.tied:
            self.head.weight = self.embedding.weight

    def hear(self, memory: Memory) -> Heard:
        """Everything that does not change while an answer is said."""
        rows = memory.summary.shape[0]
        begun = torch.tanh(self.beginning(memory.summary)).view(rows, self.config.layers, -1).transpose(0, 1)
        keys = None if self.attention is None else self.attention.keys(memory)
        fed = memory.summary if self.config.attention == "none" else memory.summary.new_zeros(rows, self.fed_size)
        return Heard(memory, keys, begun.split(self._sizes, -1), fed)

    def forward(
        self,
        entering: Symbols,
        heard: Heard,
        seed: Tensor | None = None,
        sampling: float = 0.0,
        counted: Bool[Tensor, "steps batch"] | None = None,
    ) -> tuple[Float[Tensor, "*steps symbols"], Float[Tensor, "steps batch places"] | None]:
        """Logits `[U, B, V]` of what follows each of the symbols that enter, and where it looked, `[U, B, S]`.

        The head is most of the work: with `counted` it reads those steps alone, and there are logits `[N, V]` of them.
        With `sampling` each symbol after the first is replaced, with that probability, by one drawn from what the
        decoder itself expected (scheduled sampling, Bengio et al. 2015); it is drawn with torch's generator.
        """
        if self.config.stepwise or sampling:
            read, weights = self._step_by_step(entering, heard, seed, sampling)
        else:
            embedded = self._embedded(entering)
            if self.fed_size:
                embedded = torch.cat([embedded, heard.fed.expand(len(embedded), -1, -1)], -1)
            outputs, _ = self.recurrent(embedded, _packed(heard.states), seed=seed)
            read, weights = self.read(outputs, heard)
        return self.head(read if counted is None else read[counted]), weights

    def read(
        self, outputs: Float[Tensor, "steps batch width"], heard: Heard, seen: Tensor | None = None
    ) -> tuple[Float[Tensor, "steps batch readout"], Float[Tensor, "steps batch places"] | None]:
        """What the head reads at each step, and where attention looked, of what the recurrent layers gave.

        `seen` `[U, B, M]` is what `look` saw before these steps; without it luong's attention looks now.
        """
        outputs = self._dropped(outputs)
        weights = None
        if seen is not None:
            context = seen
        elif self.attention is None or heard.keys is None:
            context = heard.memory.summary.expand(len(outputs), -1, -1)
        else:
            context, weights = self.attention(outputs, heard.keys, heard.memory)
        return self._dropped(torch.tanh(self.readout(torch.cat([outputs, context], -1)))), weights

    def look(
        self, top: Float[Tensor, "batch width"], heard: Heard
    ) -> tuple[Float[Tensor, "batch features"], Float[Tensor, "batch places"]]:
        """Context and weights of `bahdanau` before a step, from the last layer's h of the step before."""
        assert self.attention is not None
        assert heard.keys is not None
        context, weights = self.attention(top[None], heard.keys, heard.memory)
        return context[0], weights[0]

    def _step_by_step(
        self, entering: Symbols, heard: Heard, seed: Tensor | None, sampling: float
    ) -> tuple[Tensor, Tensor | None]:
        """What the head reads at each step, `[U, B, E]`, and where it looked."""
        embedded = self._embedded(entering)
        states, fed = heard.states, heard.fed
        looks_first = self.config.attention == "bahdanau"
        said: list[Tensor] = []
        looked: list[Tensor] = []
        for step in range(len(entering)):
            vectors = embedded[step]
            if step and sampling:
                vectors = self._sampled(vectors, said[-1], sampling)
            weights = None
            if looks_first:
                fed, weights = self.look(states[0][-1], heard)
            x = torch.cat([vectors, fed], -1) if self.fed_size else vectors
            outputs, finals = self.recurrent(x[None], _packed(states), seed=seed)
            states = (finals,) if isinstance(finals, Tensor) else tuple(finals)
            read, after = self.read(outputs, heard, fed[None] if looks_first else None)
            weights = weights if after is None else after[0]
            if self.config.input_feeding:
                fed = read[0]
            said.append(read[0])
            if weights is not None:
                looked.append(weights)
        return torch.stack(said), torch.stack(looked) if looked else None

    def _sampled(self, vectors: Tensor, read: Tensor, share: float) -> Tensor:
        """The vectors `[B, E]` of the symbols that enter, a share of them those of symbols drawn after `read`."""
        with torch.no_grad():
            drawn = torch.multinomial(torch.softmax(self.head(read).float(), -1), 1)[:, 0]
            own = torch.rand(len(drawn), device=drawn.device) < share
        return torch.where(own[:, None], self._embedded(drawn[None])[0], vectors)

    def _embedded(self, symbols: Symbols) -> Tensor:
        return functional.dropout(self.embedding(symbols), self.config.entry_dropout, self.training)

    def _dropped(self, values: Tensor) -> Tensor:
        return functional.dropout(values, self.config.dropout, self.training)


def _packed(states: States) -> Tensor | States:
    """States as a `Recurrent` takes them."""
    return states[0] if len(states) == 1 else states
