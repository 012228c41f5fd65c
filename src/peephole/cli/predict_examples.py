"""`peephole predict RUN FILES…` of a task on a data set: items in, answers with confidences out."""

import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from peephole.cli.decoding import decode_as_asked, with_decoding
from peephole.cli.parsing import emit, parse
from peephole.errors import InputError

if TYPE_CHECKING:
    from peephole.tasks.examples.answer import Answer
    from peephole.tasks.examples.model import ExamplesModel

DESCRIPTION = (
    "Answers to the items of FILES, which have the format of the training data without what is to be found; or, with "
    "-, to what comes line by line, at once where the net reads in one direction."
)


@dataclass(frozen=True)
class PredictExamples:
    """Options of `peephole predict RUN` of a task on a data set."""

    # Run folder.
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]

    # Files of items; - reads lines from standard input.
    files: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[FILES ...]")] = (Path("-"),)

    # Print a JSON object for each answer, with confidences or quantiles.
    json: bool = False


def run(words: list[str]) -> int:
    """Print each answer as soon as it is known."""
    options = parse(with_decoding(PredictExamples, words), "predict", words, DESCRIPTION)
    from peephole.tasks import load
    from peephole.tasks.examples.model import ExamplesModel

    standard = [str(path) for path in options.files] == ["-"]
    if not standard and any(str(path) == "-" for path in options.files):
        raise InputError("FILES has - among others; expected files, or - alone for standard input")
    missing = next((path for path in options.files if not standard and not path.exists()), None)
    if missing is not None:
        raise InputError(f"{missing}: no such file; expected items to answer, or - for standard input")
    model = load(options.run)
    assert isinstance(model, ExamplesModel)
    decode_as_asked(model, options)
    answered = 0
    for answer in _standard(model) if standard else model.predict(options.files):
        emit((json.dumps(answer.as_dict(), ensure_ascii=False) if options.json else answer.text) + "\n")
        answered += 1
        for note in () if options.json else getattr(answer, "notes", ()):
            print(f"peephole: answer {answered}: {note}", file=sys.stderr, flush=True)
    if not answered:
        raise InputError(f"{'standard input' if standard else options.files[0]}: nothing to answer, it has no items")
    return 0


def _standard(model: "ExamplesModel") -> "Iterator[Answer]":
    """Answers to what stands in standard input."""
    if model.listens:
        return model.hear(sys.stdin.buffer, "standard input")
    return model.follow(_lines(), "standard input")


def _lines() -> Iterator[str]:
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8-sig", errors="strict")  # whatever the terminal speaks
    try:
        yield from iter(sys.stdin.readline, "")
    except UnicodeDecodeError as error:
        raise InputError(f"standard input: not UTF-8 ({error.reason}); save it as UTF-8") from None
