"""What training found in its labelled sequences, and how an item becomes numbers by it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from peephole.data.classification.item import Item
from peephole.data.sound.filterbank import Filterbank
from peephole.errors import InputError

Kind = Literal["numbers", "symbols", "sound"]
UNKNOWN = "<unk>"  # symbol 0, for characters that training did not have


@dataclass(frozen=True)
class ClassificationEncoding:
    """All that turns a sequence into arrays and an answer into its label; of the training part alone.

    Attributes:
        kind: `numbers` and `sound` become features `[T, I]`, `symbols` characters `[T]`.
        labels: the labels in order; an answer is the place of one.
        features: the names of the features, where a table gives them.
        mean, scale: of each feature, which are taken off and divided by. A missing value becomes the mean.
        symbols: the characters, unknown first; the input is the place of one.
        filterbank: how a recording becomes features.
    """

    kind: Kind
    labels: tuple[str, ...]
    features: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    symbols: tuple[str, ...] = ()
    filterbank: Filterbank | None = None

    def as_dict(self) -> dict[str, Any]:
        """The encoding in JSON's types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> "ClassificationEncoding":
        """What `as_dict` gave."""
        lists = {name: tuple(value) for name, value in saved.items() if isinstance(value, list | tuple)}
        filterbank = None if saved["filterbank"] is None else Filterbank(**saved["filterbank"])
        return replace(cls(saved["kind"], ()), **lists, filterbank=filterbank)

    def inputs(self, item: Item) -> NDArray[np.float32] | NDArray[np.int64]:
        """Features `[T, I]`, or characters `[T]`, of an item. A recording is read.

        Raises:
            InputError: another kind of item, another number of features, nothing in it.
        """
        content = item.content
        if isinstance(content, Path) and self.filterbank is not None:
            content = self.filterbank.of(content)
        if isinstance(content, str) and self.kind == "symbols":
            arrays = self.characters(content)
        elif isinstance(content, np.ndarray) and self.kind != "symbols":
            arrays = self.normalised(content, item.name)
        else:
            raise InputError(f"{item.name}: expected {self._expected()}, as in training; give those")
        if not len(arrays):
            raise InputError(f"{item.name}: nothing in it; expected {self._expected()}; leave it out")
        return arrays

    def normalised(self, values: NDArray[np.float32], name: str) -> NDArray[np.float32]:
        """`values` `[T, I]` without their mean, in units of their scale; what is missing becomes zero."""
        if values.shape[1] != len(self.mean):
            raise InputError(f"{name}: {values.shape[1]} values a step; expected {len(self.mean)}, as in training")
        scaled = (values - np.asarray(self.mean)) / np.asarray(self.scale)  # in float64: means may be large
        return np.nan_to_num(scaled, nan=0.0).astype(np.float32)

    def characters(self, text: str) -> NDArray[np.int64]:
        """The places of the characters `[T]`; 0 of one that training did not have."""
        places = {symbol: place for place, symbol in enumerate(self.symbols)}
        return np.array([places.get(character, 0) for character in text], np.int64)

    def place(self, label: str | None, name: str) -> int:
        """The place of a label. `InputError`, with the item's `name`, for one that training did not have."""
        if label not in self.labels:
            some = ", ".join(self.labels[:10]) + (", ..." if len(self.labels) > 10 else "")
            raise InputError(f"{name}: label {label!r}; expected one that training had, {some}; mend it")
        return self.labels.index(label)

    def _expected(self) -> str:
        texts = {"numbers": f"steps of {len(self.mean)} numbers", "symbols": "a text", "sound": "a recording"}
        return texts[self.kind]
