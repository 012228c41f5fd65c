"""A WAV file that comes through a pipe, while somebody still speaks."""

import wave
from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from peephole.errors import InputError

WIDTHS = {1: "u1", 2: "<i2", 4: "<i4"}  # bytes a sample
LOWEST, HIGHEST = 100, 1_000_000  # samples a second; a header that says anything else is damaged


@runtime_checkable
class Bytes(Protocol):
    """What comes through a pipe. A reading may give less than it was asked for, and nothing at the end alone."""

    def read(self, size: int = -1, /) -> bytes | None: ...


class _Full:
    """A stream whose readings give all that was asked for, or all that is left: a raw one gives what is there."""

    def __init__(self, stream: Bytes, name: str) -> None:
        self.stream, self.name = stream, name

    def read(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size > 0:
            part = self.stream.read(size)
            if part is None:
                raise InputError(f"{self.name}: does not wait for what is not there yet; expected a blocking stream")
            if not part:
                break
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def wave_blocks(stream: Bytes, seconds: float, name: str) -> Iterator[tuple[NDArray[np.float32], int]]:
    """Samples `[samples]` from -1 to 1, the mean of the channels, in blocks of so many seconds, each with the rate.

    Raises:
        InputError: the bytes are no WAV file of integers of at most 32 bits, at a rate that sound can have; `name` is
            what they came from. Or the stream does not block.
    """
    source: Any = _Full(stream, name)  # the library asks for more methods, and does without them
    try:
        with wave.open(source, "rb") as file:
            rate, channels, width = file.getframerate(), file.getnchannels(), file.getsampwidth()
            _check(rate, width)
            while block := file.readframes(max(1, round(seconds * rate))):
                whole = len(block) - len(block) % (width * channels)  # the end may be torn
                yield _values(block[:whole], width).reshape(-1, channels).mean(axis=1, dtype=np.float32), rate
    except (wave.Error, EOFError) as error:
        reason = str(error) or "it ends too soon"
        raise InputError(
            f"{name}: no WAV file of integers ({reason}); expected one, as from ffmpeg -i FILE -c pcm_s16le -f wav -"
        ) from None


def _check(rate: int, width: int) -> None:
    """Raise `wave.Error`, as the library does for the rest of the header, where this cannot be."""
    if width not in (*WIDTHS, 3):
        raise wave.Error(f"{8 * width} bits a sample, not 8, 16, 24 or 32")
    if not LOWEST <= rate <= HIGHEST:
        raise wave.Error(f"{rate:,} samples a second, not {LOWEST:,} to {HIGHEST:,}")


def _values(block: bytes, width: int) -> NDArray[np.float32]:
    if width == 3:  # no such type: a fourth byte below makes it one
        padded = np.zeros((len(block) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(block, np.uint8).reshape(-1, 3)
        block, width = padded.tobytes(), 4
    values = np.frombuffer(block, WIDTHS[width]).astype(np.float32)
    found = (values - 128) / 128 if width == 1 else values / 2 ** (8 * width - 1)
    return found.astype(np.float32, copy=False)
