"""Small nets of every cell with lively weights, and what a measurement must leave as it was."""

import torch
from torch import Tensor, nn

from peephole.nn.recurrent import Recurrent
from peephole.spec import CellSpec


def lively(
    spec: CellSpec, layers: int = 1, bidirectional: bool = False, spread: float = 0.6, **options: object
) -> Recurrent:
    """3 features, 5 units, float64, random weights; with a projection 2 outputs."""
    torch.manual_seed(0)
    net = Recurrent(
        spec,
        3,
        5,
        layers,
        bidirectional=bidirectional,
        proj_size=2 if spec.projected else 0,
        dtype=torch.float64,
        **options,  # pyright: ignore[reportArgumentType]
    )
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.normal_(0.0, spread)
    return net


def snapshot(module: nn.Module) -> dict[str, object]:
    """Everything about a module that a measurement could change."""
    tensors: dict[str, object] = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    modes = {f"{name} mode": part.training for name, part in module.named_modules()}
    grads = {f"{name} grad": parameter.grad for name, parameter in module.named_parameters()}
    wanted = {f"{name} wanted": parameter.requires_grad for name, parameter in module.named_parameters()}
    hooks = {
        f"{name} hooks": len(part._forward_hooks) + len(part._forward_pre_hooks)
        for name, part in module.named_modules()
    }
    return tensors | modes | grads | wanted | hooks


def same(one: dict[str, object], other: dict[str, object]) -> bool:
    """Whether two snapshots are equal."""
    if one.keys() != other.keys():
        return False
    return all(
        torch.equal(value, other[name]) if isinstance(value, Tensor) else value == other[name]  # pyright: ignore
        for name, value in one.items()
    )
