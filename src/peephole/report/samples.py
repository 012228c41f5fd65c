"""The section on what the run does by itself: texts that it writes, or sizes at which it is exact."""

from peephole.report.parts import Paragraph, Part, Picture, Sample, Table
from peephole.report.showing import plain_lines
from peephole.tasks.exactness import AtSize
from peephole.tasks.measured import Measured
from peephole.tasks.problem import ProblemModel
from peephole.tasks.subject import Subject
from peephole.tasks.text.model import TextModel

TEMPERATURES = (0.5, 0.8, 1.0)
LENGTHS = {"characters": 600, "words": 120, "pieces": 180}  # of each text
SEQUENCES = 100  # of each size, where exactness was not measured before


def samples(subject: Subject) -> list[Part]:
    """A text at each temperature, from the beginning of a document. `InputError` without weights."""
    subject.need_weights()
    model = subject.model
    assert isinstance(model, TextModel)
    length = LENGTHS[model.unit]
    much = f"at most {length} characters" if model.unit == "characters" else f"{length} {model.unit} and a little more"
    told = f"Written from the beginning of a document, seed 0, {much}; `peephole sample` writes more."
    parts: list[Part] = [Paragraph(told)]
    for temperature in TEMPERATURES:
        text = model.sample(length=length, temperature=temperature)
        parts.append(Sample(f"temperature {temperature:g}", plain_lines(text)))
    return parts


def exactness(subject: Subject, measured: Measured | None = None) -> list[Part]:
    """Right answers by size, beside the static net; measured anew unless given. `InputError` without weights."""
    subject.need_weights()
    model = subject.model
    assert isinstance(model, ProblemModel)
    found = model.measure(sequences=SEQUENCES) if measured is None else measured
    parts: list[Part] = [Picture("Exactness by size", found), _table(found)]
    if found.probes is not None:
        probes = found.probes
        header = ("distance", *(f"depth {depth + 1}" for depth in range(len(probes.right[0]))))
        rows = tuple(
            (f"{distance:,}", *(f"{share:.2%}" for share in right))
            for distance, right in zip(probes.distances, probes.right, strict=True)
        )
        parts.append(Table(probes.verdict, header, rows))
    return parts


def _table(found: Measured) -> Table:
    net, static = found.net, found.static
    error = "squared error" if net.valued else "nats"
    header = [net.size_name, "sequences exact", "answers right", error]
    if static is not None:
        header += [f"static net: {name}" for name in header[1:]]
    rows: list[tuple[str, ...]] = []
    for place, row in enumerate(net.rows):
        beside = () if static is None else _cells(static.rows[place])
        rows.append((f"{row.size:,}", *_cells(row), *beside))
    return Table(f"New examples of every size; trained up to {net.trained:,}.", tuple(header), tuple(rows))


def _cells(row: AtSize) -> tuple[str, str, str]:
    return f"{row.exact:,} of {row.sequences:,}", f"{row.right:.2%}", f"{row.error:.3g}"
