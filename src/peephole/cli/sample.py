"""`peephole sample RUN`."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from peephole.cli.by_task import task_of
from peephole.cli.parsing import emit, parse, unescape
from peephole.errors import InputError
from peephole.generate.config import Sampling

DESCRIPTION = "Let a trained run write, character by character, until --length, --stop or the end of a document."


@dataclass(frozen=True)
class Sample:
    """Options of `peephole sample`."""

    # Run folder.
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]

    # Text to go on from. Default: none, the beginning of a document.
    prime: str = ""

    # Characters to write.
    length: int = 500

    # End before this string; \n in it is a line break.
    stop: str | None = None

    # Texts to write side by side, each with a seed of its own.
    count: int = 1

    # How weights are stored while it writes: float32; bfloat16, twice as fast; int8, four times, and least exact.
    weights: Literal["float32", "bfloat16", "int8"] = "float32"

    # In place of drawing, search for the likeliest text with so many continuations side by side.
    beams: int | None = None

    how: Sampling = field(default_factory=Sampling)


def run(words: list[str]) -> int:
    """Print the text as it is written; several texts one after another."""
    if task_of(words) == "music":
        from peephole.cli.sample_music import run as of_music

        return of_music(words)
    options = parse(Sample, "sample", words, DESCRIPTION)
    if options.beams is not None:
        return _search(options)
    from peephole.tasks import load_text

    pieces = load_text(options.run).write(
        options.prime, options.length, options.how, options.count, unescape(options.stop), options.weights
    )
    if options.count == 1:
        emit(options.prime)
        for _, text in pieces:
            emit(text)
        emit("\n")
        return 0
    texts = [options.prime] * options.count
    for index, text in pieces:
        texts[index] += text
    for index, text in enumerate(texts):
        emit(f"--- {index + 1} of {options.count}\n{text}\n")
    return 0


def _search(options: Sample) -> int:
    """Print the likeliest text; of several the log-probability too, the best first."""
    beams, count = options.beams or 0, options.count
    if beams < 1 or not 1 <= count <= beams:
        raise InputError(
            f"--beams is {beams} and --count is {count}; expected at least 1 of each, no more texts than beams"
        )
    if options.stop is not None or options.how != Sampling():
        raise InputError(
            "--beams searches and draws nothing: leave --stop, --temperature, --top-k, --top-p, --seed away"
        )
    from peephole.tasks import load_text

    found = load_text(options.run).likeliest(options.prime, options.length, beams, options.weights)[:count]
    if count == 1:
        emit(f"{options.prime}{found[0][0]}\n")
        return 0
    for index, (text, log_probability) in enumerate(found):
        emit(f"--- {index + 1} of {len(found)}, {-log_probability / math.log(2):.1f} bits\n{options.prime}{text}\n")
    return 0
