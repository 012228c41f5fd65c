"""The adaptive softmax: torch's where the structures agree, its clusters, and where they begin."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from peephole.errors import InputError
from peephole.models.softmax import AdaptiveSoftmax
from peephole.models.softmax.cutoffs import cheapest_cutoffs, shares


def expected_products(symbols: int, cutoffs: tuple[int, ...]) -> float:
    share, bounds = shares(symbols), [*cutoffs, symbols]
    first = bounds[0] + len(cutoffs)
    return first + sum((end - start) * share[start:end].sum() for start, end in pairwise(bounds))


def test_it_is_torchs_where_rare_words_keep_their_width():
    torch.manual_seed(0)
    theirs = nn.AdaptiveLogSoftmaxWithLoss(7, 60, [10, 25], div_value=1.0, head_bias=True)
    ours = AdaptiveSoftmax(7, 60, (10, 25))
    with torch.no_grad():
        ours.bias.zero_()
        ours.weight[:10], ours.bias[:10] = theirs.head.weight[:10], theirs.head.bias[:10]
        ours.clusters.weight[:], ours.clusters.bias[:] = theirs.head.weight[10:], theirs.head.bias[10:]
        for (start, end), tail in zip(ours.bounds, theirs.tail, strict=True):
            tail[0].weight.copy_(torch.eye(7))  # pyright: ignore
            ours.weight[start:end] = tail[1].weight  # pyright: ignore
    h, targets = torch.randn(40, 7), torch.randint(60, (40,))
    output, loss = theirs(h, targets)
    assert (ours(h) - theirs.log_prob(h)).abs().max() <= 1e-5
    assert (ours.surprisals(h, targets) + output).abs().max() <= 1e-5
    assert abs(ours.divergence(h, targets) / 40 - loss) <= 1e-5


def test_clusters_without_a_target_get_zero_gradients():
    head = AdaptiveSoftmax(5, 40, (10, 20))
    h, targets = torch.randn(6, 5), torch.tensor([0, 9, 3, 25, 39, 1])
    head.divergence(h, targets).backward()
    assert (head.weight.grad[10:20] == 0).all()
    assert (head.bias.grad[10:20] == 0).all()
    assert (head.weight.grad[20:] != 0).any(1).all()
    assert (head.clusters.bias.grad != 0).all()


def test_cutoffs_cost_least_among_their_neighbours():
    for symbols in (10_000, 33_279, 270_000):
        found = cheapest_cutoffs(symbols)
        assert 1 <= len(found) <= 3
        assert list(found) == sorted(set(found))
        assert found[-1] < symbols
        cost = expected_products(symbols, found)
        assert cost < symbols / 5
        for factor in (0.4, 2.5):
            moved = tuple(sorted({min(symbols - 1, max(1, int(cut * factor))) for cut in found}))
            assert cost < expected_products(symbols, moved)


def test_few_symbols_need_no_clusters():
    assert cheapest_cutoffs(1) == cheapest_cutoffs(30) == ()


@pytest.mark.parametrize("cutoffs", [(), (0, 5), (5, 5), (9, 5), (5, 30), (31,)])
def test_cutoffs_that_cannot_be_are_refused(cutoffs):
    with pytest.raises(InputError, match=r"cutoffs are .*; expected rising ranks from 1 to below the 30 symbols"):
        AdaptiveSoftmax(4, 30, cutoffs)
