"""Which softmax a configuration gets."""

import pytest

from peephole.models.language.config import LanguageConfig
from peephole.models.softmax import AdaptiveSoftmax, FullSoftmax, SampledSoftmax, softmax_of


@pytest.mark.parametrize(
    ("kind", "symbols", "right"),
    [
        ("auto", 100, FullSoftmax),
        ("auto", 10_001, FullSoftmax),
        ("auto", 33_279, SampledSoftmax),
        ("full", 33_279, FullSoftmax),
        ("adaptive", 33_279, AdaptiveSoftmax),
        ("sampled", 10_001, SampledSoftmax),
        ("adaptive", 100, FullSoftmax),  # clusters of so few cost more than they save
        ("sampled", 4096, FullSoftmax),  # as many samples as symbols are all of them
    ],
)
def test_the_softmax_that_a_configuration_gets(kind, symbols, right):
    head = softmax_of(LanguageConfig(softmax=kind), 4, symbols)
    assert type(head) is right
    assert head.weight.shape == (symbols, 4)


def test_settings_reach_it():
    head = softmax_of(LanguageConfig(softmax="adaptive", cutoffs=(5, 9)), 4, 30)
    assert isinstance(head, AdaptiveSoftmax)
    assert head.cutoffs == (5, 9)
    head = softmax_of(LanguageConfig(softmax="sampled", samples=7), 4, 30)
    assert isinstance(head, SampledSoftmax)
    assert head.samples == 7
