"""Gradients through depth against torch's autograd, on stacks whose Jacobians are known, and with bad input."""

import doctest
import logging
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

import peephole
from peephole.errors import InputError
from peephole.stability.backward import depth
from peephole.stability.backward.depth import LARGEST, DepthFlow, depth_flow

from ..nets import same, snapshot

B = 5


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def linear(weight: Tensor, bias: bool = False) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias, dtype=weight.dtype)
    with torch.no_grad():
        layer.weight.copy_(weight)
    return layer


def orthogonal(size: int, seed: int) -> Tensor:
    return torch.linalg.qr(draw(size, size, seed=seed))[0]


def deep(activation: Callable[[], nn.Module], layers: int, size: int, gain: float) -> nn.Sequential:
    parts: list[nn.Module] = []
    for k in range(layers):
        parts += [linear(gain * draw(size, size, seed=k) / math.sqrt(size), bias=True), activation()]
        with torch.no_grad():
            parts[-2].bias.zero_()  # pyright: ignore[reportOptionalMemberAccess, reportCallIssue, reportAttributeAccessIssue]
    return nn.Sequential(*parts)


def squares(output: Tensor) -> Tensor:
    return output.square().sum() / 2


def mixed() -> nn.Sequential:
    """Layers of many kinds, one nested, one used twice, one in place, some frozen, with every mode there is."""
    torch.manual_seed(3)
    shared = nn.Linear(6, 6)
    stack = nn.Sequential(
        nn.Linear(4, 6),
        nn.BatchNorm1d(6),
        nn.Sequential(nn.LayerNorm(6), nn.Tanh(), shared),
        nn.ReLU(inplace=True),
        shared,
        nn.Dropout(0.5),
        nn.Softmax(dim=-1),
        nn.Linear(6, 3),
    ).double()
    with torch.no_grad():
        stack[1].running_mean.normal_()  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue]
        stack[1].running_var.uniform_(0.5, 2)  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue]
    stack[0].requires_grad_(False)
    stack[1].eval()
    return stack


def by_autograd(stack: nn.Sequential, x: Tensor, divergence: Callable[[Tensor], Tensor]) -> list[Tensor]:
    """∂Div/∂f_k with retain_grad, layer by layer, without dropout."""
    modes = [(part, part.training) for part in stack.modules()]
    stack.eval()
    values = [x.clone().requires_grad_()]
    for part in (inner for one in stack for inner in (one if isinstance(one, nn.Sequential) else [one])):
        values.append(part(values[-1].clone()))
        values[-1].retain_grad()
    divergence(values[-1]).backward()
    for parameter in stack.parameters():
        parameter.grad = None
    for part, training in modes:
        part.training = training
    return [value.grad for value in values if value.grad is not None]


def test_example_in_the_docstring_holds() -> None:
    results = doctest.testmod(depth)
    assert results.failed == 0
    assert results.attempted >= 2


def test_gradients_are_autograds() -> None:
    stack, x, target = mixed(), draw(B, 4), torch.tensor([0, 2, 1, 1, 0])
    divergence = nn.CrossEntropyLoss()
    found = depth_flow(stack, x, lambda output: divergence(output, target))
    want = by_autograd(stack, x, lambda output: divergence(output, target))
    assert len(found.layers) == 10
    assert len(want) == 11
    for k in range(11):
        norms = want[k].norm(dim=1)
        assert (found.gradient_norms[k] - norms).abs().max() <= 1e-9 * norms.max()
    assert (found.mean_norms - torch.stack([one.norm(dim=1).mean() for one in want])).abs().max() <= 1e-12


def test_each_depth_of_a_shared_layer_has_its_own_gradient() -> None:
    shared = linear(draw(3, 3), bias=True)
    x = draw(B, 3, seed=1)
    found = depth_flow([shared, nn.Tanh(), shared], x, squares)
    first = [leaf.detach().clone().requires_grad_() for leaf in (shared.weight, shared.bias)]
    second = [leaf.detach().clone().requires_grad_() for leaf in (shared.weight, shared.bias)]
    between = torch.tanh(x @ first[0].T + first[1])
    squares(between @ second[0].T + second[1]).backward()
    for layer, leaves in ((found.layers[0], first), (found.layers[2], second)):
        gradient = torch.cat([leaf.grad.flatten() for leaf in leaves if leaf.grad is not None])
        assert layer.parameters == 12
        assert abs(layer.parameter_gradient - float(gradient.norm())) <= 1e-12 * float(gradient.norm())
        share = float(gradient.square().sum() ** 2 / (12 * gradient.pow(4).sum()))
        assert abs(layer.participation - share) <= 1e-12
    assert found.layers[1].parameters == 0
    assert math.isnan(found.layers[1].parameter_gradient)
    assert math.isnan(found.layers[1].participation)


def test_participation_is_one_where_all_are_alike_and_small_where_one_carries_all() -> None:
    ones = torch.ones(1, 4, dtype=torch.float64)
    one = torch.tensor([[1.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    for x, share in ((ones, 1.0), (one, 0.25), (1e-120 * ones, 1.0)):  # g⁴ of the last is zero in float64
        found = depth_flow([linear(torch.ones(1, 4).double())], x, torch.sum)
        assert found.layers[0].participation == pytest.approx(share)
    found = depth_flow([linear(torch.ones(1, 4).double())], 0 * ones, torch.sum)
    assert (found.layers[0].parameter_gradient, math.isnan(found.layers[0].participation)) == (0.0, True)


@pytest.mark.parametrize("rate", [0.5, 1.0, 2.0])
def test_scaled_orthogonal_layers_scale_every_gradient_alike(rate: float) -> None:
    stack = nn.Sequential(*(linear(rate * orthogonal(8, k)) for k in range(12)))
    found = depth_flow(stack, draw(B, 8), torch.sum, rows=(0, 3))
    want = rate ** torch.arange(12, -1, -1, dtype=torch.float64)
    assert (found.gradient_norms / (want[:, None] * math.sqrt(8)) - 1).abs().max() <= 1e-12
    for chain in (found.chain_largest, found.chain_smallest, found.chain_bound):
        assert (chain / want[:, None] - 1).abs().max() <= 1e-12
    assert abs(found.factor - rate) <= 1e-12
    assert found.verdict.startswith({0.5: "vanishes: ", 1.0: "flows: ", 2.0: "explodes: "}[rate])
    for layer in found.layers:
        assert (layer.largest / rate - 1).abs().max() <= 1e-12
        assert (layer.smallest / rate - 1).abs().max() <= 1e-12


def test_jacobians_are_those_of_autograd_and_the_chain_their_product() -> None:
    stack, x = mixed(), draw(B, 4)
    found = depth_flow(stack, x, squares, rows=(0, 4))
    stack.eval()
    parts = [inner for one in stack for inner in (one if isinstance(one, nn.Sequential) else [one])]
    for place, row in enumerate((0, 4)):
        value, jacobians = x[row], []
        for layer, part in zip(found.layers, parts, strict=True):

            def single(one: Tensor, part: nn.Module = part) -> Tensor:
                return part(one[None].clone())[0]

            jacobian = torch.autograd.functional.jacobian(single, value)
            assert isinstance(jacobian, Tensor)
            jacobians.append(jacobian)
            sizes = torch.linalg.svdvals(jacobian)
            assert abs(float(layer.largest[place] - sizes[0])) <= 1e-12
            assert abs(float(layer.smallest[place] - sizes[-1])) <= 1e-12
            value = single(value).detach()
        chain, bound = torch.eye(3, dtype=torch.float64), 1.0
        for k in range(len(parts) - 1, -1, -1):
            chain, bound = chain @ jacobians[k], bound * float(torch.linalg.matrix_norm(jacobians[k], 2))
            sizes = torch.linalg.svdvals(chain)
            assert abs(float(found.chain_largest[k, place] - sizes[0])) <= 1e-12
            assert abs(float(found.chain_smallest[k, place] - sizes[-1])) <= 1e-12
            assert abs(float(found.chain_bound[k, place]) - bound) <= 1e-9 * bound
    assert bool((found.chain_largest <= found.chain_bound * (1 + 1e-9)).all())


@pytest.mark.parametrize("activation", [nn.Sigmoid, nn.Tanh])
def test_gradients_of_a_row_lie_within_its_chain(activation: Callable[[], nn.Module]) -> None:
    found = depth_flow(deep(activation, 6, 10, 1.3), draw(B, 10), squares, rows=range(B))
    relative = found.gradient_norms / found.gradient_norms[-1]
    assert bool((relative <= found.chain_largest * (1 + 1e-9)).all())
    assert bool((relative >= found.chain_smallest * (1 - 1e-9)).all())


@pytest.mark.parametrize(
    ("activation", "gain", "word"),
    [
        (nn.Sigmoid, 1.0, "vanishes"),  # sigmoid′ ≤ 1/4
        (nn.Tanh, 0.5, "vanishes"),
        (nn.Tanh, 1.0, "flows"),
        (nn.Tanh, 3.0, "explodes"),
        (nn.ReLU, 0.7, "vanishes"),
        (nn.ReLU, math.sqrt(2), "flows"),  # He et al. 2015: half the units are off
        (nn.ReLU, 3.0, "explodes"),
    ],
)
def test_random_deep_nets_do_what_is_known_of_them(activation: Callable[[], nn.Module], gain: float, word: str) -> None:
    found = depth_flow(deep(activation, 20, 64, gain), draw(B, 64), squares)
    assert found.verdict.startswith(f"{word}: through 40 layers ")
    assert f"{found.factor:.3g} times a layer" in found.verdict
    assert "% of them" in found.verdict


def test_a_layer_that_lets_nothing_through_is_named() -> None:
    class Step(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.sign(x)

    found = depth_flow([linear(draw(3, 3)), Step(), linear(draw(3, 3))], draw(B, 3), torch.sum)
    assert found.ratio == 0
    assert "vanishes" in found.verdict
    assert "none of it passes layer 2 (2 Step)" in found.verdict
    flat = depth_flow([linear(draw(3, 3))], draw(B, 3), lambda output: 0 * output.sum())
    assert flat.verdict == "no gradient: the divergence is flat at this output, so that there is nothing to carry back."


def test_images_and_what_is_too_large_for_a_jacobian() -> None:
    torch.manual_seed(0)
    wide = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(72, 4))
    found = depth_flow(wide, torch.randn(B, 1, 6, 6), torch.sum)
    assert bool(torch.isfinite(found.chain_largest).all())
    assert found.gradient_norms.shape == (5, B)
    size = LARGEST + 1
    stack = nn.Sequential(nn.Linear(3, size), nn.Tanh(), nn.Linear(size, 3), nn.Linear(3, 2))
    found = depth_flow(stack, torch.randn(B, 3), torch.sum)
    assert torch.isnan(found.chain_largest[:, 0]).tolist() == [True, True, True, False, False]
    assert [math.isnan(float(layer.largest)) for layer in found.layers] == [True, True, True, False]
    assert bool(torch.isfinite(found.gradient_norms).all())


def test_sequences_are_rows_too() -> None:
    stack, x = nn.Sequential(linear(draw(4, 3)), nn.Tanh(), linear(draw(2, 4))), draw(B, 7, 3)
    found = depth_flow(stack, x, squares)
    alone = torch.autograd.functional.jacobian(lambda one: stack(one[None])[0].flatten(), x[0])
    assert isinstance(alone, Tensor)
    want = torch.linalg.svdvals(alone.reshape(14, 21))
    assert abs(float(found.chain_largest[0, 0] - want[0])) <= 1e-12


def test_float32_is_measured_in_float32_and_given_in_float64() -> None:
    stack, x = mixed(), draw(B, 4)
    exact = depth_flow(stack, x, squares)
    found = depth_flow(stack.float(), x.float(), squares)
    for name in ("gradient_norms", "chain_largest", "chain_smallest", "chain_bound"):
        assert getattr(found, name).dtype == torch.float64
        assert (getattr(found, name) - getattr(exact, name)).abs().max() <= 1e-5
    assert not torch.equal(found.gradient_norms, exact.gradient_norms)


def test_the_stack_and_the_batch_stay_as_they_were() -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            return x * self.calls

    stack = nn.Sequential(*mixed(), Counting())
    squares(stack(draw(B, 4))).backward()  # so that there are gradients to lose
    stack[2].eval()
    before, grads = snapshot(stack), [None if one.grad is None else one.grad.clone() for one in stack.parameters()]
    x = draw(B, 4)
    given = x.clone()
    depth_flow(stack, x, squares, rows=(0, 1))
    assert same(snapshot(stack), before)
    assert all(
        torch.equal(one.grad, grad) if one.grad is not None and grad is not None else one.grad is grad
        for one, grad in zip(stack.parameters(), grads, strict=True)
    )
    assert torch.equal(x, given)
    assert not x.requires_grad
    # and after an error on the way
    with pytest.raises(InputError):
        depth_flow(stack, x, lambda output: output)
    assert same(snapshot(stack), before)


def test_it_works_where_gradients_are_off() -> None:
    stack, x = mixed(), draw(B, 4)
    want = depth_flow(stack, x, squares)
    for context in (torch.no_grad(), torch.inference_mode()):
        with context:
            found = depth_flow(stack, x.clone(), squares)
        assert torch.equal(found.gradient_norms, want.gradient_norms)


def test_dropout_in_training_mode_is_left_out_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    stack, x = mixed(), draw(B, 4)
    with caplog.at_level(logging.WARNING, logger="peephole"):
        training = depth_flow(stack, x, squares, rows=(0, 1, 2))
    assert [record.getMessage() for record in caplog.records] == [
        "measured without dropout and noise: Dropout is in training mode"
    ]
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="peephole"):
        evaluating = depth_flow(stack.eval(), x, squares, rows=(0, 1, 2))
    assert not caplog.records
    assert torch.equal(training.gradient_norms, evaluating.gradient_norms)


def test_frozen_parameters_are_measured() -> None:
    stack, x = deep(nn.Tanh, 3, 4, 1.0), draw(B, 4)
    want = depth_flow(stack, x, squares)
    found = depth_flow(stack.requires_grad_(False), x, squares)
    assert [layer.parameter_gradient for layer in found.layers[::2]] == [
        layer.parameter_gradient for layer in want.layers[::2]
    ]
    assert found.layers[0].parameter_gradient > 0


BAD: list[tuple[Any, Tensor, Any, str]] = [
    ([], torch.ones(2, 3), torch.sum, "stack has no layers; expected one at least"),
    (nn.Sequential(), torch.ones(2, 3), torch.sum, "stack has no layers"),
    (
        [nn.Linear(3, 3)],
        torch.ones(0, 3),
        torch.sum,
        r"batch has shape \[0, 3\]; expected \[B, ...\] with at least one",
    ),
    ([nn.Linear(3, 3)], torch.ones(3), torch.sum, r"batch has shape \[3\]"),
    ([nn.Linear(3, 3)], torch.ones(2, 3).long(), torch.sum, "batch is int64; expected a floating-point tensor"),
    (
        [nn.Linear(3, 3)],
        torch.ones(2, 3).double(),
        torch.sum,
        r"batch is float64 and the stack float32; .*torch\.float32",
    ),
    ([nn.Linear(3, 3)], torch.ones(2, 4), torch.sum, r"layer 1 \(Linear\) does not take \[2, 4\]"),
    ([nn.Linear(3, 3)], torch.ones(2, 3), torch.abs, r"divergence gives shape \[2, 3\]; expected a scalar tensor"),
    ([nn.Linear(3, 3)], torch.ones(2, 3), lambda y: 1.0, "divergence gives a float; expected a scalar"),
    ([nn.Linear(3, 3)], torch.ones(2, 3), lambda y: y.detach().sum(), "divergence does not depend on the output"),
    (
        [nn.Linear(3, 3)],
        torch.ones(2, 3),
        lambda y: torch.ones((), requires_grad=True),
        "does not depend on the output",
    ),
    (
        [nn.Linear(3, 3)],
        torch.ones(2, 3),
        lambda y: y.sum() * math.inf,
        r"divergence is -?(inf|nan); expected a finite",
    ),
    ([nn.Flatten(0)], torch.ones(2, 3), torch.sum, r"layer 1 \(Flatten\) turns \[2, 3\] into \[6\]"),
    ([nn.Linear(3, 3), nn.LSTM(3, 4)], torch.ones(2, 3), torch.sum, r"layer 2 \(LSTM\) is recurrent; .* gradient_flow"),
    ([nn.GRUCell(3, 4)], torch.ones(2, 3), torch.sum, r"layer 1 \(GRUCell\) is recurrent"),
    ([nn.BatchNorm1d(3, track_running_stats=False)], torch.ones(2, 3), torch.sum, "mixes the rows of the batch"),
]


@pytest.mark.parametrize(("stack", "batch", "divergence", "message"), BAD)
@pytest.mark.usefixtures("unchecked_annotations")  # some divergences give what their annotation forbids
def test_what_cannot_be_measured_is_refused_in_one_line(
    stack: Any, batch: Tensor, divergence: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        depth_flow(stack, batch, divergence)
    assert "\n" not in str(caught.value)


def test_peepholes_own_recurrent_layers_are_refused_wherever_they_are() -> None:
    for layer in (peephole.LSTM(3, 4), peephole.GRUCell(3, 4), nn.Sequential(nn.Sequential(nn.RNN(3, 4)))):
        with pytest.raises(InputError, match=r"is recurrent; .* gradient_flow measures a net through time"):
            depth_flow([nn.Tanh(), layer], torch.ones(2, 3), torch.sum)


def test_a_layer_that_gives_more_than_a_tensor_is_refused() -> None:
    class Pair(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x, x

    with pytest.raises(InputError, match=r"layer 1 \(Pair\) gives a tuple; expected one floating-point tensor"):
        depth_flow([Pair()], draw(B, 3), squares)


def test_a_layer_that_mixes_rows_without_failing_is_refused() -> None:
    class Centred(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x - x.mean(0)

    with pytest.raises(InputError, match=r"layer 1 \(Centred\) mixes the rows of the batch"):
        depth_flow([Centred()], draw(B, 3), squares)
    assert depth_flow([Centred()], draw(B, 3), squares, rows=()).chain_largest.shape == (2, 0)


@pytest.mark.parametrize("rows", [(2,), (-1,), (0, 7), (True,)])
def test_rows_outside_the_batch_are_refused(rows: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"rows has .*; expected rows of the batch, 0 to 1"):
        depth_flow([nn.Linear(3, 3)], torch.ones(2, 3), torch.sum, rows=rows)


@pytest.mark.usefixtures("unchecked_annotations")
def test_what_is_no_stack_is_refused() -> None:
    for stack in (nn.Linear(3, 3), [torch.tanh], "tanh", None):
        with pytest.raises(InputError, match=r"expected an nn\.Sequential or a sequence of modules"):
            depth_flow(stack, torch.ones(2, 3), torch.sum)  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="batch is list; expected a floating-point tensor"):
        depth_flow([nn.Tanh()], [[1.0]], torch.sum)  # pyright: ignore[reportArgumentType]


def plotted(found: DepthFlow) -> Any:
    ax = Figure().subplots()
    found.plot(ax)
    return ax


def test_figure_shows_gradients_relative_to_the_output() -> None:
    found = depth_flow(deep(nn.Sigmoid, 4, 6, 1.0), draw(B, 6), squares, rows=(0, 2))
    ax = plotted(found)
    drawn = {str(line.get_label()): np.asarray(line.get_ydata(), dtype=float) for line in ax.lines}
    assert np.allclose(drawn["‖∂Div/∂f$_k$‖, mean"], found.mean_norms / found.mean_norms[-1])
    assert np.allclose(drawn["product of the layers' norms, 2 rows"], found.chain_bound.amax(1))
    assert [label.get_text() for label in ax.get_xticklabels()][:3] == ["input", "1 Linear", "2 Sigmoid"]
    assert ax.get_yscale() == "log"
    assert plotted(depth_flow(deep(nn.Tanh, 15, 4, 1.0), draw(B, 4), squares)).get_xlabel() == "layer k"


def test_figures_of_what_has_no_gradient_or_no_rows() -> None:
    flat = plotted(depth_flow([linear(draw(3, 3))], draw(B, 3), lambda output: 0 * output.sum()))
    assert [text.get_text() for text in flat.texts] == ["no gradient at the output"]
    bare = plotted(depth_flow([linear(draw(3, 3))], draw(B, 3), squares, rows=()))
    assert not bare.collections
