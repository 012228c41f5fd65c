"""`Rows`: what an experiment has found so far, a row a finished part, so that it goes on where it was stopped."""

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from peephole.errors import InputError
from peephole.writing import write_whole

Row = dict[str, Any]  # numbers, words, None, and lists of them: what JSON holds


class Rows:
    """The rows of one experiment, by key, in a folder or, without one, in memory alone.

    `rows.jsonl` grows by a line a row, which is on the disk when `add` returns; `settings.json` says what they are rows
    of. A row that is there counts as done, whoever wrote it and however that process ended.

        with Rows.open(folder, {"experiment": "horizon", "steps": 500}) as rows:
            for key in ("lstm 0", "lstm 1"):
                row = rows.done(key) or rows.add(key, measure(key))
    """

    def __init__(self, folder: Path | None, found: dict[str, Row], lock: int | None) -> None:
        self.folder = folder
        self._found = found
        self._lock = lock

    @staticmethod
    def open(folder: Path | None, settings: Mapping[str, Any]) -> "Rows":
        """The rows in `folder`, which is made if it is missing and held until `close`; None keeps them in memory.

        `settings` are everything that the rows depend on. A line that a kill left half written is dropped.

        Raises:
            InputError: the folder has rows of other settings, is used by another process, damaged or not writable.
        """
        if folder is None:
            return Rows(None, {}, None)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = _hold(folder)
            try:
                _settle(folder, json.loads(json.dumps(settings)))
                return Rows(folder, _read(folder / "rows.jsonl"), lock)
            except BaseException:
                os.close(lock)
                raise
        except OSError as error:
            reason = (error.strerror or "unknown reason").lower()
            raise InputError(f"{folder}: cannot be written ({reason}); choose another --out") from None

    def done(self, key: str) -> Row | None:
        """The row of this key; None where it is still to be found."""
        return self._found.get(key)

    def add(self, key: str, row: Row) -> Row:
        """Keep a finished row, and hand it back as it will be read again."""
        if key in self._found:
            raise ValueError(f"row {key!r} is there already")
        line = json.dumps({"key": key, "row": row})
        if self.folder is not None:
            path = self.folder / "rows.jsonl"
            try:
                with path.open("a", encoding="utf-8") as file:
                    file.write(line + "\n")
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                reason = (error.strerror or "unknown reason").lower()
                raise InputError(
                    f"{path}: cannot be written ({reason}); make room, and the same command goes on"
                ) from error
        self._found[key] = json.loads(line)["row"]
        return self._found[key]

    def close(self) -> None:
        """Let go of the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> "Rows":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _hold(folder: Path) -> int:
    """A lock that the system lets go of when the process ends, however it ends."""
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise InputError(
            f"{folder}: another process is writing into it; wait for it, or choose another --out"
        ) from None
    return descriptor


def _settle(folder: Path, settings: Row) -> None:
    """Write the settings into a new folder, or compare them with those of the rows that are there."""
    path = folder / "settings.json"
    if not path.is_file():
        if (folder / "rows.jsonl").is_file():
            raise InputError(f"{folder}: has rows.jsonl and no settings.json; choose another --out")
        write_whole(path, (json.dumps(settings, indent=2) + "\n").encode())
        return
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: damaged ({error}); restore it, or choose another --out") from None
    if there == settings:
        return
    if not isinstance(there, dict) or there.get("experiment") != settings.get("experiment"):
        raise InputError(f"{folder}: holds rows of something else; choose another --out")
    names = [name for name in {**settings, **there} if there.get(name) != settings.get(name)]
    raise InputError(
        f"{folder}: holds rows of other settings ({names[0]} was {json.dumps(there.get(names[0]))}, now "
        f"{json.dumps(settings.get(names[0]))}); take those again, or choose another --out"
    )


def _read(path: Path) -> dict[str, Row]:
    """The rows of a file. What follows the last line break was being written when its process ended: it goes."""
    if not path.is_file():
        return {}
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    found: dict[str, Row] = {}
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            read = json.loads(line)
            found[read["key"]] = read["row"]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: line {number} is damaged ({error}); remove it to find that row again") from None
    if whole != content:
        write_whole(path, whole)
    return found
