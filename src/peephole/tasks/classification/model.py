"""`ClassificationModel`: a label for a sequence."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from peephole import divergence
from peephole.data.classification.changing import Changing
from peephole.data.classification.config import ClassificationData
from peephole.data.classification.encoding import ClassificationEncoding
from peephole.data.classification.preparing import prepare
from peephole.data.sequences.batches import SequenceBatch
from peephole.data.sequences.store import Pair
from peephole.models.heads import Pooled
from peephole.models.inputs import Convolution, Numbers
from peephole.models.perceptron import Perceptron
from peephole.models.sequence import SequenceModel
from peephole.tasks.classification.answer import ClassifiedSequence
from peephole.tasks.classification.answering import Answering
from peephole.tasks.classification.metrics import classified, metrics, table
from peephole.tasks.classification.naive import majority, naive_bayes, nearest_neighbour, targets_of
from peephole.tasks.classification.settings import ClassificationTask
from peephole.tasks.examples.confusion import Confusion
from peephole.tasks.examples.model import ExamplesModel
from peephole.tasks.examples.reliability import Reliability
from peephole.tasks.examples.scores import Metrics, Scores
from peephole.tasks.examples.settings import ExamplesTask
from peephole.writing import write_whole

NAMED = 3  # skipped sequences that scores name


class ClassificationModel(ExamplesModel):
    """Learn a label for whole sequences: time series (.ts), tables (.csv), labelled texts, folders of recordings.

    The net reads a sequence from both ends, or with --directions one from the beginning alone, so that it can follow a
    stream; what it makes of the steps is pooled over time. It is judged by the share of sequences that are right.
    """

    settings: ClassVar[type[ExamplesTask]] = ClassificationTask
    unit: ClassVar[str] = "sequences"
    items: ClassVar[str] = "sequences"
    task: ClassificationTask
    encoding: ClassificationEncoding
    model: SequenceModel | Perceptron

    @staticmethod
    def prepare(data: ClassificationData, folder: Path) -> ClassificationEncoding:
        return prepare(data, folder)

    @staticmethod
    def encoding_from(values: dict[str, Any]) -> ClassificationEncoding:
        return ClassificationEncoding.from_dict(values)

    def new_net(self) -> SequenceModel | Perceptron:
        config, encoding = self.task.model, self.encoding
        layer: nn.Module
        if encoding.kind == "symbols":
            layer = nn.Embedding(len(encoding.symbols), config.embedding_size)
        elif config.kernel:
            layer = Convolution(len(encoding.mean), config.embedding_size, config.kernel, config.stride)
        else:
            layer = Numbers(len(encoding.mean))
        labels, rate = len(encoding.labels), config.answer_dropout
        if self.task.net == "mlp":
            head = Pooled(config.hidden_size, labels, config.pool, rate=rate)
            return Perceptron(layer, config.hidden_size, head, config.dropout)
        head = Pooled(config.width, labels, config.pool, config.bidirectional, rate)
        return SequenceModel(layer, config, head)

    # --- training ---

    def change(self) -> Callable[[Pair, Any], Pair] | None:
        training = self.task.training
        changing = Changing(
            cut=training.cut,
            stretch=training.stretch,
            noise=training.input_noise,
            hide_steps=training.hide_steps,
            hide_features=training.hide_features,
        )
        return changing if changing.any else None

    @cached_property
    def _class_weights(self) -> Tensor | None:
        """What a sequence of each label counts `[labels]`, on average 1."""
        if self.task.training.class_weights == "none":
            return None
        counts = np.bincount(targets_of(self.part("train")), minlength=len(self.encoding.labels))
        return torch.from_numpy(counts.sum() / (len(counts) * np.maximum(counts, 1))).float()

    def divergence(self, outputs: Tensor, batch: SequenceBatch) -> Tensor:
        classes = None if self._class_weights is None else self._class_weights.to(outputs.device)
        return divergence.kl(outputs, batch.targets, batch.weights, classes)

    def errors(self, outputs: Tensor, batch: SequenceBatch) -> float:
        return float(((outputs.argmax(-1) != batch.targets) * batch.weights).sum())

    def describe(self) -> list[str]:
        encoding = self.encoding
        first, *others = super().describe()
        lengths = self.part("train").lengths
        steps = f"{lengths.min()}" if lengths.min() == lengths.max() else f"{lengths.min()} to {lengths.max()}"
        kinds = {
            "symbols": f"{len(encoding.symbols) - 1:,} different characters",
            "numbers": "one number a step" if len(encoding.mean) == 1 else f"{len(encoding.mean)} numbers a step",
            "sound": f"{len(encoding.mean)} bands of sound a step",
        }
        about = f"{len(encoding.labels)} labels; {steps} steps, {kinds[encoding.kind]}"
        return [first, about, *self._remarks(), *others]

    # --- scores ---

    def scores(self, part: str) -> Scores:
        found = classified(self.outputs(self.model, part))
        hits = found.right == found.answers
        return Scores(
            part=part.replace("_", " "),
            counted=f"{len(hits):,} sequences, {len(self.encoding.labels)} labels",
            metrics={**metrics(found.right, found.answers), "nats": float(found.surprisals.mean())},
            pictures=(
                ("Confusion", Confusion.of(self.encoding.labels, found.right, found.answers)),
                ("Reliability", Reliability.of(found.confidences, hits)),
            ),
            tables=(table(found, self.encoding.labels),),
            notes=tuple(self._remarks()),
        )

    def naive(self, part: str) -> Mapping[str, Metrics]:
        """The most frequent label, and the nearest neighbour, or of texts naive Bayes; kept beside the data."""
        path = self.data_folder / f"naive-{part}.json"
        if path.is_file():
            return json.loads(path.read_bytes())
        train, asked = self.part("train"), self.part(part)
        right = targets_of(asked)
        found = {"most frequent label": metrics(right, majority(train, asked))}
        if self.encoding.kind == "symbols":
            found["naive Bayes"] = metrics(right, naive_bayes(train, asked))
        else:
            numbers, answers, name = nearest_neighbour(train, asked)
            found[name] = metrics(right[numbers], answers)
        write_whole(path, json.dumps(found).encode())
        return found

    def _remarks(self) -> list[str]:
        """What was changed in the files, and what was left out; nothing where that is gone."""
        path = self.data_folder / "sequences.json"
        files = json.loads(path.read_bytes())["files"] if path.is_file() else {}
        remarks: list[str] = []
        for said in files.values():
            remarks += said["notes"]
            skipped = said["skipped"]
            if skipped:
                more = f"; and {len(skipped) - NAMED} more" if len(skipped) > NAMED else ""
                remarks.append(f"skipped {len(skipped):,} of the sequences: {'; '.join(skipped[:NAMED])}{more}")
        return remarks

    # --- answers ---

    def predict(self, files: Sequence[Path]) -> Iterator[ClassifiedSequence]:
        return Answering(self.model, self.encoding, self.task.data).of_files(files)

    def follow(self, lines: Iterator[str], name: str) -> Iterator[ClassifiedSequence]:
        return Answering(self.model, self.encoding, self.task.data).of_lines(lines, name)
