"""The feed-forward counterpart of `by_hand`: the parity of N bits by threshold units, exact, for one N."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from peephole.errors import InputError
from peephole.shapes import Symbols

XorForm = Literal["tree", "count"]


class ThresholdNet(nn.Module):
    """Layers of units that are 1 where their weighted sum reaches their threshold, and 0 elsewhere.

    `net(bits [N, B]) -> [B]`, 0 or 1. A layer reads as many values as it has columns; those after them go past it, to
    the layer above.
    """

    def __init__(self, bits: int, layers: list[tuple[Tensor, Tensor]]) -> None:
        """`layers`: weights `[units, values]` and thresholds `[units]`, from the bits up."""
        super().__init__()
        self.bits = bits
        self.layers = nn.ModuleList()
        for weight, threshold in layers:
            layer = nn.Linear(weight.shape[1], weight.shape[0])
            layer.load_state_dict({"weight": weight, "bias": -threshold})
            self.layers.append(layer.requires_grad_(False))

    @property
    def units(self) -> int:
        """Threshold units, the one that answers included."""
        return sum(len(layer.bias) for layer in self._linear)

    @property
    def connections(self) -> int:
        """Weights that are not zero."""
        return sum(int(layer.weight.count_nonzero()) for layer in self._linear)

    @property
    def depth(self) -> int:
        """Layers of units from the bits to the answer."""
        return len(self.layers)

    @property
    def _linear(self) -> list[nn.Linear]:
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]

    def forward(self, bits: Symbols) -> Float[Tensor, " batch"]:
        if len(bits) != self.bits:
            raise InputError(f"got {len(bits)} bits; this net reads {self.bits}, no more and no fewer")
        values = bits.float().T  # [B, N]
        for layer in self._linear:
            read, past = values.tensor_split([layer.in_features], dim=1)
            values = torch.cat([(layer(read) >= 0).float(), past], dim=1)
        return values[:, 0]


def xor_by_hand(bits: int, form: XorForm = "tree") -> ThresholdNet:
    """1 where the number of ones among N bits is odd.

    - tree: pairs of bits, pairs of pairs, and so on, each by OR, AND and OR − AND ≥ ½: 3 (N − 1) units in 2 ⌈log₂ N⌉
      layers, 6 (N − 1) connections.
    - count: N hidden units, of which the k-th is on where at least k bits are; the answer takes them with + and − in
      turn (Rumelhart, Hinton & Williams 1986). N + 1 units in two layers, N² + N connections.
    """
    if bits < 1:
        raise InputError(f"bits is {bits}; expected at least 1")
    if form == "count":
        first = torch.ones(bits, bits), torch.arange(1.0, bits + 1) - 0.5
        signs = 1 - 2 * (torch.arange(float(bits)) % 2)
        return ThresholdNet(bits, [first, (signs[None], torch.tensor([0.5]))])
    if form != "tree":
        raise InputError(f"form is {form!r}; expected tree or count")
    layers: list[tuple[Tensor, Tensor]] = []
    values = bits
    while values > 1:
        pairs = torch.eye(values // 2)
        either_both = pairs.repeat_interleave(2, 0).repeat_interleave(2, 1)  # [units, values], OR and AND of each pair
        layers.append((either_both, torch.tensor([0.5, 1.5]).repeat(len(pairs))))
        layers.append((torch.kron(pairs, torch.tensor([[1.0, -1.0]])), torch.full((len(pairs),), 0.5)))
        values -= len(pairs)
    return ThresholdNet(bits, layers)
