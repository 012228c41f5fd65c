"""Lines of text files with their numbers, by which a person finds them."""

from collections.abc import Iterator
from pathlib import Path

from peephole.errors import InputError


def numbered_lines(path: Path, encoding: str) -> Iterator[tuple[int, str]]:
    """The lines of a text file, counted from 1, without their ends. A byte order mark is left out.

    Raises:
        InputError: the file cannot be read, or is not text in `encoding`.
    """
    try:
        with path.open(encoding="utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding) as file:
            for number, line in enumerate(file, 1):
                yield number, line.rstrip("\r\n")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); expected a text file") from None
    except (UnicodeError, LookupError) as error:
        raise InputError(f"{path}: not {encoding} ({error}); pass --encoding, for example --encoding latin-1") from None
