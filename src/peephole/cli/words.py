"""`peephole words VECTORS|RUN [WORDS …]`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from peephole.cli.compare_out import check_figure, write_figure
from peephole.cli.parsing import emit, parse
from peephole.errors import InputError
from peephole.figures import draw

DESCRIPTION = (
    "What vectors of words know: those of a file in word2vec's format, or those that the net of a run has learnt in "
    "the place of one-hot vectors (text, TDNN, skip-gram, CBOW, tagging, translation). By themselves, how they lie "
    "beside one-hot vectors: dimensions, density, distances, and what the frequency of a word does to them. With "
    "WORDS, the words whose vectors point most nearly the same way; `king - man + woman` adds and takes away."
)


@dataclass(frozen=True)
class Words:
    """Options of `peephole words`."""

    # File of vectors, as text or binary, packed by gzip or not; or a run folder.
    vectors: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="VECTORS|RUN")]

    # Words of the vocabulary (of a run over characters, characters) whose nearest ones are listed, by cosine. A + or -
    # between two of them, with spaces around it, joins them: king - man + woman.
    words: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[WORDS ...]")] = ()

    # How many of them.
    count: int = 10

    # File of analogy questions, as questions-words.txt of word2vec: `: section` lines, and lines of four words, a b c d
    # for a is to b as c is to d. An answer is right if d is the word nearest to b - a + c, the three left out.
    analogies: Path | None = None

    # How analogies are answered: by addition (3CosAdd, Mikolov et al. 2013), or by multiplication (3CosMul, Levy &
    # Goldberg 2014), in which no word outweighs the others.
    by: Literal["addition", "multiplication"] = "addition"

    # Files of pairs of words with people's scores of how similar they are, as WordSim-353 and SimLex-999: two words and
    # a number a line. Said is Spearman's correlation with the cosines.
    similarity: tuple[Path, ...] = ()

    # File for the picture of countries and capitals in their principal plane: its ending, .svg, .png or .pdf, says in
    # which format. The pairs are those of the questions of --analogies if these ask for capitals, else a list of ours.
    picture: Path | None = None

    # Pairs in the picture, the most frequent ones; all of them are measured.
    pairs: int = 15

    # Other vectors, a file or a run, to compare with: which neighbours both name, and the analogies and similarity sets
    # on what both know. They may have other words and another size.
    beside: Path | None = None

    # Analogies, similarity sets and picture know the most frequent so many words. gensim's evaluation has the same
    # default.
    restrict: int = 300_000

    # Words that differ in capitals alone are different words. Unless it is given, the most frequent of them stands for
    # all, in analogies, similarity sets and picture.
    match_case: bool = False

    # File for the figure of distances beside those of one-hot vectors: its ending says in which format.
    out: Path | None = None

    # Print one JSON object.
    json: bool = False


def run(words: list[str]) -> int:
    """Measure, list, draw, print."""
    options = parse(Words, "words", words, DESCRIPTION)
    for name, least in (("count", 1), ("restrict", 1), ("pairs", 2)):
        if getattr(options, name) < least:
            raise InputError(f"--{name} is {getattr(options, name)}; expected at least {least}")
    if not options.similarity and "--similarity" in words:
        raise InputError("--similarity names no file; expected one or more after it, as EN-WS-353-ALL.txt")
    check_figure(options.out)
    check_figure(options.picture, "picture")
    from peephole.cli.words_asked import measure
    from peephole.cli.words_out import as_json, show

    found = measure(options)
    if options.out is not None and found.geometry is not None:
        write_figure(options.out, draw(found.geometry.plot))
    if options.picture is not None and found.capitals is not None:
        write_figure(options.picture, draw(found.capitals.plot, 7.5, 6.5), "picture")
    if options.json:
        emit(json.dumps(as_json(found, options)) + "\n")
    else:
        show(found, options)
    return 0
