"""Matrices and vectors as people give them, as float64 tables with the rounding that they are known to."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.linalg import matrix_norm

from peephole.errors import InputError

Numbers = Tensor | np.ndarray | np.generic | Sequence[Any] | float | int

EPSILON = torch.finfo(torch.float64).eps


def square_matrix(given: Numbers, name: str = "weight") -> tuple[Float[Tensor, "hidden hidden"], float]:
    """W as a new float64 matrix, and the relative rounding with which its entries and eigenvalues are known."""
    matrix, epsilon = table(given, name)
    matrix = matrix.reshape(1, 1) if matrix.dim() == 0 else matrix
    if matrix.dim() != 2 or matrix.shape[0] != matrix.shape[1] or not len(matrix):
        raise InputError(f"{name} has shape {list(matrix.shape)}; expected [H, H], or a number")
    # what the eigenvalue routine itself adds, and the spacing of entries that came in less than float64
    return matrix, max(16 * math.sqrt(len(matrix)) * EPSILON, epsilon)


def is_normal(matrix: Tensor, rounding: float) -> bool:
    """Whether W Wᵀ = Wᵀ W up to rounding: its eigenvectors are orthogonal, and ‖W^t‖ = ρ^t."""
    commutator = float(matrix_norm(matrix @ matrix.mT - matrix.mT @ matrix))
    return commutator <= 4 * rounding * float(matrix_norm(matrix)) ** 2


def table(given: Numbers, name: str) -> tuple[Tensor, float]:
    """A float64 copy on the CPU, and the relative spacing of the numbers as they came."""
    expected = "expected finite real numbers, as a tensor, an array, nested lists or a number"
    if isinstance(given, Tensor):
        if given.is_complex():
            raise InputError(f"{name} is {str(given.dtype).removeprefix('torch.')}; {expected}")
        epsilon = torch.finfo(given.dtype).eps if given.is_floating_point() else EPSILON
        found = given.detach().to("cpu", torch.float64, copy=True)
    else:
        try:
            array = np.asarray(given)
        except (ValueError, TypeError, RuntimeError):
            raise InputError(f"{name} is no table of numbers, its rows differ in length; {expected}") from None
        if array.dtype.kind not in "biuf":
            raise InputError(f"{name} holds {array.dtype.name}, for example {str(given)[:40]!r}; {expected}")
        epsilon = float(np.finfo(array.dtype).eps) if array.dtype.kind == "f" else EPSILON
        found = torch.from_numpy(np.array(array, dtype=np.float64))
    if not bool(torch.isfinite(found).all()):
        raise InputError(f"{name} has {int((~torch.isfinite(found)).sum())} numbers that are not finite; {expected}")
    return found, max(epsilon, EPSILON)


def input_matrix(given: Numbers | None, hidden: int) -> Tensor:
    """C `[H, I]`."""
    if given is None:
        return torch.eye(hidden, dtype=torch.float64)
    matrix = table(given, "input_weight")[0]
    shape = list(matrix.shape)
    matrix = matrix.reshape(1, 1) if matrix.dim() == 0 else matrix[:, None] if matrix.dim() == 1 else matrix
    if matrix.dim() != 2 or matrix.shape[0] != hidden or not matrix.shape[1]:
        raise InputError(f"input_weight has shape {shape} and weight is [{hidden}, {hidden}]; expected [{hidden}, I]")
    return matrix


def fitting(vector: Tensor, name: str, inputs: int) -> Tensor:
    vector = vector.reshape(1) if vector.dim() == 0 else vector
    if vector.shape != (inputs,):
        raise InputError(f"{name} has shape {list(vector.shape)} and there are {inputs} inputs; expected [{inputs}]")
    return vector
