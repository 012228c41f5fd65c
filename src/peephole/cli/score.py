"""`peephole score RUN FILE`."""

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from peephole.cli.parsing import emit, parse
from peephole.errors import InputError

DESCRIPTION = (
    "How surprised a run is by each character, word or piece of a text, in bits: read as one document, exactly, in one "
    "pass."
)
SHADES = ((1.0, "32"), (3.0, "0"), (6.0, "33"), (math.inf, "31;1"))  # bits below which, and the terminal's colour


@dataclass(frozen=True)
class Score:
    """Options of `peephole score`."""

    # Run folder.
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]

    # Text file; - reads standard input.
    file: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")]

    # colour: the text, green where expected and red where surprising, words that training never saw underlined. table:
    # position, character or word, bits. auto: colour on a terminal, table elsewhere.
    format: Literal["auto", "colour", "table", "json"] = "auto"

    # How weights are stored: float32, bfloat16 or int8.
    weights: Literal["float32", "bfloat16", "int8"] = "float32"

    # How the bytes of the file spell characters.
    encoding: str = "utf-8"


def run(words: list[str]) -> int:
    """Print each character or word with its surprisal, and the mean."""
    options = parse(Score, "score", words, DESCRIPTION)
    from peephole.data.files import check_encoding, find_files, read_text
    from peephole.tasks import load_text
    from peephole.tasks.text.writing import names_of

    if str(options.file) == "-":
        check_encoding(options.encoding)
        try:
            text = sys.stdin.buffer.read().decode(options.encoding)  # sys.stdin itself would change line ends
        except UnicodeDecodeError as error:
            raise InputError(
                f"standard input: not {options.encoding} at byte {error.start:,}; pass --encoding"
            ) from None
    elif options.file.is_dir():
        raise InputError(f"{options.file}: a folder; expected one text file")
    else:
        (path,) = find_files([options.file], encoding=options.encoding)[:1]
        text = "".join(read_text(path, options.encoding))
    if not text:
        raise InputError("nothing to score: the text is empty")
    model = load_text(options.run)
    kind = options.format if options.format != "auto" else ("colour" if sys.stdout.isatty() else "table")
    if model.unit != "characters":
        from peephole.cli.score_words import show

        return show(model, text, kind, options.weights)
    bits = model.score_characters(text, options.weights) / math.log(2)
    if kind == "json":
        emit(json.dumps({"text": text, "bits": [round(float(each), 6) for each in bits]}, ensure_ascii=False) + "\n")
    elif kind == "table":
        emit("position\tcharacter\tbits\n")
        for position, (name, each) in enumerate(zip(names_of(text), bits, strict=True)):
            emit(f"{position}\t{name}\t{each:.4f}\n")
    else:
        emit("".join(f"\x1b[{shade(each)}m{character}\x1b[0m" for character, each in zip(text, bits, strict=True)))
        emit("\n")
    print(f"{len(text):,} characters, {bits.mean():.4f} bits a character", file=sys.stderr)
    return 0


def shade(bits: float, shades: tuple[tuple[float, str], ...] = SHADES) -> str:
    """The terminal's colour of what cost so many bits."""
    return next((code for limit, code in shades if bits < limit), shades[-1][1])
