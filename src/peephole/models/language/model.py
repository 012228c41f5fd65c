"""`LanguageModel`: P(next symbol | those before it), over any number of symbols."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from peephole.errors import InputError
from peephole.models.language.config import LanguageConfig
from peephole.models.layers import recurrent_layers
from peephole.models.sequence import SequenceModel, States
from peephole.models.softmax import AdaptiveSoftmax, FullSoftmax, softmax_of
from peephole.nn.initialisation import set_forget_bias
from peephole.nn.noise import dropped_between
from peephole.nn.recurrent import Recurrent
from peephole.shapes import Resets, Symbols, Weights
from peephole.streams.snapshot import Snapshot
from peephole.streams.stepwise import Steps, StepwiseEngine
from peephole.streams.stream import Stream

Softmax = FullSoftmax | AdaptiveSoftmax
Nats = Float[Tensor, "time batch"]
Outputs = Float[Tensor, "time batch width"]


class LanguageModel(SequenceModel):
    """Embedding, recurrent layers, softmax.

    `model(inputs [T, B], states, resets [T, B], seed) -> (log-probabilities or logits [T, B, V], states)`. With
    `targets` `[T, B]` it gives their divergence in place of logits, which are then never held for all steps: a sum in
    nats, of `weights` `[T, B]` where given. While training its gradient, not its value, has what the penalties add.

    `ranked` says that symbols are numbered by falling frequency, so that the softmax can begin with Zipf's law.

    Attributes:
        last: the last layer where it is narrower than the others (`config.narrow_last`), else None. Its states follow
            those of `recurrent`.
    """

    config: LanguageConfig
    embedding: nn.Embedding

    def __init__(self, symbols: int, config: LanguageConfig, ranked: bool = False) -> None:
        if config.context and type(self) is LanguageModel:
            raise InputError(f"context={config.context} is of a net without recurrence; expected language_model(…)")
        super().__init__(symbols, config)
        self.last: Recurrent | None = None
        if config.narrow_last:
            plain, wide = replace(config, narrow_last=False, tied=None), config.hidden_size
            self.recurrent = recurrent_layers(replace(plain, layers=config.layers - 1), config.embedding_size)
            self.last = recurrent_layers(replace(plain, layers=1, hidden_size=config.width), wide)
        self.recurrent.locked_dropout = config.locked_dropout
        linear, head = self.head, softmax_of(config, config.width, symbols)
        head.load_state_dict(linear.state_dict(), strict=False)
        self.head = head
        if config.ties(symbols):
            head.weight = self.embedding.weight
        self._begin()
        self.embedding.requires_grad_(not config.frozen_vectors)
        if ranked and config.zipf_start:
            head.begin_with(zipf(symbols))

    @torch.no_grad()
    def _begin(self) -> None:
        config, embedding = self.config, self.embedding
        if config.init == "uniform":
            for parameter in self.parameters():
                parameter.uniform_(-config.initial_range, config.initial_range)
            for net in (self.recurrent, *([] if self.last is None else [self.last])):
                if net.forget_bias is not None:
                    for named in net.named_layers():
                        set_forget_bias(net.spec, named, net.hidden_size, net.forget_bias)
        elif config.ties(self.vocabulary):
            nn.init.normal_(embedding.weight, std=config.embedding_size**-0.5)
        if config.embedding_range is not None:
            embedding.weight.uniform_(-config.embedding_range, config.embedding_range)
            self.head.bias.zero_()

    @property
    def noisy(self) -> bool:
        """Whether the recurrence draws noise while training."""
        return self.recurrent.noise.any

    @property
    def softmax(self) -> Softmax:
        """The head."""
        assert isinstance(self.head, FullSoftmax | AdaptiveSoftmax)
        return self.head

    # --- forward ---

    def forward(
        self,
        inputs: Tensor,
        states: Sequence[Tensor] | None = None,
        resets: Resets | None = None,
        seed: Tensor | None = None,
        lengths: Int[Tensor, " batch"] | None = None,
        targets: Symbols | None = None,
        weights: Weights | None = None,
    ) -> tuple[Tensor, States]:
        raw, finals = self.features(inputs, states, resets, seed, lengths)
        output = self._dropped(raw, self.config.exit_dropout)
        if targets is None:
            return self.head(output), finals
        flat = None if weights is None else weights.flatten()
        total = self.softmax.divergence(output.flatten(0, 1), targets.flatten(), flat)
        return total + self._penalties(raw, output), finals

    def features(
        self,
        inputs: Tensor,
        states: Sequence[Tensor] | None = None,
        resets: Resets | None = None,
        seed: Tensor | None = None,
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> tuple[Outputs, States]:
        """What the softmax reads, before its dropout, and the states."""
        config = self.config
        x, embedding = inputs, self._projection
        if self.training and (config.embedding_dropout or config.input_dropout):
            x, embedding = functional.embedding(inputs, self.embedding.weight), None
            if config.embedding_dropout:
                kept = functional.dropout(x.new_ones(self.vocabulary), config.embedding_dropout, True)
                x = x * kept[inputs][..., None]
            x = self._dropped(x, config.input_dropout)
        given = None if states is None else tuple(states)
        count = len(config.spec.states)
        own = None if given is None else given[:count]
        output, finals = self.recurrent(x, _packed(own), resets=resets, seed=seed, embedding=embedding, lengths=lengths)
        finals = _unpacked(finals)
        if self.last is None:
            return output, finals
        output = self._dropped(output, config.dropout)
        later = None if given is None else given[count:]
        output, ends = self.last(output, _packed(later), resets=resets, seed=seed, lengths=lengths)
        return output, (*finals, *_unpacked(ends))

    def _dropped(self, x: Tensor, rate: float) -> Tensor:
        return dropped_between(x, rate, self.training, self.config.locked_dropout)

    def _penalties(self, raw: Tensor, output: Tensor) -> Tensor | float:
        """Zero, whose gradient is that of the penalties' means times the number of targets."""
        config, count = self.config, raw.shape[0] * raw.shape[1]
        found: Tensor | float = 0.0
        if self.training and config.activation_penalty:
            found = found + count * config.activation_penalty * output.float().square().mean()
        if self.training and config.temporal_penalty and len(raw) > 1:
            found = found + count * config.temporal_penalty * (raw[1:] - raw[:-1]).float().square().mean()
        return found - found.detach() if isinstance(found, Tensor) else found

    @torch.no_grad()
    def surprisals(
        self,
        inputs: Symbols,
        targets: Symbols,
        states: Sequence[Tensor] | None = None,
        resets: Resets | None = None,
    ) -> tuple[Nats, States]:
        """−log P of each target in nats, `[T, B]`, as the model is in evaluation, and the states."""
        training = self.training
        self.eval()
        try:
            output, finals = self.features(inputs, states, resets)
            return self.softmax.surprisals(output.flatten(0, 1), targets.flatten()).view_as(targets), finals
        finally:
            self.train(training)

    # --- streams ---

    @property
    def packs(self) -> bool:
        """Whether a snapshot can hold it: layers of one width, and a softmax that is one product."""
        return self.last is None and isinstance(self.head, FullSoftmax)

    def snapshot(self, weights: str = "float32") -> Snapshot:
        if not self.packs:
            raise InputError(
                f"{self._reason()} cannot be packed; stream with weights='float32', through the net itself"
            )
        return super().snapshot(weights)

    def initial_states(self, batch: int) -> States:
        first = super().initial_states(batch)
        if self.last is None:
            return first
        return (*first, *self.last.initial_states(batch, self.head.weight))

    def stream(
        self, batch: int = 1, weights: str = "float32", threads: int | None = None, backend: str = "auto"
    ) -> Stream:
        """`batch` streams of symbols; arguments as `Recurrent.stream`'s."""
        if self.packs:
            return super().stream(batch, weights, threads, backend)
        if backend == "native" or weights != "float32":
            self.snapshot(weights)

        def run(inputs: Tensor, states: States, resets: Tensor | None) -> tuple[Tensor, States]:
            training = self.training
            self.eval()
            try:
                output, finals = self.features(inputs, states, resets)
                return self.head(output), finals
            finally:
                self.train(training)

        steps = Steps(run, self.initial_states, logits=True, device=self.head.weight.device)
        record = sum(state.shape[0] * state.shape[2] for state in self.initial_states(1))
        engine = StepwiseEngine(steps, record, self.vocabulary, self.embedding.embedding_dim, self.vocabulary)
        return Stream(engine, batch, self._fingerprint)

    def _fingerprint(self) -> str:
        digest = hashlib.sha256(repr(self.config).encode())
        for name, tensor in self.state_dict().items():
            digest.update(name.encode())
            digest.update(tensor.detach().to("cpu", torch.float32).contiguous().view(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def _reason(self) -> str:
        return "a narrower last layer" if self.last is not None else "an adaptive softmax"


def zipf(symbols: int) -> Float[Tensor, " symbols"]:
    """Log-probabilities of symbols by rank, 1 / (rank + 2.7): Zipf's law with Mandelbrot's shift for the most frequent.

    Symbol 0 is the end of a document, which takes the last rank.
    """
    ranks = torch.arange(symbols, dtype=torch.float64)
    ranks[0] = symbols
    return torch.log_softmax(-(ranks + 2.7).log(), 0)


def _packed(states: tuple[Tensor, ...] | None) -> Tensor | tuple[Tensor, ...] | None:
    return states[0] if states is not None and len(states) == 1 else states


def _unpacked(states: Tensor | Sequence[Tensor]) -> States:
    return (states,) if isinstance(states, Tensor) else tuple(states)
