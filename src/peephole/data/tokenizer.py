"""Text to token ids and back: characters, words or byte-pairs, in the `tokenizers` library's format.

What is particular to each kind is a `Coding` of the package `tokens`.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import tokenizers
from numpy.typing import ArrayLike, NDArray

from peephole.data.config import Cut
from peephole.data.tokens.blocks import Blocks
from peephole.data.tokens.characters import Characters, learn_characters
from peephole.data.tokens.coding import Coding, kind_of
from peephole.data.tokens.pieces import PieceCoding, learn_pieces
from peephole.data.tokens.words import WordCoding, learn_words, library_of
from peephole.errors import InputError
from peephole.writing import write_whole

CODINGS: dict[str, Callable[[tokenizers.Tokenizer], Coding]] = {
    "char": Characters,
    "word": WordCoding,
    "bpe": PieceCoding,
}


class Tokenizer:
    r"""A vocabulary of characters, words or pieces of words.

    Attributes:
        kind: "char", "word" or "bpe".
        cut: what a word is, "spaces" or "split"; None of other tokens.
        unit: what tokens are called, in the plural.
        symbols: the text of each id.
        eod: id of `<eod>`, which stands before every document and after the last.
        unk: id of `<unk>`, for what the vocabulary lacks; pieces lack nothing.
        eos: id of `<eos>`, the end of a line, among words; None of other tokens.
        dtype: the smallest unsigned integer type that holds every id.

    >>> tokenizer = Tokenizer.characters({"a": 2, "b": 1})
    >>> tokenizer.symbols, tokenizer.encode("abba?").tolist()
    (['<eod>', '<unk>', 'a', 'b'], [2, 3, 3, 2, 1])
    >>> tokenizer = Tokenizer.words({"to": 2, "be": 1}, "spaces")
    >>> tokenizer.symbols, tokenizer.encode("to be or\n").tolist()
    (['<eod>', '<unk>', '<eos>', 'to', 'be'], [3, 4, 1, 2])
    """

    def __init__(self, library: tokenizers.Tokenizer) -> None:
        """Wrap a tokenizer made by `characters`, `words` or `pieces`; use those or `load`.

        Raises:
            InputError: its vocabulary is not one of ours.
        """
        self.kind: str = kind_of(json.loads(library.to_str()))
        self._library = library
        self._coding = CODINGS[self.kind](library)
        self.cut: Cut | None = self._coding.cut
        self.unit: str = self._coding.unit
        self.symbols: list[str] = self._coding.symbols
        self.eod: int = self._coding.eod
        self.unk: int = self._coding.unk
        self.eos: int | None = self._coding.eos
        self.dtype: np.dtype[np.unsignedinteger] = np.min_scalar_type(len(self.symbols) - 1)

    @classmethod
    def characters(
        cls, counts: Mapping[str, int], unknown: Literal["symbol", "bytes"] = "symbol", min_count: int = 1
    ) -> "Tokenizer":
        """A vocabulary of the characters counted at least `min_count` times, in the order of their code points.

        `<eod>` is 0 and `<unk>` is 1; with `unknown="bytes"` the 256 byte tokens follow, and any other character is
        spelled with those of its UTF-8 form.
        """
        return cls(learn_characters(counts, unknown, min_count))

    @classmethod
    def words(
        cls, counts: Mapping[str, int], cut: Cut, vocabulary: int | None = None, min_count: int = 1
    ) -> "Tokenizer":
        """A vocabulary of the words counted at least `min_count` times, the most frequent first.

        `<eod>` is 0, `<unk>` is 1, `<eos>` is 2; `vocabulary` is the largest number of words, the last two included.
        """
        return cls(library_of(learn_words(counts, cut, vocabulary, min_count), cut))

    @classmethod
    def pieces(cls, text: Iterable[str], vocabulary: int, min_count: int = 1) -> "Tokenizer":
        """A vocabulary of byte-pairs, learnt of text whose parts end between words.

        `<eod>` is 0, `<unk>` is 1, and spells nothing; at most `vocabulary` pieces beside `<eod>`, the 256 bytes
        among them, of pairs that were seen `min_count` times and twice.
        """
        return cls(learn_pieces(text, vocabulary, min_count))

    @classmethod
    def load(cls, path: Path) -> "Tokenizer":
        """Read what `save` wrote.

        Raises:
            InputError: the file is missing or damaged.
        """
        try:
            content = path.read_bytes().decode()
            json.loads(content)  # the library's own complaint about a damaged file is a bare Exception
            return cls(tokenizers.Tokenizer.from_str(content))
        except OSError as error:
            raise InputError(
                f"{path}: no tokenizer ({error.strerror}): expected the one written with the run"
            ) from None
        except Exception as error:  # the library raises nothing narrower for valid JSON that is not a tokenizer
            reason = str(error).splitlines()[0]
            raise InputError(f"{path}: a damaged tokenizer ({reason}): restore the one written with the run") from None

    def save(self, path: Path) -> None:
        """Write the tokenizer to `path`, whole or not at all, in the library's own format."""
        write_whole(path, self._library.to_str().encode())

    def __len__(self) -> int:
        return len(self.symbols)

    def encode(self, text: str) -> NDArray[np.unsignedinteger]:
        """The ids of `text`, `[tokens]` of `dtype`.

        Raises:
            InputError: `text` holds half a surrogate pair.
        """
        encoder = self.encoder()
        return np.concatenate([encoder(text), encoder(None)])

    def encoder(self) -> Callable[[str | None], NDArray[np.unsignedinteger]]:
        """A function that takes a document in parts and gives the ids that are certain by then; None ends it.

        What comes after a part may still belong to its last word, which is kept until it is whole.
        """
        blocks = Blocks(self._coding.ready)

        def encode(text: str | None) -> NDArray[np.unsignedinteger]:
            found = [np.asarray(self._coding.encode(block, begins), self.dtype) for block, begins in blocks(text)]
            return np.concatenate(found) if found else np.empty(0, dtype=self.dtype)

        return encode

    def spelled(self, text: str) -> list[str]:
        """What each id of `encode` stands for in `text`: unknown words and characters as they stand there."""
        blocks = Blocks(self._coding.ready)
        return [one for block, begins in blocks(text) + blocks(None) for one in self._coding.spelled(block, begins)]

    def decode(self, ids: ArrayLike) -> str:
        """The text of `ids`, one-dimensional integers; `<eod>` and `<unk>` come out as they are spelled.

        Byte tokens that make no UTF-8 character come out as U+FFFD; words are joined as people write them.

        Raises:
            ValueError: an id outside the vocabulary.
        """
        checked = np.asarray(ids)
        if checked.size and not 0 <= int(checked.min()) <= int(checked.max()) < len(self):
            raise ValueError(f"ids from {checked.min()} to {checked.max()}: expected 0 to {len(self) - 1}")
        return self._coding.decode(checked.tolist())

    def speller(self) -> Callable[[int | None], str]:
        """A function that takes ids one by one and gives the text that each completes; None ends the text.

        Bytes give nothing until their character is whole; what is no UTF-8 comes out as U+FFFD. Words come with the
        space before them, which depends on those before: what goes on after other words has to be given those first.
        """
        return self._coding.speller()

    def unknown(self, text: str) -> dict[str, int]:
        """Tokens of `text` that the vocabulary lacks (they become `<unk>` or bytes), and their first places."""
        return self._coding.unknown(text)

    def apart(self, text: str) -> str:
        """Text as people write it, in the way that the vocabulary's text is written.

        Where words are cut at spaces, marks are set apart as they were there; else nothing changes.
        """
        return self._coding.apart(text)

    def ends_sentence(self, token: int) -> bool:
        """Whether a sentence may end with this token: a full stop or the like, with quotes after it, or a line end."""
        return self._coding.ends_sentence(token)
