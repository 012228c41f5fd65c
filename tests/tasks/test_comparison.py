"""Comparing runs: records, grounds, groups, tests against textbook answers, verdicts, curves."""

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure

from peephole.data.problems.adding import Adding
from peephole.data.problems.parity import Parity
from peephole.errors import InputError
from peephole.models.config import ModelConfig
from peephole.runs.folder import Run
from peephole.runs.tensors import write_tensors
from peephole.tasks import load
from peephole.tasks.comparing.fields import kinds_of
from peephole.tasks.comparing.record import read_record
from peephole.tasks.comparing.result import Comparison, compare
from peephole.tasks.comparing.significance import difference, differences, holm
from peephole.tasks.comparing.training import train_into
from peephole.tasks.config import ProblemTask, TextTask, settings_of
from peephole.train.checkpoint import write_checkpoint
from peephole.train.config import TrainingConfig
from peephole.train.contract import Listener
from peephole.train.curriculum import SizedTraining

MODEL = ModelConfig(layers=1, hidden_size=4, embedding_size=4, dropout=0.0)
TRAINING = SizedTraining(steps=8, batch_size=4, threads=1, warmup=1, checkpoint_seconds=0.0, watch=0)
TASK = ProblemTask(Parity(length=4), MODEL, TRAINING)


def written(folder: Path, held_out: Sequence[float], task: Any = TASK, steps: int = 8, **settings: Any) -> Path:
    """A run folder as a training would have left it that measured these values, at even distances."""
    model = {name: value for name, value in settings.items() if name in kinds_of(ModelConfig)}
    training = {name: value for name, value in settings.items() if name not in model}
    changed = dataclasses.replace(
        task,
        model=dataclasses.replace(task.model, **model),
        training=dataclasses.replace(task.training, **training),
    )
    run = Run.create(folder)
    text = isinstance(task, TextTask)
    run.write_config("text" if text else task.problem.name, settings_of(changed))
    for place, value in enumerate(held_out, 1):
        step = steps * place // len(held_out)
        row = {"step": step, "seconds": 30.0 * step, "held_out": value}
        run.append_history(row if text else {**row, "right": 1 - value / 10})
    write_tensors(run.model_path, {"weight": torch.zeros(3, 5)})
    return folder


def text_run(folder: Path, seed: int = 0, held_out: float = 1.0, vocabulary: str = "v", **told: Any) -> Path:
    """A run of a text of two files that `told` may change."""
    task = TextTask(training=TrainingConfig(steps=8, watch=0))
    written(folder, [2 * held_out, held_out], task, seed=seed)
    run = Run(folder)
    run.tokenizer_path.write_text(vocabulary)
    parts = (("a", "train"), ("b", "both"))
    files = [{"path": f"{folder}/{name}", "sha256": name, "part": part} for name, part in parts]
    description = {"files": files, "cut": None, "separator": None, "characters": [10, 20], **told}
    run.data_folder.mkdir()
    (run.data_folder / "corpus.json").write_text(json.dumps({"description": description}))
    return folder


# --- significance ---

SLEEP = (0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0), (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4)


def test_student_1908() -> None:
    """Student's own example, hours of sleep gained with either drug; the numbers are those of any textbook."""
    paired, apart = (difference(*SLEEP, paired=paired) for paired in (True, False))
    assert paired.mean == apart.mean == pytest.approx(1.58)
    assert (paired.low, paired.high, paired.p) == pytest.approx((0.7001142, 2.4598858, 0.00283289), rel=1e-5)
    assert (apart.low, apart.high, apart.p) == pytest.approx((-0.2054832, 3.3654832, 0.07939414), rel=1e-5)
    assert (paired.clear, apart.clear) == (True, False)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.4]) == pytest.approx([0.8, 0.8])  # never falling, at most 1
    assert holm([0.9, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_a_correction_can_take_significance_away() -> None:
    best = (1.0, 1.1, 0.9)
    alone, *_ = differences(best, [(1.4, 1.3, 1.25)], [False])
    first, *others = differences(best, [(1.4, 1.3, 1.25), (1.5, 1.1, 0.9), (1.2, 1.0, 1.0), (1.0,)], [False] * 4)
    assert alone.clear
    assert alone.p == alone.adjusted
    assert first.adjusted == pytest.approx(3 * alone.p)  # of the three that can be tested
    assert (first.low, first.high) == (alone.low, alone.high)
    assert others[2].test == "one seed: no test"
    assert not any(found.clear for found in others)


def test_where_no_test_can_be_made() -> None:
    for best, other, paired, test in (
        ((1.0,), (2.0, 3.0), False, "one seed: no test"),
        ((1.0, 2.0), (3.0,), False, "one seed: no test"),
        ((1.0, 2.0), (1.5, 2.5), True, "no spread over seeds: no test"),
        ((1.0, 1.0), (2.0, 2.0), False, "no spread over seeds: no test"),
    ):
        found = difference(best, other, paired)
        assert (found.low, found.high, found.p, found.clear, found.test) == (None, None, None, False, test)


# --- records ---


def test_a_record_is_the_run_that_was_trained(tmp_path: Path) -> None:
    train_into(TASK, tmp_path / "run", Listener())
    record = read_record(tmp_path / "run")
    model = load(tmp_path / "run").model
    assert record.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert (record.steps, record.total, record.finished, record.training) == (8, 8, True, False)
    assert [point.step for point in record.curve] == list(range(1, 9))
    assert record.held_out == min(point.held_out for point in record.curve)
    assert (record.unit, record.seed, record.progress) == ("nats", 0, None)
    history = Run(tmp_path / "run").read_history()
    assert record.right == min(history, key=lambda row: row["held_out"])["right"]
    with Run(tmp_path / "run").lock():
        assert read_record(tmp_path / "run").progress == f"{tmp_path / 'run'} is training now, after step 8 of 8"


def test_the_weights_that_are_kept_count(tmp_path: Path) -> None:
    best = read_record(written(tmp_path / "best", [0.5, 0.2, 0.3]))
    last = read_record(written(tmp_path / "last", [0.5, 0.2, 0.3], keep="last"))
    assert (best.held_out, best.right) == pytest.approx((0.2, 0.98))
    assert (last.held_out, last.right) == pytest.approx((0.3, 0.97))
    text = read_record(text_run(tmp_path / "text"))
    assert (text.unit, text.held_out, text.right) == ("bits a character", pytest.approx(1 / math.log(2)), None)
    valued = ProblemTask(Adding(length=4), MODEL, TRAINING)
    assert read_record(written(tmp_path / "adding", [0.1], valued)).unit == "squared error"


def test_of_a_budget_in_minutes_the_checkpoint_knows_the_steps(tmp_path: Path) -> None:
    folder = written(tmp_path / "run", [0.5, 0.2], steps=6)
    run = Run(folder)
    config = run.read_config()
    config["settings"]["training"] |= {"steps": None, "minutes": 1.0, "patience": 3}
    run.write_config("parity", config["settings"])
    for step, (total, since_best, finished) in enumerate(((9, 1, False), (9, 3, True), (6, 0, True)), 1):
        progress = {"progress": {"total": total, "since_best": since_best}}
        write_checkpoint(run.checkpoint_folder, step, 0, progress, lambda: None)
        record = read_record(folder)
        assert (record.total, record.finished) == (total, finished)


def test_runs_with_nothing_to_compare(tmp_path: Path) -> None:
    nothing = written(tmp_path / "nothing", [])
    unmeasured = written(tmp_path / "unmeasured", [])
    Run(unmeasured).append_history({"step": 1, "divergence": 0.7, "seconds": 0.1})
    by_hand = written(tmp_path / "hand", [], dataclasses.replace(TASK, net="by hand"))
    for folder, complaint in (
        (nothing, "has no history, it was never trained"),
        (unmeasured, "ended after step 1, before its first measurement"),
        (by_hand, "its weights were set by hand"),
        (tmp_path / "none", "no such folder"),
        (tmp_path, "is not a run"),
    ):
        with pytest.raises(InputError, match=complaint):
            read_record(folder)
    with Run(unmeasured).lock(), pytest.raises(InputError, match="is training and was not measured yet"):
        read_record(unmeasured)
    one, two = written(tmp_path / "one", [0.5]), written(tmp_path / "two", [0.4], seed=1)
    found = compare([one, two], [nothing, one])
    assert found.warnings == (
        f"left out: {nothing}: has no history, it was never trained; train it with: peephole train --resume {nothing}",
    )
    with pytest.raises(InputError, match=r"1 of the runs can be compared; left out: .*nothing: has no history"):
        compare([one], [nothing])
    with pytest.raises(InputError, match="got 1 run; expected two or more"):
        compare([one])
    with pytest.raises(InputError, match="one: given twice"):
        compare([one, two, tmp_path / "two" / ".." / "one"])


# --- grounds ---


def test_runs_whose_numbers_mean_different_things(tmp_path: Path) -> None:
    parity, text = written(tmp_path / "parity", [0.5]), text_run(tmp_path / "text")
    longer = written(tmp_path / "longer", [0.5], ProblemTask(Parity(length=5), MODEL, TRAINING))
    with pytest.raises(InputError, match="parity and longer cannot be compared: another problem, length is 4"):
        compare([parity, longer])
    with pytest.raises(InputError, match="one is a run of parity, the other of text"):
        compare([parity, text])
    with pytest.raises(InputError, match="one is a run of text, the other of parity"):
        compare([text, parity])
    files = [{"path": "x", "sha256": name, "part": "train"} for name in "ab"]
    for name, told, reason in (
        ("words", {"vocabulary": "w"}, "another vocabulary, so that bits a character mean something else"),
        ("other", {"files": files[:1]}, "another text"),
        ("parts", {"files": files}, "another held-out part of the same text"),
        ("cut", {"cut": 12}, "another held-out part of the same text"),
    ):
        with pytest.raises(InputError, match=f"text and {name} cannot be compared: {reason}"):
            compare([text, text_run(tmp_path / name, 1, **told)])
    assert compare([text, text_run(tmp_path / "moved", 1)]).warnings == ()  # the same files elsewhere


def test_a_text_that_is_gone(tmp_path: Path) -> None:
    here, gone = text_run(tmp_path / "here"), text_run(tmp_path / "gone", 1)
    (gone / "data" / "corpus.json").unlink()
    assert compare([here, gone]).warnings == (
        "the text of gone is gone (no data/): taken for the same by settings and vocabulary",
    )
    config = Run(gone).read_config()
    for name, value, reason in (
        ("held_out", 0.2, "another held-out part of the text"),
        ("files", ["/other.txt"], "other files, and the text of one is gone"),
    ):
        settings = json.loads(json.dumps(config["settings"]))
        settings["data"][name] = value
        Run(gone).write_config("text", settings)
        with pytest.raises(InputError, match=f"here and gone cannot be compared: {reason}"):
            compare([here, gone])
    (gone / "tokenizer.json").unlink()
    with pytest.raises(InputError, match=r"gone: has no tokenizer.json"):
        compare([here, gone])


def test_what_has_to_be_said(tmp_path: Path) -> None:
    done, stopped = written(tmp_path / "done", [0.5]), written(tmp_path / "stopped", [0.5], steps=4, seed=1)
    longer = written(tmp_path / "longer", [0.4], steps=20, seed=2)
    found = compare([done, stopped, longer])
    assert found.warnings == ("stopped was stopped, after step 4 of 8",)
    config = Run(longer).read_config()
    config["settings"]["training"]["steps"] = 20
    Run(longer).write_config("parity", config["settings"])
    text = (longer / "config.json").read_text()
    (longer / "config.json").write_text(text.replace(config["peephole"], "0.0.0"))
    found = compare([done, longer])
    assert found.warnings[0] == "budgets differ (8 steps, 20 steps): who trained longer may owe its lead to that"
    assert found.warnings[1].startswith("trained by different versions of peephole (")
    assert [group.name for group in found.groups] == ["steps=20", "steps=8"]
    config["settings"]["training"] |= {"steps": None, "minutes": 2.0}
    Run(longer).write_config("parity", config["settings"])
    assert [group.name for group in compare([done, longer]).groups] == ["minutes=2", "steps=8"]
    config["settings"]["training"]["minutes"] = None
    Run(longer).write_config("parity", config["settings"])
    assert compare([done, longer]).warnings[0].startswith("budgets differ (8 steps, 5 minutes)")


# --- groups, verdicts, curves ---


def cells(tmp_path: Path, **values: Sequence[float]) -> Comparison:
    """A comparison of cells that came to these values, one a seed."""
    folders = [
        written(tmp_path / f"{cell}-{seed}", [0.9, value], cell=cell, seed=seed)
        for cell, those in values.items()
        for seed, value in enumerate(those)
    ]
    return compare(folders)


def test_groups_are_named_by_what_tells_them_apart(tmp_path: Path) -> None:
    plain = written(tmp_path / "plain", [0.5], cell="lstm")
    again = written(tmp_path / "again", [0.1], cell="lstm", threads=3, checkpoint_seconds=7.0)
    peephole = written(tmp_path / "peephole", [0.3], cell="lstm", peephole="diagonal", coupled=True)
    gru = written(tmp_path / "gru", [0.4], cell="gru")
    seeds = [written(tmp_path / f"gru-{seed}", [0.2], cell="gru", seed=seed) for seed in (4, 2)]
    found = compare([plain, again, peephole, gru, *seeds])
    assert [group.name for group in found.groups] == ["gru", "lstm peephole=diagonal coupled=true", "lstm"]
    assert found.groups[0].seeds == (0, 2, 4)
    assert found.warnings == ("again repeats plain (same settings, same seed): left out",)
    one_cell = compare([plain, peephole])
    told = ["peephole=diagonal coupled=true", "peephole=none coupled=false"]
    assert [group.name for group in one_cell.groups] == told
    sizes = compare([plain, written(tmp_path / "wide", [0.1], cell="lstm", hidden_size=8)])
    assert [group.name for group in sizes.groups] == ["hidden_size=8", "hidden_size=4"]
    static = written(tmp_path / "static", [0.6], dataclasses.replace(TASK, net="static"), cell="lstm")
    assert [group.name for group in compare([plain, static]).groups] == ["recurrent net", "static net"]


def test_pairs_where_the_seeds_are_the_same(tmp_path: Path) -> None:
    found = cells(tmp_path, lstm=(0.30, 0.50, 0.40), gru=(0.35, 0.56, 0.46), rnn=(0.9, 0.8))
    lstm, gru, rnn = found.groups
    assert (lstm.name, gru.name, rnn.name) == ("lstm", "gru", "rnn")
    assert lstm.mean == pytest.approx(0.4)
    assert lstm.spread == pytest.approx(0.1)
    assert [each.test for each in found.differences] == ["t over the same seeds", "Welch's t"]
    by_hand = difference(lstm.values, gru.values, True)
    assert found.differences[0].low == by_hand.low
    assert found.differences[0].clear  # seeds differ by more than the cells do, and pairs see past that


def test_nothing_is_called_better_whose_interval_has_zero_in_it(tmp_path: Path) -> None:
    clear = cells(tmp_path / "clear", lstm=(0.30, 0.31, 0.32), gru=(0.50, 0.51, 0.53)).verdict
    assert clear.startswith("Best is lstm: 0.31 nats, mean of 3 seeds; gru is 0.203 above it, worse (95 % interval ")
    assert clear.endswith("(3 seeds are few: intervals are wide)")
    chance = cells(tmp_path / "chance", lstm=(0.3, 0.5), gru=(0.6, 0.4)).verdict
    assert chance.startswith("Lowest is lstm: 0.4 nats, mean of 2 seeds; gru is 0.1 above it, which may be chance (")
    assert "worse" not in chance
    assert "better" not in chance
    single = cells(tmp_path / "single", lstm=(0.3,), gru=(0.6,)).verdict
    assert single == "Lowest is lstm: 0.3 nats; gru is 0.3 above it (one seed: no test can tell)."
    seeds = cells(tmp_path / "seeds", rnn=(0.3, 0.5)).verdict
    assert seeds == (
        "rnn: 0.4 nats, mean of 2 seeds, standard deviation 0.141; the runs differ in nothing but the seed."
    )


def test_curves_are_means_with_a_band(tmp_path: Path) -> None:
    first = written(tmp_path / "a", [0.8, 0.6, 0.4, 0.2], cell="gru")
    second = written(tmp_path / "b", [1.0, 0.4], cell="gru", seed=1)  # measured half as often
    alone = written(tmp_path / "c", [0.5, 0.05], cell="lstm")
    found = compare([first, second, alone])
    ax = Figure().subplots()
    found.plot(ax)
    lines = {str(line.get_label()): line for line in ax.get_lines()}
    assert list(lines) == ["lstm", "gru, 2 seeds"]
    assert lines["gru, 2 seeds"].get_xydata().ravel().tolist() == pytest.approx([4, 0.8, 6, 0.55, 8, 0.3])
    (band,) = ax.collections
    extent = band.get_paths()[0].get_extents()
    assert (extent.xmin, extent.xmax, extent.ymin, extent.ymax) == pytest.approx((4, 8, 0.2, 1.0))
    assert ax.get_yscale() == "log"  # from 1 to 0.05
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("steps", "held-out divergence, nats")
    assert len({(line.get_linestyle(), line.get_marker()) for line in ax.get_lines()}) == 2
    over = Figure().subplots()
    found.plot(over, "minutes")
    assert over.get_lines()[1].get_xdata().tolist() == pytest.approx([2, 3, 4])


def test_everything_is_json(tmp_path: Path) -> None:
    found = cells(tmp_path, lstm=(0.3, 0.5), gru=(0.6,))
    tree = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    lstm, gru = tree["groups"]
    assert tree["verdict"] == found.verdict
    assert (lstm["name"], lstm["seeds"], lstm["range"], lstm["parameters"]) == ("lstm", [0, 1], [0.3, 0.5], 15)
    assert gru["above_best"]["test"] == "one seed: no test"
    assert lstm["runs"][0]["curve"] == [[4, 2.0, 0.9], [8, 4.0, 0.3]]
