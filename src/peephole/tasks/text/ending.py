"""Where a text that is written ends: after so much of it, where its sentence ends, or before a string."""

from dataclasses import dataclass

from peephole.data.tokenizer import Tokenizer
from peephole.data.tokens.coding import CLOSING
from peephole.errors import InputError

LENGTHS = {"characters": 500, "words": 100, "pieces": 150}  # that are written unless told otherwise
FURTHER = {"characters": 0, "words": 60, "pieces": 90}  # at most, to the end of the sentence
SENTENCE = {"characters": 600, "words": 120, "pieces": 180}  # of one of `sentences`, at most


@dataclass(frozen=True)
class Ending:
    """How much is written, beside the end of a document, which ends every text.

    `length` counts the tokenizer's unit, None as much as is usual for it; over words and pieces a text then goes on to
    the end of its sentence, unless `cut`. `sentences` in place of it counts these. `stop` is what ends it before.

    Raises:
        InputError: less than nothing is asked for, or both length and sentences.
    """

    length: int | None = None
    sentences: int | None = None
    cut: bool = False
    stop: str | None = None

    def __post_init__(self) -> None:
        for name in ("length", "sentences"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"--{name} is {value}; expected at least 1")
        if self.length is not None and self.sentences is not None:
            raise InputError("--length and --sentences both say where to end; pass one of them")
        if self.cut and self.sentences is not None:
            raise InputError("--cut ends within a sentence and --sentences with one; pass one of them")
        if self.stop == "":
            raise InputError("--stop is empty; expected the string at which to end")

    def wanted(self, unit: str) -> int:
        """Tokens after which a text may end; with `sentences` none."""
        return 0 if self.sentences is not None else self.length or LENGTHS[unit]

    def most(self, unit: str) -> int:
        """Tokens after which it ends wherever it is."""
        if self.sentences is not None:
            return self.sentences * SENTENCE[unit]
        return self.wanted(unit) + (0 if self.cut else FURTHER[unit])


class Sentences:
    """Counts the sentences of a text as it grows.

    A mark that may end one does so where a space or the end of a line comes after it and its quotes and brackets: not
    within a number or a name. A line end does by itself, of tokens that know lines.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._waiting = self._said = False  # after a mark that may end one; whether anything stands in the next one
        self.ended = 0

    def before(self, token: int, text: str) -> bool:
        """Whether a sentence ended before this token, whose text is `text`; to be asked before it is `add`ed."""
        return self._waiting and (text[:1].isspace() or token == self._tokenizer.eod)

    def add(self, token: int, text: str) -> bool:
        """Take a token; whether a sentence ended before or with it."""
        ended = self.before(token, text)
        goes_on = self._waiting and not ended and not text.strip(CLOSING)  # also where a character is half spelled
        self._said = bool(text.strip()) or (self._said and not ended)
        line_ends = token == self._tokenizer.eos
        self._waiting = goes_on or (self._tokenizer.ends_sentence(token) and not line_ends)
        if line_ends and self._said:
            ended, self._said = True, False
        self.ended += ended
        return ended
