"""A measurement of a language model as lines for people."""

from typing import TYPE_CHECKING

from peephole.cli.scores_out import aligned

if TYPE_CHECKING:
    from peephole.tasks.text.measurement import Measurement


def lines_of(measured: "Measurement", tables: bool = False) -> str:
    """What was measured on, a row a model, the best first, and what has to be said; with `tables` those too."""
    one, unknown = measured.unit.removesuffix("s"), measured.unknown
    first = f"{measured.text}: {measured.tokens:,} {measured.unit}"
    if unknown and measured.unit == "words":
        first += f", {unknown:,} of them <unk> ({measured.unknown_share:.2%})"
    elif unknown:
        first += f", {unknown:,} of them never seen in training"
    lines = [first, *aligned(_rows(measured))]
    worth = f"{measured.nats_per_token:.4f} nats a {one}, perplexity {measured.perplexity:.3f}"
    lines.append(f"this model: {worth}")
    if measured.lost is not None:
        lines.append(f"{measured.weights} weights lose {measured.lost:.4f} bits a character against float32")
    if measured.baselines_nats is not None:
        who = "n-grams" if measured.unit == "words" else "n-grams and xz"
        lines.append(f"{who} learned from the last {measured.trained_on:,} tokens of the training text")
    if measured.words != measured.tokens:
        lines.append(
            f"perplexity {measured.perplexity_per_word:.2f} a word, of {measured.words:,} words between spaces and "
            "line ends"
        )
    for one in measured.adapted:
        settings = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in one.settings.items())
        lines.append(f"{one.name}: {settings}" + (f"; chosen on {one.chosen_on}" if one.chosen_on else ""))
    lines += [f"{title}: {result.verdict}" for title, result in measured.pictures]
    for table in measured.tables if tables else ():
        lines += ["", table.caption, *aligned((table.header, *table.rows))]
    lines += measured.notes
    return "\n".join(lines) + "\n"


def _rows(measured: "Measurement") -> tuple[tuple[str, ...], ...]:
    """A row a model in the columns that belong to the unit."""
    called = "this model" if measured.lost is None else f"this model, {measured.weights} weights"
    paid = {called: measured.nats, **(measured.baselines_nats or {})}
    paid |= {f"this model {one.name}": one.nats for one in measured.adapted}
    bits = ("bits a character", lambda nats: f"{measured.bits(nats):.4f}")
    perplexity = (f"perplexity a {measured.unit.removesuffix('s')}", lambda nats: f"{measured.perplexity_of(nats):.2f}")
    nats = ("nats", lambda nats: f"{nats / measured.tokens:.4f}")
    columns = {"characters": (bits,), "pieces": (bits, perplexity)}.get(measured.unit, (perplexity, nats, bits))
    ranked = sorted(paid.items(), key=lambda row: row[1])
    return (
        ("", *(name for name, _ in columns)),
        *((name, *(show(value) for _, show in columns)) for name, value in ranked),
    )
