"""What a stream is given, checked and in the form that engines take. Every refusal is one line."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

import torch
from torch import Tensor

from peephole.errors import InputError

Ids = Tensor | Sequence[int]
MOST = 2**63 - 1


def whole(value: object, what: str, least: int, most: int = MOST) -> int:
    """A whole number from `least` to `most`; `what` it is."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        limit = f"of at least {least}" if most == MOST else f"from {least} to {most}"
        raise InputError(f"{what} is {value!r}; expected a whole number {limit}")
    return value


def check_threads(threads: int | None) -> None:
    """Raise `InputError` for what is no number of threads."""
    if threads is not None:
        whole(threads, "threads", 1)


def numbers_of(given: Ids, what: str) -> Tensor:
    """Ids, or numbers of generators, as contiguous int64 `[n]`."""
    try:
        numbers = torch.as_tensor(given, device="cpu")
    except (TypeError, ValueError, RuntimeError):
        raise InputError(f"{what} are {given!r}; expected whole numbers of 64 bits") from None
    if numbers.dim() != 1 or (numbers.numel() and numbers.dtype != torch.int64):
        raise InputError(f"{what} are {numbers.dtype} {list(numbers.shape)}; expected int64 in one dimension")
    return numbers.to(torch.int64).contiguous()


@dataclass(frozen=True)
class Inputs:
    """What a model is fed: one of `symbols`, or where that is 0 vectors of `features` numbers."""

    symbols: int
    features: int

    def one(self, x: Tensor, rows: int) -> Tensor:
        """A step's: contiguous float32 `[n, I]`, or int64 `[n]`."""
        x = self._converted(x)
        if x.shape != ((rows,) if self.symbols else (rows, self.features)):
            self._refuse(x, rows, [])
        return x

    def several(self, x: Tensor, rows: int) -> Tensor:
        """Several steps': contiguous float32 `[T, n, I]`, or int64 `[T, n]`; T ≥ 1."""
        x = self._converted(x)
        if not x.dim() or not x.shape[0] or x.shape[1:] != ((rows,) if self.symbols else (rows, self.features)):
            self._refuse(x, rows, ["T"])
        return x

    def _converted(self, x: Tensor) -> Tensor:
        if self.symbols:
            return symbols_of(x, "symbols", self.symbols)
        if not x.is_floating_point():
            raise InputError(f"input is {x.dtype}; expected floats, {self.features} a stream")
        return x.detach().to("cpu", torch.float32).contiguous()

    def _refuse(self, x: Tensor, rows: int, steps: list[str]) -> NoReturn:
        wanted = [*steps, str(rows)] + ([] if self.symbols else [str(self.features)])
        what = "symbols" if self.symbols else "input"
        raise InputError(f"{what} of shape {list(x.shape)} for {rows} streams; expected [{', '.join(wanted)}]")


def symbols_of(given: Tensor, what: str, count: int) -> Tensor:
    """Contiguous int64. Whether they are below `count` is for the engine to see."""
    if given.is_floating_point() or given.is_complex() or given.dtype == torch.bool:
        raise InputError(f"{what} are {given.dtype}; expected whole numbers from 0 to {count - 1}")
    return given.detach().to("cpu", torch.int64).contiguous()


def resets_of(given: Tensor | None, like: Tensor) -> Tensor | None:
    """Contiguous uint8 `[T, n]`, as the first two dimensions of `like`."""
    if given is None:
        return None
    if given.dtype != torch.bool or given.shape != like.shape[:2]:
        raise InputError(
            f"resets are {given.dtype} of shape {list(given.shape)}; expected torch.bool {list(like.shape[:2])}, "
            "as the input"
        )
    return given.to("cpu", torch.uint8).contiguous()


def drawing(
    temperature: float, top_k: int | None, top_p: float | None, end: int | None, never: Sequence[int], symbols: int
) -> tuple[float, int, float, int, list[int]]:
    """How to draw, as `NativeEngine.draw` takes it: top_k 0 and top_p 1 for no limit, end -1 for none."""
    if isinstance(temperature, bool) or not isinstance(temperature, int | float) or not 0 <= temperature < math.inf:
        raise InputError(f"temperature is {temperature!r}; expected 0 or more")
    if top_p is not None and (not isinstance(top_p, int | float) or not 0 < top_p <= 1):
        raise InputError(f"top_p is {top_p!r}; expected more than 0, at most 1")
    left_out = [whole(symbol, "a symbol of `never`", 0, symbols - 1) for symbol in never]
    if len(set(left_out)) == symbols:
        raise InputError(f"never names all {symbols} symbols; leave some to be drawn")
    return (
        float(temperature),
        0 if top_k is None else whole(top_k, "top_k", 1),
        1.0 if top_p is None else float(top_p),
        -1 if end is None else whole(end, "end", 0, symbols - 1),
        left_out,
    )
