"""`peephole train [TASK] …`: dispatch by the task that the first word names, or that the run of --resume has."""

from pathlib import Path

from peephole.cli.by_task import DATA_TASKS, PROBLEMS
from peephole.cli.parsing import option_among
from peephole.errors import InputError


def run(words: list[str]) -> int:
    """Hand the words to the command of the task."""
    named = words[0] if words and words[0] in ("text", *DATA_TASKS, *PROBLEMS) else None
    rest = words[1:] if named else words
    task = named or "text"
    resumed = _resumed(rest)
    if resumed is not None:
        from peephole.runs.folder import Run

        task = Run.open(resumed).read_config()["task"]
        if named not in (None, task):
            raise InputError(f"{resumed}: a run of {task}; leave {named!r} away, or begin a new run")
    if task in PROBLEMS:
        from peephole.cli.train_problem import run as train_problem

        return train_problem(task, rest)
    if task in DATA_TASKS:
        from peephole.cli.train_examples import run as train_examples

        return train_examples(task, rest)
    from peephole.cli.train_text import run as train_text

    return train_text(rest, (*DATA_TASKS, *PROBLEMS))


def _resumed(words: list[str]) -> Path | None:
    """The run that --resume names, where there is one; what is wrong with it is said when the words are parsed."""
    named = option_among(words, "resume")
    return Path(named) if named is not None and (Path(named) / "config.json").is_file() else None
