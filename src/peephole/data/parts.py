"""Which files are the training, validation and test parts, where they are called so."""

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from peephole.data.config import TextData
from peephole.data.files import find_files, standard_library
from peephole.errors import InputError

# What parts are called, in a file's name or by its folder; several files of one part have numbers.
NAMES = {
    "train": "train",
    "training": "train",
    "valid": "validation",
    "validation": "validation",
    "val": "validation",
    "dev": "validation",
    "heldout": "validation",
    "test": "test",
}
NAME = re.compile(rf"(?<![^._-])({'|'.join(NAMES)})(?:[-_]?\d+(?:[-_]of[-_]\d+)?)?(?![^._-])", re.IGNORECASE)
MOST_LEFT_OUT = 0.1  # of the bytes: files beside the parts are a licence or a list, or the names mean something else

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class NamedParts:
    """Files of each part; without a validation part it is to be cut from the training files. `left_out`: of none."""

    train: list[Path]
    validation: list[Path] = field(default_factory=list)
    test: list[Path] = field(default_factory=list)
    left_out: list[Path] = field(default_factory=list)


def named_parts(data: TextData) -> NamedParts:
    """The files that `data` names, by part: as named one by one, or as files or folders are called.

    Raises:
        InputError: a file that cannot be used; none that is called a part where that was asked for; two sets of them.
    """
    found = find_files(data.files, data.suffixes, data.encoding) if data.files else standard_library()
    validation = find_files(data.validation, data.suffixes, data.encoding)
    test = find_files(data.test, data.suffixes, data.encoding)
    both = {path.resolve() for path in validation} & {path.resolve() for path in test}
    if both:
        raise InputError(f"{min(both)}: named as validation and as test: expected different text; leave one out")
    called = _called(found) if data.split in {"auto", "named"} else None
    if called is None:
        if data.split == "named" and not validation:
            raise InputError(
                "split is named, and no files are called train and valid: expected such names, or --validation FILE"
            )
        called = NamedParts(found)
    elif not (validation and test):
        logger.info(
            "parts by their names: %s files to train on, %s to validate with, %s to test with, %s left out",
            *(len(part) for part in (called.train, called.validation, called.test, called.left_out)),
        )
    named = {path.resolve() for path in (*validation, *test)}
    train = [path for path in called.train if path.resolve() not in named]
    if not train:
        raise InputError("every file is named as validation or test: expected text to train on; name more FILES")
    return NamedParts(train, validation or called.validation, test or called.test, called.left_out)


def _called(files: Sequence[Path]) -> NamedParts | None:
    """The parts as files or their folders are called, where there is a training part and another of the same set."""
    for place in (_by_name, _by_folder):
        sets: dict[tuple[Path, str], dict[str, list[Path]]] = {}
        for path in files:
            found = place(path)
            if found is not None:
                sets.setdefault(found[:2], {}).setdefault(found[2], []).append(path)
        whole = {key: parts for key, parts in sets.items() if "train" in parts and len(parts) > 1}
        if len(whole) > 1:
            names = " and ".join(str(folder / pattern) for folder, pattern in sorted(whole)[:2])
            raise InputError(
                f"{names} are each a set of parts: expected one; name the files, with --validation and --test, or "
                "pass --split file"
            )
        for parts in whole.values():
            taken = {path for part in parts.values() for path in part}
            others = [path for path in files if path not in taken]
            if _bytes(others) <= MOST_LEFT_OUT * _bytes(files):
                return NamedParts(parts["train"], parts.get("validation", []), parts.get("test", []), others)
    return None


def _by_name(path: Path) -> tuple[Path, str, str] | None:
    """The folder of a set of parts, what its files are called but for the part, and the part; None for other files."""
    found = NAME.search(path.name)
    if found is None:
        return None
    return path.parent, f"{path.name[: found.start()]}*{path.name[found.end() :]}", NAMES[found[1].lower()]


def _by_folder(path: Path) -> tuple[Path, str, str] | None:
    """The same for a file in a folder that is called as a part."""
    found = NAME.fullmatch(path.parent.name)
    return None if found is None else (path.parent.parent, "*/", NAMES[found[1].lower()])


def _bytes(files: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in files)
