"""What is measured of streams: which part, sizes and how many streams, as data without torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from peephole.bench.results import OURS
from peephole.errors import InputError

PARTS = {
    "step": "one step of one stream, beside peers and with smaller weights",
    "many": "many streams together, beside torch.nn and the machine's matrix products",
    "cells": "other cells, operation for operation beside the LSTM",
    "memory": "what an idle stream takes beside its state",
}
BATCHES = (1, 4, 16, 64, 256, 1024)
# The first is what the others' operations are compared with.
CELLS_COMPARED = ("lstm", "lstm-diagonal", "lstm-full", "gru", "rnn")
# Wrong gates and forgotten states show within a few steps; the equations in float64 need a while for many streams.
GATED_STEPS, GATED_ROWS = 32, 4096


@dataclass(frozen=True)
class Size:
    """Layers and units of each, which are also the input's features."""

    layers: int
    hidden_size: int

    def __str__(self) -> str:
        return f"{self.layers}x{self.hidden_size}"

    @staticmethod
    def parse(text: str) -> "Size":
        """`LxH`. `InputError` for anything else."""
        numbers = text.lower().split("x")
        if len(numbers) != 2 or not all(number.isdecimal() and int(number) > 0 for number in numbers):
            raise InputError(f"unknown size {text!r}; expected layers x units such as 2x512")
        return Size(*map(int, numbers))


# From weights that a core's own cache holds to those that come from memory at every step.
SIZES = (Size(1, 128), Size(2, 512), Size(3, 512), Size(2, 1024))
MIDDLE = Size(2, 512)  # of many streams, and of other cells


@dataclass(frozen=True)
class StreamCase:
    """One measurement: streams that step together, of a plain LSTM; of several cells in the part `cells`."""

    part: str
    size: Size
    streams: int = 1
    threads: int = 1

    def __str__(self) -> str:
        many = f" {self.streams} streams" if self.part == "many" else ""
        return f"{self.part} {self.size}{many}"

    @property
    def reference(self) -> str:
        """The contestant that others are compared with, and without whose right results nobody is timed."""
        return CELLS_COMPARED[0] if self.part == "cells" else OURS

    @property
    def gated_steps(self) -> int:
        """Steps whose results are compared."""
        return max(2, min(GATED_STEPS, GATED_ROWS // self.streams))


def sizes_of(texts: Sequence[str]) -> tuple[Size, ...]:
    """The sizes that texts such as `2x512` name, each once. `InputError` for other texts."""
    return tuple(dict.fromkeys(map(Size.parse, texts)))


def check_streams(parts: Sequence[str], batches: Sequence[int]) -> None:
    """Raise `InputError` for a part that nobody knows, for none at all, and for fewer streams than one."""
    for part in parts:
        if part not in PARTS:
            raise InputError(f"unknown part {part!r}; choose from {', '.join(PARTS)}")
    if not parts:
        raise InputError(f"no part given; choose from {', '.join(PARTS)}")
    for streams in batches:
        if streams < 1:
            raise InputError(f"--batches has {streams}; expected at least 1 stream")


def plan(
    parts: Sequence[str], sizes: Sequence[Size], batches: Sequence[int], threads: int, middle: Size = MIDDLE
) -> tuple[StreamCase, ...]:
    """Every case that takes turns; `memory` has none. Many streams, and other cells, are of the size `middle`."""
    check_streams(parts, batches)
    cases = [StreamCase("step", size, 1, threads) for size in sizes if "step" in parts]
    cases += [StreamCase("many", middle, streams, threads) for streams in dict.fromkeys(batches) if "many" in parts]
    cases += [StreamCase("cells", middle, 1, threads)] if "cells" in parts else []
    return tuple(cases)


def weight(case: StreamCase) -> float:
    """About how much of the time a case should get, beside the others."""
    return 1 + case.streams / 1024  # few rounds of many streams take long


def describe(case: StreamCase) -> dict[str, Any]:
    """The case as flat JSON values."""
    return {
        "part": case.part,
        "layers": case.size.layers,
        "H": case.size.hidden_size,
        "streams": case.streams,
        "threads": case.threads,
    }


def read_case(row: dict[str, Any]) -> StreamCase:
    """The case that `describe` wrote."""
    return StreamCase(row["part"], Size(row["layers"], row["H"]), row["streams"], row["threads"])
