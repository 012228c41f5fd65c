"""The kernels without Python: the driver of `csrc/tests` compiles and finds nothing wrong on this machine.

With the portable kernels only, and of the cases a part: `csrc/tests/check.sh` runs everything, and under sanitizers.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
MISSING = [tool for tool in ("cmake", "c++") if not shutil.which(tool)]


@pytest.mark.slow
@pytest.mark.skipif(bool(MISSING), reason=f"no {' and no '.join(MISSING)} to compile the driver")
def test_the_driver_finds_nothing_wrong(tmp_path: Path) -> None:
    options = ["-DPEEPHOLE_PYTHON=OFF", "-DPEEPHOLE_DRIVER=ON", "-DPEEPHOLE_SETS=", "-DCMAKE_CXX_FLAGS_RELEASE=-O1"]
    run("cmake", "-S", PROJECT / "csrc", "-B", tmp_path, *options)
    run("cmake", "--build", tmp_path, "--parallel", "2", "--target", "driver")
    last = run(tmp_path / "driver", "--every", "8").splitlines()[-1]
    assert last.endswith(" 0 failed")


def run(*command: str | Path) -> str:
    environment = os.environ | {"OMP_WAIT_POLICY": "passive"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout
