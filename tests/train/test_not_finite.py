"""A training that blows up stops, says where it began, and leaves the last good checkpoint whole."""

import dataclasses
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from peephole.data.config import TextData
from peephole.errors import InputError
from peephole.models.language.config import LanguageConfig
from peephole.runs.folder import Run
from peephole.runs.tensors import read_tensors
from peephole.tasks.config import TextTask
from peephole.tasks.text.model import TextModel
from peephole.train.checkpoint import find_checkpoint, write_checkpoint
from peephole.train.config import TrainingConfig
from peephole.train.contract import Listener

TRAINING = TrainingConfig(steps=40, batch_size=4, window=16, threads=1, warmup=0, checkpoint_seconds=0.0)


def blow_up(book: Path, folder: Path, model: dict[str, Any], **training: Any) -> tuple[str, Run]:
    """The complaint of a training that goes wrong, and its run."""
    task = TextTask(
        TextData((book,)),
        LanguageConfig(**{"hidden_size": 8, "embedding_size": 8, "dropout": 0.0, **model}),
        dataclasses.replace(TRAINING, **training),
    )
    with pytest.raises(InputError) as caught:
        TextModel.create(task, folder).fit()
    message = str(caught.value)
    assert "\n" not in message
    assert "train again with a smaller --learning-rate" in message
    return message, Run.open(folder)


def finite(value: Any) -> bool:
    if isinstance(value, torch.Tensor):
        return bool(torch.isfinite(value.float()).all())
    if isinstance(value, dict | list):
        return all(map(finite, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, float) or math.isfinite(value)


def test_gradients_that_explode_are_named(tmp_path: Path, book: Path) -> None:
    """A relu net whose recurrent weights grow: activations double at each step until they overflow."""
    model = {"cell": "rnn", "nonlinearity": "relu", "layers": 1}
    training = {"optimizer": "sgd", "learning_rate": 2.0, "clip_norm": None, "window": 60}
    message, run = blow_up(book, tmp_path / "run", model, **training)
    found = re.search(
        r"became (nan|inf|-inf).* at step (\d+); the gradient of (\S+) grew first, at step (\d+)", message
    )
    assert found, message
    step, first = int(found[2]), int(found[4])
    assert 2 < first <= step
    names = {name for name, _ in TextModel.open(run).model.named_parameters()}
    assert found[3] in names

    checkpoint = find_checkpoint(run.checkpoint_folder)
    assert checkpoint is not None
    assert int(checkpoint.name) == step - 1
    assert f"the checkpoint of step {step - 1} is kept" in message
    state = read_tensors(checkpoint / "rank-0.safetensors")
    assert finite(state["model"])
    assert finite(state["optimizer"])
    *history, last = run.read_history()
    assert [row["step"] for row in history] == list(range(1, step))
    assert (last["step"], last["died"], last["born"]) == (step, message, found[3])
    assert last["divergence"] is None or last["gradient_norm"] is None
    assert all(finite(row) for row in history)
    # what the history says agrees with what was said: before `first` nothing had grown tenfold
    lengths = [row["gradient_norm"] for row in history]
    assert max(lengths[: first - 1]) < 10 * sorted(lengths[: step - 1])[len(lengths) // 2] * 10

    with pytest.raises(InputError) as again:
        TextModel.resume(run).fit()
    assert str(again.value) == message


def test_a_rate_beyond_measure(tmp_path: Path, book: Path) -> None:
    message, run = blow_up(book, tmp_path / "run", {}, learning_rate=1e38, clip_norm=None, checkpoint_seconds=1e9)
    assert re.search(r"became (nan|inf).* at step [12]; .*no checkpoint yet", message)
    assert not run.checkpoint_folder.exists()


def test_weights_that_are_not_finite_are_never_kept(tmp_path: Path, book: Path) -> None:
    """The very last step goes wrong, so that only the measurement on held-out text can tell."""
    model = {"cell": "rnn", "nonlinearity": "relu"}
    message, run = blow_up(book, tmp_path / "run", model, steps=1, learning_rate=3e38, optimizer="sgd", clip_norm=None)
    assert "the divergence on held-out data became nan at step 1; no checkpoint yet" in message
    assert not run.model_path.exists()
    (last,) = run.read_history()
    assert (last["step"], last["died"], last["place"]) == (1, message, {"epoch": 0, "position": 0})


def test_the_gradient_that_grew_first_is_named(tmp_path: Path, book: Path) -> None:
    """Weights of one layer poisoned in a checkpoint, as by a disk that lies: the first to grow is that layer's."""
    task = TextTask(TextData((book,)), LanguageConfig(hidden_size=8, embedding_size=8), TRAINING)

    class Stop(Listener):
        def on_step(self, row: dict[str, Any], total: int | None) -> None:
            if row["step"] == 20:
                raise KeyboardInterrupt

    model = TextModel.create(task, tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        model.fit(Stop())
    folder = model.run.checkpoint_folder
    checkpoint = find_checkpoint(folder)
    assert checkpoint is not None
    state = read_tensors(checkpoint / "rank-0.safetensors")
    state["model"]["recurrent.weight_hh_l1"][3, 5] = math.nan
    write_checkpoint(folder, 21, 0, state, lambda: None)
    with pytest.raises(
        InputError, match=r"became nan at step 20; .* grew first, at step 20; the checkpoint of step 21"
    ):
        TextModel.resume(model.run).fit()


def test_a_gradient_may_be_infinite_where_the_divergence_is_not(
    tmp_path: Path, book: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from peephole.tasks.text import objective as text

    class Steep(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, value: torch.Tensor) -> torch.Tensor:
            return value.clone()

        @staticmethod
        def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:  # pyright: ignore
            return gradient * math.inf

    real = text.TextObjective.divergence
    count = [0]

    def divergence(self: Any, model: Any, window: Any, states: Any) -> Any:
        total, counted, states = real(self, model, window, states)
        count[0] += 1
        return (Steep.apply(total) if count[0] == 6 else total), counted, states

    monkeypatch.setattr(text.TextObjective, "divergence", divergence)
    message, run = blow_up(book, tmp_path / "run", {})
    assert re.search(
        r"a gradient became (inf|nan) while the divergence was \d\.\d+ at step 6; the gradient of", message
    )
    assert "the checkpoint of step 5 is kept" in message
    monkeypatch.undo()
    assert TextModel.resume(run).fit().step == 40


def test_the_command_line_says_it_in_one_line(
    tmp_path: Path, book: Path, cli: Callable[..., Any], tiny: tuple[str, ...]
) -> None:
    words = ["train", book, *tiny, "--steps", 40, "--learning-rate", "1e38", "--clip-norm", "None"]
    outcome = cli(*words, "--out", tmp_path / "run")
    assert re.search(r"became (nan|inf)", outcome.complaint)
    assert outcome.out == ""
