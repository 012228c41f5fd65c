"""Runs on people's own sequences, whatever the task: made, killed, resumed, opened, measured, damaged."""

import dataclasses
import json
import math
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
from peephole.runs.tensors import read_tensors
from peephole.tasks.config import settings_of, task_of_settings
from peephole.train.config import PassesConfig
from peephole.train.contract import Listener

from ..killing import Killed, Killer
from .waves import WavesData, WavesEncoding, WavesModel, WavesNet, WavesTask, write

Kept = Callable[[Path], dict[str, object]]
TRAINING = PassesConfig(steps=6, batch_size=8, threads=1, warmup=2, checkpoint_seconds=0.0, watch=0, learning_rate=0.03)


@pytest.fixture
def files(tmp_path: Path) -> WavesData:
    return WavesData((write(tmp_path / "waves.txt", 40, 0),), write(tmp_path / "test.txt", 9, 1))


def task(data: WavesData, **training: Any) -> WavesTask:
    return WavesTask(data, WavesNet(), dataclasses.replace(TRAINING, **training))


def tree(folder: Path) -> dict[str, bytes | None]:
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def opened(folder: Path) -> WavesModel:
    found = WavesModel.open(Run.open(folder))
    assert isinstance(found, WavesModel)
    return found


def resumed(folder: Path) -> WavesModel:
    found = WavesModel.resume(Run.open(folder))
    assert isinstance(found, WavesModel)
    return found


def test_it_learns_what_the_mlp_and_the_naive_method_cannot(tmp_path: Path) -> None:
    data = WavesData((write(tmp_path / "waves.txt", 300, 0),), write(tmp_path / "test.txt", 60, 1))
    settings = dataclasses.replace(task(data, steps=150, checkpoint_seconds=1e9), baseline=True)
    model = WavesModel.create(settings, tmp_path / "run")
    model.fit()
    mlp = model.mlp()
    assert mlp is not None
    mlp.fit()
    assert mlp.mlp() is None
    assert mlp.run.folder == tmp_path / "run/mlp"
    assert not mlp.run.data_folder.exists(), "it reads the data of the run that it stands beside"
    scores = opened(tmp_path / "run").measure()
    assert scores.part == "test"
    assert scores.metrics["right %"] >= 0.97
    assert set(scores.others) == {"mlp", "always low"}
    for metrics in scores.others.values():
        assert 0.4 <= metrics["right %"] <= 0.75
    assert scores.verdict.startswith(f"test: {scores.metrics['right %']:.2%} right (mlp ")
    assert [row[0] for row in scores.rows] == ["", "this net", "mlp", "always low"]
    json.dumps(scores.as_dict())
    assert mlp.measure("test").metrics == scores.others["mlp"]
    assert model.measure("held_out").part == "held out"


def test_what_is_opened_is_what_was_trained(tmp_path: Path, files: WavesData) -> None:
    model = WavesModel.create(task(files), tmp_path / "run")
    model.fit()
    found = opened(tmp_path / "run")
    assert found.task == model.task
    assert found.encoding == model.encoding
    assert not found.model.training
    for name, value in model.model.state_dict().items():
        assert torch.equal(value, found.model.state_dict()[name])
    assert found.measure().as_dict() == model.measure().as_dict()
    (tmp_path / "run/model.safetensors").unlink()
    assert opened(tmp_path / "run").measure().counted == model.measure().counted, "the newest checkpoint's weights"


def test_it_says_what_there_is(tmp_path: Path, files: WavesData) -> None:
    model = WavesModel.create(task(files), tmp_path / "run")
    assert model.parts == ("train", "held_out", "test")
    first, second, third = model.describe()
    assert first == "30 waves to train on, 10 held out, 9 to test on"
    assert second == "lstm 1×8, 370 parameters"
    assert third.endswith("% of the steps of a batch are padding")
    measured = model.objective().evaluate(model.model)
    assert set(measured) == {"held_out", "right", "judged"}
    assert abs(measured["right"] + measured["judged"] - 1) <= 1e-12
    assert model.show(measured) == f"held out {measured['held_out']:.4g} nats, {measured['right']:.2%} right"
    assert model.show({"divergence": 0.25}) == "0.25 nats"


def test_the_seed_is_the_net(tmp_path: Path, files: WavesData) -> None:
    torch.manual_seed(99)
    model = WavesModel.create(task(files, seed=3), tmp_path / "run")
    before = torch.get_rng_state()
    first = model.net_before().state_dict()
    assert torch.equal(before, torch.get_rng_state())
    for name, value in model.model.state_dict().items():
        assert torch.equal(first[name], value)


BROKEN: dict[str, tuple[Callable[[WavesData], WavesTask], str]] = {
    "no such file": (lambda data: task(WavesData((Path("/no/such/file"),))), "cannot be read"),
    "a test file that is none": (lambda data: task(dataclasses.replace(data, test=Path("/no/file"))), "cannot be read"),
    "no sequences": (lambda data: task(WavesData()), "the train part has no sequences"),
    "settings": (
        lambda data: WavesTask(data, WavesNet(cell="rnn", init="chrono", longest=9), TRAINING),
        "an RNN has no gates",
    ),
    "processes": (lambda data: task(data, devices=3), "expected a multiple of the 3 processes"),
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("there", [False, True])
def test_what_cannot_be_trained_leaves_nothing(tmp_path: Path, files: WavesData, case: str, there: bool) -> None:
    broken, message = BROKEN[case]
    out = tmp_path / "some/where/run"
    if there:
        out.mkdir(parents=True)
    before = tree(tmp_path)
    with pytest.raises(InputError, match=message) as caught:
        WavesModel.create(broken(files), out)
    assert "\n" not in str(caught.value)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("ending", [InputError("waves.txt, line 3: nan"), KeyboardInterrupt()], ids=["error", "Ctrl-C"])
def test_what_ends_between_two_parts_leaves_nothing(
    tmp_path: Path, files: WavesData, monkeypatch: pytest.MonkeyPatch, ending: BaseException
) -> None:
    def end(name: str, folder: Path) -> None:
        raise ending

    monkeypatch.setattr(WavesModel, "between", staticmethod(end))
    before = tree(tmp_path)
    with pytest.raises(type(ending)):
        WavesModel.create(task(files), tmp_path / "runs/first")
    assert tree(tmp_path) == before


# --- killed and gone on with ---


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


# --- what is best ---


class Scripted(WavesModel):
    """Its measurements are those of a script: divergence and share of errors (None: no errors are counted)."""

    script: list[tuple[float, float | None]]

    def evaluate(self, model: torch.nn.Module) -> dict[str, float]:
        held_out, wrong = self.script.pop(0)
        return {"held_out": held_out, **({} if wrong is None else {"right": 1 - wrong, "judged": wrong})}


class Noting(Listener):
    def __init__(self, model: WavesModel) -> None:
        self.model = model
        self.weights: dict[int, Any] = {}
        self.improved: list[int] = []

    def on_step(self, row: dict[str, Any], total: int | None) -> None:
        self.weights[row["step"]] = {name: value.clone() for name, value in self.model.model.state_dict().items()}

    def on_evaluation(self, row: dict[str, Any], improved: bool) -> None:
        self.improved += [row["step"]] if improved else []


@pytest.mark.parametrize(
    ("script", "improved", "last"),
    [
        ([(9.0, 0.5), (8.0, 0.2), (7.0, 0.3), (6.0, 0.4), (5.0, 0.3)], [1, 2], 5),
        ([(9.0, 0.2), (8.0, 0.2), (8.0, 0.2), (8.5, 0.2), (7.0, 0.2), (6.0, 0.3)], [1, 2, 5], 6),
        ([(1.0, 0.5), (2.0, 0.4), (3.0, 0.3), (4.0, 0.2), (5.0, 0.1), (6.0, 0.0)], [1, 2, 3, 4, 5, 6], 6),
        ([(9.0, None), (7.0, None), (8.0, None), (8.5, None), (7.0, None)], [1, 2], 5),
    ],
    ids=[
        "errors rise while the divergence falls",
        "the divergence parts equals",
        "errors fall while it rises",
        "no errors are counted",
    ],
)
def test_the_fewest_errors_are_best_and_stop_it(
    tmp_path: Path, files: WavesData, script: list[Any], improved: list[int], last: int
) -> None:
    model = Scripted.create(task(files, patience=3, evaluate_every=1), tmp_path / "run")
    assert isinstance(model, Scripted)
    model.script = list(script)
    noting = Noting(model)
    progress = model.fit(noting)
    assert (progress.step, progress.best_step, noting.improved) == (last, improved[-1], improved)
    kept = read_tensors(model.run.model_path)
    for name, value in noting.weights[improved[-1]].items():
        assert torch.equal(kept[name], value), name
    rows = [row for row in model.run.read_history() if "held_out" in row]
    assert [row["held_out"] for row in rows] == [held_out for held_out, _ in script[:last]]
    assert [row.get("judged") for row in rows] == [wrong for _, wrong in script[:last]]


def test_weights_that_are_not_finite_are_measured_as_such(tmp_path: Path, files: WavesData) -> None:
    model = WavesModel.create(task(files), tmp_path / "run")
    with torch.no_grad():
        next(model.model.parameters())[0] = math.inf
    assert math.isnan(model.objective().evaluate(model.model)["held_out"])


def test_without_a_held_out_part_it_is_measured_on_its_own(tmp_path: Path, files: WavesData) -> None:
    model = WavesModel.create(task(WavesData(files.files, hold_out=False)), tmp_path / "run")
    assert model.parts == ("train",)
    assert model.measured_part == "train"
    model.fit()
    assert model.measure().part == "train"
    with pytest.raises(InputError, match="has no test part; its data has train"):
        model.measure("test")


# --- what is measured ---


def test_outputs_are_those_of_each_sequence_alone(tmp_path: Path, files: WavesData) -> None:
    model = WavesModel.create(task(files), tmp_path / "run")
    part, seen = model.part("train"), []
    for numbers, batch, outputs in model.outputs(model.model, "train"):
        for row, number in enumerate(numbers.tolist()):
            inputs, _ = part.sequence(number)
            with torch.no_grad():
                alone = model.model(torch.from_numpy(inputs.copy())[:, None])[0][:, 0]
            assert float((outputs[: len(inputs), row] - alone).abs().max()) <= 1e-5
            assert int(batch.lengths[row]) == len(inputs)
            seen.append(number)
    assert sorted(seen) == list(range(30))


def test_what_the_laboratory_examines(tmp_path: Path) -> None:
    data = WavesData((write(tmp_path / "waves.txt", 200, 0, longest=30),))
    model = WavesModel.create(task(data), tmp_path / "run")
    call, divergence = model.examined(4)
    steps, rows, _ = call["inputs"].shape
    assert rows == 4
    assert 20 <= steps <= 30, "nine of ten are shorter"
    outputs, _ = model.model(**call)
    assert float(divergence(outputs).detach()) > 0
    assert len(model.examined(4, steps=5)[0]["inputs"]) == 5
    assert len(model.examined(4, most=3)[0]["inputs"]) == 3
    assert model.examined(10_000)[0]["inputs"].shape[1] == 50
    assert model.watched() is not None
    mlp = dataclasses.replace(model.task, net="mlp")
    with pytest.raises(InputError, match="an mlp; expected a recurrent net"):
        WavesModel(model.run, mlp, model.encoding).examined(4)


def test_sequences_of_a_step_have_nothing_to_examine(tmp_path: Path) -> None:
    (tmp_path / "waves.txt").write_text("1\n2\n3\n4\n5\n")
    model = WavesModel.create(task(WavesData((tmp_path / "waves.txt",)), watch=2), tmp_path / "run")
    with pytest.raises(InputError, match="held-out sequences have 1 steps"):
        model.examined(4)
    model.fit()


# --- settings ---


@pytest.mark.parametrize("test", [None, Path("test.txt"), Path("/data/ä ö.txt")])
@pytest.mark.parametrize("files", [(), (Path("a.txt"), Path("/b.txt"))])
def test_paths_survive_the_configuration(files: tuple[Path, ...], test: Path | None) -> None:
    given = WavesTask(WavesData(files, test), training=TRAINING, baseline=True)
    settings = json.loads(json.dumps(settings_of(given)))
    found = task_of_settings(WavesTask, settings, Path("config.json"))
    assert found.data.files == tuple(file.absolute() for file in files)
    assert found.data.test == (None if test is None else test.absolute())
    assert dataclasses.replace(found, data=given.data) == given


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": {"test": 7}}, "test is 7, which it cannot be"),
        ({"data": {"test": ["a.txt"]}}, "which it cannot be"),
        ({"data": {"files": "a.txt"}}, "files is 'a.txt', which it cannot be"),
        ({"data": {"files": [None]}}, "which it cannot be"),
        ({"data": {"tests": None}}, "unknown setting 'tests'; expected one of files, test, hold_out"),
        ({"net": "static"}, "net is 'static'"),
        ({"name": "waves"}, "unknown setting 'name'"),
        ({"training": {"average": 2.0}}, "--average is 2.0"),
        ({"model": 3}, "settings are 3"),
    ],
)
def test_a_damaged_configuration_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        task_of_settings(WavesTask, change, tmp_path / "config.json")
    assert str(caught.value).startswith(str(tmp_path / "config.json"))
    assert "\n" not in str(caught.value)


def test_numbers_of_a_part_are_read_as_they_were_written(tmp_path: Path, files: WavesData) -> None:
    """The encoding is learnt from the training part alone."""
    model = WavesModel.create(task(files), tmp_path / "run")
    whole = np.concatenate([model.part("train").sequence(number)[0] for number in range(30)])
    assert abs(float(whole.mean())) <= 0.02
    assert abs(float(whole.std()) - 1) <= 0.02
