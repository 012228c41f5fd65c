"""TensorBoard's files hold every row of the history once, however often a training was stopped."""

import dataclasses
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peephole.data.config import TextData
from peephole.errors import InputError
from peephole.models.language.config import LanguageConfig
from peephole.runs.folder import Run
from peephole.tasks.config import TextTask
from peephole.tasks.text.model import TextModel
from peephole.train.config import TrainingConfig
from peephole.train.contract import Interrupted
from peephole.train.event_files import EVENTS, scalars

from ..killing import Killed, Killer
from .watch.test_watched_training import Heard

TRAINING = TrainingConfig(
    steps=8, batch_size=4, window=16, threads=1, warmup=2, checkpoint_seconds=0.0, watch=3, tensorboard=True
)
MODEL = LanguageConfig(layers=1, hidden_size=8, embedding_size=8, dropout=0.0)


@pytest.fixture
def read() -> Callable[[Path], dict[str, list[tuple[int, float]]]]:
    """`read(run)`: step and value of every scalar by its name, as TensorBoard shows them."""
    pytest.importorskip("tensorboard")
    loader = importlib.import_module("tensorboard.backend.event_processing.event_accumulator")

    def events(run: Path) -> dict[str, list[tuple[int, float]]]:
        found = loader.EventAccumulator(str(run / EVENTS), size_guidance={"scalars": 0}, purge_orphaned_data=False)
        found.Reload()
        return {name: [(event.step, event.value) for event in found.Scalars(name)] for name in found.Tags()["scalars"]}

    return events


def task(book: Path, **training: Any) -> TextTask:
    return TextTask(TextData((book,), held_out=0.2), MODEL, dataclasses.replace(TRAINING, **training))


def of_history(run: Run) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for row in run.read_history():
        for name, value in scalars(row):
            found.setdefault(name, []).append((row["step"], pytest.approx(value, rel=1e-6)))  # pyright: ignore
    return found


def test_every_number_of_the_history_is_there(tmp_path: Path, book: Path, read: Callable[..., Any]) -> None:
    model = TextModel.create(task(book), tmp_path / "run")
    model.fit()
    found = read(tmp_path / "run")
    assert found == of_history(model.run)
    assert [step for step, _ in found["divergence"]] == list(range(1, 9))
    assert [step for step, _ in found["watch/saturation/layer_0/f_left"]] == [1, 3, 6]
    assert "watch/range/layer_0/c_largest" in found
    assert not any("flow" in name for name in found)


def test_a_training_that_goes_on_writes_no_step_twice(tmp_path: Path, book: Path, read: Callable[..., Any]) -> None:
    model = TextModel.create(task(book), tmp_path / "run")
    with pytest.raises(Interrupted):
        model.fit(Heard(stop=4))
    assert [step for step, _ in read(tmp_path / "run")["divergence"]] == [1, 2, 3, 4]
    with pytest.raises(Killed):
        TextModel.resume(Run.open(tmp_path / "run")).fit(Killer(6))
    for _ in range(2):  # the second time there is nothing left to do
        TextModel.resume(Run.open(tmp_path / "run")).fit()
        assert [step for step, _ in read(tmp_path / "run")["divergence"]] == list(range(1, 9))
        assert read(tmp_path / "run") == of_history(model.run)
    assert len(list((tmp_path / "run" / EVENTS).iterdir())) == 1


def test_the_files_change_nothing_in_the_training(
    tmp_path: Path, book: Path, kept: Callable[[Path], dict[str, Any]], read: Callable[..., Any]
) -> None:
    for name, wanted in (("with", True), ("without", False)):
        TextModel.create(task(book, tensorboard=wanted), tmp_path / name).fit()
    one, other = kept(tmp_path / "with"), kept(tmp_path / "without")
    assert [name for name in one.pop("files") if not name.startswith(EVENTS)] == other.pop("files")
    assert one == other


def test_without_tensorboard_nothing_is_begun(tmp_path: Path, book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(InputError, match=r"--tensorboard needs TensorBoard, .*; pip install 'peephole\[tensorboard\]'"):
        TextModel.create(task(book), tmp_path / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["book.txt"]
    model = TextModel.create(task(book, tensorboard=False), tmp_path / "run")
    assert model.fit().step == 8
    with pytest.raises(InputError, match="--tensorboard needs TensorBoard"):
        model.fit(tensorboard=True, steps=9)


def test_names_follow_the_row() -> None:
    row = {
        "step": 3,
        "divergence": 1.5,
        "characters": 7,
        "watch": {
            "flow": {"layer 0": {"h": [1.0, 0.5]}},
            "horizon": {"layer 0": {"h": 4, "c": None}},
            "saturation": {"layer 1 reverse": {"i": [0.25, None]}},
            "update_ratio": {"head.weight": 1e-3},
            "range": {"layer 0": {"h": [-1.0, 0.5]}},
        },
    }
    assert dict(scalars(row)) == {
        "divergence": 1.5,
        "characters": 7.0,
        "watch/horizon/layer_0/h": 4.0,
        "watch/saturation/layer_1_reverse/i_left": 0.25,
        "watch/update_ratio/head.weight": 1e-3,
        "watch/range/layer_0/h_least": -1.0,
        "watch/range/layer_0/h_largest": 0.5,
    }
