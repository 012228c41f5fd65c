"""The running average: a loop by hand, the net's own weights beside it, and training that was stopped."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from peephole.data.config import TextData
from peephole.errors import InputError
from peephole.models.language.config import LanguageConfig
from peephole.runs.folder import Run
from peephole.runs.tensors import read_tensors, write_tensors
from peephole.tasks import load
from peephole.tasks.config import TextTask
from peephole.tasks.text.model import TextModel
from peephole.train.averaging import Average
from peephole.train.checkpoint import find_checkpoint, read_checkpoint
from peephole.train.config import TrainingConfig
from peephole.train.contract import Listener

from ..killing import Killed, Killer

Kept = Callable[[Path], dict[str, object]]
TRAINING = TrainingConfig(
    steps=9, batch_size=4, window=16, threads=1, warmup=2, checkpoint_seconds=0.0, average=0.8, watch=0
)
MODEL = LanguageConfig(hidden_size=8, embedding_size=8, dropout=0.2)


def task(book: Path, **training: Any) -> TextTask:
    return TextTask(TextData((book,), held_out=0.2), MODEL, dataclasses.replace(TRAINING, **training))


class Net(nn.Module):
    """Weights, and two buffers that are not trained: a number and a count."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2, 3))
        self.register_buffer("scale", torch.zeros(3))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def move(self, generator: torch.Generator) -> None:
        with torch.no_grad():
            self.weight += torch.randn(2, 3, generator=generator)
            self.scale += torch.randn(3, generator=generator)
            self.seen += 1


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


def copied(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("decay", [0.05, 0.8, 0.999])
def test_it_is_the_average_by_hand(decay: float) -> None:
    """Each step keeps `decay` of what was there; of the first steps less, k / (k + 10) at step k."""
    net, generator = Net(), torch.Generator().manual_seed(0)
    average = Average(net, decay)
    want = {name: value.double() for name, value in copied(net).items()}
    for step in range(1, 40):
        net.move(generator)
        average.add()
        share = min(decay, step / (step + 10))
        for name in ("weight", "scale"):
            want[name] = share * want[name] + (1 - share) * net.state_dict()[name].double()
            assert float((average.values[name] - want[name]).abs().max()) <= 1e-5
        assert int(average.values["seen"]) == step


def test_weights_that_stay_are_their_own_average() -> None:
    net = Net()
    nn.init.normal_(net.weight)
    average = Average(net, 0.9)
    for _ in range(30):
        average.add()
    assert same(average.values, net.state_dict())


@pytest.mark.parametrize("fails", [False, True])
def test_the_net_has_its_own_weights_again_afterwards(fails: bool) -> None:
    net, generator = Net(), torch.Generator().manual_seed(0)
    average = Average(net, 0.5)
    for _ in range(3):
        net.move(generator)
        average.add()
    own, weight, values = copied(net), net.weight, {name: value.clone() for name, value in average.values.items()}
    try:
        with average.in_place():
            assert same(copied(net), values)
            assert net.weight is weight, "an optimiser holds on to it"
            if fails:
                raise Killed
    except Killed:
        pass
    assert same(copied(net), own)
    assert same(average.values, values)


def test_it_goes_on_from_a_file(tmp_path: Path) -> None:
    net, generator = Net(), torch.Generator().manual_seed(0)
    average = Average(net, 0.9)
    for _ in range(8):
        net.move(generator)
        average.add()
    write_tensors(tmp_path / "state.safetensors", average.state_dict())
    other = Net()
    other.load_state_dict(copied(net))
    resumed = Average(other, 0.9)
    resumed.load_state_dict(read_tensors(tmp_path / "state.safetensors"))
    place = generator.get_state()
    for one, its_average in ((net, average), (other, resumed)):
        generator.set_state(place)
        for _ in range(12):
            one.move(generator)
            its_average.add()
    assert resumed.steps == average.steps == 20
    assert same(resumed.values, average.values)


@pytest.mark.parametrize("average", [-0.1, 1.0, 1.5, float("nan")])
def test_a_share_that_is_none_is_refused(average: float) -> None:
    with pytest.raises(InputError, match=r"--average is .*; expected 0 \(none\) to below 1"):
        TrainingConfig(average=average)


class Noting(Listener):
    """The weights in training after every step, and what was measured."""

    def __init__(self) -> None:
        self.model: TextModel
        self.weights: list[dict[str, Tensor]] = []
        self.measured: list[tuple[int, float, bool]] = []

    def on_step(self, row: dict[str, Any], total: int | None) -> None:
        self.weights.append(copied(self.model.model))

    def on_evaluation(self, row: dict[str, Any], improved: bool) -> None:
        self.measured.append((row["step"], row["held_out"], improved))


def trained(book: Path, out: Path, **training: Any) -> tuple[TextModel, Noting]:
    model, noting = TextModel.create(task(book, **training), out), Noting()
    noting.model = model
    model.fit(noting)
    return model, noting


def test_training_keeps_its_own_weights_and_measures_the_average(tmp_path: Path, book: Path) -> None:
    """Training goes where it goes without; what is measured and kept is the average by hand."""
    settings = {"evaluate_every": 2, "keep": "last"}
    _, plain = trained(book, tmp_path / "plain", **settings, average=0.0)
    first = TextModel.create(task(book), tmp_path / "first")
    want = {name: value.double() for name, value in copied(first.model).items()}
    model, averaged = trained(book, tmp_path / "averaged", **settings)
    assert all(same(*pair) for pair in zip(plain.weights, averaged.weights, strict=True))
    for step, weights in enumerate(averaged.weights, start=1):
        share = min(0.8, step / (step + 10))
        want = {name: share * value + (1 - share) * weights[name].double() for name, value in want.items()}
    kept = read_tensors(model.run.model_path)
    assert kept.keys() == want.keys()
    for name, value in want.items():
        assert float((kept[name] - value).abs().max()) <= 1e-5, name
        assert torch.equal(model.model.state_dict()[name], kept[name]), "what fit leaves in memory is what it kept"
    assert same(load(tmp_path / "averaged").model.state_dict(), kept)
    step, held_out, _ = averaged.measured[-1]
    assert step == 9
    assert abs(model.objective().evaluate(model.model)["held_out"] - held_out) <= 1e-6
    assert [value for _, value, _ in averaged.measured] != [value for _, value, _ in plain.measured]


def test_the_best_average_is_kept_beside_the_newest_weights(tmp_path: Path, book: Path) -> None:
    """The rate is so large that it gets worse soon: the best average is an early one."""
    model, noting = trained(book, tmp_path / "run", learning_rate=3.0, schedule="constant", evaluate_every=1)
    best = min(noting.measured, key=lambda each: each[1])
    assert best[0] < 9
    assert best == [each for each in noting.measured if each[2]][-1]
    assert abs(model.objective().evaluate(model.model)["held_out"] - best[1]) <= 1e-6
    checkpoint = find_checkpoint(tmp_path / "run/checkpoint")
    assert checkpoint is not None
    assert same(read_checkpoint(checkpoint, 0, 1)["model"], noting.weights[-1])


@pytest.mark.parametrize(
    "settings",
    [{"keep": "last"}, {"average": 0.999, "schedule": "plateau", "learning_rate": 20.0, "evaluate_every": 1}],
    ids=["the last", "plateau"],
)
def test_killed_and_resumed_equals_never_killed(
    tmp_path: Path, book: Path, kept: Kept, settings: dict[str, Any]
) -> None:
    TextModel.create(task(book, **settings), tmp_path / "whole").fit()
    model = TextModel.create(task(book, **settings), tmp_path / "killed")
    for step in (2, 8):
        with pytest.raises(Killed):
            model.fit(Killer(step))
        torch.manual_seed(step)  # a new process begins with other random numbers
        model = TextModel.resume(Run.open(tmp_path / "killed"))
    model.fit()
    assert kept(tmp_path / "killed") == kept(tmp_path / "whole")


def test_an_average_can_begin_where_there_was_none(tmp_path: Path, book: Path) -> None:
    """The weights as they were drawn have no part in it."""
    model = TextModel.create(task(book, average=0.0), tmp_path / "run")
    model.fit()
    before = copied(model.model)
    resumed = TextModel.resume(Run.open(tmp_path / "run"))
    noting = Noting()
    noting.model = resumed
    resumed.fit(noting, steps=10, average=0.8, keep="last")
    share = 1 / 11
    for name, value in read_tensors(resumed.run.model_path).items():
        want = share * before[name] + (1 - share) * noting.weights[-1][name]
        assert float((value - want).abs().max()) <= 1e-5, name
