"""Rules about data and pipeline: faults that are put into batches and texts, beside the same without them."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from peephole.data.problems.adding import Adding
from peephole.data.problems.addition import Addition
from peephole.data.problems.copying import Copying
from peephole.data.problems.parity import Parity
from peephole.data.problems.problem import Problem
from peephole.data.problems.recall import Recall
from peephole.doctor.case import Batch, Case
from peephole.doctor.examination import Examination
from peephole.doctor.finding import MEDIUM, Finding
from peephole.doctor.rules import data, pipeline, predicting
from peephole.models.config import ModelConfig
from peephole.models.inputs import Numbers
from peephole.models.sequence import SequenceModel

Rule = Callable[[Examination], Finding | None]

RULES = (
    data.inputs_not_normalised,
    predicting.nothing_to_predict,
    data.data_in_both_splits,
    pipeline.state_carried_across_unrelated_sequences,
    pipeline.padding_in_the_divergence,
    pipeline.targets_shifted,
    pipeline.batch_rows_that_leak,
)
CARRIED = pipeline.state_carried_across_unrelated_sequences
PROBLEMS = (
    Parity(length=20),
    Addition(length=10),
    Adding(length=30),
    Recall(lag=20, patterns=4, form="symbols"),
    Copying(delay=10, items=3, alphabet=6),
    Copying(delay=10, items=3, alphabet=6, answers="all"),
)


def found(case: Case, *rules: Rule) -> dict[str, Finding]:
    """What these rules find, or all of them, by name."""
    examination = Examination(case)
    each = [rule(examination) for rule in rules or RULES]
    return {finding.name: finding for finding in each if finding is not None}


def sure(case: Case, *rules: Rule) -> set[str]:
    """The names of what is found with medium confidence or more."""
    return {name for name, finding in found(case, *rules).items() if finding.confidence >= MEDIUM}


def drawn(problem: Problem, batches: int = 6, rows: int = 32, seed: int = 1) -> tuple[Batch, ...]:
    random = np.random.default_rng(seed)
    return tuple(Batch.of(problem.draw(random, rows, problem.size)) for _ in range(batches))


def net(problem: Problem, seed: int = 0) -> SequenceModel:
    torch.manual_seed(seed)
    config = ModelConfig(hidden_size=8, layers=1, embedding_size=4, dropout=0.0)
    return SequenceModel(problem.symbols or Numbers(problem.features), config, problem.outputs, problem.valued)


@lru_cache
def words(symbols: int = 60_000, seed: int = 3) -> np.ndarray:
    """A text of words out of a list, with spaces and rulers, as symbols."""
    random = np.random.default_rng(seed)
    letters = random.integers(1, 25, (400, 12))
    texts = [[*letters[word][: 3 + word % 9], 0] for word in random.zipf(1.3, symbols // 4) % 400]
    lines = [[*line, *[25] * int(random.integers(0, 9))] for line in texts]
    return np.concatenate(lines).astype(np.int64)[:symbols]


def lanes(tokens: np.ndarray, rows: int = 16, steps: int = 32, batches: int = 8) -> tuple[Batch, ...]:
    """Consecutive windows of lanes side by side."""
    lane = (len(tokens) - 1) // rows
    parts = []
    for number in range(batches):
        places = torch.arange(rows) * lane + (torch.arange(steps) + number * steps)[:, None]
        stream = torch.from_numpy(tokens)
        parts.append(Batch(stream[places], stream[places + 1], carry=number > 0))
    return tuple(parts)


def history(steps: int = 200) -> tuple[dict[str, float], ...]:
    """A training in which gradients flowed."""
    return tuple({"step": step, "divergence": 1.0, "gradient_norm": 0.3} for step in range(1, steps + 1))


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_healthy_problems_have_no_cause(problem: Problem) -> None:
    case = Case(net(problem), drawn(problem), drawn(problem, 1, 200, 2), history(), start=net(problem, 5))
    assert not sure(case)


def test_a_healthy_text_has_no_cause() -> None:
    tokens = words()
    streams = (tokens[:50_000], tokens[50_000:])
    assert not sure(Case(training=lanes(streams[0]), held_out=lanes(streams[1]), history=history(), streams=streams))


def test_nothing_known_is_nothing_found() -> None:
    assert not found(Case())
    assert not found(Case(history=history(), settings={"learning_rate": 1e-3}))


@pytest.mark.parametrize(
    "change",
    [lambda x: 30 * x, lambda x: 3000 * x, lambda x: x + 30, lambda x: x / 1000],
    ids=["times 30", "times 3000", "plus 30", "by 1000"],
)
def test_features_out_of_scale(change: "object") -> None:
    assert callable(change)
    batches = tuple(replace(batch, inputs=change(batch.inputs)) for batch in drawn(Adding(length=30)))
    finding = found(Case(net(Adding()), batches), data.inputs_not_normalised)["inputs not normalised"]
    assert finding.confidence >= MEDIUM
    assert finding.cure.repair == "normalised inputs"
    numbers = torch.cat([batch.inputs.flatten(0, 1) for batch in batches]).double()
    place = int(finding.numbers["feature"])
    assert finding.numbers[f"deviation_{place}"] == pytest.approx(float(numbers.std(0)[place]), rel=1e-3)


def test_one_feature_of_three_is_named() -> None:
    torch.manual_seed(0)
    batch = Batch(torch.randn(20, 16, 3) * torch.tensor([1.0, 500.0, 1.0]), torch.randn(20, 16, 1))
    finding = found(Case(training=(batch,)), data.inputs_not_normalised)["inputs not normalised"]
    assert finding.numbers["feature"] == 1
    assert finding.numbers["far"] == 1
    assert finding.evidence is not None


class Standardising(nn.Module):
    """Brings its input to scale itself."""

    def __init__(self) -> None:
        super().__init__()
        self.net = net(Adding())

    def forward(
        self, inputs: Tensor, states: "tuple[Tensor, ...] | None" = None
    ) -> "tuple[Tensor, tuple[Tensor, ...]]":
        return self.net(inputs / 3000, states)


def test_a_net_that_normalises_is_healthy() -> None:
    batches = tuple(replace(batch, inputs=3000 * batch.inputs) for batch in drawn(Adding(length=30)))
    assert "inputs not normalised" in sure(Case(net(Adding()), batches), data.inputs_not_normalised)
    assert "inputs not normalised" not in found(Case(Standardising(), batches), data.inputs_not_normalised)


@pytest.mark.parametrize("share", [0.9, 1.0])
def test_a_shuffled_text_has_nothing_to_predict(share: float) -> None:
    tokens, random = words().copy(), np.random.default_rng(0)
    for start in range(0, len(tokens), 500):
        if random.random() < share:
            random.shuffle(tokens[start : start + 500])
    finding = found(Case(streams=(tokens[:50_000], tokens[50_000:])), predicting.nothing_to_predict)[
        "nothing to predict"
    ]
    assert finding.confidence >= 0.7
    assert finding.numbers["best"] >= 0.9 * finding.numbers["unigram"]


@pytest.mark.parametrize("problem", [PROBLEMS[0], PROBLEMS[2], PROBLEMS[3]], ids=lambda problem: problem.name)
def test_shuffled_targets_have_nothing_to_predict(problem: Problem) -> None:
    batches = tuple(replace(batch, targets=batch.targets.roll(1, 1)) for batch in drawn(problem))
    model = net(problem)
    nn.init.zeros_(model.head.weight)
    values = torch.cat([batch.targets[batch.counts > 0] for batch in batches])
    nn.init.constant_(model.head.bias, float(values.mean()) if problem.valued else 0.0)
    case = Case(model, batches, history=history(), start=net(problem, 5), trivial=problem.blind)
    finding = found(case, predicting.nothing_to_predict)["nothing to predict"]
    assert MEDIUM <= finding.confidence <= 0.7
    untrained = replace(case, history=())
    assert "nothing to predict" not in found(
        untrained, predicting.nothing_to_predict
    )  # nobody knows whether the net was trained at all
    healthy = replace(case, training=drawn(problem))
    assert "nothing to predict" not in found(
        healthy, predicting.nothing_to_predict
    )  # a net that learns nothing of what there is


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_held_out_text_that_training_has(share: float) -> None:
    random = np.random.default_rng(4)
    training, held_out = random.integers(0, 40, 50_000), random.integers(0, 40, 10_000)
    copied = int(share * len(held_out))
    held_out[:copied] = training[7_000 : 7_000 + copied]
    finding = found(Case(streams=(training, held_out)), data.data_in_both_splits)["data in both splits"]
    assert finding.numbers["share"] == pytest.approx(share, abs=0.02)
    assert finding.confidence >= 0.8


def test_text_that_repeats_anyhow_is_no_leak() -> None:
    ruler = np.tile(np.arange(5), 2_000)
    random = np.random.default_rng(4).integers(0, 40, 50_000)
    training = np.concatenate([random, ruler])
    assert "data in both splits" not in sure(
        Case(streams=(training, np.concatenate([random[::-1], ruler]))), data.data_in_both_splits
    )


def test_held_out_sequences_that_training_has() -> None:
    training, held_out = drawn(Recall(lag=20, form="symbols")), drawn(Recall(lag=20, form="symbols"), 1, 64, 2)
    both = torch.cat([training[0].inputs, held_out[0].inputs[:, 32:]], 1)
    targets = torch.cat([training[0].targets, held_out[0].targets[:, 32:]], 1)
    mixed = (replace(held_out[0], inputs=both, targets=targets),)
    assert "data in both splits" not in found(Case(training=training, held_out=held_out), data.data_in_both_splits)
    assert (
        found(Case(training=training, held_out=mixed), data.data_in_both_splits)["data in both splits"].numbers["share"]
        == 0.5
    )
    short = Parity(length=3)  # there are eight of them
    assert "data in both splits" not in found(
        Case(training=drawn(short), held_out=drawn(short, 1, 64, 2)), data.data_in_both_splits
    )


@pytest.mark.parametrize("problem", [PROBLEMS[2], PROBLEMS[3], PROBLEMS[4]], ids=lambda problem: problem.name)
def test_states_carried_from_other_examples(problem: Problem) -> None:
    batches = tuple(replace(batch, carry=number > 0) for number, batch in enumerate(drawn(problem)))
    name = "state carried across unrelated sequences"
    finding = found(Case(net(problem), batches), CARRIED)[name]
    assert finding.confidence >= MEDIUM
    assert finding.cure.changes == {"carry": False}
    assert name not in found(Case(net(problem), batches, settings={"carry": False}), CARRIED)


def test_states_carried_to_other_places_of_a_text() -> None:
    tokens, random = words(), np.random.default_rng(0)
    batches = tuple(
        replace(lanes(np.roll(tokens, int(random.integers(len(tokens)))), batches=1)[0], carry=number > 0)
        for number in range(8)
    )
    finding = found(Case(training=batches), CARRIED)["state carried across unrelated sequences"]
    assert finding.confidence >= 0.9
    assert finding.numbers["continues"] < 0.5


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_examples_cut_into_windows_carry_with_reason(problem: Problem) -> None:
    pieces = []
    for batch in drawn(problem, 3):
        parts = zip(batch.inputs.split(5), batch.targets.split(5), batch.counts.split(5), strict=True)
        pieces += [Batch(*part, carry=number > 0) for number, part in enumerate(parts)]
    assert "state carried across unrelated sequences" not in sure(Case(net(problem), tuple(pieces)), CARRIED)


def padded(batch: Batch, symbol: int, target: int) -> Batch:
    """Rows filled up to a common length, by 2 to 20 steps."""
    random = np.random.default_rng(0)
    inputs, targets = batch.inputs.clone(), batch.targets.clone()
    for row in range(batch.rows):
        start = batch.steps - int(random.integers(2, min(20, batch.steps)))
        inputs[start:, row], targets[start:, row] = symbol, target
    return replace(batch, inputs=inputs, targets=targets, weights=None)


@pytest.mark.parametrize(
    ("problem", "pair"), [(Parity(length=40), (0, 0)), (Addition(length=30), (4, 2)), (Adding(length=40), (0, 0))]
)
def test_padding_that_counts(problem: Problem, pair: tuple[int, int]) -> None:
    batches = tuple(padded(batch, *pair) for batch in drawn(problem))
    if problem.valued:  # an answer at every step
        whole = [replace(batch, targets=batch.inputs.cumsum(0)[..., :1]) for batch in drawn(problem)]
        batches = tuple(padded(batch, *pair) for batch in whole)
    finding = found(Case(training=batches), pipeline.padding_in_the_divergence)["padding in the divergence"]
    assert finding.confidence >= 0.7
    assert 0.1 < finding.numbers["share"] < 0.6
    left_out = tuple(
        replace(batch, weights=1.0 - (batch.targets.flip(0).flatten(2).amax(-1).cumsum(0).flip(0) == 0).float())
        if problem.valued
        else replace(batch, weights=torch.cat([torch.ones(1, batch.rows), torch.zeros(batch.steps - 1, batch.rows)]))
        for batch in batches
    )
    assert "padding in the divergence" not in found(Case(training=left_out), pipeline.padding_in_the_divergence)


@pytest.mark.parametrize("share", [0.4, 1.0])
@pytest.mark.parametrize("lag", [0, 1])
def test_targets_that_are_the_input(share: float, lag: int) -> None:
    batches = []
    for batch in lanes(words()):
        targets, copied = batch.targets.clone(), int(share * batch.rows)
        targets[lag:, :copied] = batch.inputs[: batch.steps - lag, :copied]
        batches.append(replace(batch, targets=targets))
    finding = found(Case(training=tuple(batches)), pipeline.targets_shifted)["targets shifted"]
    assert finding.numbers["lag"] == lag
    assert finding.numbers["rows"] == pytest.approx(share, abs=0.05)
    assert finding.confidence >= (0.6 if lag and share == 1.0 else 0.9)


def test_values_that_are_the_input() -> None:
    steps = torch.arange(0, 12, 0.3)[:, None, None] + torch.arange(16)[None, :, None]
    series = steps.sin() + 0.5 * (2.1 * steps).sin()
    ahead = Batch(series[:-1], series[1:])
    assert not sure(Case(training=(ahead,)))
    assert "targets shifted" in sure(
        Case(training=(Batch(series[:-1], 2 * series[:-1] + 1),)), pipeline.targets_shifted
    )
    late = Batch(series[1:], series[:-1])
    assert found(Case(training=(late,)), pipeline.targets_shifted)["targets shifted"].numbers["lag"] == 1


class Mixing(nn.Module):
    """A net whose rows get a share of the row before."""

    def __init__(self, problem: Problem, share: float, in_training: bool = False) -> None:
        super().__init__()
        self.net, self.share, self.in_training = net(problem), share, in_training

    def forward(
        self, inputs: Tensor, states: "tuple[Tensor, ...] | None" = None
    ) -> "tuple[Tensor, tuple[Tensor, ...]]":
        outputs, finals = self.net(inputs, states)
        if self.in_training and not self.training:
            return outputs, finals
        return (1 - self.share) * outputs + self.share * outputs.roll(1, 1), finals


@pytest.mark.parametrize("share", [0.001, 0.3, 1.0])
def test_rows_that_leak(share: float) -> None:
    problem = Parity()
    finding = found(Case(Mixing(problem, share), drawn(problem, 2)), pipeline.batch_rows_that_leak)[
        "batch rows that leak"
    ]
    assert finding.confidence >= 0.9
    in_training = found(Case(Mixing(problem, share, True), drawn(problem, 2)), pipeline.batch_rows_that_leak)[
        "batch rows that leak"
    ]
    assert MEDIUM <= in_training.confidence < finding.confidence
    assert "training mode only" in in_training.says


def test_nothing_is_changed() -> None:
    problem = Adding(length=20)
    model = Mixing(problem, 0.1).train()
    model.net.eval()
    batches = tuple(replace(batch, carry=number > 0) for number, batch in enumerate(drawn(problem)))
    before = [weight.clone() for weight in model.state_dict().values()]
    modes, random = [part.training for part in model.modules()], torch.get_rng_state()
    found(Case(model, batches, drawn(problem, 1)))
    assert all(torch.equal(*pair) for pair in zip(before, model.state_dict().values(), strict=True))
    assert modes == [part.training for part in model.modules()]
    assert torch.equal(random, torch.get_rng_state())
    assert all(weight.grad is None for weight in model.parameters())


def test_weights_that_are_not_finite_raise_nothing() -> None:
    problem = Adding(length=20)
    model = net(problem)
    nn.init.constant_(model.head.weight, float("nan"))
    batches = tuple(replace(batch, carry=number > 0) for number, batch in enumerate(drawn(problem)))
    batches[0].inputs[3, 2, 0] = float("nan")
    found(Case(model, batches, drawn(problem, 1), history(), start=net(problem)))


def test_a_constant_answer_that_is_also_a_symbol_is_no_copy() -> None:
    batches = []
    for batch in drawn(Recall(lag=40, patterns=2, form="symbols")):
        parts = zip(batch.inputs.split(8), batch.targets.split(8), batch.counts.split(8), strict=True)
        batches += [Batch(*part, carry=number > 0) for number, part in enumerate(parts)]
    assert "targets shifted" not in found(Case(training=tuple(batches)), pipeline.targets_shifted)


def test_weights_that_are_not_finite_are_no_padding() -> None:
    batch = lanes(words())[0]
    weights = torch.ones(batch.steps, batch.rows)
    weights[:, 3] = float("nan")
    assert not found(Case(training=(replace(batch, weights=weights),)), pipeline.padding_in_the_divergence)
