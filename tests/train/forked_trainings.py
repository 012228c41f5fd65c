"""Trainings in forked processes that are really killed, so that a hundred kills cost one import of torch.

Reads jobs from standard input, one JSON object a line, and answers each with one. A job has `words`, the command line,
and says when the process dies: `seconds` after it began (SIGKILL from outside), before the `operation`-th change of the
file system below `folder` (SIGKILL by itself), in the middle of writing the first file larger than `bytes` (SIGXFSZ),
or never. `full` is a limit on the size of files that ends in an error instead, as a full disk does.
"""

import json
import math
import os
import resource
import signal
import sys
import time

import lightning_fabric  # noqa: F401  (what takes long to import, before the first fork)
import torch

import peephole.tasks.text.model  # noqa: F401
from peephole.cli import main

# Nothing above may have run anything on several threads: a fork would then hang.
OPERATIONS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree"}


def die_at(operation: int, folder: str) -> list[int]:
    """Count what changes files below `folder`, and die before number `operation`; 0 only counts."""
    count = [0]

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        if event not in OPERATIONS or not os.fspath(str(arguments[0])).startswith(folder):
            return
        if event == "open" and not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):  # pyright: ignore
            return
        count[0] += 1
        if count[0] == operation:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hear)
    return count


def run(job: dict) -> None:
    """The job, in a process of its own. Ends the process."""
    count = die_at(job.get("operation", 0), job["folder"])
    if "bytes" in job:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    limit = job.get("bytes") or job.get("full")
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    code = 1
    try:
        code = main(job["words"])
    except SystemExit as stop:
        code = stop.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(job["pipe"], str(count[0]).encode())
        os._exit(code)


def fork(job: dict) -> dict:
    """Run the job in a child, and say how it ended."""
    pipes = [os.pipe() for _ in range(3)]  # whose 64 KiB are enough, and which no limit on files reaches
    child = os.fork()
    if child == 0:
        os.dup2(pipes[0][1], 1)
        os.dup2(pipes[1][1], 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        run({**job, "pipe": pipes[2][1]})
    for _, writing in pipes:
        os.close(writing)
    ended, status = 0, 0
    until = time.monotonic() + job.get("seconds", math.inf)
    while not ended and time.monotonic() < until:
        time.sleep(0.002)
        ended, status = os.waitpid(child, os.WNOHANG)
    if not ended:
        os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
    out, err, count = [os.fdopen(reading).read() for reading, _ in pipes]
    return {"code": os.waitstatus_to_exitcode(status), "operations": int(count or 0), "out": out, "err": err}


if __name__ == "__main__":
    torch.set_num_threads(1)
    for line in sys.stdin:
        print(json.dumps(fork(json.loads(line))), flush=True)
