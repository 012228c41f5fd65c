"""Analogy questions: a is to b as c is to which word?

3CosAdd takes the word d whose direction is nearest to b − a + c, all of length 1 (Mikolov et al. 2013, Efficient
estimation of word representations in vector space): the largest cos(d, b) − cos(d, a) + cos(d, c). 3CosMul multiplies
and divides instead, so that no term outweighs the others (Levy & Goldberg 2014, Linguistic regularities in sparse and
explicit word representations, section 6): cos(d, b)·cos(d, c) / (cos(d, a) + ε), with cosines moved to 0 … 1. The three
words of the question are no answers.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from peephole.embed.measuring.analogies_found import Analogies, SectionScore
from peephole.embed.measuring.lookup import RESTRICT, Lookup
from peephole.embed.measuring.questions import Section
from peephole.embed.vectors import Vectors
from peephole.errors import InputError

By = Literal["addition", "multiplication"]
EPSILON = np.float32(0.001)  # of 3CosMul, section 6
COLUMNS, TOGETHER = 1024, 128  # words and questions at a time: what is worked on stays in a core's cache


def measure_analogies(
    vectors: Vectors,
    sections: Sequence[Section],
    restrict: int = RESTRICT,
    by: By = "addition",
    match_case: bool = False,
) -> Analogies:
    """How many of the questions the vectors answer, section by section.

    A question is known if its four words are among the `restrict` most frequent ones; the others are left out, and
    answers come from those words alone. Unless `match_case`, words are the same that differ in capitals alone.

    Raises:
        InputError: no question is known.
    """
    return answer(Lookup.of(vectors, restrict, match_case), sections, by)


def answer(lookup: Lookup, sections: Sequence[Section], by: By = "addition") -> Analogies:
    """`measure_analogies` on words that were looked up before."""
    if by not in get_args(By):
        raise InputError(f"analogies by {by!r}; expected {' or '.join(get_args(By))}")
    numbers = [known(lookup, section) for section in sections]
    asked = np.concatenate(numbers)
    if not len(asked):
        total = sum(len(section.questions) for section in sections)
        first = " ".join(sections[0].questions[0])
        raise InputError(
            f"none of {total:,} questions has all four words among the {lookup.described} (the first: "
            f"{first}); expected questions in their language and spelling"
        )
    found = answers(lookup, asked[:, :3], by)
    right = (found >= 0) & (lookup.alike[found] == asked[:, 3])
    ends = np.cumsum([len(one) for one in numbers])[:-1]
    scores = tuple(
        SectionScore(section.name, len(section.questions), len(part), int(part.sum()), section.syntactic)
        for section, part in zip(sections, np.split(right, ends), strict=True)
    )
    return Analogies(scores, len(lookup), by, right)


def known(lookup: Lookup, section: Section) -> NDArray[np.int64]:
    """The places of the four words of each question whose words are all there, `[known, 4]`."""
    found = [[lookup.find(word) for word in question] for question in section.questions]
    return np.array([row for row in found if None not in row], np.int64).reshape(-1, 4)


def answers(lookup: Lookup, asked: Int[np.ndarray, "questions 3"], by: By = "addition") -> NDArray[np.int64]:
    """The place of the answer to each question of three places, a b c, `[Q]`: none that is spelled like one of them.

    Where there are no others it is −1.

    Memory beside the vectors: the cosines of the different words asked for with 1,024 others.
    """
    directions = lookup.directions()
    used, numbers = np.unique(asked, return_inverse=True)
    numbers = numbers.reshape(asked.shape)
    same = _spelled_alike(lookup, used)
    chunks = [slice(start, start + TOGETHER) for start in range(0, len(asked), TOGETHER)]
    left_out = [_left_out(numbers[chunk], same) for chunk in chunks]
    best = np.full(len(asked), -np.inf, np.float32)
    found = np.full(len(asked), -1)
    scores, term = (np.empty((TOGETHER, COLUMNS), np.float32) for _ in range(2))
    for start in range(0, len(directions), COLUMNS):
        stop = min(start + COLUMNS, len(directions))
        gained, paid = _terms(directions[used] @ directions[start:stop].T, by)
        for chunk, (places, rows) in zip(chunks, left_out, strict=True):
            a, b, c = numbers[chunk].T
            some, one = scores[: len(a), : stop - start], term[: len(a), : stop - start]
            np.take(gained, b, axis=0, out=some, mode="clip")
            np.add(some, np.take(gained, c, axis=0, out=one, mode="clip"), out=some)
            np.subtract(some, np.take(paid, a, axis=0, out=one, mode="clip"), out=some)
            here = slice(*np.searchsorted(places, (start, stop)))
            some[rows[here], places[here] - start] = -np.inf
            places_here = some.argmax(1)
            highest = some[np.arange(len(a)), places_here]
            better = highest > best[chunk]
            best[chunk][better], found[chunk][better] = highest[better], places_here[better] + start
    return found


def _terms(
    cosines: Float[np.ndarray, "used words"], by: By
) -> tuple[Float[np.ndarray, "used words"], Float[np.ndarray, "used words"]]:
    """What b and c add to the score of a word, and what a takes from it: cosines, or logarithms of them in 0 … 1."""
    if by == "addition":
        return cosines, cosines
    moved = np.clip((1 + cosines) / 2, 0, 1)
    return np.log(np.maximum(moved, np.finfo(np.float32).tiny)), np.log(moved + EPSILON)


def _spelled_alike(lookup: Lookup, used: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Of each of the words `used`, the places of all that are spelled like it, itself among them."""
    order = np.argsort(lookup.alike, kind="stable")
    grouped = lookup.alike[order]
    first = np.searchsorted(grouped, lookup.alike[used], "left")
    last = np.searchsorted(grouped, lookup.alike[used], "right")
    return [order[start:stop] for start, stop in zip(first, last, strict=True)]


def _left_out(numbers: NDArray[np.int64], same: list[NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The places that are no answers to some questions, in order, and the row of the question of each."""
    pairs = [
        (place, row) for row, three in enumerate(numbers.tolist()) for one in three for place in same[one].tolist()
    ]
    places, rows = np.array(sorted(pairs), np.int64).reshape(-1, 2).T
    return places, rows
