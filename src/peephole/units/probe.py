"""A linear probe: what all states of all layers together say of each property."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

# The penalty of each weight, in units of its state's own variance: as if every state came with as much noise as it has
# signal. Less fits the rows that it saw and none other, as states are many and text that hangs together is little.
RIDGE = 1.0


@dataclass(frozen=True, eq=False)
class Probe:
    """Predicts properties, standardised by those it was fitted on, as Σ_l (s_l − mean_l) weights_l.

    `weights[l]` is `[U, P]`, `means[l]` `[U]`; `centre` and `spread` `[P]` are of the properties.
    """

    weights: tuple[Tensor, ...]
    means: tuple[Tensor, ...]
    centre: Tensor
    spread: Tensor

    def standardised(self, properties: Float[Tensor, "*any properties"]) -> Float[Tensor, "*any properties"]:
        """Properties as the probe predicts them."""
        return ((properties.double() - self.centre) / self.spread).float()

    def part(self, layer: int, states: Float[Tensor, "*any units"]) -> Float[Tensor, "*any properties"]:
        """What a layer's states add to the prediction."""
        return (states - self.means[layer]) @ self.weights[layer]


def fit_probe(states: list[Tensor], properties: Float[Tensor, "time rows properties"]) -> Probe:
    """Ridge regression on the states `[T, B, U]` of each layer (Hoerl & Kennard 1970)."""
    seen = properties.flatten(0, 1).double()
    centre, spread = seen.mean(0), seen.std(0, correction=0).clamp_min(1e-12)
    flat = torch.cat([layer.flatten(0, 1) for layer in states], dim=1).double()  # [N, L·U]
    means = flat.mean(0)
    flat -= means
    products = flat.t() @ flat
    penalty = RIDGE * torch.diagonal(products) + 1e-9 * len(flat)  # a state that never moves gets no weight
    weights = torch.linalg.solve(products + torch.diag(penalty), flat.t() @ ((seen - centre) / spread))
    sizes = [layer.shape[-1] for layer in states]
    return Probe(tuple(weights.float().split(sizes)), tuple(means.float().split(sizes)), centre, spread)


def explained(
    predicted: Float[Tensor, "time rows properties"], standardised: Float[Tensor, "time rows properties"]
) -> Float[Tensor, "properties"]:
    """R² of predictions; NaN where the property does not change."""
    wrong = (predicted - standardised).square().mean((0, 1))
    return 1.0 - wrong / standardised.var((0, 1), correction=0)
