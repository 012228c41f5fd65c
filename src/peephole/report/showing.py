"""Text of anybody's making as it can stand in a page: what cannot be seen is shown, what would reorder cannot."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Run = tuple[str, str]  # the class that colours it, empty for none, and its text
Line = tuple[Run, ...]

# Left to itself each of these would change the order or the place of what stands beside it.
_STEERING = (0x00AD, 0x061C, 0x180E, 0x200B, 0x200E, 0x200F, 0x2028, 0x2029, *range(0x202A, 0x202F))
_STEERING += (*range(0x2060, 0x2070), 0xFEFF, *range(0xFFF9, 0xFFFC), *range(0x1BCA0, 0x1BCA4))
_STEERING += (*range(0x1D173, 0x1D17B), *range(0xE0000, 0xE0080))
# No characters at all: what may not stand in a page.
_NOTHING = (*range(0xFDD0, 0xFDF0), *range(0xD800, 0xE000))
_NOTHING += tuple(plane + last for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF))
_PICTURES = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\n\t"} | {0x7F: "␡"}
_SHOWN = _PICTURES | {code: f"[U+{code:04X}]" for code in (*range(0x80, 0xA0), *_STEERING, *_NOTHING)}
_JOINERS = {0x200C, 0x200D}  # they belong to the letters around them
END_OF_DOCUMENT = "␄"


@dataclass(frozen=True)
class Cluster:
    """A character with the marks that stand on it, and where in the text it begins and ends."""

    text: str
    start: int
    end: int


def visible_text(text: str) -> str:
    """The text with a picture in place of each control character, and the number of each character that only steers;
    line breaks and tabs stay.
    """
    return text.translate(_SHOWN)


def clusters(characters: Sequence[str]) -> list[Cluster]:
    """Characters with their marks: colouring one without the other would part them. Empty ones go with the next."""
    found: list[Cluster] = []
    start = 0
    for place, character in enumerate(characters):
        if not character:
            continue
        before = found[-1].text if found else "\n"
        joined = before[-1] == "\u200d" or _belongs(character)
        if joined and before not in ("\n", END_OF_DOCUMENT):
            found[-1] = Cluster(before + visible_text(character), found[-1].start, place + 1)
        else:
            found.append(Cluster(visible_text(character), start, place + 1))
        start = place + 1
    return found


def lines_of(coloured: Iterable[Run]) -> tuple[Line, ...]:
    """Lines of runs: neighbours of one class together, a picture where a line breaks."""
    lines: list[list[Run]] = [[]]
    for name, text in coloured:
        shown = text.replace("\t", "⇥\t").replace("\n", "⏎")
        line = lines[-1]
        if line and line[-1][0] == name:
            line[-1] = name, line[-1][1] + shown
        else:
            line.append((name, shown))
        if text.endswith("\n"):
            lines.append([])
    return tuple(tuple(line) for line in lines if line)


def plain_lines(text: str) -> tuple[Line, ...]:
    """A text without colours as lines."""
    return tuple((("", line),) for line in visible_text(text).split("\n"))


def _belongs(character: str) -> bool:
    return unicodedata.category(character[0]) in ("Mn", "Mc", "Me") or ord(character[0]) in _JOINERS
