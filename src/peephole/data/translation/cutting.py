"""How text is cut into words: what a vocabulary's pre-tokenizer does, and whether a text was cut already."""

from collections.abc import Iterable

import tokenizers
from tokenizers import pre_tokenizers

from peephole.data.translation.config import Cut, Tokens, Words

SPACE = "▁"  # marks the beginning of a word among pieces, as SentencePiece writes it
# Letters, digits and single marks, each with the space before it.
PARTS = rf"{SPACE}?[\p{{L}}\p{{M}}]+|{SPACE}?\p{{N}}+|{SPACE}?[^\p{{L}}\p{{M}}\p{{N}}{SPACE}]|{SPACE}"
MARKS = frozenset(".,;:!?…。，、؟।")  # that follow a word without a space where people write


def cut_for(sentences: Iterable[str], asked: Words) -> Cut:
    """How to cut: as asked, or as the sentences were written: `spaces` where most marks of punctuation stand apart."""
    if asked != "auto":
        return asked
    apart = attached = 0
    for sentence in sentences:
        for word in sentence.split():
            if word[-1] in MARKS:
                apart += len(word) == 1
                attached += len(word) > 1
    return "split" if attached > apart else "spaces"


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
