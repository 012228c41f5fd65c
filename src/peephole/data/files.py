r"""Text files on disk: finding them, reading them losslessly in constant memory.

Text is never translated: "\r", "\r\n" and a byte order mark reach the model as the characters they are, so that what
a model generates can be compared with the file byte for byte.
"""

import codecs
import sysconfig
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path

from peephole.errors import InputError

BLOCK = 1 << 20  # bytes read at a time: large enough for the decoder's speed, small beside any model
HEAD = 8192  # bytes looked at to tell text from binary, as git and grep do

# Tables, tests and vendored copies are not prose that a person writes or reads; they would teach a model digits.
NOT_PROSE = frozenset(
    {"site-packages", "dist-packages", "test", "tests", "idlelib", "lib2to3", "pydoc_data", "encodings"}
)


def find_files(
    paths: Iterable[Path],
    suffixes: Sequence[str] = (),
    encoding: str = "utf-8",
    refusal: Callable[[Path], str | None] | None = None,
) -> list[Path]:
    """The text files among `paths` and, in sorted order, in the folders among them; a file reached twice counts once.

    Within folders, hidden files and folders, `__pycache__`, and files that are empty or binary (a NUL byte within the
    first 8 KiB, unless `encoding` itself writes them, as utf-16 does) are passed over. `refusal` says instead why a
    file is none of those that are looked for; None of one that is.

    Raises:
        InputError: a file named in `paths` is missing, empty, binary or cannot be read; a folder holds no text file.
    """
    check_encoding(encoding)
    refused = refusal or (lambda path: _refusal(path, encoding))
    found: dict[Path, Path] = {}
    for path in paths:
        try:
            if path.is_dir():
                files = [file for file in _walk(path, set(), suffixes) if refused(file) is None]
                if not files:
                    ending = f" whose name ends in {' or '.join(suffixes)}" if suffixes else ""
                    raise InputError(f"{path}: a folder with nothing in it: expected at least one text file{ending}")
            else:
                reason = refused(path)
                if reason is not None:
                    raise InputError(f"{path}: {reason}")
                files = [path]
        except OSError as error:
            name = error.filename or path
            raise InputError(f"{name}: cannot be read ({error.strerror}): expected a text file or a folder") from None
        for file in files:
            found.setdefault(file.resolve(), file)
    return list(found.values())


def standard_library() -> list[Path]:
    """The running Python's own standard library: its .py files, sorted, without packages installed into it and tests.

    Raises:
        InputError: the library is not on disk as source (an embedded or frozen Python).
    """
    folder = Path(sysconfig.get_path("stdlib"))
    files = []
    if folder.is_dir():
        files = [file for file in _walk(folder, set(), (".py",), NOT_PROSE) if _refusal(file, "utf-8") is None]
    if not files:
        raise InputError(f"{folder}: this Python's standard library is not there as source; name a text file to read")
    return files


def read_text(path: Path, encoding: str, start: int = 0) -> Iterator[str]:
    """The text of `path` from byte `start` on, in pieces of at most 2^20 characters, in constant memory.

    Nothing is translated: line ends and a byte order mark stay (utf-16 and utf-32 consume theirs, so read those from
    byte 0). `start` must be the first byte of a character.

    Raises:
        InputError: unknown encoding, a file that cannot be read, or bytes that are not text in `encoding`; the message
            gives the byte's place in the file.
    """
    check_encoding(encoding)
    decoder = codecs.getincrementaldecoder(encoding)()
    position = start
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(start)
            while block := file.read(BLOCK):
                position += len(block)
                if text := decoder.decode(block):
                    yield text
            if text := decoder.decode(b"", final=True):
                yield text
    except UnicodeDecodeError as error:
        # What failed ends where reading stopped, whatever the decoder had kept back from the blocks before.
        offset = position - (len(error.object) - error.start)
        name = codecs.lookup(encoding).name
        other = "latin-1" if name.startswith("utf-8") else "utf-8"
        raise InputError(
            f"{path}: not {name.upper()} at byte {offset:,} (0x{error.object[error.start]:02X}); "
            f"pass --encoding, for example --encoding {other}"
        ) from None
    except UnicodeError as error:  # of a codec as a whole, such as UTF-16 that begins without its mark
        raise InputError(
            f"{path}: not {encoding} ({error}): expected text in that encoding; pass --encoding, for example "
            "--encoding utf-8"
        ) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}): expected a text file") from None


def check_encoding(encoding: str) -> None:
    """Raise InputError unless Python can read text in `encoding` piece by piece."""
    try:
        "a".encode(encoding)  # unlike codecs.lookup, refuses codecs that do not make text, such as hex
        codecs.getincrementaldecoder(encoding)
    except (LookupError, ValueError):
        raise InputError(
            f"encoding {encoding!r} is unknown: expected one that Python knows, for example utf-8"
        ) from None


def _walk(folder: Path, entered: set[Path], suffixes: Sequence[str], excluded: Collection[str] = ()) -> Iterator[Path]:
    """Files below `folder`, sorted; `entered` holds the real folders already visited, so that links cannot loop."""
    if folder.resolve() in entered:
        return
    entered.add(folder.resolve())
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name == "__pycache__" or path.name in excluded:
            continue
        if path.is_dir():
            yield from _walk(path, entered, suffixes, excluded)
        elif path.is_file() and path.name.endswith(tuple(suffixes) or ""):
            yield path


def _refusal(path: Path, encoding: str) -> str | None:
    """Why the file is not text that can be read twice, or None. OSError where it cannot be read at all."""
    if path.exists() and not path.is_file():
        return "neither a file nor a folder: expected a text file; save what it carries to one"
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        return "an empty file: expected text"
    if b"\0" not in head or b"\0" in "a".encode(encoding):
        return None
    wide = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    advice = "pass --encoding utf-16" if wide else "leave it out"
    return f"a binary file (NUL at byte {head.index(0):,}): expected text; {advice}"
