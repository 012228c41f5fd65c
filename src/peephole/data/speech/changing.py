"""What training makes of a recording each time that it reads it, so that few voices sound like many."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from peephole.data.sequences.store import Pair
from peephole.data.speech.encoding import SpeechEncoding, sound
from peephole.divergence import ctc_steps

MASKS = 2  # stretches of time, and of bands, that are hidden


@dataclass(frozen=True)
class SpeechChanging:
    """Changes of the sound that leave what is said; each is drawn anew every time that a recording is read.

    Attributes:
        encoding: what makes steps of the changed sound.
        pitch: all frequencies are raised or lowered by up to this share, as of a smaller or larger speaker.
        tempo: the sound is slower or faster by up to this share, at the same pitch.
        noise: white noise of up to this share of the sound's own deviation is added.
        loudness: the sound is louder or softer by up to so many decibels.
        hide_seconds: in each of two stretches up to so much time becomes the mean (SpecAugment, Park et al. 2019, as
            are the bands).
        hide_bands: the same of up to this share of the bands, beside each other.
    """

    encoding: SpeechEncoding
    pitch: float = 0.0
    tempo: float = 0.0
    noise: float = 0.0
    loudness: float = 0.0
    hide_seconds: float = 0.0
    hide_bands: float = 0.0

    def __call__(self, pair: Pair, random: np.random.Generator) -> Pair:
        """Samples `[samples]` as steps `[T, width]`; their units as they are."""
        samples, units = sound(pair[0]), pair[1]
        if self.noise:
            share = float(random.uniform(0, self.noise)) * float(samples.std())
            samples = samples + share * random.standard_normal(len(samples), dtype=np.float32)
        if self.loudness:
            samples = samples * np.float32(10 ** (random.uniform(-self.loudness, self.loudness) / 20))
        pitch, tempo = (float(np.exp(random.uniform(-share, share))) for share in (self.pitch, self.tempo))
        bank = self.encoding.filterbank
        frames = bank.frames(samples, bank.rate, pitch, 1 / tempo)
        if len(frames) < self.encoding.stack * ctc_steps(
            torch.tensor(units)
        ):  # so fast that its units would have no room
            frames = bank.frames(samples, bank.rate, pitch)
        values = self.encoding.normalised(frames)
        longest = int(self.hide_seconds * 1000 / bank.hop)
        _hide(values, min(longest, len(values)), 0, random)
        _hide(values, int(self.hide_bands * bank.bands), 1, random)
        return self.encoding.stacked(values), units


def _hide(values: NDArray[np.float32], most: int, axis: int, random: np.random.Generator) -> None:
    """Zeros, in place, in two stretches of up to `most` along an axis."""
    for _ in range(MASKS if most else 0):
        width = int(random.integers(0, most + 1))
        first = int(random.integers(0, values.shape[axis] - width + 1))
        values[(slice(None),) * axis + (slice(first, first + width),)] = 0
