"""`peephole eval RUN [FILES…]`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from peephole.cli.by_task import DATA_TASKS, PROBLEMS, task_of
from peephole.cli.parsing import emit, parse

DESCRIPTION = (
    "Measure a run: bits per character and perplexity on its held-out text, or on FILES, beside a unigram, a bigram, a "
    "5-gram and xz that learned from the same training text. A run of another task has options of its own: "
    "peephole eval RUN --help."
)


@dataclass(frozen=True)
class Eval:
    """Options of `peephole eval`."""

    # Run folder.
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]

    # Text to measure on, each file a document. Default: what the run held out.
    files: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[FILES ...]")] = ()

    # How the bytes of the files spell characters.
    encoding: str = "utf-8"

    # Measure on so many characters only, from the beginning.
    limit: int | None = None

    # How weights are stored: float32, bfloat16 or int8. What the last two lose against float32 is measured too.
    weights: Literal["float32", "bfloat16", "int8"] = "float32"

    # Measure n-grams and xz too.
    baselines: bool = True

    # Print one JSON object.
    json: bool = False


def run(words: list[str]) -> int:
    """Print the measurement as a table, or as JSON."""
    task = task_of(words)
    if task in PROBLEMS:
        from peephole.cli.evaluate_problem import run as of_problem

        return of_problem(words)
    if task in DATA_TASKS:
        from peephole.cli.evaluate_examples import run as of_examples

        return of_examples(words)
    options = parse(Eval, "eval", words, DESCRIPTION)
    from peephole.errors import InputError
    from peephole.tasks import load_text
    from peephole.tasks.text.evaluation import evaluate

    if options.limit is not None and options.limit < 1:
        raise InputError(f"--limit is {options.limit}; expected at least 1 character")
    measured = evaluate(
        load_text(options.run), options.files, options.limit, options.baselines, options.encoding, options.weights
    )
    if options.json:
        emit(json.dumps(measured.as_json(), ensure_ascii=False) + "\n")
        return 0
    emit(f"{measured.text}: {measured.characters:,} characters")
    emit(f", {measured.unknown_characters:,} of them never seen in training\n" if measured.unknown_characters else "\n")
    stored = f"this model, {measured.weights} weights"
    rows = {
        "this model" if measured.lost is None else stored: measured.bits_per_character,
        **(measured.baselines or {}),
    }
    width = max(map(len, rows))
    emit(f"  {'':{width}}  bits a character\n")
    for name, bits in sorted(rows.items(), key=lambda row: row[1]):
        emit(f"  {name:{width}}  {bits:16.4f}\n")
    emit(f"this model: {measured.nats_per_character:.4f} nats a character, perplexity {measured.perplexity:.3f}\n")
    if measured.lost is not None:
        emit(f"{measured.weights} weights lose {measured.lost:.4f} bits a character against float32\n")
    if measured.baselines is not None:
        emit(f"n-grams and xz learned from the last {measured.trained_on:,} tokens of the training text\n")
    return 0
