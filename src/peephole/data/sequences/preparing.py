"""Many files to arrays, in parallel and in shards, so that what was stopped goes on where it was."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from peephole.errors import InputError
from peephole.writing import write_whole

Item = TypeVar("Item")
SHARD = 64  # items a shard: some seconds of work that a kill can cost
FEWEST = 2 * SHARD  # items from which processes are worth their start


def prepared(
    items: Sequence[Item], make: Callable[[Item], NDArray[np.float32]], folder: Path, key: str, workers: int = 0
) -> Iterator[NDArray[np.float32]]:
    """`make(item)`, an array `[T, I]` of float32, of every item in order, as far as it is not in `folder` yet.

    Shards are written whole; those that are there are read, if they were made of the same items with the same `key`,
    which names everything else that arrays depend on. The caller removes the folder when all is done. `make` and items
    go to other processes, so that they have to be picklable; 0 `workers` are as many as cores.

    Raises:
        InputError: whatever `make` raises.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shards = [items[start : start + SHARD] for start in range(0, len(items), SHARD)]
    paths = [folder / f"{_digest(key, shard)}.npz" for shard in shards]
    missing = [place for place, path in enumerate(paths) if not path.is_file()]
    count = workers or os.cpu_count() or 1
    if len(missing) > 1 and count > 1 and len(items) >= FEWEST:
        # A fresh process: one that was forked from a program with threads may hang.
        with ProcessPoolExecutor(min(count, len(missing)), mp_context=get_context("spawn")) as pool:
            found = pool.map(_make_shard, [shards[place] for place in missing], [make] * len(missing))
            for place, content in zip(missing, found, strict=True):
                _write(paths[place], content)
    else:
        for place in missing:
            _write(paths[place], _make_shard(shards[place], make))
    for path in paths:
        content = np.load(path)
        yield from np.split(content["values"], content["ends"][:-1])


def _make_shard(
    items: Sequence[Item], make: Callable[[Item], NDArray[np.float32]]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    arrays = [make(item) for item in items]
    return np.concatenate(arrays), np.cumsum([len(array) for array in arrays])


def _write(path: Path, content: tuple[NDArray[np.float32], NDArray[np.int64]]) -> None:
    import io

    file = io.BytesIO()
    np.savez(file, values=content[0], ends=content[1])
    try:
        write_whole(path, file.getvalue())
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({(error.strerror or '').lower()}); make room") from error


def _digest(key: str, items: Sequence[object]) -> str:
    return hashlib.sha256(repr((key, list(items))).encode()).hexdigest()[:24]
