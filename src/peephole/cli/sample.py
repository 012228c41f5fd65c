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

DESCRIPTION = (
    "Let a trained run write, character by character or word by word, until --length, --stop or the end of a document. "
    "Over words and pieces a text ends where its sentence does."
)


@dataclass(frozen=True)
class Sample:
    """Options of `peephole sample`."""

    # Run folder.
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]

    # Text to go on from; a run over words cuts it as its text was cut. Default: none, the beginning of a document.
    prime: str = ""

    # Characters to write, or words, or pieces, of a run over these; marks are words too, and the text goes on to the
    # end of its sentence. Default: 500 characters, 100 words, 150 pieces.
    length: int | None = None

    # In place of --length: sentences to write.
    sentences: int | None = None

    # End after exactly --length words or pieces, within a sentence or not.
    cut: bool = False

    # Let words of the prime that training never saw be <unk>. Of itself a run never writes it.
    unknown: bool = False

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

    model = load_text(options.run)
    stop, about = unescape(options.stop), (options.weights, options.sentences, options.cut, options.unknown)
    pieces = model.write(options.prime, options.length, options.how, options.count, stop, *about)
    prime = _shown(options.prime, model.unit)
    if options.count == 1:
        emit(prime)
        for _, text in pieces:
            emit(text)
        emit("\n")
        return 0
    texts = [prime] * options.count
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
    if options.stop is not None or options.cut or options.how != Sampling():
        raise InputError(
            "--beams searches and draws nothing: leave --stop, --cut, --temperature, --top-k, --top-p, --seed away"
        )
    if options.sentences not in (None, 1):
        raise InputError(f"--beams with --sentences {options.sentences}; expected 1, the likeliest sentence")
    from peephole.tasks import load_text
    from peephole.tasks.text.ending import SENTENCE, Ending

    model, sentence = load_text(options.run), options.sentences is not None
    ending = Ending(options.length, options.sentences)
    length = SENTENCE[model.unit] if sentence else ending.wanted(model.unit)
    found = model.likeliest(options.prime, length, beams, options.weights, sentence, options.unknown)[:count]
    prime = _shown(options.prime, model.unit)
    if count == 1:
        emit(f"{prime}{found[0][0]}\n")
        return 0
    for index, (text, log_probability) in enumerate(found):
        emit(f"--- {index + 1} of {len(found)}, {-log_probability / math.log(2):.1f} bits\n{prime}{text}\n")
    return 0


def _shown(prime: str, unit: str) -> str:
    """A prime as it stands before what is written: words come with the space before them."""
    return prime if unit == "characters" else prime.rstrip(" ")
