"""Many files to arrays, in parallel and in shards, so that what was stopped goes on where it was."""

import hashlib
import importlib.util
import io
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from peephole.errors import InputError
from peephole.writing import write_whole

Item = TypeVar("Item")
Shard = tuple[NDArray[Any], NDArray[np.int64]]  # arrays one after another, and where each ends
SHARD = 64  # items a shard: some seconds of work that a kill can cost
FEWEST = 2  # shards from which processes are worth their start


def prepared(
    items: Sequence[Item], make: Callable[[Item], NDArray[Any]], folder: Path, key: str, workers: int = 0
) -> Iterator[NDArray[Any]]:
    """`make(item)`, an array `[T, …]` of one type and width, of every item in order, as far as `folder` lacks it.

    Shards are written whole; those that are there are read, if they were made of the same items with the same `key`,
    which names everything else that arrays depend on. The caller removes the folder when all is done. `make` and items
    go to other processes, so that they have to be picklable, and the repr of an item has to tell it from others (of a
    file its size and time too, so that a changed one is read again). 0 `workers` are as many as cores.

    Raises:
        InputError: whatever `make` raises.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shards = [items[start : start + SHARD] for start in range(0, len(items), SHARD)]
    paths = [folder / f"{_digest(key, shard)}.npz" for shard in shards]
    missing = [place for place, path in enumerate(paths) if _read(path) is None]
    made = _in_parallel([shards[place] for place in missing], make, workers or os.cpu_count() or 1)
    for place, content in zip(missing, made, strict=True):
        _write(paths[place], content)
    for path in paths:
        content = _read(path)
        if content is None:
            raise InputError(f"{path}: damaged while it was used; run again")
        yield from np.split(content[0], content[1][:-1])


def _in_parallel(shards: Sequence[Sequence[Item]], make: Callable[[Item], NDArray[Any]], workers: int) -> Any:
    """The content of each shard, in order, as it is made."""
    if len(shards) < FEWEST or workers < 2 or importlib.util.find_spec("joblib") is None:
        return (_make_shard(shard, make) for shard in shards)
    import joblib  # its processes neither fork a program with threads nor import the caller's script again

    jobs = (joblib.delayed(_make_shard)(shard, make) for shard in shards)
    return joblib.Parallel(workers, return_as="generator", backend="loky")(jobs)


def _make_shard(items: Sequence[Item], make: Callable[[Item], NDArray[Any]]) -> Shard:
    arrays = [make(item) for item in items]
    return np.concatenate(arrays), np.cumsum([len(array) for array in arrays])


def _read(path: Path) -> Shard | None:
    """A shard that is there and whole."""
    try:
        with path.open("rb") as file, np.load(file) as content:
            return content["values"], content["ends"]
    except (OSError, EOFError, ValueError, KeyError, BadZipFile):
        return None


def _write(path: Path, content: Shard) -> None:
    file = io.BytesIO()
    np.savez(file, values=content[0], ends=content[1])
    try:
        write_whole(path, file.getvalue())
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({(error.strerror or '').lower()}); make room") from error


def _digest(key: str, items: Sequence[object]) -> str:
    return hashlib.sha256(repr((key, list(items))).encode()).hexdigest()[:24]
