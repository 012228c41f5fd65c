"""NT-ASGD: when it begins, what it is the average of, and that a killed run goes on with it."""

import dataclasses
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from peephole.data.config import TextData
from peephole.models.language.config import LanguageConfig
from peephole.runs.folder import Run
from peephole.runs.tensors import read_tensors
from peephole.tasks.config import TextTask
from peephole.tasks.text.model import TextModel
from peephole.train.averaging import Average, is_triggered
from peephole.train.checkpoint import find_checkpoint, read_checkpoint
from peephole.train.config import TrainingConfig
from peephole.train.contract import Listener

from ..killing import Killed, Killer

Kept = Callable[[Path], dict[str, object]]
# The rate is so large that it gets worse soon.
TRAINING = TrainingConfig(
    steps=14, batch_size=4, window=16, threads=1, warmup=0, checkpoint_seconds=0.0, watch=0, schedule="constant",
    optimizer="sgd", learning_rate=30.0, clip_norm=None, weight_decay=0.0, evaluate_every=1, average_trigger=2,
)  # fmt: skip
MODEL = LanguageConfig(hidden_size=8, embedding_size=8, dropout=0.2)


def task(book: Path, **training: Any) -> TextTask:
    return TextTask(TextData((book,), held_out=0.2), MODEL, dataclasses.replace(TRAINING, **training))


class Noting(Listener):
    """The weights in training after every step, and what was measured."""

    def __init__(self, model: TextModel) -> None:
        self.model = model
        self.weights: list[dict[str, Tensor]] = []
        self.measured: list[dict[str, Any]] = []

    def on_step(self, row: dict[str, Any], total: int | None) -> None:
        self.weights.append({name: value.clone() for name, value in self.model.model.state_dict().items()})

    def on_evaluation(self, row: dict[str, Any], improved: bool) -> None:
        self.measured.append(row)


def trained(book: Path, out: Path, **training: Any) -> Noting:
    model = TextModel.create(task(book, **training), out)
    noting = Noting(model)
    model.fit(noting)
    return noting


def test_it_begins_when_the_published_condition_holds() -> None:
    """The code of Merity et al. keeps the earlier divergences in a list and looks at all but its last n."""
    generator = random.Random(0)
    for interval in (1, 2, 5):
        seen = set()
        for _ in range(300):
            measured = [generator.choice([1.0, 2.0, 3.0]) for _ in range(generator.randint(1, 12))]
            earlier, newest = measured[:-1], measured[-1]
            want = len(earlier) > interval and any(newest > earlier[i] for i in range(len(earlier) - interval))
            assert is_triggered(measured, interval) == want
            seen.add(want)
        assert seen == {True, False}
    assert not is_triggered([1.0, 2.0, 3.0], 5)
    assert not is_triggered([3.0, 1.0, 2.0], 1), "the best was the last but one"


def test_every_step_counts_the_same() -> None:
    net, generator = nn.Linear(3, 2), torch.Generator().manual_seed(0)
    average, seen = Average(net, None), []
    for _ in range(50):
        with torch.no_grad():
            net.weight += torch.randn(2, 3, generator=generator)
        average.add()
        seen.append(net.weight.detach().double().clone())
        assert float((average.values["weight"] - torch.stack(seen).mean(0)).abs().max()) <= 1e-5
    first = Average(net, None)
    first.add()
    assert torch.equal(first.values["weight"], net.weight), "what was before it began counts nothing"


class Tied(nn.Module):
    """Weights with two names."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(5, 3)
        self.head = nn.Linear(3, 5)
        self.head.weight = self.embedding.weight


def test_tied_weights_are_averaged_once() -> None:
    net = Tied()
    average = Average(net, 0.5)
    start = average.values["head.weight"].clone()
    with torch.no_grad():
        net.head.weight += 1
    average.add()
    share = 10 / 11  # of the first step
    assert float((average.values["embedding.weight"] - start - share).abs().max()) <= 1e-6
    with average.in_place():
        assert torch.equal(net.head.weight, average.values["head.weight"])
    assert float((net.embedding.weight.detach() - start - 1).abs().max()) <= 1e-6


def test_from_then_on_the_average_is_measured_and_kept(tmp_path: Path, book: Path) -> None:
    plain = trained(book, tmp_path / "plain", average_trigger=0, keep="last")
    noting = trained(book, tmp_path / "run", keep="last")
    assert all(
        torch.equal(one[name], other[name])
        for one, other in zip(plain.weights, noting.weights, strict=True)
        for name in one
    ), "training goes where it goes without"
    held_out = [row["held_out"] for row in plain.measured]
    began = next(step for step in range(1, 15) if is_triggered(held_out[:step], 2))
    assert 4 <= began < 12
    assert [row["held_out"] for row in noting.measured[:began]] == held_out[:began]
    assert [row.get("averaged") for row in noting.measured] == [None] * began + list(range(1, 15 - began))
    kept = read_tensors(noting.model.run.model_path)
    for name, value in kept.items():
        want = torch.stack([weights[name].double() for weights in noting.weights[began:]]).mean(0)
        assert float((value - want).abs().max()) <= 1e-5, name
        assert torch.equal(noting.model.model.state_dict()[name], value)
    assert noting.measured[-1]["held_out"] != held_out[-1]
    again = noting.model.objective().evaluate(noting.model.model)["held_out"]
    assert abs(again - noting.measured[-1]["held_out"]) <= 1e-6


@pytest.mark.parametrize("more", [{}, {"keep": "last", "vary_window": True, "per": "row"}], ids=["", "all at once"])
def test_killed_and_resumed_equals_never_killed(tmp_path: Path, book: Path, kept: Kept, more: dict[str, Any]) -> None:
    """Killed before it began, at the step when it began, and after."""
    whole = trained(book, tmp_path / "whole", **more)
    began = next(row["step"] for row in whole.measured if "averaged" in row) - 1
    assert 3 < began < 12
    model = TextModel.create(task(book, **more), tmp_path / "killed")
    for step in (2, began, began + 1, began + 2, 14):
        with pytest.raises(Killed):
            model.fit(Killer(step))
        torch.manual_seed(step)  # a new process begins with other random numbers
        model = TextModel.resume(Run.open(tmp_path / "killed"))
    model.fit()
    assert kept(tmp_path / "killed") == kept(tmp_path / "whole")
    checkpoint = find_checkpoint(tmp_path / "killed/checkpoint")
    assert checkpoint is not None
    state = read_checkpoint(checkpoint, 0, 1)
    assert state["average"][""] == 14 - began
    assert len(state["progress"]["measured"]) == began
