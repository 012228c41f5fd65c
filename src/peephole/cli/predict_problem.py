"""`peephole predict RUN FILE` of one of the problems: a line in, a line out."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from peephole.cli.parsing import emit, parse
from peephole.errors import InputError

DESCRIPTION = (
    "Let a net answer: a line of FILE is a question (10110, 1011+110, a sentence …), a line of output its answer."
)


@dataclass(frozen=True)
class PredictProblem:
    """Options of `peephole predict RUN` of a problem."""

    # Run folder.
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]

    # File of questions; - reads standard input, and answers each line before the next comes.
    file: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")] = Path("-")


def run(words: list[str]) -> int:
    """Answer line by line."""
    options = parse(PredictProblem, "predict", words, DESCRIPTION)
    from peephole.tasks import load
    from peephole.tasks.problem import ProblemModel

    model = load(options.run)
    assert isinstance(model, ProblemModel)
    name = "standard input" if str(options.file) == "-" else str(options.file)
    answered = 0
    for number, line in enumerate(_lines(options.file), 1):
        if line.strip():
            try:
                emit(f"{model.answer(line.strip())}\n")
            except InputError as error:
                raise InputError(f"{name}, line {number}: {error}") from None
            answered += 1
    if not answered:
        raise InputError(f"{name}: nothing to answer, it has no line")
    return 0


def _lines(file: Path) -> Iterator[str]:
    """The lines of a file, or of standard input as they come. `InputError` where it cannot be read as UTF-8."""
    try:
        if str(file) == "-":
            yield from iter(sys.stdin.readline, "")
        else:
            with file.open(encoding="utf-8") as lines:
                yield from lines
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: not UTF-8 ({error.reason}); save it as UTF-8") from None
    except OSError as error:
        raise InputError(f"{file}: {(error.strerror or 'cannot be read').lower()}; expected a file of lines") from None
