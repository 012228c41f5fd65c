"""Which back end serves a call, and the reason where one does not."""

import logging
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType

import torch

from peephole._torch import cudnn, onednn, stepwise
from peephole.errors import InputError
from peephole.spec import CellSpec, parse_spec

logger = logging.getLogger("peephole")

KERNELS: dict[str, ModuleType] = {"cudnn": cudnn, "onednn": onednn, "stepwise": stepwise}
BACKENDS = ("torch", "reference")
DESCRIPTIONS = {
    "cudnn": "cuDNN, a whole sequence in one call",
    "onednn": "oneDNN, a whole sequence in one call",
    "stepwise": "a loop of torch operations with a hand-derived backward",
    "reference": "the equations, step by step through autograd",
}


@dataclass(frozen=True)
class Call:
    """What a back end needs to know to say yes or no.

    `one`: a single step; `empty`: a batch without rows; `masked`: lengths, or resets inside a row, are given.
    """

    spec: CellSpec
    device: str
    dtype: torch.dtype
    one: bool = False
    empty: bool = False
    masked: bool = False


@dataclass(frozen=True)
class Support:
    """The answer of one back end: the kernel it would run, or the reason why it does not."""

    kernel: str | None
    reason: str

    def __bool__(self) -> bool:
        return self.kernel is not None


@dataclass(frozen=True)
class Choice:
    """The back end and kernel that run a call, and why those before them did not."""

    backend: str
    kernel: str
    refusals: tuple[str, ...]

    def __str__(self) -> str:
        text = f"{self.backend}: {DESCRIPTIONS[self.kernel]}"
        return text + "".join(f"\n    not {refusal}" for refusal in self.refusals)


def supports(backend: str, call: Call) -> Support:
    """Whether `backend` serves `call`, with which kernel, or why not. Unknown names raise `InputError`."""
    if backend == "reference":
        return Support("reference", "")
    if backend != "torch":
        raise InputError(f"unknown back end {backend!r}; choose one of auto, {', '.join(BACKENDS)}")
    refusals: list[str] = []
    for kernel, module in KERNELS.items():
        reason = module.refusal(call.spec, call.device, call.dtype, call.one, call.empty, call.masked)
        if reason is None:
            return Support(kernel, "; ".join(refusals))
        refusals.append(f"{kernel}: {reason}")
    return Support(None, "; ".join(refusals))


@lru_cache(maxsize=4096)
def choose(backend: str, call: Call) -> Choice:
    """The back end that runs `call`: the named one, or with `auto` the first that supports it.

    A named back end that cannot serve raises `InputError` with its reason; `auto` logs once when it falls back.
    """
    candidates = BACKENDS if backend == "auto" else (backend,)
    refusals: list[str] = []
    for name in candidates:
        support = supports(name, call)
        if support.reason:
            refusals += support.reason.split("; ")
        if support.kernel is not None:
            if name != candidates[0]:
                logger.warning("%s runs on the back end %s (%s)", call.spec.code, name, "; ".join(refusals))
            return Choice(name, support.kernel, tuple(refusals))
    raise InputError(f"back end {backend!r} cannot run {call.spec.code}: {'; '.join(refusals)}; use backend='auto'")


def choose_kernel(
    backend: str, code: str, device: str, dtype: torch.dtype, one: bool, empty: bool, masked: bool
) -> str:
    """The kernel of `choose`, from arguments that a compiler takes for constants."""
    return choose(backend, Call(parse_spec(code), device, dtype, one, empty, masked)).kernel


# What torch.compiler.assume_constant_result does, without the second that importing the compiler takes: a compiled
# graph takes the decision as it stands and does not trace it.
choose_kernel._dynamo_marked_constant = True  # pyright: ignore[reportFunctionMemberAccess]
