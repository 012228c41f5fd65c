"""Checkpoints of word vectors: both tables and where the training stands, without a copy of the tables in memory.

`checkpoint/<part>/` holds `inputs.npy`, `outputs.npy` and `state.json`. It is written under another name and renamed,
so that it is there whole or not at all; the one before it is removed afterwards.
"""

import json
import os
import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from peephole.errors import InputError
from peephole.word_operands import Table
from peephole.writing import sync_folder

TABLES = ("inputs", "outputs")
DIGITS = 12  # of a part's number in the name of its checkpoint


def write_checkpoint(folder: Path, part: int, tables: Mapping[str, Table], state: Mapping[str, Any]) -> None:
    """Write tables and state as they are before `part`. `InputError` when the disk is full."""
    partial, whole = folder / f".{part:0{DIGITS}d}.partial", folder / f"{part:0{DIGITS}d}"
    try:
        folder.mkdir(exist_ok=True)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        for name in TABLES:
            with (partial / f"{name}.npy").open("wb") as file:
                np.lib.format.write_array(file, tables[name], allow_pickle=False)
                _settle(file)
        sums = {name: zlib.crc32(tables[name].data.cast("B")) for name in TABLES}
        with (partial / "state.json").open("w", encoding="utf-8") as file:
            json.dump({**state, "part": part, "sums": sums}, file)
            _settle(file)
        if whole.exists():  # written before a resume that learnt nothing since
            shutil.rmtree(whole)
        partial.replace(whole)
        sync_folder(folder)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        kept = newest_checkpoint(folder)
        at = (
            f"the checkpoint before it, {kept.name.lstrip('0') or '0'}, is whole" if kept else "there is no earlier one"
        )
        reason = (error.strerror or "unknown reason").lower()
        raise InputError(f"{whole}: checkpoint not written ({reason}); {at}; make room and --resume") from error
    sweep_checkpoints(folder)


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint, or None."""
    found = sorted(filter(_is_whole, folder.iterdir())) if folder.is_dir() else []
    return found[-1] if found else None


def sweep_checkpoints(folder: Path) -> None:
    """Remove all but the newest whole checkpoint: what a process left that was killed on the way to the next one."""
    newest = newest_checkpoint(folder)
    for other in folder.iterdir() if folder.is_dir() else ():
        left_over = other.name.startswith(".") and other.name.endswith(".partial")
        if left_over or (_is_whole(other) and other != newest):
            shutil.rmtree(other)


def read_checkpoint(checkpoint: Path) -> tuple[dict[str, Table], dict[str, Any]]:
    """Tables and state. `InputError` where a file is missing, damaged or altered."""
    try:
        state = json.loads((checkpoint / "state.json").read_text(encoding="utf-8"))
        tables = {name: np.load(checkpoint / f"{name}.npy", allow_pickle=False) for name in TABLES}
        sums = {name: zlib.crc32(table.data.cast("B")) for name, table in tables.items()}
        if sums != state["sums"]:
            raise InputError(f"{checkpoint}: altered since it was written; restore it from a copy, or train again")
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{checkpoint}: damaged ({error}); restore it from a copy, or train again") from None
    return tables, state


def _is_whole(path: Path) -> bool:
    """Whether it is one of ours: people may keep others beside them."""
    return len(path.name) == DIGITS and path.name.isdigit() and path.is_dir()


def _settle(file: Any) -> None:  # a file; no annotation of both kinds can be checked
    file.flush()
    os.fsync(file.fileno())
