"""torch.compile(fullgraph=True) around the compiled kernels, keeping and recomputing, changes no bit."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("compiled_layers.py")


@pytest.mark.parametrize("compiler", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_compiled_training_is_training(compiler: str, tmp_path: Path) -> None:
    environment = os.environ | {"PEEPHOLE_NO_HOOK": "1", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, str(PROGRAM), compiler]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.splitlines() == [f"{name}: equal" for name in ("rnn 3 taps", "lstm FGR", "gru")]
