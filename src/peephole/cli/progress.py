"""Training as it goes: one live line on a terminal, one line every few seconds in a log file."""

import sys
import time
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from peephole.tasks.model import TaskModel
from peephole.train.contract import Listener

LOG_SECONDS, LIVE_SECONDS = 10.0, 0.25
SMOOTHING = 0.95  # of the numbers shown from step to step


class Progress(Listener):
    """Shows steps, divergence, gradient norm, speed and time left; evaluations as lines that stay."""

    def __init__(self, model: TaskModel, stream: Any) -> None:  # a text stream; no annotation of one can be checked
        self.model = model
        self.console = Console(file=stream, highlight=False)
        self.live = Live(console=self.console, auto_refresh=False, transient=True) if stream.isatty() else None
        self.shown_at = 0.0
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
            self.live.update(Text(text), refresh=True)
        else:
            self._line(text)

    def on_evaluation(self, row: dict[str, Any], improved: bool) -> None:
        mark = "best so far, kept" if improved else "not better"
        self._line(f"step {row['step']:,}  {self.model.show(row)}  {mark}")

    def close(self) -> None:
        """Take the live line away."""
        if self.live is not None:
            self.live.stop()

    def _line(self, text: str) -> None:
        if self.live is not None and self.live.is_started:
            self.live.console.print(Text(text))
        else:
            print(text, file=self.console.file or sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
