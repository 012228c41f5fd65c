"""Skip-gram and CBOW over a text on disk: stretch after stretch, with checkpoints, and the loss of each epoch."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from peephole._native import instructions, word_vectors
from peephole.embed.corpus.preparing import Corpus
from peephole.embed.learning.checkpoint import newest_checkpoint, read_checkpoint, sweep_checkpoints, write_checkpoint
from peephole.embed.learning.config import EmbedConfig
from peephole.embed.learning.distributions import kept, noise, tree
from peephole.embed.learning.progress import Epoch, Interrupted, Progress, Shown
from peephole.embed.learning.stretches import part_starts, read_tokens
from peephole.embed.vectors import Vectors
from peephole.errors import InputError
from peephole.reference import word_vectors as reference
from peephole.runs.folder import Run
from peephole.stopping import heard_signals
from peephole.word_operands import Learnt, Stretch, Table, WordSettings

STRETCH_SECONDS = 0.7  # about what one call of the kernel takes: how soon Ctrl-C is heard
FIRST_PARTS = 1  # of the first call, which says how long one takes
MOST_PARTS = 512
CHECKPOINT_SECONDS = 120.0


@dataclass(frozen=True, eq=False)
class Trained:
    """What was learnt: vectors of the words, rows of what they are told apart by (words, or inner nodes), epochs."""

    vectors: Vectors
    outputs: Table
    epochs: tuple[Epoch, ...]


def train(corpus: Corpus, config: EmbedConfig, run: Run | None = None, shown: Shown | None = None) -> Trained:
    """Learn vectors of the words of a corpus. With a `run`, checkpoints and history go there, and it goes on from them.

    Raises:
        InputError: the loss became infinite, the corpus on disk is damaged, or a disk is full.
        Interrupted: it was asked to stop (Ctrl-C); the run has a checkpoint.
    """
    training = _Training(corpus, config, run, shown)
    training.go()
    return Trained(Vectors(corpus.words(), training.inputs, corpus.counts), training.outputs, tuple(training.epochs))


def first_vectors(words: int, size: int, seed: int) -> Table:
    """What training begins with: uniform within ±1/size, as gensim has it; word2vec begins with half of that."""
    rows = np.random.default_rng(seed).random((words, size), dtype=np.float32)
    rows -= np.float32(0.5)
    rows *= np.float32(2 / size)
    return rows


def _first_tables(words: int, config: EmbedConfig) -> tuple[Table, Table]:
    rows = words - (config.softmax == "hierarchical")
    try:
        return first_vectors(words, config.size, config.seed), np.zeros((rows, config.size), dtype=np.float32)
    except MemoryError:
        raise InputError(
            f"no memory for two tables of {words:,} words and {config.size:,} numbers; expected a smaller --size or "
            "--vocabulary"
        ) from None


def _check_same(written: Any, now: Any, checkpoint: Path) -> None:
    """`InputError` where a checkpoint is of another text or other settings."""
    for what, remedy in (("text", "put the text back that the run began with"), ("settings", "restore config.json")):
        if written[what] != now[what]:
            raise InputError(f"{checkpoint}: the {what} of the run changed since; {remedy}, or begin a new run")


class _Training:
    def __init__(self, corpus: Corpus, config: EmbedConfig, run: Run | None, shown: Shown | None) -> None:
        self.corpus, self.config, self.run, self.shown = corpus, config, run, shown
        self.starts = part_starts(corpus.tokens, corpus.length)
        self.parts = len(self.starts) - 1
        self.settings = word_settings(corpus, config)
        self.native = not instructions.absence()
        self.stop_requested = False
        self.part = 0  # of the whole training: the next to be learnt from
        self.seconds = 0.0
        self.epochs: list[Epoch] = []
        self.sums = _Sums()
        found = newest_checkpoint(run.checkpoint_folder) if run is not None else None
        self.made_of = {"text": corpus.digest(), "settings": {**asdict(config), "threads": None}}
        if found is None:
            self.inputs, self.outputs = _first_tables(len(corpus.counts), config)
        else:
            tables, state = read_checkpoint(found)
            _check_same(state["made_of"], self.made_of, found)
            self.inputs, self.outputs = tables["inputs"], tables["outputs"]
            self.part, self.seconds = state["part"], state["seconds"]
            self.epochs = [Epoch(**one) for one in state["epochs"]]
            self.sums = _Sums(**state["sums_of_epoch"])
        if run is not None:
            sweep_checkpoints(run.checkpoint_folder)
            run.cut_history(self.part)

    def go(self) -> None:
        """To the end, or to where it is asked to stop."""
        total = self.parts * self.config.epochs
        count, saved_at = FIRST_PARTS, time.monotonic()
        with heard_signals(self):
            while self.part < total:
                left = self.parts - self.part % self.parts
                now = min(count, left)
                seconds = self._stretch(now)
                wanted = now * STRETCH_SECONDS / max(seconds, 1e-6)
                count = int(min(max(wanted, self.config.threads), 4 * now, MOST_PARTS))
                ended = self.part == total
                if self.run is not None and (
                    ended or self.stop_requested or time.monotonic() - saved_at > CHECKPOINT_SECONDS
                ):
                    self._save()
                    saved_at = time.monotonic()
                if self.stop_requested and not ended:
                    raise Interrupted

    def _stretch(self, count: int) -> float:
        """Learn from the next `count` parts of this epoch; how many seconds that took."""
        began = time.perf_counter()
        epoch, first = divmod(self.part, self.parts)
        starts = self.starts[first : first + count + 1]
        tokens = read_tokens(self.corpus.tokens, int(starts[0]), int(starts[-1]))
        if len(tokens) != starts[-1] - starts[0] or (len(tokens) and tokens.max() >= len(self.corpus.counts)):
            raise InputError(f"{self.corpus.tokens}: damaged; remove its folder and train again, which makes it anew")
        rates = self._rates(epoch, starts[:-1])
        learnt = self._learn(Stretch(tokens, starts - starts[0], rates, self.part, self.config.seed))
        loss, predictions = float(learnt.losses.sum()), int(learnt.targets.sum())
        if not np.isfinite(loss):
            raise InputError(
                f"the loss became {loss} in epoch {epoch + 1}: the vectors blew up; train again with a smaller "
                f"--learning-rate (it was {self.config.rate:g})"
            )
        seconds = time.perf_counter() - began
        self.part += count
        self.seconds += seconds
        self.sums = self.sums.plus(loss, predictions, seconds)
        words = self.corpus.raw_words * (starts[-1] - starts[0]) / self.corpus.length
        finished = self._finish(epoch) if self.part % self.parts == 0 else None
        self._tell(epoch, loss / max(predictions, 1), words / max(seconds, 1e-9), float(rates[-1]), finished)
        return seconds

    def _learn(self, stretch: Stretch) -> Learnt:
        if self.native:
            return word_vectors.learn(self.inputs, self.outputs, self.settings, stretch, self.config.threads)
        return reference.learn(self.inputs, self.outputs, self.settings, stretch)

    def _rates(self, epoch: int, starts: np.ndarray) -> np.ndarray:
        done = (epoch + starts / self.corpus.length) / self.config.epochs
        return self.config.rate + (self.config.least_rate - self.config.rate) * done

    def _finish(self, epoch: int) -> Epoch:
        sums, self.sums = self.sums, _Sums()
        if not sums.predictions and not any(one.predictions for one in self.epochs):
            thinned = self.config.sample > 0
            raise InputError(
                f"no two words of a sentence are left: --sample {self.config.sample:g} thins out frequent words, which "
                "all are here; pass --sample 0, or give more text"
                if thinned
                else "no line of the text has two words of the vocabulary; expected a sentence or a document a line"
            )
        mean = sums.loss / max(sums.predictions, 1)
        self.epochs.append(Epoch(epoch + 1, mean, sums.predictions, self.corpus.raw_words, sums.seconds))
        return self.epochs[-1]

    def _tell(self, epoch: int, loss: float, words_per_second: float, rate: float, finished: Epoch | None) -> None:
        if self.run is not None:
            row: dict[str, Any] = {"step": self.part, "epoch": epoch + 1, "divergence": loss, "learning_rate": rate}
            row |= {"per_second": words_per_second, "seconds": self.seconds}
            if finished is not None:
                row |= {"epoch_loss": finished.loss, "predictions": finished.predictions}
            self.run.append_history(row)
        if self.shown is not None:
            total, epochs = self.parts * self.config.epochs, self.config.epochs
            left = self.seconds / self.part * (total - self.part)
            self.shown(Progress(self.part, total, epoch + 1, epochs, loss, words_per_second, rate, left, finished))

    def _save(self) -> None:
        assert self.run is not None
        state: dict[str, Any] = {"seconds": self.seconds, "epochs": [asdict(one) for one in self.epochs]}
        state |= {"sums_of_epoch": asdict(self.sums), "made_of": self.made_of}
        tables = {"inputs": self.inputs, "outputs": self.outputs}
        write_checkpoint(self.run.checkpoint_folder, self.part, tables, state)


@dataclass(frozen=True)
class _Sums:
    """Of the epoch that is under way."""

    loss: float = 0.0
    predictions: int = 0
    seconds: float = 0.0

    def plus(self, loss: float, predictions: int, seconds: float) -> "_Sums":
        return _Sums(self.loss + loss, self.predictions + predictions, self.seconds + seconds)


def word_settings(corpus: Corpus, config: EmbedConfig) -> WordSettings:
    """What the kernel is told of the text and the settings. `InputError` where there is nothing to tell apart."""
    if len(corpus.counts) < 2:
        raise InputError(f"the vocabulary has {len(corpus.counts)} words; expected two at least to tell apart")
    outputs = (
        tree(corpus.counts)
        if config.softmax == "hierarchical"
        else noise(corpus.counts, config.exponent, config.negatives, config.sharing)
    )
    thinned = kept(corpus.counts, config.sample)
    bag = config.kind == "cbow"
    return WordSettings(thinned, config.window, config.shrink_window, bag, config.divided, outputs)
