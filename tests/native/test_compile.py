"""torch.compile(fullgraph=True) around the compiled kernels, keeping and recomputing, changes no bit.

Without inductor, which takes half a minute: `tests/ops/test_compile.py` runs it over what `auto` chooses.
"""

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).with_name("compiled_layers.py")


def test_compiled_training_is_training() -> None:
    environment = os.environ | {"PEEPHOLE_NO_HOOK": "1"}
    command = [sys.executable, str(PROGRAM), "aot_eager"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.splitlines() == [f"{name}: equal" for name in ("rnn 3 taps", "lstm FGR", "gru")]
