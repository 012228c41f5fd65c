"""Units that were set by hand to count are found, and what is said of them is what ablating them does."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import matplotlib
import pytest
import torch
from matplotlib.figure import Figure

import peephole
from peephole.errors import InputError
from peephole.inside.intervention import clamp
from peephole.inside.trace import trace
from peephole.models.language.config import LanguageConfig
from peephole.models.language.model import LanguageModel
from peephole.tasks.text.model import TextModel
from peephole.units import Units, find_units, read_held_out, stretch, units_of
from peephole.units.ablating import Place, ablated
from peephole.units.probe import fit_probe
from peephole.units.reading import held_out_window
from peephole.units.values import SURPRISE, values_of

matplotlib.use("Agg")


@pytest.fixture(scope="module")
def found(counting: Callable[[], TextModel]) -> Units:
    return find_units(counting(), [r"vowels=[ae]+"], random=8)


def test_units_that_count_are_found(found: Units) -> None:
    names = {unit.follows: unit for unit in found.each}
    for follows, number in (("position in the line", 3), ("bracket depth", 5), ("inside quotes", 7)):
        unit = names[follows]
        assert (unit.layer, unit.unit, unit.kind) == (0, number, "c")
        assert unit.r >= 0.8  # a row may begin within brackets or quotes that it does not see open
        assert unit.chosen_r >= 0.8
        assert unit.p == 1e-4
        assert unit.sure
        assert unit.chance <= 0.5
        assert unit.ablation is not None
        assert unit.ablation.percentile == 100.0
        assert unit.ablation.loss >= 0.3
        assert len(unit.ablation.random) in (7, 8)
        assert max(unit.ablation.random) <= 0.3
    assert [abs(unit.r) for unit in found.each] == sorted((abs(unit.r) for unit in found.each), reverse=True)
    assert [left.partition(" (")[0] for left in found.values.left_out] == [
        "inside triple quotes",
        "inside a comment",
        "indentation of the line",
        "digit",
        "capital letter",
    ]


def test_the_same_is_found_again_and_the_model_stays_as_it_is(found: Units, counting: Callable[[], TextModel]) -> None:
    model = counting()
    model.model.train()
    torch.manual_seed(5)
    before, state = {name: one.clone() for name, one in model.model.state_dict().items()}, torch.get_rng_state()
    assert find_units(model, [r"vowels=[ae]+"], random=8).as_dict() == found.as_dict()
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(one, before[name]) for name, one in model.model.state_dict().items())
    assert model.model.training
    assert all(parameter.grad is None for parameter in model.model.parameters())


def test_what_a_reading_says_is_what_a_trace_says(counting: Callable[[], TextModel]) -> None:
    model = counting()
    reading, window = read_held_out(model), held_out_window(model)
    with torch.no_grad(), trace(model.model) as seen:
        logits, _ = model.model(window.inputs, None, window.resets)
    for layer, traced in zip(reading.layers, seen.layers, strict=True):
        assert list(layer.values) == ["c", "i", "f", "g", "o"]
        assert torch.equal(layer.values["c"], torch.tanh(traced.states["c"]))
        assert torch.equal(layer.values["f"], traced.gates["f"])
    assert "".join(reading.spelled[1]) == model.tokenizer.decode(window.inputs[:, 1].numpy())
    bits = (
        -logits.double().log_softmax(-1)[:-1].gather(-1, window.inputs[1:, :, None])[..., 0] / torch.tensor(2.0).log()
    )
    assert (torch.from_numpy(reading.bits[1:]) - bits).abs().max() <= 1e-5


def test_a_row_knows_what_it_begins_within(counting: Callable[[], TextModel], bracketed: str) -> None:
    reading = read_held_out(counting())
    assert reading.before[-1] + "".join(reading.spelled[-1]) in bracketed
    values = values_of(reading)
    depth = values.numbers[..., values.names.index("bracket depth")]
    for row in range(1, reading.rows):  # the first begins the text, in the middle of a line
        text = (reading.before[row] + "".join(reading.spelled[row][:10])).rpartition("\n")[2]
        assert depth[9, row] == sum(text.count(one) for one in "([") - sum(text.count(one) for one in ")]")


def test_ablation_is_an_intervention(counting: Callable[[], TextModel]) -> None:
    """The probe sees what it would see in a trace of the net with the unit clamped, in the layers above too."""
    model = counting()
    net = model.model.eval()
    reading, window = read_held_out(model), held_out_window(model)
    window = dataclasses.replace(window, inputs=window.inputs[:40], targets=window.targets[:40], resets=None)
    for kind in ("c", "f"):
        layers = [layer.values[kind] for layer in reading.layers]
        probe = fit_probe(layers, values_of(reading).numbers)
        got = ablated(model, window, net.initial_states(8), probe, Place(0, kind), [(3, 0.25), (5, 0.5)])
        for copy, (unit, value) in enumerate(((3, 0.25), (5, 0.5))):
            named = {"state": kind} if kind == "c" else {"gate": kind}
            with torch.no_grad(), clamp(net, layer=0, units=unit, value=value, **named), trace(net) as seen:
                logits, _ = net(window.inputs)
            shown = [torch.tanh(one["c"]) if kind == "c" else one[kind] for one in seen.layers]
            want = sum(probe.part(number, one) for number, one in enumerate(shown))
            assert (got.predicted[copy] - want).abs().max() <= 1e-4
            nats = -logits.double().log_softmax(-1).gather(-1, window.targets[..., None])[..., 0]
            assert (got.nats[copy] - nats).abs().max() <= 1e-4


def test_a_net_that_reads_another_text_follows_nothing(
    counting: Callable[[], TextModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of states that belong to other rows no unit is sure, whichever was chosen."""
    reading = read_held_out(counting(), rows=8)
    layers = tuple(
        dataclasses.replace(layer, values={kind: one.roll((3, 97), dims=(1, 0)) for kind, one in layer.values.items()})
        for layer in reading.layers
    )
    found = units_of(counting(), dataclasses.replace(reading, layers=layers), ablate=False)
    assert not found.sure
    assert found.verdict.startswith("No unit follows any of ")


@pytest.mark.parametrize("cell", ["gru", "rnn", "lstm"])
def test_every_cell_has_units(cell: str, counting: Callable[[], TextModel]) -> None:
    made = counting()
    torch.manual_seed(1)
    size = {"proj_size": 3} if cell == "lstm" else {}
    config = LanguageConfig(cell=cell, layers=1, hidden_size=6, embedding_size=5, init="torch", **size)
    model = TextModel(made.run, made.task, made.tokenizer, LanguageModel(len(made.tokenizer), config))
    found = find_units(model, random=3)
    assert (
        list(found.reading.layers[0].values)
        == {
            "gru": ["h", "r", "z", "n"],
            "rnn": ["h"],
            "lstm": ["c", "i", "f", "g", "o"],
        }[cell]
    )
    blank = next(unit for unit in found.each if unit.follows == "blank")
    assert blank.sure
    assert blank.ablation is not None


def test_a_net_that_blew_up_has_no_units(counting: Callable[[], TextModel]) -> None:
    made = counting()
    model = TextModel(made.run, made.task, made.tokenizer, LanguageModel(len(made.tokenizer), made.model.config))
    with torch.no_grad():
        model.model.head.weight.fill_(float("nan"))
        model.model.recurrent.weight_hh_l0.fill_(float("nan"))
    found = find_units(model)
    assert not [unit for unit in found.sure if unit.layer > 0]
    assert all(-1 <= unit.r <= 1 for unit in found.each)


def test_the_stretch_that_is_shown_has_both(found: Units) -> None:
    for unit in found.each[:6]:
        where = stretch(found, unit, 60)
        assert found.reading.rows // 2 <= where.row < found.reading.rows
        assert 0 <= where.start < where.stop <= found.reading.steps
        values = found.values.numbers[where.start : where.stop, where.row, found.values.names.index(unit.follows)]
        assert float(values.std()) > 0


def test_it_draws_and_says_itself(found: Units) -> None:
    axes = Figure().add_subplot()
    found.plot(axes)
    assert len(axes.get_yticklabels()) == len(found.each)
    assert "inside quotes by 0:7:c (r +" in found.verdict or "more" in found.verdict
    told = found.as_dict()
    assert {one["follows"] for one in told["units"]} == set(found.values.names)
    assert SURPRISE in found.values.names
    assert told["units"][0]["ablation"]["percentile"] >= 0


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("zzz", "holds at fewer than 10 of the"),
        ("(?s).", "holds at all but fewer than 10"),
        ("(", "is no regular expression"),
        ("blank=x", "names 'blank' twice"),
    ],
)
def test_patterns_that_say_nothing_are_refused(pattern: str, said: str, counting: Callable[[], TextModel]) -> None:
    with pytest.raises(InputError) as caught:
        units_of(counting(), _reading(counting), [pattern], ablate=False)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@cache
def _reading(counting: Callable[[], TextModel]) -> peephole.units.Reading:
    return read_held_out(counting())


def test_a_text_that_is_gone_or_too_short(counting: Callable[[], TextModel], tmp_path: Path) -> None:
    copy = Path(shutil.copytree(counting().run.folder, tmp_path / "copy"))
    made = counting()
    shutil.rmtree(copy / "data")
    gone = TextModel(dataclasses.replace(made.run, folder=copy), made.task, made.tokenizer, made.model)
    with pytest.raises(InputError, match="data"):
        find_units(gone)
    short = read_held_out(made, steps=5, rows=1)
    with pytest.raises(InputError, match="too few"):
        units_of(made, short)
