"""A WAV file that comes through a pipe, while somebody still speaks."""

import wave
from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from peephole.errors import InputError

WIDTHS = {1: "u1", 2: "<i2", 4: "<i4"}  # bytes a sample


@runtime_checkable
class Bytes(Protocol):
    """What comes through a pipe."""

    def read(self, size: int = -1, /) -> bytes: ...


def wave_blocks(stream: Bytes, seconds: float, name: str) -> Iterator[tuple[NDArray[np.float32], int]]:
    """Samples `[samples]` from -1 to 1, the mean of the channels, in blocks of so many seconds, each with the rate.

    Raises:
        InputError: the bytes are no WAV file of integers; `name` is what they came from.
    """
    source: Any = stream  # the library asks for more, and does without where a stream cannot go back
    try:
        with wave.open(source, "rb") as file:
            rate, channels, width = file.getframerate(), file.getnchannels(), file.getsampwidth()
            while block := file.readframes(max(1, round(seconds * rate))):
                whole = len(block) - len(block) % (width * channels)  # the end may be torn
                yield _values(block[:whole], width).reshape(-1, channels).mean(axis=1, dtype=np.float32), rate
    except (wave.Error, EOFError) as error:
        reason = str(error) or "it ends too soon"
        raise InputError(
            f"{name}: no WAV file of integers ({reason}); expected one, as from ffmpeg -i FILE -c pcm_s16le -f wav -"
        ) from None


def _values(block: bytes, width: int) -> NDArray[np.float32]:
    if width == 3:  # no such type: a fourth byte below makes it one
        padded = np.zeros((len(block) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(block, np.uint8).reshape(-1, 3)
        block, width = padded.tobytes(), 4
    values = np.frombuffer(block, WIDTHS[width]).astype(np.float32)
    found = (values - 128) / 128 if width == 1 else values / 2 ** (8 * width - 1)
    return found.astype(np.float32, copy=False)
