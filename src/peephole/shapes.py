"""Names for the shapes of public tensors. Time comes first: `[T, B, ...]`."""

from jaxtyping import Bool, Float, Int
from torch import Tensor

Sequence = Float[Tensor, "time batch features"]
Output = Float[Tensor, "time batch hidden"]
State = Float[Tensor, "batch hidden"]
Lengths = Int[Tensor, "batch"]
Resets = Bool[Tensor, "time batch"]
