"""How tokens stand in an ARPA file, where white space parts them."""

import re

BEGIN, END, UNKNOWN_WORD = "<s>", "</s>", "<unk>"
SPACE = "<space>"  # as common among models of characters
SPACED = "▁"  # a space before a word, as SentencePiece writes it
_BLANK = re.compile(r"[\x00-\x20\x7f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")
_SPELLED = re.compile(r"<U\+([0-9A-F]{4})>")


def spelled(symbol: str) -> str:
    r"""A token as it stands in a file: white space and control characters by their number.

    >>> [spelled(symbol) for symbol in ("word", " word", " ", "\t")]
    ['word', '▁word', '<space>', '<U+0009>']
    """
    if symbol == " ":
        return SPACE
    if symbol.startswith(" "):
        return SPACED + spelled(symbol[1:])
    return _BLANK.sub(lambda blank: f"<U+{ord(blank[0]):04X}>", symbol)


def unspelled(word: str) -> str:
    r"""The token again.

    >>> [unspelled(word) for word in ("word", "▁word", "▁", "<space>", "<U+0009>", "<U+0041>")]
    ['word', ' word', '▁', ' ', '\t', '<U+0041>']
    """

    def blank(found: re.Match[str]) -> str:
        character = chr(int(found[1], 16))
        return character if _BLANK.fullmatch(character) else found[0]

    if word == SPACE:
        return " "
    if word.startswith(SPACED) and word != SPACED:
        return " " + unspelled(word[1:])
    return _SPELLED.sub(blank, word)
