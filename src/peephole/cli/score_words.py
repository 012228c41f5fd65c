"""`peephole score RUN FILE` of a run over words or pieces."""

import json
import math
import sys
from itertools import pairwise
from typing import TYPE_CHECKING

from peephole.cli.parsing import emit
from peephole.cli.score import shade
from peephole.errors import InputError

if TYPE_CHECKING:
    from peephole.tasks.text.model import TextModel

SHADES = ((4.0, "32"), (8.0, "0"), (12.0, "33"), (math.inf, "31;1"))  # bits below which, and the terminal's colour
UNDERLINED = ";4"


def show(model: "TextModel", text: str, kind: str, weights: str) -> int:
    """Print each token with its surprisal, and the mean."""
    from peephole.tasks.text.writing import names_of

    found = model.score_tokens(text, weights)
    if not found.texts:
        raise InputError(f"nothing to score: the text has no {model.unit}")
    bits, one = (found.nats / math.log(2)).tolist(), model.unit[:-1]
    if kind == "json":
        unknown = [place for place, known in enumerate(found.known.tolist()) if not known]
        row = {"text": text, model.unit: list(found.texts), "bits": [round(each, 6) for each in bits]}
        emit(json.dumps({**row, "unknown": unknown}, ensure_ascii=False) + "\n")
    elif kind == "table":
        emit(f"position\t{one}\tbits\n")
        for position, (name, each, known) in enumerate(zip(names_of(found.texts), bits, found.known, strict=True)):
            emit(f"{position}\t{name}{'' if known else ' <unk>'}\t{each:.4f}\n")
    else:
        spaced = model.tokenizer.cut == "spaces"
        for (before, _), (token, (each, known)) in pairwise(
            [("\n", (0.0, True)), *zip(found.texts, zip(bits, found.known.tolist(), strict=True), strict=True)]
        ):
            begins = before.endswith("\n")
            gap = " " if spaced and not begins and token != "\n" else ""
            shown = token.removeprefix(" ") if begins else token
            emit(f"{gap}\x1b[{shade(each, SHADES)}{'' if known else UNDERLINED}m{shown}\x1b[0m")
        emit("\n")
    mean = float(found.nats.mean())
    missing = int((~found.known).sum())
    emitted = (
        f"{len(bits):,} {model.unit}, {mean / math.log(2):.4f} bits a {one}, perplexity {math.exp(min(mean, 700)):.2f}"
    )
    print(emitted + (f"; {missing:,} of them training never saw" if missing else ""), file=sys.stderr)
    return 0
