"""Stopped after any step and resumed, a training ends bit for bit where it would have ended."""

import dataclasses
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from peephole.data.config import TextData
from peephole.errors import InputError
from peephole.models.language.config import LanguageConfig
from peephole.runs.folder import Run
from peephole.runs.tensors import read_tensors, write_tensors
from peephole.tasks.config import TextTask, settings_of
from peephole.tasks.text.model import TextModel
from peephole.train import loop
from peephole.train.checkpoint import find_checkpoint
from peephole.train.config import TrainingConfig
from peephole.train.contract import Interrupted, Listener

from ..killing import Killed, Killer

Kept = Callable[[Path], dict[str, object]]
TRAINING = TrainingConfig(steps=9, batch_size=4, window=16, threads=1, warmup=2, checkpoint_seconds=0.0)
MODEL = LanguageConfig(layers=2, hidden_size=8, embedding_size=8, dropout=0.2)
VARIANTS: dict[str, dict[str, Any]] = {
    "as usual": {},
    "two threads": {"threads": 2},
    "gru": {"cell": "gru"},
    "rnn": {"cell": "rnn", "nonlinearity": "relu"},
    "no carried state": {"carry": False},
    "whole documents": {"bptt": "full", "separator": "\n", "longest_document": 1000},
    "many epochs": {"batch_size": 16, "window": 100},
    "bfloat16": {"precision": "bfloat16"},
    "plateau": {"schedule": "plateau", "learning_rate": 50.0, "warmup": 8},
    "patience": {"patience": 2, "learning_rate": 50.0, "warmup": 8, "steps": 12, "schedule": "constant"},
    "the last weights": {"keep": "last"},
    "epochs": {"epochs": 0.24, "steps": None},
    "seldom measured": {"evaluate_every": 4},
    **{name: {"optimizer": name} for name in ("adam", "nadam", "radam", "adamax", "rmsprop", "adagrad", "adadelta")},
    "sgd": {"optimizer": "sgd", "momentum": 0.9},
    "asgd": {"optimizer": "asgd"},
    **{name: {"schedule": name} for name in ("linear", "constant", "exponential")},
}


def task(book: Path, **settings: Any) -> TextTask:
    parts = []
    for part in (TextData((book,), held_out=0.2), MODEL, TRAINING):
        names = {field.name for field in dataclasses.fields(part)} & settings.keys()
        parts.append(dataclasses.replace(part, **{name: settings.pop(name) for name in names}))
    assert not settings
    return TextTask(*parts)


@pytest.mark.parametrize("variant", VARIANTS)
def test_killed_and_resumed_equals_never_killed(tmp_path: Path, book: Path, kept: Kept, variant: str) -> None:
    settings = task(book, **VARIANTS[variant])
    end = TextModel.create(settings, tmp_path / "whole").fit()
    model = TextModel.create(settings, tmp_path / "killed")
    for step in sorted({2, min(3, end.step - 1), end.step - 1}):
        with pytest.raises(Killed):
            model.fit(Killer(step))
        checkpoint = find_checkpoint(tmp_path / "killed/checkpoint")
        assert checkpoint is not None
        assert int(checkpoint.name) == step - 1
        torch.manual_seed(step)  # a new process begins with other random numbers
        model = TextModel.resume(Run.open(tmp_path / "killed"))
    progress = model.fit()
    assert kept(tmp_path / "killed") == kept(tmp_path / "whole")
    assert progress.step == end.step
    assert (3 <= end.step < 12) if variant == "patience" else end.step == 9
    assert (progress.plateau_share < 1) == (variant == "plateau"), "nothing happened that could have been forgotten"


def test_no_checkpoint_yet_means_from_the_start(tmp_path: Path, book: Path, kept: Kept) -> None:
    settings = task(book, checkpoint_seconds=1e9)
    TextModel.create(settings, tmp_path / "whole").fit()
    model = TextModel.create(settings, tmp_path / "killed")
    for step in (1, 7):
        with pytest.raises(Killed):
            model.fit(Killer(step))
        assert find_checkpoint(tmp_path / "killed/checkpoint") is None
        model = TextModel.resume(Run.open(tmp_path / "killed"))
    model.fit()
    assert kept(tmp_path / "killed") == kept(tmp_path / "whole")


def test_resuming_a_finished_run_changes_nothing(tmp_path: Path, book: Path, kept: Kept) -> None:
    for name, settings in (("whole", {}), ("patience", VARIANTS["patience"])):
        TextModel.create(task(book, **settings), tmp_path / name).fit()
        before = kept(tmp_path / name)
        for _ in range(2):
            TextModel.resume(Run.open(tmp_path / name)).fit()
            assert kept(tmp_path / name) == before


def test_more_steps_go_on_from_the_end(tmp_path: Path, book: Path, kept: Kept) -> None:
    settings = task(book, schedule="constant", evaluate_every=3)
    TextModel.create(settings, tmp_path / "long").fit(steps=15)
    model = TextModel.create(settings, tmp_path / "short")
    assert model.fit().step == 9
    assert model.fit(steps=15).step == 15
    assert kept(tmp_path / "short") == kept(tmp_path / "long")
    again = TextModel.resume(Run.open(tmp_path / "short"))
    assert again.task.training.steps == 15
    assert again.fit().step == 15
    assert again.fit(epochs=0.5).step == 19  # of 38 windows
    assert again.task.training.steps is None


def test_other_weights_than_config_says_are_refused(tmp_path: Path, book: Path) -> None:
    model = TextModel.create(task(book), tmp_path / "run")
    model.fit()
    before = Run(tmp_path / "run").config_path.read_bytes()
    larger = dataclasses.replace(model.task, model=dataclasses.replace(MODEL, hidden_size=12))
    model.run.write_config("text", settings_of(larger))
    with pytest.raises(InputError, match=r"does not fit config\.json") as caught:
        TextModel.resume(Run.open(tmp_path / "run")).fit()
    assert "\n" not in str(caught.value)
    Run(tmp_path / "run").config_path.write_bytes(before)
    TextModel.resume(Run.open(tmp_path / "run")).fit()


def test_the_budget_in_minutes_becomes_steps_once(tmp_path: Path, book: Path, kept: Kept) -> None:
    settings = task(
        book, steps=None, minutes=0.08, evaluate_every=5
    )  # some hundred steps; some dozens on a busy machine
    totals: list[int] = []

    class Stop(Listener):
        def on_budget(self, total: int, seconds_per_step: float) -> None:
            totals.append(total)

        def on_step(self, row: dict[str, Any], total: int | None) -> None:
            if total is not None and row["step"] == 27:
                raise Killed

    model = TextModel.create(settings, tmp_path / "run")
    with pytest.raises(Killed):
        model.fit(Stop())
    assert len(totals) == 1
    checkpoint = find_checkpoint(tmp_path / "run/checkpoint")
    assert checkpoint is not None
    assert int(checkpoint.name) >= 25
    assert totals[0] > 27
    settled = read_tensors(checkpoint / "rank-0.safetensors")["progress"]
    assert settled["total"] == totals[0]

    # From here on it is a number of steps: two processes that go on from here end alike.
    ends = []
    for seconds in (0.0, 1e9):
        run = Run.open(tmp_path / "run")
        copy = tmp_path / f"copy-{seconds}"
        shutil.copytree(run.folder, copy)
        progress = TextModel.resume(Run.open(copy)).fit(Listener(), checkpoint_seconds=seconds)
        assert progress.step == progress.total == totals[0]
        ends.append(kept(copy))
    assert ends[0] == ends[1]
    assert len(totals) == 1


def test_a_resumed_run_repeats_the_step_in_which_the_budget_was_fixed(tmp_path: Path, book: Path) -> None:
    """The rate of the next step depends on the total that has just become known, and the row of this one is kept."""
    settings = task(book, steps=None, minutes=0.03, evaluate_every=5, checkpoint_seconds=1e9)
    rows: dict[str, list[dict[str, Any]]] = {"first": [], "again": []}

    class Watch(Listener):
        def __init__(self, name: str) -> None:
            self.name = name

        def on_step(self, row: dict[str, Any], total: int | None) -> None:
            rows[self.name].append(row)
            if self.name == "first" and row["step"] == 30:
                raise Killed

    model = TextModel.create(settings, tmp_path / "run")
    with pytest.raises(Killed):
        model.fit(Watch("first"))
    model = TextModel.resume(Run.open(tmp_path / "run"))
    model.fit(Watch("again"))
    assert rows["again"][0]["step"] == 26
    for one, other in zip(rows["first"][25:30], rows["again"][:5], strict=True):
        for name in ("step", "characters", "divergence", "gradient_norm", "learning_rate"):
            assert one[name] == other[name], name
    history = model.run.read_history()
    assert [row["step"] for row in history][:30] == list(range(1, 31))
    assert all("held_out" in row for row in history if row["step"] % 5 == 0 and row["step"] >= 25)


def test_minutes_given_later_are_a_new_budget(tmp_path: Path, book: Path) -> None:
    model = TextModel.create(task(book), tmp_path / "run")
    assert model.fit().step == 9
    progress = model.fit(minutes=0.02)
    assert progress.step > 9 + 25
    assert TextModel.resume(Run.open(tmp_path / "run")).fit().step == progress.step


def test_a_request_to_stop_is_kept_for_after_the_step(tmp_path: Path, book: Path, kept: Kept) -> None:
    settings = task(book, checkpoint_seconds=1e9)
    TextModel.create(settings, tmp_path / "whole").fit()

    class Ask(Listener):
        def on_step(self, row: dict[str, Any], total: int | None) -> None:
            if row["step"] == asked[0]:
                os.kill(os.getpid(), asked[1])

    model = TextModel.create(settings, tmp_path / "run")
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    for asked in ((3, signal.SIGINT), (6, signal.SIGTERM)):
        with pytest.raises(Interrupted, match=f"stopped at step {asked[0]}"):
            model.fit(Ask())
        checkpoint = find_checkpoint(tmp_path / "run/checkpoint")
        assert checkpoint is not None
        assert int(checkpoint.name) == asked[0]
        model = TextModel.resume(Run.open(tmp_path / "run"))
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    model.fit()
    assert kept(tmp_path / "run") == kept(tmp_path / "whole")


def test_no_step_is_saved_twice(tmp_path: Path, book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checkpoint of a step takes the place of one of the same step; a kill in between would leave none."""
    saved: list[int] = []
    real = loop.write_checkpoint

    def write(folder: Path, step: int, *more: Any) -> None:
        saved.append(step)
        real(folder, step, *more)

    monkeypatch.setattr(loop, "write_checkpoint", write)

    class Ask(Listener):
        def on_step(self, row: dict[str, Any], total: int | None) -> None:
            if row["step"] == 4:
                os.kill(os.getpid(), signal.SIGTERM)

    model = TextModel.create(task(book), tmp_path / "run")
    with pytest.raises(Interrupted):
        model.fit(Ask())
    model.fit()
    model.fit()
    assert saved == list(range(1, 10))
    saved.clear()
    TextModel.create(task(book, **VARIANTS["patience"]), tmp_path / "patience").fit()
    assert saved == sorted(set(saved))
    saved.clear()
    TextModel.create(task(book, steps=None, minutes=0.01), tmp_path / "minutes").fit()
    assert saved == sorted(set(saved))


def test_the_second_request_interrupts_at_once(tmp_path: Path, book: Path, kept: Kept) -> None:
    settings = task(book)
    TextModel.create(settings, tmp_path / "whole").fit()

    class Ask(Listener):
        def on_step(self, row: dict[str, Any], total: int | None) -> None:
            if row["step"] == 4:
                os.kill(os.getpid(), signal.SIGINT)
                os.kill(os.getpid(), signal.SIGINT)

    model = TextModel.create(settings, tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        model.fit(Ask())
    TextModel.resume(Run.open(tmp_path / "run")).fit()
    assert kept(tmp_path / "run") == kept(tmp_path / "whole")


def test_two_trainings_do_not_share_a_folder(tmp_path: Path, book: Path, kept: Kept) -> None:
    model = TextModel.create(task(book), tmp_path / "run")
    model.fit()
    before = kept(tmp_path / "run"), model.run.config_path.read_bytes()
    other = TextModel.resume(Run.open(tmp_path / "run"))
    with model.run.lock():
        for changes in ({}, {"steps": 20}):
            with pytest.raises(InputError, match="another training is running in it"):
                other.fit(**changes)
    assert (kept(tmp_path / "run"), model.run.config_path.read_bytes()) == before


def test_an_altered_checkpoint_is_refused_and_left(tmp_path: Path, book: Path) -> None:
    model = TextModel.create(task(book), tmp_path / "run")
    model.fit()
    (path,) = (tmp_path / "run/checkpoint").rglob("*.safetensors")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    history = model.run.history_path.read_bytes()
    with pytest.raises(InputError, match="altered since it was written"):
        TextModel.resume(Run.open(tmp_path / "run")).fit(steps=20)
    assert model.run.history_path.read_bytes() == history
    path.write_bytes(whole)
    TextModel.resume(Run.open(tmp_path / "run")).fit(steps=20)


def test_half_written_files_of_a_killed_process_are_swept(tmp_path: Path, book: Path, kept: Kept) -> None:
    model = TextModel.create(task(book), tmp_path / "run")
    model.fit()
    before = kept(tmp_path / "run")
    (tmp_path / "run/.model.safetensors.99.partial").write_bytes(b"half")
    (tmp_path / "run/checkpoint/.000000099.partial").mkdir()
    write_tensors(tmp_path / "run/checkpoint/.000000099.partial/rank-0.safetensors", {})
    TextModel.resume(Run.open(tmp_path / "run")).fit(steps=10)
    assert len(kept(tmp_path / "run")["files"]) == len(before["files"])  # pyright: ignore
