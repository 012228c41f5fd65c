"""Byte-pairs (Sennrich et al. 2016) over the bytes of UTF-8, which spell every text without loss.

Text is cut as GPT-2's was (Radford et al. 2019): a piece is of letters, of numbers, or of marks, with the space before
them; pairs are merged within those alone.
"""

import codecs
import json
import re
from collections.abc import Iterable, Sequence

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from peephole.data.tokens.characters import code_points
from peephole.data.tokens.coding import END_OF_DOCUMENT, UNKNOWN, Coding, Speller, in_order
from peephole.errors import InputError

SPECIAL = (f"{END_OF_DOCUMENT} ", f"{UNKNOWN} ")  # no piece has a space in it as the library spells them
SEEN = 2  # times that a pair is seen at least before it is merged: one that is seen once is no pattern

# Where a piece ends whatever follows: before white space that follows something else, or between a letter or number and
# a mark, save the apostrophe of 's and the like.
BOUNDARY = re.compile(r"(?<=\S)(?=[ \n\t])|(?<=[^\W_])(?=[^\w\s'])")

NEAR = 256  # characters from the end, where there nearly always is one


def learn_pieces(text: Iterable[str], vocabulary: int, min_count: int = 1) -> tokenizers.Tokenizer:
    """At most `vocabulary` pieces beside `<eod>`: `<unk>`, the 256 bytes, and what merging frequent pairs makes.

    The same text gives the same pieces, in whatever parts it comes, as long as those end between pieces.
    """
    library = tokenizers.Tokenizer(models.BPE())
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary + 1,
        min_frequency=max(min_count, SEEN),
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    library.train_from_iterator(text, trainer)
    # The library keeps special tokens apart from the model too, where it would find them in a text that spells them.
    content = json.loads(library.to_str())
    content["added_tokens"] = []
    return tokenizers.Tokenizer.from_str(json.dumps(content))


def ready(text: str) -> int:
    """How many characters of `text` are pieces that nothing can follow."""
    for start in (max(len(text) - NEAR, 0), 0):
        found = [match.start() for match in BOUNDARY.finditer(text, start)]
        if found or not start:
            return max(found, default=0)
    return 0


class PieceCoding(Coding):
    """A vocabulary of byte-pairs."""

    kind = "bpe"
    unit = "pieces"

    def __init__(self, library: tokenizers.Tokenizer) -> None:
        """`library` as `learn_pieces` makes it; `InputError` where it is not."""
        spelled = in_order(library.get_vocab())
        values = _byte_values()
        if spelled is None or tuple(spelled[:2]) != SPECIAL or not values.keys() <= set(spelled):
            raise InputError(
                f"a vocabulary of pieces without {END_OF_DOCUMENT}, {UNKNOWN} and every byte: expected one that "
                "peephole wrote"
            )
        self.eod, self.unk = 0, 1
        self._bytes = [symbol.encode() for symbol in (END_OF_DOCUMENT, UNKNOWN)]
        self._bytes += [bytes(map(values.__getitem__, symbol)) for symbol in spelled[2:]]
        self.symbols = [_shown(value) for value in self._bytes]
        self._library = library

    def ready(self, text: str) -> int:
        """Up to the last place where a piece ends whatever follows."""
        return ready(text)

    def encode(self, text: str, begins: bool) -> Sequence[int]:
        """The ids of a block, which goes on where a piece begins."""
        try:
            return self._library.encode_batch_fast([text])[0].ids
        except TypeError:
            code_points(text)  # says where half a character is, which the library cannot read
            raise

    def speller(self) -> Speller:
        """Pieces give the characters that are whole by then; what is no UTF-8 comes out as U+FFFD."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")

        def spell(token: int | None) -> str:
            if token is None or token in {self.eod, self.unk}:
                left = decoder.decode(b"", final=True)
                decoder.reset()
                return left if token is None else left + self.symbols[token]
            return decoder.decode(self._bytes[token])

        return spell

    def unknown(self, text: str) -> dict[str, int]:
        """Nothing: bytes spell everything."""
        return {}


def _byte_values() -> dict[str, int]:
    """The byte of each character that the library writes for one: itself where it can be seen, else 256 and on."""
    seen = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    unseen = [byte for byte in range(256) if byte not in set(seen)]
    return {chr(byte): byte for byte in seen} | {chr(256 + place): byte for place, byte in enumerate(unseen)}


def _shown(value: bytes) -> str:
    """Text where the bytes are some, else the bytes as `<0xE2>`."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return "".join(f"<0x{byte:02X}>" for byte in value)
