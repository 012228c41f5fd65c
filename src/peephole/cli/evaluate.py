"""`peephole eval RUN [FILES…]`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from peephole.cli.by_task import DATA_TASKS, PROBLEMS, task_of
from peephole.cli.measurement_out import lines_of
from peephole.cli.parsing import emit, parse
from peephole.cli.stability_out import check_folder, emit_json, write_figure

DESCRIPTION = (
    "Measure a run: perplexity and bits per character on its test text, or where it has none on what it held out, or "
    "on FILES; beside a unigram, a bigram, a 5-gram and xz that learned from the same training text, and where the "
    "5-gram is still the better of the two. A run of another task has options of its own: peephole eval RUN --help."
)


@dataclass(frozen=True)
class Eval:
    """Options of `peephole eval`."""

    # Run folder.
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]

    # Text to measure on, each file a document. Default: a part of the run's text.
    files: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[FILES ...]")] = ()

    # Which part of the run's text to measure on. auto: test where there is one, else held-out, on which the best
    # weights were chosen.
    part: Literal["auto", "test", "held-out"] = "auto"

    # How the bytes of the files spell characters.
    encoding: str = "utf-8"

    # Measure on so many tokens only, from the beginning.
    limit: int | None = None

    # How weights are stored: float32, bfloat16 or int8. What the last two lose against float32 is measured too.
    weights: Literal["float32", "bfloat16", "int8"] = "float32"

    # Measure n-grams too, and of characters and pieces xz.
    baselines: bool = True

    # Measure with a continuous cache too (Grave et al. 2017): so many of the last tokens are likelier to come again
    # where the net is in a state like the one they came in. 2000 is usual for words; it takes as long again.
    cache: int | None = None

    # How much likelier, by how alike the states are (theta of the paper). Default: the best of a grid on held-out text.
    cache_sharpness: float | None = None

    # Share of the probability that the cache has (lambda of the paper). Default: likewise.
    cache_share: float | None = None

    # Measure dynamic evaluation too (Krause et al. 2018): a copy of the net that learns from each window once it was
    # scored on it. Takes about as long as an epoch of training, with one row and short windows; --limit shortens it.
    dynamic: bool = False

    # Size of its steps, in units of a weight's usual gradient. Default: the best of a grid on held-out text.
    dynamic_rate: float | None = None

    # Share of the way back to the trained weights that each window takes. Default: likewise.
    dynamic_decay: float | None = None

    # Tokens of a window, after which the net learns. Fewer learn sooner and take longer. Default: 20.
    dynamic_window: int | None = None

    # Print the tables too: what was tried, and net and 5-gram in groups of tokens.
    tables: bool = False

    # Folder for the figures.
    out: Path | None = None

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
    return _measure(options)


def _measure(options: Eval) -> int:
    from peephole.errors import InputError
    from peephole.tasks import load_text
    from peephole.tasks.text.adapting import CacheSettings, DynamicSettings
    from peephole.tasks.text.evaluation import evaluate

    if options.limit is not None and options.limit < 1:
        raise InputError(f"--limit is {options.limit}; expected at least 1 token")
    if options.files and options.part != "auto":
        raise InputError(f"--part {options.part} is of the run's text, and FILES are given; leave one of them away")
    _check_whole(options)
    check_folder(options.out)
    cache = dynamic = None
    if options.cache is not None:
        cache = CacheSettings(options.cache, options.cache_sharpness, options.cache_share)
    if options.dynamic:
        given = {} if options.dynamic_window is None else {"window": options.dynamic_window}
        dynamic = DynamicSettings(options.dynamic_rate, options.dynamic_decay, **given)
    measured = evaluate(
        load_text(options.run),
        options.files,
        options.limit,
        options.baselines,
        options.encoding,
        options.weights,
        None if options.part == "auto" else options.part.replace("-", "_"),
        cache,
        dynamic,
    )
    written = None
    for title, result in measured.pictures if options.out is not None else ():
        from peephole.figures import draw

        assert options.out is not None
        written = write_figure(options.out, title.lower().replace(" ", "-"), draw(result.plot, 7.0, 4.5))
    if options.json:
        emit_json(measured.as_json(), written)
        return 0
    emit(lines_of(measured, options.tables))
    if written is not None:
        emit(f"wrote {len(measured.pictures)} figures into {options.out}\n")
    return 0


def _check_whole(options: Eval) -> None:
    """Settings of what is not asked for are refused."""
    from peephole.errors import InputError

    for name, asked, wanted in (
        ("cache_sharpness", options.cache is not None, "--cache 2000"),
        ("cache_share", options.cache is not None, "--cache 2000"),
        ("dynamic_rate", options.dynamic, "--dynamic"),
        ("dynamic_decay", options.dynamic, "--dynamic"),
        ("dynamic_window", options.dynamic, "--dynamic"),
    ):
        if getattr(options, name) is not None and not asked:
            option = f"--{name.replace('_', '-')}"
            raise InputError(f"{option} sets what is not asked for; expected it with {wanted}, or leave it away")
