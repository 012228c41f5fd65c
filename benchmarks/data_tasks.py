"""What the presets of the data tasks reach: `python benchmarks/data_tasks.py FOLDER [NAME …]` trains and tabulates.

Data lies in the folder that `PEEPHOLE_DATA` names. Every run lives in FOLDER and goes on where it was stopped; what is
there already is not trained again. The table of `docs/results.md` is what this prints.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

PEEPHOLE = [sys.executable, "-m", "peephole"]
DATA = Path(os.environ.get("PEEPHOLE_DATA", Path(__file__).parents[2] / "shared" / "data")).absolute()
SEEDS = (0, 1, 2)
LEFT_OUT = ("MASE", "sMAPE", "pinball", "precision", "recall", "balanced accuracy")  # `peephole eval` has them
EWT, UEA, SERIES = "{data}/ud_english_ewt/en_ewt-ud-", "{data}/ucr_uea/", "{data}/time_series/"
CHORALES = "{data}/jsb_chorales/jsb-chorales-quarter.json"


@dataclass(frozen=True)
class Case:
    """A training for each seed: the words of `train`, with {data} for the data. `peer` is what others reach."""

    name: str
    train: str
    peer: str
    seeds: tuple[int, ...] = SEEDS

    def folder(self, parent: Path, seed: int) -> Path:
        return parent / f"{self.name}-{seed}"

    @property
    def shown(self) -> str:
        """The command without folders, as the table has it."""
        words = [word.rsplit("/", 1)[-1] if word.startswith("{data}") else word for word in self.train.split()]
        return "train " + " ".join(words)


def _uea(name: str, peer: str) -> Case:
    files = f"{UEA}{name}/{name}"
    words = f"classification {files}_TRAIN.ts --test {files}_TEST.ts --held-out-share 0"
    return Case(name.lower(), words, peer)


CASES = (
    Case(
        "ewt-upos",
        f"tagging {EWT}train.conllu --held-out {EWT}dev.conllu --test {EWT}test.conllu",
        "BiLSTM with GloVe (bentrevett/pytorch-pos-tagging, an older release of the treebank): 88.3 %",
    ),
    _uea("JapaneseVowels", "1-NN beside it"),
    _uea("BasicMotions", "1-NN beside it"),
    _uea("ItalyPowerDemand", "1-NN beside it"),
    Case(
        "digits",
        r"classification {data}/free_spoken_digits/recordings --label (\d)_.* --test-match _[0-4]\.wav$",
        "1-NN beside it",
    ),
    Case(
        "etth1",
        "forecasting {data}/ett_small/ETTh1.csv --split 8640 2880 2880 --context 96 --horizon 96",
        "seasonal naive beside it",
    ),
    Case("passengers", f"forecasting {SERIES}AirPassengers.csv --test-rows 24", "seasonal naive beside it"),
    Case(
        "passengers-log",
        f"forecasting {SERIES}AirPassengers.csv --test-rows 24 --transform log --level season",
        "seasonal naive beside it",
    ),
    Case("chorales-lstm", f"music {CHORALES}", "TCN paper (Bai et al. 2018): LSTM 8.45"),
    Case("chorales-gru", f"music {CHORALES} --cell gru", "the same: GRU 8.43"),
    Case("chorales-rnn", f"music {CHORALES} --cell rnn", "the same: RNN 8.91, TCN 8.10"),
    Case("chorales-voices", f"music {CHORALES} --notes voices", "another model of the chords: no peer there", (0,)),
)


def run(case: Case, parent: Path, seed: int) -> None:
    """Train one, or go on with it; `.done` beside the folder says that it has come to its end."""
    folder, done = case.folder(parent, seed), parent / f"{case.name}-{seed}.done"
    if done.exists():
        return
    words = [word.format(data=DATA) if "{data}" in word else word for word in case.train.split()]
    words += ["--seed", str(seed), "--threads", "1", "--out", str(folder), *(["--baseline"] if seed == 0 else [])]
    if (folder / "config.json").exists():
        words = ["--resume", str(folder)]
    with (parent / f"{case.name}-{seed}.log").open("a") as log:
        subprocess.run([*PEEPHOLE, "train", *words, "--no-report"], check=True, stdout=log, stderr=log)
    done.touch()


def measure(case: Case, parent: Path, seed: int) -> dict[str, Any]:
    """What `eval` finds, and how long training took."""
    folder, kept = case.folder(parent, seed), parent / f"{case.name}-{seed}.json"
    if not kept.exists():
        done = subprocess.run([*PEEPHOLE, "eval", str(folder), "--json"], check=True, capture_output=True, text=True)
        kept.write_text(done.stdout)
    last = json.loads((folder / "history.jsonl").read_text().splitlines()[-1])
    return {**json.loads(kept.read_text()), "steps": last["step"], "seconds": last["seconds"]}


def rows(case: Case, parent: Path) -> list[str]:
    """A line of the table for each net and method."""
    found = [measure(case, parent, seed) for seed in case.seeds if (parent / f"{case.name}-{seed}.done").exists()]
    if not found:
        return []
    names = [name for name in found[0]["metrics"] if _bare(name) not in LEFT_OUT]
    scores = "; ".join(f"{_number(name, [one['metrics'][name] for one in found])} {_bare(name)}" for name in names)
    seconds = ", ".join(f"{one['seconds']:.0f}" for one in found)
    lines = [f"| `{case.shown}` | {found[0]['steps']:,} steps; {seconds} s | {scores} | {case.peer} |"]
    for other, metrics in found[0]["others"].items():
        shown = {name: value for name, value in metrics.items() if _bare(name) not in LEFT_OUT}
        scores = "; ".join(f"{_number(name, [value])} {_bare(name)}" for name, value in shown.items())
        lines.append(f"| {other} | | {scores} | |")
    return lines


def _bare(name: str) -> str:
    return name.removesuffix(" %")


def _number(name: str, values: list[float]) -> str:
    """All of them, and of several the mean."""
    one = "{:.2%}" if name.endswith("%") else "{:.4g}"
    shown = ", ".join(one.format(value) for value in values)
    return shown if len(values) == 1 else f"{shown} (mean {one.format(mean(values))})"


def main(words: list[str]) -> None:
    """Train and measure the named cases, or all; print the table of what is there."""
    if not words:
        sys.exit("expected a folder for the runs, then names of cases or nothing for all")
    parent, names = Path(words[0]), words[1:]
    unknown = [name for name in names if name not in {case.name for case in CASES}]
    if unknown:
        sys.exit(f"unknown case {unknown[0]!r}; expected one of {', '.join(case.name for case in CASES)}")
    if not DATA.is_dir():
        sys.exit(f"{DATA}: no such folder; name the folder of data in PEEPHOLE_DATA")
    parent.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for case in CASES:
        if not names or case.name in names:
            for seed in case.seeds:
                run(case, parent, seed)
    print("| trained by | cost | on the test part | others |\n" + "| --- " * 4 + "|")
    print("\n".join(line for case in CASES for line in rows(case, parent)))


if __name__ == "__main__":
    main(sys.argv[1:])
