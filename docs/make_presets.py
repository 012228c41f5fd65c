"""Writes `docs/presets.md`: the usual settings of every task, and the presets of language models, with the reasons that
stand beside them in the code.
"""

import dataclasses
import inspect
from pathlib import Path
from typing import Any

from peephole.tasks import DATA_TASKS, data_task
from peephole.tasks.text.presets import PRESETS, TextPreset
from peephole.tasks.text.presets.tcn import ROWS

HEAD = """# The usual settings of the tasks

Every value that a task sets, with its reason; what is not named here is as `peephole train TASK --help` says. A flag of
the same name changes it. This page is written by `python docs/make_presets.py` from the comments beside the values, and
`docs/results.md` has what they reach. Settings were chosen on held-out parts or on folds of training parts.
"""
LANGUAGE = """
# The presets of language models

`peephole train text FILES --preset NAME` begins with these settings; what else is given changes them, and what is not
named here is as `peephole train --help` says. Each value has its source, or says that it is ours.
"""
OTHER_ROWS = """
## The LSTMs of the TCN paper that are no language models

The other rows of table 3 of Bai, Kolter & Koltun 2018 (arXiv 1803.01271, appendix A.2), by the names that their values
have here; `peephole train` takes them as options where it has the task. It does not say how many sequences are trained
together, for how long, or how weights begin.

| task | settings | note |
| --- | --- | --- |
"""
GROUPS = {"data": "What is read, and how it is parted", "model": "The net", "training": "Training"}


def reasons(kind: type) -> dict[str, str]:
    """The comment above each field that a class itself declares."""
    found: dict[str, str] = {}
    comment: list[str] = []
    for line in inspect.getsource(kind).splitlines():
        stripped = line.strip()
        if stripped.startswith("#"):
            comment.append(stripped.removeprefix("#").strip())
            continue
        name = stripped.split(":")[0]
        if comment and name.isidentifier():
            found[name] = " ".join(comment).replace("|", "\\|")
        comment = []
    return found


def rows(settings: Any) -> list[str]:
    """A line for each field that the settings' own class declares."""
    kind = type(settings)
    said = reasons(kind)
    lines: list[str] = []
    for field in dataclasses.fields(kind):
        if field.name in said and field.name != "files":
            lines.append(f"| `{option(field.name)}` | {shown(getattr(settings, field.name))} | {said[field.name]} |")
    return lines


def shown(value: Any) -> str:
    """A value as one types it."""
    if isinstance(value, tuple):
        return " ".join(map(shown, value)) or "none"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def text() -> str:
    """The page."""
    parts = [HEAD]
    for name in DATA_TASKS:
        kind = data_task(name)
        settings = {title: getattr(kind.defaults(), group) for group, title in GROUPS.items()}
        if kind.decoding_settings is not None:
            settings["The search for answers, in `eval` and `predict`"] = kind.decoding_settings()
        parts.append(f"\n## {name}\n")
        for title, group in settings.items():
            lines = rows(group)
            if lines:
                parts.append(
                    f"\n### {title}\n\n| option | value | why |\n| --- | --- | --- |\n" + "\n".join(lines) + "\n"
                )
    parts.append(LANGUAGE)
    parts += [language_model(preset) for preset in PRESETS.values()]
    parts.append(OTHER_ROWS)
    for row in ROWS:
        settings = ", ".join(f"`{option(name)}` {shown(value)}" for name, value in row.settings.items())
        parts.append(f"| {row.task} | {settings} | {row.note} |\n")
    return "".join(parts)


def language_model(preset: TextPreset) -> str:
    """The section of a preset: a row for each value that it names."""
    lines = [
        f"\n## {preset.name}\n",
        f"{preset.source}\n",
        "| option | value | source or reason |",
        "| --- | --- | --- |",
    ]
    lines.append(f"| `--tokens` | {preset.tokens} | What it fits. |")
    for name, value in preset.settings().items():
        said = preset.reasons[name].replace("|", "\\|")
        lines.append(f"| `{option(name)}` | {shown(value)} | {said} |")
    return "\n".join(lines) + "\n"


def option(name: str) -> str:
    """A setting as one types it."""
    return f"--{name.replace('_', '-')}"


if __name__ == "__main__":
    Path(__file__).with_name("presets.md").write_text(text(), encoding="utf-8")
