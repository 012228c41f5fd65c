"""The compiled module, and which of the processor's instruction sets its kernels use."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

# torch brings OpenMP's threads, and has to be loaded first: the module then uses the same ones.
import torch  # noqa: F401

from peephole.errors import InputError

VARIABLE = "PEEPHOLE_INSTRUCTIONS"  # "none" switches the compiled kernels off

core: ModuleType | None = None
MISSING = ""
try:
    from peephole._native import _core as core  # pyright: ignore[reportMissingImports, reportAttributeAccessIssue]
except ImportError as problem:
    MISSING = (
        "this installation has no compiled kernels (no C++20 compiler when it was made): install one and run pip again"
        if "_core" in str(problem)
        else f"the compiled kernels cannot be loaded: {problem}"
    )

# Read once: which kernel serves a call is decided once as well.
_named = os.environ.get(VARIABLE, "")
_forced: list[str] = []


def supported() -> tuple[str, ...]:
    """The instruction sets that the kernels were made for and this processor has, the best first."""
    return tuple(core.supported()) if core is not None else ()


_SUPPORTED = supported()


def chosen() -> str:
    """The instruction set in use: the best, or the one that PEEPHOLE_INSTRUCTIONS named at import. Empty without any.

    A name that this processor does not have raises `InputError`.
    """
    name = _forced[-1] if _forced else _named
    if name == "none" or not _SUPPORTED:
        return ""
    if name and name not in _SUPPORTED:
        known = ", ".join(_SUPPORTED)
        raise InputError(f"{VARIABLE} is {name!r}; expected one of {known}, or none for no compiled kernels")
    return name or _SUPPORTED[0]


def absence() -> str:
    """Why there is no compiled kernel to run; empty where there is one."""
    if core is None:
        return MISSING
    return "" if chosen() else f"{VARIABLE}=none switches the compiled kernels off"


@contextmanager
def using(name: str) -> Iterator[None]:
    """Run with another instruction set: for tests and measurements, in one thread."""
    _forced.append(name)
    try:
        chosen()
        yield
    finally:
        _forced.pop()
