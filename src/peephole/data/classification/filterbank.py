"""Recordings as what the ear hears of them: logarithms of energies in bands of the mel scale, a frame each hop."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from peephole.errors import InputError

REMEDY = "expected a recording, for example WAV; leave it out"
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

    def of(self, path: Path) -> NDArray[np.float32]:
        """The recording as `[T, bands]`, resampled where its rate is another; channels are averaged.

        Without a frame where it is shorter than half a hop.

        Raises:
            InputError: the file cannot be read as sound.
        """
        samples, rate = read_samples(path)
        return self.frames(samples, rate)

    def frames(self, samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
        """Samples `[samples]` from -1 to 1 as `[T, bands]`."""
        if rate != self.rate:
            samples = resampled(samples, rate, self.rate)
        check_installed()
        import kaldi_native_fbank

        options = kaldi_native_fbank.FbankOptions()
        options.frame_opts.dither = 0
        options.frame_opts.samp_freq = self.rate
        options.frame_opts.frame_length_ms = self.frame
        options.frame_opts.frame_shift_ms = self.hop
        options.frame_opts.snip_edges = False  # a recording shorter than a frame has one too
        options.mel_opts.num_bins = self.bands
        computer = kaldi_native_fbank.OnlineFbank(options)
        computer.accept_waveform(self.rate, (samples * FULL_SCALE).tolist())
        computer.input_finished()
        count = computer.num_frames_ready
        if not count:
            return np.empty((0, self.bands), np.float32)
        return np.stack([computer.get_frame(index) for index in range(count)]).astype(np.float32)


def check_installed() -> None:
    """Raise `InputError`, with the extra's name, where what reads sound is missing."""
    try:
        import kaldi_native_fbank  # noqa: F401
        import soundfile  # noqa: F401
    except ImportError:
        raise InputError(
            "sound needs kaldi-native-fbank and soundfile, which are not installed; pip install 'peephole[speech]'"
        ) from None


def read_samples(path: Path) -> tuple[NDArray[np.float32], int]:
    """The samples `[samples]` from -1 to 1, the mean of the channels, and how many there are a second.

    Raises:
        InputError: the file cannot be read as sound.
    """
    check_installed()
    import soundfile

    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, RuntimeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); {REMEDY}") from None
    return samples.mean(axis=1, dtype=np.float32), rate


def sound_of(path: Path) -> tuple[int, int, int]:
    """How many samples a recording has, how many a second, and how many channels, from the head of its file alone; 0 of
    an empty file.

    Raises:
        InputError: the file cannot be read as sound.
    """
    check_installed()
    import soundfile

    try:
        if not path.stat().st_size:
            return 0, 0, 0
        found = soundfile.info(path)
    except (OSError, RuntimeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); {REMEDY}") from None
    return found.frames, found.samplerate, found.channels


def silent(path: Path, hop: float) -> str | None:
    """Why a recording has no frame, every `hop` milliseconds one; None where it has some."""
    samples, rate, _ = sound_of(path)
    if not samples:
        return "no samples"
    return f"only {samples} samples" if samples * 1000 < rate * hop / 2 else None


def resampled(samples: NDArray[np.float32], rate: int, wanted: int) -> NDArray[np.float32]:
    """The same sound with `wanted` samples a second in place of `rate`, by a polyphase filter."""
    if not len(samples):
        return samples
    from scipy.signal import resample_poly

    common = np.gcd(rate, wanted)
    return resample_poly(samples, wanted // common, rate // common).astype(np.float32)
