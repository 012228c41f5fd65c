"""Recordings as what the ear hears of them: logarithms of energies in bands of the mel scale, a frame each hop."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peephole.data.sound.recordings import check_installed, read_samples, resampled
from peephole.errors import InputError

FULL_SCALE = 32768  # Kaldi's filterbanks expect the integers of 16 bits


@dataclass(frozen=True)
class Filterbank:
    """How a recording becomes frames. `rate` in samples a second, `frame` and `hop` in milliseconds.

    Kaldi's filterbanks (Povey et al. 2011), as kaldi-native-fbank computes them, without dither: the same recording
    gives the same numbers.
    """

    rate: int
    bands: int = 40
    frame: float = 25.0
    hop: float = 10.0

    def samples(self, milliseconds: float) -> int:
        """So many samples, rounded down as Kaldi does, are a time; at least one."""
        return max(1, int(self.rate * milliseconds / 1000 + 1e-6))

    def count(self, samples: int) -> int:
        """The frames of so many samples."""
        hop = self.samples(self.hop)
        return (samples + hop // 2) // hop

    def of(self, path: Path) -> NDArray[np.float32]:
        """The recording as `[T, bands]`, resampled where its rate is another; channels are averaged.

        Without a frame where it is shorter than half a hop.

        Raises:
            InputError: the file cannot be read as sound.
        """
        samples, rate = read_samples(path)
        return self.frames(samples, rate)

    def frames(
        self, samples: NDArray[np.float32], rate: int, pitch: float = 1.0, slowness: float = 1.0
    ) -> NDArray[np.float32]:
        """Samples `[samples]` from -1 to 1 as `[T, bands]`.

        The sound is heard as if all its frequencies were `pitch` times what they are, without another length in time,
        and as if it took `slowness` times as long, without other frequencies.
        """
        hearing = Hearing(self, pitch, slowness)
        return np.concatenate([hearing.add(resampled(samples, rate, self.rate)), hearing.end()])


class Hearing:
    """One recording at the filterbank's rate that comes piece by piece: frames as soon as they are known.

    All pieces together give what `Filterbank.frames` gives of the whole. With a `pitch` the computer of frames is told
    of another rate than the samples have, so that nothing is interpolated; with a `slowness` its hops are shorter.

    Raises:
        InputError: a filterbank that cannot be: too few bands, or more than such frames or such a rate tell apart.
    """

    def __init__(self, filterbank: Filterbank, pitch: float = 1.0, slowness: float = 1.0) -> None:
        check_installed()
        import kaldi_native_fbank

        self.bands = filterbank.bands
        self.rate = round(filterbank.rate * pitch)
        window, hop = (filterbank.samples(length) for length in (filterbank.frame, filterbank.hop / slowness))
        options = kaldi_native_fbank.FbankOptions()
        options.frame_opts.dither = 0
        options.frame_opts.samp_freq = self.rate
        # whole numbers of samples come back from milliseconds by rounding down
        options.frame_opts.frame_length_ms = (window + 0.5) * 1000 / self.rate
        options.frame_opts.frame_shift_ms = (hop + 0.5) * 1000 / self.rate
        options.frame_opts.snip_edges = False  # a recording shorter than a frame has one too
        options.mel_opts.num_bins = filterbank.bands
        options.mel_opts.high_freq = min(filterbank.rate, self.rate) / 2
        try:
            self.computer: Any = kaldi_native_fbank.OnlineFbank(options)
        except ValueError as error:
            size = f"{filterbank.bands} bands, frames of {filterbank.frame:g} ms and a rate of {filterbank.rate:,}"
            raise InputError(
                f"{size} do not go together ({_reason(error)}); expected, for example, --bands 40 "
                "--frame-milliseconds 25 --rate 16000"
            ) from None
        self.given = 0

    def add(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """The frames `[n, bands]` that these samples `[samples]` from -1 to 1 bring."""
        if len(samples):
            self.computer.accept_waveform(self.rate, (samples * FULL_SCALE).tolist())
        return self._ready()

    def end(self) -> NDArray[np.float32]:
        """The frames at the end, which would reach beyond it."""
        self.computer.input_finished()
        return self._ready()

    def _ready(self) -> NDArray[np.float32]:
        first, self.given = self.given, self.computer.num_frames_ready
        found = np.empty((self.given - first, self.bands), np.float32)
        for place in range(len(found)):
            found[place] = self.computer.get_frame(first + place)  # copied: what comes is a view of what goes
        self.computer.pop(len(found))  # what was given is not kept
        return found


def _reason(error: ValueError) -> str:
    """The first line of what the library says."""
    return str(error).strip().split("\n")[0].rstrip(".")
