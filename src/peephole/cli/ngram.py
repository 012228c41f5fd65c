"""`peephole ngram FILES…`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from peephole.cli.parsing import emit, parse
from peephole.errors import InputError

if TYPE_CHECKING:
    from peephole.generate.language.measuring import Cost, Counted
    from peephole.models.ngram import NGram

DESCRIPTION = (
    "Count n-grams: interpolated modified Kneser-Ney, what recurrent nets are measured against and what can be asked "
    "beside them (peephole eval RUN --language-model). Say what they make of text that they did not learn from. With "
    "FILES an ARPA file, of anybody, say what it makes of --test."
)


@dataclass(frozen=True)
class NGramOptions:
    """Options of `peephole ngram`."""

    # Text to learn from, a sentence a line; a folder with files called train, valid and test is used as they say.
    # Or one ARPA file.
    files: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="FILES ...")]

    # Tokens of the longest n-grams, 1 to 8. More than 5 words are hardly ever seen twice.
    order: int = 5

    # What a token is.
    tokens: Literal["word", "char"] = "word"

    # What a word is. spaces: whatever stands between spaces; split: letters, numbers and marks apart; auto: spaces
    # where most full stops and commas have one before them.
    words: Literal["auto", "spaces", "split"] = "auto"

    # Tokens seen less often are <unk>; 1 keeps all.
    min_count: int = 1

    # Largest number of different words, the most frequent ones. Default: all of them.
    vocabulary: int | None = None

    # Text that is not learned from, to measure on. Default: what FILES call so.
    test: tuple[Path, ...] = ()

    # Share of FILES that is not learned from where none of them is called valid or test.
    held_out: float = 0.1

    # How the bytes of text spell characters.
    encoding: str = "utf-8"

    # ARPA file to write; compressed if its name ends in .gz.
    out: Path | None = None

    # Print one JSON object.
    json: bool = False


def run(words: list[str]) -> int:
    """Count or read, measure, write, print."""
    options = parse(NGramOptions, "ngram", words, DESCRIPTION)
    if not options.files:
        raise InputError("no FILES to learn from; expected text, or an ARPA file")
    from peephole.generate.language.arpa.lines import is_arpa

    if any(map(is_arpa, options.files)):
        return _score(options)
    from peephole.data.config import TextData
    from peephole.generate.language.arpa.writing import write_arpa
    from peephole.generate.language.measuring import count_text

    if options.out is not None and not options.out.absolute().parent.is_dir():
        raise InputError(f"--out {options.out}: {options.out.parent} is no folder; expected one that is there")
    data = TextData(
        options.files,
        options.encoding,
        test=options.test,
        held_out=options.held_out,
        tokens=options.tokens,
        words=options.words,
        vocabulary=options.vocabulary,
        min_count=options.min_count,
    )
    found = count_text(data, options.order)
    if options.out is not None:
        write_arpa(found.ngram, found.tokenizer.symbols, options.out)
    if options.json:
        written = None if options.out is None else str(options.out)
        head = {"tokens": found.tokenizer.unit, "learned": found.learned}
        _emit_json({**head, **_sizes(found.ngram), **_costs(found.costs), "out": written})
        return 0
    unit = found.tokenizer.unit
    emit(f"{found.learned:,} {unit} to learn from, {found.ngram.sizes[0]:,} different ones\n")
    _emit_levels(found)
    _emit_costs(found.costs, unit)
    if options.out is not None:
        emit(f"written: {options.out}\n")
    return 0


def _score(options: NGramOptions) -> int:
    from peephole.generate.language.arpa.reading import read_arpa
    from peephole.generate.language.measuring import cost_of_files

    if len(options.files) > 1 or options.out is not None or not options.test:
        raise InputError(
            "an ARPA file is measured alone; expected peephole ngram MODEL.arpa --test FILES, without --out"
        )
    model = read_arpa(next(iter(options.files)))
    costs = cost_of_files(model, options.test, options.encoding)
    if options.json:
        _emit_json({**_sizes(model.ngram), **_costs(costs)})
        return 0
    sizes = ", ".join(f"{size:,} of {length}" for length, size in enumerate(model.ngram.sizes, 1))
    unit = "characters" if model.of_characters else "words"
    emit(f"n-grams of {unit}: {sizes}\n")
    if model.left_out:
        emit(f"{model.left_out:,} of them reach over ends of sentences, and are never asked for\n")
    _emit_costs(costs, unit)
    return 0


def _emit_levels(found: "Counted") -> None:
    rows = [("length", "n-grams", "off 1", "off 2", "off more", "")]
    for length, (size, off) in enumerate(zip(found.ngram.sizes, found.ngram.discounts, strict=True), 1):
        note = {"modified": "", "single": "one discount: few small counts", "fixed": "no small counts"}[off.source]
        rows.append((str(length), f"{size:,}", f"{off.once:.4f}", f"{off.twice:.4f}", f"{off.more:.4f}", note))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.rjust(width) for cell, width in zip(row[:-1], widths, strict=False))
        emit(f"{'  '.join(cells)}  {row[-1]}".rstrip() + "\n")


def _emit_costs(costs: "tuple[Cost, ...] | list[Cost]", unit: str) -> None:
    for cost in costs:
        emit(f"{cost.text}: perplexity {cost.perplexity:.3f} of {cost.tokens:,} {unit}, line ends among them")
        if cost.unknown:
            emit(f"; {cost.known_perplexity:.3f} without {cost.unknown:,} unknown ones")
        emit(f"; {cost.impossible:,} more have no probability\n" if cost.impossible else "\n")


def _sizes(model: "NGram") -> dict[str, Any]:
    return {"order": model.order, "ngrams": list(model.sizes), "discounts": [vars(each) for each in model.discounts]}


def _costs(costs: "tuple[Cost, ...] | list[Cost]") -> dict[str, Any]:
    return {"texts": [cost.as_json() for cost in costs]}


def _emit_json(tree: dict[str, Any]) -> None:
    emit(json.dumps(tree, ensure_ascii=False) + "\n")
