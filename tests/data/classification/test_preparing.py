"""From files to parts: what training learns of the data, what is counted, and nothing left behind by a refusal."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from peephole.data.classification.config import ClassificationData
from peephole.data.classification.encoding import ClassificationEncoding
from peephole.data.classification.moments import Moments
from peephole.data.classification.preparing import prepare
from peephole.data.sequences.store import open_part
from peephole.errors import InputError


def table(folder: Path, name: str, rows: int, first: float, label: str | None = None) -> Path:
    path = folder / name
    lines = [f"{label or 'ab'[row % 2]},{first + row},{first - row}" for row in range(rows)]
    path.write_text("label,t0,t1\n" + "\n".join(lines) + "\n")
    return path


def test_mean_and_scale_are_those_of_the_training_part(tmp_path: Path) -> None:
    data = ClassificationData(
        files=(table(tmp_path, "train.csv", 20, 1e6),),
        held_out=(table(tmp_path, "held.csv", 4, 5.0),),
        test=(table(tmp_path, "test.csv", 2, 1e6),),
    )
    encoding = prepare(data, tmp_path / "data")
    train = open_part(tmp_path / "data" / "train")
    assert (len(train), train.inputs.shape, train.inputs.dtype) == (20, (40, 1), np.float32)
    assert abs(float(train.inputs.mean())) <= 1e-5
    assert abs(float(train.inputs.std()) - 1) <= 1e-5
    assert np.isclose(encoding.mean[0], 1e6)
    assert train.targets.tolist() == [0, 1] * 10
    assert len(open_part(tmp_path / "data" / "held_out")) == 4
    assert len(open_part(tmp_path / "data" / "test")) == 2
    assert ClassificationEncoding.from_dict(json.loads(json.dumps(encoding.as_dict()))) == encoding
    described = json.loads((tmp_path / "data" / "sequences.json").read_text())
    assert described["train"]["labels"] == {"a": 10, "b": 10}


def test_characters_are_those_of_training(tmp_path: Path) -> None:
    (tmp_path / "said.txt").write_text("a\tabba\nb\tbab\n", encoding="utf-8")
    (tmp_path / "test.txt").write_text("b\taü\n", encoding="utf-8")
    data = ClassificationData(files=(tmp_path / "said.txt",), test=(tmp_path / "test.txt",), held_out_share=0.0)
    encoding = prepare(data, tmp_path / "data")
    assert encoding.symbols == ("<unk>", "a", "b")
    assert open_part(tmp_path / "data" / "train").sequence(0)[0].tolist() == [1, 2, 2, 1]
    assert open_part(tmp_path / "data" / "test").sequence(0)[0].tolist() == [1, 0]
    assert not (tmp_path / "data" / "held_out").exists()


def test_recordings_that_are_empty_or_of_another_rate_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    soundfile = pytest.importorskip("soundfile")
    pytest.importorskip("kaldi_native_fbank")
    random = np.random.default_rng(0)
    for label in "01":
        for number in range(4):
            sound = random.normal(size=800).astype(np.float32) / 8
            soundfile.write(tmp_path / f"{label}_{number}.wav", sound, 16000 if number == 2 else 8000)
    soundfile.write(tmp_path / "0_9.wav", np.empty(0, np.float32), 8000)
    data = ClassificationData(
        files=(tmp_path,), label=r"(\d)_.*", test_match=r"_3\.wav$", held_out_share=0.4, bands=8, workers=1
    )
    with caplog.at_level(logging.WARNING):
        encoding = prepare(data, tmp_path / "data")
    assert encoding.filterbank is not None
    assert encoding.filterbank.rate == 8000
    assert [len(open_part(tmp_path / "data" / part)) for part in ("train", "held_out", "test")] == [4, 2, 2]
    assert f"skipped 1 of the sequences: {tmp_path / '0_9.wav'} (no samples)" in caplog.text
    assert "2 recordings of another rate are resampled to 8,000 Hz" in caplog.text


def refusal(folder: Path, **settings: object) -> str:
    before = sorted(folder.rglob("*"))
    with pytest.raises(InputError) as caught:
        prepare(ClassificationData(**settings), folder / "data")  # pyright: ignore[reportArgumentType]
    assert sorted(folder.rglob("*")) == before, "something was left behind"
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_cannot_be_learned_from(tmp_path: Path) -> None:
    train, test = table(tmp_path, "train.csv", 20, 1.0), table(tmp_path, "test.csv", 2, 1.0, label="c")
    assert f"{test}, line 2: label 'c'; expected one that training had, a, b" in refusal(
        tmp_path, files=(train,), test=(test,)
    )
    assert "one label, c, in all 2 sequences" in refusal(tmp_path, files=(test,), held_out_share=0.0)
    assert "no file to learn from" in refusal(tmp_path)
    wide, names = tmp_path / "wide.csv", "sequence,x,y,label"
    wide.write_text(f"{names}\n1,1,2,a\n2,1,2,b\n")
    assert "2 values a step; expected 1" in refusal(tmp_path, files=(train, wide))
    assert "2 values a step; expected 1" in refusal(tmp_path, files=(train,), test=(wide,))
    other = tmp_path / "other.csv"
    other.write_text("sequence,y,x,label\n1,1,2,a\n2,1,2,b\n")
    assert "columns y, x; expected those of training, x, y" in refusal(tmp_path, files=(wide,), test=(other,))
    empty = tmp_path / "empty.csv"
    empty.write_text("label,t0\n")
    assert "the test part has no sequences" in refusal(tmp_path, files=(train,), test=(empty,))
    broken = tmp_path / "broken.csv"
    broken.write_text("label,t0\na,1\nb,x\n")
    assert "broken.csv, line 3" in refusal(tmp_path, files=(train,), test=(broken,))


def test_mean_and_deviation_in_pieces() -> None:
    values = np.random.default_rng(0).normal(7.0, 3.0, size=(50, 2)).astype(np.float32)
    values[3, 0] = values[20, 1] = np.nan
    values = np.concatenate([values, np.full((50, 1), 4.0, np.float32), np.full((50, 1), np.nan, np.float32)], axis=1)
    moments = Moments()
    for piece in (values[:1], values[1:20], values[20:]):
        moments.add(piece)
    assert np.allclose(moments.mean[:3], np.nanmean(values[:, :3].astype(np.float64), axis=0))
    assert np.allclose(moments.scale[:2], np.nanstd(values[:, :2].astype(np.float64), axis=0))
    assert moments.scale[2:].tolist() == [1, 1]
    assert moments.mean[3] == 0
