"""Learning word vectors as it goes: a live line on a terminal, a line every few seconds in a log file."""

import sys
import time
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from peephole.cli.train_out import short

if TYPE_CHECKING:
    from peephole.embed.learning.progress import Epoch, Progress
    from peephole.embed.learning.run import EmbedRun

LOG_SECONDS, LIVE_SECONDS = 10.0, 0.25


class EmbedProgress:
    """Shows how far the text is read, then loss, words a second and time left; the loss of each epoch stays."""

    def __init__(self, run: "EmbedRun", stream: Any) -> None:  # a text stream; no annotation of one can be checked
        self.run = run
        self.console = Console(file=stream, highlight=False)
        self.live = Live(console=self.console, auto_refresh=False, transient=True) if stream.isatty() else None
        if self.live is not None:
            self.live.start()
        self.shown_at = time.monotonic()
        self.begun = False

    def on_reading(self, what: str, done: int, total: int) -> None:
        """A step of reading the text: what, and bytes of all."""
        self._fleeting(f"{what} {100 * done // max(total, 1):3d} %  {done / 2**20:,.0f} MiB")

    def on_stretch(self, at: "Progress") -> None:
        """A stretch of text was learnt from."""
        if not self.begun:
            self.begun = True
            self._line(self._describe())
        if at.finished is not None:
            self._line(f"epoch {at.finished.number}/{at.epochs}  {_epoch(at.finished)}")
        left = at.seconds_left
        self._fleeting(
            f"epoch {at.epoch}/{at.epochs}  {100 * at.done // at.parts:3d} %  loss {at.loss:.4f}  "
            f"{at.words_per_second / 1000:,.0f}k words/s  rate {at.rate:.4f}  {left:,.0f} s left"
        )

    def close(self) -> None:
        """Take the live line away."""
        if self.live is not None:
            self.live.stop()

    def _describe(self) -> str:
        corpus, config = self.run.corpus(), self.run.config
        long = corpus.description["too_long"]
        kind = "a tree" if config.softmax == "hierarchical" else f"{config.negatives} negatives"
        return (
            f"{short(self.run.run.folder)}: {corpus.raw_words:,} words of text, {len(corpus.counts):,} different "
            f"and frequent; {config.kind}, {config.size} numbers, window {config.window}, {kind}, "
            f"{config.threads} thread{'s' if config.threads > 1 else ''}"
            + (f"; words of more than 1,000 bytes, left out: {long:,}" if long else "")
        )

    def _fleeting(self, text: str) -> None:
        now = time.monotonic()
        if now - self.shown_at < (LIVE_SECONDS if self.live else LOG_SECONDS):
            return
        self.shown_at = now
        if self.live is not None:
            self.live.update(Text(text), refresh=True)
        else:
            self._line(text)

    def _line(self, text: str) -> None:
        if self.live is not None and self.live.is_started:
            self.live.console.print(Text(text))
        else:
            print(text, file=self.console.file or sys.stderr, flush=True)


def _epoch(epoch: "Epoch") -> str:
    return f"loss {epoch.loss:.4f}  {epoch.words_per_second / 1000:,.0f}k words/s"
