"""Names for the shapes of public tensors. Time comes first: `[T, B, ...]`."""

from jaxtyping import Bool, Float, Int
from torch import Tensor

Symbols = Int[Tensor, "time batch"]
Logits = Float[Tensor, "time batch classes"]
Distributions = Float[Tensor, "batch classes"]
Weights = Float[Tensor, "time batch"]
Resets = Bool[Tensor, "time batch"]
