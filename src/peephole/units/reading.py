"""A net reading held-out text: each character or word, what it cost, and all states and gates as it read."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from peephole.data.lanes import Window
from peephole.errors import InputError
from peephole.inside.effect_running import evaluating
from peephole.inside.trace import trace
from peephole.inside.traced import TracedLayer
from peephole.models.language.time_delay import TimeDelayModel
from peephole.tasks.text.model import TextModel
from peephole.units.properties import Text
from peephole.units.scanning import END
from peephole.units.syntax import syntax_of

STEPS, ROWS = 1250, 16  # of the text that is read
NUMBERS = 1 << 26  # that are kept of states and gates, 256 MB: fewer steps of wider nets
FEWEST_STEPS = 100
READ_IN = 100  # steps of each row that do not count: whether it began within quotes is still to be seen
CONTEXT = 1 << 16  # symbols before a row that say what it begins within
BYTE = "\ufffd"  # of a character that is spelled in several symbols: all but its last


@dataclass(frozen=True, eq=False)
class Layer:
    """What a layer did: `values[kind]` is `[T, B, U]`, of its state first and then of its gates, by the cell's names.

    Of an LSTM the state is c, and its values tanh(c), as it shows; of others h.
    """

    name: str
    state: str
    values: Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class Reading:
    """`spelled[b][t]` is what row b read at step t: a character (of several symbols: the last has it, others are
    empty), or a word or piece with the space before it. `bits` `[T, B]` is what it cost (NaN at the first step),
    `before[b]` the text of its document before the row, which the net did not read. `unit` is what the net reads.
    """

    spelled: tuple[tuple[str, ...], ...]
    before: tuple[str, ...]
    bits: NDArray[np.float64]
    layers: tuple[Layer, ...]
    unit: str = "characters"

    @property
    def steps(self) -> int:
        """T."""
        return len(self.bits)

    @property
    def rows(self) -> int:
        """B."""
        return len(self.spelled)

    @property
    def read(self) -> int:
        """Characters, words or pieces in all rows."""
        if self.unit != "characters":
            return self.steps * self.rows
        return sum(len(character) for row in self.spelled for character in row)

    @property
    def counted(self) -> slice:
        """The steps that count: all but the first of each row, in which a net that began from zero states reads in."""
        return slice(min(READ_IN, self.steps // 5), None)

    def texts(self) -> tuple[Text, ...]:
        """Each row as a text, with what stands before it."""
        whole = [before + "".join(row) for before, row in zip(self.before, self.spelled, strict=True)]
        syntax = syntax_of("\n".join(whole))
        return tuple(Text.of(text, syntax) for text in whole)

    def at_steps(self, row: int, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values of the characters of a row's text `[N]` as values of its steps `[T]`.

        While a character is still being spelled, the one before it counts.
        """
        ends = np.cumsum([len(character) for character in self.spelled[row]])
        return values[np.maximum(len(self.before[row]) + ends - 1, 0)]


@torch.no_grad()
def read_held_out(model: TextModel, steps: int | None = None, rows: int | None = None) -> Reading:
    """Let the net read rows of the held-out text, at even distances, from zero states. One without recurrence has no
    layers to be seen.

    `InputError` where the text is gone or too short.
    """
    window = held_out_window(model, steps, rows)
    traced: Sequence[TracedLayer] = ()
    if isinstance(model.model, TimeDelayModel):
        with evaluating(model.model):
            features, _ = model.model.features(window.inputs, None, window.resets)
    else:
        with evaluating(model.model), trace(model.model, gradients=False) as seen:
            features, _ = model.model.features(window.inputs, None, window.resets)
        traced = seen.calls[0].layers  # a narrower last layer is a net of its own, left out
    columns = [row.tolist() for row in window.inputs.t()]
    return Reading(
        tuple(tuple(_spelled(model, row)) for row in columns),
        tuple(_before(model, row, len(columns)) for row in range(len(columns))),
        _bits(model, window, features),
        tuple(map(_layer, traced)),
        model.tokenizer.unit,
    )


def held_out_window(model: TextModel, steps: int | None = None, rows: int | None = None) -> Window:
    """The rows that are read, `[T, B]`: as many and as long as text and memory allow, at most those asked for."""
    config = model.model.config
    kinds = 1 + len(config.spec.gates)
    most = NUMBERS // (config.layers * config.hidden_size * kinds)
    there = len(model.corpus.held_out.tokens) - 1
    wanted = STEPS if steps is None else steps
    length = min(wanted, max(FEWEST_STEPS, most // 2), there)
    if length < 2:
        raise InputError(f"the held-out text is too short, {there + 1:,} symbols; train with a larger --held-out")
    count = max(1, min(ROWS if rows is None else rows, most // length, there // length))
    if count == 1 and there >= 2 * FEWEST_STEPS and rows is None:  # one half chooses, the other judges
        length, count = there // 2, 2
    return model.held_out_window(count, length)


def state_of(states: tuple[str, ...]) -> str:
    """The state that is looked at: c of those that have one, else the output."""
    return "c" if "c" in states else states[0]


def _layer(traced: TracedLayer) -> Layer:
    state = state_of(traced.spec.states)
    values = {state: traced.states[state]}
    if state == "c":
        values[state] = torch.tanh(values[state])
    return Layer(traced.name, state, values | {name: traced.gates[name] for name in traced.gates})


def _bits(model: TextModel, window: Window, features: Tensor) -> NDArray[np.float64]:
    """What each symbol cost when it came, `[T, B]`; nothing is known of the first."""
    nats = surprise(model, window, features)
    first = torch.full_like(nats[:1], math.nan)
    return (torch.cat([first, nats[:-1]]) / math.log(2)).numpy()


def surprise(model: TextModel, window: Window, features: Tensor) -> Tensor:
    """Surprisal of the symbols that follow, in nats, `[T, B]`, unknown characters priced in full.

    `features` `[T, B, ·]` are what the softmax reads: its outputs for all steps at once may take gigabytes.
    """
    nats = model.model.softmax.surprisals(features.flatten(0, 1), window.targets.flatten()).view_as(window.targets)
    return nats.double() + model.unknown_price() * (window.targets == model.tokenizer.unk)


def _before(model: TextModel, row: int, rows: int) -> str:
    """The text of the document that a row begins within, up to there."""
    tokens, eod = np.asarray(model.corpus.held_out.tokens), model.tokenizer.eod
    start = row * ((len(tokens) - 1) // rows)
    symbols = tokens[max(0, start - CONTEXT) : start]
    ends = np.flatnonzero(symbols == eod)
    if len(ends):
        symbols = symbols[ends[-1] :]
    text = "".join(_spelled(model, symbols.tolist()))
    return text if len(ends) or start <= CONTEXT else text[text.find("\n") + 1 :]


def _spelled(model: TextModel, symbols: list[int]) -> list[str]:
    """The text that each symbol completes: a character, or nothing while one is still being spelled; of words and
    pieces these, with the space before them.
    """
    tokenizer = model.tokenizer
    if tokenizer.unit == "words":
        space = " " if tokenizer.cut == "spaces" else ""
        special = {tokenizer.eod: END, tokenizer.unk: " <unk>", tokenizer.eos: "\n"}
        return [special.get(symbol) or f"{space}{tokenizer.symbols[symbol]}" for symbol in symbols]
    names = {tokenizer.eod: END, tokenizer.unk: BYTE}
    kinds = {symbol: names.get(symbol, tokenizer.symbols[symbol]) for symbol in set(symbols)}
    if all(len(name) == 1 for name in kinds.values()):
        return [kinds[symbol] for symbol in symbols]
    spell = tokenizer.speller()  # some are bytes
    whole = tokenizer.unit == "pieces"
    found = [spell(symbol) if whole else spell(symbol)[-1:] for symbol in symbols]
    return [names.get(symbol, text) for symbol, text in zip(symbols, found, strict=True)]
