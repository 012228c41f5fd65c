"""Text to token ids and back, without loss: the `tokenizers` library, with a numpy table where that is faster.

A character vocabulary is a byte-pair model without merges, so that words and byte pairs can become a setting of the
same class and the same file. `<eod>` and `<unk>` stand in the vocabulary only and are not added as special tokens: the
library would otherwise turn a literal "<eod>" in somebody's text into the end of a document.
"""

import codecs
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import tokenizers
from numpy.typing import ArrayLike, NDArray
from tokenizers import decoders, models

from peephole.errors import InputError
from peephole.writing import write_whole

END_OF_DOCUMENT = "<eod>"
UNKNOWN = "<unk>"
BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))  # the spelling that the library's ByteFallback decoder reads
BYTE_VALUES = {symbol: byte for byte, symbol in enumerate(BYTES)}
BLOCK = 1 << 16  # characters at a time: the library's time grows faster than the length of one text


def code_points(text: str) -> NDArray[np.uint32]:
    """The Unicode code points of `text`, one a character.

    Raises:
        InputError: half a surrogate pair, as a shell argument in another encoding than the terminal's leaves them.
    """
    try:
        return np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
    except UnicodeEncodeError as error:
        raise InputError(
            f"character {error.start:,} (U+{ord(text[error.start]):04X}) is half a character: expected Unicode text; "
            "check the encoding it was read in"
        ) from None


class Tokenizer:
    """A vocabulary of characters.

    Attributes:
        symbols: the text of each id.
        eod: id of `<eod>`, which stands before every document and after the last.
        unk: id of `<unk>`, for characters that the vocabulary lacks.
        dtype: the smallest unsigned integer type that holds every id.

    >>> tokenizer = Tokenizer.characters({"a": 2, "b": 1})
    >>> tokenizer.symbols, tokenizer.encode("abba?").tolist()
    (['<eod>', '<unk>', 'a', 'b'], [2, 3, 3, 2, 1])
    """

    def __init__(self, library: tokenizers.Tokenizer) -> None:
        """Wrap a tokenizer made by `characters`; use that or `load`.

        Raises:
            InputError: its vocabulary is not one of characters.
        """
        ids = library.get_vocab()
        self.symbols: list[str] = sorted(ids, key=ids.__getitem__)
        if not {END_OF_DOCUMENT, UNKNOWN} <= ids.keys() or sorted(ids.values()) != list(range(len(ids))):
            raise InputError(f"a vocabulary without {END_OF_DOCUMENT} and {UNKNOWN}: expected one that peephole wrote")
        self.eod: int = ids[END_OF_DOCUMENT]
        self.unk: int = ids[UNKNOWN]
        self.dtype: np.dtype[np.unsignedinteger] = np.min_scalar_type(len(ids) - 1)
        self._library = library
        self._falls_to_bytes = BYTES[0] in ids
        characters = [symbol for symbol in self.symbols if symbol not in {END_OF_DOCUMENT, UNKNOWN, *BYTES}]
        if any(len(character) != 1 for character in characters):
            raise InputError("a vocabulary of longer pieces: expected one of characters that peephole wrote")
        # Every code point above the largest known one is clipped to the last row, which says unknown.
        self._table = np.full(max(map(ord, characters), default=0) + 2, self.unk, dtype=self.dtype)
        for character in characters:
            self._table[ord(character)] = ids[character]

    @classmethod
    def characters(
        cls, counts: Mapping[str, int], unknown: Literal["symbol", "bytes"] = "symbol", min_count: int = 1
    ) -> "Tokenizer":
        """A vocabulary of the characters counted at least `min_count` times, in the order of their code points.

        `<eod>` is 0 and `<unk>` is 1; with `unknown="bytes"` the 256 byte tokens follow, and any other character is
        spelled with those of its UTF-8 form.
        """
        kept = sorted(character for character, count in counts.items() if count >= min_count)
        spelled = unknown == "bytes"
        symbols = [END_OF_DOCUMENT, UNKNOWN, *(BYTES if spelled else ()), *kept]
        library = tokenizers.Tokenizer(
            models.BPE(
                vocab={symbol: index for index, symbol in enumerate(symbols)},
                merges=[],
                unk_token=UNKNOWN,
                fuse_unk=False,
                byte_fallback=spelled,
            )
        )
        fuse = decoders.Fuse()
        library.decoder = decoders.Sequence([decoders.ByteFallback(), fuse]) if spelled else fuse
        return cls(library)

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
        blocks = [self._encode_block(text[start : start + BLOCK]) for start in range(0, len(text), BLOCK)]
        return np.concatenate(blocks) if blocks else np.empty(0, dtype=self.dtype)

    def decode(self, ids: ArrayLike) -> str:
        """The text of `ids`, one-dimensional integers; `<eod>` and `<unk>` come out as they are spelled.

        Byte tokens that make no UTF-8 character come out as U+FFFD.

        Raises:
            ValueError: an id outside the vocabulary.
        """
        checked = np.asarray(ids)
        if checked.size and not 0 <= int(checked.min()) <= int(checked.max()) < len(self):
            raise ValueError(f"ids from {checked.min()} to {checked.max()}: expected 0 to {len(self) - 1}")
        return self._library.decode(checked.tolist(), skip_special_tokens=False)

    def speller(self) -> Callable[[int | None], str]:
        """A function that takes ids one by one and gives the text that each completes; None ends the text.

        Byte tokens give nothing until their character is whole; what is no UTF-8 comes out as U+FFFD.
        """
        decoder = codecs.getincrementaldecoder("utf-8")("replace")

        def spell(token: int | None) -> str:
            if token is None:
                return decoder.decode(b"", final=True)
            symbol = self.symbols[token]
            if self._falls_to_bytes and symbol in BYTE_VALUES:
                return decoder.decode(bytes([BYTE_VALUES[symbol]]))
            left = decoder.decode(b"", final=True)
            decoder.reset()
            return left + symbol

        return spell

    def unknown_characters(self, text: str) -> dict[str, int]:
        """Characters of `text` that the vocabulary lacks (they become `<unk>` or bytes), and their first places."""
        points, first = np.unique(code_points(text), return_index=True)
        missing = np.flatnonzero(self._look_up(points) == self.unk)
        return {chr(points[place]): int(first[place]) for place in sorted(missing, key=first.__getitem__)}

    def _look_up(self, points: NDArray[np.uint32]) -> NDArray[np.unsignedinteger]:
        return self._table.take(points, mode="clip")

    def _encode_block(self, text: str) -> NDArray[np.unsignedinteger]:
        ids = self._look_up(code_points(text))
        if self._falls_to_bytes and (ids == self.unk).any():
            return np.array(self._library.encode_batch_fast([text])[0].ids, dtype=self.dtype)
        return ids
