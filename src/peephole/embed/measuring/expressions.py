"""Words added and taken away: `king - man + woman`, and which words lie nearest to what comes out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from peephole.embed.vectors import Neighbour, Vectors
from peephole.errors import InputError

SIGNS = {"+": 1, "-": -1, "−": -1}


@dataclass(frozen=True)
class Expression:
    """Words with their signs, +1 or −1; the first has +1.

    >>> [str(one) for one in Expression.read(["of", "king", "-", "man", "+", "woman"])]
    ['of', 'king - man + woman']
    """

    terms: tuple[tuple[int, str], ...]

    @staticmethod
    def read(words: Sequence[str]) -> "tuple[Expression, ...]":
        """Words one after another; a + or - between two of them joins them. One that begins is a word itself.

        Raises:
            InputError: a + or - with no word after it.
        """
        found: list[list[tuple[int, str]]] = []
        given = iter(words)
        for word in given:
            if word not in SIGNS or not found:
                found.append([(1, word)])
                continue
            following = next(given, None)
            if following is None or following in SIGNS:
                before = " ".join([*(one for _, one in found[-1]), word])
                raise InputError(f"{before!r}: no word after the {word}; expected one, as in king - man + woman")
            found[-1].append((SIGNS[word], following))
        return tuple(Expression(tuple(terms)) for terms in found)

    def __str__(self) -> str:
        (_, first), *others = self.terms
        return " ".join([first, *(f"{'+' if sign > 0 else '-'} {word}" for sign, word in others)])


def nearest(vectors: Vectors, expression: Expression, count: int = 10) -> tuple[Neighbour, ...]:
    """The words that point most nearly where the sum of the words' directions does, all of these left out.

    Of one word, its neighbours. `InputError` for a word that is not there, or `count` below 1.
    """
    if len(expression.terms) == 1:
        return vectors.nearest(expression.terms[0][1], count)
    if count < 1:
        raise InputError(f"{count} neighbours; expected at least 1")
    places = [vectors.place(word) for _, word in expression.terms]
    signs = np.array([sign for sign, _ in expression.terms], np.float32)
    total = signs @ vectors.directions[places]
    length = float(np.linalg.norm(total))
    cosines = vectors.directions @ (total / length if length > 0 else total)
    cosines[places] = -np.inf
    order = np.argsort(-cosines, kind="stable")[: max(0, min(count, len(vectors) - len(set(places))))]
    return tuple(Neighbour(vectors.words[near], float(cosines[near])) for near in order.tolist())
