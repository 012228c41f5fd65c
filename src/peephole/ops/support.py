"""Which back end serves a call, and the reason where one does not."""

import logging
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType

import torch

from peephole._native import layer, recomputing
from peephole._torch import cudnn, onednn, stepwise
from peephole.errors import InputError
from peephole.operands import Call
from peephole.ops import equations
from peephole.spec import parse_spec

logger = logging.getLogger("peephole")

KERNELS: dict[str, ModuleType] = {
    "native": layer,
    "recomputing": recomputing,
    "cudnn": cudnn,
    "onednn": onednn,
    "stepwise": stepwise,
    "reference": equations,
}
BACKENDS: dict[str, tuple[str, ...]] = {
    "native": ("native", "recomputing"),
    "torch": ("cudnn", "onednn", "stepwise"),
    "reference": ("reference",),
}
SLOW = "reference"  # falling back to it is worth a word
DESCRIPTIONS = {
    "native": "compiled kernels, a whole sequence in one call",
    "recomputing": "compiled kernels that save states only and compute the rest again",
    "cudnn": "cuDNN, a whole sequence in one call",
    "onednn": "oneDNN, a whole sequence in one call",
    "stepwise": "a loop of torch operations with a hand-derived backward",
    "reference": "the equations, step by step through autograd",
}


TILES = "in bfloat16 oneDNN is faster here, it multiplies in this processor's matrix tiles"


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
    if backend not in BACKENDS:
        raise InputError(f"unknown back end {backend!r}; choose one of auto, {', '.join(BACKENDS)}")
    refusals: list[str] = []
    for kernel in BACKENDS[backend]:
        if backend == "native" and (kernel == "recomputing") != call.recompute:
            continue
        reason = KERNELS[kernel].refusal(call)
        if reason is None:
            return Support(kernel, "; ".join(refusals))
        refusals.append(f"{kernel}: {reason}")
    return Support(None, "; ".join(refusals))


_said: set[tuple[str, str, str]] = set()


def _say_once(code: str, device: str, backend: str, reason: str) -> None:
    """That a cell falls back to something slow, once for each, whichever call of it had which reason first."""
    if (code, device, backend) in _said:
        return
    _said.add((code, device, backend))
    logger.warning(
        "%s runs on the back end %s, %s: slow (%s; explain_backend says more)",
        code,
        f"{backend} on {device}" if device != "cpu" else backend,
        DESCRIPTIONS[BACKENDS[backend][0]],
        reason,
    )


@lru_cache(maxsize=1)
def has_tiles() -> bool:
    """Whether the processor multiplies bfloat16 matrices in tiles (AMX), which our kernels do not use."""
    return torch.cpu._is_amx_tile_supported()


@lru_cache(maxsize=4096)
def choose(backend: str, call: Call) -> Choice:
    """The back end that runs `call`: the named one, or with `auto` the first that supports it and
    does not send it on.

    A named back end that cannot serve raises `InputError` with its reason; `auto` logs once when it falls back. A plain
    LSTM in bfloat16 goes to oneDNN first where the processor has matrix tiles.
    """
    if backend == "auto" and call.dtype == torch.bfloat16 and has_tiles() and onednn.refusal(call) is None:
        return Choice("torch", "onednn", (f"native: {TILES}",))
    candidates = tuple(BACKENDS) if backend == "auto" else (backend,)
    refusals: list[str] = []
    for name in candidates:
        support = supports(name, call)
        if support.reason:
            refusals += support.reason.split("; ")
        if support.kernel is not None:
            reluctant = getattr(KERNELS[support.kernel], "reluctance", None)
            advice = reluctant(call) if reluctant is not None and backend == "auto" else None
            if advice is not None:
                refusals.append(f"{support.kernel}: {advice}")
                continue
            if name == SLOW and backend == "auto":
                _say_once(call.spec.code, call.device, name, refusals[-1])
            return Choice(name, support.kernel, tuple(refusals))
    raise InputError(f"back end {backend!r} cannot run {call.spec.code}: {'; '.join(refusals)}; use backend='auto'")


def choose_kernel(
    backend: str,
    code: str,
    device: str,
    dtype: torch.dtype,
    one: bool,
    empty: bool,
    masked: bool,
    noisy: bool,
    recompute: bool,
    symbols: bool = False,
) -> str:
    """The kernel of `choose`, from arguments that a compiler takes for constants."""
    return choose(backend, Call(parse_spec(code), device, dtype, one, empty, masked, noisy, recompute, symbols)).kernel


def serves_symbols(backend: str, code: str, device: str, dtype: torch.dtype, recompute: bool) -> bool:
    """Whether symbols in place of vectors would run on compiled kernels."""
    call = Call(parse_spec(code), device, dtype, recompute=recompute, symbols=True)
    return backend in ("auto", "native") and bool(supports("native", call))


# What torch.compiler.assume_constant_result does, without the second that importing the compiler takes: a compiled
# graph takes the decision as it stands and does not trace it.
for _decision in (choose_kernel, serves_symbols):
    _decision._dynamo_marked_constant = True  # pyright: ignore[reportFunctionMemberAccess]
