"""`EncoderDecoder`: a sequence, or whatever an encoder reads, in; another sequence out, of a length of its own."""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from peephole.errors import InputError
from peephole.models.attention import Memory
from peephole.models.config import DecoderConfig, EncoderDecoderConfig
from peephole.models.decoder import Decoder
from peephole.models.decoder_steps import DecoderSteps, evaluating
from peephole.models.sequence import SequenceModel
from peephole.nn.recurrent import Recurrent
from peephole.shapes import Symbols


@runtime_checkable
class Encoder(Protocol):
    """What an `EncoderDecoder` asks of its encoder besides being a module."""

    def encode(self, inputs: Tensor, lengths: Tensor | None = None, seed: Tensor | None = None) -> Memory: ...


class RecurrentEncoder(nn.Module):
    """Input layer and recurrent layers: `[S, B, …]` in; of each place the last layer's h, side by side of both
    directions, and as summary its last h, of each direction at its end.

    Attributes:
        memory: numbers of a place, and of a summary.
    """

    def __init__(self, inputs: int | nn.Module, config: EncoderDecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.reader = SequenceModel(inputs, config).headless()
        self.memory = config.width

    def encode(self, inputs: Tensor, lengths: Tensor | None = None, seed: Tensor | None = None) -> Memory:
        """As the class says; input layers that change the number of steps change that of places."""
        outputs, finals = self.reader(inputs, None, None, seed, lengths=lengths)
        directions = 2 if self.config.bidirectional else 1
        summary = finals[0][-directions:].transpose(0, 1).flatten(1)
        if lengths is not None and len(outputs) != len(inputs):
            raise InputError(
                f"{len(inputs)} steps became {len(outputs)} places; expected an input layer without stride"
            )
        return Memory(outputs, lengths, functional.dropout(summary, self.config.dropout, self.training))


class EncoderDecoder(nn.Module):
    """An encoder reads the source to its end; a decoder says the answer (Cho et al. 2014, Sutskever et al. 2014).

    `model(inputs, entering [U, B], lengths=[N], rows=[B]) -> (logits [U, B, V], weights [U, B, S] or None)`: what
    follows each of the symbols that enter, which are those of the answer with the end before them (`entering`). Where
    several answers are to one source, `rows` says to which of the N sources each of the B answers belongs. `seed`,
    `sampling` and `counted` are the decoder's.
    """

    def __init__(self, encoder: nn.Module, decoder: Decoder) -> None:
        super().__init__()
        if not isinstance(encoder, Encoder):
            raise InputError(f"got a {type(encoder).__name__} as encoder; expected a module with the method encode")
        self.encoder, self.decoder = encoder, decoder

    @property
    def config(self) -> DecoderConfig:
        """The decoder's sizes, parts and cell; an encoder that is recurrent has the same."""
        return self.decoder.config

    @property
    def recurrent(self) -> Recurrent:
        """The recurrent layers that the source goes through; where it goes through none, those of the decoder."""
        encoder = self.encoder
        return encoder.reader.recurrent if isinstance(encoder, RecurrentEncoder) else self.decoder.recurrent

    def forward(
        self,
        inputs: Tensor,
        entering: Symbols,
        lengths: Int[Tensor, " sources"] | None = None,
        rows: Int[Tensor, " batch"] | None = None,
        seed: Tensor | None = None,
        sampling: float = 0.0,
        counted: Bool[Tensor, "steps batch"] | None = None,
    ) -> tuple[Float[Tensor, "*steps symbols"], Float[Tensor, "steps batch places"] | None]:
        memory = self.memory(inputs, lengths, seed)
        if rows is not None:
            memory = memory.rows(rows)
        sources, answers = memory.summary.shape[0], entering.shape[1]
        if sources != answers:
            raise InputError(f"{answers} answers enter, to {sources} sources; expected as many, or rows that say which")
        return self.decoder(entering, self.decoder.hear(memory), seed, sampling, counted)

    def memory(self, inputs: Tensor, lengths: Tensor | None = None, seed: Tensor | None = None) -> Memory:
        """What the encoder makes of sources."""
        encoder = self.encoder
        assert isinstance(encoder, Encoder)
        return encoder.encode(inputs, lengths, seed)

    @torch.no_grad()
    def steps(self, inputs: Tensor, lengths: Tensor | None = None, weights: str = "float32") -> DecoderSteps:
        """The decoder about to answer these sources, as streams over packed weights: float32, bfloat16 or int8.

        Without dropout; the mode that the model is in stays as it is.
        """
        with evaluating(self):
            memory = self.memory(inputs, lengths)
        return DecoderSteps(self.decoder, memory, weights)
