"""Nets that start from vectors of words made elsewhere: `--vectors`, `--frozen-vectors`."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from peephole.embed.files.reading import read_vectors, read_width
from peephole.embed.vectors import Vectors
from peephole.errors import InputError
from peephole.runs.folder import Run, process_rank
from peephole.runs.tensors import read_tensors, write_tensors
from peephole.train.checkpoint import find_checkpoint

Task = TypeVar("Task")
WEIGHTS = ("vectors.bin", "model.safetensors")  # where the vectors of a run are: of skip-gram and CBOW, of a net
ELSEWHERE = {"<eos>": "</s>"}  # what word2vec spells otherwise: the end of a line


@dataclass(frozen=True, eq=False)
class Start:
    """What a net starts from.

    Attributes:
        source: where the vectors come from.
        places: the numbers of the words that have one, `[K]`.
        rows: theirs, `[K, M]`.
        words: how many words the net knows.
    """

    source: str
    places: Tensor
    rows: Tensor
    words: int

    @property
    def said(self) -> str:
        return f"vectors of {len(self.places):,} of {self.words:,} words from {self.source}"

    @torch.no_grad()
    def give(self, embedding: nn.Embedding) -> None:
        """Give the words their vectors; the others keep those that were drawn.

        All are scaled by one factor, so that their numbers are as large, in mean square, as those that were drawn: how
        long vectors of words are depends on who made them, and what follows expects the usual start.
        """
        drawn = embedding.weight.square().mean().sqrt()
        rows = self.rows.to(embedding.weight)
        embedding.weight[self.places.to(rows.device)] = rows * (drawn / rows.square().mean().sqrt())


def pinned(task: Task) -> Task:
    """The settings with what the file of their vectors holds, as SHA-256.

    Raises:
        InputError: it cannot be read, or its vectors are wider or narrower than the net's.
    """
    given: Any = task
    if given.model.vectors is None or given.vectors_sha256 is not None:
        return task
    width, wanted = width_of(given.model.vectors), given.model.embedding_size
    if width != wanted:
        raise InputError(
            f"{given.model.vectors}: vectors of {width:,} numbers, and --embedding-size is {wanted:,}; pass "
            f"--embedding-size {width}"
        )
    return replace(given, vectors_sha256=_digest(given.model.vectors))


def start_of(run: Run, task: Any, names: Sequence[str], kept: Run | None = None) -> Start | None:
    """What the net of a run starts from, where its settings name vectors; the words with numbers 0, 1, … are `names`.

    A name that is empty is no word. Found once and kept in the folder of `kept`, the run itself unless given, so that
    the file is not needed again. None too where it was not kept, and the run has weights.

    Raises:
        InputError: the file is gone or was changed, or has a vector for none of the words.
    """
    kept = kept or run
    if task.model.vectors is None:
        return None
    if not kept.vectors_path.is_file():
        if run.model_path.exists() or find_checkpoint(run.checkpoint_folder):
            return None
        if process_rank():
            Run.wait_for(kept.folder, kept.vectors_path.name)
        else:
            _keep(kept, task, names)
    found = read_tensors(kept.vectors_path)
    try:
        start = Start(found["source"], found["places"], found["rows"], found["words"])
    except (KeyError, TypeError):
        start = None
    if start is None or start.rows.shape[1] != task.model.embedding_size or int(start.places.max()) >= len(names):
        raise InputError(f"{kept.vectors_path}: does not fit config.json; restore both from one run")
    return start


def width_of(path: Path) -> int:
    """How many numbers the vectors have that `--vectors` names."""
    file = _file_of(path)
    return _opened(path).rows.shape[1] if file.suffix == ".safetensors" else read_width(file)


def _opened(path: Path) -> Vectors:
    if not _is_run(path):
        return read_vectors(path)
    from peephole.tasks.vectors import vectors_from  # which opens nets that start here

    return vectors_from(path)[0]


def _is_run(path: Path) -> bool:
    return (path / "config.json").is_file()


def _file_of(path: Path) -> Path:
    """The file that vectors are in: of a run, one in its folder."""
    if not _is_run(path):
        return path
    found = next((path / name for name in WEIGHTS if (path / name).is_file()), None)
    if found is None:
        raise InputError(f"{path}: a run that has no vectors yet; let it train to its end first")
    return found


def _digest(path: Path) -> str:
    try:
        with _file_of(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({(error.strerror or 'unknown reason').lower()})") from None


def _keep(run: Run, task: Any, names: Sequence[str]) -> None:
    """Write the vectors of `names` into the run."""
    path = task.model.vectors
    if task.vectors_sha256 not in (None, _digest(path)):
        raise InputError(f"{path}: changed since the run began; restore it, or train anew")
    vectors = _opened(path)
    found = [_place(vectors.places, name) for name in names]
    places = [place for place, row in enumerate(found) if row is not None]
    if not places:
        some = ", ".join(repr(name) for name in names[-3:])
        raise InputError(
            f"{path}: has a vector for none of the {len(names):,} words, such as {some}; expected vectors of the same "
            "language, and of words where the text is read as words (--tokens word)"
        )
    rows = np.ascontiguousarray(vectors.rows[[row for row in found if row is not None]])
    if not rows.any():
        raise InputError(f"{path}: the vectors of the {len(places):,} words that it knows are zeros; expected others")
    numbers = {"places": torch.tensor(places), "rows": torch.from_numpy(rows)}
    write_tensors(run.vectors_path, {**numbers, "source": str(path), "words": sum(map(bool, names))})


def _place(places: dict[str, int], name: str) -> int | None:
    """Where a word stands: as it is, else in lower case, else as word2vec spells it."""
    spellings = (name, name.lower(), ELSEWHERE.get(name, name))
    return next((places[spelling] for spelling in spellings if spelling in places), None)
