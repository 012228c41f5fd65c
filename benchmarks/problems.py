"""What the presets of the problems reach: `python benchmarks/problems.py FOLDER [NAME …]` trains, measures, tabulates.

Every run lives in FOLDER and goes on where it was stopped; what is there already is not trained again. The table of
`docs/results.md` is what this prints.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PEEPHOLE = [sys.executable, "-m", "peephole"]
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Case:
    """A training for each seed: the words of `train`, the sizes that are measured and on how many examples."""

    name: str
    train: str
    sizes: tuple[int, ...]
    sequences: int = 1000
    seeds: tuple[int, ...] = SEEDS

    def folder(self, parent: Path, seed: int) -> Path:
        return parent / f"{self.name}-{seed}"


CASES = (
    Case("parity", "parity", (20, 21, 10_000)),
    Case("addition", "addition", (12, 13, 1000)),
    Case("addition-base-10", "addition --base 10 --embedding-size 32 --no-static", (12, 1000)),
    Case("parity-by-hand-rnn", "parity --by-hand --nonlinearity sigmoid", (100_000,), 100, (0,)),
    Case("parity-by-hand-relu", "parity --by-hand --nonlinearity relu", (100_000,), 100, (0,)),
    Case("parity-by-hand-lstm", "parity --by-hand --cell lstm", (100_000,), 100, (0,)),
    Case("parity-by-hand-gru", "parity --by-hand --cell gru", (100_000,), 100, (0,)),
    Case("addition-by-hand-rnn", "addition --by-hand --nonlinearity sigmoid", (100_000,), 100, (0,)),
    Case("addition-by-hand-relu", "addition --by-hand --nonlinearity relu", (100_000,), 100, (0,)),
    Case("recall", "recall", (500, 1000)),
    Case("recall-gru", "recall --cell gru --no-static", (500,)),
    Case("recall-rnn", "recall --cell rnn --no-static", (500,), 1000, (0,)),
    Case("temporal-order", "temporal-order --no-static", (200,)),
    Case("temporal-order-gru", "temporal-order --cell gru --no-static", (200,)),
    Case("temporal-order-rnn", "temporal-order --cell rnn --no-static", (200,)),
    Case("temporal-order-rnn-unclipped", "temporal-order --cell rnn --clip-norm None --no-static", (200,)),
    Case("adding-200", "adding", (200,), 1000, SEEDS),
    Case("adding-200-gru", "adding --cell gru --no-static", (200,)),
    Case("adding-200-irnn", "adding --cell rnn --nonlinearity relu --init identity --no-static", (200,)),
    Case("adding-200-rnn", "adding --cell rnn --no-static", (200,), 1000, (0,)),
    Case("brackets", "brackets --no-static", (50, 100, 200, 400)),
    Case("copying", "copying --no-static", (100,), 1000, (0,)),
    Case("copying-gru", "copying --cell gru --no-static", (100,), 1000, (0,)),
    Case("adding-600", "adding --length 600 --no-static", (600,), 1000, (0,)),
    Case("adding-600-gru", "adding --length 600 --cell gru --no-static", (600,), 1000, (0,)),
    Case("adding-600-rnn", "adding --length 600 --cell rnn --no-static", (600,), 1000, (0,)),
)


def run(case: Case, parent: Path, seed: int) -> None:
    """Train one, or go on with it; `.done` beside the folder says that it has come to its end."""
    folder, done = case.folder(parent, seed), parent / f"{case.name}-{seed}.done"
    if done.exists():
        return
    words = [*case.train.split(), "--seed", str(seed), "--threads", "1", "--out", str(folder)]
    if (folder / "config.json").exists():
        words = ["--resume", str(folder)]
    with (parent / f"{case.name}-{seed}.log").open("a") as log:
        subprocess.run([*PEEPHOLE, "train", *words], check=True, stdout=log, stderr=log)
    done.touch()


def measure(case: Case, parent: Path, seed: int) -> dict[str, Any]:
    """What `eval` finds, and how long training took."""
    folder, kept = case.folder(parent, seed), parent / f"{case.name}-{seed}.json"
    if not kept.exists():
        words = ["--sizes", *map(str, case.sizes), "--sequences", str(case.sequences), "--json"]
        done = subprocess.run([*PEEPHOLE, "eval", str(folder), *words], check=True, capture_output=True, text=True)
        kept.write_text(done.stdout)
    found = json.loads(kept.read_text())
    history = folder / "history.jsonl"
    last = json.loads(history.read_text().splitlines()[-1]) if history.exists() else {"steps": 0, "seconds": 0.0}
    return {**found, "steps": last.get("step", 0), "seconds": last["seconds"]}


def rows(case: Case, parent: Path) -> list[str]:
    """A line of the table for each size that was measured."""
    ended = [seed for seed in case.seeds if (parent / f"{case.name}-{seed}.done").exists()]
    found = [measure(case, parent, seed) for seed in ended]
    if not found:
        return []
    lines: list[str] = []
    seconds = ", ".join(f"{one['seconds']:.0f}" for one in found)
    for place, size in enumerate(case.sizes):
        at = [one["net"]["rows"][place] for one in found]
        exact = ", ".join(f"{row['exact']:,}" for row in at) + f" of {case.sequences:,}"
        right = ", ".join(f"{row['right']:.2%}" for row in at)
        error = ", ".join(f"{row['error']:.2g}" for row in at)
        command = f"`train {case.train}`" if place == 0 else ""
        spent = f"{found[0]['steps']:,} steps; {seconds} s" if place == 0 else ""
        lines.append(f"| {command} | {spent} | {size:,} | {exact} | {right} | {error} |")
        if found[0]["probes"]:
            probes = [one["probes"]["right"][place] for one in found]
            by_depth = "; ".join(" ".join(f"{share:.1%}" for share in one) for one in probes)
            lines.append(f"| | | {size:,}, closing bracket by depth 1 to {len(probes[0])} | | {by_depth} | |")
        if found[0]["static"]:
            at = [one["static"]["rows"][place] for one in found]
            exact = ", ".join(f"{row['exact']:,}" for row in at) + f" of {case.sequences:,}"
            right = ", ".join(f"{row['right']:.2%}" for row in at)
            error = ", ".join(f"{row['error']:.2g}" for row in at)
            lines.append(f"| the static net beside it | | {size:,} | {exact} | {right} | {error} |")
    return lines


def main(words: list[str]) -> None:
    """Train and measure the named cases, or all; print the table of what is there."""
    if not words:
        sys.exit("expected a folder for the runs, then names of cases or nothing for all")
    parent, names = Path(words[0]), words[1:]
    unknown = [name for name in names if name not in {case.name for case in CASES}]
    if unknown:
        sys.exit(f"unknown case {unknown[0]!r}; expected one of {', '.join(case.name for case in CASES)}")
    parent.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for case in CASES:
        if not names or case.name in names:
            for seed in case.seeds:
                run(case, parent, seed)
    print("| trained by | cost | size | exact | answers right | error an answer |\n" + "| --- " * 6 + "|")
    print("\n".join(line for case in CASES for line in rows(case, parent)))


if __name__ == "__main__":
    main(sys.argv[1:])
