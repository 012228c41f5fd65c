"""Where labelled sequences stand: which format the named files have, and the items of each."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from peephole.data.classification.config import ClassificationData
from peephole.data.classification.item import Item, Skipped
from peephole.data.classification.tables import read_table
from peephole.data.classification.texts import read_lines, read_whole
from peephole.data.classification.time_series import read_time_series
from peephole.data.sound.recordings import SOUND
from peephole.errors import InputError

FORMATS = {".ts": "ts", ".csv": "csv", ".txt": "text", ".tsv": "text", **dict.fromkeys(SOUND, "sound")}


def format_of(paths: Iterable[Path], data: ClassificationData) -> str:
    """The format of all the files: as the settings say, else as the files are called.

    Raises:
        InputError: nothing is there, names that say nothing, or several formats.
    """
    kinds: dict[str, Path] = {}
    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: not there; expected a file or a folder with labelled sequences; mend the path")
        if data.format != "auto":
            return data.format
        if path.is_dir():
            names = {FORMATS[file.suffix.lower()]: file for file in _walk(path, (".txt", *SOUND))}
            if not names:
                raise InputError(
                    f"{path}: a folder without .txt or sound files; expected some, a folder a label; "
                    "name .ts and .csv files one by one"
                )
            kinds |= names
        elif path.suffix.lower() in FORMATS:
            kinds[FORMATS[path.suffix.lower()]] = path
        else:
            raise InputError(
                f"{path}: {path.suffix or 'no suffix'}; expected one of {', '.join(FORMATS)}; pass --format"
            )
    if len(kinds) > 1:
        raise InputError(
            f"files of several formats, {' and '.join(f'{path} ({kind})' for kind, path in kinds.items())}; "
            "expected one; pass --format to take one alone"
        )
    return next(iter(kinds))


def items_of(
    paths: Iterable[Path], kind: str, data: ClassificationData, skipped: list[Skipped], labelled: bool = True
) -> Iterator[Item]:
    """The labelled sequences in files and folders, in order; what is left out is added to `skipped`.

    Without labels (`labelled` false) the files hold sequences alone, and the names of files say nothing.
    """
    for path in paths:
        if kind == "ts":
            yield from read_time_series(path, data.encoding, data.missing)
        elif kind == "csv":
            yield from read_table(path, data, labelled)
        elif kind == "text" and not path.is_dir():
            yield from read_lines(path, data.encoding, skipped, labelled)
        else:
            for file in _walk(path, SOUND if kind == "sound" else (".txt",)) if path.is_dir() else (path,):
                label = label_of(file, data.label) if labelled else None
                if labelled and label is None:
                    skipped.append(Skipped(str(file), "its name has no label"))
                elif kind == "sound":
                    yield Item(str(file), label, file)
                else:
                    yield from read_whole(file, label, data.encoding, skipped)


def label_of(file: Path, expression: str | None) -> str | None:
    """The label of a file: what the expression's group finds in its name, or the name of its folder without one."""
    if expression is None:
        return file.absolute().parent.name
    found = re.match(expression, file.name)
    return (found.group(1) or None) if found else None


def _walk(folder: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """The files with such names in a folder and its folders, sorted; hidden ones are left out."""
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in suffixes and path.is_file() and not hidden:
            yield path
