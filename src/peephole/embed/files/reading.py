"""Vectors in the formats of word2vec (Mikolov et al. 2013), text and binary, which gensim reads and writes too.

A file begins with a line of two whole numbers: how many words V, and how many numbers M each has. Text: a line a word,
the word and its numbers, parted by spaces. Binary: the word, a space, M little-endian float32, and a line feed or none.
"""

import codecs
import gzip
import io
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from peephole.embed.files.writing import write_rows as write_rows
from peephole.embed.files.writing import write_vectors as write_vectors
from peephole.embed.vectors import Vectors
from peephole.errors import InputError

BLOCK = 4 << 20  # bytes that are read at once
LONGEST = 1 << 16  # bytes of a word; longer, and it is none
WIDEST = 64  # bytes of a number as text
PACKED = 1032  # by how much gzip packs at most
QUOTED = 40  # characters of a line or word in a message
CONTROL = bytes(range(9)) + bytes(range(14, 32))  # bytes that no text holds, and that every block of float32 does


def read_vectors(path: Path, limit: int | None = None) -> Vectors:
    """The vectors of a file; whether it is text or binary, packed by gzip or not, shows in its content.

    A text without its first line, as GloVe's are (Pennington et al. 2014), is read too, after a pass that counts its
    lines. Memory is that of the vectors and their words; of a file with `limit` or more, only so many are read.

    Raises:
        InputError: no such file, not of these formats, cut short, longer or shorter than it says, a line of another
            width, a number that is not finite, a word that comes twice or is not UTF-8.
    """
    if limit is not None and limit < 1:
        raise InputError(f"{limit} vectors to read; expected at least 1")
    room = _room(path)
    with _opened(path) as file:
        first = file.readline(BLOCK)
        shape = _header(first)
        if shape is not None:
            return _with_header(path, file, room - len(first), shape, limit)
        width = _numbers(first)
        if width is None:
            raise InputError(_unlike(path, first))
    count = _count_lines(path)
    with _opened(path) as file:
        table = _Table(path, count if limit is None else min(count, limit), width)
        _read_text(table, file, b"", 1)
    return table.finish()


def read_width(path: Path) -> int:
    """How many numbers the vectors of a file have; errors as `read_vectors`, of its first line."""
    _room(path)
    with _opened(path) as file:
        first = file.readline(BLOCK)
    shape = _header(first)
    width = _numbers(first) if shape is None else shape[1]
    if width is None:
        raise InputError(_unlike(path, first))
    return width


class _Table:
    """Words and rows while they are read. `where` names the place in the file that the last row came from."""

    def __init__(self, path: Path, count: int, width: int) -> None:
        self.path = path
        self.rows = np.empty((count, width), np.float32)
        self.places: dict[str, int] = {}
        self.read = 0

    @property
    def full(self) -> bool:
        return self.read == len(self.rows)

    def add(self, word: bytes, where: str) -> None:
        """The next word; its row is the caller's to fill."""
        try:
            name = word.decode()
        except UnicodeDecodeError:
            raise InputError(
                f"{self.path}: {where}: the word {word[:QUOTED]!r} is not UTF-8; write the file as UTF-8"
            ) from None
        if self.places.setdefault(name, self.read) != self.read:
            raise InputError(f"{self.path}: {where}: the word {quoted(name)} came before; expected each word once")
        self.read += 1

    def finish(self) -> Vectors:
        vectors = Vectors(tuple(self.places), self.rows[: self.read])
        vectors.__dict__["places"] = self.places  # found already
        return vectors


def _with_header(path: Path, file: io.BufferedIOBase, room: int, shape: tuple[int, int], limit: int | None) -> Vectors:
    count, width = shape
    said = f"its first line says {count:,} words of {width:,} numbers"
    if count == 0 or width == 0:
        raise InputError(f"{path}: {said}; expected at least one of each")
    wanted = count if limit is None else min(count, limit)
    # before memory is taken: a word of a byte, and a space and a digit a number
    if wanted * (2 * width + 2) - 1 > room:
        raise InputError(f"{path}: {said}; the file is too short for that: cut short, or not word2vec's")
    begun = file.read(LONGEST + WIDEST * width)
    binary = _is_binary(begun, width)
    if binary and wanted * (4 * width + 2) > room:
        raise InputError(f"{path}: {said}; the file is too short for that: cut short, or not word2vec's")
    table = _Table(path, wanted, width)
    rest = _read_binary(table, file, begun) if binary else _read_text(table, file, begun, 2)
    if not table.full:
        raise InputError(f"{path}: {said}; it holds {table.read:,} and ends: cut short, or the first line is wrong")
    if wanted == count and rest:
        raise InputError(f"{path}: {said}; it holds more after them; mend its first line")
    return table.finish()


def _read_text(table: _Table, file: io.BufferedIOBase, begun: bytes, line: int) -> bool:
    """Fill the table from lines, the first of which is number `line`. Whether more follow."""
    width = table.rows.shape[1]
    for lines in _lines(table.path, file, begun, LONGEST + WIDEST * width):
        start, numbers = table.read, []
        places: list[int] = []
        for place, text in enumerate(lines, line):
            if not text or text.isspace():
                continue
            if table.full:
                _parse(table, start, numbers, places)
                return True
            word, _, rest = text.partition(b" ")
            if b"\t" in word:
                word, _, rest = text.partition(b"\t")
            found = rest.split()
            if len(found) != width:
                name = word.decode(errors="replace")
                raise InputError(
                    f"{table.path}: line {place:,}: the vector of {quoted(name)} has {len(found):,} numbers instead of "
                    f"{width:,}, which the first line says"
                )
            table.add(word, f"line {place:,}")
            numbers += found
            places.append(place)
        _parse(table, start, numbers, places)
        line += len(lines)
    return False


def _parse(table: _Table, start: int, numbers: list[bytes], places: list[int]) -> None:
    """Fill the rows from `start` on; `places` are the lines that they come from."""
    width = table.rows.shape[1]
    rows = table.rows[start : table.read]
    try:
        with np.errstate(over="ignore"):  # infinite, and said below
            rows[:] = np.array(numbers, np.float32).reshape(-1, width)
    except ValueError:
        place = next(place for place, number in enumerate(numbers) if not _is_number(number))
        text = numbers[place].decode(errors="replace")
        raise InputError(f"{table.path}: line {places[place // width]:,}: {quoted(text)} is not a number") from None
    finite = np.isfinite(rows).all(1)
    if not finite.all():
        place = int(finite.argmin())
        word = list(table.places)[start + place]
        raise InputError(
            f"{table.path}: line {places[place]:,}: the vector of {quoted(word)} holds a number that is not finite"
        )


def _read_binary(table: _Table, file: io.BufferedIOBase, begun: bytes) -> bool:
    """Fill the table. Whether more follows."""
    size = 4 * table.rows.shape[1]
    whole = table.rows.data.cast("B") if table.rows.dtype.str == "<f4" else None
    block, at = begun, 0
    while not table.full:
        space = block.find(b" ", at)
        if space < 0 or len(block) - space - 1 < size:
            if (len(block) if space < 0 else space) - at > LONGEST:
                raise InputError(
                    f"{table.path}: word {table.read + 1:,} is longer than {LONGEST:,} bytes; expected word2vec's "
                    "binary format, with as many numbers a word as the first line says"
                )
            more = file.read(max(BLOCK, size))
            if not more:
                return False
            block, at = block[at:] + more, 0
            continue
        place = table.read
        word = block[at:space].lstrip(b"\n")
        table.add(word, f"word {place + 1:,}")
        at = space + 1 + size
        if whole is not None:
            whole[place * size : (place + 1) * size] = block[space + 1 : at]
        else:
            table.rows[place] = np.frombuffer(block, "<f4", size // 4, space + 1)
    for start in range(0, len(table.rows), LONGEST):
        finite = np.isfinite(table.rows[start : start + LONGEST]).all(1)
        if not finite.all():
            place = start + int(finite.argmin())
            word = list(table.places)[place]
            raise InputError(
                f"{table.path}: word {place + 1:,}: the vector of {quoted(word)} holds a number that is not finite"
            )
    return bool((block[at:] + file.read(LONGEST)).strip())


def _lines(path: Path, file: io.BufferedIOBase, begun: bytes, longest: int) -> Iterator[list[bytes]]:
    """All lines, in lists of blocks."""
    left, seen = begun, 0
    while more := file.read(BLOCK):
        *lines, left = (left + more).split(b"\n")
        if len(left) > longest:
            raise InputError(f"{path}: line {seen + len(lines) + 2:,} is longer than {longest:,} bytes")
        if lines:
            yield lines
            seen += len(lines)
    if left:
        yield left.split(b"\n")


def _header(line: bytes) -> tuple[int, int] | None:
    """The two numbers of a first line, if it is one."""
    fields = line.split()
    if len(fields) == 2 and all(field.isdigit() and len(field) < 20 for field in fields) and line.endswith(b"\n"):
        return int(fields[0]), int(fields[1])
    return None


def _numbers(line: bytes) -> int | None:
    """How many numbers follow the word of a line; None if it is no such line, or has one only, as a sentence could."""
    fields = line.split()[1:]
    return len(fields) if len(fields) > 1 and all(map(_is_number, fields)) else None


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_binary(begun: bytes, width: int) -> bool:
    """Whether rows that begin so are binary: the first is no line of `width` numbers, and bytes are none of text's."""
    line = begun.split(b"\n", 1)[0].split()
    if len(line) == width + 1 and all(map(_is_number, line[1:])):
        return False
    if len(begun.translate(None, CONTROL)) < len(begun):
        return True
    try:
        codecs.getincrementaldecoder("utf-8")().decode(begun)
    except UnicodeDecodeError:  # few numbers, or words that are not UTF-8: does each row end where it has to?
        at = 0
        while 0 <= (space := begun.find(b" ", at)) < len(begun) - 4 * width:
            end = space + 1 + 4 * width
            at = end + (begun[end : end + 1] == b"\n")
        return at == len(begun) or b"\n" not in begun[at:]
    return False


def _room(path: Path) -> int:
    """How many bytes there are to read, or at most can be in what is packed."""
    try:
        found = path.stat()
        if path.is_dir():
            inside = path / "vectors.bin"
            hint = f"; that of this run is {inside}" if inside.is_file() else ""
            kind = "a run folder" if (path / "config.json").is_file() else "a folder"
            raise InputError(f"{path}: is {kind}; expected a file of vectors, word2vec's text or binary{hint}")
        if not stat.S_ISREG(found.st_mode):
            raise InputError(f"{path}: is no regular file; expected a file of vectors, word2vec's text or binary")
        if found.st_size == 0:
            raise InputError(f"{path}: is empty; expected vectors, word2vec's text or binary")
        with path.open("rb") as file:
            return found.st_size * (PACKED if file.read(2) == b"\x1f\x8b" else 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({(error.strerror or 'unknown reason').lower()})") from None


@contextmanager
def _opened(path: Path) -> Iterator[io.BufferedIOBase]:
    """The file, unpacked if it is packed. What fails while reading it is the file's fault."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
            if packed:
                with gzip.GzipFile(fileobj=file) as unpacked:
                    yield unpacked
            else:
                yield file
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: damaged gzip ({error}); get the file again") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({(error.strerror or 'unknown reason').lower()})") from None


def _count_lines(path: Path) -> int:
    count, last = 0, b"\n"
    with _opened(path) as file:
        while block := file.read(BLOCK):
            count += block.count(b"\n")
            last = block[-1:]
    return count + (last != b"\n")


def _unlike(path: Path, line: bytes) -> str:
    hint = "; it is packed: unpack it first" if line[:4] in (b"PK\x03\x04", b"BZh9", b"\xfd7zX") else ""
    shown = quoted(line.rstrip(b"\r\n").decode(errors="replace"))
    return (
        f"{path}: begins with {shown}; expected a line of two whole numbers, how many words and how many numbers "
        f"each, or a word and its numbers{hint}"
    )


def quoted(text: str) -> str:
    """A word or line in quotes, cut if it is long."""
    return repr(text if len(text) <= QUOTED else f"{text[:QUOTED]}…")
