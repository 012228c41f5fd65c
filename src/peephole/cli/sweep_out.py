"""Where a sweep goes: its table, the best settings as a command that trains them, a figure, one JSON object."""

import dataclasses
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peephole.cli.compare_out import emit_table, minutes, write_figure
from peephole.cli.compare_task import defaults_of
from peephole.cli.parsing import emit

if TYPE_CHECKING:
    from peephole.tasks.comparing.record import Task
    from peephole.tasks.sweeping.result import Sweep, Trial

BESIDE = 3  # figures in a row


def show(found: "Sweep", task: str, figure: Path | None, as_json: bool) -> None:
    """Print the sweep, with the best settings as a command."""
    from peephole.tasks.sweeping.space import apply

    best = found.best
    command = None if best is None else train_command(task, apply(found.base, best.values), best.total or best.steps)
    if as_json:
        written = None if figure is None else str(figure)
        emit(json.dumps({**found.as_dict(), "command": command, "figure": written}, ensure_ascii=False) + "\n")
        return
    emit(f"{found.verdict}\n")
    if len(found.trials) < found.asked:
        why = "these are all that there can be" if found.exhausted else "the minutes are over"
        emit(f"note: {len(found.trials)} of {found.asked} trials, {why}\n")
    emit_table(_rows(found))
    if figure is not None:
        emit(f"wrote {figure}\n")
    if command is not None:
        emit(f"the best again: {command}\n")


def ending(trial: "Trial") -> str | None:
    """What is said of a trial that is not complete."""
    return None if trial.state == "complete" else f"{trial.state}: {trial.reason}"


def draw_sweep(found: "Sweep", path: Path) -> Path:
    """Draw held-out divergence against each option, into one file."""
    from matplotlib.figure import Figure

    from peephole.figures import styled

    count = len(found.space)
    across = 2 if count == 4 else min(BESIDE, count)
    down = -(-count // across)
    with styled():
        figure = Figure(figsize=(3.6 * across + 0.6, 3.4 * down), layout="constrained")
        axes = list(figure.subplots(down, across, squeeze=False, sharey=True).flat)
        for ax, dimension in zip(axes, found.space, strict=False):
            found.plot(ax, dimension.name)
            if ax.get_subplotspec().colspan.start:
                ax.set_ylabel("")
        for ax in axes[count:]:
            ax.remove()
        figure.axes[0].legend(fontsize="small")
    write_figure(path, figure)
    return path


def train_command(name: str, task: "Task", steps: int) -> str:
    """The command that trains these settings, ready to be pasted: what differs from the defaults of `peephole train`.

    A budget in minutes becomes the steps that it came to, which end with the same weights.
    """
    defaults: Any = defaults_of(name)
    given = vars(task)
    data = given.get("problem", given.get("data"))
    usual: Any = defaults
    if "problem" in given:  # whose settings depend on the problem
        usual = type(task)(defaults.data, defaults.model, defaults.training)
    words = ["peephole", "train", *([name] if name != "text" else [])]
    words += [str(path) for path in getattr(data, "files", ())]
    training = dataclasses.replace(given["training"], **{**dict.fromkeys(task.training.budgets()), "steps": steps})
    parts = [(training, usual.training), (task.model, usual.model)]
    parts.append((data, type(data)() if name == "text" else defaults.data))
    for part, other in parts:
        for field in dataclasses.fields(part):
            value = getattr(part, field.name)
            cleared = value is None and field.name in task.training.budgets()  # --steps takes the place of a budget
            if field.name not in ("files", "fewest_steps") and not cleared and value != getattr(other, field.name):
                words += _option(field.name, value)
    return shlex.join(words)


def _option(name: str, value: Any) -> list[str]:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    if isinstance(value, tuple):
        return [f"--{flag}", *map(str, value)]
    return [f"--{flag}", repr(value) if isinstance(value, float) else str(value)]


def _rows(found: "Sweep") -> list[tuple[str, ...]]:
    from peephole.tasks.comparing.fields import spell

    problem = any(trial.right is not None for trial in found.trials)
    options = [dimension.name for dimension in found.space]
    header = ["", f"held out, {found.unit}", *(["right"] if problem else []), *options]
    rows: list[tuple[str, ...]] = [(*header, "steps", "minutes", "state")]
    for trial in found.trials:
        cells = [f"trial {trial.number}", "-" if trial.held_out is None else found.number(trial.held_out)]
        cells += ["-" if trial.right is None else f"{trial.right:.2%}"] if problem else []
        cells += [spell(trial.values[name]) for name in options]
        rows.append((*cells, f"{trial.steps:,}", minutes(trial.minutes), trial.state))
    return rows
