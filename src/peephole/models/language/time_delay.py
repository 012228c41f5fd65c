"""`TimeDelayModel`: P(next symbol | the past N), a net without recurrence."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from peephole.errors import InputError
from peephole.models.language.config import LanguageConfig
from peephole.models.language.model import LanguageModel, Outputs
from peephole.models.sequence import States
from peephole.shapes import Resets, Symbols
from peephole.streams.source import Source

SOURCE = "Bengio, Ducharme, Vincent & Jauvin 2003, A neural probabilistic language model"
BEFORE = 0  # <eod>, which stands for every word before the beginning

Words = Int[Tensor, "time batch context"]
Queue = Int[Tensor, "one batch earlier"]


class TimeDelay(nn.Module):
    """The past N symbols of each step, projected by one table C, and a tanh layer over them.

    x_t = (C(w_{t−N+1}), …, C(w_t)),  h_t = tanh(d + H x_t)

    `past` has the states, resets and lengths of recurrent layers: its state is the queue of the last N − 1 symbols,
    int64 `[1, B, N − 1]`, so that a text in windows, or step by step, is the text as a whole, gradients included. Then
    `layer(x [T, B, N·M]) -> h [T, B, H]` is one product for all steps and places; with `direct` x_t stands behind h_t
    in what comes out.
    """

    def __init__(self, context: int, embedding_size: int, hidden_size: int, direct: bool = False) -> None:
        super().__init__()
        self.context, self.direct = context, direct
        self.hidden = nn.Linear(context * embedding_size, hidden_size)

    def extra_repr(self) -> str:
        return f"context={self.context}, direct={self.direct}"

    def past(
        self,
        symbols: Symbols,
        queue: Queue | None = None,
        resets: Resets | None = None,
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> tuple[Words, Queue]:
        """The past N symbols of each step, oldest first, the newest its own; and the queue that is left, of each row
        at its length.
        """
        steps, batch = symbols.shape
        if queue is None:
            queue = self.initial_states(batch, symbols)[0]
        elif queue.shape != (expected := (1, batch, self.context - 1)):
            raise InputError(f"the queue of earlier words has shape {list(queue.shape)}; expected {list(expected)}")
        words = torch.cat([queue[0].t(), symbols]).unfold(0, self.context, 1)  # [T, B, N]
        if resets is not None:
            step = torch.arange(steps, device=symbols.device)[:, None]
            begun = torch.where(resets, step, -self.context).cummax(0).values
            lags = torch.arange(self.context - 1, -1, -1, device=symbols.device)
            words = words.masked_fill(lags > (step - begun)[..., None], BEFORE)
        last = words[-1] if lengths is None else words[lengths - 1, torch.arange(batch, device=symbols.device)]
        return words, last[None, :, 1:]

    def forward(self, x: Float[Tensor, "time batch numbers"]) -> Float[Tensor, "time batch width"]:
        """What the softmax reads of the projected words of each step."""
        h = torch.tanh(self.hidden(x)).to(x.dtype)
        return torch.cat([h, x], -1) if self.direct else h

    def initial_states(self, batch: int, like: Tensor) -> States:
        """Before the beginning there is nothing but ends of documents."""
        return (torch.full((1, batch, self.context - 1), BEFORE, dtype=torch.int64, device=like.device),)


class TimeDelayModel(LanguageModel):
    """Embedding, `TimeDelay`, softmax: the neural probabilistic language model of Bengio et al. 2003.

    y_t = b + U h_t, with direct connections b + U h_t + W x_t, of which `head.weight` is `[U W]`; P = softmax(y_t).
    Called as every `LanguageModel`; its state is the queue of the last N − 1 symbols.

    Bengio, Ducharme, Vincent & Jauvin 2003, A neural probabilistic language model, Journal of Machine Learning Research
    3, section 2 (its n is N + 1). With tied weights, which came later, U is the table C.
    """

    def __init__(self, symbols: int, config: LanguageConfig, ranked: bool = False) -> None:
        super().__init__(symbols, config, ranked)
        del self.recurrent
        self.delay = TimeDelay(config.context, config.embedding_size, config.hidden_size, config.direct)
        if config.init == "uniform":
            for parameter in self.delay.parameters():
                nn.init.uniform_(parameter, -config.initial_range, config.initial_range)
        elif config.init == "orthogonal":
            nn.init.orthogonal_(self.delay.hidden.weight)
            nn.init.zeros_(self.delay.hidden.bias)

    def features(
        self,
        inputs: Tensor,
        states: Sequence[Tensor] | None = None,
        resets: Resets | None = None,
        seed: Tensor | None = None,
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> tuple[Outputs, States]:
        config = self.config
        words, queue = self.delay.past(inputs, None if states is None else states[0], resets, lengths)
        x = functional.embedding(words, self.embedding.weight)  # [T, B, N, M]
        if self.training and config.embedding_dropout:
            kept = functional.dropout(x.new_ones(self.vocabulary), config.embedding_dropout, True)
            x = x * kept[words][..., None]
        output = self.delay(self._dropped(x.flatten(2), config.input_dropout))
        if lengths is not None:
            steps = torch.arange(len(inputs), device=inputs.device)[:, None]
            output = output.masked_fill((steps >= lengths)[..., None], 0.0)
        return output, (queue,)

    @property
    def name(self) -> str:
        """What it is, in a few words."""
        config = self.config
        return f"TDNN of {config.context}, {config.hidden_size} units{', direct' if config.direct else ''}"

    @property
    def equations(self) -> tuple[str, ...]:
        """A line each."""
        first, direct = self.config.context - 1, " + W x_t" if self.config.direct else ""
        past = f"(C(w_{{t-{first}}}), …, C(w_t))" if first else "C(w_t)"
        return f"x_t = {past}", "h_t = tanh(d + H x_t)", f"y_t = b + U h_t{direct}", "P(w_{t+1}) = softmax(y_t)"

    @property
    def noisy(self) -> bool:
        return False

    @property
    def packs(self) -> bool:
        return False

    def source(self) -> Source:
        raise InputError(f"{self._reason()} cannot be packed; stream with weights='float32', through the net itself")

    def _reason(self) -> str:
        return "a net without recurrence"

    def initial_states(self, batch: int) -> States:
        return self.delay.initial_states(batch, self.embedding.weight)


def language_model(symbols: int, config: LanguageConfig, ranked: bool = False) -> LanguageModel:
    """The language model that a configuration asks for: recurrent, or with `context` a `TimeDelayModel`."""
    return (TimeDelayModel if config.context else LanguageModel)(symbols, config, ranked)
