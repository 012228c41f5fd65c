"""Writing word2vec's formats, row after row: no copy of the table is made."""

import gzip
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Float

from peephole.embed.vectors import Vectors
from peephole.errors import InputError
from peephole.writing import written_whole

NUMBERS = 1 << 15  # that are written at once
PARTING = (b" ", b"\n", b"\t", b"\r")  # what parts words in a file, and so cannot stand in one


def write_vectors(vectors: Vectors, path: Path) -> None:
    """Write word2vec's binary format where the name ends in `.bin`, else its text; packed where it ends in `.gz`.

    Text has as many digits as bring back the same float32. The file appears whole or not at all.

    Raises:
        InputError: a word that is empty or holds a space, or a file that cannot be written.
    """
    write_rows(path, vectors.words, vectors.rows)


def write_rows(
    path: Path,
    words: Iterable[str] | Iterable[bytes],
    rows: Float[np.ndarray, "words numbers"],
    binary: bool | None = None,
) -> None:
    """Write rows, which may be a strided view of a larger table, with their words, in order.

    `binary` says which format; None: what the name of the file says, as `write_vectors` has it.

    Raises:
        InputError: as `write_vectors`, and more or fewer words than rows.
    """
    suffixes = [one.lower() for one in path.suffixes]
    packed = suffixes[-1:] == [".gz"]
    if binary is None:
        binary = (suffixes[:-1] if packed else suffixes)[-1:] == [".bin"]
    names = iter(words)
    with _writing(path), written_whole(path) as plain, _packing(plain, packed) as file:
        file.write(b"%d %d\n" % rows.shape)
        count = max(1, NUMBERS // max(1, rows.shape[1]))
        for start in range(0, len(rows), count):
            part = np.ascontiguousarray(rows[start : start + count], dtype="<f4")
            of_part = [_encoded(path, word) for word in islice(names, len(part))]
            if len(of_part) != len(part):
                raise InputError(f"{path}: {start + len(of_part):,} words for {len(rows):,} vectors; expected as many")
            file.write(_binary(of_part, part) if binary else _text(of_part, part))
        if next(names, None) is not None:
            raise InputError(f"{path}: more words than the {len(rows):,} vectors; expected as many")


def _binary(words: list[bytes], rows: Float[np.ndarray, "words numbers"]) -> bytes:
    size = 4 * rows.shape[1]
    numbers = rows.tobytes()
    return b"".join(b"%b %b\n" % (word, numbers[place * size : (place + 1) * size]) for place, word in enumerate(words))


def _text(words: list[bytes], rows: Float[np.ndarray, "words numbers"]) -> bytes:
    numbers = rows.astype(np.float32).astype("S").tolist()  # the fewest digits that bring back the same number
    return b"".join(b"%b %b\n" % (word, b" ".join(row)) for word, row in zip(words, numbers, strict=True))


def _encoded(path: Path, word: str | bytes) -> bytes:
    found = word if isinstance(word, bytes) else word.encode()
    if not found or any(parting in found for parting in PARTING):
        raise InputError(
            f"{path}: the word {found.decode(errors='replace')!r} cannot be written: the format parts words by "
            "spaces; expected words without"
        )
    return found


@contextmanager
def _packing(file: BinaryIO, packed: bool) -> Iterator[BinaryIO | gzip.GzipFile]:
    if not packed:
        yield file
        return
    with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as gzipped:  # no name, no time: the same bytes each time
        yield gzipped


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """A disk that is full or a folder that cannot be written is the user's to mend."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise InputError(f"{path}: cannot be written ({reason}); make room, or write it elsewhere") from None
