"""Text that comes in parts of any length, as blocks that end between tokens."""

from collections.abc import Callable

BLOCK = 1 << 16  # characters at a time: the library's time grows faster than the length of one text


class Blocks:
    """Cuts documents into blocks of at most `BLOCK` characters, where `ready` says that a token cannot go on.

    What comes after a part may still belong to its last token, which is kept until it is whole. Where a block's length
    has no end of a token (no word is that long), it is cut all the same.
    """

    def __init__(self, ready: Callable[[str], int]) -> None:
        self._ready = ready
        self._kept, self._begins = "", True

    def __call__(self, text: str | None) -> list[tuple[str, bool]]:
        """The blocks that are certain, and whether a line begins with each; None ends the document."""
        waiting = self._kept + (text or "")
        place, found = 0, list[tuple[str, bool]]()
        while len(waiting) - place > BLOCK:
            block = waiting[place : place + BLOCK]
            place += self._take(block[: self._ready(block) or BLOCK], found)
        rest = waiting[place:]
        if text is None:
            self._take(rest, found)
            self._kept, self._begins = "", True
        else:
            ready = self._take(rest[: self._ready(rest)], found)
            self._kept = rest[ready:]
        return found

    def _take(self, block: str, found: list[tuple[str, bool]]) -> int:
        if block:
            found.append((block, self._begins))
            self._begins = block.endswith("\n")
        return len(block)
