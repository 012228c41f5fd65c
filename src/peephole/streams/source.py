"""A model as tensors: what a snapshot is packed from, checked before anything is."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from peephole.errors import InputError
from peephole.spec import CellSpec


@dataclass(frozen=True)
class Source:
    """Recurrent layers in one direction, and what comes before and after them.

    `layers` holds each layer's parameters by their names in the spec, `initial` each layer's learned states in the
    order of `spec.states`; `embedding` `[V, I]` makes the input symbols; `entry` `[I, F]` and `entry_bias` `[I]` are a
    linear map of F features to the first layer's input; `head` `[O, H]` and `bias` `[O]` one of the last layer's h,
    whose output counts as logits with `softmax`. `zoneout` is what each step keeps of the states that it names.
    """

    spec: CellSpec
    layers: Sequence[Mapping[str, Tensor]]
    hidden_size: int
    proj_size: int = 0
    zoneout: Mapping[str, float] = field(default_factory=dict)
    initial: Sequence[Sequence[Tensor]] = ()
    embedding: Tensor | None = None
    head: Tensor | None = None
    bias: Tensor | None = None
    softmax: bool = True
    entry: Tensor | None = None
    entry_bias: Tensor | None = None

    def named(self) -> Iterator[tuple[str, Tensor]]:
        """Every tensor under the name that a person knows it by."""
        for index, layer in enumerate(self.layers):
            yield from ((f"{name}_l{index}", tensor) for name, tensor in layer.items())
        for index, states in enumerate(self.initial):
            yield from ((f"state_{name}_l{index}", state) for name, state in zip(self.spec.states, states, strict=True))
        around = {"embedding": self.embedding, "head": self.head, "head's bias": self.bias}
        around |= {"entry": self.entry, "entry's bias": self.entry_bias}
        for name, tensor in around.items():
            if tensor is not None:
                yield name, tensor

    def check(self) -> None:
        """Raise `InputError` for a number that is none in float32."""
        for name, tensor in self.named():
            finite = torch.isfinite(tensor.detach().float())
            if not bool(finite.all()):
                count = int((~finite).sum())
                raise InputError(
                    f"{name} has {count:,} of {tensor.numel():,} numbers that are not finite in float32; "
                    "stream from a checkpoint before training went wrong"
                )

    @property
    def input_size(self) -> int:
        """Features I of the first layer's input."""
        return self.layers[0]["weight_ih"].shape[1]

    @property
    def features(self) -> int:
        """Numbers of a vector that comes from outside."""
        return self.input_size if self.entry is None else self.entry.shape[1]

    def fingerprint(self) -> str:
        """SHA-256 of what the model is: states of models with another cannot be its."""
        digest = hashlib.sha256(f"{self.spec.code} {sorted(self.zoneout.items())}".encode())
        for name, tensor in self.named():
            digest.update(f"{name} {tuple(tensor.shape)} ".encode())
            plain = tensor.detach().to("cpu", torch.float32).contiguous().view(-1).view(torch.uint8)
            digest.update(plain.numpy().data)
        return digest.hexdigest()
