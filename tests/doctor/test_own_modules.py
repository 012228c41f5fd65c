"""Modules and batches as people of torch have them: `batches_of`, `Case.run`, and faults in loops of their own."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import peephole
from peephole.doctor.batches import batches_of
from peephole.doctor.case import Batch, Case
from peephole.doctor.examination import Examination
from peephole.doctor.finding import MEDIUM
from peephole.doctor.measuring.level import level
from peephole.doctor.rules import data, pipeline, predicting
from peephole.errors import InputError

T, B, I, H, C = 12, 8, 3, 6, 5


class Tagger(nn.Module):
    """An answer at every step: outputs alone, or outputs and states."""

    def __init__(self, layer: type, batch_first: bool, states: bool, outputs: int = C, squeeze: bool = False) -> None:
        super().__init__()
        self.layer = layer(I, H, batch_first=batch_first)
        self.head, self.states, self.squeeze = nn.Linear(H, outputs), states, squeeze

    def forward(self, x: Tensor, states: Any = None) -> Any:
        hidden, finals = self.layer(x, states)
        outputs = self.head(hidden)
        outputs = outputs.squeeze(-1) if self.squeeze else outputs
        return (outputs, finals) if self.states else outputs


class Classifier(nn.Module):
    """One answer a sequence, from the last step; `flat` leaves out the axis of a single value."""

    def __init__(self, batch_first: bool, outputs: int = C, flat: bool = False) -> None:
        super().__init__()
        self.layer, self.head = nn.GRU(I, H, batch_first=batch_first), nn.Linear(H, outputs)
        self.batch_first, self.flat = batch_first, flat

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.layer(x)[0]
        last = hidden[:, -1] if self.batch_first else hidden[-1]
        return self.head(last).squeeze(-1) if self.flat else self.head(last)


def given(batch_first: bool, targets: str) -> tuple[Tensor, Tensor]:
    """Inputs and targets by the names of their axes, B and T in whichever order."""
    torch.manual_seed(0)
    inputs = torch.randn(T, B, I)
    wanted = {
        "classes": torch.randint(C, (T, B)),
        "values": torch.randn(T, B, 2),
        "value": torch.randn(T, B),
        "class": torch.randint(C, (B,)),
        "numbers": torch.randn(B, 2),
        "number": torch.randn(B),
    }[targets]
    if not batch_first:
        return inputs, wanted
    return inputs.transpose(0, 1), wanted.transpose(0, 1) if targets in ("classes", "values", "value") else wanted


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("targets", ["classes", "values", "value", "class", "numbers", "number"])
def test_batches_are_time_first(batch_first: bool, targets: str) -> None:
    (batch,) = batches_of([given(batch_first, targets)], batch_first)
    (same,) = batches_of([given(False, targets)], False)
    assert torch.equal(batch.inputs, same.inputs)
    assert torch.equal(batch.targets, same.targets)
    steps = T if targets in ("classes", "values", "value") else 1
    axes = {"classes": (), "class": (), "values": (2,), "numbers": (2,), "value": (1,), "number": (1,)}[targets]
    assert batch.targets.shape == (steps, B, *axes)
    assert batch.counts.shape == (steps, B)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("states", [False, True])
@pytest.mark.parametrize("layer", [nn.LSTM, nn.GRU, nn.RNN, peephole.LSTM, peephole.GRU])
def test_modules_with_an_answer_a_step(layer: type, states: bool, batch_first: bool) -> None:
    case = Case(Tagger(layer, batch_first, states), batches_of([given(batch_first, "classes")], batch_first))
    case = Case(case.model, case.training, batch_first=batch_first)
    batch = case.training[0]
    outputs, finals = case.run(batch)
    assert outputs.shape == (T, B, C)
    assert case.each(outputs, batch).shape == (T, B)
    assert (finals is not None) == states
    if finals is not None:  # the second half goes on where the first ended
        first, second = (Batch(batch.inputs[at], batch.targets[at]) for at in (slice(0, 5), slice(5, T)))
        rest = case.run(second, case.run(first)[1])[0]
        assert (rest - outputs[5:]).abs().max() <= 1e-5


@pytest.mark.parametrize("batch_first", [False, True])
def test_modules_with_one_answer(batch_first: bool) -> None:
    for model, targets, shape in (
        (Classifier(batch_first), "class", (1, B, C)),
        (Classifier(batch_first, 2), "numbers", (1, B, 2)),
        (Classifier(batch_first, 1), "number", (1, B, 1)),
        (Classifier(batch_first, 1, flat=True), "number", (1, B, 1)),
        (Tagger(nn.LSTM, batch_first, True), "class", (1, B, C)),  # the last step's answer
        (Tagger(nn.LSTM, batch_first, False, 1, squeeze=True), "value", (T, B, 1)),
        (Tagger(nn.LSTM, batch_first, False, 1, squeeze=True), "number", (1, B, 1)),
    ):
        case = Case(model, batches_of([given(batch_first, targets)], batch_first), batch_first=batch_first)
        outputs = case.run(case.training[0])[0]
        assert outputs.shape == shape
        assert case.each(outputs, case.training[0]).shape == shape[:2]
        assert Examination(case).measured(level).training > 0


def test_lengths_weights_and_classes_that_are_left_out() -> None:
    inputs, targets = given(True, "classes")
    lengths = torch.arange(5, 5 + B)
    (batch,) = batches_of([(inputs, targets, lengths)], True)
    assert torch.equal(batch.counts.sum(0).long(), lengths.clamp_max(T))
    named: dict[str, Any] = {"inputs": inputs, "targets": targets, "lengths": lengths, "weights": torch.ones(B, T)}
    (same,) = batches_of([named], True)
    assert torch.equal(same.counts, batch.counts)
    (half,) = batches_of([(inputs, targets, 0.5 * torch.ones(B, T))], True)
    assert float(half.counts.sum()) == B * T / 2
    marked = targets.clone()
    marked[:, 3:] = -100
    (left,) = batches_of([(inputs, marked)], True)
    assert torch.equal(left.counts.sum(0), torch.full((B,), 3.0))
    assert int(left.targets.min()) >= 0
    arrays = (inputs.numpy(), targets.numpy())
    assert torch.equal(batches_of([arrays], True)[0].targets, targets.T)
    assert batches_of([batch], True) == (batch,)


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        (torch.zeros(3, 4), "is a Tensor"),
        ((torch.zeros(T, B, I),), "is a tuple of 1"),
        ({"inputs": torch.zeros(T, B, I), "labels": torch.zeros(T, B)}, "has inputs, labels"),
        ((torch.zeros(T, B), torch.zeros(T, B)), "symbols [T, B] or features [T, B, I]"),
        ((torch.zeros(T, B, I), torch.zeros(T + 1, B).long()), "with inputs of 12 steps and 8 rows"),
        ((torch.zeros(T, B, I), torch.zeros(B, T).long()), "batch_first is False"),
        ((torch.zeros(T, B, I), torch.zeros(T, B).long(), torch.ones(3).long()), "one for each of 8 rows"),
        ((torch.zeros(T, B, I), torch.zeros(T, B).long(), torch.ones(3, 4)), "each of 12 steps and 8 rows"),
        (("a", "b"), "expected a tensor or an array"),
    ],
)
def test_what_cannot_be_used_says_so(batch: Any, words: str) -> None:
    with pytest.raises(InputError) as error:
        batches_of([batch], False)
    assert words in str(error.value)
    assert str(error.value).startswith("batch 0")


class Reader(nn.Module):
    """Symbols in, logits out, as a tutorial would have it; `wrong` takes [B, T] for [T, B]."""

    def __init__(self, wrong: bool = False, statistics: bool = False) -> None:
        super().__init__()
        self.embedding, self.layer = nn.Embedding(7, H), nn.LSTM(H, H, batch_first=not wrong)
        self.head = nn.Linear(H, 7)
        self.normalise = nn.BatchNorm1d(H) if statistics else None

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.layer(self.embedding(x))[0]
        if self.normalise is not None:
            hidden = self.normalise(hidden.transpose(1, 2)).transpose(1, 2)
        return self.head(hidden)


def sentences(shift: int = 1, padding: bool = False) -> list[tuple[Tensor, Tensor]]:
    """Rows [B, T] of a chain of symbols 1 to 6, with what comes `shift` steps later."""
    random = np.random.default_rng(5)
    found = []
    for _ in range(4):
        steps = random.choice([1, 2, 5], (16, 25)).cumsum(1) % 6 + 1
        if padding:
            for row in steps:
                row[int(random.integers(5, 20)) :] = 0
        symbols = torch.from_numpy(steps)
        found.append((symbols[:, :24], symbols[:, shift : 24 + shift]))
    return found


def trained(model: nn.Module, batches: list[tuple[Tensor, Tensor]], steps: int = 20) -> nn.Module:
    """A loop of somebody's own."""
    for step in range(steps):
        inputs, targets = batches[step % len(batches)]
        divergence = nn.functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
        weights = list(model.parameters())
        with torch.no_grad():
            for weight, gradient in zip(weights, torch.autograd.grad(divergence, weights), strict=True):
                weight -= 0.5 * gradient
    return model


@pytest.mark.parametrize(
    ("model", "batches", "name"),
    [
        (Reader(), sentences(), ""),
        (Reader(), sentences(shift=0), "targets shifted"),
        (Reader(), sentences(padding=True), "padding in the divergence"),
        (Reader(wrong=True), sentences(), "batch rows that leak"),
        (Reader(statistics=True), sentences(), ""),
    ],
    ids=["healthy", "shifted", "padded", "batch_first", "batch normalisation"],
)
def test_faults_in_a_loop_of_ones_own(model: nn.Module, batches: list[tuple[Tensor, Tensor]], name: str) -> None:
    torch.manual_seed(0)
    model = trained(model, batches)
    buffers = [buffer.clone() for buffer in model.buffers()]
    case = Case(model, batches_of(batches, True), batch_first=True)
    examination = Examination(case)
    rules = (
        predicting.nothing_to_predict,
        data.data_in_both_splits,
        pipeline.state_carried_across_unrelated_sequences,
        pipeline.padding_in_the_divergence,
        pipeline.targets_shifted,
        pipeline.batch_rows_that_leak,
    )
    found = [rule(examination) for rule in rules]
    assert {one.name for one in found if one is not None and one.confidence >= MEDIUM} == ({name} if name else set())
    assert all(torch.equal(*pair) for pair in zip(buffers, model.buffers(), strict=True))
    assert model.training
