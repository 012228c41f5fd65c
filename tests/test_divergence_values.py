"""Divergences of events, quantiles and weighted classes, against formulas written out, torch and scikit-learn."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, kl_divergence
from torch.nn.functional import cross_entropy

from peephole.divergence import bernoulli, kl, l2, pinball
from peephole.errors import InputError

T, B, K = 5, 3, 6
QUANTILES = torch.tensor([0.1, 0.5, 0.75])


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return 2 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def logits() -> Tensor:
    return drawn(T, B, K).requires_grad_()


@pytest.fixture
def happened() -> Tensor:
    return (drawn(T, B, K, seed=1) > 0).float()


@pytest.fixture
def likely() -> Tensor:
    """Probabilities, some of them sure."""
    return torch.sigmoid(drawn(T, B, K, seed=2)).where(drawn(T, B, K, seed=1) > -1, 1.0).where(drawn(T, B, K) < 1, 0.0)


@pytest.fixture
def weights() -> Tensor:
    weights = torch.rand(T, B, generator=torch.Generator().manual_seed(3))
    weights[2:, 1] = 0
    return weights


def gradient(value: Tensor, of: Tensor) -> Tensor:
    return torch.autograd.grad(value, of)[0]


def test_events_that_happen_or_not_cost_their_log_probability(
    logits: Tensor, happened: Tensor, weights: Tensor
) -> None:
    chances = torch.sigmoid(logits.detach().double())
    for given in (None, weights):
        want = 0.0
        for t in range(T):
            for b in range(B):
                each = sum(
                    -math.log(p if event else 1 - p)
                    for p, event in zip(chances[t, b].tolist(), happened[t, b].tolist(), strict=True)
                )
                want += each if given is None else float(given[t, b]) * each
        got = bernoulli(logits, happened, given)
        assert got.dtype == torch.float32
        assert got.shape == ()
        assert abs(float(got.detach()) - want) <= 1e-5 * want


@pytest.mark.parametrize("weighted", [False, True])
def test_bernoulli_is_the_divergence_of_the_distributions(
    logits: Tensor, likely: Tensor, weights: Tensor, weighted: bool, agree: Callable[..., None]
) -> None:
    each = kl_divergence(Bernoulli(probs=likely.double()), Bernoulli(logits=logits.double())).sum(-1)
    want = (each * weights).sum() if weighted else each.sum()
    got = bernoulli(logits, likely, weights if weighted else None)
    assert bool(((likely == 0) | (likely == 1)).any())
    assert abs(float(got.detach()) - float(want.detach())) <= 1e-5 * float(want.detach())
    agree(gradient(got, logits), gradient(want, logits), 1e-5)


def test_events_diverge_from_themselves_by_nothing(logits: Tensor) -> None:
    assert abs(float(bernoulli(logits, torch.sigmoid(logits.detach())).detach())) <= 1e-5


def test_events_that_are_sure_beyond_float32_stay_finite() -> None:
    logits = torch.tensor([[[200.0, -200.0, 200.0]]], requires_grad=True)
    value = bernoulli(logits, torch.tensor([[[1.0, 0.0, 0.0]]]))
    assert float(value.detach()) == 200.0
    assert gradient(value, logits).tolist() == [[[0.0, 0.0, 1.0]]]


def plain_pinball(outputs: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
    """Twice the mean over quantiles, one term at a time."""
    total = torch.zeros((), dtype=torch.float64)
    for value in range(targets.shape[-1]):
        for place, share in enumerate(QUANTILES.tolist()):
            error = targets[..., value] - outputs[..., value * len(QUANTILES) + place].double()
            each = torch.where(error > 0, share * error, (share - 1) * error)
            total = total + 2 / len(QUANTILES) * (each if weights is None else each * weights).sum()
    return total


@pytest.mark.parametrize("weighted", [False, True])
def test_pinball_is_the_formula(weights: Tensor, weighted: bool, agree: Callable[..., None]) -> None:
    outputs, targets = drawn(T, B, 2 * len(QUANTILES)).requires_grad_(), drawn(T, B, 2, seed=1)
    given = weights if weighted else None
    got, want = pinball(outputs, targets, QUANTILES, given), plain_pinball(outputs, targets, given)
    assert got.dtype == torch.float32
    assert abs(float(got.detach()) - float(want.detach())) <= 1e-5 * float(want.detach())
    agree(gradient(got, outputs), gradient(want, outputs), 1e-6)


def test_pinball_is_twice_that_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    outputs, targets = drawn(T, 1, 2 * len(QUANTILES)), drawn(T, 1, 2, seed=1)
    found = outputs.unflatten(-1, (2, -1))[:, 0]  # [T, values, quantiles]
    want = sum(
        metrics.mean_pinball_loss(targets[:, 0].numpy(), found[..., place].numpy(), alpha=share)
        for place, share in enumerate(QUANTILES.tolist())
    )
    got = float(pinball(outputs, targets, QUANTILES)) / (T * 2)
    assert abs(got - 2 * want / len(QUANTILES)) <= 1e-6


def test_the_median_costs_the_absolute_error() -> None:
    outputs, targets = drawn(T, B, 2), drawn(T, B, 2, seed=1)
    got = float(pinball(outputs, targets, torch.tensor([0.5])))
    assert abs(got - float((outputs - targets).abs().sum())) <= 1e-4


def test_the_quantile_itself_costs_least() -> None:
    """Of 0 … 99 the 0.9 quantile is 89.5: no constant is better."""
    targets = torch.arange(100.0)[:, None, None]
    costs = {
        guess: float(pinball(torch.full((100, 1, 1), guess), targets, torch.tensor([0.9])))
        for guess in (50.5, 88.0, 89.5, 91.0, 99.5)
    }
    assert min(costs, key=costs.__getitem__) == 89.5


@pytest.mark.parametrize("weighted", [False, True])
def test_classes_weigh_as_in_torch(weights: Tensor, weighted: bool, agree: Callable[..., None]) -> None:
    logits = drawn(T, B, K).requires_grad_()
    targets = torch.randint(0, K, (T, B), generator=torch.Generator().manual_seed(4))
    classes = torch.tensor([1.0, 0.0, 2.5, 0.5, 1.0, 3.0])
    flat = logits.flatten(0, 1), targets.flatten()
    if weighted:
        want = (cross_entropy(*flat, weight=classes, reduction="none").view(T, B) * weights).sum()
    else:
        want = cross_entropy(*flat, weight=classes, reduction="sum")
    got = kl(logits, targets, weights if weighted else None, classes)
    assert abs(float(got.detach()) - float(want.detach())) <= 1e-5 * float(want.detach())
    agree(gradient(got, logits), gradient(want, logits), 1e-6)


def infinite_event() -> tuple[Any, Tensor]:
    logits = drawn(2, 1, K)
    logits[1, 0, 0] = math.inf
    return lambda given, weights: bernoulli(given, torch.zeros(2, 1, K), weights), logits


def infinite_value() -> tuple[Any, Tensor]:
    outputs = drawn(2, 1, len(QUANTILES))
    outputs[1, 0, 0] = math.inf
    return lambda given, weights: pinball(given, torch.ones(2, 1, 1), QUANTILES, weights), outputs


def infinite_class() -> tuple[Any, Tensor]:
    logits = drawn(2, 1, K)
    logits[1, 0, 3] = -math.inf
    classes = torch.tensor([1.0, 1.0, 2.0, 1.0, 1.0, 1.0])
    return lambda given, weights: kl(given, torch.tensor([[2], [3]]), weights, classes), logits


@pytest.mark.parametrize("make", [infinite_event, infinite_value, infinite_class])
def test_a_weight_of_zero_switches_an_infinity_off(make: Callable[[], tuple[Any, Tensor]]) -> None:
    call, given = make()
    given.requires_grad_()
    assert float(call(given, torch.ones(2, 1)).detach()) == math.inf
    value = call(given, torch.tensor([[1.0], [0.0]]))
    assert 0 < float(value.detach()) < math.inf
    found = gradient(value, given)
    assert bool(found[0].isfinite().all())
    assert bool(found[0].any())
    assert not found[1].any()


@pytest.mark.parametrize(
    "call",
    [bernoulli, l2, lambda outputs, targets, weights: pinball(outputs, targets, torch.tensor([0.3]), weights)],
    ids=["bernoulli", "l2", "pinball"],
)
def test_a_target_that_nobody_knows_counts_nothing(call: Callable[..., Tensor]) -> None:
    outputs, targets = drawn(3, 2, 4).requires_grad_(), torch.sigmoid(drawn(3, 2, 4, seed=1))
    weights = torch.tensor([[1.0, 0.5], [0.0, 2.0], [0.0, 0.0]])
    want = call(outputs, targets, weights)
    unknown = torch.where(weights[..., None] == 0, math.nan, targets)
    got = call(outputs, unknown, weights)
    assert float(got.detach()) == float(want.detach())
    assert torch.equal(gradient(got, outputs), gradient(want, outputs))


def test_a_class_that_counts_nothing_may_be_impossible() -> None:
    logits = drawn(1, 2, K)
    logits[0, 1, 3] = -math.inf
    classes = torch.ones(K)
    classes[3] = 0.0
    value = kl(logits.requires_grad_(), torch.tensor([[2, 3]]), None, classes)
    assert float(value.detach()) == float(kl(logits[:, :1], torch.tensor([[2]])).detach())
    assert not gradient(value, logits)[0, 1].any()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_the_sums_are_float32(happened: Tensor, dtype: torch.dtype) -> None:
    given = drawn(T, B, K).to(dtype)
    assert float(bernoulli(given, happened)) == float(bernoulli(given.float(), happened))
    want = float(pinball(given.float(), happened[..., :2], QUANTILES))
    assert float(pinball(given, happened[..., :2], QUANTILES)) == want


zeros = torch.zeros


@pytest.mark.usefixtures("unchecked_annotations")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bernoulli(zeros(5, 2, 4), zeros(5, 2, 3)), r"targets have shape \[5, 2, 3\]; expected \[5, 2, 4\]"),
        (lambda: bernoulli(zeros(5, 2, 4), zeros(5, 2, 4), zeros(5)), r"weights have shape \[5\]; expected \[5, 2\]"),
        (
            lambda: pinball(zeros(5, 2, 4), zeros(5, 2, 2), zeros(3)),
            r"outputs have shape \[5, 2, 4\]; expected \[5, 2, 6\]",
        ),
        (
            lambda: kl(zeros(5, 2, 4), zeros(5, 2).long(), None, zeros(3)),
            r"weights of the classes have shape \[3\]; expected \[4\]",
        ),
        (lambda: kl(zeros(5, 2, 4), zeros(5, 2, 4), None, zeros(4)), "weights of the classes came with soft targets"),
    ],
)
def test_what_does_not_fit_is_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
