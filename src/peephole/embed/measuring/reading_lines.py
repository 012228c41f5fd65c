"""Lines of small tables that people hand in: questions, pairs with scores."""

from collections.abc import Iterator
from pathlib import Path

from peephole.errors import InputError

LONGEST = 10_000  # bytes of a line, beyond which it is no line of a table


def numbered_lines(path: Path, expected: str) -> Iterator[tuple[int, str]]:
    """The lines of a UTF-8 file that hold something, stripped, with their numbers from 1.

    Raises:
        InputError: a file that is missing, a folder, no text, or has a line that no table has; `expected` says what
            should have been there.
    """
    number = 0
    try:
        with path.open("rb") as file:
            while raw := file.readline(LONGEST + 1):
                number += 1
                if len(raw) > LONGEST or b"\0" in raw:
                    what = "holds binary data" if b"\0" in raw else f"is longer than {LONGEST:,} bytes"
                    raise InputError(f"{path}: line {number:,} {what}; expected {expected}")
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
                if line:
                    yield number, line
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: line {number:,} is not UTF-8 ({error.reason}); expected {expected}") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"{path}: cannot be read ({reason}); expected {expected}") from None
