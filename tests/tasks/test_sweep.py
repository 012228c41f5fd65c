"""A sweep: its space, choices that are repeatable, halving, trials killed and gone on with, verdicts."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from matplotlib.figure import Figure

from peephole.data.problems.parity import Parity
from peephole.errors import InputError
from peephole.models.config import ModelConfig
from peephole.runs.folder import Run
from peephole.tasks.config import ProblemTask, TextTask
from peephole.tasks.problem import ProblemModel
from peephole.tasks.sweeping import search
from peephole.tasks.sweeping.choosing import Chooser
from peephole.tasks.sweeping.result import Sweep, Trial, in_order
from peephole.tasks.sweeping.search import sweep
from peephole.tasks.sweeping.space import Choice, Range, apply, read_space
from peephole.train.contract import Listener
from peephole.train.curriculum import SizedTraining

from ..killing import Killed, Killer

MODEL = ModelConfig(cell="rnn", layers=1, hidden_size=4, embedding_size=4, dropout=0.0)
TRAINING = SizedTraining(steps=10, batch_size=4, threads=1, warmup=1, checkpoint_seconds=0.0, watch=0)
TASK = ProblemTask(Parity(length=4), MODEL, TRAINING)
RATES = Range("learning_rate", 1e-4, 1e-1, True)
SPACE = (RATES, Choice("hidden_size", (3, 4, 5)))


# --- the space ---


def test_a_space_is_read_by_what_the_options_are() -> None:
    words = ["learning-rate=1e-3..1e-2:log", "hidden_size=8..16", "cell=gru,rnn", "clip_norm=none,1", "bias=true,false"]
    space = read_space(words, TASK)
    assert space == (
        Range("learning_rate", 0.001, 0.01, True),
        Range("hidden_size", 8, 16, False),
        Choice("cell", ("gru", "rnn")),
        Choice("clip_norm", (None, 1.0)),
        Choice("bias", (True, False)),
    )
    assert [each.count for each in space] == [math.inf, 9, 2, 2, 2]
    assert read_space([each.text for each in space], TASK) == space
    changed = apply(TASK, {"learning_rate": 0.5, "hidden_size": 9, "clip_norm": None})
    assert (changed.training.learning_rate, changed.training.clip_norm, changed.model.hidden_size) == (0.5, None, 9)
    assert changed.problem == TASK.problem


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "nothing to sweep; give --over"),
        (["learning_rat=1..2"], "no option 'learning_rat'; did you mean learning_rate"),
        (["length=3,4"], "no option 'length'"),  # another problem is no setting
        (["learning_rate"], "no values; expected learning_rate=A..B"),
        (["learning_rate="], "no values"),
        (["learning_rate=0.1..0.01"], "expected two numbers, the lower one first"),
        (["learning_rate=0.1..inf"], "from 0.1 to inf; expected two numbers"),
        (["learning_rate=0..0.1:log"], "a logarithmic range begins above 0"),
        (["learning_rate=1e-3..1e-2:lin"], "'lin' after the range"),
        (["learning_rate=1e-3..many"], "learning_rate is 'many'; expected a number"),
        (["hidden_size=4..4.5"], "hidden_size is '4.5'; expected a whole number"),
        (["cell=gru..lstm"], "cell is no number and has no range"),
        (["cell=gru,lstn"], "did you mean lstm"),
        (["cell=gru"], "one value, nothing to choose; give it as --cell gru"),
        (["hidden_size=4,5,4"], "a value is given twice"),
        (["hidden_size=4,5", "hidden-size=6,7"], "hidden_size is given twice"),
        (["steps=10,20"], "steps is not to be swept, who trains longer wins"),
        (["threads=1,2"], "threads is not to be swept, it changes how a training is carried out"),
        (["dropout=0.5..1"], r"dropout=1 cannot be \(--dropout is 1.0; expected 0 to below 1\)"),
        (["cell=lstm,gru", "coupled=true,false"], "cell=gru, coupled=true cannot be"),
    ],
)
def test_spaces_that_cannot_be(words: list[str], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        read_space(words, TASK)


# --- choosing ---


def test_choices_depend_on_seed_and_number_alone() -> None:
    def drawn(seed: int, count: int) -> list[Any]:
        chooser = Chooser(SPACE, seed, "random")
        values = []
        for place in range(count):
            values.append(chooser.begin())
            chooser.end(float(place))
        return values

    verbosity = optuna.logging.get_verbosity()
    assert drawn(0, 5) == drawn(0, 8)[:5]
    assert drawn(0, 3) != drawn(1, 3)
    assert optuna.logging.get_verbosity() == verbosity


def test_draws_are_spread_as_the_range_says() -> None:
    chooser = Chooser((RATES, Range("hidden_size", 1, 1000, False)), 0, "random")
    values = [chooser.begin() or {} for _ in range(200)]
    decades = np.histogram(np.log10([each["learning_rate"] for each in values]), bins=3, range=(-4, -1))[0]
    assert sum(decades) == 200
    assert min(decades) > 45
    assert np.mean([each["hidden_size"] for each in values]) == pytest.approx(500, abs=70)
    assert all(isinstance(each["hidden_size"], int) for each in values)


def test_nothing_is_tried_twice() -> None:
    chooser = Chooser((Choice("cell", ("rnn", "gru")), Range("hidden_size", 1, 3, False)), 0, "random")
    values = [chooser.begin() for _ in range(6)]
    assert len({json.dumps(each) for each in values}) == 6
    assert chooser.begin() is None


def test_halving_by_hand() -> None:
    """Each trial measures one value throughout. It goes on past two and past six measurements if it is in the best
    third, or is the best, of those that came as far.
    """
    chooser = Chooser((RATES,), 0, "halving")
    lengths = []
    for value in (5.0, 4.0, 6.0, 1.0, 2.0, 3.0):
        chooser.begin()
        done = next((count for count in range(1, 11) if not chooser.measure(value)), None)
        lengths.append((done, chooser.rivals))
        chooser.end(None if done else value)
    # first: alone; 4 is the best of two; 6 is not the best of three; 1 is the best; of five the best one goes on, which
    # 2 is not; of six the best two do: 1 and 2, not 3
    assert lengths == [(None, 1), (None, 2), (2, 3), (None, 3), (2, 5), (2, 6)]
    unhurried = Chooser((RATES,), 0, "random")
    unhurried.begin()
    assert all(unhurried.measure(9.0) for _ in range(10))


# --- the search ---


def plain(found: Sweep) -> list[Any]:
    """What two equal sweeps have in common."""
    return [{**vars(trial), "minutes": None, "folder": trial.folder.name} for trial in found.trials]


@pytest.mark.parametrize("how", ["random", "halving"])
def test_a_sweep_that_was_killed_goes_on_as_if_it_had_not_been(tmp_path: Path, how: Any) -> None:
    whole = sweep(TASK, SPACE, 5, tmp_path / "whole", how)
    states = [trial.state for trial in whole.trials]
    assert ("stopped" in states) == (how == "halving")
    assert [trial.number for trial in whole.trials] != sorted(trial.number for trial in whole.trials)
    for trial in whole.trials:
        history = Run(trial.folder).read_history()
        assert trial.held_out == min(row["held_out"] for row in history)
        assert (trial.steps, trial.total) == (history[-1]["step"], 10)
        assert (trial.reason is None) == (trial.state == "complete")
    stopped = [trial for trial in whole.trials if trial.state == "stopped"]
    assert all(trial.measurements in (2, 6) for trial in stopped)
    assert all("not in the best third of the" in (trial.reason or "") for trial in stopped)

    begun: list[str] = []

    def listen(text: str) -> Listener:
        begun.append(text[:3])
        return Killer({1: 3, 3: 4}.get(len(begun), 1000))

    folder = tmp_path / "killed"
    for _ in range(2):
        with pytest.raises(Killed):
            sweep(TASK, SPACE, 5, folder, how, listen=listen)
    with (folder / "rows.jsonl").open("a") as file:
        file.write('{"key": "trial-0')  # killed while it wrote
    told: list[Trial] = []
    assert plain(sweep(TASK, SPACE, 5, folder, how, listen=listen, tell=told.append)) == plain(whole)
    assert begun == ["1/5", "1/5", "2/5", "2/5", "3/5", "4/5", "5/5"]
    assert [trial.number for trial in told] == [1, 2, 3, 4, 5]
    # More may be asked for later: those that are there stay as they are.
    more = sweep(TASK, SPACE, 6, folder, how, listen=listen)
    assert begun[7:] == ["6/6"]
    assert {trial.number: trial.values for trial in more.trials}.items() >= {
        trial.number: trial.values for trial in whole.trials
    }.items()


def test_minutes_in_all_and_spaces_that_are_exhausted(tmp_path: Path) -> None:
    found = sweep(TASK, SPACE, 5, tmp_path / "short", minutes=1e-6)
    assert [trial.number for trial in found.trials] == [1]
    again = sweep(TASK, SPACE, 5, tmp_path / "short", minutes=1e-6)
    assert plain(again) == plain(found)
    small = sweep(TASK, (Choice("hidden_size", (3, 4)),), 5, tmp_path / "small")
    assert sorted(trial.values["hidden_size"] for trial in small.trials) == [3, 4]
    assert (small.exhausted, found.exhausted) == (True, False)


def test_trials_that_die_or_cannot_be_are_kept_with_their_reason(tmp_path: Path) -> None:
    wild = dataclasses.replace(TRAINING, optimizer="sgd", clip_norm=None, warmup=0, steps=30)
    task = ProblemTask(Parity(length=8), dataclasses.replace(MODEL, nonlinearity="relu"), wild)
    space = (Choice("learning_rate", (0.01, 1e18)), Choice("hidden_size", (3, 4)))
    check = search.check_net

    def refuse(model: ModelConfig) -> None:
        check(model)
        if model.hidden_size == 4:
            raise InputError("no back end has four units")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "check_net", refuse)
        found = sweep(task, space, 4, tmp_path / "out")
    states = [trial.state for trial in found.trials]
    assert states == ["complete", "died", "refused", "refused"]
    assert "became" in (found.trials[1].reason or "")
    assert found.trials[2].reason == "no back end has four units"
    assert "Of 4 trials (1 died, 2 refused) number" in found.verdict
    assert not found.trials[2].folder.exists()
    with pytest.raises(InputError, match="holds rows of other settings"):
        sweep(task, space[:1], 4, tmp_path / "out")


def test_what_cannot_be_begun(tmp_path: Path) -> None:
    run = ProblemModel.create(TASK, tmp_path / "run").run.folder
    with pytest.raises(InputError, match="is a run; expected a folder to hold many"):
        sweep(TASK, SPACE, 2, run)
    with pytest.raises(InputError, match="--trials is 0"):
        sweep(TASK, SPACE, 0, tmp_path / "new")
    missing = TextTask(dataclasses.replace(TextTask().data, files=(tmp_path / "none.txt",)))
    with pytest.raises(InputError, match=r"none\.txt"):
        sweep(missing, SPACE, 2, tmp_path / "new")
    assert not (tmp_path / "new").exists()


# --- what is said of it ---


def trial(number: int, state: Any, held_out: float | None, rate: float = 0.01, size: int = 3) -> Trial:
    values = {"learning_rate": rate, "hidden_size": size}
    reason = None if state == "complete" else "because"
    return Trial(number, values, state, held_out, None, 2, 8, 10, 0.5, reason, Path(f"trial-{number:03d}"))


def found_by(*trials: Trial) -> Sweep:
    return Sweep(TASK, "nats", SPACE, "halving", 9, in_order(list(trials)))


def test_the_verdict_says_what_one_seed_can_tell() -> None:
    several = found_by(
        trial(1, "complete", 0.5), trial(2, "stopped", 0.1), trial(3, "complete", 0.2, 0.03), trial(4, "died", None)
    )
    assert [each.number for each in several.trials] == [3, 1, 2, 4]  # what was stopped is not best, whatever it reached
    assert several.verdict == (
        "Of 4 trials (1 stopped, 1 died) number 3 is best: 0.2 nats with learning_rate 0.03, hidden_size 3; the next, "
        "number 1, is 0.3 above it. Each was trained with one seed: whether such a gap is chance is for several seeds "
        "to say."
    )
    alone = found_by(trial(1, "complete", 0.5))
    assert alone.verdict.endswith("hidden_size 3; no other came to the end of its budget.")
    none = found_by(trial(1, "died", None))
    assert none.best is None
    assert none.verdict == "Of 1 trial (1 died) none came to the end of its budget; nothing can be said."
    assert json.loads(json.dumps(several.as_dict(), allow_nan=False))["trials"][0]["number"] == 3


def test_figures_show_every_trial_that_was_measured() -> None:
    found = found_by(
        trial(1, "complete", 0.5, 0.001, 3),
        trial(2, "stopped", 0.6, 0.02, 5),
        trial(3, "complete", 0.2, 0.03, 4),
        trial(4, "died", None),
        trial(5, "died", 0.7),
    )
    figure = Figure()
    rates, sizes = figure.subplots(1, 2)
    found.plot(rates)
    found.plot(sizes, "hidden_size")
    for ax, places in ((rates, {0.001, 0.02, 0.03}), (sizes, {0, 1, 2})):
        points = {float(x) for line in ax.get_lines() for x in np.atleast_1d(line.get_xdata())}
        assert points == places
        best = ax.get_lines()[-1]
        assert (best.get_marker(), best.get_ydata()) == ("*", [0.2])
    assert (rates.get_xscale(), rates.get_xlabel()) == ("log", "learning_rate")
    assert [tick.get_text() for tick in sizes.get_xticklabels()] == ["3", "4", "5"]
