"""Which pictures are in which part: by lists of their names, by the files that name them, or by a drawn share."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from peephole.data.captioning.captions import Caption
from peephole.data.captioning.config import CaptioningData
from peephole.errors import InputError

SHOWN = 3  # names that a message gives
LEFT_OUT = "left out"  # the part of pictures that no list names

logger = logging.getLogger(__name__)


def listed(data: CaptioningData, captions: Sequence[Caption]) -> dict[str, str]:
    """The part of each picture, by name, as the lists have it; nothing where there is no list.

    Raises:
        InputError: a list that cannot be read, that shares a name with another, or that has no picture of the files.
    """
    paths = {"train": data.train_list, "held_out": data.held_out_list, "test": data.test_list}
    known = {caption.name for caption in captions}
    found: dict[str, str] = {}
    origin: dict[str, Path] = {}
    for part, path in paths.items():
        if path is None:
            continue
        names = _names(path)
        for name in names:
            if name in found and found[name] != part:
                raise InputError(
                    f"{path}: {name} is in {origin[name]} too; expected each picture in one list; take it out of one"
                )
            found[name], origin[name] = part, path
        missing = [name for name in names if name not in known]
        if len(missing) == len(names):
            raise InputError(
                f"{path}: none of its {len(names):,} names, such as {names[0]}, has a caption; expected names of "
                "pictures as the files of captions have them, a name a line"
            )
        if missing:
            logger.warning("%s: %d names without a caption: %s", path, len(missing), ", ".join(missing[:SHOWN]))
    if found:
        others = LEFT_OUT if data.train_list is not None else "train"
        found = {**dict.fromkeys(known, others), **found}
    return found


def _names(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or "").lower() if isinstance(error, OSError) else "not UTF-8"
        raise InputError(f"{path}: cannot be read ({reason}); expected names of pictures, a name a line") from None
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise InputError(f"{path}: nothing in it; expected names of pictures, a name a line")
    return names


def drawn(digests: Mapping[str, bytes], share: float) -> set[str]:
    """The names of the pictures to hold out, about `share` of all, at least one and never all.

    In the order of the digests of what is in them, so that copies of a picture under two names land on one side.

    Raises:
        InputError: all pictures are the same.
    """
    groups: dict[bytes, list[str]] = {}
    for name, digest in digests.items():
        groups.setdefault(digest, []).append(name)
    if len(groups) < 2:
        raise InputError(
            f"{len(digests):,} pictures, all the same; expected at least two that differ, one of them to hold out"
        )
    aim = max(1, round(share * len(digests)))
    found: set[str] = set()
    for digest in sorted(groups)[:-1]:
        if len(found) >= aim:
            break
        found.update(groups[digest])
    return found
