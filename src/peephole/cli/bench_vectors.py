"""`peephole bench vectors`."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from peephole.bench.word_vector_cases import KINDS, check_kinds
from peephole.cli.bench_options import check_measuring, hand_over
from peephole.cli.parsing import parse
from peephole.embed.learning.config import cores
from peephole.errors import InputError

DESCRIPTION = (
    "Measure how fast word vectors are learnt, skip-gram and CBOW with negative sampling, beside gensim, with the same "
    "settings and text, with one thread and with more; from the text to vectors, and of training alone. In turn in one "
    "process, after everybody learnt a text whose topics have to be found. How good vectors are, and that of a real "
    "text: benchmarks/word_vectors.py."
)


@dataclass(frozen=True)
class BenchVectors:
    """Options of `peephole bench vectors`."""

    # The text, UTF-8. Without one a text is made up: words by Zipf's law, lines about one of several topics.
    file: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="[FILE]")] = None

    # Which of skipgram and cbow.
    kinds: tuple[str, ...] = tuple(KINDS)

    # Threads of everybody, measured beside one thread. Default: two, where there are as many cores.
    threads: int | None = None

    # Words of the made-up text.
    words: int = 1_000_000

    # Numbers of a vector.
    size: int = 100

    # About how long all of it may take, memory aside. A kind is timed for three rounds at least, whatever that takes.
    minutes: float = 1.5

    # Rounds of each kind, in place of --minutes.
    rounds: int | None = None

    # Measure too what a vocabulary of a million words takes of memory, beside its two tables.
    memory: bool = False

    # JSON file to write: every time of every round, ratios, and the machine's stamp.
    out: Path | None = None

    # File to write, .png, .svg or .pdf, with words a second as a figure.
    plot: Path | None = None

    # Print that JSON in place of the table.
    json: bool = False


def run(words: list[str]) -> int:
    """Measure, write, print; exit code 1 where results were wrong."""
    options = parse(BenchVectors, "bench vectors", words, DESCRIPTION)
    _check(options)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # gensim's products of single vectors; before numpy is loaded
    from dataclasses import replace

    from peephole.bench.word_vector_cases import Settings
    from peephole.bench.word_vector_memory import MANY_WORDS
    from peephole.bench.word_vector_plot import picture
    from peephole.bench.word_vector_table import text_of
    from peephole.bench.word_vectors import TIMED, measure_word_vectors
    from peephole.figures import check_installed

    if options.plot is not None:
        check_installed()
    found = measure_word_vectors(
        options.file,
        kinds=options.kinds,
        threads=options.threads or min(2, cores()),
        made_up=replace(TIMED, words=options.words),
        minutes=options.minutes,
        rounds=options.rounds,
        memory_of=MANY_WORDS if options.memory else 0,
        settings=Settings(size=options.size),
        shown=_show,
    )
    hand_over(options, found.as_json(), lambda: text_of(found), lambda suffix: picture(found, suffix))
    return 1 if found.red else 0


def _check(options: BenchVectors) -> None:
    """Raise `InputError` for what would fail after minutes of measuring, and before anything heavy is loaded."""
    check_kinds(options.kinds)
    check_measuring(options)
    if options.words < 1000:
        raise InputError(f"--words is {options.words}; expected at least 1000")
    if options.size < 1:
        raise InputError(f"--size is {options.size}; expected at least 1")
    if options.file is not None and not options.file.is_file():
        raise InputError(f"{options.file}: no such file; expected a text, words parted by spaces")


def _show(line: str) -> None:
    """A line a round as it is measured, beside the table that comes at the end."""
    print(line, file=sys.stderr, flush=True)
