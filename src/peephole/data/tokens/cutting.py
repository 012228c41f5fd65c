"""What a word is: text between spaces, or letters, numbers and marks apart with the space before them.

Cut apart (`split`), a word keeps the space before it, and a line is read as if one stood before it: so a word is the
same word wherever it stands, and joining the words gives the line back with its every space.
"""

import re
import sys
import unicodedata
from collections.abc import Iterable
from functools import cache

from peephole.data.config import Cut, Words

MARKS = frozenset(".,;:!?…。，、؟।")  # that follow a word without a space where people write
# The same for the `tokenizers` library; `pattern` is three to four times as fast.
LIBRARY_PATTERN = r" ?[\p{L}\p{M}]+| ?\p{N}+| ?[^\s\p{L}\p{M}\p{N}]|\s"


@cache
def pattern() -> re.Pattern[str]:
    """`LIBRARY_PATTERN` for Python, which knows no classes of Unicode by name."""
    letters, numbers = _ranges("LM"), _ranges("N")
    return re.compile(rf" ?[{letters}]+| ?[{numbers}]+| ?[^\s{letters}{numbers}]|\s")


def words_of(line: str, cut: Cut, begins: bool = True) -> list[str]:
    """The words of a line without its end; `begins`: it is whole, not what a block has left of one."""
    if cut == "spaces":
        return line.split()
    return pattern().findall(f" {line}" if begins else line) if line else []


def cut_for(text: Iterable[str], asked: Words) -> Cut:
    """How to cut: as asked, or as the text was written: `spaces` where most marks of punctuation stand apart."""
    if asked != "auto":
        return asked
    apart = attached = 0
    for piece in text:
        for word in piece.split():
            if word[-1] in MARKS:
                apart += len(word) == 1
                attached += len(word) > 1
    return "split" if attached > apart else "spaces"


def _ranges(categories: str) -> str:
    """The code points whose category begins with one of these letters, as the inside of a character class."""
    inside = [unicodedata.category(chr(point))[0] in categories for point in range(sys.maxunicode + 1)]
    edges = [point for point in range(1, len(inside)) if inside[point] != inside[point - 1]]  # neither end is inside
    return "".join(f"{chr(first)}-{chr(after - 1)}" for first, after in zip(edges[::2], edges[1::2], strict=True))
