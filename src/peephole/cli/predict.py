"""`peephole predict RUN FILE`."""

import codecs
import io
import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import tyro

from peephole.cli.by_task import DATA_TASKS, PROBLEMS, task_of
from peephole.cli.parsing import emit, parse
from peephole.errors import InputError

if TYPE_CHECKING:
    from peephole.tasks.text.answering import Prediction

DESCRIPTION = (
    "Read a text as it comes, one document without end, and answer at once: of each character how many bits it took to "
    "say, given those before it, and what may follow. A run over words or pieces does so word by word, of each once "
    "its end has come. Memory does not grow with the text."
)
BLOCK = 1 << 16  # bytes; of a pipe what there is


@dataclass(frozen=True)
class Predict:
    """Options of `peephole predict`."""

    # Run folder.
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]

    # Text file; - reads standard input, and answers before it ends.
    file: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")] = Path("-")

    # How many of the likeliest next characters or words to name.
    top: int = 3

    # table: a line a character or word, fields separated by tabs. json: an object a line, with probabilities.
    format: Literal["table", "json"] = "table"

    # How weights are stored: float32, bfloat16 or int8.
    weights: Literal["float32", "bfloat16", "int8"] = "float32"

    # How the bytes of the text spell characters.
    encoding: str = "utf-8"


def run(words: list[str]) -> int:
    """Print a line for each character or word as soon as it is known."""
    task = task_of(words)
    if task in PROBLEMS:
        from peephole.cli.predict_problem import run as of_problem

        return of_problem(words)
    if task in DATA_TASKS:
        from peephole.cli.predict_examples import run as of_examples

        return of_examples(words)
    options = parse(Predict, "predict", words, DESCRIPTION)
    if options.top < 1:
        raise InputError(f"--top is {options.top}; expected at least 1")
    from peephole.data.files import check_encoding, find_files, read_text
    from peephole.tasks import load_text

    if str(options.file) == "-":
        check_encoding(options.encoding)
        texts = _standard_input(options.encoding)
    elif options.file.is_dir():
        raise InputError(f"{options.file}: a folder; expected one text file, or - for standard input")
    else:
        (path,) = find_files([options.file], encoding=options.encoding)[:1]
        texts = read_text(path, options.encoding)
    model = load_text(options.run)
    symbols, one = model.tokenizer.symbols, model.unit[:-1]
    write = _table_line if options.format == "table" else _json_line
    position = 0
    for found in model.predict(texts, options.weights):
        if options.format == "table" and position == 0 and found:
            emit(f"position\t{one}\tbits\tnext\n")
        emit("".join(write(position + place, each, one, symbols, options.top) for place, each in enumerate(found)))
        position += len(found)
    if not position:
        raise InputError("nothing to predict: the text is empty")
    return 0


def _standard_input(encoding: str) -> Iterator[str]:
    """What has come so far, again and again, until it ends; never part of a character."""
    decoder = codecs.getincrementaldecoder(encoding)()
    place = 0
    while True:
        block = _read_some()
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            at = place + error.start
            raise InputError(f"standard input: not {encoding} near byte {at:,}; pass --encoding") from None
        place += len(block)
        if text:
            yield text
        if not block:
            return


def _read_some() -> bytes:
    """Bytes that are there; waits for the first; empty at the end."""
    return cast(io.BufferedReader, sys.stdin.buffer).read1(BLOCK)


def _likeliest(found: "Prediction", symbols: list[str], top: int) -> list[tuple[str, float]]:
    values, places = found.following.topk(min(top, len(symbols)))
    return [(symbols[place], math.exp(value)) for value, place in zip(values.tolist(), places.tolist(), strict=True)]


def _table_line(position: int, found: "Prediction", one: str, symbols: list[str], top: int) -> str:
    from peephole.tasks.text.writing import names_of

    likeliest = _likeliest(found, symbols, top)
    names = names_of([found.symbol, *(symbol for symbol, _ in likeliest)])
    marked = "" if found.known or one == "character" else " <unk>"
    following = " ".join(f"{name} {share:.2f}" for name, (_, share) in zip(names[1:], likeliest, strict=True))
    return f"{position}\t{names[0]}{marked}\t{found.surprisal / math.log(2):.2f}\t{following}\n"


def _json_line(position: int, found: "Prediction", one: str, symbols: list[str], top: int) -> str:
    row = {"position": position, one: found.symbol, "bits": round(found.surprisal / math.log(2), 6)}
    likeliest = [[symbol, round(share, 6)] for symbol, share in _likeliest(found, symbols, top)]
    known = {} if one == "character" else {"known": found.known}
    return json.dumps({**row, **known, "next": likeliest}, ensure_ascii=False) + "\n"
