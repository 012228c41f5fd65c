"""A net reading held-out text: each character, what it cost, and every unit as it read."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from peephole.data.lanes import Window
from peephole.errors import InputError
from peephole.report.showing import END_OF_DOCUMENT
from peephole.report.subject import Subject
from peephole.stability.recordings.passage import Passage
from peephole.stability.recordings.recording import record
from peephole.tasks.text import TextModel

STEPS, ROWS = 1200, 4  # of the text that is read: the first row is shown, all of them are counted
NUMBERS = 1 << 23  # that are kept of units: fewer steps of wider nets
FEWEST_STEPS = 100
BYTE = "\ufffd"  # of a character that is spelled in several symbols: all but its last


@dataclass(frozen=True, eq=False)
class Reading:
    """`characters[b][t]` is what row b read at step t (of several symbols: the last has it, others are empty), `bits`
    `[T, B]` what it cost (NaN at the first step), `units[l]` `[T, B, U]` the state of layer l after it, as it shows:
    tanh(c) of an LSTM, else h; `names[l]` says which.
    """

    characters: tuple[tuple[str, ...], ...]
    bits: NDArray[np.float64]
    units: tuple[Tensor, ...]
    names: tuple[str, ...]
    state: str

    @property
    def steps(self) -> int:
        """T."""
        return len(self.bits)

    @property
    def read(self) -> int:
        """Characters in all rows."""
        return sum(len(row) for row in self.characters)


def read_held_out(subject: Subject) -> Reading:
    """Let the net read rows of the held-out text, from zero states.

    `InputError` where there are no weights, or the text is gone or too short.
    """
    subject.need_weights()
    model = subject.model
    assert isinstance(model, TextModel)
    config = model.model.config
    most = NUMBERS // (config.layers * config.hidden_size)
    there = len(model.corpus.held_out.tokens) - 1
    steps = min(STEPS, max(FEWEST_STEPS, most), there)
    if steps < 2:
        raise InputError(f"the held-out text is too short, {there + 1:,} symbols")
    window = model.held_out_window(max(1, min(ROWS, most // steps, there // steps)), steps)
    recording = record(model.model, (window.inputs, None, window.resets))
    shown = [_shown(passage) for passage in recording.passages]
    lstm = config.spec.family == "lstm"
    return Reading(
        tuple(tuple(_spelled(model, row.tolist())) for row in window.inputs.t()),
        _bits(model, window, recording.output[0]),
        tuple(shown),
        tuple(passage.name for passage in recording.passages),
        "tanh(c)" if lstm else "h",
    )


def _shown(passage: Passage) -> Tensor:
    if passage.spec.family == "lstm":
        return torch.tanh(passage.after[1])
    return passage.after[0]


@torch.no_grad()
def _bits(model: TextModel, window: Window, logits: Tensor) -> NDArray[np.float64]:
    """What each symbol cost when it came, `[T, B]`; nothing is known of the first."""
    logs = logits.detach().double().log_softmax(-1)  # [T, B, V]
    nats = -logs.gather(-1, window.targets[..., None])[..., 0]
    nats += model.unknown_price() * (window.targets == model.tokenizer.unk)
    first = torch.full_like(nats[:1], math.nan)
    return (torch.cat([first, nats[:-1]]) / math.log(2)).numpy()


def _spelled(model: TextModel, symbols: list[int]) -> list[str]:
    tokenizer = model.tokenizer
    spell = tokenizer.speller()
    names = {tokenizer.eod: END_OF_DOCUMENT, tokenizer.unk: BYTE}
    found: list[str] = []
    for symbol in symbols:
        text = spell(symbol)
        found.append(names.get(symbol, text[-1:]))
    return found
