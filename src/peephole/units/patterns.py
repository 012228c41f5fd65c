"""Regular expressions as properties: 1 inside a match."""

import re
from collections.abc import Sequence

import numpy as np

from peephole.errors import InputError
from peephole.units.matching import RefusedPattern, spans_of
from peephole.units.properties import Numbers, Text
from peephole.units.scanning import END

_NAMED = re.compile(r"([A-Za-z][\w -]*|)=(.+)", re.DOTALL)


def named_pattern(given: str) -> tuple[str, str]:
    """Name and expression of `REGEX`, which is its own name, of `NAME=REGEX`, and of `=REGEX`, which has a = in it."""
    parts = _NAMED.fullmatch(given)
    if parts is None:
        return given, given
    return parts[1].strip() or parts[2], parts[2]


def matched(pattern: str, texts: Sequence[Text]) -> list[Numbers]:
    """For each text 1 at the characters within a match, `[N]`; no match goes across the end of a document.

    `InputError` for what is no regular expression, and for one that does not come to an end.
    """
    documents = [text.text.split(END) for text in texts]
    try:
        spans = spans_of(pattern, [document for each in documents for document in each])
    except RefusedPattern as error:
        raise InputError(f"--property {pattern!r} {error}") from None
    found: list[Numbers] = []
    of_documents = iter(spans)
    for text, each in zip(texts, documents, strict=True):
        values, place = np.zeros(len(text.text)), 0
        for document in each:
            for start, end in next(of_documents):
                values[place + start : place + end] = 1.0
            place += len(document) + 1
        found.append(values)
    return found
