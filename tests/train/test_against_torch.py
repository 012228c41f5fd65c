"""Ten steps of training against a loop written by hand with torch.nn and torch.optim, from the same parameters."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from peephole.data.config import TextData
from peephole.models.language.config import LanguageConfig
from peephole.tasks.config import TextTask
from peephole.tasks.text.model import TextModel
from peephole.train.config import TrainingConfig

LAYERS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
BATCH, WINDOW, STEPS, HIDDEN, WARMUP, RATE = 4, 16, 10, 12, 3, 0.01


class Plain(nn.Module):
    """What the text task trains, in torch.nn's own parts and nothing else."""

    def __init__(self, cell: str, vocabulary: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, 6)
        self.recurrent = LAYERS[cell](6, HIDDEN, 2)
        self.head = nn.Linear(HIDDEN, vocabulary)

    def forward(self, inputs: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Step by step, so that the state can be set to zero before each `<eod>`, which is symbol 0."""
        outputs = []
        for symbols in inputs:  # [B]
            going_on = (symbols != 0).float()[None, :, None]
            states = tuple(state * going_on for state in states)
            given = states if len(states) > 1 else states[0]
            output, finals = self.recurrent(self.embedding(symbols)[None], given)
            states = finals if isinstance(finals, tuple) else (finals,)
            outputs.append(output)
        return self.head(torch.cat(outputs)), states


def lanes(tokens: np.ndarray) -> tuple[Tensor, Tensor]:
    """Inputs and targets `[lane, BATCH]`."""
    lane = (len(tokens) - 1) // BATCH
    ids = torch.from_numpy(tokens.astype(np.int64))
    return ids[: lane * BATCH].view(BATCH, lane).t(), ids[1 : lane * BATCH + 1].view(BATCH, lane).t()


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("clip", [0.1, None])
def test_ten_steps_equal_torch(tmp_path: Path, prose: Callable[..., str], cell: str, clip: float | None) -> None:
    (tmp_path / "book.txt").write_text(prose(500))  # 7 windows an epoch, so that ten steps begin a second one
    data = TextData((tmp_path / "book.txt",), separator=".", held_out=0.1)
    model = LanguageConfig(cell=cell, layers=2, hidden_size=HIDDEN, embedding_size=6, dropout=0.0)
    training = TrainingConfig(
        steps=STEPS, batch_size=BATCH, window=WINDOW, learning_rate=RATE, warmup=WARMUP, weight_decay=0.1, beta2=0.98,
        clip_norm=clip, final_learning_rate=0.1, keep="last", seed=3,
    )  # fmt: skip
    ours = TextModel.create(TextTask(data, model, training), tmp_path / "run")
    plain = Plain(cell, len(ours.tokenizer))
    plain.load_state_dict(ours.model.state_dict())
    tokens = np.fromfile(tmp_path / "run/data/train.bin", dtype=np.uint8)
    assert (tokens[1:-1] == 0).any()

    optimizer = torch.optim.AdamW(plain.parameters(), lr=RATE, weight_decay=0.1, betas=(0.9, 0.98))
    inputs, targets = lanes(tokens)
    divergences, norms, rates, position = [], [], [], 0
    zeros = (torch.zeros(2, BATCH, HIDDEN),) * (2 if cell == "lstm" else 1)
    states = zeros
    for step in range(STEPS):
        cosine = 0.1 + 0.9 * (1 + math.cos(math.pi * step / STEPS)) / 2
        rates.append(RATE * cosine * min(1, (step + 1) / (WARMUP + 1)))
        optimizer.param_groups[0]["lr"] = rates[-1]
        if position == len(inputs):
            position, states = 0, zeros
        window = slice(position, min(position + WINDOW, len(inputs)))
        position = window.stop
        logits, states = plain(inputs[window], tuple(state.detach() for state in states))
        divergence = nn.functional.cross_entropy(logits.flatten(0, 1), targets[window].flatten())
        optimizer.zero_grad()
        divergence.backward()
        norm = torch.stack([parameter.grad.norm() for parameter in plain.parameters()]).norm()
        if clip is not None:
            nn.utils.clip_grad_norm_(plain.parameters(), clip)
            assert norm.item() > clip
        optimizer.step()
        divergences.append(divergence.item())
        norms.append(norm.item())

    ours.fit()
    rows = [json.loads(line) for line in (tmp_path / "run/history.jsonl").read_text().splitlines()]
    assert [row["learning_rate"] for row in rows] == pytest.approx(rates, rel=1e-9)
    assert [row["divergence"] for row in rows] == pytest.approx(divergences, rel=1e-5)
    assert [row["gradient_norm"] for row in rows] == pytest.approx(norms, rel=1e-4)
    assert rows[-1]["characters"] == sum(
        min(WINDOW, len(inputs) - start % len(inputs)) * BATCH for start in starts(inputs)
    )
    trained = ours.model.state_dict()
    assert trained.keys() == plain.state_dict().keys()
    for name, parameter in plain.state_dict().items():
        # Adam divides a gradient by its size, so that rounding in a small one is a part of a step.
        assert float((trained[name] - parameter).abs().max()) <= 3e-6, name


def starts(inputs: Tensor) -> list[int]:
    """Where each of the ten windows begins within the lanes."""
    found, position = [], 0
    for _ in range(STEPS):
        found.append(position)
        position = position + WINDOW if position + WINDOW < len(inputs) else 0
    return found


def test_the_seed_decides(tmp_path: Path, prose: Callable[..., str]) -> None:
    (tmp_path / "book.txt").write_text(prose(600))
    ends = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        model = LanguageConfig(hidden_size=8, embedding_size=8, dropout=0.3)
        training = TrainingConfig(steps=3, batch_size=BATCH, window=WINDOW, seed=seed)
        run = TextModel.create(TextTask(TextData((tmp_path / "book.txt",)), model, training), tmp_path / name)
        run.fit()
        ends.append(run.model.state_dict())
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    assert not torch.equal(ends[0]["head.weight"], ends[2]["head.weight"])
