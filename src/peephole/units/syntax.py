"""What kind of text it is, which says what quotes and comments are in it: prose, code with #, or code with //."""

import re
from typing import Literal

Syntax = Literal["prose", "hash", "slashes"]

# Shares of the lines that hold something. Python's library has 34 % that look like code, C more than 70 %; plays and
# encyclopedias stay below 6 %.
CODE, SLASHES = 0.15, 0.15
_CALL_OR_END = re.compile(r"\w\(|[;{}]$")  # in prose a blank stands before a bracket


def syntax_of(text: str) -> Syntax:
    """The kind of a text, by its lines: of code in which many end in ; { or } comments begin with // and /*."""
    lines = [stripped for line in text.split("\n") if (stripped := line.strip())]
    if not lines or sum(bool(_CALL_OR_END.search(line)) for line in lines) < CODE * len(lines):
        return "prose"
    return "slashes" if sum(line[-1] in ";{}" for line in lines) >= SLASHES * len(lines) else "hash"
