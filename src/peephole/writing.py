"""Files that are written whole or not at all."""

import os
from pathlib import Path


def write_whole(path: Path, *content: bytes | memoryview) -> None:
    """Write `content`, part after part, to `path`.

    A reader, or a machine that stops half-way, sees all of it or none of it.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with beside.open("wb") as file:
            for part in content:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames within `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
