"""`TextObjective`: what the training loop needs of a language model."""

import math

import torch
from torch import Tensor, nn

from peephole.data.corpus import TextCorpus
from peephole.data.lanes import Documents, Lanes, Window
from peephole.generate.scoring import Pieces, surprisals
from peephole.models.language.model import LanguageModel
from peephole.nn.noise import noise_seed
from peephole.train.config import TrainingConfig

WATCHED_TOKENS = 1 << 16  # held-out characters measured while training
WATCHED_WORDS = 1 << 15  # of words and pieces, each of which costs as much as a thousand characters

WORDS = Pieces(1024, 128)


class TextObjective:
    """Batches of a text, their divergence, and a measurement on held-out text. `noisy`: the recurrence draws noise."""

    def __init__(self, corpus: TextCorpus, config: TrainingConfig, noisy: bool = False) -> None:
        self.corpus, self.config, self.noisy = corpus, config, noisy
        self.unit = corpus.tokenizer.unit

    def batches(self, rank: int, world_size: int) -> Lanes | Documents:
        config, part, eod = self.config, self.corpus.train, self.corpus.tokenizer.eod
        per_row = config.per == "row"
        if config.bptt == "full":
            rows, longest = config.batch_size, config.longest_document
            return Documents(part, rows, longest, eod, config.seed, rank, world_size, per_row=per_row)
        vary = config.seed if config.vary_window else None
        return Lanes(part, config.batch_size, config.window, eod, rank, world_size, vary=vary, per_row=per_row)

    def divergence(
        self, model: nn.Module, window: Window, states: tuple[Tensor, ...] | None
    ) -> tuple[Tensor, int, tuple[Tensor, ...]]:
        states = states if self.config.carry else None
        # Drawn out here: inside a compiled model torch's generator gives other numbers.
        seed = noise_seed(None, window.inputs.device) if self.noisy else None
        targets, weights = window.targets, window.weights
        total, finals = model(window.inputs, states, window.resets, seed, targets=targets, weights=weights)
        return total, window.tokens, finals

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Mean surprisal in nats on a fixed sample of the held-out tokens; NaN once a weight is not finite."""
        if not all(bool(torch.isfinite(parameter).all()) for parameter in model.parameters()):
            return {"held_out": math.nan}
        tokens, eod = self.corpus.held_out.tokens, self.corpus.tokenizer.eod
        assert isinstance(model, LanguageModel)
        pieces, limit = (Pieces(1024, 256), WATCHED_TOKENS) if self.unit == "characters" else (WORDS, WATCHED_WORDS)
        return {"held_out": float(surprisals(model, tokens, eod, pieces, limit).mean())}
