"""The lines of an ARPA file, numbered."""

import gzip
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NoReturn

from peephole.errors import InputError

TOGETHER = 1 << 14  # lines that are parted at a time
MAGIC = b"\x1f\x8b"  # of gzip


def is_heading(line: bytes) -> bool:
    r"""Whether a line is one such as `\2-grams:`."""
    return line.startswith(b"\\")


def shown(text: bytes | None) -> str:
    """What a line or a part of it says, for a complaint; None is the end of the file."""
    if text is None:
        return "the file ends here"
    return repr(text[:60].decode("utf-8", "replace")).replace("\\\\", "\\")


def is_arpa(path: Path) -> bool:
    r"""Whether a file is an ARPA file by its name, or by `\data\` in its first line that says anything."""
    if path.name.endswith((".arpa", ".arpa.gz")):
        return True
    try:
        with path.open("rb") as file:
            return file.read(4096).lstrip(b"\xef\xbb\xbf\r\n\t ").startswith(b"\\data\\")
    except OSError:
        return False


class Lines:
    """Lines without white space at their ends, read once, in constant memory.

    Attributes:
        number: of the line that was read last, from 1 on.
    """

    def __init__(self, path: Path) -> None:
        """Raises `InputError` where the file cannot be read."""
        self.path, self.number = path, 0
        self._kept: list[bytes] = []
        try:
            with path.open("rb") as file:
                packed = file.read(2) == MAGIC
            self._file: BinaryIO | gzip.GzipFile = gzip.open(path) if packed else path.open("rb")  # noqa: SIM115 - for `with`
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}); expected an ARPA file") from None

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def next_filled(self) -> bytes | None:
        """The next line that says something; None at the end of the file."""
        while True:
            lines = self._take(1)
            if not lines or lines[0]:
                return lines[0] if lines else None

    def keep(self, line: bytes | None) -> None:
        """Let the line that was read last be read again."""
        if line is not None:
            self._kept = [line]
            self.number -= 1

    def filled(self) -> Iterator[list[list[bytes]]]:
        """The lines up to an empty one or a heading, which is read next, parted at white space, many at a time."""
        while lines := self._take(TOGETHER):
            rows = [line.split() for line in lines]
            last = next((at for at, line in enumerate(lines) if not line or is_heading(line)), len(lines))
            self._kept = lines[last:]
            self.number -= len(lines) - last
            if last:
                yield rows[:last]
            if last < len(lines):
                return

    def refuse(self, message: str, number: int | None = None) -> NoReturn:
        """Raise an `InputError` about a line, the last one that was read."""
        raise InputError(f"{self.path}, line {max(number or self.number, 1):,}: {message}")

    def _take(self, most: int) -> list[bytes]:
        taken, self._kept = self._kept[:most], self._kept[most:]
        try:
            if not taken:
                taken = [line.strip(b" \t\r\n") for line in islice(self._file, most)]
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            self.refuse(f"the compressed file breaks off or is damaged ({error}); copy it again")
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read ({error.strerror}); expected an ARPA file") from None
        self.number += len(taken)
        return taken
