"""`TaggingModel`: labels for the words of sentences."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from peephole import divergence
from peephole.data.sequences.batches import SequenceBatch
from peephole.data.sequences.store import REMEDY
from peephole.data.tagging.config import TaggingData
from peephole.data.tagging.encoding import FIRST, UNKNOWN, TaggingEncoding
from peephole.data.tagging.preparing import prepare
from peephole.data.tagging.reading import numbered_lines
from peephole.errors import InputError
from peephole.models.perceptron import Perceptron
from peephole.models.sequence import SequenceModel
from peephole.models.words import WordsAndCharacters
from peephole.runs.folder import process_rank
from peephole.tasks.beginning import Start, pinned, start_of
from peephole.tasks.examples.answer import Answer
from peephole.tasks.examples.confusion import Confusion
from peephole.tasks.examples.model import MEASURED, ExamplesModel
from peephole.tasks.examples.reliability import Reliability
from peephole.tasks.examples.scores import Metrics, Scores
from peephole.tasks.tagging.answering import answered, followed
from peephole.tasks.tagging.items import read_lines, sentences
from peephole.tasks.tagging.metrics import Labelled, labelled, metrics, tables
from peephole.tasks.tagging.most_frequent import MostFrequent
from peephole.tasks.tagging.settings import TaggingTask

NAMED = 3  # skipped sentences that scores name


class TaggingModel(ExamplesModel):
    """Learn a label for every word of a sentence: parts of speech, names (B-, I- and O), or any other column of
    CoNLL-U or of plain columns. Words are known by what they are and by how they are spelled.

    The net reads a sentence from both ends, or with --directions one from the beginning alone, so that it can follow a
    stream. Of spans, what it is judged by is their F1; else the share of words that are right.
    """

    settings = TaggingTask
    unit: ClassVar[str] = "words"
    items: ClassVar[str] = "sentences"
    task: TaggingTask
    encoding: TaggingEncoding
    model: SequenceModel | Perceptron
    _start: Start | None  # the vectors that the net began with

    @staticmethod
    def prepare(data: TaggingData, folder: Path) -> TaggingEncoding:
        return prepare(data, folder)

    @staticmethod
    def encoding_from(values: dict[str, Any]) -> TaggingEncoding:
        return TaggingEncoding.from_dict(values)

    @classmethod
    def create(cls, task: TaggingTask, out: Path | str) -> "ExamplesModel":
        return super().create(task if process_rank() else pinned(task), out)

    def new_net(self) -> SequenceModel | Perceptron:
        config = self.task.model
        layer = WordsAndCharacters(
            words=self.encoding.frequent + 1,
            characters=len(self.encoding.characters) + FIRST,
            word_size=config.embedding_size,
            character_size=config.character_size,
            character_hidden=config.character_hidden,
            cell=config.cell,
            word_dropout=config.word_dropout,
        )
        names = ("", *self.encoding.words[: self.encoding.frequent])  # the first is the unknown word
        self._start = start_of(self.run, self.task, names, self._shared(self.run, self.task))
        if self._start is not None:
            self._start.give(layer.words)
        layer.words.requires_grad_(not config.frozen_vectors)
        labels = len(self.encoding.labels)
        if self.task.net == "mlp":
            return Perceptron(layer, config.hidden_size, nn.Linear(config.hidden_size, labels), config.dropout)
        return SequenceModel(layer, config, labels)

    # --- training ---

    @cached_property
    def _class_weights(self) -> Tensor | None:
        """What a word of each label counts `[labels]`, on average 1."""
        if self.task.training.class_weights == "none":
            return None
        counts = np.bincount(self._words("train")[1], minlength=len(self.encoding.labels))
        return torch.from_numpy(counts.sum() / (len(counts) * np.maximum(counts, 1))).float()

    def divergence(self, outputs: Tensor, batch: SequenceBatch) -> Tensor:
        return divergence.kl(outputs, batch.targets, batch.weights, self._class_weights)

    def errors(self, outputs: Tensor, batch: SequenceBatch) -> float:
        return float(((outputs.argmax(-1) != batch.targets) * batch.weights).sum())

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """As for all tasks; of spans, their F1 is what decides."""
        found = super().evaluate(model)
        if self.encoding.spans and "judged" in found:
            some = labelled(self.outputs(model, self.measured_part, MEASURED))
            found["span_f1"] = metrics(some, self.encoding.labels, spans=True)["span F1 %"]
            found["judged"] = 1 - found["span_f1"]
        return found

    def show(self, measured: dict[str, Any]) -> str:
        spans = f", span F1 {measured['span_f1']:.2%}" if "span_f1" in measured else ""
        return super().show(measured) + spans

    def describe(self) -> list[str]:
        encoding = self.encoding
        first, *others = super().describe()
        words = f"{len(encoding.words):,} different words, {encoding.frequent:,} with a vector of their own"
        labels = f"{len(encoding.labels)} labels{' of spans' if encoding.spans else ''}"
        started = [] if self._start is None else [self._start.said]
        return [first, f"{words}; {labels}", *started, *self._remarks(self.parts), *others]

    # --- scores ---

    def scores(self, part: str) -> Scores:
        found = labelled(self.outputs(self.model, part))
        labels, spans = self.encoding.labels, self.encoding.spans
        return Scores(
            part=part.replace("_", " "),
            counted=f"{len(found.ends):,} sentences, {len(found.right):,} words, "
            f"{found.unknown.mean():.1%} of them unknown",
            metrics=metrics(found, labels, spans),
            pictures=(
                ("Confusion", Confusion.of(labels, found.right, found.answers)),
                ("Reliability", Reliability.of(found.confidences, found.right == found.answers)),
            ),
            tables=tables(found, labels, spans),
            notes=tuple(self._remarks([part])),
        )

    def naive(self, part: str) -> Mapping[str, Metrics]:
        """The label that a word has most often in training."""
        (known, labels), (words, right) = self._words("train"), self._words(part)
        answers = MostFrequent.learn(known, labels, len(self.encoding.labels)).answer(words)
        found = Labelled(right, answers, np.ones(len(answers)), words == UNKNOWN, self.part(part).ends)
        return {"most frequent label": metrics(found, self.encoding.labels, self.encoding.spans)}

    def _words(self, part: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The numbers of all words of a part and of their labels, `[words]` each."""
        found = self.part(part)
        return found.inputs[:, 0].astype(np.int64), found.targets.astype(np.int64)

    @cached_property
    def _sentences(self) -> dict[str, Any]:
        """What was said of each part when it was read; nothing where that is gone."""
        path = self.data_folder / "sentences.json"
        try:
            return json.loads(path.read_bytes()) if path.is_file() else {}
        except ValueError as error:
            raise InputError(f"{path}: damaged ({error}); {REMEDY}") from None

    def _remarks(self, parts: Sequence[str]) -> list[str]:
        """What is in the files besides words, and what was left out."""
        remarks: list[str] = []
        for part in parts:
            said = self._sentences.get(part, {})
            name = part.replace("_", "-")
            passed = [f"{count:,} {kind}" for kind, count in said.get("passed over", {}).items()]
            if passed:
                remarks.append(f"{name}: {' and '.join(passed)} in the files are no words")
            skipped = said.get("skipped", [])
            if skipped:
                more = f"; and {len(skipped) - NAMED} more" if len(skipped) > NAMED else ""
                remarks.append(f"{name}: {len(skipped)} sentences skipped: {'; '.join(skipped[:NAMED])}{more}")
        return remarks

    # --- answers ---

    def predict(self, files: Sequence[Path]) -> Iterator[Answer]:
        for file in files:
            lines = (line for _, line in numbered_lines(file, self.task.data.encoding))
            found = read_lines(lines, self.task.data.word_column, str(file))
            yield from answered(self.model, self.encoding, sentences(found))

    def follow(self, lines: Iterator[str], name: str) -> Iterator[Answer]:
        found = read_lines(lines, self.task.data.word_column, name)
        if isinstance(self.model, SequenceModel) and not self.task.model.bidirectional:
            return followed(self.model, self.encoding, found)
        return answered(self.model, self.encoding, sentences(found), together=1)
