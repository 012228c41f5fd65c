"""Recordings as frames: the right bands, other rates, nothing to hear."""

from pathlib import Path

import numpy as np
import pytest

from peephole.data.sound.filterbank import Filterbank
from peephole.data.sound.recordings import read_samples, resampled, silent, sound_of
from peephole.errors import InputError

soundfile = pytest.importorskip("soundfile")
pytest.importorskip("kaldi_native_fbank")


def tone(frequency: float, rate: int, seconds: float = 0.3) -> np.ndarray:
    steps = np.arange(round(rate * seconds)) / rate
    return (0.3 * np.sin(2 * np.pi * frequency * steps)).astype(np.float32)


def test_a_tone_is_loudest_in_its_band() -> None:
    bank = Filterbank(8000, bands=20)
    low, high = bank.frames(tone(300, 8000), 8000), bank.frames(tone(2500, 8000), 8000)
    assert low.shape == high.shape == (30, 20)
    assert low.dtype == np.float32
    assert low.mean(axis=0).argmax() < 6
    assert high.mean(axis=0).argmax() > 14


def test_the_same_sound_at_another_rate(tmp_path: Path) -> None:
    bank = Filterbank(8000, bands=20)
    soundfile.write(tmp_path / "stereo.wav", np.stack([tone(1000, 22050)] * 2, axis=1), 22050)
    assert sound_of(tmp_path / "stereo.wav") == (6615, 22050, 2)
    samples, rate = read_samples(tmp_path / "stereo.wav")
    assert rate == 22050
    assert len(resampled(samples, rate, 8000)) == 2400
    # The tone's band; far from it a filter leaves different traces.
    apart = bank.of(tmp_path / "stereo.wav")[5:-5] - bank.frames(tone(1000, 8000), 8000)[5:-5]
    band = int(bank.frames(tone(1000, 8000), 8000).mean(axis=0).argmax())
    assert float(np.abs(apart[:, band]).max()) <= 0.05


def test_nothing_to_hear(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "empty.wav", np.empty(0, np.float32), 8000)
    assert sound_of(tmp_path / "empty.wav") == (0, 8000, 1)
    assert Filterbank(8000).of(tmp_path / "empty.wav").shape == (0, 40)
    soundfile.write(tmp_path / "click.wav", np.ones(39, np.float32), 8000)
    (tmp_path / "nothing.wav").touch()
    reasons = [silent(tmp_path / f"{name}.wav", 10.0) for name in ("empty", "nothing", "click")]
    assert reasons == ["no samples", "no samples", "only 39 samples"]
    assert Filterbank(8000).of(tmp_path / "click.wav").shape == (0, 40)
    soundfile.write(tmp_path / "click.wav", np.ones(40, np.float32), 8000)
    assert silent(tmp_path / "click.wav", 10.0) is None
    assert Filterbank(8000).of(tmp_path / "click.wav").shape == (1, 40)
    (tmp_path / "torn.wav").write_bytes(b"RIFF")
    for read in (sound_of, read_samples):
        with pytest.raises(InputError, match=r"torn\.wav: cannot be read"):
            read(tmp_path / "torn.wav")


@pytest.mark.parametrize("changes", [{"bands": 1}, {"bands": 500}, {"rate": 100}, {"frame": 0.01}])
def test_filterbanks_that_cannot_be(changes: dict[str, float]) -> None:
    given = {"rate": 8000, **changes}
    with pytest.raises(
        InputError, match=r"bands, frames of .* ms and a rate of .* do not go together \(.*\); expected"
    ):
        Filterbank(**given).frames(tone(300, 8000), int(given["rate"]))  # pyright: ignore[reportArgumentType]


def test_what_is_no_number_is_no_sound(tmp_path: Path) -> None:
    for value, name in ((np.nan, "nan"), (np.inf, "inf")):
        samples = tone(300, 8000)
        samples[7] = value
        soundfile.write(tmp_path / f"{name}.wav", samples, 8000, subtype="FLOAT")
        with pytest.raises(InputError, match=rf"{name}\.wav: has samples that are not finite; expected a recording"):
            read_samples(tmp_path / f"{name}.wav")
