"""Bytes of text files, block by block in constant memory, checked to be UTF-8; gzip is undone."""

import codecs
import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from peephole.data.files import HEAD, find_files
from peephole.errors import InputError

BLOCK = 1 << 20  # bytes read at a time
SPACES = b" \t\n\v\f\r"  # which part words
MAGIC = b"\x1f\x8b"  # of gzip

Shown = Callable[[int], None]  # is told how many bytes of the files have been read


def text_files(paths: Iterable[Path]) -> list[Path]:
    """The text files among `paths` and in the folders among them, compressed by gzip or not.

    Raises:
        InputError: a file named in `paths` cannot be used; a folder holds no text file.
    """
    return find_files(paths, refusal=_refusal)


def blocks(files: Iterable[Path], lowercase: bool = False, shown: Shown = lambda _: None) -> Iterator[bytes]:
    """The text of `files` in blocks of any length; a line ends with each file. A byte order mark is left out.

    Raises:
        InputError: a file that cannot be read, is binary or is not UTF-8; the message gives the byte's place.
    """
    before = read = 0

    def heard(path: Path) -> Iterator[bytes]:
        nonlocal read
        for block, read in _checked(path):
            yield block
            shown(before + read)

    for path in files:
        text = heard(path)
        yield from _lowered(text) if lowercase else text
        yield b"\n"
        before += read


def _checked(path: Path) -> Iterator[tuple[bytes, int]]:
    """The bytes of one file, uncompressed, and how many of the file itself were read."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    position = 0
    try:
        with path.open("rb", buffering=0) as file:
            packed = file.read(len(MAGIC)) == MAGIC
            file.seek(0)
            stream = gzip.GzipFile(fileobj=file) if packed else file
            while block := stream.read(BLOCK):
                if b"\0" in block:
                    place = position + block.index(b"\0")
                    raise InputError(f"{path}: a binary file (NUL at byte {place:,}): expected text; leave it out")
                position += len(block)
                decoder.decode(block)
                yield block.removeprefix(codecs.BOM_UTF8) if position == len(block) else block, file.tell()
            decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        # What failed ends where reading stopped, whatever the decoder had kept back from the blocks before.
        offset = position - (len(error.object) - error.start)
        raise InputError(
            f"{path}: not UTF-8 at byte {offset:,} (0x{error.object[error.start]:02X}); convert it, for example with "
            "iconv -f latin1 -t utf-8"
        ) from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: the compressed file breaks off or is damaged ({error}); copy it again") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); expected a text file") from None


def _lowered(text: Iterator[bytes]) -> Iterator[bytes]:
    """Small letters; blocks end between words, since how a letter is lowered can depend on what follows it."""
    kept: list[bytes] = []
    for block in text:
        end = last_space(block) + 1
        if end == 0:
            kept.append(block)
            if sum(map(len, kept)) < BLOCK:
                continue
        whole = b"".join((*kept, block[:end])) if end else b"".join(kept)
        kept = [block[end:]] if end else []
        if not end:  # what has no space for so long is no word: only characters must stay whole
            cut = next(place for place in range(len(whole) - 1, -1, -1) if whole[place] & 0xC0 != 0x80)
            whole, kept = whole[:cut], [whole[cut:]]
        yield whole.decode().lower().encode()
    yield b"".join(kept).decode().lower().encode()


def last_space(block: bytes) -> int:
    """The place of the last white space of a block; -1 if it has none."""
    return max(block.rfind(space) for space in (SPACES[i : i + 1] for i in range(len(SPACES))))


def _refusal(path: Path) -> str | None:
    """Why the file is not text that can be read several times, or None. OSError where it cannot be read at all."""
    if path.exists() and not path.is_file():
        return "neither a file nor a folder: expected a text file; save what it carries to one"
    with path.open("rb") as file:
        packed = file.read(len(MAGIC)) == MAGIC
    try:
        with gzip.open(path) if packed else path.open("rb") as file:
            head = file.read(HEAD)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        return f"the compressed file breaks off or is damaged ({error}); copy it again"
    if not head:
        return "an empty file: expected text"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "UTF-16: expected UTF-8; convert it, for example with iconv -f utf-16 -t utf-8"
    if b"\0" in head:
        return f"a binary file (NUL at byte {head.index(0):,}): expected text; leave it out"
    return None
