"""Static nets beside recurrent ones: patterns, measurements whose answer is known, rows that are kept, the verdict."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure

from peephole.data.problems.addition import Addition
from peephole.data.problems.parity import Parity
from peephole.errors import InputError
from peephole.models.by_hand import addition_by_hand, parity_by_hand
from peephole.models.static import StaticModel
from peephole.tasks import static
from peephole.tasks.static import StaticSettings, compare_static, sample_sizes
from peephole.tasks.static_nets import (
    all_patterns,
    learn,
    parameters,
    recurrent_like,
    recurrent_on_longer,
    right_patterns,
    static_on_longer,
)
from peephole.tasks.static_result import Outcome, StaticComparison, StaticRow

SMALL = StaticSettings(hidden_size=8, cell="rnn", steps=4)


def test_all_strings_and_all_pairs_of_numbers() -> None:
    strings = all_patterns(Parity(), 5)
    rows = ["".join(map(str, row)) for row in strings.inputs.T.tolist()]
    assert sorted(rows) == [f"{number:05b}" for number in range(32)]
    for row, parities in zip(rows, strings.targets.T.tolist(), strict=True):
        assert parities == [row[: place + 1].count("1") % 2 for place in range(5)]
    assert all_patterns(Parity(answers="last"), 5).weights.tolist() == [[0.0] * 32] * 4 + [[1.0] * 32]
    pairs = all_patterns(Addition(), 3)
    sums = set()
    for symbols, digits in zip(pairs.inputs.T.tolist(), pairs.targets.T.tolist(), strict=True):
        first, second = (sum(bit << place for place, bit in enumerate(bits)) for bits in
                         ([symbol // 2 for symbol in symbols], [symbol % 2 for symbol in symbols]))  # fmt: skip
        assert sum(digit << place for place, digit in enumerate(digits)) == first + second
        sums.add((first, second))
    assert len(sums) == pairs.inputs.shape[1] == 64
    assert pairs.answers == 64 * 4


def test_samples_grow_to_all_patterns() -> None:
    assert sample_sizes("parity", 2) == (2, 3, 4)
    assert sample_sizes("parity", 5) == (2, 4, 8, 16, 24, 28, 30, 32)
    assert sample_sizes("addition", 2) == (2, 4, 8, 12, 14, 15, 16)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_the_recurrent_net_is_as_large_as_the_static_one_allows(cell: str) -> None:
    for problem, steps in ((Parity(), 6), (Addition(), 4)):
        limit = StaticModel(problem.symbols, 2, steps, hidden_size=20)
        found = recurrent_like(limit, problem, cell)
        more = parameters(found) + 8 * 4 * (found.config.hidden_size + 4)  # at most what one unit adds
        assert parameters(found) <= parameters(limit) < more
        assert found.config.cell == cell


def test_learning_ends_when_nothing_is_wrong_or_with_its_steps() -> None:
    examples = all_patterns(Parity(), 2)
    torch.manual_seed(0)
    net = StaticModel(2, 2, 2, hidden_size=16)
    assert learn(net, examples, 3, 1e-2) == (3, examples.answers - int(examples.right(net(examples.inputs)[0]).sum()))
    steps, wrong = learn(net, examples, 2000, 3e-2)
    assert 3 < steps < 2000
    assert wrong == 0
    assert float(examples.divergence(net(examples.inputs)[0]).detach()) / examples.answers <= 0.001
    assert learn(net, examples, 2000, 3e-2) == (0, 0)


def test_a_bit_that_is_not_read_leaves_parity_at_chance() -> None:
    """Exactly a half, whatever the net; of sums a quarter, those where the last bits are 0, if it knows the others."""
    torch.manual_seed(0)
    for bits in (1, 3):
        assert static_on_longer(StaticModel(2, 2, bits, hidden_size=5), Parity(), bits)["unread"] == 0.5
    net = StaticModel(4, 2, 2, hidden_size=16)
    assert learn(net, all_patterns(Addition(), 1), 2000, 3e-2)[1] == 0
    assert static_on_longer(net, Addition(), 1)["unread"] == 0.25


def test_an_untrained_input_is_that_of_a_new_net() -> None:
    """A net that says 0 to all bits 0, whose new weights are set so that a 1 in the last place turns the answer."""
    net = StaticModel(2, 2, 2, hidden_size=1)
    wide = net.widened(3)
    with torch.no_grad():
        for model in (net, wide):
            for parameter in model.parameters():
                parameter.zero_()
            model.head.bias[2] = 0.5  # class 0 after the second bit
        wide.hidden[0].weight[0, 5] = 1.0
        wide.head.weight[3, 0] = 1.0
    net.widened = lambda steps: wide  # pyright: ignore[reportAttributeAccessIssue]
    patterns = all_patterns(Parity(), 3).inputs
    want = ((patterns[2] == 1) == (patterns.sum(0) % 2 == 1)).double().mean()
    assert static_on_longer(net, Parity(), 2)["widened"] == float(want)
    assert 0 < want < 1


def test_nets_set_by_hand_are_right_on_longer_ones() -> None:
    for problem, net in ((Parity(), parity_by_hand("gru")), (Addition(), addition_by_hand(2))):
        assert recurrent_on_longer(net, problem, 3, seed=0, rows=50) == {"N + 1": 1.0, "2 N": 1.0, "10 N": 1.0}
        patterns = all_patterns(problem, 4)
        assert right_patterns(problem, patterns, net(patterns.inputs)[0]).all()
        spoilt = net(patterns.inputs)[0].detach().clone()
        spoilt[-1, 3] = spoilt[-1, 3].flip(0)
        assert int(right_patterns(problem, patterns, spoilt).sum()) == patterns.inputs.shape[1] - 1


def test_finished_rows_are_not_computed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped in the middle of a line, it goes on to the same result."""
    whole = compare_static(SMALL, (2, 3), 1, tmp_path / "whole")
    lines = (tmp_path / "whole" / "rows.jsonl").read_bytes().splitlines(keepends=True)
    assert len(lines) == len(whole.rows) == 8
    compare_static(SMALL, (2,), 1, tmp_path / "cut")
    with (tmp_path / "cut" / "rows.jsonl").open("ab") as file:
        file.write(lines[3] + lines[4][:40])
    computed = []

    def measure(settings: StaticSettings, bits: int, samples: int, seed: int) -> StaticRow:
        computed.append((bits, samples, seed))
        return measured(settings, bits, samples, seed)

    measured = static._measure
    monkeypatch.setattr(static, "_measure", measure)
    assert compare_static(SMALL, (2, 3), 1, tmp_path / "cut") == whole
    assert computed == [(3, samples, 0) for samples in (4, 6, 7, 8)]
    assert (tmp_path / "cut" / "rows.jsonl").read_bytes() == b"".join(lines)
    with pytest.raises(InputError, match=r"holds rows of other settings \(cell was \"rnn\", now \"gru\"\)"):
        compare_static(StaticSettings(hidden_size=8, cell="gru", steps=4), (2,), 1, tmp_path / "cut")


def test_the_random_numbers_of_others_are_left_alone() -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    compare_static(SMALL, (1,), 1)
    assert torch.equal(torch.get_rng_state(), before)


# --- what rows say together ---


def outcome(right: float, longer: dict[str, float], wrong: int = 0) -> Outcome:
    return Outcome(100, 10, wrong, right, None, longer)


def rows_of(bits: int, seed: int, static: dict[int, float], recurrent: dict[int, float]) -> list[StaticRow]:
    asked = {"unread": 0.5, "widened": 0.6}, {"N + 1": 1.0, "2 N": 0.9, "10 N": 0.8}
    return [
        StaticRow(bits, samples, seed, outcome(static[samples], asked[0]), outcome(recurrent[samples], asked[1]))
        for samples in static
    ]


@pytest.fixture
def known() -> StaticComparison:
    """Of 4, 8 and 16 strings the static nets need all, the recurrent ones 2, and 4 for one seed of 4 bits."""
    rows: list[StaticRow] = []
    for seed in (0, 1, 2):
        for bits in (2, 3, 4):
            sizes = sample_sizes("parity", bits)
            static = {samples: 1.0 if samples == 2**bits else 0.5 for samples in sizes}
            recurrent = {samples: 0.98 if (bits, seed, samples) == (4, 1, 2) else 1.0 for samples in sizes}
            rows += rows_of(bits, seed, static, recurrent)
    return StaticComparison("parity", "lstm", 64, tuple(rows))


def test_samples_needed_and_how_they_grow(known: StaticComparison) -> None:
    assert [known.needed("static", bits) for bits in known.bits] == [(4,) * 3, (8,) * 3, (16,) * 3]
    assert known.needed("recurrent", 4) == (2, 4, 2)
    assert math.isclose(known.growth("static"), 2, rel_tol=1e-9)
    assert math.isclose(known.growth("recurrent"), 1, rel_tol=1e-9)
    assert known.longer("static", 4) == {"unread": (0.5, 0.5, 0.5), "widened": (0.6, pytest.approx(0.6), 0.6)}
    assert known.verdict == (
        "To get 99 % of all patterns of 2 to 4 bits of parity right, a static net of 64 units has to see 4, 8, 16 of "
        "4, 8, 16, 2.00 times as many a bit, and a recurrent one (lstm) of as many parameters 2, 2, 2, 1.00 times as "
        "many a bit; having seen all of 4 bits, the static net is right on 50.0% of those with one bit more if that "
        "bit is not read and on 60.0% through an untrained input, the recurrent one on 100.0%, and with ten times as "
        "many bits on 80.0%."
    )


def test_what_is_right_by_luck_with_few_samples_does_not_count() -> None:
    shares = {2: 1.0, 3: 0.5, 4: 1.0}
    found = StaticComparison("parity", "gru", 64, tuple(rows_of(2, 0, shares, {2: 0.5, 3: 0.5, 4: 0.9})))
    assert found.needed("static", 2) == (4,)
    assert found.needed("recurrent", 2) == (None,)
    assert math.isnan(found.growth("static"))
    assert "a recurrent one (gru) of as many parameters more than all;" in found.verdict


def test_nets_that_ran_out_of_steps_are_counted() -> None:
    found = compare_static(SMALL, (2,), 1)
    counts = {net: sum(row.of(net).wrong > 0 for row in found.rows) for net in ("static", "recurrent")}
    assert found.unlearnt == counts
    assert counts["static"] > 0
    assert f"{counts['static']} static nets did not learn their samples" in found.verdict


def test_it_draws_itself_and_is_plain_for_a_file(known: StaticComparison) -> None:
    figure = Figure()
    known.plot(figure)
    needed, unseen, longer = figure.axes
    lines = {str(line.get_label()): list(line.get_ydata()) for line in needed.lines}
    assert lines["all patterns"] == lines["static, 64 units"] == [4, 8, 16]
    assert lines["recurrent, lstm"] == [2, 2, 2]
    assert unseen.get_title() == "patterns of 4 bits not seen"
    assert len(longer.get_legend().get_texts()) == 4
    tree = json.loads(json.dumps(known.as_dict()))
    assert tree["verdict"] == known.verdict
    assert tuple(StaticRow.read(row) for row in tree["rows"]) == known.rows


@pytest.mark.usefixtures("unchecked_annotations")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"problem": "sorting"}, "unknown problem 'sorting'; expected parity or addition"),
        ({"problem": "addition", "answers": "last"}, "--answers is 'last'; expected each, or of parity last"),
        ({"cell": "mgu"}, "--cell is 'mgu'; expected lstm, gru or rnn"),
        ({"hidden_size": 0}, "--hidden-size is 0; expected at least 1"),
        ({"steps": 0}, "--steps is 0; expected at least 1"),
        ({"learning_rate": math.inf}, "--learning-rate is inf; expected more than 0, and finite"),
    ],
    ids=str,
)
def test_settings_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        StaticSettings(**options)
    assert str(caught.value) == message


@pytest.mark.parametrize(("problem", "bits", "most"), [("parity", 13, 12), ("parity", 0, 12), ("addition", 7, 6)])
def test_sizes_that_cannot_be(problem: Any, bits: int, most: int) -> None:
    with pytest.raises(InputError) as caught:
        compare_static(StaticSettings(problem), (3, bits))
    assert str(caught.value) == f"--bits has {bits}; expected 1 to {most}: {problem} then has at most 4,096 patterns"
    with pytest.raises(InputError, match="--seeds is 0; expected at least 1"):
        compare_static(StaticSettings(problem), (3,), 0)
