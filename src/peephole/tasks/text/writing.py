"""Symbols as they are drawn to texts as they are read, and symbols as they can be shown."""

from collections.abc import Iterator, Sequence

from peephole.data.tokenizer import Tokenizer
from peephole.data.tokens.coding import Speller
from peephole.generate.sampling import Writing
from peephole.tasks.text.ending import Ending, Sentences


def spell(writing: Writing, tokenizer: Tokenizer, ending: Ending, prime: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Symbols to text; what could be the beginning of the stop string is held back until it is clear that it is not.

    `prime` are the symbols that stand before, `<eod>` first: what comes is spelled as what follows them.
    """
    texts = {number: _Text(tokenizer, ending, prime) for number in writing.open}
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

    def __init__(self, tokenizer: Tokenizer, ending: Ending, prime: Sequence[int]) -> None:
        self._tokenizer, self._ending, self._held = tokenizer, ending, ""
        self._spell = speller_after(tokenizer, prime)
        self._sentences = Sentences(tokenizer)
        self._wanted, self._most = ending.wanted(tokenizer.unit), ending.most(tokenizer.unit)
        self._count, self.done = 0, False

    @property
    def left(self) -> int:
        """How many more symbols it may take, at least."""
        return max(1, self._most - self._count)

    def add(self, symbols: list[int]) -> str:
        """Take symbols; the further text that is now certain."""
        for symbol in symbols:
            if self.done:
                break
            self._take(symbol)
            stop = self._ending.stop
            if stop is not None and stop in self._held:
                self._held, self.done = self._held[: self._held.index(stop)], True
        stop = self._ending.stop
        keep = 0 if self.done or stop is None else _overlap(self._held, stop)
        ready = self._held[: len(self._held) - keep]
        self._held = self._held[len(self._held) - keep :]
        return ready

    def _take(self, symbol: int) -> None:
        ended = symbol == self._tokenizer.eod
        text = self._spell(None if ended else symbol)
        before = self._sentences.before(symbol, text)
        enough = self._sentences.add(symbol, text) and self._enough
        if before and enough:  # what comes belongs to the next sentence
            self.done = True
            return
        if self._tokenizer.unit == "characters":
            text = text[: self._most - self._count]
            self._count += len(text)
        else:
            self._count += symbol not in (self._tokenizer.eos, self._tokenizer.eod)
        self._held += text.rstrip("\n") if enough else text
        self.done = enough or ended or self._count >= self._most

    @property
    def _enough(self) -> bool:
        """Whether it may end with a sentence."""
        wanted = self._ending.sentences
        if wanted is not None:
            return self._sentences.ended >= wanted
        return self._tokenizer.unit != "characters" and self._count >= self._wanted


def speller_after(tokenizer: Tokenizer, prime: Sequence[int]) -> Speller:
    """`Tokenizer.speller()` of what goes on after the symbols of a prime, which begin with `<eod>`."""
    spell = tokenizer.speller()
    for symbol in prime[1:]:
        spell(symbol)
    return spell


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that begins `stop`."""
    return next((size for size in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:size])), 0)


def names_of(symbols: Sequence[str]) -> list[str]:
    """Symbols as they can be shown on one line: blanks by pictures, also the one that a word begins with."""
    shown = {" ": "␠", "\n": "⏎", "\t": "⇥", "\r": "␍", "<eos>": "⏎"}
    return [shown.get(symbol, _visible(symbol)) for symbol in symbols]


def _visible(symbol: str) -> str:
    text = f"␠{symbol[1:]}" if symbol[:1] == " " else symbol
    return text if text.isprintable() else repr(text)[1:-1]
