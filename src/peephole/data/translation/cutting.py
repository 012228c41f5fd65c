"""How text is cut into words: what a vocabulary's pre-tokenizer does."""

import tokenizers
from tokenizers import pre_tokenizers

from peephole.data.translation.config import Cut, Tokens

SPACE = "▁"  # marks the beginning of a word among pieces, as SentencePiece writes it
# Letters, digits and single marks, each with the space before it.
PARTS = rf"{SPACE}?[\p{{L}}\p{{M}}]+|{SPACE}?\p{{N}}+|{SPACE}?[^\p{{L}}\p{{M}}\p{{N}}{SPACE}]|{SPACE}"


def pre_tokenizer(tokens: Tokens, cut: Cut) -> pre_tokenizers.PreTokenizer:
    """What cuts text into words, with `▁` before those that follow a space, where that is to be known."""
    if cut == "spaces":
        return pre_tokenizers.WhitespaceSplit() if tokens == "words" else pre_tokenizers.Metaspace()
    parts = pre_tokenizers.Split(tokenizers.Regex(PARTS), "isolated")
    return pre_tokenizers.Sequence([pre_tokenizers.Metaspace(), parts])


def words_of(text: str, cut: Cut) -> list[str]:
    """The words of a text, without marks of spaces."""
    if cut == "spaces":
        return text.split()
    return [word.removeprefix(SPACE) for word, _ in pre_tokenizer("words", cut).pre_tokenize_str(text)]
