"""Classification: each format trains a small net that finds out, and what comes back is labels and their scores."""

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from peephole.data.classification.config import ClassificationData
from peephole.errors import InputError
from peephole.runs.folder import Run
from peephole.tasks import load
from peephole.tasks.classification.model import ClassificationModel
from peephole.tasks.classification.nearest_neighbour import nearest, warped_distances
from peephole.tasks.classification.settings import ClassificationNet, ClassificationTask, ClassificationTraining

pytest.importorskip("sklearn")

NET = ClassificationNet(hidden_size=16)
TRAINING = ClassificationTraining(epochs=None, steps=80, batch_size=16, learning_rate=1e-2, watch=0)


def waves(count: int, seed: int) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Two channels in noise, of lengths of their own; which of them is ahead by a quarter of a wave is the label."""
    random = np.random.default_rng(seed)
    for number in range(count):
        label = ("first", "second")[number % 2]
        steps = np.arange(random.integers(20, 40)) * 0.6 + random.uniform(0, 6)
        late = np.pi / 2 if label == "first" else -np.pi / 2
        values = np.stack([np.sin(steps), np.sin(steps - late)], axis=1)
        yield label, values + 0.3 * random.normal(size=values.shape)


def series(path: Path, count: int, seed: int, labelled: bool = True) -> Path:
    lines = ["@problemName Waves", "@timeStamps false", "@dimensions 2"]
    lines += [f"@classLabel {'true first second' if labelled else 'false'}", "@data"]
    for label, values in waves(count, seed):
        channels = [",".join(f"{value:.4f}" for value in channel) for channel in values.T]
        lines.append(":".join([*channels, *([label] if labelled else [])]))
    path.write_text("\n".join(lines) + "\n")
    return path


def table(path: Path, count: int, seed: int) -> Path:
    lines = ["sequence,time,left,right,label"]
    for number, (label, values) in enumerate(waves(count, seed)):
        lines += [f"{number},{step},{one:.4f},{two:.4f},{label}" for step, (one, two) in enumerate(values)]
    path.write_text("\n".join(lines) + "\n")
    return path


def made(folder: Path, data: ClassificationData, **changes: object) -> ClassificationModel:
    task = ClassificationTask(data=data, model=NET, training=TRAINING)
    return ClassificationModel.create(replace(task, **changes), folder / "run")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> ClassificationModel:
    """One direction, so that it can follow a stream; an mlp beside it."""
    folder = tmp_path_factory.mktemp("classification")
    data = ClassificationData(files=(series(folder / "a.ts", 80, 0),), test=(series(folder / "b.ts", 40, 1),))
    model = made(folder, data, model=replace(NET, directions="one"), baseline=True)
    model.fit()
    mlp = model.mlp()
    assert mlp is not None
    mlp.fit(steps=20)
    return model


def test_a_net_learns_which_wave_is_ahead(trained: ClassificationModel) -> None:
    found = trained.measure()
    assert found.part == "test"
    assert found.metrics["accuracy %"] >= 0.95
    assert set(found.others) == {"mlp", "most frequent label", "nearest neighbour"}
    assert found.others["most frequent label"]["accuracy %"] == 0.5
    assert found.others["mlp"]["accuracy %"] < 0.9, "a net without memory cannot know what came before"
    assert json.loads(json.dumps(found.as_dict()))["metrics"] == dict(found.metrics)
    assert [row[0] for row in found.tables[0].rows] == ["first", "second"]


def test_a_run_that_is_opened_again_says_the_same(trained: ClassificationModel) -> None:
    opened = load(trained.run.folder)
    assert isinstance(opened, ClassificationModel)
    assert opened.measure().metrics == trained.measure().metrics
    assert any("2 labels; 20 to 39 steps, 2 numbers a step" in line for line in opened.describe())


def test_files_without_labels_are_answered(trained: ClassificationModel, tmp_path: Path) -> None:
    known, unknown = series(tmp_path / "a.ts", 10, 7), series(tmp_path / "b.ts", 10, 7, labelled=False)
    answers = list(trained.predict([known]))
    # A line further down, where the head lists no labels, is the same line
    assert [one.confidences for one in answers] == [one.confidences for one in trained.predict([unknown])]
    right = [label for label, _ in waves(10, 7)]
    assert sum(one.labels[0] == label for one, label in zip(answers, right, strict=True)) >= 9
    assert answers[0].text.startswith(f"{known}, line 6\t")
    said = answers[0].as_dict()
    assert said["confidence"] == said["confidences"][said["label"]] >= 0.5
    assert abs(sum(said["confidences"].values()) - 1) <= 1e-3


def test_a_stream_is_answered_step_by_step_as_files_are(trained: ClassificationModel, tmp_path: Path) -> None:
    sequences = [values for _, values in waves(3, 7)]
    lines = chain.from_iterable([*(f"{one:.4f} {two:.4f}\n" for one, two in values), "\n"] for values in sequences)
    answers = list(trained.follow(lines, "a pipe"))
    assert len(answers) == sum(map(len, sequences))
    ends = {f"sequence {number}, step {len(values)}": values for number, values in enumerate(sequences, 1)}
    last = [one for one in answers if one.name in ends]
    whole = list(trained.predict([series(tmp_path / "a.ts", 3, 7)]))
    for one, other in zip(last, whole, strict=True):
        assert one.labels == other.labels
        assert np.abs(np.subtract(one.confidences, other.confidences)).max() <= 1e-4
    with pytest.raises(InputError, match=r"a pipe, line 2: got '1 x'; expected numbers"):
        list(trained.follow(iter(["1 2", "1 x"]), "a pipe"))
    with pytest.raises(InputError, match=r"a pipe, line 1: 3 values a step; expected 2"):
        list(trained.follow(iter(["1 2 3"]), "a pipe"))


def test_other_kinds_of_files_are_refused(trained: ClassificationModel, tmp_path: Path) -> None:
    (tmp_path / "said.txt").write_text("hello\n")
    with pytest.raises(InputError, match=r"symbols; expected numbers"):
        list(trained.predict([tmp_path / "said.txt"]))


def test_a_table_both_directions_and_nothing_held_out(tmp_path: Path) -> None:
    data = ClassificationData(files=(table(tmp_path / "a.csv", 60, 0),), held_out_share=0.0)
    model = made(tmp_path, replace(data, test=(table(tmp_path / "b.csv", 30, 1),)))
    assert model.task.training.keep == "last"
    assert model.parts == ("train", "test")
    model.fit()
    assert model.measure().metrics["accuracy %"] >= 0.95
    steps = [f"{one:.4f}, {two:.4f}" for one, two in next(waves(1, 7))[1]]
    (answer,) = model.follow(iter(steps), "a pipe")
    assert answer.labels[0] == "first"


def test_texts(tmp_path: Path) -> None:
    """Which of two letters came last: no count of letters says it."""
    random = np.random.default_rng(0)
    lines = []
    for _ in range(160):
        text = "".join(random.choice(list("abxyz"), size=12)) + "xyz"[random.integers(3)]
        last = max("ab", key=text.rfind)
        lines.append(f"{last} last\t{text}")
    (tmp_path / "a.txt").write_text("\n".join(lines[:120]) + "\n")
    (tmp_path / "b.txt").write_text("\n".join(lines[120:]) + "\n")
    data = ClassificationData(files=(tmp_path / "a.txt",), test=(tmp_path / "b.txt",))
    training = replace(TRAINING, steps=160)
    model = made(tmp_path, data, model=replace(NET, pool="last", directions="one"), training=training)
    model.fit()
    found = model.measure()
    assert found.metrics["accuracy %"] >= 0.95
    assert "naive Bayes" in found.others
    (answer,) = model.follow(iter(["xxaxxbxxx\n", "\n"]), "a pipe")
    assert answer.labels[0] == "b last"
    (tmp_path / "c.txt").write_text("a last\txxaxxbxxx\nxxaxxbxxx\n")
    known, unknown = model.predict([tmp_path / "c.txt"])
    assert known.confidences == unknown.confidences, "the label of a line is no part of its text"


def test_recordings(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    pytest.importorskip("kaldi_native_fbank")
    random = np.random.default_rng(0)
    for number in range(60):
        rises = number % 2
        pitch = np.linspace(600, 1800, 2400)[:: 1 if rises else -1] * random.uniform(0.8, 1.25)
        sound = 0.2 * np.sin(2 * np.pi * np.cumsum(pitch) / 8000) + 0.05 * random.normal(size=2400)
        folder = tmp_path / "sounds" / ("falls", "rises")[rises]
        folder.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / f"{number:02}.wav", sound, 8000)
    soundfile.write(tmp_path / "sounds/falls/empty.wav", np.empty(0), 8000)
    data = ClassificationData(files=(tmp_path / "sounds",), test_match=r"[45].\.wav$", bands=16, workers=1)
    model = made(tmp_path, data)
    model.fit()
    found = model.measure()
    assert found.metrics["accuracy %"] >= 0.95
    assert found.notes == (f"skipped 1 of the sequences: {tmp_path / 'sounds/falls/empty.wav'}: no samples",)
    (answer,) = model.follow(iter([f"{tmp_path / 'sounds/rises/41.wav'}\n"]), "a pipe")
    assert answer.labels[0] == "rises"
    assert len(list(model.predict([tmp_path / "sounds"]))) == 60


def test_training_that_is_resumed_equals_training_that_was_not(tmp_path: Path) -> None:
    data = ClassificationData(files=(series(tmp_path / "a.ts", 20, 0),))
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    whole = made(tmp_path / "whole", data)
    whole.fit(steps=12, schedule="constant")
    made(tmp_path / "parts", data).fit(steps=5, schedule="constant")
    parts = ClassificationModel.resume(Run.open(tmp_path / "parts" / "run"))
    parts.fit(steps=12)
    assert parts.measure().metrics == whole.measure().metrics


def test_class_weights_make_labels_count_alike(tmp_path: Path) -> None:
    lines = ["label,t0,t1", *["rare,1,2"] * 2, *["often,2,1"] * 8]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    data = ClassificationData(files=(tmp_path / "a.csv",), held_out_share=0.0)
    model = made(tmp_path, data, training=replace(TRAINING, class_weights="balanced"))
    weights = model._class_weights
    assert weights is not None
    assert np.abs(weights.numpy() - [0.625, 2.5]).max() <= 1e-6


def test_warped_distances_of_sequences_that_are_known() -> None:
    line = np.arange(10, dtype=np.float32)[:, None]
    known = np.stack([line, line[::-1]], axis=1)
    lengths = np.array([10, 10])
    same, turned = warped_distances(known, lengths, line).tolist()
    assert same == 0.0
    assert 100 < turned <= float(np.square(line - line[::-1]).sum())
    slow = np.repeat(line, 2, axis=0)
    assert warped_distances(known, lengths, slow, band=0.2)[0] <= 1e-6
    shorter = np.zeros((10, 1, 1), np.float32)
    shorter[:3, 0] = [[0], [1], [2]]
    assert warped_distances(shorter, np.array([3]), np.array([[0], [1], [2]], np.float32)).tolist() == [0.0]
    assert warped_distances(shorter[:1], np.array([1]), np.array([[5]], np.float32)).tolist() == [25.0]
    assert nearest([line, line[::-1]], [line + 0.1, line[::-1][:8]]).tolist() == [0, 1]
