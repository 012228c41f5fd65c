"""What language models reach: `python benchmarks/language_models.py FOLDER [NAME …]` trains and tabulates.

Data lies in the folder that `PEEPHOLE_DATA` names. Every run lives in FOLDER and goes on where it was stopped; what is
there already is not trained again. The table of `docs/results.md` is what this prints.
"""

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

PEEPHOLE = [sys.executable, "-m", "peephole"]
DATA = Path(os.environ.get("PEEPHOLE_DATA", Path(__file__).parents[2] / "shared" / "data")).absolute()
CUT_TOKENS = 929_589  # of the Penn Treebank's training part, which the papers had
LINUX_LINES = 77_535, 8_202, 8_456  # of training, validation and test, as the file's source cut it


@dataclass(frozen=True)
class Case:
    """A training: the words of `train`, with {data} and {parent} for folders, and those of further evaluations."""

    name: str
    train: str
    also: tuple[str, ...] = ()

    def folder(self, parent: Path) -> Path:
        return parent / self.name


WORDS = "text {data}/wikitext-2 --tokens word --preset laptop"
CASES = (
    Case("laptop", WORDS, ("--cache 2000", "--dynamic --limit 20000")),
    Case("zaremba-small", "text {parent}/wikitext-2-cut --tokens word --preset zaremba-small"),
    Case("linux", "text {parent}/linux --layers 2 --hidden-size 256 --minutes 15"),
    Case("full", f"{WORDS} --softmax full --minutes 10 --threads 1"),
    Case("sampled", f"{WORDS} --softmax sampled --minutes 10 --threads 1"),
    Case("adaptive", f"{WORDS} --softmax adaptive --minutes 10 --threads 1"),
)


def prepare(parent: Path) -> None:
    """The parts that are cut out of the data, once."""
    linux, cut = parent / "linux", parent / "wikitext-2-cut"
    if not linux.exists():
        lines = iter((DATA / "linux_kernel/linux-4.x_kernel_dir.txt").read_text().splitlines(keepends=True))
        parts = [[next(lines) for _ in range(count)] for count in LINUX_LINES]
        _write(linux, dict(zip(("train", "valid", "test"), parts, strict=True)))
    if not cut.exists():
        parts = {part: (DATA / f"wikitext-2/{part}.txt").read_text().splitlines(keepends=True) for part in PARTS}
        _write(cut, {**parts, "train": _first_tokens(parts["train"])})


PARTS = ("train", "valid", "test")


def _first_tokens(lines: Iterable[str]) -> list[str]:
    """The lines up to `CUT_TOKENS` words and line ends."""
    kept, count = list[str](), 0
    for line in lines:
        count += len(line.split()) + 1
        if count > CUT_TOKENS:
            break
        kept.append(line)
    return kept


def _write(folder: Path, parts: dict[str, list[str]]) -> None:
    partial = folder.with_name(f".{folder.name}")
    partial.mkdir(exist_ok=True)
    for part, lines in parts.items():
        (partial / f"{part}.txt").write_text("".join(lines))
    partial.rename(folder)


def train(case: Case, parent: Path) -> None:
    """Train, or go on; `.done` beside the folder says that it has come to its end."""
    folder, done = case.folder(parent), parent / f"{case.name}.done"
    if done.exists():
        return
    words = [*_filled(case.train, parent), "--out", str(folder)]
    if (folder / "config.json").exists():
        words = ["--resume", str(folder)]
    with (parent / f"{case.name}.log").open("a") as log:
        subprocess.run([*PEEPHOLE, "train", *words, "--no-report"], check=True, stdout=log, stderr=log)
    done.touch()


def evaluated(case: Case, parent: Path, also: str = "") -> dict[str, Any]:
    """What `eval` finds with further words, kept so that it is done once."""
    kept = parent / f"{case.name}{also.replace(' ', '')}.json"
    if not kept.exists():
        words = ["eval", str(case.folder(parent)), "--json", *also.split()]
        kept.write_text(subprocess.run([*PEEPHOLE, *words], check=True, capture_output=True, text=True).stdout)
    return json.loads(kept.read_text())


def _filled(words: str, parent: Path) -> list[str]:
    return words.replace("{data}", str(DATA)).replace("{parent}", str(parent)).split()


def rows(case: Case, parent: Path) -> list[str]:
    """Lines of the table: what was trained, what it cost, and what came out."""
    if not (parent / f"{case.name}.done").exists():
        return []
    last = json.loads((case.folder(parent) / "history.jsonl").read_text().splitlines()[-1])
    shown = " ".join(word.rsplit("/", 1)[-1] if word.startswith("{") else word for word in case.train.split())
    cost = f"{last['step']:,} steps; {last['seconds'] / 60:.1f} min"
    found = evaluated(case, parent)
    lines = [f"| `train {shown}` | {cost} | {_worth(found, found)} | {_counted(found)} |"]
    for also in case.also:
        found = evaluated(case, parent, also)
        lines += [f"| `eval {also}`: {one['name']} | | {_worth(found, one)} | |" for one in found["adapted"]]
    return lines


def _worth(found: dict[str, Any], paid: dict[str, Any]) -> str:
    if found["unit"] == "characters":
        bits = paid["bits_per_character"]
        return f"{bits * math.log(2):.4f} nats, {bits:.4f} bits a character"
    return f"perplexity {paid['perplexity']:.2f}"


def _counted(found: dict[str, Any]) -> str:
    """What n-grams pay that learnt from the same text, and the best mixture."""
    if found["unit"] == "characters":
        return f"5-gram {found['baselines']['5-gram']:.4f} bits, xz {found['baselines']['xz']:.4f}"
    mixture = (found["against_ngrams"] or {}).get("mixture")
    mixed = "" if mixture is None else f"; mixed {math.exp(mixture['nats']):.2f}"
    return f"5-gram {found['baseline_perplexities']['5-gram']:.2f}{mixed}"


def main(words: list[str]) -> None:
    """Train and measure the named cases, or all; print the table of what is there."""
    if not words:
        sys.exit("expected a folder for the runs, then names of cases or nothing for all")
    parent, names = Path(words[0]).absolute(), words[1:]
    unknown = [name for name in names if name not in {case.name for case in CASES}]
    if unknown:
        sys.exit(f"unknown case {unknown[0]!r}; expected one of {', '.join(case.name for case in CASES)}")
    if not DATA.is_dir():
        sys.exit(f"{DATA}: no such folder; name the folder of data in PEEPHOLE_DATA")
    parent.mkdir(parents=True, exist_ok=True)
    prepare(parent)
    for case in CASES:
        if not names or case.name in names:
            train(case, parent)
    print("| trained by | cost | on the test part | n-grams there |\n" + "| --- " * 4 + "|")
    print("\n".join(chain.from_iterable(rows(case, parent) for case in CASES)))


if __name__ == "__main__":
    main(sys.argv[1:])
