"""Small encoder–decoders of every kind, with opinions, and how likely they hold an answer for."""

from typing import Any

import torch
from torch import Tensor

from peephole.models.config import EncoderDecoderConfig
from peephole.models.decoder import Decoder, entering
from peephole.models.encoder_decoder import EncoderDecoder, RecurrentEncoder

SOURCES, SYMBOLS = 11, 9  # sizes of the vocabularies
KINDS: dict[str, dict[str, Any]] = {
    "none": {"attention": "none"},
    "luong": {"attention": "luong"},
    "feeding": {"attention": "luong", "input_feeding": True},
    "bahdanau": {"attention": "bahdanau"},
}
LENGTHS = torch.tensor([7, 2, 5, 1])


def build(**options: Any) -> EncoderDecoder:
    """A net whose first weights are larger than usual, so that its answers differ."""
    torch.manual_seed(4)
    sizes = {"hidden_size": 10, "embedding_size": 6, "layers": 1, "dropout": 0.0, "tied": False}
    config = EncoderDecoderConfig(**sizes | options)
    width = config.width
    model = EncoderDecoder(RecurrentEncoder(SOURCES, config), Decoder(SYMBOLS, config, width, width))
    with torch.no_grad():
        for module in (model.decoder.head, model.decoder.readout, model.decoder.beginning):
            module.weight *= 3
    return model


def sources(seed: int = 0) -> Tensor:
    """Symbols `[7, 4]` of sources that are `LENGTHS` long."""
    return torch.randint(0, SOURCES, (7, 4), generator=torch.Generator().manual_seed(seed))


def answers(steps: int = 6, seed: int = 1) -> Tensor:
    """Symbols `[steps, 4]`, none of them the end."""
    return torch.randint(1, SYMBOLS, (steps, 4), generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def log_probability(model: EncoderDecoder, source: Tensor, said: tuple[int, ...]) -> float:
    """Of an answer to one source `[S]`, the source alone, by the forward that training uses."""
    targets = torch.tensor(said)[:, None]
    logits, _ = model(source[:, None], entering(targets), torch.tensor([len(source)]))
    return float(torch.log_softmax(logits.double(), -1).gather(-1, targets[..., None]).sum())
