"""`DecoderSteps`: a decoder that speaks, each row one answer, its recurrent layers as streams."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import pad

from peephole.models.attention import Memory
from peephole.models.decoder import END, Decoder, Heard
from peephole.streams.rows import Rows
from peephole.streams.stream import Stream


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """While it lasts, without dropout; then in the mode that the module was in."""
    training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(training)


class DecoderSteps:
    """Answers to several sources side by side, a symbol at a time.

    `begin` gives one row a source; each `step` says which rows of the call before go on, and with which symbols, so
    that a search may drop rows and go on with one of them several times. The recurrent layers run over weights that are
    packed once, as streams, whose states are copied where answers part.

    Attributes:
        attention: where the rows of the last call looked, `[rows, S]`; None without attention.
        stream: the recurrent layers, with a stream for each row and some to spare.
    """

    def __init__(self, decoder: Decoder, memory: Memory, weights: str = "float32") -> None:
        self.decoder = decoder
        with torch.no_grad(), evaluating(decoder):
            self.heard: Heard = decoder.hear(memory)
        self.attention: Tensor | None = None
        self._places = len(memory.steps)
        self.stream: Stream = decoder.recurrent.stream(0, weights)
        self._rows = Rows(self.stream)
        self._sources = torch.arange(memory.summary.shape[0])  # of each row
        self._now = self.heard  # of each row
        self._fed: Tensor = self.heard.fed
        self._top: Tensor = self.heard.states[0][-1]

    @torch.no_grad()
    def begin(self) -> Float[Tensor, "rows symbols"]:
        """Log-probabilities of the first symbol of each answer."""
        count = self.heard.memory.summary.shape[0]
        layers = range(self.decoder.config.layers)
        states = torch.cat([state[layer] for layer in layers for state in self.heard.states], -1)
        self._rows.begin(count)
        self.stream.put_states(states, self._rows.ids)
        self._sources, self._now = torch.arange(count), self.heard
        self._fed, self._top = self.heard.fed, self.heard.states[0][-1]
        return self._forward(torch.full((count,), END))

    @torch.no_grad()
    def step(self, parents: Int[Tensor, " next"], symbols: Int[Tensor, " next"]) -> Float[Tensor, "next symbols"]:
        """Log-probabilities of what follows, where row `parents[i]` of the last call goes on with `symbols[i]`."""
        if self._rows.part(parents):
            sources = self._sources[parents]
            if not torch.equal(sources, self._sources):
                self._now = self._of(sources)
            self._sources, self._fed, self._top = sources, self._fed[parents], self._top[parents]
        return self._forward(symbols)

    def _of(self, sources: Tensor) -> Heard:
        """What the rows look at, once a row, cut to the longest of their sources."""
        memory, keys = self.heard.memory.rows(sources), self.heard.keys
        keys = None if keys is None else keys[:, sources]
        if memory.lengths is not None and len(sources):
            longest = max(1, int(memory.lengths.max()))
            memory = Memory(memory.steps[:longest], memory.lengths, memory.summary)
            keys = None if keys is None else keys[:longest]
        return Heard(memory, keys, (), self.heard.fed[sources])

    def _forward(self, symbols: Tensor) -> Tensor:
        decoder, now = self.decoder, self._now
        vectors = decoder.embedding(symbols)
        looks_first, weights = decoder.config.attention == "bahdanau", None
        if looks_first:
            self._fed, weights = decoder.look(self._top, now)
        x = torch.cat([vectors, self._fed], -1) if decoder.fed_size else vectors
        outputs = self.stream.step(x.float().contiguous(), self._rows.ids)
        self._top = outputs
        with evaluating(decoder):
            read, after = decoder.read(outputs[None], now, self._fed[None] if looks_first else None)
        if decoder.config.input_feeding:
            self._fed = read[0]
        weights = weights if after is None else after[0]
        self.attention = None if weights is None else pad(weights, (0, self._places - weights.shape[1]))
        return torch.log_softmax(decoder.head(read[0]), -1)
