"""How well the doctor finds what was planted: `python benchmarks/doctor.py FOLDER [options]`.

Every planted run lives in FOLDER and is trained once, healthy ones too; diagnosing them is repeated at every call. It
prints a line a run, then of each cause and strength how often the planted cause came first and among the first three,
and which causes were found in healthy runs. `--cures` trains every run once more with the cure of the first cause found
and counts how often the divergence is lower; `--write docs/doctor.md` puts the table there.
"""

import argparse
import json
import math
import multiprocessing
import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peephole.writing import write_whole

TEXTS = {
    "shakespeare": "tinyshakespeare/input.txt",
    "kernel": "linux_kernel/linux-4.x_kernel_dir.txt",
    "wiki": "wikitext-2/train.txt",
}
GROUPS = ("dev", "reserved", "later")  # as `HealthyTask.reserved` counts them
SHOWN = 3  # causes a run


@dataclass(frozen=True)
class Planted:
    """A run to be trained and diagnosed; `cause` None is a healthy one, of strength 0."""

    task: str
    cause: str | None
    strength: int
    seed: int

    def folder(self, parent: Path) -> Path:
        words = "healthy" if self.cause is None else f"{self.cause.lower().replace(' ', '-')}-{self.strength}"
        return parent / f"{self.task}-{words}-{self.seed}"


@dataclass(frozen=True)
class Outcome:
    """What became of one: causes as found, first to last, with confidence and cost; held-out divergence `without` the
    fault, and seconds that the diagnosis took.
    """

    run: Planted
    found: tuple[tuple[str, float, float], ...]
    without: float
    seconds: float
    cured: float | None = None  # what `without` became with the first cure; None where none was tried

    @property
    def rank(self) -> int | None:
        """The place of the planted cause, from 1; None where it was not found."""
        names = [name for name, _, _ in self.found]
        return names.index(self.run.cause) + 1 if self.run.cause in names else None

    @property
    def alarms(self) -> tuple[str, ...]:
        """Causes of medium confidence or more."""
        return tuple(name for name, confidence, _ in self.found if confidence >= 0.4)


def runs(options: argparse.Namespace) -> list[Planted]:
    """All runs that were asked for, a task after another."""
    from peephole.doctor.planting.faults import faults_of
    from peephole.doctor.planting.tasks import TASKS

    found: list[Planted] = []
    for name, task in TASKS.items():
        if options.tasks not in ("all", GROUPS[task.reserved], name):
            continue
        for seed in options.seeds:
            if not options.causes or "healthy" in options.causes:
                found.append(Planted(name, None, 0, seed))
            for fault in faults_of(name):
                if (not options.causes or fault.cause in options.causes) and fault.strength in options.strengths:
                    found.append(Planted(name, fault.cause, fault.strength, seed))
    return found


def model_of(run: Planted, parent: Path) -> Any:
    """The trained model of a run; it is trained now where it is not yet."""
    from peephole.doctor.planting.faults import Fault
    from peephole.doctor.planting.model import PlantedModel
    from peephole.runs.folder import Run

    folder, done = run.folder(parent), run.folder(parent).with_suffix(".done")
    if done.exists():
        return PlantedModel.open(Run.open(folder))
    shutil.rmtree(folder, ignore_errors=True)
    data = Path(os.environ.get("PEEPHOLE_DATA", "../shared/data"))
    files = [data / TEXTS[run.task]] if run.task in TEXTS else []
    fault = None if run.cause is None else Fault(run.cause, run.strength)
    model = PlantedModel.create(run.task, fault, run.seed, folder, files)
    model.fit()
    shutil.rmtree(model.run.checkpoint_folder, ignore_errors=True)  # the kept weights are enough
    done.touch()
    return PlantedModel.open(model.run)


def outcome(given: tuple[Planted, Path, bool, bool]) -> Outcome | None:
    """Train where it has to be, and diagnose."""
    import torch

    torch.set_num_threads(1)
    run, parent, only_train, cures = given
    model = model_of(run, parent)
    if only_train:
        return None
    from peephole.doctor.diagnose import diagnose_case

    case = model.case()
    began = time.monotonic()
    diagnosis = diagnose_case(case)
    seconds = time.monotonic() - began
    found = tuple((one.name, one.confidence, one.cost) for one in diagnosis.causes)
    cured = cured_by(model, diagnosis.first, parent) if cures and run.cause is not None else None
    return Outcome(run, found, model.healthy_measure(), seconds, cured)


def cured_by(model: Any, first: Any, parent: Path) -> float | None:
    """The held-out divergence, without the fault, after training with a cure; None where none can be tried."""
    from peephole.doctor.treatment import treat
    from peephole.errors import InputError

    if first is None:
        return None
    folder = parent / "cures" / f"{model.run.folder.name}-by-{first.name.lower().replace(' ', '-')}"
    try:
        treated = treat(model, first, folder, minutes=60.0)
    except InputError:
        shutil.rmtree(folder, ignore_errors=True)
        return None
    return treated.after


def told(one: Outcome) -> str:
    """A line a run."""
    shown = "; ".join(f"{name} {confidence:.2f}×{cost:.2f}" for name, confidence, cost in one.found[:SHOWN])
    name = f"{one.run.cause or 'healthy'} {one.run.strength or ''}"
    place = "" if one.run.cause is None else f"#{one.rank or '-'}"
    return (
        f"{one.run.task:14} {name:42} s{one.run.seed} {place:3} without {one.without:.4g} {one.seconds:.1f} s: {shown}"
        + ("" if one.cured is None else f"; cured {one.cured:.4g}")
    )


def share(those: Sequence[bool]) -> str:
    """Of how many, in percent."""
    return f"{sum(those)}/{len(those)} ({sum(those) / max(1, len(those)):.0%})"


def summary(outcomes: Sequence[Outcome]) -> list[str]:
    """Each cause at each strength, then all of them, then healthy runs."""
    planted = [one for one in outcomes if one.run.cause is not None]
    healthy = [one for one in outcomes if one.run.cause is None]
    lines = ["", f"{'cause':42} strength first three"]
    for cause in dict.fromkeys(one.run.cause for one in planted):
        for strength in (1, 2, 3):
            those = [one for one in planted if (one.run.cause, one.run.strength) == (cause, strength)]
            if those:
                lines.append(f"{cause:42} {strength}  {share(firsts(those)):12} {share(threes(those))}")
    lines.append(f"all planted: first {share(firsts(planted))}, among three {share(threes(planted))}")
    tried = [one for one in planted if one.cured is not None]
    if tried:
        lines.append(f"first cures tried, divergence lower: {share([better(one) for one in tried])}")
        lines += [f"  not: {told(one)}" for one in tried if not better(one)]
    quiet = [not one.alarms for one in healthy]
    lines.append(f"healthy without a cause above low: {share(quiet)}")
    lines += [f"  {one.run.task} s{one.run.seed}: {', '.join(one.alarms)}" for one in healthy if one.alarms]
    return lines


def markdown(outcomes: Sequence[Outcome]) -> list[str]:
    """The table of the documentation: a row a cause, its places by task and strength."""
    tasks = list(dict.fromkeys(one.run.task for one in outcomes))
    lines = ["| planted | " + " | ".join(tasks) + " |", "| --- " * (len(tasks) + 1) + "|"]
    for cause in dict.fromkeys(one.run.cause for one in outcomes if one.run.cause is not None):
        cells: list[str] = []
        for task in tasks:
            those = [one for one in outcomes if (one.run.cause, one.run.task) == (cause, task)]
            by_strength = [[one for one in those if one.run.strength == strength] for strength in (1, 2, 3)]
            places = [",".join(str(one.rank or "–") for one in some) for some in by_strength if some]
            cells.append(" / ".join(places))
        lines.append(f"| {cause} | " + " | ".join(cells) + " |")
    planted = [one for one in outcomes if one.run.cause is not None]
    healthy = [one for one in outcomes if one.run.cause is None]
    lines += ["", f"First: {share(firsts(planted))}; among the first three: {share(threes(planted))}; healthy runs "]
    lines[-1] += f"without a cause above low confidence: {share([not one.alarms for one in healthy])}."
    tried = [better(one) for one in planted if one.cured is not None]
    if tried:
        lines[-1] += f" First cures tried that made the divergence lower: {share(tried)}."
    return lines


def better(one: Outcome) -> bool:
    """Whether the cure made the divergence lower; from one that is not finite anything finite is."""
    return one.cured is not None and math.isfinite(one.cured) and not one.cured >= one.without


def firsts(outcomes: Sequence[Outcome]) -> list[bool]:
    """Whether the planted cause came first."""
    return [one.rank == 1 for one in outcomes]


def threes(outcomes: Sequence[Outcome]) -> list[bool]:
    """Whether it was among the first three."""
    return [one.rank is not None and one.rank <= SHOWN for one in outcomes]


def main(words: list[str]) -> None:
    """Train what is missing, diagnose all, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tasks", default="dev", help="dev, reserved, later, all, or the name of one")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--causes", nargs="+", default=[], help="these alone; 'healthy' for healthy runs")
    parser.add_argument("--strengths", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--train", action="store_true", help="train alone, without diagnosing")
    parser.add_argument("--cures", action="store_true", help="train again with the first cure of every run")
    parser.add_argument("--markdown", action="store_true", help="print a table of documentation")
    parser.add_argument("--write", type=Path, help="put that table into a file, between the marks of these tasks")
    parser.add_argument("--json", type=Path, help="write what was found to this file")
    options = parser.parse_args(words)
    options.folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    given = [(run, options.folder, options.train, options.cures) for run in runs(options)]
    outcomes: list[Outcome] = []
    with multiprocessing.get_context("spawn").Pool(max(1, min(2, options.processes))) as pool:
        for one in pool.imap(outcome, given):
            if one is not None:
                outcomes.append(one)
                print(told(one), file=sys.stderr if options.markdown else sys.stdout, flush=True)
    if options.json:
        kept = [
            {**vars(one.run), "found": one.found, "without": one.without, "rank": one.rank, "cured": one.cured}
            for one in outcomes
        ]
        options.json.write_text(json.dumps(kept, indent=1))
    if options.write:
        put(options.write, options.tasks, markdown(outcomes))
    print("\n".join(markdown(outcomes) if options.markdown else summary(outcomes)))


def put(file: Path, name: str, lines: Sequence[str]) -> None:
    """Lines in place of what stands between <!-- NAME --> and <!-- end of NAME --> in a file."""
    before, rest = file.read_text(encoding="utf-8").split(f"<!-- {name} -->\n")
    _, after = rest.split(f"<!-- end of {name} -->")
    whole = f"{before}<!-- {name} -->\n{chr(10).join(lines)}\n<!-- end of {name} -->{after}"
    write_whole(file, whole.encode())


if __name__ == "__main__":
    main(sys.argv[1:])
