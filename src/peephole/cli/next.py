"""`peephole next RUN --prime TEXT`."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from peephole.cli.parsing import emit, parse
from peephole.errors import InputError

DESCRIPTION = "The distribution of the next character, word or piece after a prime, likeliest first."


@dataclass(frozen=True)
class Next:
    """Options of `peephole next`."""

    # Run folder.
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]

    # Text before what is asked for; a run over words cuts it as its text was cut. Default: none, the beginning of a
    # document.
    prime: str = ""

    # Let words of the prime that training never saw be <unk>.
    unknown: bool = False

    # How many to show. The rest is summed up in one line.
    top: int = 10

    # How weights are stored: float32, bfloat16 or int8.
    weights: Literal["float32", "bfloat16", "int8"] = "float32"

    # Print one JSON object, with every symbol there is.
    json: bool = False


def run(words: list[str]) -> int:
    """Print the ranked distribution."""
    options = parse(Next, "next", words, DESCRIPTION)
    if options.top < 1:
        raise InputError(f"--top is {options.top}; expected at least 1")
    from peephole.tasks import load_text
    from peephole.tasks.text.writing import names_of

    model = load_text(options.run)
    ranked = model.next(options.prime, options.weights, options.unknown)
    if options.json:
        emit(json.dumps({"prime": options.prime, "next": ranked}, ensure_ascii=False) + "\n")
        return 0
    emit(f"  probability    bits  {model.unit[:-1]}\n")
    shown = ranked[: options.top]
    names = names_of([symbol for symbol, _ in shown])
    width = max(6, *map(len, names))
    for (_, probability), name in zip(shown, names, strict=True):
        bits = -math.log2(probability) if probability else math.inf
        emit(f"  {probability:11.4f} {bits:7.2f}  {name:<{width}} {'█' * round(40 * probability)}\n")
    rest = sum(probability for _, probability in ranked[options.top :])
    if ranked[options.top :]:
        emit(f"  {rest:11.4f}          the other {len(ranked) - options.top:,}\n")
    entropy = -sum(probability * math.log2(probability) for _, probability in ranked if probability)
    emit(f"  entropy {entropy:.2f} bits\n")
    return 0
