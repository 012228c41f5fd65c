"""Which task the run has that a command was given: `eval` and `predict` take other options for each."""

from pathlib import Path


def is_problem(words: list[str]) -> bool:
    """Whether a word names a run folder of one of the problems; what is wrong with it is said when it is opened."""
    from peephole.cli.train import PROBLEMS
    from peephole.errors import InputError
    from peephole.runs.folder import Run

    for word in words:
        if not word.startswith("-") and (Path(word) / "config.json").is_file():
            try:
                return Run.open(Path(word)).read_config()["task"] in PROBLEMS
            except InputError:
                return False
    return False
