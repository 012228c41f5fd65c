"""The sampled softmax: an unbiased normaliser, gradients right on average, exact where it is used."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from peephole.errors import InputError
from peephole.models.softmax import SampledSoftmax
from peephole.models.softmax.sampled import inclusion


@pytest.mark.parametrize(("symbols", "samples"), [(1, 1), (100, 7), (1000, 999), (33_279, 4096), (50, 50)])
def test_chances_add_up_to_the_samples_and_fall_with_rank(symbols, samples):
    chances = inclusion(symbols, samples)
    assert abs(chances.sum().item() - samples) <= 1e-6 * samples
    assert (chances.diff() <= 0).all()
    assert ((chances > 0) & (chances <= 1)).all()
    if samples == symbols:
        assert (chances == 1).all()


def test_each_symbol_is_drawn_as_often_as_its_chance_says():
    torch.manual_seed(0)
    head = SampledSoftmax(3, 60, 12)
    drawn = torch.stack([head.draw() for _ in range(2000)])
    assert (drawn.diff(dim=1) >= 0).all()
    often = torch.bincount(drawn.flatten(), minlength=60) / 2000
    chances = inclusion(60, 12)
    assert (often - chances).abs().max() <= 4 * 0.5 / 2000**0.5
    certain = int((chances > 1 - 1e-9).sum())
    assert certain
    assert (often[:certain] == 1).all()


def test_the_normaliser_is_right_on_average():
    """E of exp(nats) is the normaliser over exp of the target's logit, exactly: of a target that is always drawn, and
    of one that seldom is.
    """
    torch.manual_seed(1)
    head, h, draws = SampledSoftmax(4, 40, 10), torch.randn(1, 4), 400
    for target in (torch.tensor([0]), torch.tensor([38])):
        odds = torch.stack([head.divergence(h, target) for _ in range(draws)]).detach().exp()
        right = cross_entropy(head(h), target).detach().exp()
        assert odds.std() > 0.01 * right
        assert (odds.mean() - right).abs() <= 4 * odds.std() / draws**0.5


def test_gradients_come_nearer_with_more_samples():
    torch.manual_seed(2)
    errors = []
    for samples in (20, 80, 200):
        head = SampledSoftmax(4, 200, samples)
        h, targets = torch.randn(64, 4), torch.randint(200, (64,))
        right = torch.autograd.grad(cross_entropy(head(h), targets, reduction="sum"), head.weight)[0]
        found = [torch.autograd.grad(head.divergence(h, targets), head.weight)[0] for _ in range(100)]
        errors.append(((torch.stack(found).mean(0) - right).norm() / right.norm()).item())
    assert errors[0] > errors[1] > errors[2]
    assert errors[1] <= 0.1
    assert errors[2] <= 1e-5


def test_a_target_that_was_drawn_counts_once():
    """With logits that leave the target alone with probability, drawing it changes nothing."""
    head = SampledSoftmax(1, 50, 20)
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.zeros_(head.bias)
    with torch.no_grad():
        head.bias[0] = head.bias[49] = 50.0
    h = torch.zeros(1, 1)
    nats = torch.stack([head.divergence(h, torch.tensor([49])) for _ in range(200)]).detach()
    assert (nats - torch.tensor(2.0).log()).abs().max() <= 1e-5  # symbol 0, always drawn, and the target


def test_it_is_drawn_from_torchs_generator_and_can_be_repeated():
    head, h, targets = SampledSoftmax(4, 200, 20), torch.randn(8, 4), torch.randint(200, (8,))
    state = torch.get_rng_state()
    first = [head.divergence(h, targets).item() for _ in range(3)]
    torch.set_rng_state(state)
    assert [head.divergence(h, targets).item() for _ in range(3)] == first
    assert len(set(first)) == 3


def test_nothing_is_drawn_where_it_is_measured():
    head, h, targets = SampledSoftmax(4, 200, 20), torch.randn(8, 4), torch.randint(200, (8,))
    right, state = cross_entropy(head(h), targets, reduction="sum"), torch.get_rng_state()
    with torch.no_grad():
        assert abs(head.divergence(h, targets) - right) <= 1e-4
    head.eval()
    assert abs(head.divergence(h, targets) - right) <= 1e-4
    assert abs(head.surprisals(h, targets).sum() - right) <= 1e-4
    assert (torch.get_rng_state() == state).all()


def test_symbols_that_were_not_drawn_get_no_gradient():
    torch.manual_seed(3)
    head, h = SampledSoftmax(4, 500, 20), torch.randn(3, 4)
    state = torch.get_rng_state()
    drawn = set(head.draw().tolist())
    torch.set_rng_state(state)
    head.divergence(h, torch.tensor([0, 450, 450])).backward()
    touched = set(head.weight.grad.abs().sum(1).nonzero()[:, 0].tolist())
    assert touched == drawn | {0, 450}


def test_what_is_kept_is_a_linear_maps():
    assert set(SampledSoftmax(4, 200, 20).state_dict()) == {"weight", "bias"}


@pytest.mark.parametrize("samples", [0, -1, 201])
def test_samples_that_cannot_be_are_refused(samples):
    with pytest.raises(InputError, match=f"samples are {samples}; expected 1 to the 200 symbols"):
        SampledSoftmax(4, 200, samples)
