"""Checkpoints: everything that a killed run needs to go on as if it had not been killed.

`checkpoint/<step>/rank-<r>.safetensors`, one file a process. The folder is written under another name and renamed when
every process is done, so a checkpoint is there whole or not at all; the one before it is removed afterwards.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from peephole.errors import InputError
from peephole.runs.tensors import read_tensors, write_tensors
from peephole.writing import sync_folder


def write_checkpoint(folder: Path, step: int, rank: int, state: dict[str, Any], barrier: Callable[[], Any]) -> None:
    """Write the state of process `rank` at `step`; every process calls this. `InputError` when the disk is full."""
    partial, whole = folder / f".{step:09d}.partial", folder / f"{step:09d}"
    if rank == 0:
        folder.mkdir(exist_ok=True)
        for stale in folder.glob(".*.partial"):
            shutil.rmtree(stale)
        partial.mkdir()
    barrier()
    try:
        write_tensors(partial / f"rank-{rank}.safetensors", state)
    except (InputError, OSError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        kept = find_checkpoint(folder)
        at = f"the checkpoint of step {int(kept.name):,} is whole" if kept else "there is no earlier checkpoint"
        raise InputError(
            f"{folder}: checkpoint of step {step:,} not written ({_reason(error)}); {at}; make room and resume"
        ) from error
    barrier()
    if rank == 0:
        if whole.exists():  # written before a resume that took no step since
            shutil.rmtree(whole)
        os.replace(partial, whole)
        sync_folder(folder)
        sweep_checkpoints(folder)
    barrier()


def sweep_checkpoints(folder: Path) -> None:
    """Remove all but the newest whole checkpoint: what a process left that was killed on the way to the next one."""
    newest = find_checkpoint(folder)
    for other in folder.iterdir() if folder.is_dir() else ():
        if other != newest:
            shutil.rmtree(other)


def find_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint, or None."""
    found = sorted(path for path in folder.glob("[0-9]*") if path.is_dir()) if folder.is_dir() else []
    return found[-1] if found else None


def read_checkpoint(checkpoint: Path, rank: int, world_size: int) -> dict[str, Any]:
    """The state that process `rank` wrote. `InputError` if the number of processes differs or a file is damaged."""
    count = len(list(checkpoint.glob("rank-*.safetensors")))
    if count != world_size:
        raise InputError(f"{checkpoint}: written by {count} processes; resume with --devices {count}, got {world_size}")
    return read_tensors(checkpoint / f"rank-{rank}.safetensors")


def _reason(error: BaseException) -> str:
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    return os.strerror(cause.errno).lower() if isinstance(cause, OSError) and cause.errno else str(error)
