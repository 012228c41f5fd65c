"""Files of sound to samples."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from peephole.errors import InputError

REMEDY = "expected a recording, for example WAV; leave it out"
SOUND = (".wav", ".flac", ".ogg")  # how files of sound are called


def check_installed() -> None:
    """Raise `InputError`, with the extra's name, where what reads sound is missing or broken.

    Call it before a loop that passes over recordings that cannot be read, so that it is said once.
    """
    try:
        import kaldi_native_fbank  # noqa: F401
        import soundfile  # noqa: F401
    except ModuleNotFoundError:
        raise InputError(
            "sound needs kaldi-native-fbank and soundfile, which are not installed; pip install 'peephole[speech]'"
        ) from None
    except (ImportError, OSError) as error:  # soundfile raises the latter where it lacks the library below it
        if isinstance(error.__cause__, KeyboardInterrupt):
            raise KeyboardInterrupt from None  # pybind11 makes an ImportError of whatever stops a module as it loads
        raise InputError(
            f"sound needs kaldi-native-fbank and soundfile, which cannot be loaded ({error}); "
            "pip install --force-reinstall 'peephole[speech]'"
        ) from None


def read_samples(path: Path) -> tuple[NDArray[np.float32], int]:
    """The samples `[samples]` from -1 to 1, the mean of the channels, and how many there are a second.

    Raises:
        InputError: the file cannot be read as sound, or has samples that are not finite.
    """
    check_installed()
    import soundfile

    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, RuntimeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); {REMEDY}") from None
    return _finite(samples.mean(axis=1, dtype=np.float32), path), rate


def read_blocks(path: Path, seconds: float) -> Iterator[tuple[NDArray[np.float32], int]]:
    """The same in blocks of so many seconds, as they are read, each with the rate. `InputError` as `read_samples`."""
    check_installed()
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            size = max(1, round(seconds * file.samplerate))
            for block in file.blocks(size, dtype="float32", always_2d=True):
                yield _finite(block.mean(axis=1, dtype=np.float32), path), file.samplerate
    except InputError:
        raise
    except (OSError, RuntimeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); {REMEDY}") from None


def _finite(samples: NDArray[np.float32], path: Path) -> NDArray[np.float32]:
    if not np.isfinite(samples).all():
        raise InputError(f"{path}: has samples that are not finite; {REMEDY}")
    return samples


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
    if not len(samples) or rate == wanted:
        return samples
    from scipy.signal import resample_poly

    common = np.gcd(rate, wanted)
    return resample_poly(samples, wanted // common, rate // common).astype(np.float32)
