"""Which task the run has that a command was given: `eval`, `predict` and `sample` take other options for each."""

from pathlib import Path

# The names of `tasks.presets` and of `tasks.DATA_TASKS`, which load torch; a test holds them together.
PROBLEMS = ("parity", "addition", "adding", "temporal-order", "copying", "brackets", "recall")
DATA_TASKS = (
    "tagging", "classification", "forecasting", "music", "speech", "translation", "captioning",
)  # fmt: skip


def task_of(words: list[str]) -> str | None:
    """The task of the first run folder among the words; what is wrong with it is said when it is opened."""
    from peephole.errors import InputError
    from peephole.runs.folder import Run

    for word in words:
        if not word.startswith("-") and (Path(word) / "config.json").is_file():
            try:
                return Run.open(Path(word)).read_config()["task"]
            except InputError:
                return None
    return None
