"""A diagnosis as text and figures."""

import shutil
import textwrap
from pathlib import Path

from peephole.cli.parsing import emit
from peephole.cli.stability_out import write_figure
from peephole.doctor.diagnosis import Diagnosis
from peephole.doctor.finding import MEDIUM, Cure, Finding

WIDEST, NARROWEST = 100, 40


def show(diagnosis: Diagnosis, run: Path, everything: bool, written: Path | None) -> None:
    """Print causes in the order in which to mend them, then symptoms, then what was hardly sure in one line."""
    width = max(NARROWEST, min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns))
    for line in diagnosis.unfinished:
        emit(_wrapped(f"{run}: {line}", width))
    told = _level(diagnosis)
    if told:
        emit(_wrapped(told, width))
    sure = [one for one in diagnosis.causes if everything or one.confidence >= MEDIUM]
    if not sure:
        emit("Nothing was found that keeps this net from learning.\n")
    for number, finding in enumerate(sure, 1):
        emit(f"\n{number}  {_headline(finding)}\n{_body(finding, width)}")
    symptoms = [one for one in diagnosis.symptoms if everything or one.confidence >= MEDIUM]
    if symptoms:
        emit("\nsymptoms, which show that something is wrong and not what:\n")
        for finding in symptoms:
            emit(_wrapped(f"{finding.name}: {finding.says}", width, "   "))
    unsure = [one.name for one in diagnosis.causes if one not in sure]
    if unsure:
        emit("\n" + _wrapped(f"hardly sure, shown with --all: {', '.join(unsure)}", width))
    if written is not None:
        emit(f"wrote {written}\n")


def draw(diagnosis: Diagnosis, folder: Path) -> Path:
    """A figure of the ranking and one of each finding that has a curve; the path of the first."""
    from matplotlib.figure import Figure

    from peephole.figures import styled

    with styled():
        whole = Figure(figsize=(7, 1.2 + 0.35 * max(1, len(diagnosis.findings))), layout="constrained")
        diagnosis.plot(whole.subplots())
    first = write_figure(folder, "diagnosis", whole)
    for number, finding in enumerate(diagnosis.findings, 1):
        if finding.evidence is not None:
            with styled():
                figure = Figure(figsize=(5, 3), layout="constrained")
                finding.evidence.plot(figure.subplots())
            write_figure(folder, f"{number:02d}-{finding.name.replace(' ', '-').lower()}", figure)
    return first


def options_of(cure: Cure) -> str:
    """The settings that a cure changes, as options of `peephole train`."""
    return " ".join(_option(name, value) for name, value in cure.changes.items())


def _option(name: str, value: object) -> str:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}"
    return f"--{flag} {value:g}" if isinstance(value, float) else f"--{flag} {value}"


def _level(diagnosis: Diagnosis) -> str:
    level = diagnosis.level
    named = {"training data": level.training, "held out": level.held_out, "an answer that sees nothing": level.trivial}
    known = [f"{value:.3g} {name}" for name, value in named.items() if value == value]
    return f"divergence now: {', '.join(known)}" if level.training == level.training else ""


def _headline(finding: Finding) -> str:
    said = f"{finding.name}   {finding.level} confidence ({finding.confidence:.0%}), costs about {finding.cost:.0%}"
    return f"{said}; because of: {finding.follows}" if finding.follows else said


def _body(finding: Finding, width: int) -> str:
    parts = [_wrapped(finding.says, width, "   ")]
    if finding.evidence is not None:
        parts.append(f"   {finding.evidence.sparkline}  {finding.evidence.title}\n")
    parts.append(_wrapped(f"why: {finding.why}", width, "   "))
    changed = options_of(finding.cure)
    parts.append(_wrapped(f"cure: {finding.cure.text}{f' ({changed})' if changed else ''}", width, "   "))
    return "".join(parts)


def _wrapped(text: str, width: int, indent: str = "") -> str:
    return textwrap.fill(text, width, initial_indent=indent, subsequent_indent=indent, break_long_words=False) + "\n"
