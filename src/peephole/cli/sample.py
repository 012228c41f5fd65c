"""`peephole sample RUN`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from peephole.cli.parsing import emit, parse, unescape
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

    how: Sampling = field(default_factory=Sampling)


def run(words: list[str]) -> int:
    """Print the text as it is written; several texts one after another."""
    options = parse(Sample, "sample", words, DESCRIPTION)
    from peephole.tasks import load

    pieces = load(options.run).write(options.prime, options.length, options.how, options.count, unescape(options.stop))
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
