"""Seconds that `import peephole` and `peephole --help` cost over bare Python, in turn."""

import statistics
import subprocess
import sys
import time

COMMANDS = {
    "bare": [sys.executable, "-c", "pass"],
    "import": [sys.executable, "-c", "import peephole"],
    "help": [sys.executable, "-m", "peephole", "--help"],
    "train_help": [sys.executable, "-m", "peephole", "train", "--help"],
}


def measure(rounds: int = 11) -> dict[str, float]:
    """Median seconds of each; `import_over_bare` is what importing adds."""
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, command in COMMANDS.items():
            began = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            taken[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(values) for name, values in taken.items()}
    return {**medians, "import_over_bare": medians["import"] - medians["bare"]}
