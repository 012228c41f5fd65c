"""Training as it goes: two live lines on a terminal, a line every few seconds in a log file."""

import sys
import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from peephole.tasks.model import TaskModel
from peephole.train.contract import Listener
from peephole.train.watch.row import WatchRow

LOG_SECONDS, LIVE_SECONDS = 10.0, 0.25
WATCH_SECONDS = 30.0  # between lines of a log that say what was seen inside
SMOOTHING = 0.95  # of the numbers shown from step to step


class Progress(Listener):
    """Shows steps, divergence, gradient norm, speed and time left, and what was last seen inside; evaluations, and what
    has turned, as lines that stay.
    """

    def __init__(self, model: TaskModel, stream: Any) -> None:  # a text stream; no annotation of one can be checked
        self.model = model
        self.console = Console(file=stream, highlight=False)
        self.live = Live(console=self.console, auto_refresh=False, transient=True) if stream.isatty() else None
        self.shown_at = 0.0
        self.watch_shown_at = time.monotonic()
        self.text = self.seen = ""  # the live lines
        self.smooth: dict[str, float] = {}

    def on_start(self, first: int, total: int | None) -> None:
        for line in self.model.describe():
            self._line(line)
        budget = f"{total:,} steps" if total else "a budget in minutes: the first steps say how many that is"
        self._line(f"{'going on after step ' + format(first, ',') + ' of ' if first else ''}{budget}")
        if self.live is not None:
            self.live.start()

    def on_budget(self, total: int, seconds_per_step: float) -> None:
        self._line(f"the budget allows {total:,} steps of {seconds_per_step * 1000:.0f} ms; --steps {total} repeats it")

    def on_step(self, row: dict[str, Any], total: int | None) -> None:
        for name in ("divergence", "gradient_norm", "per_second"):
            value = float(row[name])
            self.smooth[name] = value + SMOOTHING * (self.smooth.get(name, value) - value)
        now = time.monotonic()
        if now - self.shown_at < (LIVE_SECONDS if self.live else LOG_SECONDS) and row["step"] != total:
            return
        self.shown_at = now
        shown = self.model.show({"divergence": self.smooth["divergence"]})
        share = f"/{total:,} {100 * row['step'] // total:3d} %" if total else ""
        text = (
            f"step {row['step']:,}{share}  {shown}  "
            f"gradient {self.smooth['gradient_norm']:.2f}  {self.smooth['per_second'] / 1000:.1f}k {self.model.unit}/s"
        )
        if total:
            left = (total - row["step"]) * row["seconds"] / row["step"]
            text += f"  {_duration(left)} left"
        if self.live is not None:
            self.text = text
            self._refresh()
        else:
            self._line(text)

    def on_evaluation(self, row: dict[str, Any], improved: bool) -> None:
        mark = "best so far, kept" if improved else "not better"
        self._line(f"step {row['step']:,}  {self.model.show(row)}  {mark}")

    def on_watch(self, row: dict[str, Any], turned: Sequence[str]) -> None:
        look, now = WatchRow.read(row), time.monotonic()
        assert look is not None
        self.seen = f"inside, step {look.step:,}: {look.verdict}"
        if self.live is not None:
            self._refresh()
        elif now - self.watch_shown_at >= WATCH_SECONDS:
            self.watch_shown_at = now
            self._line(self.seen)
        for sentence in turned:
            self._line(f"step {look.step:,}  turned: {sentence}")

    def close(self) -> None:
        """Take the live line away."""
        if self.live is not None:
            self.live.stop()

    def _refresh(self) -> None:
        """Show both live lines, wrapped where the terminal is narrow."""
        assert self.live is not None
        self.live.update(Group(*(Text(line) for line in (self.text, self.seen) if line)), refresh=True)

    def _line(self, text: str) -> None:
        if self.live is not None and self.live.is_started:
            self.live.console.print(Text(text))
        else:
            print(text, file=self.console.file or sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
