"""`TextObjective`: what the training loop needs of a language model."""

import math

import torch
from torch import Tensor, nn

from peephole import divergence
from peephole.data.corpus import TextCorpus
from peephole.data.lanes import Documents, Lanes, Window
from peephole.generate.scoring import Pieces, surprisals
from peephole.models.sequence import SequenceModel
from peephole.nn.noise import noise_seed
from peephole.train.config import TrainingConfig

WATCHED_TOKENS = 1 << 16  # held-out tokens measured while training


class TextObjective:
    """Batches of a text, their divergence, and a measurement on held-out text. `noisy`: the recurrence draws noise."""

    unit = "characters"

    def __init__(self, corpus: TextCorpus, config: TrainingConfig, noisy: bool = False) -> None:
        self.corpus, self.config, self.noisy = corpus, config, noisy

    def batches(self, rank: int, world_size: int) -> Lanes | Documents:
        config, part, eod = self.config, self.corpus.train, self.corpus.tokenizer.eod
        if config.bptt == "full":
            return Documents(part, config.batch_size, config.longest_document, eod, config.seed, rank, world_size)
        return Lanes(part, config.batch_size, config.window, eod, rank, world_size)

    def divergence(
        self, model: nn.Module, window: Window, states: tuple[Tensor, ...] | None
    ) -> tuple[Tensor, int, tuple[Tensor, ...]]:
        states = states if self.config.carry else None
        # Drawn out here: inside a compiled model torch's generator gives other numbers.
        seed = noise_seed(None, window.inputs.device) if self.noisy else None
        logits, finals = model(window.inputs, states, window.resets, seed)
        return divergence.kl(logits, window.targets, window.weights), window.tokens, finals

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Mean surprisal in nats on a fixed sample of the held-out tokens; NaN once a weight is not finite."""
        if not all(bool(torch.isfinite(parameter).all()) for parameter in model.parameters()):
            return {"held_out": math.nan}
        tokens, eod = self.corpus.held_out.tokens, self.corpus.tokenizer.eod
        assert isinstance(model, SequenceModel)
        return {"held_out": float(surprisals(model, tokens, eod, Pieces(1024, 256), limit=WATCHED_TOKENS).mean())}
