"""What all softmax heads promise: divergence, surprisals and gradients of the log-probabilities that they give."""

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from peephole.errors import InputError
from peephole.models.softmax import AdaptiveSoftmax, FullSoftmax, SampledSoftmax, fused

Head = FullSoftmax | AdaptiveSoftmax
HEADS: dict[str, Callable[[int, int], Head]] = {
    "full": FullSoftmax,
    "adaptive": lambda width, symbols: AdaptiveSoftmax(width, symbols, (symbols // 4 + 1, symbols // 2 + 2)),
    "one cluster": lambda width, symbols: AdaptiveSoftmax(width, symbols, (symbols - 1,)),
    "sampled, all": lambda width, symbols: SampledSoftmax(width, symbols, symbols),
}
SIZES = ((1, 6, 1), (3, 33, 7), (17, 130, 33), (61, 7, 5))  # rows, symbols, width


@pytest.fixture(params=HEADS)
def make(request: pytest.FixtureRequest) -> Callable[[int, int], Head]:
    return HEADS[request.param]


def case(make: Callable[[int, int], Head], rows: int, symbols: int, width: int, dtype: torch.dtype = torch.float32):
    torch.manual_seed(rows + symbols)
    head = make(width, symbols).to(dtype)
    h = torch.randn(rows, width, dtype=dtype, requires_grad=True)
    return head, h, torch.randint(symbols, (rows,)), torch.rand(rows, dtype=dtype)


def expected(head: Head, h: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
    each = cross_entropy(head(h), targets, reduction="none")
    return each.sum() if weights is None else (each * weights).sum()


def gradients(value: Tensor, head: Head, h: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(value, [h, *head.parameters()])


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("weighed", [False, True])
def test_value_and_gradients_are_those_of_cross_entropy(make, sizes, weighed):
    head, h, targets, weights = case(make, *sizes)
    weights = weights if weighed else None
    found, right = head.divergence(h, targets, weights), expected(head, h, targets, weights)
    assert abs(found - right).item() <= 1e-6 * max(1.0, abs(right.item()))
    for one, other in zip(gradients(3 * found, head, h), gradients(3 * right, head, h), strict=True):
        assert (one - other).abs().max() <= 1e-5
    assert (head.surprisals(h, targets) - cross_entropy(head(h), targets, reduction="none")).abs().max() <= 1e-5
    with torch.no_grad():
        assert abs(head.divergence(h, targets, weights) - right).item() <= 1e-5 * max(1.0, abs(right.item()))


def test_gradients_in_float64_are_those_of_differences(make):
    head, h, targets, weights = case(make, 5, 11, 3, torch.float64)
    parameters = [parameter.detach().requires_grad_() for parameter in head.parameters()]
    names = [name for name, _ in head.named_parameters()]

    def divergence(h: Tensor, *given: Tensor) -> Tensor:
        values = dict(zip(names, given, strict=True))
        for name, value in values.items():
            owner = head.get_submodule(name.rpartition(".")[0])
            owner._parameters[name.rpartition(".")[2]] = value  # pyright: ignore[reportArgumentType]
        return head.divergence(h, targets, weights)

    assert torch.autograd.gradcheck(divergence, (h, *parameters))


def test_parts_add_up(make, monkeypatch):
    head, h, targets, weights = case(make, 61, 33, 7)
    whole = gradients(head.divergence(h, targets, weights), head, h)
    nats = head.surprisals(h, targets)
    monkeypatch.setattr(fused, "HELD", 33 * 4 * 8)  # eight rows at a time
    parts = gradients(head.divergence(h, targets, weights), head, h)
    for one, other in zip(whole, parts, strict=True):
        assert (one - other).abs().max() <= 1e-5
    assert (head.surprisals(h, targets) - nats).abs().max() <= 1e-6


def test_forward_gives_logarithms_of_probabilities_for_any_leading_shape(make):
    head, h, _, _ = case(make, 6, 33, 7)
    with torch.no_grad():
        logs = head(h.view(2, 3, 7)).log_softmax(-1)
        assert logs.shape == (2, 3, 33)
        assert (logs.exp().sum(-1) - 1).abs().max() <= 1e-5
        every = torch.arange(33)
        for row in range(6):
            nats = head.surprisals(h[row].expand(33, 7), every)
            assert (nats + logs.view(6, 33)[row]).abs().max() <= 1e-5


def test_a_row_of_weight_zero_is_off_however_unlikely_its_target(make):
    head, h, targets, weights = case(make, 4, 33, 7)
    with torch.no_grad():
        head.bias[targets[0]] = -torch.inf
    targets[1:] = (targets[0] + 1) % 33
    weights[0] = 0
    found = head.divergence(h, targets, weights)
    assert math.isfinite(found.item())
    dh = torch.autograd.grad(found, h)[0]
    assert (dh[0] == 0).all()
    assert torch.isfinite(dh).all()


def test_the_least_likely_targets_keep_their_digits(make):
    """A probability below what float32 holds: its logarithm is still that of the logits."""
    head, h, targets, _ = case(make, 5, 33, 7)
    with torch.no_grad():
        head.bias[targets[2]] -= 500.0
    found, right = head.divergence(h, targets), expected(head, h, targets, None)
    assert right > 400
    assert abs(found - right) / right <= 1e-5
    assert (gradients(found, head, h)[0] - gradients(right, head, h)[0]).abs().max() <= 1e-5


def test_what_is_not_finite_shows(make):
    head, h, targets, _ = case(make, 5, 33, 7)
    with torch.no_grad():
        h[3, 0] = torch.nan
    assert torch.isnan(head.divergence(h, targets))


def test_frozen_parts_get_no_gradient_and_change_nothing(make):
    head, h, targets, weights = case(make, 9, 33, 7)
    right = gradients(expected(head, h, targets, weights), head, h)[0]
    head.requires_grad_(False)
    found = torch.autograd.grad(head.divergence(h, targets, weights), h)[0]
    assert (found - right).abs().max() <= 1e-5
    head.requires_grad_(True)
    right = gradients(expected(head, h, targets, weights), head, h)[1]
    found = torch.autograd.grad(head.divergence(h.detach(), targets, weights), head.weight)[0]
    assert (found - right).abs().max() <= 1e-5


def test_a_graph_that_is_kept_gives_the_gradients_again(make):
    head, h, targets, weights = case(make, 9, 33, 7)
    value = head.divergence(h, targets, weights)
    first = [one.clone() for one in torch.autograd.grad(value, [h, *head.parameters()], retain_graph=True)]
    again = torch.autograd.grad(2 * value, [h, *head.parameters()])
    for one, other in zip(first, again, strict=True):
        assert (2 * one - other).abs().max() <= 1e-5


def test_a_second_derivative_raises(make):
    head, h, targets, _ = case(make, 9, 33, 7)
    with pytest.raises(InputError, match=r"got create_graph=True, and .* can be differentiated once"):
        torch.autograd.grad(head.divergence(h, targets), h, create_graph=True)


def test_no_rows_are_no_divergence(make):
    head, h, targets, _ = case(make, 3, 33, 7)
    value = head.divergence(h[:0], targets[:0])
    assert value.item() == 0
    assert all((one == 0).all() for one in torch.autograd.grad(value, list(head.parameters())))
    assert head.surprisals(h[:0], targets[:0]).shape == (0,)


@pytest.mark.parametrize("rows", [17, 256])  # 256: the weights are laid the other way round
def test_under_autocast_bfloat16_is_right_to_its_digits(make, rows):
    head, h, targets, weights = case(make, rows, 130, 33)
    right = expected(head, h, targets, weights)
    whole = gradients(right, head, h)
    for given in (h, h.detach().bfloat16().requires_grad_()):
        with torch.autocast("cpu", torch.bfloat16):
            found = head.divergence(given, targets, weights)
            nats = head.surprisals(given, targets)
        assert found.dtype == nats.dtype == torch.float32
        assert abs(found - right) / right <= 3e-3
        assert abs((nats * weights).sum() - right) / right <= 3e-3
        low = torch.autograd.grad(found, [given, *head.parameters()])
        assert low[0].dtype == given.dtype
        assert all(one.dtype == torch.float32 for one in low[1:])
        for one, other in zip(low, whole, strict=True):
            assert (one - other).norm() <= 2e-2 * other.norm()


def test_tied_weights_get_both_gradients(make):
    head, _, targets, _ = case(make, 9, 33, 7)
    embedding = nn.Embedding(33, 7)
    embedding.weight = head.weight
    inputs = torch.randint(33, (9,))
    right = torch.autograd.grad(expected(head, embedding(inputs), targets, None), head.weight)[0]
    found = torch.autograd.grad(head.divergence(embedding(inputs), targets), head.weight)[0]
    assert (found - right).abs().max() <= 1e-5


@pytest.mark.slow
def test_compiled_it_is_the_same():
    """In a process of its own: the checks of annotations keep torch.compile from tracing."""
    script = """
import torch
from peephole.models.softmax import AdaptiveSoftmax, FullSoftmax, SampledSoftmax
for head in (FullSoftmax(7, 33), AdaptiveSoftmax(7, 33, (9, 20)), SampledSoftmax(7, 33, 33)):
    h, targets = torch.randn(5, 7, requires_grad=True), torch.randint(33, (5,))
    plain = torch.autograd.grad(head.divergence(h, targets), [h, *head.parameters()])
    value = torch.compile(lambda h: head.divergence(h, targets))(h)
    for one, other in zip(plain, torch.autograd.grad(value, [h, *head.parameters()]), strict=True):
        assert (one - other).abs().max() <= 1e-5
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=Path(__file__).parent)
    assert done.returncode == 0, done.stderr
