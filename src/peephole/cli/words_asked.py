"""What was asked of some vectors of words, measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from peephole.embed.measuring.analogies import answer
from peephole.embed.measuring.analogies_found import Analogies
from peephole.embed.measuring.beside import Beside, measure_beside
from peephole.embed.measuring.capitals import lay_out, pairs_of
from peephole.embed.measuring.capitals_found import Capitals
from peephole.embed.measuring.country_capitals import PAIRS
from peephole.embed.measuring.expressions import Expression, nearest
from peephole.embed.measuring.geometry import measure as measure_geometry
from peephole.embed.measuring.geometry_found import Geometry
from peephole.embed.measuring.lookup import Lookup
from peephole.embed.measuring.questions import Section, read_questions
from peephole.embed.measuring.similarity import Pair, judge, read_pairs
from peephole.embed.measuring.similarity_found import Similarity
from peephole.embed.vectors import Neighbour, Vectors
from peephole.errors import InputError
from peephole.tasks.vectors import vectors_from

if TYPE_CHECKING:
    from peephole.cli.words import Words

Nearest = tuple[tuple[str, tuple[Neighbour, ...]], ...]


@dataclass(frozen=True)
class Asked:
    """What was found; None, or nothing, for what nobody asked for. What is of both vectors, with `--beside`, has two
    parts, the second those of the others.
    """

    unit: str
    geometry: Geometry | None
    nearest: tuple[Nearest, ...]
    questions: int
    analogies: tuple[Analogies, ...]
    pairs: int
    similarity: tuple[Similarity, ...]
    capitals: Capitals | None
    beside: Beside | None


def measure(options: "Words") -> Asked:
    """Read the files and measure what was asked for; how the vectors lie where nothing was, or with --out."""
    expressions = Expression.read(options.words)
    sections = () if options.analogies is None else read_questions(options.analogies)
    sets = _read_sets(options.similarity)
    scored = bool(sections or sets or options.picture is not None)
    geometry = options.out is not None or not (scored or expressions or options.beside is not None)
    limit = options.restrict if scored and not (geometry or expressions or options.beside is not None) else None
    paths = [options.vectors, *([] if options.beside is None else [options.beside])]
    read = [vectors_from(path, limit) for path in paths]
    first, *others = [vectors for vectors, _ in read]
    near = tuple((str(one), nearest(first, one, options.count)) for one in expressions)
    lookups = [Lookup.of(vectors, options.restrict, options.match_case) for vectors, _ in read] if scored else []
    asked, judged = (sections, sets) if not others else _known_to_both(lookups, sections, sets)
    return Asked(
        unit=read[0][1],
        geometry=measure_geometry(first) if geometry else None,
        nearest=(near, *(_nearest_if_there(other, expressions, options.count) for other in others)),
        questions=sum(len(section.questions) for section in sections),
        analogies=tuple(answer(lookup, asked, options.by) for lookup in lookups) if sections else (),
        pairs=sum(map(len, sets.values())),
        similarity=tuple(judge(lookup, judged) for lookup in lookups) if sets else (),
        capitals=lay_out(lookups[0], pairs_of(sections) or PAIRS, drawn=options.pairs) if options.picture else None,
        beside=measure_beside(first, others[0]) if others else None,
    )


def _read_sets(paths: Sequence[Path]) -> dict[str, tuple[Pair, ...]]:
    """Similarity sets by the names of their files, or by the whole paths where two are called alike."""
    names = [path.stem for path in paths]
    return {
        str(path) if names.count(name) > 1 else name: read_pairs(path) for path, name in zip(paths, names, strict=True)
    }


def _nearest_if_there(vectors: Vectors, expressions: Sequence[Expression], count: int) -> Nearest:
    """As `nearest`, with nothing for words that these vectors lack."""
    return tuple(
        (str(one), nearest(vectors, one, count) if all(word in vectors.places for _, word in one.terms) else ())
        for one in expressions
    )


def _known_to_both(
    lookups: Sequence[Lookup], sections: Sequence[Section], sets: dict[str, tuple[Pair, ...]]
) -> tuple[tuple[Section, ...], dict[str, tuple[Pair, ...]]]:
    """The questions and pairs whose words all of the vectors have: what they can be compared on.

    Raises:
        InputError: there are questions, or pairs, and none of them is left.
    """

    def known(*words: str) -> bool:
        return all(lookup.find(word) is not None for lookup in lookups for word in words)

    asked = tuple(Section(one.name, tuple(each for each in one.questions if known(*each))) for one in sections)
    judged = {name: tuple(each for each in pairs if known(each.first, each.second)) for name, pairs in sets.items()}
    for name, given, left in (("questions", sections, any(one.questions for one in asked)),
                              ("pairs", sets, any(judged.values()))):  # fmt: skip
        if given and not left:
            raise InputError(f"none of the {name} has all its words in both vectors; expected some that both know")
    return asked, judged
