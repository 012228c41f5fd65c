"""`fork`: the command line in processes that are really killed."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ..commands import without_report

Fork = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def fork() -> Iterator[Fork]:
    """`fork(folder, words, **when)` runs the command line in a process that dies as asked; see forked_trainings.py."""
    command = [sys.executable, Path(__file__).with_name("forked_trainings.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def run(folder: Path, words: list[object], **when: float) -> dict[str, Any]:
            job = {"folder": str(folder), "words": [str(word) for word in without_report(tuple(words))], **when}
            process.stdin.write(json.dumps(job) + "\n")  # pyright: ignore[reportOptionalMemberAccess]
            process.stdin.flush()  # pyright: ignore[reportOptionalMemberAccess]
            answer = process.stdout.readline()  # pyright: ignore[reportOptionalMemberAccess]
            assert answer, "the forking process died"
            return json.loads(answer)

        run(Path("/"), ["--version"])  # what it imports is not counted to any training
        yield run
        process.stdin.close()
