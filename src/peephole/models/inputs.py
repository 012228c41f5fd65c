"""Input layers: what a step of the input becomes before the recurrent layers read it.

Each is called `layer(inputs [T, B, …], lengths [B] | None) -> (x [T', B, width], lengths')` through `enter`, and knows
its `width`. Symbols go through `nn.Embedding`, whose rows the recurrent layer may fold into its own weights.
"""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from peephole.errors import InputError

Steps = Float[Tensor, "time batch features"]
Entered = tuple[Tensor, Tensor | None]


@runtime_checkable
class InputLayer(Protocol):
    """What a `SequenceModel` asks of an input layer besides being a module."""

    width: int

    def enter(self, inputs: Tensor, lengths: Tensor | None) -> Entered: ...


def width_of(layer: nn.Module) -> int:
    """Numbers a step that a layer gives. `InputError` for a module that is no input layer."""
    if isinstance(layer, nn.Embedding):
        return layer.embedding_dim
    if not isinstance(layer, InputLayer):
        raise InputError(f"got a {type(layer).__name__} as input layer; expected nn.Embedding or one of models.inputs")
    return layer.width


def entered(layer: nn.Module, inputs: Tensor, lengths: Tensor | None = None) -> Entered:
    """What a layer makes of the inputs, symbols or whatever it reads, and how long its rows then are."""
    if isinstance(layer, nn.Embedding):
        return layer(inputs), lengths
    assert isinstance(layer, InputLayer)
    return layer.enter(inputs, lengths)


class Numbers(nn.Module):
    """`features` numbers a step, as they are."""

    def __init__(self, features: int) -> None:
        super().__init__()
        _check(features=features)
        self.width = features

    def enter(self, inputs: Steps, lengths: Int[Tensor, " batch"] | None = None) -> Entered:
        """`[T, B, I]`, unchanged."""
        return inputs, lengths


class Projection(nn.Linear):
    """A linear map of the `features` numbers of a step to `width`."""

    def __init__(self, features: int, width: int) -> None:
        _check(features=features, width=width)
        super().__init__(features, width)
        self.width = width

    def enter(self, inputs: Steps, lengths: Int[Tensor, " batch"] | None = None) -> Entered:
        """`[T, B, I]` to `[T, B, width]`."""
        return self(inputs), lengths


class Convolution(nn.Module):
    """Filters over `kernel` steps, one place every `stride` of them: `[T, B, I]` to `[⌈T / stride⌉, B, width]`.

    Causal: place t reads the steps up to t·stride + stride − 1 and none after it, with zeros before the first step. So
    a stream can follow, and `stride` equal to `kernel` cuts the sequence into segments.
    """

    def __init__(self, features: int, width: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        _check(features=features, width=width, kernel=kernel, stride=stride)
        if stride > kernel:
            raise InputError(f"stride is {stride} and kernel {kernel}; expected a stride of at most the kernel's steps")
        self.width, self.kernel, self.stride = width, kernel, stride
        self.filters = nn.Conv1d(features, width, kernel, stride)

    def enter(self, inputs: Steps, lengths: Int[Tensor, " batch"] | None = None) -> Entered:
        """As the class says; a row's length becomes the number of places that begin before its end."""
        steps = len(inputs)
        if lengths is not None:  # a place that begins before a row's end may reach beyond it
            alive = torch.arange(steps, device=inputs.device)[:, None] < lengths.to(inputs.device)
            inputs = inputs * alive[..., None]
        before, after = self.kernel - self.stride, -steps % self.stride
        padded = nn.functional.pad(inputs.permute(1, 2, 0), (before, after))  # [B, I, T]
        found = torch.relu(self.filters(padded)).permute(2, 0, 1)
        return found, None if lengths is None else -(-lengths // self.stride)


def _check(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise InputError(f"{name} is {size}; expected at least 1")
