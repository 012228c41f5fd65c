"""Words that were cut at spaces, as people write them, and such text as it was cut.

The conventions are those of the Penn Treebank and of WikiText: marks stand apart, `n't` and `'s` are words, and `@-@`,
`@,@`, `@.@` are marks that stood within a word or a number. Which of two quotes opens is not written down; they are
taken to alternate within a line.
"""

import re
from collections.abc import Callable, Sequence

from peephole.data.tokens.coding import END_OF_DOCUMENT, END_OF_LINE, UNKNOWN, Speller

LEFT = frozenset([*".,;:!?%)]}…”’»°′″", "...", "''"])  # follow a word without a space
RIGHT = frozenset([*"([{$£€#“‘«", "``"])  # a word follows them without one
BOTH = frozenset("/")
WITHIN_WORDS = frozenset("-/_")
WRITTEN = {"``": '"', "''": '"'}
PLAIN = {"“": '"', "”": '"', "‘": "'", "’": "'", "…": "..."}  # for vocabularies that have no others
QUOTES = frozenset("\"'")
CONTRACTION = re.compile(r"['’](?:s|t|d|m|ll|re|ve)|n['’]t", re.IGNORECASE)
ELISION = re.compile(r"(?:[cdjlmnst]|qu)['’]", re.IGNORECASE)
WITHIN = re.compile(r"@(\W)@")
ENDING = re.compile(r"n['’]t$|['’](?:s|t|d|m|ll|re|ve)$|\.\.\.$|''$|[.,;:!?%)\]}…”’»°′″\"']$", re.IGNORECASE)
BEGINNING = re.compile(r"^(?:``|[(\[{$£€#“‘«\"'])")


class Joiner:
    r"""Takes words one by one and gives the text of each, with the space before it where one belongs.

    >>> join = Joiner(["<eod>", "<unk>", "<eos>", '"', "Yes", ",", "2", "@-@", "step"])
    >>> "".join(map(join, [3, 4, 5, 3, 6, 7, 8, 2, None]))
    '"Yes," 2-step\n'
    """

    def __init__(self, symbols: Sequence[str]) -> None:
        self._symbols = symbols
        self._begin()

    def __call__(self, token: int | None) -> str:
        """The text of a word; of None, which ends the text, nothing."""
        if token is None:
            return ""
        word = self._symbols[token]
        if token < 3 and word in {END_OF_DOCUMENT, END_OF_LINE}:
            self._begin()
            return "\n" if word == END_OF_LINE else word
        within = WITHIN.fullmatch(word)
        left, right = (True, True) if within else self._sides(word)
        space = "" if left or self._attached else " "
        self._attached, self._last = right, word
        return space + (within[1] if within else WRITTEN.get(word, word))

    def _begin(self) -> None:
        self._attached = True  # the next word stands without a space
        self._open: set[str] = set()
        self._last = ""

    def _sides(self, word: str) -> tuple[bool, bool]:
        """Whether a word follows the last one without a space, and the next one it."""
        if word in QUOTES:
            possessive = word == "'" and word not in self._open and self._last.endswith("s")
            closes = word in self._open or possessive
            self._open ^= set() if possessive else {word}
            return closes, not closes
        left = word in LEFT or word in BOTH or CONTRACTION.fullmatch(word) is not None
        return left, word in RIGHT or word in BOTH or ELISION.fullmatch(word) is not None


def exact_joiner(symbols: Sequence[str]) -> Speller:
    """Words that have the space before them, as they stood; what is unknown has one save after an opening mark."""
    attached = begins = True

    def join(token: int | None) -> str:
        nonlocal attached, begins
        if token is None:
            return ""
        word = symbols[token]
        if token < 3 and word in {END_OF_DOCUMENT, END_OF_LINE}:
            attached = begins = True
            return "\n" if word == END_OF_LINE else word
        text = f" {word}" if token < 3 and word == UNKNOWN and not attached else word
        text = text.removeprefix(" ") if begins else text
        attached, begins = word.strip() in RIGHT | WITHIN_WORDS, False
        return text

    return join


def taken_apart(text: str, knows: Callable[[str], bool]) -> str:
    """Text as people write it, with a space where a vocabulary cut at spaces has one; lines and their ends stay.

    A word that the vocabulary knows stays as it is: `U.S.` loses no full stop.
    """
    for mark, plain in PLAIN.items():
        if mark in text and not knows(mark) and knows(plain):
            text = text.replace(mark, plain)
    return "\n".join(" ".join(_words(line, knows)) for line in text.split("\n"))


def _words(line: str, knows: Callable[[str], bool]) -> list[str]:
    found: list[str] = []
    for word in line.split():
        before: list[str] = []
        after: list[str] = []
        while not knows(word) and (mark := BEGINNING.search(word)) and knows(mark[0]) and mark[0] != word:
            before.append(mark[0])
            word = word[len(mark[0]) :]
        while not knows(word) and (mark := _ending(word, knows)):
            after.insert(0, mark)
            word = word[: len(word) - len(mark)]
        found += [*before, *_inside(word, knows), *after]
    return found


def _ending(word: str, knows: Callable[[str], bool]) -> str | None:
    """The mark or short form that a word ends with and the vocabulary has: of several, the longest."""
    ends = [word[start:] for start in range(max(len(word) - 4, 1), len(word))]
    return next((end for end in ends if ENDING.fullmatch(end) and knows(end)), None)


def _inside(word: str, knows: Callable[[str], bool]) -> list[str]:
    """A word cut at hyphens and at the marks of its numbers, where the vocabulary has them within words."""
    if knows(word):
        return [word]
    for mark, between in (("-", r"(?<=[\w>])-(?=[\w<])"), (",", r"(?<=[\d>]),(?=[\d<])"), (".", r"(?<=\d)\.(?=\d)")):
        if knows(f"@{mark}@"):
            word = re.sub(between, f" @{mark}@ ", word)
    return (re.sub(r"(?<=[\w>])/(?=[\w<])", " / ", word) if knows("/") else word).split()
