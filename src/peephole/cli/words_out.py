"""What was found of vectors of words, as sentences and tables or as one JSON object."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from peephole.cli.compare_out import emit_table
from peephole.cli.parsing import emit
from peephole.embed.measuring.analogies_found import SectionScore, percent

if TYPE_CHECKING:
    from peephole.cli.words import Words
    from peephole.cli.words_asked import Asked, Nearest
    from peephole.embed.measuring.analogies_found import Analogies
    from peephole.embed.measuring.geometry_found import Geometry
    from peephole.embed.measuring.similarity_found import Similarity


def show(found: "Asked", options: "Words") -> None:
    """Print what was asked for, measurements first, then neighbours and the files that were written."""
    names = [str(path) for path in (options.vectors, options.beside) if path is not None]
    if found.geometry is not None:
        _show_geometry(found.geometry, found.unit)
    if found.beside is not None:
        emit(f"{found.beside.verdict}\n")
        _emit_pairs(found.beside.rows)
    if found.analogies:
        _show_analogies(found.analogies, names, found.questions)
    if found.similarity:
        _show_similarity(found.similarity, names, found.pairs)
    if found.capitals is not None:
        emit(f"{found.capitals.verdict}\n")
        _emit_pairs(found.capitals.rows)
    _show_nearest(found.nearest, names)
    for path in (options.out, options.picture):
        if path is not None:
            emit(f"wrote {path}\n")


def as_json(found: "Asked", options: "Words") -> dict[str, Any]:
    """Everything that was asked for, in JSON's types."""
    near = [
        {of: [asdict(one) for one in neighbours] for of, neighbours in nearest if neighbours}
        for nearest in found.nearest
    ]
    tree: dict[str, Any] = {
        "vectors": str(options.vectors),
        "unit": found.unit,
        **({} if found.geometry is None else found.geometry.as_dict()),
        "nearest": near[0],
        "figure": None if options.out is None else str(options.out),
    }
    measured = {"analogies": found.analogies, "similarity": found.similarity}
    scores = [
        {name: parts[number].as_dict() for name, parts in measured.items() if parts}
        for number in range(len(found.nearest))
    ]
    tree |= scores[0]
    if found.capitals is not None:
        tree["capitals"] = {**found.capitals.as_dict(), "figure": str(options.picture)}
    if found.beside is not None:
        tree["beside"] = {"vectors": str(options.beside), **found.beside.as_dict(), "nearest": near[1], **scores[1]}
    return tree


def _show_geometry(found: "Geometry", unit: str) -> None:
    emit(f"{found.verdict}\n")
    width = max(len(name) for name, *_ in found.rows)
    emit(f"  {'':{width}}  {'one-hot':<20}  learnt\n")
    for name, one_hot, learnt in found.rows:
        emit(f"  {name:{width}}  {one_hot:<20}  {learnt}\n")
    if found.groups:
        header = (f"{unit} by how often they came", "times", "mean length", "cosine of the nearest")
        rows = [(one.name, f"{one.least:,} to {one.most:,}", f"{one.length:.2f}", f"{one.nearest:.2f}")
                for one in found.groups]  # fmt: skip
        emit_table([header, *rows])


def _show_analogies(found: "Sequence[Analogies]", names: list[str], questions: int) -> None:
    for name, one in zip(names, found, strict=True):
        emit(f"{f'{name}: ' if len(found) > 1 else ''}{one.verdict}\n")
    if len(found) == 1:
        emit_table([("", "accuracy", "right", "known questions"), *found[0].rows])
        return
    emit(f"of {questions:,} questions both know {found[0].total.known:,}\n")
    columns: list[tuple[SectionScore, ...]] = [(*one.sections, *one.kinds, one.total) for one in found]
    rows = [(pair[0].name, *(percent(one.accuracy) for one in pair), f"{pair[0].known:,}")
            for pair in zip(*columns, strict=True)]  # fmt: skip
    emit_table([("", *names, "known to both"), *rows])


def _show_similarity(found: "Sequence[Similarity]", names: list[str], pairs: int) -> None:
    for name, one in zip(names, found, strict=True):
        emit(f"{f'{name}: ' if len(found) > 1 else ''}{one.verdict}\n")
    if len(found) == 1:
        emit_table([("", "Spearman's correlation", "known pairs"), *found[0].rows])
        return
    emit(f"of {pairs:,} pairs both know {sum(one.known for one in found[0].sets):,}\n")
    rows = [(one[0], one[1], other[1], f"{each.known:,}")
            for one, other, each in zip(found[0].rows, found[1].rows, found[0].sets, strict=True)]  # fmt: skip
    emit_table([("", *names, "known to both"), *rows])


def _show_nearest(found: "tuple[Nearest, ...]", names: list[str]) -> None:
    for listed in zip(*found, strict=True):
        for name, (of, neighbours) in zip(names, listed, strict=True):
            where = f" ({name})" if len(names) > 1 else ""
            said = ", ".join(f"{one.word} {one.cosine:.2f}" for one in neighbours) or "not there"
            emit(f"{of}{where}: {said}\n")


def _emit_pairs(rows: Iterable[tuple[str, str]]) -> None:
    rows = list(rows)
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        emit(f"  {name.ljust(width)}  {value}\n")
