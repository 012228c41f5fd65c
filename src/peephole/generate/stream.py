"""`Stream`: a model that takes one symbol at a time and keeps its state."""

import torch
from jaxtyping import Int
from torch import Tensor

from peephole.errors import InputError
from peephole.generate.threads import one_thread
from peephole.models.sequence import SequenceModel
from peephole.shapes import Distributions, Logits, Symbols


class Stream:
    """`batch` streams of a trained model, side by side, each with its own state; memory does not grow with time.

    One thread does the work, so a stream gives the same numbers on every machine setting.
    """

    def __init__(self, model: SequenceModel, batch: int = 1) -> None:
        if batch < 1:
            raise InputError(f"got {batch} streams; expected at least 1")
        self.model = model.eval()
        self.batch = batch
        self.states = model.initial_states(batch)

    def reset(self) -> None:
        """Forget everything."""
        self.states = self.model.initial_states(self.batch)

    def step(self, symbols: Int[Tensor, "batch"]) -> Distributions:
        """Take one symbol per stream; log-probabilities of the next, in nats."""
        return self.read(symbols[None])[-1]

    @torch.no_grad()
    def read(self, symbols: Symbols) -> Logits:
        """Take several symbols per stream; log-probabilities of each next one, in nats."""
        with one_thread():
            logits, self.states = self.model(symbols.to(self.states[0].device), self.states)
            return torch.log_softmax(logits.float(), dim=-1)
