"""Characters: the `tokenizers` library, with a numpy table where that is faster.

A character vocabulary is a byte-pair model without merges. `<eod>` and `<unk>` stand in the vocabulary only and are not
added as special tokens: the library would otherwise turn a literal "<eod>" in somebody's text into the end of a
document.
"""

import codecs
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import tokenizers
from numpy.typing import NDArray
from tokenizers import decoders, models

from peephole.data.tokens.coding import END_OF_DOCUMENT, UNKNOWN, Coding, Speller, in_order
from peephole.errors import InputError

BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))  # the spelling that the library's ByteFallback decoder reads
BYTE_VALUES = {symbol: byte for byte, symbol in enumerate(BYTES)}


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


def learn_characters(
    counts: Mapping[str, int], unknown: Literal["symbol", "bytes"] = "symbol", min_count: int = 1
) -> tokenizers.Tokenizer:
    """The characters counted at least `min_count` times, in the order of their code points.

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
    return library


class Characters(Coding):
    """A vocabulary of characters, and of bytes where those spell what it lacks."""

    kind = "char"
    unit = "characters"

    def __init__(self, library: tokenizers.Tokenizer) -> None:
        """`library` as `learn_characters` makes it; `InputError` where it is no vocabulary of characters."""
        ids = library.get_vocab()
        symbols = in_order(ids)
        if symbols is None or not {END_OF_DOCUMENT, UNKNOWN} <= ids.keys():
            raise InputError(f"a vocabulary without {END_OF_DOCUMENT} and {UNKNOWN}: expected one that peephole wrote")
        self.symbols = symbols
        self.eod = ids[END_OF_DOCUMENT]
        self.unk = ids[UNKNOWN]
        self._library = library
        self._falls_to_bytes = BYTES[0] in ids
        characters = [symbol for symbol in self.symbols if symbol not in {END_OF_DOCUMENT, UNKNOWN, *BYTES}]
        if any(len(character) != 1 for character in characters):
            raise InputError("a vocabulary of longer pieces: expected one of characters that peephole wrote")
        # Every code point above the largest known one is clipped to the last row, which says unknown.
        rows = max(map(ord, characters), default=0) + 2
        self._table = np.full(rows, self.unk, dtype=np.min_scalar_type(len(symbols) - 1))
        for character in characters:
            self._table[ord(character)] = ids[character]

    def encode(self, text: str, begins: bool) -> NDArray[np.integer] | Sequence[int]:
        """The ids of a block; wherever it is cut is between characters."""
        ids = self._look_up(code_points(text))
        if self._falls_to_bytes and (ids == self.unk).any():
            return self._library.encode_batch_fast([text])[0].ids
        return ids

    def spelled(self, text: str, begins: bool) -> list[str]:
        """Characters, unknown ones as they stand there; bytes where those spell them."""
        return super().spelled(text, begins) if self._falls_to_bytes else list(text)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`; bytes that make no UTF-8 character come out as U+FFFD."""
        return self._library.decode(list(ids), skip_special_tokens=False)

    def speller(self) -> Speller:
        """Bytes give nothing until their character is whole; what is no UTF-8 comes out as U+FFFD."""
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

    def unknown(self, text: str) -> dict[str, int]:
        """Characters that the vocabulary lacks (they become `<unk>` or bytes), and their first places."""
        points, first = np.unique(code_points(text), return_index=True)
        missing = np.flatnonzero(self._look_up(points) == self.unk)
        return {chr(points[place]): int(first[place]) for place in sorted(missing, key=first.__getitem__)}

    def _look_up(self, points: NDArray[np.uint32]) -> NDArray[np.unsignedinteger]:
        return self._table.take(points, mode="clip")
