"""Sequences from files or a pipe to labels."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from peephole.data.classification.config import ClassificationData
from peephole.data.classification.encoding import ClassificationEncoding
from peephole.data.classification.item import Item, Skipped
from peephole.data.classification.sources import format_of, items_of
from peephole.data.classification.table_columns import check_features
from peephole.data.sequences.batches import batch_of
from peephole.data.sound.recordings import silent
from peephole.errors import InputError
from peephole.models.following import Following
from peephole.models.perceptron import Perceptron
from peephole.models.sequence import SequenceModel
from peephole.tasks.classification.answer import ClassifiedSequence

logger = logging.getLogger(__name__)

KINDS = {"ts": "numbers", "csv": "numbers", "text": "symbols", "sound": "sound"}
TOGETHER = 32  # sequences that are answered at once


class Answering:
    """A net with what it needs to read new sequences."""

    def __init__(
        self, model: SequenceModel | Perceptron, encoding: ClassificationEncoding, data: ClassificationData
    ) -> None:
        self.model, self.encoding, self.data = model.eval(), encoding, data

    def of_files(self, files: Sequence[Path]) -> Iterator[ClassifiedSequence]:
        """An answer to each sequence of files in a format of training's kind; labels in them are not looked at.

        Raises:
            InputError: files of another kind, or a sequence that cannot be read.
        """
        kind = format_of(files, self.data)
        if KINDS[kind] != self.encoding.kind:
            raise InputError(f"{files[0]}: {KINDS[kind]}; expected {self.encoding.kind}, which the net has learnt from")
        if kind == "csv":
            check_features(files, self.data, self.encoding.features)
        skipped: list[Skipped] = []
        waiting: list[Item] = []
        for item in items_of(files, kind, self.data, skipped, labelled=False):
            reason = silent(item.content, self.data.hop_milliseconds) if isinstance(item.content, Path) else None
            if reason is not None:
                skipped.append(Skipped(item.name, reason))
                continue
            waiting.append(self._bare(item))
            if len(waiting) == TOGETHER:
                yield from self._answered(waiting)
                waiting = []
        if waiting:
            yield from self._answered(waiting)
        for one in skipped:
            logger.warning("%s skipped: %s", one.name, one.reason)

    def of_lines(self, lines: Iterator[str], name: str) -> Iterator[ClassifiedSequence]:
        """Answers to what comes line by line: texts, names of recordings, or the numbers of a step.

        An empty line ends a sequence of steps. A net of one direction answers at every step what it makes of the
        sequence so far; one of both answers at its end.
        """
        if self.encoding.kind == "numbers":
            yield from self._steps(lines, name)
            return
        for number, line in enumerate(lines, 1):
            text = line.strip()
            if text:
                content = text if self.encoding.kind == "symbols" else Path(text)
                where = f"line {number}" if self.encoding.kind == "symbols" else text
                yield from self._answered([Item(where, None, content)])

    def _bare(self, item: Item) -> Item:
        """Without the label that a line of text begins with in files of training."""
        if isinstance(item.content, str):
            label, _, text = item.content.partition("\t")
            if label.strip() in self.encoding.labels and text.strip():
                return replace(item, content=text.strip())
        return item

    def _steps(self, lines: Iterator[str], name: str) -> Iterator[ClassifiedSequence]:
        following = None
        if isinstance(self.model, SequenceModel) and not self.model.config.bidirectional:
            following = Following(self.model)
        sequence, steps = 1, list[NDArray[np.float32]]()
        for number, line in enumerate(lines, 1):
            if line.strip():
                steps.append(self._step(line, f"{name}, line {number}"))
                if following is not None:
                    outputs = following.step(torch.from_numpy(steps[-1])[None])
                    if outputs is not None:
                        yield self._answer(f"sequence {sequence}, step {len(steps)}", outputs[0])
            elif steps:
                if following is None:
                    yield self._together([np.stack(steps)], [f"sequence {sequence}"])[0]
                else:
                    following.reset()
                sequence, steps = sequence + 1, []
        if steps and following is None:
            yield self._together([np.stack(steps)], [f"sequence {sequence}"])[0]

    def _step(self, line: str, place: str) -> NDArray[np.float32]:
        """The numbers of a step `[I]`, as training had them."""
        try:
            values = np.array([float(word) for word in line.replace(",", " ").split()])
        except ValueError:
            raise InputError(f"{place}: got {line.strip()[:40]!r}; expected numbers with spaces between") from None
        if not np.isfinite(values).all():
            raise InputError(f"{place}: got {line.strip()[:40]!r}; expected finite numbers")
        return self.encoding.normalised(values.astype(np.float32)[None], place)[0]

    def _answered(self, items: Sequence[Item]) -> list[ClassifiedSequence]:
        return self._together([self.encoding.inputs(item) for item in items], [item.name for item in items])

    @torch.no_grad()
    def _together(
        self, inputs: Sequence[NDArray[np.float32] | NDArray[np.int64]], names: Sequence[str]
    ) -> list[ClassifiedSequence]:
        batch = batch_of([(one, np.zeros(1, np.int64)) for one in inputs])
        device = next(self.model.parameters()).device
        outputs = self.model(batch.inputs.to(device), lengths=batch.lengths.to(device))[0][0].float().cpu()
        return [self._answer(name, row) for name, row in zip(names, outputs, strict=True)]

    def _answer(self, name: str, logits: Float[Tensor, " labels"]) -> ClassifiedSequence:
        return ClassifiedSequence.of(name, self.encoding.labels, logits.float().softmax(-1).tolist())
