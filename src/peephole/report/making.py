"""A run to a report, and a report to a file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from peephole import figures
from peephole.errors import InputError
from peephole.report.about import about, headline
from peephole.report.against import against
from peephole.report.laboratory import laboratory
from peephole.report.page import render
from peephole.report.parts import Part, Section, parts_or_reason
from peephole.report.passages import surprisal_parts, unit_parts
from peephole.report.references import references
from peephole.report.samples import exactness, samples
from peephole.report.scored import scores
from peephole.report.training import training
from peephole.report.watching import watching
from peephole.tasks.examples.model import ExamplesModel
from peephole.tasks.measured import Measured
from peephole.tasks.model import TaskModel
from peephole.tasks.problem import ProblemModel
from peephole.tasks.subject import Subject
from peephole.tasks.text.model import TextModel
from peephole.units import Reading, read_held_out, units_of
from peephole.units.naming import Place, named_units
from peephole.writing import write_whole

MOST_UNITS = 64  # that a report shows on request: each is the passage once more


@dataclass(frozen=True, eq=False)
class Report:
    """Everything that a report says, in sections. The same run gives the same bytes: no date stands in it."""

    title: str
    headline: str
    sections: tuple[Section, ...]

    @property
    def html(self) -> str:
        """The page: one file that asks nobody for anything."""
        return render(self.title, self.headline, self.sections)

    def write(self, path: Path) -> None:
        """Write the page whole. `InputError` where that cannot be done."""
        content = self.html.encode()
        try:
            write_whole(path, content)
        except OSError as error:
            reason = (error.strerror or "unknown reason").lower()
            raise InputError(f"{path}: cannot be written ({reason}); choose another --out") from None


def make(subject: Subject | TaskModel, units: Sequence[str] = (), measured: Measured | None = None) -> Report:
    """Measure and collect what is to be said about a run. Its model and its folder stay as they are.

    `subject` is a model that was loaded, or what `look_at(folder)` gives, which opens runs without weights too. `units`
    are shown instead of those that tell most, such as `0:12`; `measured` is what is known of a problem's exactness.

    Raises:
        InputError: matplotlib is missing, or `units` name what is not there. What a run lacks is said in the report.
    """
    figures.check_installed()
    found = subject if isinstance(subject, Subject) else Subject(subject)
    wanted = _units_of(found, units)
    sections = [
        Section("about", "What was trained on what", tuple(about(found))),
        Section("training", "Training", tuple(training(found))),
        Section("watched", "While it was trained", tuple(parts_or_reason(lambda: watching(found)))),
        Section("inside", "Inside now", tuple(parts_or_reason(lambda: laboratory(found)))),
    ]
    if isinstance(found.model, TextModel):
        sections += _of_text(found, wanted)
    if isinstance(found.model, ExamplesModel):
        sections.append(Section("scores", "On data it never saw", tuple(parts_or_reason(lambda: scores(found)))))
    if isinstance(found.model, ProblemModel):
        parts = parts_or_reason(lambda: exactness(found, measured))
        sections.append(Section("exactness", "Exactness", tuple(parts)))
    sections.append(Section("references", "References", tuple(references(found, found.trained))))
    return Report(f"{found.run.folder.name}: {found.model.kind}", headline(found), tuple(sections))


def write(subject: Subject | TaskModel, path: Path | str, units: Sequence[str] = ()) -> Report:
    """`make` a report and write it to `path`. Errors as of `make`, and where the file cannot be written."""
    report = make(subject, units)
    report.write(Path(path))
    return report


def _units_of(subject: Subject, names: Sequence[str]) -> tuple[tuple[Place, int], ...]:
    if not names:
        return ()
    if not isinstance(subject.model, TextModel):
        task = subject.run.read_config()["task"]
        raise InputError(f"{subject.run.folder}: a run of {task}; leave --units away, they colour text")
    if len(names) > MOST_UNITS:
        raise InputError(f"--units names {len(names)} units; expected at most {MOST_UNITS}, a passage each")
    config = subject.model.model.config
    return named_units(names, config.spec, config.layers - config.narrow_last, config.hidden_size)


def _of_text(subject: Subject, named: tuple[tuple[Place, int], ...]) -> list[Section]:
    model = subject.model
    assert isinstance(model, TextModel)
    reading: Reading | None = None

    def read() -> list[Part]:
        nonlocal reading
        subject.need_weights()
        reading = read_held_out(model)
        return surprisal_parts(reading)

    def units(reading: Reading) -> list[Part]:
        return unit_parts(units_of(model, reading, ablate=False), named)

    sections = [Section("text", "Held-out text, by surprisal", tuple(parts_or_reason(read)))]
    if reading is not None:
        found = parts_or_reason(lambda reading=reading: units(reading))
        sections.append(Section("units", "Held-out text, by units", tuple(found)))
    if model.unit != "characters":
        counted = parts_or_reason(lambda: against(subject))
        sections.append(Section("against", "Where counts still win", tuple(counted)))
    sections.append(Section("samples", "What it writes", tuple(parts_or_reason(lambda: samples(subject)))))
    return sections
