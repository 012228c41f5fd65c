"""Biases that start at what is known of the symbols."""

import pytest
import torch

from peephole.models.softmax import AdaptiveSoftmax, FullSoftmax, SampledSoftmax

HEADS = {"full": FullSoftmax(3, 6), "sampled": SampledSoftmax(3, 6, 2), "adaptive": AdaptiveSoftmax(3, 6, (2, 4))}


@pytest.mark.parametrize("kind", HEADS)
def test_before_it_knows_anything_a_head_says_what_it_began_with(kind):
    shares = torch.tensor([0.4, 0.3, 0.05, 0.15, 0.09, 0.01])
    HEADS[kind].begin_with(shares.log())
    found = HEADS[kind](torch.zeros(2, 3)).softmax(-1)
    assert (found - shares).abs().max() <= 1e-6
    assert (HEADS[kind].surprisals(torch.zeros(6, 3), torch.arange(6)) + shares.log()).abs().max() <= 1e-5
