"""`PictureEncoder`: a convolutional net that is trained from scratch, small enough for a processor."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from peephole.errors import InputError
from peephole.models.attention import Memory

STRIDE = 16  # pixels between two places of the grid, in both directions
STAGES = 3  # each but the first halves the sides and doubles the filters
NEVER = -4.0  # where the logits of named words begin: few words are in the captions of any one picture


class Block(nn.Module):
    """y = relu(x + F(x)), F two 3×3 convolutions with batch normalisation (He et al. 2016).

    Where sides or filters change, x goes through a mean over each stride and a 1×1 convolution (ResNet-D, He et al.
    2019).
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride), nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        inner = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(self.shortcut(x) + self.second_norm(self.second(inner)))


class PictureEncoder(nn.Module):
    """Pictures `[N, 3, height, width]`, from 0 to 1, to the places of a grid and their mean as summary.

    The stem goes to a quarter of each side at once, as most of the work would be at the full size. A place of the grid
    is 16 × 16 pixels: of 96 × 96 there are 36 (the annotation vectors of Xu et al. 2015; the summary is what Vinyals et
    al. 2015 begin from). With `named` words it also learns which of them are in the captions of a picture, from the
    summary alone: the divergence of a whole caption teaches a net without earlier training little of what to look for.

    Arguments: `filters` of the first stage, `blocks` in each stage, `mean` and `scale` of red, green and blue, and
    `dropout` of places and summary while training.

    Attributes:
        memory: numbers of a place, and of the summary.

    Raises:
        InputError: a picture whose sides are no multiple of 16.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        filters: int,
        blocks: int,
        mean: tuple[float, ...],
        scale: tuple[float, ...],
        named: int = 0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("scale", torch.tensor(scale)[:, None, None], persistent=False)
        layers: list[nn.Module] = [nn.Conv2d(3, filters, 6, 4, 1, bias=False), nn.BatchNorm2d(filters), nn.ReLU()]
        width = filters
        for stage in range(STAGES):
            for block in range(blocks):
                wider = filters * 2**stage
                layers.append(Block(width, wider, 2 if stage and not block else 1))
                width = wider
        self.layers = nn.Sequential(*layers)
        self.memory = width
        self.words: nn.Linear | None = nn.Linear(width, named) if named else None
        if self.words is not None:
            nn.init.constant_(self.words.bias, NEVER)
        self._named: Tensor | None = None

    def encode(
        self,
        inputs: Float[Tensor, "pictures 3 height width"],
        lengths: Tensor | None = None,
        seed: Tensor | None = None,
    ) -> Memory:
        """Places `[S, N, M]`, row by row from the upper left, and summary `[N, M]`; pictures have no lengths."""
        if inputs.shape[-1] % STRIDE or inputs.shape[-2] % STRIDE:
            raise InputError(f"pictures of {tuple(inputs.shape[-2:])} pixels; expected sides that are multiples of 16")
        scaled = (inputs - self.mean) / self.scale
        grid = self.layers(scaled.contiguous(memory_format=torch.channels_last)).flatten(2)  # [N, M, S]; a third faster
        summary = grid.mean(-1)
        if self.words is not None and self.training:
            self._named = self.words(summary)
        return Memory(self._dropped(grid.permute(2, 0, 1)), None, self._dropped(summary))

    def take_named(self) -> Float[Tensor, "pictures words"] | None:
        """Logits of the words of the pictures that were read last while training; once, and None without any."""
        named, self._named = self._named, None
        return named

    def _dropped(self, values: Tensor) -> Tensor:
        return functional.dropout(values, self.dropout, self.training)
