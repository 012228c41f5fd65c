"""Our training loop's characters a second over a hand-written loop's with torch.nn.LSTM, in turn in one process."""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import handwritten
import torch

from peephole.data.config import TextData
from peephole.models.language.config import LanguageConfig
from peephole.tasks.config import TextTask
from peephole.tasks.text.model import TextModel
from peephole.train.config import TrainingConfig
from peephole.train.contract import Listener

ROUND = 4  # steps of each before the other's turn


class InTurn(Listener):
    """Lets the hand-written loop take its turn after every `ROUND` of our steps, and times both."""

    def __init__(self, peer: Any) -> None:
        self.peer = peer
        self.ours: list[float] = []
        self.theirs: list[float] = []
        self.began = 0.0

    def on_start(self, first: int, total: int | None) -> None:
        self.began = time.perf_counter()

    def on_step(self, row: dict[str, Any], total: int | None) -> None:
        if row["step"] % ROUND:
            return
        now = time.perf_counter()
        self.ours.append((now - self.began) / ROUND)
        for _ in range(ROUND):
            next(self.peer)
        self.began = time.perf_counter()
        self.theirs.append((self.began - now) / ROUND)


def measure(text: Path, rounds: int, hidden: int, layers: int, batch: int, window: int, threads: int) -> dict[str, Any]:
    """Median characters a second of both, and the median of the ratios round by round."""
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as folder:
        training = TrainingConfig(
            steps=(rounds + 2) * ROUND,
            batch_size=batch,
            window=window,
            threads=threads,
            evaluate_every=10**9,
            checkpoint_seconds=1e9,
        )
        sizes = LanguageConfig(hidden_size=hidden, embedding_size=hidden, layers=layers, dropout=0.2)
        model = TextModel.create(TextTask(TextData((text,)), sizes, training), Path(folder) / "run")
        tokens = torch.from_numpy(model.corpus.train.tokens.astype("int64"))
        peer = handwritten.train(tokens, len(model.tokenizer), hidden, layers, batch, window, 0.2)
        listener = InTurn(peer)
        model.fit(listener)
    ours, theirs = listener.ours[2:], listener.theirs[2:]
    characters = batch * window
    return {
        "shape": f"{layers}x{hidden}, batch {batch}, window {window}",
        "threads": threads,
        "rounds": rounds,
        "ours_per_second": characters / statistics.median(ours),
        "hand_written_per_second": characters / statistics.median(theirs),
        "ratio": statistics.median(their / our for our, their in zip(ours, theirs, strict=True)),
    }
