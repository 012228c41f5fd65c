"""Symbols as they are drawn to texts as they are read, and symbols as they can be shown."""

from collections.abc import Iterator, Sequence

from peephole.data.tokenizer import Tokenizer
from peephole.generate.sampling import Writing


def spell(writing: Writing, tokenizer: Tokenizer, length: int, stop: str | None) -> Iterator[tuple[int, str]]:
    """Symbols to text; what could be the beginning of `stop` is held back until it is clear that it is not."""
    texts = {number: _Text(tokenizer, length, stop) for number in writing.open}
    while writing.open:
        numbers = list(writing.open)
        drawn = writing.take(max(texts[number].left for number in numbers))
        for column, number in enumerate(numbers):
            ready = texts[number].add(drawn[:, column].tolist())
            if ready:
                yield number, ready
            if texts[number].done:
                writing.close(number)


class _Text:
    """A text that grows by symbols until it ends."""

    def __init__(self, tokenizer: Tokenizer, length: int, stop: str | None) -> None:
        self._eod, self._spell = tokenizer.eod, tokenizer.speller()
        self._stop, self._held = stop, ""
        self.left, self.done = length, False

    def add(self, symbols: list[int]) -> str:
        """Take symbols; the further text that is now certain."""
        for symbol in symbols:
            if self.done:
                break
            ended = symbol == self._eod
            text = self._spell(None if ended else symbol)[: self.left]
            self.left -= len(text)
            self._held += text
            self.done = ended or self.left == 0
            if self._stop is not None and self._stop in self._held:
                self._held, self.done = self._held[: self._held.index(self._stop)], True
        keep = 0 if self.done or self._stop is None else _overlap(self._held, self._stop)
        ready = self._held[: len(self._held) - keep]
        self._held = self._held[len(self._held) - keep :]
        return ready


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that begins `stop`."""
    return next((size for size in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:size])), 0)


def names_of(symbols: Sequence[str]) -> list[str]:
    """Symbols as they can be shown on one line."""
    shown = {" ": "␠", "\n": "⏎", "\t": "⇥", "\r": "␍"}
    return [shown.get(symbol, symbol if symbol.isprintable() else repr(symbol)[1:-1]) for symbol in symbols]
