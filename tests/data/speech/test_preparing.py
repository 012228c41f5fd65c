"""Recordings to arrays: parts, their texts, what is skipped and said, and what the encoding knows."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from peephole.data.sequences.store import open_part
from peephole.data.speech.changing import SpeechChanging
from peephole.data.speech.config import SpeechData
from peephole.data.speech.encoding import Listening, SpeechEncoding, sound
from peephole.data.speech.preparing import prepare, read_said
from peephole.errors import InputError

from ...tones import RATE, spoken, table

soundfile = pytest.importorskip("soundfile")
pytest.importorskip("kaldi_native_fbank")


def prepared(tmp_path: Path, **changes: Any) -> tuple[SpeechEncoding, Path]:
    folder = tmp_path / "run" / "data"
    folder.mkdir(parents=True)
    given = {"files": (table(tmp_path / "t.tsv", 30, 0),), "units": "words", **changes}
    return prepare(SpeechData(**given), folder), folder


def notes(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "recordings.json").read_text())


def test_parts_and_their_texts(tmp_path: Path) -> None:
    encoding, folder = prepared(tmp_path, held_out_share=0.2, test=(table(tmp_path / "v.tsv", 5, 1),))
    sizes = {name: len(open_part(folder / name)) for name in ("train", "held_out", "test")}
    assert sizes == {"train": 24, "held_out": 6, "test": 5}
    assert encoding.spelling.symbols == ("high", "low", "mid")
    assert encoding.filterbank.rate == RATE
    assert SpeechEncoding.from_dict(json.loads(json.dumps(encoding.as_dict()))) == encoding
    part, said = open_part(folder / "test"), read_said(folder, "test")
    for number, one in enumerate(said):
        samples, units = part.sequence(number)
        read, _ = soundfile.read(one.name, dtype="int16")
        assert np.array_equal(samples, read)
        assert encoding.spelling.text(units.tolist()) == one.transcript
        assert one.speaker in ("anna", "ben")
        assert len(encoding.inputs(samples)) == encoding.steps(len(samples))
    train = np.concatenate([encoding.inputs(open_part(folder / "train").sequence(number)[0]) for number in range(24)])
    assert np.isfinite(train).all()
    assert notes(folder) == {name: {"notes": [], "skipped": []} for name in sizes}
    assert not (tmp_path / "run" / ".shards").exists()


def test_whole_speakers_are_held_out(tmp_path: Path) -> None:
    _, folder = prepared(tmp_path, hold_out_speakers=True, speaker=r"_([a-z]+)_\d+\.wav")
    speakers = {name: {one.speaker for one in read_said(folder, name)} for name in ("train", "held_out")}
    assert sorted(len(names) for names in speakers.values()) == [1, 1]
    assert speakers["train"] != speakers["held_out"]


def test_an_expression_that_finds_no_speaker(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--speaker x\(y\) finds nothing in .*\.wav nor elsewhere"):
        prepared(tmp_path, speaker="x(y)")


def test_too_few_to_hold_out(tmp_path: Path) -> None:
    for name in ("a", "b"):
        soundfile.write(tmp_path / f"{name}.wav", np.zeros(8000, np.float32), RATE)
    (tmp_path / "one.tsv").write_text("a.wav\tlow\n")
    (tmp_path / "two.tsv").write_text("path\ttranscript\tspeaker\na.wav\tlow\tanna\nb.wav\tlow\tanna\n")
    with pytest.raises(InputError, match="one recording; expected two to hold one out"):
        prepared(tmp_path / "x", files=(tmp_path / "one.tsv",))
    with pytest.raises(InputError, match="line 1: no speaker; expected one of each recording"):
        prepared(tmp_path / "y", files=(tmp_path / "one.tsv",), hold_out_speakers=True)
    with pytest.raises(InputError, match="one speaker, anna; expected two to hold one out"):
        prepared(tmp_path / "z", files=(tmp_path / "two.tsv",), hold_out_speakers=True)


def test_what_cannot_be_learnt_from_is_named(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    good = spoken("low high", random)
    soundfile.write(tmp_path / "good.wav", good, RATE)
    soundfile.write(tmp_path / "other.wav", spoken("mid low", random, 16000), 16000)
    soundfile.write(tmp_path / "stereo.wav", np.stack([good, good], axis=1), RATE)
    soundfile.write(tmp_path / "short.wav", np.zeros(round(0.1 * RATE), np.float32), RATE)
    soundfile.write(tmp_path / "empty.wav", np.zeros(0, np.float32), RATE)
    (tmp_path / "torn.wav").write_bytes(b"RIFF")
    lines = ["good.wav\tlow high", "other.wav\tmid low", "stereo.wav\tlow high", "short.wav\tlow low low low"]
    nothing = good.copy()
    nothing[5] = np.nan
    soundfile.write(tmp_path / "nan.wav", nothing, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "cut.flac", np.tile(good, 20), RATE)
    (tmp_path / "cut.flac").write_bytes((tmp_path / "cut.flac").read_bytes()[:2000])  # its head is whole
    lines += ["empty.wav\tlow", "torn.wav\tlow", "good.wav\t", "nan.wav\tlow high", "cut.flac\tlow high"]
    (tmp_path / "w.tsv").write_text("\n".join(lines) + "\n")
    encoding, folder = prepared(tmp_path, held_out=(tmp_path / "w.tsv",))
    found = notes(folder)["held_out"]
    assert len(open_part(folder / "held_out")) == 3
    assert found["notes"] == [
        "1 recordings of another rate are resampled to 8,000 Hz",
        "1 recordings have several channels, of which the mean is taken",
    ]
    skipped = "\n".join(found["skipped"])
    assert "line 4: 0.1 s are 4 steps; its 4 units need 7 (lower --stack)" in skipped
    for reason in ("line 5", "no samples", "torn.wav: cannot be read", "line 7: an empty transcript"):
        assert reason in skipped
    assert "line 8: " in skipped
    assert "nan.wav: has samples that are not finite" in skipped
    assert "line 9: " in skipped
    assert "cut.flac: cannot be read" in skipped
    assert len(found["skipped"]) == 6
    assert encoding.steps(800) == 4


def test_unknown_words_are_said(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(8000, np.float32), RATE)
    (tmp_path / "w.tsv").write_text("a.wav\tlow and high\n")
    _, folder = prepared(tmp_path, held_out=(tmp_path / "w.tsv",))
    (note,) = notes(folder)["held_out"]["notes"]
    assert note == "1 words of the transcripts are none of the units, which cannot be said: 'and'"


def test_nothing_is_left_of_what_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "torn.wav").write_bytes(b"RIFF")
    (tmp_path / "w.tsv").write_text("torn.wav\tlow\n")
    with pytest.raises(InputError, match=r"w\.tsv: no recording with a transcript that can be read; the first: .*torn"):
        prepared(tmp_path, files=(tmp_path / "w.tsv",))
    assert not list((tmp_path / "run" / "data").iterdir())
    with pytest.raises(InputError, match="no file to learn from"):
        prepare(SpeechData(), tmp_path)


def test_a_missing_extra_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = (table(tmp_path / "t.tsv", 3, 0),)
    monkeypatch.setitem(sys.modules, "kaldi_native_fbank", None)
    with pytest.raises(InputError, match=r"^sound needs kaldi-native-fbank and soundfile, which are not installed"):
        prepared(tmp_path, files=files)


@pytest.mark.parametrize("normalise", ["running", "training"])
def test_a_recording_in_pieces(tmp_path: Path, normalise: str) -> None:
    encoding, folder = prepared(tmp_path, normalise=normalise, bands=20)
    samples, _ = open_part(folder / "train").sequence(3)
    listening, values = Listening(encoding), sound(samples)
    found = [listening.add(values[start : start + 333]) for start in range(0, len(values), 333)]
    whole = encoding.inputs(samples)
    assert float(np.abs(np.concatenate([*found, listening.end()]) - whole).max()) <= 1e-5
    assert whole.shape[1] == encoding.width == 60


def test_changes_are_other_ones_each_time_and_none_without_settings(tmp_path: Path) -> None:
    encoding, folder = prepared(tmp_path)
    pair = open_part(folder / "train").sequence(0)
    before = pair[0].copy()
    same, units = SpeechChanging(encoding)(pair, np.random.default_rng(0))
    assert np.array_equal(same, encoding.inputs(pair[0]))
    assert np.array_equal(units, pair[1])
    changing = SpeechChanging(encoding, 0.2, 0.2, 0.3, 6.0, 0.1, 0.2)
    several = [changing(pair, np.random.default_rng(seed))[0] for seed in (1, 2, 1)]
    assert np.array_equal(several[0], several[2])
    assert several[0].shape != several[1].shape or not np.array_equal(several[0], several[1])
    assert np.array_equal(pair[0], before)


def test_no_change_takes_the_room_of_units(tmp_path: Path) -> None:
    encoding, _ = prepared(tmp_path)
    samples, units = np.zeros(8 * 240, np.int16), np.array([1, 2, 3, 1, 2, 3, 1, 2], np.int32)
    assert encoding.steps(len(samples)) == 8
    changing = SpeechChanging(encoding, tempo=0.5)
    for seed in range(8):
        assert len(changing((samples, units), np.random.default_rng(seed))[0]) >= 8


def test_loud_recordings_are_made_softer_not_clipped(tmp_path: Path) -> None:
    wanted = spoken("low high", np.random.default_rng(3))
    soundfile.write(tmp_path / "loud.wav", 20 * wanted, RATE, subtype="FLOAT")
    (tmp_path / "w.tsv").write_text("loud.wav\tlow high\n")
    _, folder = prepared(tmp_path, held_out=(tmp_path / "w.tsv",))
    found = sound(open_part(folder / "held_out").sequence(0)[0])
    assert float(np.corrcoef(found, wanted)[0, 1]) >= 0.9999


def test_recordings_that_are_learnt_from_and_measured_on_are_said(tmp_path: Path) -> None:
    files = (table(tmp_path / "t.tsv", 30, 0),)
    (tmp_path / "copy.wav").write_bytes(next(tmp_path.glob("t_*_2.wav")).read_bytes())
    table(tmp_path / "v.tsv", 2, 1)
    with (tmp_path / "v.tsv").open("a") as lines:
        lines.write("copy.wav\tlow\n")
    _, folder = prepared(tmp_path, files=files, held_out=files, test=(tmp_path / "v.tsv",))
    said = {name: found["notes"] for name, found in notes(folder).items()}
    assert said == {
        "train": [],
        "held_out": ["30 of 30 recordings are in the training part too"],
        "test": ["1 of 3 recordings are in the training part too"],
    }


def test_filterbanks_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="500 bands, frames of 25 ms and a rate of 8,000 do not go together"):
        prepared(tmp_path, bands=500)
    assert not (tmp_path / "run" / ".shards").exists()
