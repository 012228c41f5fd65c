"""All sequences of some files, as they are, in one array on disk: files are read once, whatever is asked of them."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from peephole.data.classification.config import ClassificationData
from peephole.data.classification.item import Item, Skipped
from peephole.data.classification.sources import items_of
from peephole.data.sequences.preparing import prepared
from peephole.data.sequences.store import Pair, Part, write_part
from peephole.data.sound.filterbank import Filterbank
from peephole.data.sound.recordings import silent, sound_of
from peephole.errors import InputError


@dataclass(frozen=True, eq=False)
class Gathered:
    """The sequences of some files.

    Attributes:
        raw: numbers `[steps, I]`, or the code points of characters `[steps]`, of each.
        labels: of each, in order.
        places: where each label was first met.
        matched: of each, whether `test_match` says that it is for the test part, `[sequences]`.
        skipped: what was left out.
        notes: sentences about what was changed.
    """

    raw: Part
    labels: tuple[str, ...]
    places: dict[str, str]
    matched: NDArray[np.bool_]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]


class Gathering:
    """Reads files of one kind into `folder`; recordings in parallel, with `shards` for what is done already."""

    def __init__(self, data: ClassificationData, kind: str, folder: Path, shards: Path) -> None:
        self.data, self.kind, self.folder, self.shards = data, kind, folder, shards
        self.filterbank: Filterbank | None = None  # of the first files that are read

    def gather(self, name: str, paths: Sequence[Path]) -> Gathered:
        """Read `paths`, into a folder called `name`.

        Raises:
            InputError: whatever the readers refuse, sequences of another number of features than those before them, or
                nothing to read.
        """
        self.labels: list[str] = []
        self.places: dict[str, str] = {}
        self.matched: list[bool] = []
        self.skipped: list[Skipped] = []
        self.interpolated = self.changed = self.averaged = 0
        self.width: int | None = None
        items = items_of(paths, self.kind, self.data, self.skipped)
        arrays = self._recordings(list(items)) if self.kind == "sound" else self._contents(items)
        raw = write_part(self.folder / name, arrays)
        notes: list[str] = []
        if self.interpolated:
            notes.append(f"{self.interpolated:,} missing values are interpolated")
        if self.changed:
            assert self.filterbank is not None
            notes.append(f"{self.changed:,} recordings of another rate are resampled to {self.filterbank.rate:,} Hz")
        if self.averaged:
            notes.append(f"{self.averaged:,} recordings have several channels, of which the mean is taken")
        return Gathered(
            raw, tuple(self.labels), self.places, np.array(self.matched, bool), tuple(self.skipped), tuple(notes)
        )

    def _contents(self, items: Iterable[Item]) -> Iterator[Pair]:
        for item in items:
            self._hear(item)
            content = item.content
            if isinstance(content, str):
                yield np.frombuffer(content.encode("utf-32-le", "surrogatepass"), np.int32), np.zeros(1, np.int8)
                continue
            assert isinstance(content, np.ndarray)
            self.width = content.shape[1] if self.width is None else self.width
            if content.shape[1] != self.width:
                raise InputError(
                    f"{item.name}: {content.shape[1]} values a step; expected {self.width}, as in the sequences before"
                )
            yield content, np.zeros(1, np.int8)

    def _recordings(self, items: Sequence[Item]) -> Iterator[Pair]:
        kept: list[Path] = []
        rates: Counter[int] = Counter()
        for item in items:
            assert isinstance(item.content, Path)
            reason = silent(item.content, self.data.hop_milliseconds)
            if reason is not None:
                self.skipped.append(Skipped(item.name, reason))
                continue
            self._hear(item)
            _, rate, channels = sound_of(item.content)
            rates[rate] += 1
            self.averaged += channels > 1
            kept.append(item.content)
        if self.filterbank is None and kept:
            rate = self.data.rate or rates.most_common(1)[0][0]
            self.filterbank = Filterbank(
                rate, self.data.bands, self.data.frame_milliseconds, self.data.hop_milliseconds
            )
        if self.filterbank is None:
            return
        self.changed = rates.total() - rates[self.filterbank.rate]
        seen = [path.stat() for path in kept]  # a file that changes is read again
        key = repr((self.filterbank, [(one.st_size, one.st_mtime_ns) for one in seen]))
        for frames in prepared(kept, self.filterbank.of, self.shards, key, self.data.workers):
            yield frames, np.zeros(1, np.int8)

    def _hear(self, item: Item) -> None:
        label = item.label
        if label is None:
            raise InputError(f"{item.name}: no label; expected labelled sequences to learn from; add labels")
        self.labels.append(label)
        self.places.setdefault(label, item.name)
        self.interpolated += item.interpolated
        found = self.data.test_match is not None and re.search(self.data.test_match, item.name)
        self.matched.append(bool(found))
