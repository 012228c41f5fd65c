"""What a net did with one sentence, as pictures: where it looked, and what its search considered."""

from collections.abc import Sequence
from typing import Any

from peephole.tasks.examples.attention_matrix import AttentionMatrix
from peephole.tasks.examples.beam_tree import BeamTree
from peephole.tasks.translation.answering import Answering


def pictures(answering: Answering, texts: Sequence[str]) -> tuple[tuple[str, Any], ...]:
    """Of the sentence of middle length among clean `texts`, the first of equals; none without texts."""
    asked = sorted((text for text in texts if text), key=lambda text: len(text.split()))
    if not asked:
        return ()
    source = asked[len(asked) // 2]
    (found,) = answering.search([source], keep_tree=True)
    encoding = answering.encoding
    drawn: list[tuple[str, Any]] = []
    if found.best.attention is not None:
        read = [one.text for one in encoding.read_tokens(source)]
        said = [encoding.name(symbol) for symbol in found.best.symbols]
        drawn.append(("Attention", AttentionMatrix.of(found.best, read, said)))
    drawn.append(("Beams", BeamTree.of(found, encoding.name)))
    return tuple(drawn)
