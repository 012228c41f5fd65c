"""A training that is watched ends with the same bits, and its history has what was seen."""

import dataclasses
import json
import math
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from peephole.data.config import TextData
from peephole.data.problems.adding import Adding
from peephole.data.problems.parity import Parity
from peephole.data.problems.problem import Problem
from peephole.errors import InputError
from peephole.models.language.config import LanguageConfig
from peephole.runs.folder import Run
from peephole.tasks.config import ProblemTask, TextTask
from peephole.tasks.problem import ProblemModel
from peephole.tasks.text.model import TextModel
from peephole.train.config import TrainingConfig
from peephole.train.contract import Interrupted, Listener
from peephole.train.curriculum import SizedTraining
from peephole.train.watch import watcher
from peephole.train.watch.looking import look
from peephole.train.watch.numbers import inside, plain
from peephole.train.watch.reading import read_watch
from peephole.train.watch.sequences import WatchedSequences

TRAINING = TrainingConfig(steps=6, batch_size=4, window=16, threads=1, warmup=2, checkpoint_seconds=0.0, watch=2)
LIMIT = 0.4  # of a gradient's length, which some steps of a training like this exceed
MODEL = LanguageConfig(layers=2, hidden_size=8, embedding_size=8, dropout=0.0)

Kept = Callable[[Path], dict[str, Any]]


class Heard(Listener):
    """Remembers what was seen, and may ask to stop, or die, after a step."""

    def __init__(self, stop: int = 0, die: int = 0) -> None:
        self.stop, self.die = stop, die
        self.rows: list[dict[str, Any]] = []
        self.turned: list[tuple[int, str]] = []

    def on_watch(self, row: dict[str, Any], turned: Sequence[str]) -> None:
        self.rows.append(row)
        self.turned += [(row["step"], sentence) for sentence in turned]

    def on_step(self, row: dict[str, Any], total: int | None) -> None:
        if row["step"] == self.stop:
            signal.raise_signal(signal.SIGTERM)
        if row["step"] == self.die:
            raise KeyboardInterrupt


def text(book: Path, **settings: Any) -> TextTask:
    parts = []
    for part in (TextData((book,), held_out=0.2), MODEL, TRAINING):
        names = {field.name for field in dataclasses.fields(part)} & settings.keys()
        parts.append(dataclasses.replace(part, **{name: settings.pop(name) for name in names}))
    assert not settings
    return TextTask(*parts)


def without_looks(found: dict[str, Any]) -> dict[str, Any]:
    """What a run folder holds apart from what was seen and how often gradients were clipped since."""
    rows = [{key: value for key, value in row.items() if key != "watch"} for row in found["history.jsonl"]]
    rest = {name: value for name, value in found.items() if name != "history.jsonl"}
    for name, value in rest.items():
        if name.startswith("checkpoint/"):
            value["progress"].pop("clipped")
            value["progress"].pop("unwatched")
    return {**rest, "history.jsonl": rows}


VARIANTS: dict[str, dict[str, Any]] = {
    "noise": {"dropout": 0.3, "recurrent_dropout": 0.2, "zoneout": 0.1, "zoneout_cell": 0.1, "weight_drop": 0.2},
    "learned states, documents": {"learned_states": True, "separator": "\n"},
    "bfloat16": {"precision": "bfloat16", "cell": "gru"},
    "whole documents": {"bptt": "full", "separator": "\n", "longest_document": 1000, "cell": "rnn"},
    "clipped entries": {"clip_value": 1e-3, "optimizer": "sgd", "momentum": 0.9},
}


@pytest.mark.parametrize("name", VARIANTS)
def test_looking_changes_no_bit(tmp_path: Path, book: Path, kept: Kept, name: str) -> None:
    for every, folder in ((0, "blind"), (2, "watched")):
        TextModel.create(text(book, watch=every, **VARIANTS[name]), tmp_path / folder).fit()
    blind, watched = (kept(tmp_path / folder) for folder in ("blind", "watched"))
    assert not any("watch" in row for row in blind["history.jsonl"])
    assert [row["step"] for row in watched["history.jsonl"] if "watch" in row] == [1, 2, 4, 6]
    assert without_looks(watched) == without_looks(blind)


def test_a_training_that_goes_on_sees_the_same(tmp_path: Path, book: Path, kept: Kept) -> None:
    settings = text(book, **VARIANTS["noise"], clip_norm=0.5, steps=9, watch=3)
    TextModel.create(settings, tmp_path / "whole").fit()
    model = TextModel.create(settings, tmp_path / "stopped")
    for step in (1, 2, 5):
        with pytest.raises(Interrupted):
            model.fit(Heard(stop=step))
        torch.manual_seed(step)  # a new process begins with other random numbers
        model = TextModel.resume(Run.open(tmp_path / "stopped"))
    with pytest.raises(KeyboardInterrupt):
        model.fit(Heard(die=6))  # its row is there, and written again
    TextModel.resume(Run.open(tmp_path / "stopped")).fit()
    assert kept(tmp_path / "stopped") == kept(tmp_path / "whole")


def test_a_row_says_what_a_look_at_the_kept_weights_says(tmp_path: Path, book: Path) -> None:
    model = TextModel.create(text(book, keep="last"), tmp_path / "run")
    heard = Heard()
    model.fit(heard)
    row = model.run.read_history()[-1]
    assert row["step"] == 6
    assert heard.rows[-1]["watch"] == row["watch"]
    watched = model.watched()
    assert watched is not None
    want = plain(inside(look(model.model, watched)))
    assert {name: row["watch"][name] for name in want} == want
    assert row["watch"].keys() - want.keys() == {"update_ratio", "clipped", "memory"}
    assert set(want["flow"]) == {"layer 0", "layer 1"}
    assert set(want["flow"]["layer 0"]) == {"h", "c"}
    assert set(want["saturation"]["layer 1"]) == {"i", "f", "o"}
    assert want["units"] == {"layer 0": 8, "layer 1": 8}
    assert read_watch(model.run.read_history()).steps == (1, 2, 4, 6)


def test_the_history_is_strict_json(tmp_path: Path, book: Path) -> None:
    model = TextModel.create(text(book), tmp_path / "run")
    model.fit()
    for line in model.run.history_path.read_text().splitlines():
        json.loads(line, parse_constant=pytest.fail)


def test_update_ratios_are_those_of_the_step(tmp_path: Path, book: Path) -> None:
    """With plain gradient descent the update is the rate times the gradient, whose norm the history has."""
    settings = text(book, optimizer="sgd", learning_rate=0.5, clip_norm=None, weight_decay=0.0, schedule="constant")
    model = TextModel.create(settings, tmp_path / "run")
    before = {name: value.clone() for name, value in model.model.named_parameters()}
    heard = Heard(die=0)
    model.fit(heard, steps=1)
    ratios = heard.rows[0]["watch"]["update_ratio"]
    assert list(ratios) == list(before)
    length = math.sqrt(
        sum((ratio * float(before[name].detach().norm())) ** 2 for name, ratio in ratios.items() if ratio is not None)
    )
    after = dict(model.model.named_parameters())
    for name, ratio in ratios.items():
        size = float(before[name].detach().norm())
        assert (ratio is None) == (size == 0)
        if ratio is not None:
            assert ratio == pytest.approx(float((after[name] - before[name]).detach().norm()) / size, rel=1e-3)
    rate = heard.rows[0]["learning_rate"]
    assert length <= rate * heard.rows[0]["gradient_norm"] * 1.001
    assert length >= rate * heard.rows[0]["gradient_norm"] * 0.5


def test_the_share_of_clipped_steps_is_that_since_the_last_look(tmp_path: Path, book: Path) -> None:
    model = TextModel.create(text(book, clip_norm=LIMIT, steps=12, watch=4, learning_rate=0.05), tmp_path / "run")
    model.fit()
    rows = model.run.read_history()
    lengths = [row["gradient_norm"] for row in rows]
    assert len(lengths) == 12
    assert 0 < sum(length > LIMIT for length in lengths) < 12
    shares = [row["watch"]["clipped"] for row in rows if "watch" in row]
    parts = [lengths[:1], lengths[1:4], lengths[4:8], lengths[8:]]
    want = [sum(length > LIMIT for length in part) / len(part) for part in parts]
    assert shares == pytest.approx(want, abs=1e-4)


@pytest.mark.parametrize(("value", "share"), [(1e-9, 1.0), (1e9, 0.0)])
def test_entries_that_are_cut_count_as_clipped(tmp_path: Path, book: Path, value: float, share: float) -> None:
    model = TextModel.create(text(book, clip_norm=None, clip_value=value), tmp_path / "run")
    model.fit()
    assert {row["watch"]["clipped"] for row in model.run.read_history() if "watch" in row} == {share}


def test_long_trainings_are_watched_less_often(tmp_path: Path, book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "MOST_ROWS", 3)
    model = TextModel.create(text(book, steps=12, watch=1, carry=False), tmp_path / "run")
    model.fit()
    assert [row["step"] for row in model.run.read_history() if "watch" in row] == [1, 4, 8, 12]


def test_no_look_is_left_out_of_a_long_history(tmp_path: Path, book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from peephole.train import loop

    monkeypatch.setattr(loop, "ROWS_KEPT", 1)
    model = TextModel.create(text(book), tmp_path / "run")
    model.fit()
    assert [row["step"] for row in model.run.read_history() if "watch" in row] == [1, 2, 4, 6]


def test_a_short_held_out_text_is_looked_at_in_shorter_pieces(tmp_path: Path, book: Path) -> None:
    for share, steps in ((0.6, 200), (0.2, 50), (0.04, 12)):
        model = TextModel.create(text(book, held_out=share, batch_size=2), tmp_path / f"{share}")
        watched = model.watched()
        assert watched is not None
        assert tuple(watched.arguments["inputs"].shape) == (steps, 4)
        assert watched.warm == steps // 2


@pytest.mark.parametrize("problem", [Parity(length=6), Adding(length=12)])
def test_problems_are_looked_at_on_examples_of_their_size(tmp_path: Path, problem: Problem) -> None:
    training = SizedTraining(steps=3, batch_size=4, threads=1, warmup=1, watch=1)
    model = ProblemModel.create(ProblemTask(problem, MODEL, training), tmp_path / "run")
    watched = model.watched()
    assert watched is not None
    assert watched.warm == 0
    model.fit()
    rows = [row["watch"] for row in model.run.read_history() if "watch" in row]
    assert len(rows) == 3
    assert all(len(row["flow"]["layer 0"]["h"]) == len(watched.arguments["inputs"]) for row in rows)


def test_a_static_net_is_watched_for_what_it_has(tmp_path: Path) -> None:
    training = SizedTraining(steps=3, batch_size=4, threads=1, warmup=1, watch=1)
    model = ProblemModel.create(ProblemTask(Parity(length=6), MODEL, training, net="static"), tmp_path / "run")
    model.fit()
    rows = [row["watch"] for row in model.run.read_history() if "watch" in row]
    assert len(rows) == 3
    for row in rows:
        assert "flow" not in row
        assert set(row["update_ratio"]) == {name for name, _ in model.model.named_parameters()}


def test_a_training_that_dies_says_its_own_message(tmp_path: Path, book: Path) -> None:
    model = TextModel.create(
        text(book, learning_rate=1e38, clip_norm=None, warmup=0, watch=1, evaluate_every=9), tmp_path / "run"
    )
    with pytest.raises(InputError, match=r"became (nan|inf).* at step 2"):
        model.fit()
    row, died = model.run.read_history()
    assert (row["step"], died["step"]) == (1, 2)
    assert set(row["watch"]) == {"update_ratio", "clipped", "memory"}  # there was nothing finite to be seen inside


def test_what_was_seen_before_a_death_is_on_the_disk(
    tmp_path: Path, book: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = TextModel.create(text(book, watch=1, evaluate_every=9), tmp_path / "run")
    real, count = torch.optim.AdamW.step, [0]

    def step(self: Any, *given: Any) -> Any:
        found = real(self, *given)
        count[0] += 1
        if count[0] == 4:
            with torch.no_grad():
                model.model.head.weight.fill_(math.nan)
        return found

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    with pytest.raises(InputError, match=r"divergence became nan at step 5"):
        model.fit()
    *rows, died = model.run.read_history()
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    assert died["step"] == 5
    assert "became nan" in died["died"]
    assert ["flow" in row["watch"] for row in rows] == [True, True, True, False]


def test_too_little_memory_is_said_and_training_goes_on(
    tmp_path: Path, book: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*given: Any) -> Any:
        torch.empty(1 << 60)

    monkeypatch.setattr(watcher, "look", full)
    model = TextModel.create(text(book), tmp_path / "run")
    assert model.fit().step == 6
    assert [record.message for record in caplog.records] == [
        "not looked inside: there is not enough memory for it; --watch 0 does without"
    ]


def test_what_turns_is_heard_once_though_training_was_stopped(
    tmp_path: Path, book: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seen(layers: Any) -> dict[str, Any]:
        calls[0] += 1
        return {"dead": {"layer 0": 0 if calls[0] < 3 else 8}, "units": {"layer 0": 8}}

    calls = [0]
    monkeypatch.setattr(watcher, "inside", seen)
    first, second = Heard(stop=5), Heard()
    model = TextModel.create(text(book, watch=1), tmp_path / "run")
    with pytest.raises(Interrupted):
        model.fit(first)
    TextModel.resume(Run.open(tmp_path / "run")).fit(second)
    ((step, sentence),) = first.turned
    assert (step, sentence[:25]) == (3, "8 of 8 units are dead, an")
    assert second.turned == []


def test_without_sequences_only_the_training_is_watched(tmp_path: Path, book: Path) -> None:
    from peephole.train.loop import fit

    model = TextModel.create(text(book), tmp_path / "run")
    fit(model.model, model.objective(), TRAINING, model.run, Listener())
    assert {frozenset(row["watch"]) for row in model.run.read_history() if "watch" in row} == {
        frozenset({"update_ratio", "clipped", "memory"})
    }


def test_sequences_move_with_the_net() -> None:
    sequences = WatchedSequences({"inputs": torch.zeros(3, 2)}, lambda output: output.sum())
    assert sequences.to(torch.device("meta")).arguments["inputs"].is_meta
