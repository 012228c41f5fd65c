"""What training found in its recordings, and how a recording becomes steps by it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peephole.data.sound.filterbank import Filterbank, Hearing
from peephole.data.speech.config import Normalise
from peephole.data.speech.spelling import Spelling

PRIOR = 100  # frames that training's mean counts for in a running one: a second, as the hop usually is
FULL_SCALE = 32768


@dataclass(frozen=True)
class SpeechEncoding:
    """All that turns a recording into steps and an answer into text; of the training part alone.

    Attributes:
        spelling: what transcripts are spelled in.
        filterbank: how a recording becomes frames.
        mean, scale: of each band over the training part, which is divided by `scale`.
        normalise: what is taken off.
        stack: frames that are one step.
    """

    spelling: Spelling
    filterbank: Filterbank
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    normalise: Normalise
    stack: int

    def as_dict(self) -> dict[str, Any]:
        """The encoding in JSON's types."""
        return {**asdict(self), "spelling": self.spelling.as_dict()}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> "SpeechEncoding":
        """What `as_dict` gave."""
        made = {
            "spelling": Spelling.from_dict(saved["spelling"]),
            "filterbank": Filterbank(**saved["filterbank"]),
            "mean": tuple(saved["mean"]),
            "scale": tuple(saved["scale"]),
        }
        return cls(**{**saved, **made})

    @property
    def width(self) -> int:
        """Numbers a step."""
        return self.filterbank.bands * self.stack

    @property
    def seconds(self) -> float:
        """From one step to the next."""
        return self.stack * self.filterbank.samples(self.filterbank.hop) / self.filterbank.rate

    def steps(self, samples: int) -> int:
        """The steps of so many samples."""
        return -(-self.filterbank.count(samples) // self.stack)

    def inputs(self, samples: NDArray[np.int16]) -> NDArray[np.float32]:
        """Samples `[samples]` at the filterbank's rate as steps `[T, width]`."""
        return self.stacked(self.normalised(self.filterbank.frames(sound(samples), self.filterbank.rate)))

    def normalised(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """Frames `[n, bands]` of a recording without its mean, in units of training's scale."""
        return Normaliser(self).add(frames)

    def stacked(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """Frames `[n, bands]` side by side, `[⌈n / stack⌉, width]`, with zeros after the last."""
        whole = np.zeros((len(frames) + -len(frames) % self.stack, self.filterbank.bands), np.float32)
        whole[: len(frames)] = frames
        return whole.reshape(-1, self.width)


def sound(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    """Samples as they are stored, from -1 to 1."""
    return samples.astype(np.float32) * np.float32(1 / FULL_SCALE)


def stored(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """Samples from -1 to 1, as 16 bits hold them; what goes further is made softer as a whole, not clipped."""
    loudest = max(1.0, float(np.abs(samples).max(initial=0.0)))
    return np.clip(np.round(samples * (FULL_SCALE / loudest)), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


class Normaliser:
    """Takes the mean off the frames of a recording that comes piece by piece.

    A running mean is that of all frames so far, with training's counted as `PRIOR` frames before the first, so that
    what comes out does not depend on how the frames were cut into pieces. With `normalise` recording there is one
    piece, the whole.
    """

    def __init__(self, encoding: SpeechEncoding) -> None:
        self.normalise = encoding.normalise
        self.mean, self.scale = np.asarray(encoding.mean), np.asarray(encoding.scale)
        self.total = PRIOR * self.mean
        self.count = PRIOR

    def add(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """The next frames `[n, bands]`."""
        if not len(frames):
            return frames
        mean = self.mean
        if self.normalise == "recording":
            mean = frames.mean(axis=0, dtype=np.float64)
        elif self.normalise == "running":
            sums = self.total + np.cumsum(frames, axis=0, dtype=np.float64)
            mean = sums / (self.count + np.arange(1, len(frames) + 1)[:, None])
            self.total, self.count = sums[-1], self.count + len(frames)
        return ((frames - mean) / self.scale).astype(np.float32)


class Listening:
    """One recording at the filterbank's rate that comes piece by piece: steps as soon as they are known.

    All pieces together give what `SpeechEncoding.inputs` gives of the whole, unless that has to know the whole mean.
    """

    def __init__(self, encoding: SpeechEncoding) -> None:
        self.encoding = encoding
        self.hearing, self.normaliser = Hearing(encoding.filterbank), Normaliser(encoding)
        self.waiting = np.empty((0, encoding.filterbank.bands), np.float32)  # frames of a step that is not whole

    def add(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """The steps `[n, width]` that these samples `[samples]` from -1 to 1 bring."""
        return self._steps(self.hearing.add(samples), False)

    def end(self) -> NDArray[np.float32]:
        """The steps at the end."""
        return self._steps(self.hearing.end(), True)

    def _steps(self, frames: NDArray[np.float32], last: bool) -> NDArray[np.float32]:
        known = np.concatenate([self.waiting, self.normaliser.add(frames)])
        whole = len(known) if last else len(known) - len(known) % self.encoding.stack
        self.waiting = known[whole:]
        return self.encoding.stacked(known[:whole])
