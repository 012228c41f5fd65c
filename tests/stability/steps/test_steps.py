"""The closed-form step of every cell against torch's derivative of the equations, float64."""

import pytest
import torch
from torch import Tensor

import peephole
from peephole.reference.sequence import STEPS
from peephole.spec import FAMILIES, CellSpec
from peephole.stability.recordings.passage import Passage
from peephole.stability.recordings.recording import record
from peephole.stability.steps import linearise

from ...cells import MATRIX
from ..nets import lively

TOLERANCE = 1e-9
T, B = 6, 3


@pytest.fixture
def user_cell():
    """A minimal gated unit with a parameter of its own; forgotten afterwards."""

    @peephole.register_cell("mgu_of_steps", gates=("f", "n"), parameters={"weight_hy": ("H", "H")})
    def minimal_gated_unit(z, states, weights):
        (h,) = states
        W_f, W_n = weights["weight_hh"].chunk(2)
        f = torch.sigmoid(z["f"] + h @ W_f.T)
        return ((1 - f) * h + f * torch.tanh(z["n"] + (f * h) @ W_n.T + h @ weights["weight_hy"].T),)

    yield CellSpec("mgu_of_steps")
    del FAMILIES["mgu_of_steps"], STEPS["mgu_of_steps"]


def passage_of(spec: CellSpec) -> Passage:
    return record(lively(spec), torch.randn(T, B, 3, dtype=torch.float64)).layers[0][0]


def jacobian_by_autograd(passage: Passage, t: int) -> Tensor:
    """[B, S, S]."""

    def step(*states: Tensor) -> Tensor:
        after = STEPS[passage.spec.family](passage.spec, passage.x[t], states, dict(passage.weights), None)
        return torch.cat(after, -1).sum(0)

    found = torch.autograd.functional.jacobian(step, tuple(state[t] for state in passage.before))
    return torch.cat([each.permute(1, 0, 2) for each in found], -1)


def check_steps(passage: Passage) -> None:
    steps = linearise(passage)
    generator = torch.Generator().manual_seed(1)
    for t in (0, 3, T - 1):
        want = jacobian_by_autograd(passage, t)
        assert (steps.jacobian(t) - want).abs().max() <= TOLERANCE
        vectors = tuple(torch.randn(4, B, size, dtype=torch.float64, generator=generator) for size in passage.sizes)
        together = torch.cat(vectors, -1)
        pulled = torch.cat(steps.pull(t, vectors).before, -1)
        assert (pulled - torch.einsum("nbi,bij->nbj", together, want)).abs().max() <= TOLERANCE
        pushed = torch.cat(steps.push(t, vectors), -1)
        assert (pushed - torch.einsum("bij,nbj->nbi", want, together)).abs().max() <= TOLERANCE


def check_parameters(passage: Passage) -> None:
    """Immediate partial derivatives at all steps at once, and the gradient of x."""
    gradients = tuple(torch.randn(T, B, size, dtype=torch.float64) for size in passage.sizes)
    weights = {name: weight.clone().requires_grad_() for name, weight in passage.weights.items()}
    x = passage.x.clone().requires_grad_()
    states = tuple(state.flatten(0, 1) for state in passage.before)
    after = STEPS[passage.spec.family](passage.spec, x.flatten(0, 1), states, weights, None)
    total = sum((one * two.flatten(0, 1)).sum() for one, two in zip(after, gradients, strict=True))
    found = torch.autograd.grad(total, [*weights.values(), x], allow_unused=True, materialize_grads=True)
    want = dict(zip([*weights, "x"], found, strict=True))
    steps = linearise(passage)
    pulled = steps.pull(slice(None), gradients)
    got = steps.parameter_gradients(slice(None), gradients, pulled) | {"x": steps.input_gradient(pulled)}
    assert got.keys() == want.keys()
    for name, gradient in want.items():
        assert (got[name] - gradient).abs().max() <= TOLERANCE, name


@pytest.mark.parametrize("spec", MATRIX.values(), ids=MATRIX)
def test_the_step_of_every_cell(spec: CellSpec) -> None:
    passage = passage_of(spec)
    check_steps(passage)
    check_parameters(passage)


def test_the_step_of_a_cell_of_ones_own(user_cell: CellSpec) -> None:
    passage = passage_of(user_cell)
    check_steps(passage)
    check_parameters(passage)


def test_the_simple_nets_jacobian_is_the_lectured_one() -> None:
    passage = passage_of(CellSpec("rnn"))
    slope = 1 - passage.after[0].square()  # [T, B, H]
    want = slope[2, 1][:, None] * passage.weights["weight_hh"]  # diag(f′) W
    assert (linearise(passage).jacobian(2)[1] - want).abs().max() <= 1e-14


def test_zoneout_keeps_its_share_of_the_identity() -> None:
    x = torch.randn(T, B, 3, dtype=torch.float64)
    net = lively(CellSpec("lstm"), zoneout=0.25, zoneout_cell=0.5).eval()
    passage = record(net, x).layers[0][0]
    output, _ = net(x)
    assert (passage.output - output).abs().max() <= 1e-12
    share = torch.tensor([0.25] * 5 + [0.5] * 5, dtype=torch.float64)
    want = torch.diag(share) + (1 - share)[:, None] * jacobian_by_autograd(passage, 2)
    assert (linearise(passage).jacobian(2) - want).abs().max() <= TOLERANCE


def test_frozen_rows_pass_everything_and_borders_nothing() -> None:
    x = torch.randn(T, B, 3, dtype=torch.float64)
    resets = torch.zeros(T, B, dtype=torch.bool)
    resets[3, 0] = True
    steps = linearise(
        record(lively(CellSpec("gru")), {"input": x, "lengths": [T, 2, T], "resets": resets}).layers[0][0]
    )
    identity = torch.eye(5, dtype=torch.float64)
    assert torch.equal(steps.jacobian(4)[1], identity)
    assert torch.equal(steps.jacobian(3)[0], torch.zeros(5, 5, dtype=torch.float64))
    assert not torch.equal(steps.jacobian(3)[2], identity)
    gradients = (torch.randn(B, 5, dtype=torch.float64),)
    assert torch.equal(steps.pull(4, gradients).before[0][1], gradients[0][1])
    assert not steps.pull(3, gradients).before[0][0].any()
