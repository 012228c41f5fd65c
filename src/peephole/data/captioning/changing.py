"""What training makes of pictures each time that it reads them: other cuts, mirrored, in other light."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

SQUEEZE = 0.15  # of a cut: how much the logarithm of its width over its height may be off zero, in both directions


@dataclass(frozen=True)
class Changing:
    """How much pictures are changed.

    Attributes:
        crop: share of the sides that is cut away at most; what is left is brought back to the whole size.
        mirror: whether every other picture is mirrored, left to right.
        light: by how much brightness and contrast change at most, 1 being the whole range; colours by a third of it.
    """

    crop: float = 0.0
    mirror: bool = False
    light: float = 0.0

    @property
    def any(self) -> bool:
        return bool(self.crop or self.mirror or self.light)

    def __call__(
        self, pictures: Float[Tensor, "pictures 3 size size"], random: np.random.Generator
    ) -> Float[Tensor, "pictures 3 size size"]:
        """Each picture changed in its own way."""
        if self.crop or self.mirror:
            cuts = self._cuts(len(pictures), random)
            grid = functional.affine_grid(cuts, list(pictures.shape), align_corners=False)
            pictures = functional.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)
        if self.light:
            count = len(pictures)
            contrast = _tensor(1 + self.light * random.uniform(-1, 1, (count, 1, 1, 1)))
            shift = self.light * random.uniform(-0.25, 0.25, (count, 1, 1, 1))
            tint = self.light / 3 * random.uniform(-0.25, 0.25, (count, 3, 1, 1))
            pictures = (pictures - 0.5) * contrast + _tensor(0.5 + shift + tint)
        return pictures

    def _cuts(self, count: int, random: np.random.Generator) -> Float[Tensor, "pictures 2 3"]:
        """Of each picture the map from the places of the new picture to those of the old, both from -1 to 1."""
        side = 1 - self.crop * random.uniform(0, 1, count)
        squeeze = np.exp(random.uniform(-SQUEEZE, SQUEEZE, count)) if self.crop else np.ones(count)
        wide, high = np.minimum(1, side * squeeze), np.minimum(1, side / squeeze)
        flipped = np.where(random.uniform(0, 1, count) < 0.5, -1.0, 1.0) if self.mirror else np.ones(count)
        cuts = np.zeros((count, 2, 3))
        cuts[:, 0, 0], cuts[:, 1, 1] = wide * flipped, high
        cuts[:, 0, 2] = (1 - wide) * random.uniform(-1, 1, count)
        cuts[:, 1, 2] = (1 - high) * random.uniform(-1, 1, count)
        return _tensor(cuts)


def _tensor(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
