"""A matrix that a user hands over as a file: .npy, or numbers as text."""

import re
from pathlib import Path
from tokenize import TokenError
from typing import TYPE_CHECKING

from peephole.errors import InputError

if TYPE_CHECKING:
    import numpy as np

EXPECTED = "expected one square matrix of real numbers, as .npy or as text, a row a line"


def read_matrix(path: Path) -> "np.ndarray":
    """The array, of the floating-point type that it has in the file, integers as float64. `InputError` for all else."""
    import numpy as np

    if path.is_dir():
        raise InputError(f"{path}: is a folder; {EXPECTED}")
    try:
        with path.open("rb") as file:
            start = file.read(6)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({(error.strerror or 'unknown reason').lower()})") from None
    if start[:2] == b"PK":
        raise InputError(f"{path}: an archive of several arrays; {EXPECTED}")
    found = _load(path) if start == np.lib.format.MAGIC_PREFIX or path.suffix == ".npy" else _read_text(path)
    if found.dtype.kind not in "fiu":
        raise InputError(f"{path}: holds {found.dtype}; {EXPECTED}")
    if found.ndim != 2 or found.shape[0] != found.shape[1] or not len(found):
        raise InputError(f"{path}: has shape {list(found.shape)}; {EXPECTED}")
    # In the machine's order of bytes; torch has no floats longer than 64 bits.
    kept = found.dtype.kind == "f" and found.dtype.itemsize <= 8
    found = found.astype(found.dtype.newbyteorder("=") if kept else np.float64)
    wrong = int(np.count_nonzero(~np.isfinite(found)))
    if wrong:
        raise InputError(f"{path}: {wrong} of {found.size} numbers are not finite; {EXPECTED}")
    return found


def _load(path: Path) -> "np.ndarray":
    import numpy as np

    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError, TokenError, SyntaxError) as error:
        reason = " ".join(str(error).split()) or "cut short"
        raise InputError(f"{path}: damaged, or no array of numbers ({reason}); {EXPECTED}") from None


def _read_text(path: Path) -> "np.ndarray":
    import numpy as np

    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{path}: neither .npy nor text; {EXPECTED}") from None
    rows: list[list[float]] = []
    for place, line in enumerate(lines, 1):
        words = re.split(r"\s*[,;\t]\s*|\s+", line.partition("#")[0].strip().strip(","))
        if words == [""]:
            continue
        rows.append([_number(word, f"{path}: line {place}") for word in words])
        if len(rows[-1]) != len(rows[0]):
            raise InputError(
                f"{path}: line {place} has {len(rows[-1])} numbers, those before {len(rows[0])}; {EXPECTED}"
            )
    return np.array(rows, dtype=np.float64)


def _number(word: str, where: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise InputError(f"{where}: {word!r} is no number; {EXPECTED}") from None
