"""Runs whose nets do by hand what the search is to find, and readings made of numbers."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from peephole.tasks.text.model import TextModel


@pytest.fixture(scope="session", autouse=True)
def little() -> Iterator[None]:
    """Little is read, because annotations are checked at every step by the equations."""
    from peephole.units import ablation, reading

    with pytest.MonkeyPatch.context() as patch:
        for module, name, value in (
            (reading, "STEPS", 250),
            (reading, "ROWS", 8),
            (ablation, "READ", 200),
            (ablation, "WARM", 50),
        ):
            patch.setattr(module, name, value)
        yield


@pytest.fixture(scope="session")
def bracketed() -> str:
    """Lines of words, some of them in brackets or quotes that open and close by characters of their own."""
    generator = random.Random(0)
    lines: list[str] = []
    for _ in range(900):
        words = ["".join(generator.choices("abcde", k=generator.randint(1, 6))) for _ in range(generator.randint(2, 9))]
        if len(words) > 4:
            opening, closing = generator.choice(["()", "“”", "[]"])
            words[1], words[3] = opening + words[1], words[3] + closing
        lines.append(" ".join(words))
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="session")
def counting(tmp_path_factory: pytest.TempPathFactory, bracketed: str) -> Callable[[], TextModel]:
    """`counting()`: an LSTM of two layers of 12 units that was never trained, and three of whose units count.

    In layer 0 unit 3 adds a little at each character, unit 5 adds at an opening bracket and takes away at a closing
    one, unit 7 keeps an opening quote until the closing one; all forget at a line break. Its embedding is one-hot.
    """
    import torch

    from peephole.data.config import TextData
    from peephole.models.language.config import LanguageConfig
    from peephole.tasks.config import TextTask
    from peephole.tasks.text.model import TextModel
    from peephole.train.config import TrainingConfig

    folder = tmp_path_factory.mktemp("counting")
    (folder / "text.txt").write_text(bracketed, encoding="utf-8")
    task = TextTask(
        TextData(files=(folder / "text.txt",), held_out=0.4),
        LanguageConfig(layers=2, hidden_size=12, embedding_size=24, init="torch"),
        TrainingConfig(steps=1, batch_size=2, window=8),
    )
    made = TextModel.create(task, folder / "run")
    net, names = made.model.recurrent, made.tokenizer.symbols
    with torch.no_grad():
        assert made.model.embedding is not None
        made.model.embedding.weight.copy_(torch.eye(len(names), 24))
        weight, recurrent = net.weight_ih_l0, net.weight_hh_l0
        bias = net.bias_ih_l0

        def gate(name: str, unit: int) -> int:
            row = "ifgo".index(name) * 12 + unit
            weight[row], recurrent[row], bias[row], net.bias_hh_l0[row] = 0.0, 0.0, 0.0, 0.0
            return row

        for unit, adds in ((3, {}), (5, {"(": 1.0, "[": 1.0, ")": -1.0, "]": -1.0}), (7, {"“": 9.0, "”": -9.0})):
            for name in "ifo":
                bias[gate(name, unit)] = 9.0
            weight[gate("g", unit), [names.index(character) for character in adds]] = torch.tensor(list(adds.values()))
            weight[12 + unit, names.index("\n")] = -18.0
        bias[2 * 12 + 3] = 0.03  # the candidate of unit 3

    def make() -> TextModel:
        made.model.eval()
        return made

    return make
