"""A grid of cells and seeds: read and checked first, trained, killed, gone on with, and what dies in it."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from peephole.data.problems.parity import Parity
from peephole.errors import InputError
from peephole.models.config import ModelConfig
from peephole.tasks.comparing import grid
from peephole.tasks.comparing.fields import field_named, kinds_of, read_value, spell
from peephole.tasks.comparing.grid import Trained, compare_cells, read_cells
from peephole.tasks.comparing.result import compare
from peephole.tasks.config import ProblemTask, TextTask
from peephole.tasks.problem import ProblemModel
from peephole.train.contract import Interrupted, Listener
from peephole.train.curriculum import SizedTraining

from ..killing import Killed, Killer

MODEL = ModelConfig(layers=1, hidden_size=4, embedding_size=4, dropout=0.0)
TRAINING = SizedTraining(steps=8, batch_size=4, threads=1, warmup=1, checkpoint_seconds=0.0, watch=0)
TASK = ProblemTask(Parity(length=4), MODEL, TRAINING)


def test_cells_are_read_and_checked_before_anything_is_trained() -> None:
    entries = read_cells("rnn, gru,lstm:peephole=full:layer-norm=yes", MODEL)
    assert [entry.model.cell for entry in entries] == ["rnn", "gru", "lstm"]
    assert entries[2].model == dataclasses.replace(MODEL, cell="lstm", peephole="full", layer_norm=True)
    assert entries[2].folder_name(3) == "lstm-peephole-full-layer-norm-yes-seed-3"
    for words, complaint in (
        ("", "--cells is empty: no cell ''"),
        ("lstm,", "no cell ''; expected cells of lstm, gru, rnn"),
        ("lstm:peephole", "'peephole'; expected OPTION=VALUE"),
        ("lstm:peephole=ful", "did you mean full"),
        ("lstm:pephole=full", "no option 'pephole'; did you mean peephole"),
        ("lstm:cell=gru", "no option 'cell'"),
        ("lstm:layers=0", "--layers is 0"),
        ("lstm:layers=x", "layers is 'x'; expected a whole number"),
        ("gru:coupled=true", "coupled=True is a switch of the lstm"),
        ("gru,lstm,gru", "--cells gru: the same net as gru"),
        ("gru:layer_norm=maybe", "layer_norm is 'maybe'; expected true or false"),
        ("lstm,lstm:layer_norm=true:backend=torch", "back end 'torch' cannot run lstm layer_norm=True"),
    ):
        with pytest.raises(InputError, match=complaint):
            read_cells(words, MODEL)


def test_values_of_fields() -> None:
    kinds = kinds_of(SizedTraining)
    assert read_value("none", kinds["clip_norm"], "x") is None
    assert read_value("2", kinds["clip_norm"], "x") == 2.0
    assert read_value("1e-3", kinds["learning_rate"], "x") == 0.001
    assert [spell(value) for value in (None, True, 0.00125, 3, "tanh")] == ["none", "true", "0.00125", "3", "tanh"]
    assert field_named("--Learning-rate".lower(), kinds, "x") == "learning_rate"
    with pytest.raises(InputError, match="x is 'many'; expected a number or none"):
        read_value("many", kinds["clip_norm"], "x")
    with pytest.raises(InputError, match=r"expected one of .*watch"):
        field_named("zzz", kinds, "x")


def found_by(folder: Path, listen: Any = lambda training: Listener(), seeds: int = 2) -> tuple[Any, list[Trained]]:
    """Everything that two equal grids have in common, and what was told of the trainings."""
    told: list[Trained] = []
    found = compare_cells(TASK, read_cells("rnn,gru", MODEL), seeds, folder, listen, told.append)
    points = [
        (group.name, record.seed, point.step, point.held_out)
        for group in found.groups
        for record in group.records
        for point in record.curve
    ]
    return points, told


def test_a_grid_that_was_killed_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole, told = found_by(tmp_path / "whole")
    assert [(each.entry.text, each.seed) for each in told] == [("rnn", 0), ("gru", 0), ("rnn", 1), ("gru", 1)]
    assert [each.text for each in told][:2] == ["1/4  rnn, seed 0", "2/4  gru, seed 0"]

    folder = tmp_path / "killed"
    begun: list[str] = []

    def listen(training: Trained) -> Listener:
        begun.append(training.folder.name)
        return Killer(5) if training.folder.name == "gru-seed-0" else Listener()

    with pytest.raises(Killed):
        found_by(folder, listen)
    first = (folder / "rnn-seed-0" / "history.jsonl").stat().st_mtime_ns
    partial = compare([folder / "rnn-seed-0", folder / "gru-seed-0"])  # what there is can be looked at
    assert partial.warnings == ("gru-seed-0 was stopped, after step 5 of 8",)
    (folder / "rnn-seed-1").mkdir()  # killed just as it began
    again, told = found_by(folder, lambda training: begun.append(training.folder.name) or Listener())
    assert again == whole
    assert begun == ["rnn-seed-0", "gru-seed-0", "gru-seed-0", "rnn-seed-1", "gru-seed-1"]
    assert (folder / "rnn-seed-0" / "history.jsonl").stat().st_mtime_ns == first
    more, _ = found_by(folder, lambda training: begun.append(training.folder.name) or Listener(), seeds=3)
    assert begun[5:] == ["rnn-seed-2", "gru-seed-2"]
    assert {(name, seed) for name, seed, *_ in more} == {(name, seed) for name in ("rnn", "gru") for seed in range(3)}


def test_a_training_that_dies_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    wild = dataclasses.replace(TRAINING, optimizer="sgd", learning_rate=1e18, clip_norm=None, warmup=0, steps=30)
    task = ProblemTask(Parity(length=8), MODEL, wild)
    entries = read_cells("rnn:nonlinearity=relu,lstm,gru", MODEL)
    told: list[Trained] = []
    tame = dataclasses.replace(task, training=dataclasses.replace(TRAINING, steps=30))
    calls = grid.train_into

    def train(given: Any, folder: Path, listener: Listener) -> None:
        calls(task if given.model.nonlinearity == "relu" else given, folder, listener)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grid, "train_into", train)
        for _ in range(2):  # the second time nothing is trained
            found = compare_cells(tame, entries, 1, tmp_path / "out", tell=told.append)
    assert [each.died is not None for each in told] == [True, False, False] * 2
    assert {group.name for group in found.groups} >= {"lstm", "gru"}
    assert found.warnings[0].startswith("rnn:nonlinearity=relu, seed 0 died: ")


def test_an_interruption_is_passed_on(tmp_path: Path) -> None:
    class Stop(Listener):
        def on_step(self, row: dict[str, Any], total: int | None) -> None:
            raise Interrupted(row["step"])

    with pytest.raises(Interrupted):
        found_by(tmp_path / "out", lambda training: Stop())


def test_folders_that_hold_something_else(tmp_path: Path) -> None:
    entries = read_cells("rnn,gru", MODEL)
    run = ProblemModel.create(TASK, tmp_path / "run").run.folder
    with pytest.raises(InputError, match="is a run; expected a folder to hold many"):
        compare_cells(TASK, entries, 1, run)
    with pytest.raises(InputError, match="cells × seeds is 2 × 0; expected two trainings or more"):
        compare_cells(TASK, entries, 0, tmp_path / "new")
    several = dataclasses.replace(TASK, training=dataclasses.replace(TRAINING, devices=2))
    with pytest.raises(InputError, match="--devices is 2; expected 1"):
        compare_cells(several, entries, 1, tmp_path / "new")
    missing = TextTask(dataclasses.replace(TextTask().data, files=(tmp_path / "none.txt",)))
    with pytest.raises(InputError, match=r"none\.txt"):
        compare_cells(missing, read_cells("rnn,gru", missing.model), 1, tmp_path / "deep" / "new")
    assert not (tmp_path / "deep").exists()  # and the command that was mended can use it
    wide = dataclasses.replace(TASK, model=dataclasses.replace(MODEL, hidden_size=5))
    ProblemModel.create(wide, tmp_path / "out" / "rnn-seed-0")
    with pytest.raises(InputError, match="rnn-seed-0: holds a run of other settings"):
        compare_cells(TASK, entries, 1, tmp_path / "out")
    found_by(tmp_path / "other", seeds=1)
    nine = dataclasses.replace(TASK, training=dataclasses.replace(TRAINING, steps=9))
    with pytest.raises(InputError, match=r"holds rows of other settings \(steps was 8, now 9\)"):
        compare_cells(nine, entries, 1, tmp_path / "other")
