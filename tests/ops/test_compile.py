"""Training under torch.compile(fullgraph=True) equals training without it, whatever the number of steps."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("compiled_training.py")


CELLS = ["lstm", "gru", "rnn", "lstm+lengths", "model"]


@pytest.mark.parametrize("compiler", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_compiled_training_equals_training(compiler: str, tmp_path: Path) -> None:
    environment = os.environ | {"PEEPHOLE_NO_HOOK": "1", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, str(PROGRAM), compiler, *CELLS]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.splitlines() == [f"{cell}: equal" for cell in CELLS]
