"""Training under torch.compile(fullgraph=True) equals training without it, whatever the number of steps."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ..cells import MATRIX

PROGRAM = Path(__file__).with_name("compiled_training.py")


CELLS = ["lstm", "gru", "rnn tanh", "lstm+lengths", "model", "masks"]


def train(compiler: str, cells: list[str], folder: Path) -> None:
    environment = os.environ | {"PEEPHOLE_NO_HOOK": "1", "TORCHINDUCTOR_CACHE_DIR": str(folder)}
    command = [sys.executable, str(PROGRAM), compiler, *cells]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.splitlines() == [f"{cell}: equal" for cell in cells]


def test_compiled_training_equals_training(tmp_path: Path) -> None:
    train("aot_eager", CELLS, tmp_path)


@pytest.mark.slow
def test_generated_code_trains_as_training(tmp_path: Path) -> None:
    train("inductor", ["gru", "lstm+lengths", "model", "masks"], tmp_path)


def test_compiled_training_on_the_equations(tmp_path: Path) -> None:
    train("aot_eager", ["lstm FGR+lengths", "learned"], tmp_path)


@pytest.mark.slow
def test_compiled_training_of_every_cell(tmp_path: Path) -> None:
    train("aot_eager", [*(f"{name}+lengths" for name in MATRIX), "gru+noise"], tmp_path)
