"""Chords one after another over a stream: what a net expects next, how surprised it is, and what it would play."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from peephole.data.music.encoding import NOTES, MusicEncoding
from peephole.data.music.piece import LOWEST, Chord, roll_of
from peephole.errors import InputError
from peephole.generate.chord_sampling import ChordSampling
from peephole.models.sequence import SequenceModel

Expected = tuple[tuple[int, float], ...]  # pitches with the probability of each, the likeliest first
NAMED = 8  # pitches that are worth a name
UNLIKELY = 0.05  # probability below which a pitch is not named, unless it is the likeliest


class ChordStream(ABC):
    """A piece that comes step by step, in constant memory."""

    @abstractmethod
    def hear(self, chord: Chord) -> float:
        """Go on by a step; the nats that its chord took to say, given those before it."""

    @abstractmethod
    def expected(self) -> Expected:
        """The likeliest notes of the next step."""

    @abstractmethod
    def draw(self, how: ChordSampling, random: np.random.Generator) -> Chord:
        """A chord for the next step, which is not heard yet."""

    @abstractmethod
    def forget(self) -> None:
        """The next step is the first of another piece."""


def follow_chords(model: SequenceModel, encoding: MusicEncoding) -> ChordStream:
    """A stream over a net of either kind of answers."""
    return RollStream(model, encoding) if encoding.notes == "chords" else VoiceStream(model, encoding)


def compose(
    stream: ChordStream, prime: Sequence[Chord], steps: int, how: ChordSampling, number: int = 0
) -> Iterator[Chord]:
    """`steps` chords that go on from `prime`, which may be empty; piece `number` of those that `how.seed` draws."""
    if steps < 1:
        raise InputError(f"--length is {steps}; expected at least 1 step")
    random = np.random.default_rng([how.seed, number])
    stream.forget()
    for chord in prime:
        stream.hear(chord)
    for _ in range(steps):
        chord = stream.draw(how, random)
        yield chord
        stream.hear(chord)


class RollStream(ChordStream):
    """Of a net that answers each of the 88 keys by itself."""

    def __init__(self, model: SequenceModel, encoding: MusicEncoding) -> None:
        self.stream = model.stream()
        self.forget()

    def forget(self) -> None:
        self.stream.reset()
        self.logits = self.stream.step(torch.from_numpy(roll_of([()])))[0]  # of the next step, [88]

    def hear(self, chord: Chord) -> float:
        roll = torch.from_numpy(roll_of([chord]))
        nats = torch.nn.functional.binary_cross_entropy_with_logits(self.logits, roll[0], reduction="sum")
        self.logits = self.stream.step(roll)[0]
        return float(nats)

    def expected(self) -> Expected:
        shares = torch.sigmoid(self.logits)
        order = shares.argsort(descending=True, stable=True)[:NAMED].tolist()
        named = [(LOWEST + key, float(shares[key])) for key in order]
        return tuple(pair for place, pair in enumerate(named) if place == 0 or pair[1] >= UNLIKELY)

    def draw(self, how: ChordSampling, random: np.random.Generator) -> Chord:
        numbers = torch.from_numpy(random.random(len(self.logits)))
        if how.temperature == 0:
            drawn = self.logits > 0
        else:
            drawn = numbers < torch.sigmoid(self.logits.double() / how.temperature)
        keys = [key for key in self.logits.argsort(descending=True, stable=True).tolist() if drawn[key]]
        return tuple(sorted((LOWEST + key for key in keys[: how.most_notes]), reverse=True))


class VoiceStream(ChordStream):
    """Of a net that answers voice after voice, each knowing those before it."""

    def __init__(self, model: SequenceModel, encoding: MusicEncoding) -> None:
        self.encoding = encoding
        self.stream = model.stream(2)
        self.main, self.aside = self.stream.ids[:1], self.stream.ids[1:]
        self.forget()

    def forget(self) -> None:
        self.stream.reset()
        self.logs = self.stream.step(torch.zeros(1, dtype=torch.int64), self.main)[0]  # of the next voice, [89]

    def hear(self, chord: Chord) -> float:
        nats = 0.0
        for voice, symbol in enumerate(self.encoding.symbols([chord], "a chord")[0].tolist()):
            nats -= float(self.logs[symbol])
            self.logs = self._step(voice, symbol, self.main)
        return nats

    def expected(self) -> Expected:
        """The likeliest note of each voice, given the likeliest of those before it; silent ones are not named."""
        found: list[tuple[int, float]] = []

        def likeliest(logs: Float[Tensor, " notes"]) -> int:
            symbol = int(logs.argmax())
            if symbol:
                found.append((LOWEST + symbol - 1, float(logs[symbol].exp())))
            return symbol

        self._voices(likeliest)
        return tuple(sorted(found, key=lambda pair: -pair[1]))

    def draw(self, how: ChordSampling, random: np.random.Generator) -> Chord:
        numbers = iter(random.random(self.encoding.voices))
        left = self.encoding.voices if how.most_notes is None else how.most_notes

        def pick(logs: Float[Tensor, " notes"]) -> int:
            nonlocal left
            number = next(numbers)
            if left == 0:
                return 0
            if how.temperature == 0:
                symbol = int(logs.argmax())
            else:
                sums = torch.softmax(logs.double() / how.temperature, dim=-1).cumsum(-1)
                symbol = min(int(torch.searchsorted(sums, number * sums[-1], right=True)), NOTES - 1)
            left -= symbol > 0
            return symbol

        symbols = self._voices(pick)
        if self.encoding.in_columns:
            return tuple(LOWEST + symbol - 1 if symbol else -1 for symbol in symbols)
        return self.encoding.chord(symbols)

    def _voices(self, choose: Callable[[Tensor], int]) -> list[int]:
        """The symbols of the next step, each chosen given those before it; the stream stays where it is."""
        self.stream.copy(self.main, self.aside)
        logs, chosen = self.logs, list[int]()
        for voice in range(self.encoding.voices):
            chosen.append(choose(logs))
            logs = self._step(voice, chosen[-1], self.aside)
        return chosen

    def _step(self, voice: int, symbol: int, of: Tensor) -> Tensor:
        entering = self.encoding.entering(np.array([symbol]), voice)
        return self.stream.step(torch.from_numpy(entering), of)[0]
