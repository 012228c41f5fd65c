"""What was found of word vectors as text."""

from peephole.bench.word_vector_cases import GENSIM, KINDS, OURS, Contestant
from peephole.bench.word_vector_results import Timed, WordVectorReport

EXPLANATION = """\
Thousands of the text's words a second, every pass counted, in the middle of the rounds: of training alone, and from the
text to vectors, words counted. Ratios are gensim's time over ours in each round, the middle of them: above 1 we are
faster. `own topic`: nearest neighbours of a word's own topic, in a made-up text of 10 topics that all learn first."""


def text_of(report: WordVectorReport) -> str:
    """Everything that was found."""
    parts = [str(report.machine), f"{report.text}\n{report.settings}", EXPLANATION]
    parts += [_kind_text(report, one) for one in report.timed]
    if report.memory:
        parts.append(_memory_text(report))
    refused = dict.fromkeys(f"  {said}" for one in report.timed for said in one.refused.values())
    if refused:
        parts.append("\n".join(["not compared:", *refused]))
    if report.red:
        parts.append("\n".join(["RED, never timed:", *(f"  {line}" for line in report.red)]))
    return "\n\n".join([*parts, report.verdict]) + "\n"


def _kind_text(report: WordVectorReport, one: Timed) -> str:
    """A line a number of threads."""
    heads = ("ours", "gensim", "ratio", "from text: ours", "gensim", "ratio", "own topic: ours", "gensim")
    lines = [f"  {KINDS[one.kind]:<12}" + "".join(f"  {head:>{max(8, len(head))}}" for head in heads)]
    for count in report.counts:
        pair = Contestant(OURS, count), Contestant(GENSIM, count)
        cells: list[str] = []
        for whole in (False, True):
            cells += [_rate(report, one, who, whole) for who in pair]
            cells.append(_number(one.ratio(count, whole=whole)))
        cells += [f"{100 * one.same_topic[who]:.0f} %" if who in one.same_topic else "-" for who in pair]
        text = "".join(f"  {cell:>{max(8, len(head))}}" for cell, head in zip(cells, heads, strict=True))
        lines.append(f"  {f'{count} thread' + 's' * (count > 1):<12}{text}")
    if report.threads > 1:
        gains = ", ".join(f"{who} {_number(one.scaling(who, report.threads))}" for who in (OURS, GENSIM))
        lines.append(f"  1 -> {report.threads} threads: {gains}")
    return "\n".join(lines)


def _rate(report: WordVectorReport, one: Timed, who: Contestant, whole: bool) -> str:
    if who in one.red:
        return "RED"
    return f"{one.rate(who, report.words, whole=whole) / 1e3:,.0f}" if who in one.training else "-"


def _memory_text(report: WordVectorReport) -> str:
    first = report.memory[0]
    lines = [
        f"memory added after everything is imported, at its peak, from a text to vectors in a file: {first.words:,} "
        f"words, two tables of size {first.size} are {first.tables / 1e6:,.0f} MB"
    ]
    for one in report.memory:
        said = (
            f"{one.peak / 1e6:,.0f} MB, {one.over_tables:.2f} of the tables; counting words {one.reading / 1e6:,.0f} MB"
        )
        said = f"not measured: {one.refused}" if one.refused else said
        lines.append(f"  {one.who:<12}{said}")
    return "\n".join(lines)


def _number(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}"
