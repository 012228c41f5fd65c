"""`Run`: one run folder and the files in it."""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peephole._version import __version__
from peephole.errors import InputError
from peephole.writing import write_whole

FORMAT = 1  # of the run folder; raised when older programs could no longer read it


def process_rank() -> int:
    """The number of this process among those that train together; launchers tell it through the environment."""
    return int(os.environ.get("RANK") or os.environ.get("LOCAL_RANK") or 0)


@dataclass(frozen=True)
class Run:
    """A run folder. `create` makes one, `open` checks one that is there."""

    folder: Path
    made: tuple[Path, ...] = ()  # folders that `create` made, innermost first

    @staticmethod
    def create(folder: Path) -> "Run":
        """A new, empty run folder. `InputError` if something is there already or it cannot be written."""
        folder = folder.absolute()
        if folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir()):
            known = (folder / "config.json").is_file()
            hint = f"go on with it by --resume {folder}, or choose another --out" if known else "choose another --out"
            raise InputError(f"{folder}: exists and is not empty; {hint}")
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder}: is a file; expected a new folder, choose another --out")
        made = tuple(path for path in (folder, *folder.parents) if not path.exists())
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / ".probe"
            probe.touch()
            probe.unlink()
        except OSError as error:
            reason = (error.strerror or "unknown reason").lower()
            raise InputError(f"{folder}: cannot be written ({reason}); choose another --out") from None
        return Run(folder, made)

    def discard(self) -> None:
        """Remove what `create` and reading the text have made; a folder that was there or holds more stays."""
        own = (self.config_path, self.tokenizer_path, self.encoding_path, self.vectors_path)
        for path in (*own, self.folder / ".lock"):
            path.unlink(missing_ok=True)
        for folder in (self.data_folder, self.shards_folder, self.folder / ".data.partial"):
            shutil.rmtree(folder, ignore_errors=True)
        for folder in self.made:
            if not any(folder.iterdir()):
                folder.rmdir()

    @staticmethod
    def open(folder: Path) -> "Run":
        """The run in `folder`. `InputError` if there is none."""
        run = Run(folder.absolute())
        if not run.config_path.is_file():
            missing = "is not a run (no config.json)" if folder.exists() else "no such folder"
            raise InputError(f"{folder}: {missing}; expected a folder that `peephole train --out` made")
        return run

    @staticmethod
    def wait_for(folder: Path, *parts: str) -> "Run":
        """The run that the first process of this training is making, once the `parts` of it are there.

        Several processes that train together start alike, each with the whole command; only the first makes the run.
        """
        run = Run(folder.absolute())
        while not all(path.exists() for path in (run.config_path, *(run.folder / part for part in parts))):
            time.sleep(0.2)
        return run

    @property
    def config_path(self) -> Path:
        return self.folder / "config.json"

    @property
    def tokenizer_path(self) -> Path:
        return self.folder / "tokenizer.json"

    @property
    def encoding_path(self) -> Path:
        return self.folder / "encoding.json"

    @property
    def vectors_path(self) -> Path:
        """The vectors of words that the net started from, where they were made elsewhere."""
        return self.folder / "vectors.safetensors"

    @property
    def shards_folder(self) -> Path:
        """Work of a preparation that is not finished."""
        return self.folder / ".shards"

    @property
    def data_folder(self) -> Path:
        return self.folder / "data"

    @property
    def model_path(self) -> Path:
        return self.folder / "model.safetensors"

    @property
    def checkpoint_folder(self) -> Path:
        return self.folder / "checkpoint"

    @property
    def history_path(self) -> Path:
        return self.folder / "history.jsonl"

    def write_config(self, task: str, settings: dict[str, Any]) -> None:
        """Write `config.json`: the task, every setting, and who wrote it."""
        config = {"format": FORMAT, "peephole": __version__, "task": task, "settings": settings}
        with _writing(self.config_path):
            write_whole(self.config_path, (json.dumps(config, indent=2) + "\n").encode())

    def read_config(self) -> dict[str, Any]:
        """`task` and `settings`. `InputError` if the file is damaged or of a format that this version cannot read."""
        try:
            config = json.loads(self.config_path.read_text(encoding="utf-8"))
            written, by = config["format"], config["peephole"]
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise InputError(f"{self.config_path}: damaged ({error}); restore it or train again") from None
        if written != FORMAT:
            raise InputError(
                f"{self.config_path}: run format {written}, written by peephole {by}; this is peephole {__version__}, "
                f"which reads format {FORMAT}; open it with the version that wrote it, or train again"
            )
        if not isinstance(config.get("task"), str) or not isinstance(config.get("settings"), dict):
            raise InputError(f"{self.config_path}: damaged (no task or settings in it); restore it or train again")
        return config

    def append_history(self, row: dict[str, Any]) -> None:
        """Add one row to `history.jsonl`."""
        with _writing(self.history_path), self.history_path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def read_history(self) -> list[dict[str, Any]]:
        """The rows of `history.jsonl`; a last row that a kill cut short is left out."""
        if not self.history_path.is_file():
            return []
        rows: list[dict[str, Any]] = []
        for line in self.history_path.read_bytes().split(b"\n"):
            try:
                row = json.loads(line)
            except ValueError:
                break
            if not isinstance(row, dict) or not isinstance(row.get("step"), int):
                break
            rows.append(row)
        return rows

    def cut_history(self, step: int) -> None:
        """Forget rows after `step`: what a resumed run is about to write again."""
        kept = "".join(json.dumps(row) + "\n" for row in self.read_history() if row["step"] <= step).encode()
        if kept != (self.history_path.read_bytes() if self.history_path.is_file() else b""):
            with _writing(self.history_path):
                write_whole(self.history_path, kept)

    def sweep(self) -> None:
        """Remove what a killed process left half written; for the one that holds the folder."""
        for partial in self.folder.glob(".*.partial"):
            if partial.is_file():
                partial.unlink()

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for training; the system lets go when the process ends, however it ends."""
        with _writing(self.folder):
            descriptor = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(
                    f"{self.folder}: another training is running in it; wait for it, or choose another --out"
                ) from None
            yield
        finally:
            os.close(descriptor)

    def is_training(self) -> bool:
        """Whether a process holds the folder for training."""
        try:
            descriptor = os.open(self.folder / ".lock", os.O_RDONLY)  # a folder that cannot be written can be asked too
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """A disk that is full or a folder that cannot be written is the user's to mend: one line."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise InputError(
            f"{path}: cannot be written ({reason}); what was there before is untouched; make room, then go on"
        ) from error


def find_runs(folder: Path) -> list[Run]:
    """The runs in `folder` and the folders within it, by name. `InputError` if there is no such folder."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected one that holds runs")
    return [Run(path.parent.absolute()) for path in sorted(folder.rglob("config.json"))]
