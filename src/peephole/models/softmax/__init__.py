"""Softmax heads: the choice among all symbols, trained in full, by clusters, or against a drawn few.

Each is an `nn.Linear` of V outputs whose `divergence` is one fused operation that never holds all logits, and whose
`surprisals` are exact. What comes before a head, and what a divergence is averaged over, is not here.
"""

from peephole.models.softmax.adaptive import AdaptiveSoftmax as AdaptiveSoftmax
from peephole.models.softmax.choosing import softmax_of as softmax_of
from peephole.models.softmax.linear import FullSoftmax as FullSoftmax
from peephole.models.softmax.sampled import SampledSoftmax as SampledSoftmax
