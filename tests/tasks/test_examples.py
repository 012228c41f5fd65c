"""Runs on people's own sequences, whatever the task: made, opened, measured, examined."""

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from peephole.errors import InputError
from peephole.runs.tensors import read_tensors
from peephole.tasks.config import settings_of, task_of_settings
from peephole.train.contract import Listener

from .waves import TRAINING, WavesData, WavesModel, WavesNet, WavesTask, opened, resumed, task, tree, write


@pytest.fixture
def files(tmp_path: Path) -> WavesData:
    return WavesData((write(tmp_path / "waves.txt", 40, 0),), write(tmp_path / "test.txt", 9, 1))


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


def ending(error: BaseException) -> "staticmethod[[str, Path], None]":
    def end(name: str, folder: Path) -> None:
        raise error

    return staticmethod(end)


def test_what_fails_between_two_parts_leaves_nothing(
    tmp_path: Path, files: WavesData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WavesModel, "between", ending(InputError("waves.txt, line 3: nan")))
    before = tree(tmp_path)
    with pytest.raises(InputError):
        WavesModel.create(task(files), tmp_path / "runs/first")
    assert tree(tmp_path) == before


def test_what_is_interrupted_between_two_parts_goes_on(
    tmp_path: Path, files: WavesData, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(WavesModel, "between", ending(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            WavesModel.create(task(files), tmp_path / "runs/first")
    assert not (tmp_path / "runs/first/data").exists()  # whole or not at all
    found = resumed(tmp_path / "runs/first")
    whole = WavesModel.create(task(files), tmp_path / "runs/second")
    assert found.run.encoding_path.read_bytes() == whole.run.encoding_path.read_bytes()


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
