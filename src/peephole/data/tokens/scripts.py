"""Scripts whose words have no spaces between them, told by their letters."""

from collections.abc import Iterable, Mapping

from peephole.errors import InputError

# Blocks of Unicode, first and last code point. Korean has spaces between its words, Tibetan dots, and are left out.
THAI_LAO, MYANMAR, KHMER = (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF)
KANA, HAN, HAN_BEYOND = (0x3040, 0x30FF), (0x3400, 0x9FFF), (0x20000, 0x3FFFF)
# Characters that words of the script have on average where somebody has put spaces between them, at most.
LONGEST = {THAI_LAO: 10, MYANMAR: 12, KHMER: 10, KANA: 3, HAN: 3, HAN_BEYOND: 3}
FIRST = chr(min(first for first, _ in LONGEST))
SHARE = 1 / 3  # of the letters: text in other scripts may quote some


def refuse_without_spaces(counts: Mapping[str, int], sample: Iterable[str]) -> None:
    """Raise `InputError` for text that is mostly in such a script, and whose words nobody has parted.

    `counts` are those of its characters, `sample` is a part of it.
    """
    letters = sum(count for character, count in counts.items() if character.isalpha())
    found = {character: count for character, count in counts.items() if _longest(character)}
    spaceless = sum(found.values())
    if spaceless <= SHARE * letters:
        return
    lengths = [length for piece in sample for word in piece.split() if (length := sum(map(_is_such, word)))]
    longest = sum(_longest(character) * count for character, count in found.items()) / spaceless
    if lengths and sum(lengths) / len(lengths) > longest:
        raise InputError(
            f"{spaceless / letters:.0%} of the letters are of a script that is written without spaces between words, "
            f"{sum(lengths) / len(lengths):.0f} of them between two spaces: expected words that spaces part; pass "
            "--tokens bpe"
        )


def _longest(character: str) -> int:
    """What a word of the character's script has on average at most; 0 of scripts with spaces."""
    point = ord(character)
    return next((longest for (first, last), longest in LONGEST.items() if first <= point <= last), 0)


def _is_such(character: str) -> bool:
    return character >= FIRST and _longest(character) > 0
