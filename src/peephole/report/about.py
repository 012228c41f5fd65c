"""What was trained on what."""

import dataclasses
from pathlib import Path
from typing import Any

import torch

from peephole._version import __version__
from peephole.errors import InputError
from peephole.models.language.config import RECURRENT, LanguageConfig
from peephole.models.language.time_delay import TimeDelayModel
from peephole.models.sequence import SequenceModel
from peephole.report.parts import Facts, Missing, Paragraph, Part, Settings
from peephole.tasks.subject import Subject
from peephole.tasks.text.model import TextModel

FILES_NAMED = 5


def about(subject: Subject) -> list[Part]:
    """Facts about net, data and training, the equations of the cell, and every setting."""
    model, last = subject.model, subject.last
    count = sum(parameter.numel() for parameter in model.model.parameters())
    rows = [("task", subject.run.read_config()["task"]), *_data(subject)]
    rows.append(("net", f"{model.kind}, {count:,} parameters"))
    if last:
        rows.append(("trained", f"{last['step']:,} steps, {last.get(model.unit, 0):,} {model.unit}, {_time(subject)}"))
    rows.append(("best held out", _best(subject)))
    written = subject.run.read_config()["peephole"]
    rows.append(("trained with", f"peephole {written}"))
    rows.append(("measured with", f"peephole {__version__}, torch {torch.__version__}"))
    parts: list[Part] = [Facts(tuple(rows))]
    if subject.run.is_training():
        parts.insert(0, Paragraph("This run is in training now; the report shows it as it was when it was written."))
    if not subject.trained:
        said = "No weights were kept: the run ended before its first checkpoint, so that nothing inside can be shown."
        parts.insert(0, Missing(said))
    groups = _groups(model.task)
    if isinstance(model.model, TimeDelayModel):
        groups.insert(0, ("equations of the net", _numbered(model.model.equations)))
    elif isinstance(model.model, SequenceModel):
        groups.insert(0, ("equations of the cell", _numbered(model.model.config.spec.equations)))
    return [*parts, Settings(tuple(groups))]


def headline(subject: Subject) -> str:
    """What came out, in a sentence."""
    best, model = subject.best, subject.model
    if best is None:
        step = subject.last.get("step", 0)
        return f"Nothing was measured on held-out data{f' in {step:,} steps' if step else ''}."
    found = model.show(best)
    return f"{found[0].upper()}{found[1:]}, after {best['step']:,} of {subject.last['step']:,} steps."


def _numbered(equations: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((f"({number})", equation) for number, equation in enumerate(equations, 1))


def _best(subject: Subject) -> str:
    if subject.best is None:
        return "not measured"
    return subject.model.show(subject.best).removeprefix("held out ") + f" (step {subject.best['step']:,})"


def _time(subject: Subject) -> str:
    seconds = subject.last.get("seconds", 0.0)
    shown = f"{seconds / 60:.1f} minutes" if seconds >= 60 else f"{seconds:.1f} seconds"
    counted = subject.last.get(subject.model.unit, 0)
    return shown + (f", {counted / seconds:,.0f} {subject.model.unit} a second over all" if seconds and counted else "")


def _data(subject: Subject) -> list[tuple[str, str]]:
    model = subject.model
    if not isinstance(model, TextModel):
        described = model.describe()  # of which one line is of the net, which is told below
        return [("data", "; ".join(line for line in described if not line.startswith(model.kind)))]
    rows = [("vocabulary", f"{len(model.tokenizer):,} symbols")]
    if model.unit != "characters":
        rows = [("tokens", model.unit), *rows]
    try:
        corpus = model.corpus
    except InputError as error:
        return [("text", f"no longer there ({error})"), *rows]
    files = corpus.description["files"]
    sizes = f"{corpus.train.characters:,} characters to train on, {corpus.held_out.characters:,} held out by "
    if model.unit != "characters":
        parts = {"to train on": corpus.train, "held out": corpus.held_out, "to test with": corpus.test}
        counted = ", ".join(f"{len(part.tokens):,} {name}" for name, part in parts.items() if part is not None)
        unknown = corpus.description.get("unknown", {})
        shares = ", ".join(f"{share:.2%} of {name.replace('_', '-')}" for name, share in unknown.items() if share)
        rows = [("tokens", f"{model.unit}: {counted}"), *rows[1:]]
        rows += [("unknown", f"{shares} are <unk>")] if shares else []
    names = ", ".join(Path(str(_name(file))).name for file in files[:FILES_NAMED])
    more = f" and {len(files) - FILES_NAMED:,} more" if len(files) > FILES_NAMED else ""
    split = corpus.description["split"].replace("named", "name")
    return [("text", f"{sizes}{split}"), ("files", f"{len(files):,}: {names}{more}"), *rows]


def _name(file: Any) -> Any:
    """A file as the corpus describes it: its path, or a mapping or list that begins with it."""
    if isinstance(file, dict):
        return next(iter(file.values()), "")
    return file[0] if isinstance(file, list | tuple) and file else file


def _groups(task: Any) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    """The settings, a group a dataclass. Of paths only the name: where a file lay is its owner's affair."""
    groups: list[tuple[str, tuple[tuple[str, str], ...]]] = []
    plain: list[tuple[str, str]] = []
    for field in dataclasses.fields(task):
        value = getattr(task, field.name)
        if dataclasses.is_dataclass(value):
            names = [inner.name for inner in dataclasses.fields(value)]
            if isinstance(value, LanguageConfig) and value.context:
                names = [name for name in names if name not in RECURRENT]
            rows = tuple((name, _shown(getattr(value, name))) for name in names)
            groups.append((field.name, rows))
        else:
            plain.append((field.name, _shown(value)))
    return [*groups, ("nets", tuple(plain))] if plain else groups


def _shown(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(map(_shown, value)) or "none"
    if isinstance(value, Path):
        return value.name
    if isinstance(value, str):
        return value if value.isprintable() and value else repr(value)
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"
