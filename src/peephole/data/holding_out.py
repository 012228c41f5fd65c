"""Which text is held out where no part is named so."""

import logging
from collections.abc import Sequence

from peephole.data.config import TextData
from peephole.data.split import SourceFile, Split, documents
from peephole.errors import InputError

LONGEST_LINE = 1 << 14  # characters: what a cut is moved at most, so that it does not fall within a line

logger = logging.getLogger(__name__)


def choose(
    files: Sequence[SourceFile],
    data: TextData,
    validation: Sequence[SourceFile] = (),
    test: Sequence[SourceFile] = (),
) -> Split:
    """Decide what is held out, before anything is encoded: `validation`, or else a share of `files`.

    By file: whole files with about `held_out` of the bytes, in the order of the hash of their content. So the choice
    depends neither on names nor on order, and copies of one file land on the same side. By position: the cut leaves
    `held_out` of the characters, and moves on to the next document where `separator` cuts the text into several, unless
    that would leave less than half of what was asked for; a cut that would fall within a word moves to the line's end.

    Raises:
        InputError: too little text, or files that cannot be told apart.
    """
    if validation:
        return Split("named", tuple(files), tuple(validation), tuple(test), 0, data.encoding, data.separator)
    if data.split == "file" and len(files) == 1:
        raise InputError(f"{files[0].path} is one file: splitting by file needs two; pass --split position")
    if data.split == "position" or len(files) == 1:
        cut = _position(files, data)
        if data.tokens != "char":
            cut = _between_words(files, data, cut)
        return Split("position", tuple(files), (), tuple(test), cut, data.encoding, data.separator)
    chosen = _chosen_contents(files, data.held_out)
    train = tuple(file for file in files if file.sha256 not in chosen)
    held_out = tuple(file for file in files if file.sha256 in chosen)
    share = sum(file.size for file in held_out) / sum(file.size for file in files)
    if not data.held_out / 2 <= share <= data.held_out * 2:
        logger.warning(
            "whole files hold out %.1f %% of the text, not %.1f %%; --split position comes closer",
            100 * share,
            100 * data.held_out,
        )
    return Split("file", train, held_out, tuple(test), 0, data.encoding, data.separator)


def _chosen_contents(files: Sequence[SourceFile], share: float) -> set[str]:
    """Hashes of the contents to hold out: each in turn, if it brings the bytes held out nearer to the share."""
    sizes: dict[str, int] = {}
    for file in files:
        sizes[file.sha256] = sizes.get(file.sha256, 0) + file.size
    if len(sizes) == 1:
        raise InputError(f"all {len(files)} files have the same content: nothing differs to hold out; pass one of them")
    aim = share * sum(sizes.values())
    chosen: set[str] = set()
    held = 0
    for content in sorted(sizes):
        if abs(held + sizes[content] - aim) < abs(held - aim):
            chosen.add(content)
            held += sizes[content]
    smallest = min(sizes, key=lambda content: (sizes[content], content))
    if not chosen:
        return {smallest}
    return chosen - {smallest} if len(chosen) == len(sizes) else chosen


def _position(files: Sequence[SourceFile], data: TextData) -> int:
    """After how many characters of the documents to cut: at least one stays on each side."""
    total = sum(len(piece) for piece in documents(files, data.encoding, data.separator) if piece)
    if total < 2:
        raise InputError(f"the text has {total} characters: expected two or more, one to train on and one to hold out")
    cut = min(max(round(total * (1 - data.held_out)), 1), total - 1)
    if data.separator is None:
        return cut
    seen = 0
    for piece in documents(files, data.encoding, data.separator):
        seen += len(piece or "")
        if piece is None and seen >= cut:
            return seen if 2 * (total - seen) >= total - cut else cut
    return cut


def _between_words(files: Sequence[SourceFile], data: TextData, cut: int) -> int:
    """Place `cut`, moved on to a line's beginning, or to a word's where the line is long; as it is, where both are far.

    It stays within its document.
    """
    seen = 0
    after = ""  # from the character before the cut on
    for piece in documents(files, data.encoding, data.separator):
        start, seen = max(cut - 1 - seen, 0), seen + len(piece or "")
        if piece is not None:
            after += piece[start:]
        elif seen >= cut:
            break
        if len(after) >= LONGEST_LINE:
            break
    ends = (after.find(end, 0, LONGEST_LINE) for end in "\n ")
    return cut + next((end for end in ends if 0 <= end < len(after) - 1), 0)
