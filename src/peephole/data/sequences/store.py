"""A part of a data set: many sequences in a few flat arrays, read through a memory map."""

import hashlib
import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peephole.errors import InputError
from peephole.writing import sync_folder, write_whole

Array = NDArray[Any]
Pair = tuple[Array, Array]  # inputs [T, …] and targets [T, …], [1, …] or [U, …] of one sequence
REMEDY = "remove the run's folder data to prepare it anew, or train again"


@dataclass(frozen=True, eq=False)
class Part:
    """Sequences of one part, memory-mapped and read-only.

    Attributes:
        inputs: of all sequences one after another, `[steps, …]`.
        targets: one for each step, one for each sequence, or of each sequence as many as it has.
        ends: the number of steps up to and with each sequence, `[sequences]`.
        answered: whether there is one target a sequence rather than one a step.
        target_ends: the number of targets up to and with each sequence, `[sequences]`, where there are as many as a
            sequence has; else None.
    """

    inputs: Array
    targets: Array
    ends: NDArray[np.int64]
    answered: bool
    target_ends: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Steps of each sequence, `[sequences]`."""
        return np.diff(self.ends, prepend=0)

    @property
    def target_lengths(self) -> NDArray[np.int64]:
        """Targets of each sequence, `[sequences]`."""
        if self.target_ends is not None:
            return np.diff(self.target_ends, prepend=0)
        return np.ones(len(self), dtype=np.int64) if self.answered else self.lengths

    def sequence(self, number: int) -> Pair:
        """Inputs `[T, …]` and targets `[T, …]`, `[1, …]` or `[U, …]` of one sequence."""
        place = _place(self.ends, number)
        if self.answered:
            return self.inputs[place], self.targets[number : number + 1]
        return self.inputs[place], self.targets[place if self.target_ends is None else _place(self.target_ends, number)]


def _place(ends: NDArray[np.int64], number: int) -> slice:
    """Where the sequence of that number lies."""
    return slice(int(ends[number - 1]) if number else 0, int(ends[number]))


def write_part(folder: Path, sequences: Iterable[Pair], ragged: bool = False) -> Part:
    """Write sequences into `folder`, which appears only when it is whole, in the memory of one sequence at a time.

    All sequences have inputs of one type and width, and targets likewise: one a step or one a sequence, or where it is
    `ragged` any number of them. Raises `InputError` where there is no sequence, and ValueError for one of another kind
    than those before it.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    ends: list[int] = [0]
    target_ends: list[int] = [0]
    first: Pair | None = None
    answered = stepped = not ragged
    try:
        with (partial / "inputs.bin").open("wb") as inputs_file, (partial / "targets.bin").open("wb") as targets_file:
            for inputs, targets in sequences:
                answered, stepped = answered and len(targets) == 1, stepped and len(targets) == len(inputs)
                if not (answered or stepped or ragged):
                    raise ValueError(
                        f"{len(targets)} targets of {len(inputs)} steps, other than the sequences before it"
                    )
                if first is None:
                    first = inputs[:0], targets[:0]
                for array, like in zip((inputs, targets), first, strict=True):
                    if array.dtype != like.dtype or array.shape[1:] != like.shape[1:]:
                        raise ValueError(f"{array.dtype} {array.shape} after {like.dtype} {like.shape}")
                inputs_file.write(np.ascontiguousarray(inputs).data)
                targets_file.write(np.ascontiguousarray(targets).data)
                ends.append(ends[-1] + len(inputs))
                target_ends.append(target_ends[-1] + len(targets))
        if first is None:
            raise InputError(f"the {folder.name.replace('_', '-')} part has no sequences; give more data")
        described = {
            "inputs": [first[0].dtype.str, list(first[0].shape[1:])],
            "targets": [first[1].dtype.str, list(first[1].shape[1:])],
            "sequences": len(ends) - 1,
            "answered": answered,
            "ragged": ragged,
        }
        write_whole(partial / "ends.bin", np.asarray(ends[1:], dtype=np.int64).tobytes())
        if ragged:
            write_whole(partial / "target_ends.bin", np.asarray(target_ends[1:], dtype=np.int64).tobytes())
        write_whole(partial / "part.json", json.dumps(described).encode())
        partial.replace(folder)
        sync_folder(folder.parent)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({(error.strerror or '').lower()}); make room") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return open_part(folder)


def open_part(folder: Path) -> Part:
    """What `write_part` wrote. `InputError` where it is missing or damaged."""
    try:
        described = json.loads((folder / "part.json").read_bytes())
        ends = _read_ends(folder / "ends.bin", described["sequences"])
        ragged = described.get("ragged", False)
        target_ends = _read_ends(folder / "target_ends.bin", described["sequences"]) if ragged else None
        arrays: list[Array] = []
        steps = int(ends[-1])
        answers = len(ends) if described["answered"] else steps if target_ends is None else int(target_ends[-1])
        counts = {"inputs": steps, "targets": answers}
        for name, count in counts.items():
            kind, shape = described[name]
            path, dtype = folder / f"{name}.bin", np.dtype(kind)
            size = count * dtype.itemsize * int(np.prod(shape))
            if path.stat().st_size != size:
                raise InputError(f"{path}: damaged: {path.stat().st_size:,} bytes, expected {size:,}; {REMEDY}")
            whole = (
                np.memmap(path, dtype, mode="r", shape=(count, *shape)) if size else np.zeros((count, *shape), dtype)
            )
            arrays.append(np.asarray(whole))
        return Part(arrays[0], arrays[1], ends, bool(described["answered"]), target_ends)
    except OSError as error:
        raise InputError(f"{error.filename}: missing ({(error.strerror or '').lower()}); {REMEDY}") from None
    except (KeyError, TypeError, ValueError, IndexError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{folder}: damaged: expected what was written when it was prepared; {REMEDY}") from None


def _read_ends(path: Path, count: int) -> NDArray[np.int64]:
    ends = np.fromfile(path, dtype=np.int64)
    if len(ends) != count or (np.diff(ends, prepend=0) < 0).any():
        raise InputError(f"{path}: damaged; {REMEDY}")
    return ends


def digest_of(folder: Path) -> str:
    """SHA-256 of every file in a folder of parts, with its name."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder)} ".encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def padded(sequences: Sequence[Array], steps: int) -> Array:
    """Sequences `[T, …]` side by side, `[steps, B, …]`, with zeros after the end of each."""
    first = sequences[0]
    whole = np.zeros((steps, len(sequences), *first.shape[1:]), dtype=first.dtype)
    for row, sequence in enumerate(sequences):
        whole[: len(sequence), row] = sequence
    return whole
