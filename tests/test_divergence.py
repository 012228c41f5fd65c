"""Sequence divergences against their formulas written out, weights, and what infinities do."""

import math
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from peephole.divergence import count, kl, l2
from peephole.errors import InputError

T, B, V = 5, 3, 7


@pytest.fixture
def logits() -> Tensor:
    return (3 * torch.randn(T, B, V, generator=torch.Generator().manual_seed(0))).requires_grad_()


@pytest.fixture
def classes() -> Tensor:
    return torch.randint(0, V, (T, B), generator=torch.Generator().manual_seed(1))


@pytest.fixture
def soft() -> Tensor:
    """Distributions, some of them with zeros, one of them all on one class."""
    soft = torch.rand(T, B, V, generator=torch.Generator().manual_seed(2))
    soft[:, 0, ::2] = 0
    soft[0, 1] = torch.eye(V)[3]
    return soft / soft.sum(-1, keepdim=True)


@pytest.fixture
def weights() -> Tensor:
    weights = torch.rand(T, B, generator=torch.Generator().manual_seed(3))
    weights[2:, 1] = 0
    return weights


def kl_by_hand(logits: Tensor, soft: Tensor, weights: list[list[float]] | None = None) -> float:
    """Σ_t w_t Σ_k D_k ln(D_k / Y_k), number by number."""
    total = 0.0
    for t in range(len(logits)):
        for b in range(logits.shape[1]):
            row, wanted = logits[t, b].tolist(), soft[t, b].tolist()
            norm = math.log(sum(math.exp(value) for value in row))
            each = sum(d * (math.log(d) - (value - norm)) for d, value in zip(wanted, row, strict=True) if d > 0)
            total += each * (1.0 if weights is None else weights[t][b])
    return total


def test_hard_targets_cost_their_cross_entropy(logits: Tensor, classes: Tensor) -> None:
    got = kl(logits, classes)
    want = cross_entropy(logits.detach().double().flatten(0, 1), classes.flatten(), reduction="sum")
    assert got.dtype == torch.float32
    assert got.shape == ()
    assert abs(float(got.detach()) - float(want)) <= 1e-5 * float(want)


def test_hard_targets_equal_soft_targets_that_are_sure(logits: Tensor, classes: Tensor, weights: Tensor) -> None:
    sure = torch.nn.functional.one_hot(classes, V).float()
    for given in (None, weights):
        hard, easy = kl(logits, classes, given), kl(logits, sure, given)
        assert abs(float((hard - easy).detach())) <= 1e-5 * float(hard.detach())
        grads = [torch.autograd.grad(value, logits)[0] for value in (hard, easy)]
        assert float((grads[0] - grads[1]).abs().max()) <= 1e-6


@pytest.mark.parametrize("weighted", [False, True])
def test_soft_targets_are_the_formula(
    logits: Tensor, soft: Tensor, weights: Tensor, weighted: bool, agree: Callable[..., None]
) -> None:
    given = weights if weighted else None
    got = kl(logits, soft, given)
    want = kl_by_hand(logits, soft, weights.tolist() if weighted else None)
    assert abs(float(got.detach()) - want) <= 1e-5 * want
    (grad,) = torch.autograd.grad(got, logits)
    each = weights if weighted else torch.ones(T, B)
    agree(grad, (logits.softmax(-1) - soft) * each[..., None], 1e-5)


def test_a_divergence_from_itself_is_nothing(logits: Tensor) -> None:
    assert abs(float(kl(logits, logits.detach().softmax(-1)).detach())) <= 1e-5


def test_a_class_that_both_leave_out_costs_nothing() -> None:
    logits = torch.tensor([[[0.0, -math.inf, 1.0]]], requires_grad=True)
    value = kl(logits, torch.tensor([[[0.25, 0.0, 0.75]]]))
    want = 0.25 * math.log(0.25 * (1 + math.e)) + 0.75 * math.log(0.75 * (1 + math.e) / math.e)
    assert abs(float(value.detach()) - want) <= 1e-6
    (grad,) = torch.autograd.grad(value, logits)
    assert bool(grad.isfinite().all())
    assert float(grad[0, 0, 1]) == 0.0


@pytest.mark.parametrize("hard", [True, False])
def test_a_class_that_only_the_model_leaves_out_costs_infinity(hard: bool) -> None:
    logits = torch.tensor([[[0.0, -math.inf, 1.0]]])
    targets = torch.tensor([[1]]) if hard else torch.tensor([[[0.5, 0.5, 0.0]]])
    assert float(kl(logits, targets)) == math.inf


@pytest.mark.parametrize("hard", [True, False])
def test_weights_weigh_each_step(logits: Tensor, classes: Tensor, soft: Tensor, weights: Tensor, hard: bool) -> None:
    targets = classes if hard else soft
    want = sum(
        float(weights[t, b] * kl(logits[t : t + 1, b : b + 1], targets[t : t + 1, b : b + 1]).detach())
        for t in range(T)
        for b in range(B)
    )
    assert abs(float(kl(logits, targets, weights).detach()) - want) <= 1e-5 * want


@pytest.mark.parametrize("hard", [True, False])
def test_a_weight_of_zero_switches_an_infinite_kl_off(
    logits: Tensor, classes: Tensor, soft: Tensor, hard: bool
) -> None:
    targets = classes if hard else soft
    broken = logits.detach().clone()
    broken[2, 1] = -math.inf
    broken[2, 1, (int(classes[2, 1]) + 1) % V] = 0.0  # all on a class that is not the target
    broken.requires_grad_()
    weights = torch.ones(T, B)
    assert float(kl(broken, targets, weights).detach()) == math.inf
    weights[2, 1] = 0.0
    value = kl(broken, targets, weights)
    (grad,) = torch.autograd.grad(value, broken)
    (want,) = torch.autograd.grad(kl(logits, targets, weights), logits)
    assert float(value.detach()) == float(kl(logits, targets, weights).detach())
    assert torch.equal(grad, want)
    assert not grad[2, 1].any()


def test_l2_is_the_formula(weights: Tensor, agree: Callable[..., None]) -> None:
    generator = torch.Generator().manual_seed(4)
    outputs = torch.randn(T, B, V, generator=generator).requires_grad_()
    targets = torch.randn(T, B, V, generator=generator)
    for given in (None, weights):
        each = torch.ones(T, B) if given is None else given
        value = l2(outputs, targets, given)
        want = sum(
            0.5 * float(each[t, b]) * sum((outputs[t, b, k].item() - targets[t, b, k].item()) ** 2 for k in range(V))
            for t in range(T)
            for b in range(B)
        )
        assert value.dtype == torch.float32
        assert abs(float(value.detach()) - want) <= 1e-5 * want
        agree(torch.autograd.grad(value, outputs)[0], (outputs - targets) * each[..., None], 1e-6)


def test_a_weight_of_zero_switches_an_l2_off_that_overflows() -> None:
    outputs = torch.full((2, 1, 3), 1e30).requires_grad_()
    weights = torch.tensor([[1.0], [0.0]])
    targets = torch.zeros(2, 1, 3)
    targets[0] = 1e30
    value = l2(outputs, targets, weights)
    (grad,) = torch.autograd.grad(value, outputs)
    assert float(value.detach()) == 0.0
    assert not grad.any()
    assert float(l2(outputs, targets).detach()) == math.inf


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_the_sum_is_float32(logits: Tensor, classes: Tensor, dtype: torch.dtype) -> None:
    given = logits.detach().to(dtype)
    value = kl(given, classes)
    assert value.dtype == torch.float32
    assert float(value) == float(kl(given.float(), classes))
    assert float(l2(given, given.flip(0))) == float(l2(given.float(), given.float().flip(0)))


def test_count_is_what_a_mean_divides_by(classes: Tensor, soft: Tensor, weights: Tensor) -> None:
    assert count(classes) == count(soft) == T * B
    assert count(classes, weights) == float(weights.sum())
    assert isinstance(count(classes, weights), float)
    assert count(classes, torch.zeros(T, B)) == 0.0


zeros = torch.zeros


@pytest.mark.usefixtures("unchecked_annotations")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kl(zeros(5, 2, 4), zeros(5, 3).long()), "targets have shape [5, 3]; expected [5, 2]"),
        (lambda: kl(zeros(5, 2, 4), zeros(5, 2, 3)), "soft targets have shape [5, 2, 3]; expected [5, 2, 4]"),
        (lambda: kl(zeros(5, 2, 4), zeros(5, 2)), "soft targets have shape [5, 2]; expected [5, 2, 4]"),
        (lambda: kl(zeros(5, 2, 4), zeros(5, 2).long(), zeros(5, 1)), "weights have shape [5, 1]; expected [5, 2]"),
        (lambda: kl(zeros(5, 2, 4), zeros(5, 2, 4), zeros(2, 5)), "weights have shape [2, 5]; expected [5, 2]"),
        (lambda: l2(zeros(5, 2, 4), zeros(5, 2, 1)), "targets have shape [5, 2, 1]; expected [5, 2, 4]"),
        (lambda: l2(zeros(5, 2, 4), zeros(5, 2, 4), zeros(5)), "weights have shape [5]; expected [5, 2]"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        call()
