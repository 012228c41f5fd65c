"""Activations and their derivatives: a vector where the activation is scalar, a full matrix where it is a vector's.

Slide "The Jacobian of the hidden layers for an RNN": for scalar activations the Jacobian is a matrix "where the
diagonal entries are the derivatives of the activation", so that multiplying by it is component-wise; for vector
activations it is "a full matrix".
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from peephole.errors import InputError

# Each scalar activation f and its derivative f', both as functions of z. The slides say that the derivatives are
# "always less than 1": tanh'(0) = 1 and ReLU' = 1 are not; sigmoid' is at most 1/4. ReLU'(0) is taken to be 0.
SCALAR: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "tanh": (torch.tanh, lambda z: 1 - torch.tanh(z) ** 2),
    "relu": (torch.relu, lambda z: (z > 0).to(z.dtype)),
    "sigmoid": (torch.sigmoid, lambda z: torch.sigmoid(z) * (1 - torch.sigmoid(z))),
    "identity": (torch.clone, torch.ones_like),
}


def activate(nonlinearity: str, z: Float[Tensor, "units"]) -> Float[Tensor, "units"]:
    """f(z)."""
    if nonlinearity == "softmax":
        return torch.softmax(z, dim=0)
    f, _ = SCALAR[nonlinearity]
    return f(z)


def activate_backward(
    nonlinearity: str, dh: Float[Tensor, "units"], z: Float[Tensor, "units"]
) -> Float[Tensor, "units"]:
    """The gradient for z, given that for h = f(z): dh · ∇f(z)."""
    if nonlinearity == "softmax":
        return dh @ softmax_jacobian(z)  # row vector times matrix
    _, derivative = SCALAR[nonlinearity]
    return dh * derivative(z)  # row vector times diagonal matrix: component-wise


def softmax_jacobian(z: Float[Tensor, "units"]) -> Float[Tensor, "units units"]:
    """The matrix of ∂y_i/∂z_j for y = softmax(z): y_i (1 − y_i) on the diagonal, −y_i y_j beside it."""
    y = torch.softmax(z, dim=0)
    return torch.diag(y) - torch.outer(y, y)


def check_nonlinearity(nonlinearity: str) -> None:
    """Raises `InputError` where there is no such activation."""
    known = [*SCALAR, "softmax"]
    if nonlinearity not in known:
        raise InputError(f"unknown nonlinearity {nonlinearity!r}; choose one of {', '.join(known)}")
