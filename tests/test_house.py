"""The house itself: who may import whom, what an import costs, and which version this is."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

import peephole

PROJECT = Path(__file__).resolve().parent.parent


def test_imports_run_downwards_only():
    command = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([command, "--no-cache"], cwd=PROJECT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("module", ["peephole", "peephole.cli"])
def test_import_does_not_load_torch(module: str):
    heavy = ["torch", "lightning", "lightning_fabric", "matplotlib", "triton", "tensorboard"]
    code = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_installed_version_is_the_one_in_the_source():
    assert importlib.metadata.version("peephole") == peephole.__version__, "run make setup again"


@pytest.mark.skipif(bool(os.environ.get("PEEPHOLE_NO_HOOK")), reason="PEEPHOLE_NO_HOOK is set")
def test_shapes_are_checked_while_tests_run():
    assert peephole.__spec__ is not None
    assert type(peephole.__spec__.loader).__module__.startswith("jaxtyping")
