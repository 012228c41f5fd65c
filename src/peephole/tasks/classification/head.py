"""The head of a classifier: pooled over time, and some of what was pooled dropped while training."""

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import dropout

from peephole.models.heads import Pool, Pooled


class DroppedPooled(Pooled):
    """`Pooled`, without a share `rate` of the pooled numbers while training.

    Dropping outputs of steps instead would do little: a mean over many steps hardly feels it.
    """

    def __init__(self, width: int, outputs: int, pool: Pool = "last", both: bool = False, rate: float = 0.0) -> None:
        super().__init__(width, outputs, pool, both)
        self.rate = rate

    def pooled(
        self, y: Float[Tensor, "time batch width"], lengths: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch pooled"]:
        return dropout(super().pooled(y, lengths), self.rate, self.training)
