"""Where a regular expression matches, found by a process of its own: some expressions would never come to an end.

Run as a program it reads one JSON object with `pattern` and `texts`, and writes `spans`, or what is wrong with it.
"""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

LIMIT = 10.0  # seconds for all the text; a sound expression needs a small part of one


class RefusedPattern(ValueError):
    """What is wrong with an expression, in a few words."""


def spans_of(pattern: str, texts: Sequence[str]) -> list[list[tuple[int, int]]]:
    """Beginning and end of each match in each text; ^ and $ match at every line.

    Raises:
        RefusedPattern: it is no regular expression, or takes longer than `LIMIT` seconds.
    """
    given = json.dumps({"pattern": pattern, "texts": list(texts)})
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(Path(__file__))], input=given, capture_output=True, text=True, timeout=LIMIT
        )
    except subprocess.TimeoutExpired:
        raise RefusedPattern(
            f"does not come to an end within {LIMIT:g} seconds; avoid repetitions within repetitions"
        ) from None
    if done.returncode:
        raise RefusedPattern(f"cannot be matched ({done.stderr.strip().rpartition(chr(10))[2] or 'no reason given'})")
    found = json.loads(done.stdout)
    if "error" in found:
        raise RefusedPattern(f"is no regular expression ({found['error']})")
    return [[(start, end) for start, end in spans] for spans in found["spans"]]


def _match() -> None:
    given = json.load(sys.stdin)
    try:
        pattern = re.compile(given["pattern"], re.MULTILINE)
    except (re.error, OverflowError, RecursionError) as error:
        json.dump({"error": str(error)}, sys.stdout)
        return
    json.dump({"spans": [[one.span() for one in pattern.finditer(text)] for text in given["texts"]]}, sys.stdout)


if __name__ == "__main__":
    _match()
