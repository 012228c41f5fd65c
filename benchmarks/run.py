"""`make bench-commands`: measure, print as JSON. `python benchmarks/run.py NAME …` for some; `--list` for the names."""

import json
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import learning
import memory
import sampling
import stability
import startup
import torch
import training_speed

DATA = Path(os.environ.get("PEEPHOLE_DATA", Path(__file__).parents[2] / "shared" / "data"))
SHAKESPEARE = DATA / "tinyshakespeare" / "input.txt"


def _text() -> Path:
    """A megabyte of text: Shakespeare where the data folder has it, else a module of the Python library."""
    return SHAKESPEARE if SHAKESPEARE.exists() else Path(os.__file__).parent / "turtle.py"


def _speed() -> list[dict[str, Any]]:
    shapes = ((256, 2, 32, 128), (256, 2, 32, 64), (512, 1, 32, 128), (128, 1, 32, 64))
    return [training_speed.measure(_text(), 12, *shape, threads) for shape in shapes for threads in (2,)]


BENCHMARKS: dict[str, Callable[[], Any]] = {
    "startup": startup.measure,
    "speed": _speed,
    "memory": memory.measure,
    "sampling": lambda: sampling.measure(_text(), 20_000, 512, 2, 2, 3, 150),
    "stability": stability.measure,
    "learning": lambda: learning.measure(_text()),
}
USUAL = ("startup", "speed")


def main(names: list[str]) -> None:
    """Run the named benchmarks; without names the short ones."""
    if names == ["--list"]:
        print("\n".join(BENCHMARKS))
        return
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.exit(f"unknown benchmark {unknown[0]!r}; expected one of {', '.join(BENCHMARKS)}")
    stamp = {"python": platform.python_version(), "torch": torch.__version__, "cores": os.cpu_count()}
    print(json.dumps({"machine": stamp, **{name: BENCHMARKS[name]() for name in names or USUAL}}, indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
