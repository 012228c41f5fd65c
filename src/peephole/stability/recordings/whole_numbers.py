"""Whole numbers as people give them: of Python, numpy or torch, alone or several."""

from operator import index
from typing import Any

from peephole.errors import InputError


def whole_numbers(given: Any, name: str) -> int | list[int]:
    """One whole number, or a list of them. `InputError` for anything else."""
    try:
        if isinstance(given, bool):
            raise TypeError
        if hasattr(given, "tolist"):  # numpy's and torch's
            given = given.tolist()
        if hasattr(given, "__index__"):
            return index(given)
        numbers = list(given)
        if any(isinstance(number, bool) for number in numbers):
            raise TypeError
        return [index(number) for number in numbers]
    except TypeError:
        raise InputError(f"{name} is {given!r}; expected a whole number, or a list of them") from None
