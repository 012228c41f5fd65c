"""What a report draws: curves, what was watched, gates. Each says itself and draws itself."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from peephole.errors import InputError
from peephole.figures import draw
from peephole.nn import layers
from peephole.report import look_at, training
from peephole.report.curves import Curve, GradientNorm, Learning, RightAnswers
from peephole.report.gates import saturated_gates
from peephole.report.training import baselines_of
from peephole.report.watched import WatchedFlow, WatchedGates, WatchedSeries, watches_of
from peephole.stability.recordings.recording import record
from peephole.tasks.text.evaluation import evaluate
from peephole.tasks.text.model import TextModel


def test_a_curve_leaves_out_what_is_not_a_number_and_thins_to_means() -> None:
    rows: list[dict[str, Any]] = [{"step": step, "divergence": float(step)} for step in range(1, 1001)]
    rows += [{"step": 1001, "divergence": math.nan}, {"step": 1002, "divergence": None}, {"step": 1003}]
    curve = Curve.of(rows, "divergence", 2.0)
    assert len(curve) == 1000
    thin = curve.thinned
    assert len(thin) == 250
    assert np.allclose(thin.values, 2 * thin.steps)
    assert thin.values.mean() == pytest.approx(curve.values.mean())
    assert len(Curve.of([], "divergence").thinned) == 0


def test_learning_says_when_it_was_best_and_what_it_beats() -> None:
    training = Curve(np.arange(1.0, 6), np.array([5.0, 4, 3, 2, 1]))
    held_out = Curve(np.array([1.0, 2, 3, 4, 5]), np.array([5.0, 2.5, 3.0, 3.2, 3.5]))
    found = Learning("bits a character", training, held_out, {}, {"unigram": 4.0, "xz": 2.0})
    assert found.verdict == (
        "Best on held-out data after 2 of 5 steps: 2.5 bits a character, and 3.5 at the end; better than unigram; not "
        "better than xz."
    )
    draw(found.plot)
    empty = Learning("nats", training, Curve.of([], "held_out"), {}, {})
    assert empty.verdict == "Not measured on held-out data; in training the divergence went from 5 to 1 nats."
    draw(empty.plot)


def test_gradients_and_right_answers() -> None:
    norms = Curve(np.arange(1.0, 5), np.array([0.5, 2.0, 0.5, 0.5]))
    assert "the largest, 2, came at step 2. 25.0% of the recorded steps were clipped to 1" in (
        GradientNorm(norms, 1.0).verdict
    )
    assert "never clipped" in GradientNorm(norms, None).verdict
    right = RightAnswers(Curve(np.arange(1.0, 4), np.array([0.5, 1.0, 1.0])), {"static net": norms})
    assert right.verdict.startswith("100.00% of the answers are right at the end, a share first reached at step 2;")
    for found in (GradientNorm(norms, 1.0), GradientNorm(norms, None), right):
        draw(found.plot)


def test_what_was_watched(watch: Callable[[int], dict[str, Any]]) -> None:
    history = [{"step": step, **({"watch": watch(step)} if step % 10 == 0 else {})} for step in range(1, 101)]
    watches = watches_of(history)
    assert [step for step, _ in watches] == list(range(10, 101, 10))
    flow = WatchedFlow.of(watches, "layer 1", "h")
    assert flow is not None
    assert flow.steps[0] == 10
    assert flow.steps[-1] == 100
    assert np.allclose(flow.curves[-1], 0.9 ** np.arange(16))
    gates = WatchedGates.of(watches, "layer 0")
    assert gates is not None
    assert gates.right["f"][-1] == 0.5
    assert math.isnan(gates.right["o"][-1])
    updates = WatchedSeries.of(watches, "update_ratio", "length", "‖Δw‖")
    assert updates is not None
    assert "0.001 (recurrent.weight_0) and 0.008 (recurrent.weight_7)" in updates.verdict
    products = WatchedSeries.of(watches, "forget_product", "product", "∏ f")
    for found in (flow, gates, updates, products):
        assert found is not None
        assert found.verdict.endswith(".")
        draw(found.plot)


def test_of_a_history_without_watches_nothing_is_made() -> None:
    empty = watches_of([{"step": 1}, {"step": 2, "watch": {}}, {"step": 3, "watch": None}])
    assert empty == [(2, {})]
    for found in (
        WatchedFlow.of(empty, "layer 0", "h"),
        WatchedGates.of(empty, "layer 0"),
        WatchedSeries.of(empty, "update_ratio", "", ""),
    ):
        assert found is None


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_gates_are_counted_unit_by_unit(kind: str) -> None:
    torch.manual_seed(0)
    module = getattr(layers, kind)(3, 5)
    with torch.no_grad():
        module.weight_hh_l0.zero_()
        module.weight_ih_l0.zero_()
        bias = module.bias_ih_l0
        bias.zero_()
        bias[0] = 10.0  # of the first gate of each: always open
        bias[1] = -10.0
    found = saturated_gates(record(module, torch.randn(7, 2, 3)).passages[0])
    first = {"LSTM": "i", "GRU": "r", "RNN": "h"}[kind]
    assert found.right[first].tolist() == [1.0, 0.0, 0.0, 0.0, 0.0]
    assert found.left[first].tolist() == [0.0, 1.0, 0.0, 0.0, 0.0]
    draw(found.plot)
    assert "layer 0" in found.verdict


def test_units_without_bounds_saturate_nowhere() -> None:
    module = layers.RNN(3, 5, nonlinearity="relu")
    with pytest.raises(InputError, match="nothing saturates"):
        saturated_gates(record(module, torch.randn(7, 2, 3)).passages[0])


def test_baselines_are_those_of_eval(
    tmp_path: Path, cli: Callable[..., Any], tiny: tuple[str, ...], prose: Callable[..., str]
) -> None:
    (tmp_path / "book.txt").write_text(prose(5000) + " unseen: ζ ж 漢 ζ.")
    outcome = cli("train", tmp_path / "book.txt", "--out", tmp_path / "run", *tiny, "--steps", 3, "--no-report")
    assert outcome.code == 0, outcome.err
    subject = look_at(tmp_path / "run")
    assert isinstance(subject.model, TextModel)
    found, known = baselines_of(subject, subject.model), evaluate(subject.model)
    assert known.unknown_characters > 3
    assert found.characters == known.characters
    assert found.model is not None
    assert found.bits(found.model) == pytest.approx(known.bits_per_character, rel=1e-9)
    assert known.baselines is not None
    assert found.marks == pytest.approx(known.baselines, rel=1e-9)


def test_baselines_of_pieces_are_those_of_the_same_pieces(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "COMPARED", 300)
    monkeypatch.setattr(training, "PIECE", 100)
    subject = look_at(trained)
    assert isinstance(subject.model, TextModel)
    found = baselines_of(subject, subject.model)
    assert found.characters == 299  # the last of 300 targets ends the document
    assert found.model is not None
