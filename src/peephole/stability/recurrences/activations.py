"""The activations of a recurrence in float64: their values, their slopes, and the names that may be asked for."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from peephole.errors import InputError

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "identity": lambda z: z,
    "softmax": partial(torch.softmax, dim=-1),
}
SCALAR = ("sigmoid", "tanh", "relu", "identity")
VECTOR = (*SCALAR, "softmax")


def check_scalar_activation(name: object) -> None:
    """Raise `InputError` for what cannot act on one number."""
    if name == "softmax":
        raise InputError(
            "softmax acts on a vector, and of one unit it is always 1; "
            f"expected one of {', '.join(SCALAR)}, or a matrix for the vector recurrence"
        )
    if name not in SCALAR:
        raise InputError(f"activation is {name!r}; expected one of {', '.join(SCALAR)}")


def check_vector_activation(name: object) -> None:
    """Raise `InputError` for an unknown name."""
    if name not in VECTOR:
        raise InputError(f"activation is {name!r}; expected one of {', '.join(VECTOR)}")


def activate(name: str, z: Tensor) -> Tensor:
    """f(z), component by component; softmax over the last axis."""
    return FUNCTIONS[name](z)


def slope(name: str, z: Tensor) -> Tensor:
    """f'(z), component by component: of softmax y the diagonal y (1 − y) of its Jacobian; of relu 0 at 0, as in torch.

    From exponentials rather than from 1 − y², which is 0 long before the slope is.
    """
    match name:
        case "sigmoid":
            left = torch.exp(-z.abs())
            return left / (1 + left) ** 2
        case "tanh":
            left = torch.exp(-2 * z.abs())
            return 4 * left / (1 + left) ** 2
        case "relu":
            return (z > 0).to(z.dtype)
        case "softmax":
            y = torch.softmax(z, dim=-1)
            return y * (1 - y)
    return torch.ones_like(z)
