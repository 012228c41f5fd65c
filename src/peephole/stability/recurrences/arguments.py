"""What a recurrence may be given: finite numbers, and steps that can be waited for."""

import math
import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from peephole.errors import InputError

Numbers = Tensor | np.ndarray | Sequence[Any]
MOST_STEPS = 1_000_000


def check_number(name: str, given: object) -> float:
    """`given` as a float. `InputError` unless it is a finite number."""
    if isinstance(given, bool) or not isinstance(given, numbers.Real):
        raise InputError(f"{name} is {given!r}; expected a number")
    try:
        number = float(given)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InputError(f"{name} is {number}; expected a finite number")
    return number + 0.0  # no −0


def check_drive(bias: float, input: float) -> float:
    """b + c x. `InputError` where the sum is beyond float64."""
    if not math.isfinite(bias + input):
        raise InputError(f"bias + input is {bias} + {input}, beyond float64; expected a finite sum")
    return bias + input


def check_steps(name: str, steps: object) -> None:
    """Raise `InputError` for what is no number of steps that can be waited for."""
    if isinstance(steps, bool) or not isinstance(steps, int) or not 1 <= steps <= MOST_STEPS:
        raise InputError(f"{name} is {steps!r}; expected a whole number from 1 to {MOST_STEPS:,}")


def check_numbers(name: str, given: Numbers) -> Float[Tensor, " numbers"]:
    """A copy in float64. `InputError` unless they are finite numbers in a row, one at least."""
    found = _finite(name, given)
    if found.ndim != 1 or not len(found):
        raise InputError(f"{name} have shape {list(found.shape)}; expected a list of at least one number")
    return found


def check_matrix(name: str, given: Numbers) -> Float[Tensor, "hidden hidden"]:
    """A copy in float64. `InputError` unless it is square, not empty, and finite."""
    found = _finite(name, given)
    if found.ndim != 2 or found.shape[0] != found.shape[1] or not len(found):
        raise InputError(
            f"{name} has shape {list(found.shape)}; expected a square matrix [H, H], a row and a column for each unit"
        )
    return found


def check_vector(name: str, given: Numbers, size: int) -> Float[Tensor, " hidden"]:
    """A copy in float64. `InputError` unless it holds `size` finite numbers."""
    found = _finite(name, given)
    if found.shape != (size,):
        raise InputError(f"{name} has shape {list(found.shape)}; expected [{size}], one number for each unit")
    return found


def check_states(name: str, given: Numbers, size: int) -> Float[Tensor, "starts hidden"]:
    """A copy in float64. `InputError` unless it holds rows of `size` finite numbers."""
    found = _finite(name, given)
    if found.ndim != 2 or found.shape[1] != size:
        raise InputError(f"{name} has shape {list(found.shape)}; expected [N, {size}], a row for each start")
    return found


def _finite(name: str, given: Numbers) -> Tensor:
    try:
        tensor = given if isinstance(given, Tensor) else torch.from_numpy(np.array(given))
        if tensor.is_complex() or tensor.dtype == torch.bool:
            raise TypeError
        found = tensor.detach().to("cpu", torch.float64, copy=True)
    except (TypeError, ValueError, RuntimeError):
        raise InputError(
            f"{name} holds no real numbers, or rows of different length; expected finite numbers"
        ) from None
    wrong = found[~found.isfinite()]
    if len(wrong):
        raise InputError(f"{name} holds {wrong[0].item()}; expected finite numbers")
    return found
