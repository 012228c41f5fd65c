"""Runs on people's own sequences that were killed, gone on with, or lost their data, whatever the task."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from peephole.data.sequences import preparing
from peephole.data.sequences.preparing import prepared
from peephole.errors import InputError
from peephole.runs.folder import Run

from ..killing import Killed, Killer
from .waves import WavesData, WavesEncoding, WavesModel, opened, resumed, task, tree, write

Kept = Callable[[Path], dict[str, object]]


@pytest.fixture
def files(tmp_path: Path) -> WavesData:
    return WavesData((write(tmp_path / "waves.txt", 40, 0),), write(tmp_path / "test.txt", 9, 1))


@pytest.mark.parametrize("settings", [{}, {"average": 0.8}, {"epochs": 1.5, "steps": None}], ids=str)
def test_killed_and_resumed_equals_never_killed(
    tmp_path: Path, files: WavesData, kept: Kept, settings: dict[str, Any]
) -> None:
    end = WavesModel.create(task(files, **settings), tmp_path / "whole").fit()
    assert end.step == 6
    model = WavesModel.create(task(files, **settings), tmp_path / "killed")
    for step in (2, 5):
        with pytest.raises(Killed):
            model.fit(Killer(step))
        torch.manual_seed(step)  # a new process begins with other random numbers
        model = resumed(tmp_path / "killed")
    model.fit()
    assert kept(tmp_path / "killed") == kept(tmp_path / "whole")


class Copier:
    """What a kill leaves: the folder as it is after a part was written."""

    def __init__(self, part: str, run: Path, to: Path) -> None:
        self.part, self.run, self.to = part, run, to

    def __call__(self, name: str, folder: Path) -> None:
        if name == self.part:
            shutil.copytree(self.run, self.to)


@pytest.mark.parametrize("part", ["train", "held_out", "test"])
def test_preparation_that_was_killed_is_done_again(
    tmp_path: Path, files: WavesData, kept: Kept, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    copier = Copier(part, tmp_path / "whole", tmp_path / "killed")
    monkeypatch.setattr(WavesModel, "between", staticmethod(copier))
    WavesModel.create(task(files), tmp_path / "whole").fit()
    monkeypatch.undo()
    assert not (tmp_path / "killed/encoding.json").exists()
    model = resumed(tmp_path / "killed")
    assert model.parts == ("train", "held_out", "test")
    model.fit()
    assert kept(tmp_path / "killed") == kept(tmp_path / "whole")


@pytest.mark.parametrize("part", ["train", "held_out"])
def test_data_prepared_half_after_training_is_not_taken_for_whole(
    tmp_path: Path, files: WavesData, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    model = WavesModel.create(task(files), tmp_path / "run")
    model.fit()
    want = model.measure("test").as_dict()
    shutil.rmtree(tmp_path / "run/data")
    copier = Copier(part, tmp_path / "run", tmp_path / "killed")
    monkeypatch.setattr(WavesModel, "between", staticmethod(copier))
    resumed(tmp_path / "run")
    monkeypatch.undo()
    resumed(tmp_path / "killed")
    again = opened(tmp_path / "killed")
    assert again.parts == ("train", "held_out", "test")
    assert again.measure("test").as_dict() == want


def test_data_that_is_gone_is_prepared_again(tmp_path: Path, files: WavesData, kept: Kept) -> None:
    for name, steps in (("run", 6), ("long", 9)):
        WavesModel.create(task(files, steps=steps, schedule="constant", evaluate_every=3), tmp_path / name).fit()
    shutil.rmtree(tmp_path / "run/data")
    for part in (None, "test"):
        with pytest.raises(InputError, match="no part at all") as caught:
            opened(tmp_path / "run").measure(part)
        assert "\n" not in str(caught.value)
    resumed(tmp_path / "run").fit(steps=9)
    assert kept(tmp_path / "run") == kept(tmp_path / "long")


@pytest.mark.parametrize("lines", [1, 2, -1])
def test_other_files_than_those_of_the_training_are_refused(tmp_path: Path, files: WavesData, lines: int) -> None:
    """Also where mean and scale stay as they are: the first line that is added, and the first of all, are held out."""
    WavesModel.create(task(files), tmp_path / "run").fit()
    encoding = (tmp_path / "run/encoding.json").read_bytes()
    whole = files.files[0].read_text()
    shutil.rmtree(tmp_path / "run/data")
    files.files[0].write_text(whole + lines * "9 9 9 9\n" if lines > 0 else whole.replace(whole.split()[0], "7.5", 1))
    for _ in range(2):
        with pytest.raises(InputError, match="its data is not what it was trained on; restore the files"):
            resumed(tmp_path / "run")
        assert (tmp_path / "run/encoding.json").read_bytes() == encoding
        assert not (tmp_path / "run/data").exists()
    files.files[0].unlink()
    with pytest.raises(InputError, match="cannot be read"):
        resumed(tmp_path / "run")
    assert (tmp_path / "run/encoding.json").read_bytes() == encoding
    files.files[0].write_text(whole)
    resumed(tmp_path / "run").fit(steps=7)


class Sharded(WavesModel):
    """Its preparation is long work; at the tenth item something happens."""

    made: ClassVar[list[int]] = []
    happens: ClassVar[Callable[[Path], None]]

    @staticmethod
    def prepare(data: WavesData, folder: Path) -> WavesEncoding:
        def make(number: int) -> Any:
            if number == 9:
                Sharded.happens(folder.parent)
            Sharded.made.append(number)
            return np.full((1, 1), number, np.float32)

        shards = folder.with_name(".shards")
        assert [int(array[0, 0]) for array in prepared(range(16), make, shards, "waves", 1)] == list(range(16))
        encoding = WavesModel.prepare(data, folder)
        shutil.rmtree(shards)
        return encoding


def test_long_preparation_goes_on_where_it_was_killed(
    tmp_path: Path, files: WavesData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "SHARD", 4)
    monkeypatch.setattr(Sharded, "made", [])

    def copy(folder: Path) -> None:  # what a kill leaves
        shutil.copytree(folder, tmp_path / "killed")

    monkeypatch.setattr(Sharded, "happens", staticmethod(copy), raising=False)
    Sharded.create(task(files), tmp_path / "whole")
    assert Sharded.made == list(range(16))
    Sharded.made.clear()
    monkeypatch.setattr(Sharded, "happens", staticmethod(lambda folder: None))
    Sharded.resume(Run.open(tmp_path / "killed"))
    assert Sharded.made == list(range(8, 16))
    assert tree(tmp_path / "killed") == tree(tmp_path / "whole")

    def refuse(folder: Path) -> None:
        raise InputError("sound-9.wav: has no samples")

    monkeypatch.setattr(Sharded, "happens", staticmethod(refuse))
    with pytest.raises(InputError, match="no samples"):
        Sharded.create(task(files), tmp_path / "refused")
    assert not (tmp_path / "refused").exists()


def test_where_nothing_was_trained_yet_other_files_are_fine(tmp_path: Path, files: WavesData) -> None:
    model = WavesModel.create(task(files), tmp_path / "run")
    before = model.encoding
    shutil.rmtree(tmp_path / "run/data")
    files.files[0].write_text(files.files[0].read_text() + 2 * "9 9 9 9\n")
    found = resumed(tmp_path / "run")
    assert found.encoding != before
    assert found.encoding == opened_encoding(tmp_path / "run")
    assert len(found.part("train")) == 31


def opened_encoding(folder: Path) -> Any:
    return WavesModel.encoding_from(json.loads((folder / "encoding.json").read_text()))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "missing; restore it, or train again"),
        (b"", "damaged"),
        (b"[1, 2]", "damaged"),
        (b"7", "damaged"),
        (b'{"mean": 0.0}', "damaged"),
        (b'{"mean": "high", "scale": 1.0}', "damaged"),
        (b'{"mean": null, "scale": 1.0}', "damaged"),
        (b"\xff\xfe", "damaged"),
    ],
)
def test_a_damaged_encoding_is_refused_and_left(
    tmp_path: Path, files: WavesData, content: bytes | None, message: str
) -> None:
    WavesModel.create(task(files, steps=1), tmp_path / "run").fit()
    path = tmp_path / "run/encoding.json"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    before = tree(tmp_path / "run")
    for there in (True, False):
        if not there:
            shutil.rmtree(tmp_path / "run/data")
            before = tree(tmp_path / "run")
        for look in (opened, resumed):
            with pytest.raises(InputError, match=message) as caught:
                look(tmp_path / "run")
            assert str(caught.value).startswith(str(path))
            assert "\n" not in str(caught.value)
            assert tree(tmp_path / "run") == before


def test_the_mlp_goes_on_where_it_was_killed(tmp_path: Path, files: WavesData, kept: Kept) -> None:
    for name, step in (("whole", None), ("killed", 3)):
        model = WavesModel.create(dataclasses.replace(task(files), baseline=True), tmp_path / name)
        mlp = model.mlp()
        assert mlp is not None
        if step is not None:
            with pytest.raises(Killed):
                mlp.fit(Killer(step))
            assert set(model.measure("held_out").others) == {"always low", "mlp"}, "half-trained as it is"
            mlp = opened(tmp_path / name).mlp() if (tmp_path / name / "model.safetensors").exists() else model.mlp()
            assert mlp is not None
        mlp.fit()
    assert kept(tmp_path / "killed/mlp") == kept(tmp_path / "whole/mlp")
