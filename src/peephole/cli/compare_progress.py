"""Many trainings one after the other: a line for each that is done; on a terminal one that moves, for the present."""

import time
from pathlib import Path
from typing import Any

from peephole.train.contract import Listener

LIVE_SECONDS = 0.25


class RunProgress:
    """Lines on `stream`, a text stream, about trainings as they begin and end."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.live = bool(stream.isatty())
        self.begun = ""

    def begin(self, text: str) -> Listener:
        """The listener of a training that begins."""
        self.begun = text
        return _Steps(self, text) if self.live else Listener()

    def tell(self, text: str, folder: Path, ending: str | None) -> None:
        """Say what a training came to; `ending` is said in place of the number of one that did not end well."""
        from peephole.errors import InputError
        from peephole.tasks.comparing.record import number, read_record

        before = "" if self.begun == text else ", done before"
        if ending is None:
            try:
                record = read_record(folder)
                ending = f"held out {number(record.held_out, record.unit)} {record.unit}"
                ending += "" if record.right is None else f", {record.right:.2%} right"
                ending += f", {record.steps:,} steps in {_duration(record.minutes)}"
            except InputError as error:
                ending = str(error)
        self.say(f"{text}: {ending}{before}")

    def move(self, text: str) -> None:
        """The line of the present; the next one takes its place."""
        self.stream.write(f"\r\x1b[K{text}")
        self.stream.flush()

    def say(self, text: str) -> None:
        """A line that stays."""
        start = "\r\x1b[K" if self.live else ""
        self.stream.write(f"{start}{text}\n")
        self.stream.flush()


class _Steps(Listener):
    def __init__(self, progress: RunProgress, text: str) -> None:
        self.progress, self.text, self.shown_at = progress, text, 0.0

    def on_step(self, row: dict[str, Any], total: int | None) -> None:
        now = time.monotonic()
        if now - self.shown_at >= LIVE_SECONDS:
            self.shown_at = now
            of = f"/{total:,} {100 * row['step'] // total:3d} %" if total else ""
            self.progress.move(f"{self.text}: step {row['step']:,}{of}")


def _duration(minutes: float) -> str:
    return f"{minutes:.1f} min" if minutes >= 1 else f"{60 * minutes:.0f} s"
