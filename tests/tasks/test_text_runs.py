"""Runs of the text task: made, opened, damaged, gone on with."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import peephole
from peephole.data.config import TextData
from peephole.data.tokenizer import Tokenizer
from peephole.errors import InputError
from peephole.models.language.config import LanguageConfig
from peephole.runs.folder import Run
from peephole.tasks import load
from peephole.tasks.config import TextTask, task_from
from peephole.tasks.text.model import TextModel
from peephole.train.config import TrainingConfig

TRAINING = TrainingConfig(steps=4, batch_size=4, window=16, threads=1, warmup=2, checkpoint_seconds=0.0)
MODEL = LanguageConfig(hidden_size=8, embedding_size=8)


def tree(folder: Path) -> dict[str, bytes | None]:
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def task(book: Path, training: TrainingConfig = TRAINING, model: LanguageConfig = MODEL, **data: Any) -> TextTask:
    return TextTask(TextData((book,), **data), model, training)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda book: task(book.with_name("missing.txt")), "cannot be read"),
        (lambda book: task(book, dataclasses.replace(TRAINING, batch_size=1000)), "too few for 1000 lanes"),
        (
            lambda book: task(book, dataclasses.replace(TRAINING, bptt="full", longest_document=9)),
            "asked for at most 9",
        ),
        (lambda book: task(book, model=LanguageConfig(cell="rnn", init="chrono", longest=9)), "an RNN has no gates"),
        (lambda book: task(book, split="file"), "splitting by file needs two"),
    ],
)
@pytest.mark.parametrize("there", [False, True])
def test_what_cannot_be_trained_leaves_nothing(
    tmp_path: Path, book: Path, broken: Callable[[Path], TextTask], message: str, there: bool
) -> None:
    out = tmp_path / "some/where/run"
    if there:
        out.mkdir(parents=True)
    before = tree(tmp_path)
    with pytest.raises(InputError, match=message):
        TextModel.create(broken(book), out)
    assert tree(tmp_path) == before


def test_an_interruption_while_reading_leaves_nothing(
    tmp_path: Path, book: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    before = tree(tmp_path)
    monkeypatch.setattr(Tokenizer, "encoder", interrupt)
    with pytest.raises(KeyboardInterrupt):
        TextModel.create(task(book), tmp_path / "runs/first")
    assert tree(tmp_path) == before


def test_a_run_is_reproduced_from_its_own_configuration(tmp_path: Path, book: Path) -> None:
    first = TextModel.create(task(book), tmp_path / "first")
    first.fit()
    settings = json.loads((tmp_path / "first/config.json").read_text())["settings"]
    again = TextModel.create(task_from(settings, tmp_path), tmp_path / "again")
    again.fit()
    for name, value in first.model.state_dict().items():
        assert torch.equal(value, again.model.state_dict()[name]), name


def test_load_is_what_was_trained(tmp_path: Path, book: Path) -> None:
    model = TextModel.create(task(book), tmp_path / "run")
    model.fit()
    for opened in (load(tmp_path / "run"), peephole.load(str(tmp_path / "run"))):
        assert opened.task == model.task
        assert not opened.model.training
        for name, value in model.model.state_dict().items():
            assert torch.equal(value, opened.model.state_dict()[name])
    assert model.sample(length=40) == load(tmp_path / "run").sample(length=40)


def test_a_run_without_kept_weights_opens_from_its_checkpoint(tmp_path: Path, book: Path) -> None:
    training = dataclasses.replace(TRAINING, keep="last")
    model = TextModel.create(task(book, training), tmp_path / "run")
    model.fit()
    (tmp_path / "run/model.safetensors").unlink()
    opened = load(tmp_path / "run")
    for name, value in model.model.state_dict().items():
        assert torch.equal(value, opened.model.state_dict()[name])
    shutil.rmtree(tmp_path / "run/checkpoint")
    with pytest.raises(InputError, match="no such file; expected the weights of a run"):
        load(tmp_path / "run")


def replaced(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(whole: bytes) -> bytes:
        assert whole.count(old) == 1
        return whole.replace(old, new)

    return change


def flipped(whole: bytes) -> bytes:
    return whole[:-200] + bytes([whole[-200] ^ 1]) + whole[-199:]


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("model.safetensors", lambda whole: whole[:-100], "cut short"),
        ("model.safetensors", lambda whole: whole[:100], "cut short"),
        ("model.safetensors", lambda whole: b"", "cut short"),
        ("model.safetensors", flipped, "altered since it was written"),
        ("model.safetensors", replaced(b'"sha256":"', b'"sha255":"'), "not written by peephole"),
        ("tokenizer.json", lambda whole: None, "no tokenizer"),
        ("tokenizer.json", lambda whole: whole[:-5], "damaged tokenizer"),
        ("config.json", lambda whole: whole[:-5], "damaged"),
        ("config.json", lambda whole: None, r"is not a run \(no config.json\)"),
        ("config.json", replaced(b'"format": 1', b'"format": 7'), "run format 7, written by peephole"),
        ("config.json", replaced(b'"seed"', b'"sead"'), "unknown setting 'sead'"),
        ("config.json", replaced(b'"layers": 2', b'"layers": "two"'), "layers is 'two'"),
        ("config.json", replaced(b'"task": "text"', b'"task": "dance"'), "a run of the task 'dance'"),
    ],
)
def test_a_damaged_run_is_refused_and_left(
    tmp_path: Path, trained: Path, name: str, damage: Callable[[bytes], bytes | None], message: str
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    content = damage((run / name).read_bytes())
    (run / name).unlink()
    if content is not None:
        (run / name).write_bytes(content)
    before = tree(run)
    for opened in (load, lambda folder: TextModel.resume(Run.open(folder)).fit()):
        with pytest.raises(InputError, match=message) as caught:
            opened(run)
        assert "\n" not in str(caught.value)
        assert str(run) in str(caught.value)
        assert {key: value for key, value in tree(run).items() if key != ".lock"} == {
            key: value for key, value in before.items() if key != ".lock"
        }


@pytest.mark.parametrize(
    ("old", "new"), [('"hidden_size": 16', '"hidden_size": 17'), ('"cell": "lstm"', '"cell": "gru"')]
)
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, trained: Path, old: str, new: str) -> None:
    shutil.copytree(trained, tmp_path / "run")
    config = tmp_path / "run/config.json"
    assert old in config.read_text()
    config.write_text(config.read_text().replace(old, new))
    with pytest.raises(InputError, match=r"model.safetensors: does not fit config.json \(.*\); restore both") as caught:
        load(tmp_path / "run")
    assert "\n" not in str(caught.value)


def test_tokens_that_were_removed_are_made_again(tmp_path: Path, book: Path) -> None:
    whole = TextModel.create(task(book), tmp_path / "whole")
    whole.fit(steps=6)
    model = TextModel.create(task(book), tmp_path / "run")
    model.fit()
    before = tree(tmp_path / "run/data")
    shutil.rmtree(tmp_path / "run/data")
    again = TextModel.resume(Run.open(tmp_path / "run"))
    assert tree(tmp_path / "run/data") == before
    again.fit(steps=6)
    shutil.rmtree(tmp_path / "run/data")
    opened = load(tmp_path / "run")
    with pytest.raises(InputError, match="missing from the corpus"):
        opened.corpus  # noqa: B018  (a property that reads)


def test_text_that_changed_meanwhile_is_not_trained_on(tmp_path: Path, book: Path) -> None:
    TextModel.create(task(book), tmp_path / "run").fit()
    shutil.rmtree(tmp_path / "run/data")
    before = tree(tmp_path / "run")
    book.write_text(book.read_text().replace("e", "ë"))
    with pytest.raises(InputError, match="its text is not what it was trained on"):
        TextModel.resume(Run.open(tmp_path / "run"))
    assert tree(tmp_path / "run") == before


def test_a_lost_tokenizer_is_not_made_up(tmp_path: Path, book: Path) -> None:
    TextModel.create(task(book), tmp_path / "run").fit()
    (tmp_path / "run/tokenizer.json").unlink()
    before = tree(tmp_path / "run")
    with pytest.raises(InputError, match=r"tokenizer.json: no tokenizer"):
        TextModel.resume(Run.open(tmp_path / "run"))
    assert tree(tmp_path / "run") == before


def test_fit_gives_back_progress_and_leaves_the_best_weights(tmp_path: Path, book: Path) -> None:
    model = TextModel.create(task(book), tmp_path / "run")
    progress = model.fit()
    assert (progress.step, progress.total) == (4, 4)
    assert progress.counted == 4 * 4 * 16
    assert not model.model.training
    with pytest.raises(TypeError):
        model.fit(colour=3)
    with pytest.raises(InputError, match="got 2 budgets"):
        model.fit(steps=3, epochs=1.0)
    assert json.loads((tmp_path / "run/config.json").read_text())["settings"]["training"]["steps"] == 4
