"""Sound that comes piece by piece is the sound that is there at once."""

import io
import os
import struct
import threading
import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from peephole.data.sound.filterbank import Filterbank, Hearing
from peephole.data.sound.recordings import read_blocks, read_samples, resampled
from peephole.data.sound.resampling import Resampling
from peephole.data.sound.wave_stream import wave_blocks
from peephole.errors import InputError

soundfile = pytest.importorskip("soundfile")
pytest.importorskip("kaldi_native_fbank")
pytest.importorskip("scipy")


def pieces(samples: NDArray[np.float32], seed: int) -> list[NDArray[np.float32]]:
    random = np.random.default_rng(seed)
    return np.split(samples, np.sort(random.integers(0, len(samples) + 1, 12)))


def noise(count: int, seed: int = 0) -> NDArray[np.float32]:
    return 0.1 * np.random.default_rng(seed).standard_normal(count, dtype=np.float32)


@pytest.mark.parametrize(("rate", "wanted"), [(8000, 16000), (16000, 8000), (44100, 8000), (11025, 8000), (8000, 8000)])
@pytest.mark.parametrize("count", [3, 100, 9001])
def test_resampling_in_pieces(rate: int, wanted: int, count: int) -> None:
    samples, resampling = noise(count), Resampling(rate, wanted)
    found = np.concatenate([*(resampling.add(piece) for piece in pieces(samples, 1)), resampling.end()])
    whole = resampled(samples, rate, wanted)
    assert found.shape == whole.shape
    assert float(np.abs(found - whole).max()) <= 1e-5


@pytest.mark.parametrize("count", [0, 39, 40, 119, 120, 7993])
def test_frames_in_pieces(count: int) -> None:
    bank, samples = Filterbank(8000, bands=20), noise(count)
    hearing = Hearing(bank)
    found = np.concatenate([*(hearing.add(piece) for piece in pieces(samples, 2)), hearing.end()])
    whole = bank.frames(samples, 8000)
    assert len(whole) == bank.count(count)
    assert np.array_equal(found, whole)


def test_pitch_moves_tones_and_slowness_frames() -> None:
    steps = np.arange(4000) / 8000
    bank = Filterbank(8000, bands=40)
    tone, higher = (np.sin(2 * np.pi * height * steps).astype(np.float32) for height in (1000, 1250))
    usual, raised = bank.frames(tone, 8000), bank.frames(tone, 8000, pitch=1.25)
    assert raised.shape == usual.shape, "a pitch changes no times"
    assert raised.mean(0).argmax() == bank.frames(higher, 8000).mean(0).argmax() > usual.mean(0).argmax()
    slow = bank.frames(tone, 8000, slowness=1.25)
    assert abs(len(slow) - 1.25 * len(usual)) <= 0.5
    assert slow.mean(0).argmax() == usual.mean(0).argmax()


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_a_wave_file_through_a_pipe(width: int) -> None:
    wanted = 0.5 * np.sin(np.arange(5000) / 9)
    numbers = np.round(wanted * (2 ** (8 * width - 1) - 1)).astype(np.int64) + (128 if width == 1 else 0)
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(width)
        file.setframerate(8000)
        file.writeframes(b"".join(2 * int(one).to_bytes(width, "little", signed=width > 1) for one in numbers))
    reading, writing = os.pipe()
    writer = threading.Thread(target=_write, args=(writing, content.getvalue()))
    writer.start()
    with os.fdopen(reading, "rb") as stream:
        blocks = list(wave_blocks(stream, 0.1, "a pipe"))
    writer.join()
    assert {rate for _, rate in blocks} == {8000}
    assert max(len(block) for block, _ in blocks) == 800
    assert float(np.abs(np.concatenate([block for block, _ in blocks]) - wanted).max()) <= max(
        1e-7, 2.0 ** (2 - 8 * width)
    )


def _write(descriptor: int, content: bytes) -> None:
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"what is this, which is no sound at all"])
def test_no_wave_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    complaint = r"a pipe: no WAV file of integers .*; expected one, as from ffmpeg"
    with (tmp_path / "a.wav").open("rb") as stream, pytest.raises(InputError, match=complaint):
        list(wave_blocks(stream, 0.1, "a pipe"))


def header(rate: int, bits: int, size: int) -> bytes:
    """The head of a WAV file of one channel with so many bytes of samples."""
    width = bits // 8
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, rate * width % 2**32, width, bits)
    return struct.pack("<4sI4s", b"RIFF", 36 + size, b"WAVE") + form + struct.pack("<4sI", b"data", size)


@pytest.mark.parametrize(
    ("rate", "bits", "reason"),
    [
        (0, 16, "0 samples a second, not 100 to 1,000,000"),
        (99, 16, "99 samples a second"),
        (4_000_000_000, 16, "4,000,000,000 samples a second"),
        (8000, 64, "64 bits a sample, not 8, 16, 24 or 32"),
    ],
)
def test_headers_that_no_sound_has(rate: int, bits: int, reason: str) -> None:
    stream = io.BytesIO(header(rate, bits, 80) + bytes(80))
    with pytest.raises(InputError, match=rf"a pipe: no WAV file of integers \({reason}.*\); expected one, as from"):
        list(wave_blocks(stream, 0.1, "a pipe"))


class Raw(io.RawIOBase):
    """Bytes as a socket gives them: fewer than asked for, or None where it does not wait."""

    def __init__(self, content: bytes, waits: bool = True) -> None:
        self.content, self.waits = io.BytesIO(content), waits

    def read(self, size: int = -1, /) -> bytes | None:
        return (self.content.read(min(size, 7)) or b"") if self.waits else None


def test_a_stream_that_gives_less_than_it_is_asked_for() -> None:
    numbers = np.arange(-2000, 2000, dtype="<i2")
    content = header(8000, 16, 8000) + numbers.tobytes()
    blocks = [block for block, _ in wave_blocks(Raw(content), 0.1, "a socket")]
    assert [len(block) for block in blocks] == [800] * 5
    assert np.array_equal(np.concatenate(blocks) * 32768, numbers)
    with pytest.raises(InputError, match="a socket: does not wait for what is not there yet; expected a blocking"):
        list(wave_blocks(Raw(content, waits=False), 0.1, "a socket"))


def test_blocks_of_a_file(tmp_path: Path) -> None:
    stereo = np.stack([noise(5000), noise(5000, 1)], axis=1)
    soundfile.write(tmp_path / "a.flac", stereo, 16000)
    blocks = list(read_blocks(tmp_path / "a.flac", 0.1))
    whole, rate = read_samples(tmp_path / "a.flac")
    assert [len(block) for block, _ in blocks] == [1600, 1600, 1600, 200]
    assert {own for _, own in blocks} == {rate} == {16000}
    assert np.array_equal(np.concatenate([block for block, _ in blocks]), whole)
    (tmp_path / "b.wav").write_bytes(b"RIFF, and no more")
    with pytest.raises(InputError, match=r"b\.wav: cannot be read"):
        list(read_blocks(tmp_path / "b.wav", 0.1))
