"""The search itself: trial after trial in a run folder each, what came of it in a row."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from peephole._version import __version__
from peephole.errors import InputError
from peephole.runs.folder import Run
from peephole.runs.history import judged
from peephole.runs.rows import Row
from peephole.tasks.comparing.record import Task, in_unit, unit_of
from peephole.tasks.comparing.training import check_alone, check_net, held, train_into
from peephole.tasks.config import name_of, settings_of
from peephole.tasks.sweeping.choosing import Chooser, How
from peephole.tasks.sweeping.result import Sweep, Trial, in_order, told
from peephole.tasks.sweeping.space import Dimension, apply
from peephole.train.contract import Listener, NotFinite


def sweep(
    task: Task,
    space: Sequence[Dimension],
    trials: int,
    folder: Path,
    how: How = "random",
    minutes: float | None = None,
    listen: Callable[[str], Listener] = lambda text: Listener(),
    tell: Callable[[Trial], None] = lambda trial: None,
) -> Sweep:
    """Try settings of `space` for `task`: drawn at random, each trained to the end of its budget, or halved on the way.

    Every trial is a run folder within `folder`, with the seed of `task`. What is done stays done, and the same call
    goes on, in the middle of a training too, with the choices that it would have made; more `trials` may be asked for
    later. After `minutes` of all trials together no further one begins.

    Args:
        listen: gives the listener of a training that is carried out now, from what the trial is in words.
        tell: hears of each trial once it is done, of those that were done before as well.

    Raises:
        InputError: fewer than one trial, the folder holds something else, or the text cannot be used.
    """
    if trials < 1:
        raise InputError(f"--trials is {trials}; expected at least 1")
    check_alone(task.training)
    chooser, unit = Chooser(space, task.training.seed, how), unit_of(task)
    found: list[Trial] = []
    spent = 0.0
    with held(folder, _settings(task, space, how, minutes)) as rows:
        for place in range(1, trials + 1):
            name = f"trial-{place:03d}"
            done = rows.done(name)
            if done is None and minutes is not None and spent >= 60 * minutes:
                break
            values = chooser.begin()
            if values is None:
                break
            if done is None:
                row = _Attempt(task, values, folder / name, chooser, listen).carry_out(told(place, trials, values))
                done = rows.add(name, row)
            else:
                for nats in done["measured"]:
                    chooser.measure(nats)
            chooser.end(done["held_out"] if done["state"] == "complete" else None)
            spent += done["seconds"]
            found.append(_trial(place, done, folder / name, unit))
            tell(found[-1])
    return Sweep(task, unit, tuple(space), how, trials, in_order(found))


class _Stopped(Exception):
    """A trial that halving does not go on with."""


class _Attempt(Listener):
    """One trial: trains it, hears of its measurements and tells the chooser."""

    def __init__(
        self,
        task: Task,
        values: dict[str, Any],
        folder: Path,
        chooser: Chooser,
        listen: Callable[[str], Listener],
    ) -> None:
        self.task, self.values, self.folder, self.chooser, self.listen = task, values, folder, chooser, listen
        self.total: int | None = None

    def carry_out(self, text: str) -> Row:
        """Train, and say what came of it."""
        begun, before = time.monotonic(), self._history()
        earlier = before[-1].get("seconds", 0.0) if before else 0.0
        state, reason = "complete", None
        self.inner = self.listen(text)
        try:
            whole = apply(self.task, self.values)
            check_net(whole.model)
        except InputError as error:
            return self._row("refused", str(error), 0.0)
        try:
            train_into(whole, self.folder, self)
        except _Stopped:
            state, reason = "stopped", self._why_stopped()
        except NotFinite as end:
            state, reason = "died", str(end)
        return self._row(state, reason, earlier + time.monotonic() - begun)

    def on_start(self, first: int, total: int | None) -> None:
        """A training that goes on was measured before; the history has just been cut to where it goes on."""
        self.total = total
        for row in self._history():
            if "held_out" in row and row["step"] <= first:
                self.chooser.measure(row["held_out"])
        self.inner.on_start(first, total)

    def on_step(self, row: dict[str, Any], total: int | None) -> None:
        """After a step that was measured, and is in the history: whether to go on. The last one is the end anyway."""
        self.inner.on_step(row, total)
        self.total = total
        if "held_out" in row and not self.chooser.measure(row["held_out"]) and row["step"] != total:
            raise _Stopped

    def on_evaluation(self, row: dict[str, Any], improved: bool) -> None:
        self.inner.on_evaluation(row, improved)

    def on_budget(self, total: int, seconds_per_step: float) -> None:
        self.inner.on_budget(total, seconds_per_step)

    def on_watch(self, row: dict[str, Any], turned: Sequence[str]) -> None:
        self.inner.on_watch(row, turned)

    def _history(self) -> list[dict[str, Any]]:
        return Run(self.folder).read_history()

    def _why_stopped(self) -> str:
        rivals = self.chooser.rivals
        return f"after measurement {self.chooser.measured} not in the best third of the {rivals} that came as far"

    def _row(self, state: str, reason: str | None, seconds: float) -> Row:
        history = self._history() if state != "refused" else []
        measured = [row for row in history if "held_out" in row]
        last = self.task.training.keep == "last" and bool(measured)
        kept = measured[-1] if last else min(measured, key=judged, default={})
        return {
            "values": self.values,
            "state": state,
            "reason": reason,
            "measured": [row["held_out"] for row in measured],
            "held_out": kept.get("held_out"),
            "right": kept.get("right"),
            "steps": history[-1]["step"] if history else 0,
            "total": self.total,
            "seconds": seconds,
        }


def _trial(place: int, row: Row, folder: Path, unit: str) -> Trial:
    return Trial(
        number=place,
        values=row["values"],
        state=row["state"],
        held_out=None if row["held_out"] is None else in_unit(row["held_out"], unit),
        right=row["right"],
        measurements=len(row["measured"]),
        steps=row["steps"],
        total=row["total"],
        minutes=row["seconds"] / 60,
        reason=row["reason"],
        folder=folder,
    )


def _settings(task: Task, space: Sequence[Dimension], how: How, minutes: float | None) -> dict[str, Any]:
    """What a trial depends on beside its number."""
    settings = settings_of(task)
    search = {"over": [each.text for each in space], "how": how, "minutes in all": minutes}
    parts = {**settings.pop("model"), **settings.pop("training")}
    return {"experiment": f"sweep {name_of(task)}", "peephole": __version__, **search, **settings, **parts}
