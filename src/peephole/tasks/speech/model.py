"""`SpeechModel`: what is said in a recording."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import torch
from torch import Tensor

from peephole import divergence
from peephole.data.sequences.batches import Make, SequenceBatch, batch_of
from peephole.data.sequences.store import Pair, Part
from peephole.data.sound.wave_stream import Bytes
from peephole.data.speech.changing import SpeechChanging
from peephole.data.speech.config import SpeechData
from peephole.data.speech.encoding import SpeechEncoding
from peephole.data.speech.gathering import gather
from peephole.data.speech.preparing import prepare, read_said, write_part_of
from peephole.errors import InputError
from peephole.models.inputs import Convolution, Numbers
from peephole.models.sequence import SequenceModel
from peephole.tasks.examples.model import EXAMINED_STEPS, ExamplesModel
from peephole.tasks.examples.scores import Metrics, Scores
from peephole.tasks.examples.settings import ExamplesTask
from peephole.tasks.speech.answer import HeardWord, Transcript
from peephole.tasks.speech.answering import Answering
from peephole.tasks.speech.language import language_model
from peephole.tasks.speech.measuring import Measured, best_units, measured
from peephole.tasks.speech.metrics import Compared, check_installed, distance
from peephole.tasks.speech.settings import SpeechSearch, SpeechTask
from peephole.tasks.speech.words import Reading

NAMED = 3  # skipped recordings that scores name


class SpeechModel(ExamplesModel):
    """Learn to write down what is said in recordings from their transcripts alone, without the time of any word (CTC).

    The net reads a recording from both ends, or with --directions one from the beginning alone, so that it answers
    while somebody speaks. It is judged by the share of units of the likeliest path that are wrong.
    """

    settings: ClassVar[type[ExamplesTask]] = SpeechTask
    unit: ClassVar[str] = "units"
    items: ClassVar[str] = "recordings"
    has_mlp: ClassVar[bool] = False
    listens: ClassVar[bool] = True
    aligned: ClassVar[bool] = False
    decoding_settings: ClassVar[type[Any] | None] = SpeechSearch
    task: SpeechTask
    encoding: SpeechEncoding
    decoding: SpeechSearch
    model: SequenceModel

    @staticmethod
    def prepare(data: SpeechData, folder: Path) -> SpeechEncoding:
        check_installed()  # what it is judged by, said before any work
        return prepare(data, folder)

    @staticmethod
    def encoding_from(values: dict[str, Any]) -> SpeechEncoding:
        return SpeechEncoding.from_dict(values)

    def new_net(self) -> SequenceModel:
        config, width = self.task.model, self.encoding.width
        layer = Convolution(width, config.embedding_size, config.kernel) if config.kernel else Numbers(width)
        return SequenceModel(layer, config, len(self.encoding.spelling))

    # --- training ---

    def change(self) -> Callable[[Pair, Any], Pair]:
        training = self.task.training
        return SpeechChanging(
            self.encoding,
            pitch=training.pitch,
            tempo=training.tempo,
            noise=training.noise,
            loudness=training.loudness,
            hide_seconds=training.hide_seconds,
            hide_bands=training.hide_bands,
        )

    def make(self) -> Make:
        return lambda pair: (self.encoding.inputs(pair[0]), pair[1])

    def divergence(self, outputs: Tensor, batch: SequenceBatch) -> Tensor:
        return divergence.ctc(outputs, batch.targets, batch.lengths, batch.target_lengths)

    def errors(self, outputs: Tensor, batch: SequenceBatch) -> float:
        said = [units[:count].tolist() for units, count in zip(batch.targets.T, batch.target_lengths, strict=True)]
        return float(distance(said, best_units(outputs, batch.lengths)))

    def describe(self) -> list[str]:
        encoding, part = self.encoding, self.part("train")
        first, *others = super().describe()
        seconds = part.lengths / encoding.filterbank.rate
        hours = seconds.sum() / 3600
        kinds = {"characters": "characters", "words": "words", "pieces": "pieces of words"}
        about = (
            f"{hours:.3g} hours at {encoding.filterbank.rate:,} Hz, recordings of {seconds.min():.2g} to "
            f"{seconds.max():.2g} s; {len(encoding.spelling) - 1} {kinds[encoding.spelling.units]}"
        )
        if encoding.normalise == "recording" and not self.task.model.bidirectional:
            others.append("a recording's mean is known at its end: --normalise running or training answers before it")
        return [first, about, *(note for name in self.parts for note in self._remarks(name)), *others]

    def show(self, measured: dict[str, Any]) -> str:
        return super().show({name: value for name, value in measured.items() if name != "right"}) + (
            f", {measured['judged']:.2%} of the units wrong" if "judged" in measured else ""
        )

    def examined(
        self, sequences: int, steps: int | None = None, most: int | None = None
    ) -> tuple[dict[str, Any], Callable[[Any], Tensor]]:
        """Held-out recordings of about the same length, cut to the shortest, with as large a share of their units."""
        part = self.part(self.measured_part)
        order = part.lengths.argsort(kind="stable")
        end = max(min(sequences, len(order)), round(0.9 * len(order)))
        make = self.make()
        pairs = [make(part.sequence(number)) for number in order[max(0, end - sequences) : end].tolist()]
        shortest = min(len(inputs) for inputs, _ in pairs)
        wanted = min(shortest, EXAMINED_STEPS if steps is None else steps)
        wanted = wanted if most is None else min(wanted, most)
        if wanted < 2:
            raise InputError(f"held-out recordings have {shortest} steps; nothing flows through time in so few")
        batch = batch_of([_cut(inputs, units, wanted) for inputs, units in pairs])
        return {"inputs": batch.inputs}, lambda outputs: self.divergence(outputs, batch)

    # --- scores ---

    @cached_property
    def _opened_language(self) -> dict[SpeechSearch, Any]:
        return {}

    def reading(self) -> Reading:
        """How outputs become words, as `decoding` says."""
        if self.decoding not in self._opened_language:
            change = str.lower if self.task.data.lower else str
            self._opened_language[self.decoding] = language_model(self.decoding, change)
        language = self._opened_language[self.decoding]
        return Reading(self.encoding.spelling, self.encoding.seconds, self.decoding, language)

    def measure(self, part: str | None = None) -> Scores:
        """As for all tasks; or on the recordings that the settings of decoding name."""
        if not self.decoding.on:
            return super().measure(part)
        if part is not None:
            raise InputError(
                f"--part {part.replace('_', '-')} and --on: expected one of them, they are other recordings"
            )
        with TemporaryDirectory() as folder:
            gathered = gather(self.decoding.on, self.task.data)
            shards, skipped = Path(folder) / "shards", gathered.skipped
            arguments = (self.encoding, shards, self.task.data.workers, skipped)
            found, _ = write_part_of(Path(folder) / "on", gathered.spoken, *arguments)
            said = read_said(Path(folder), "on")
            names = ", ".join(path.name for path in self.decoding.on)
            scores = self._scores(names, found, measured(self, found, said))
            remarks = gathered.notes(self.encoding.filterbank.rate)
            if skipped:
                remarks.append(_skipped([f"{one.name}: {one.reason}" for one in skipped]))
            naive = {"most frequent transcript": self._naive([one.transcript for one in said])}
            return replace(scores, notes=(*scores.notes, *remarks), others=naive)

    def scores(self, part: str) -> Scores:
        found = measured(self, self.part(part), read_said(self.data_folder, part))
        scores = self._scores(part.replace("_", " "), self.part(part), found)
        return replace(scores, notes=(*scores.notes, *self._remarks(part)))

    def naive(self, part: str) -> Mapping[str, Metrics]:
        """The transcript that training has most often."""
        said = [one.transcript for one in read_said(self.data_folder, part)]
        return {"most frequent transcript": self._naive(said)}

    def _naive(self, said: Sequence[str]) -> Metrics:
        counts = Counter(one.transcript for one in read_said(self.data_folder, "train"))
        usual = min(counts, key=lambda transcript: (-counts[transcript], transcript))
        return Compared.of(said, [usual] * len(said)).metrics

    def _scores(self, name: str, part: Part, found: Measured) -> Scores:
        seconds = int(part.lengths.sum()) / self.encoding.filterbank.rate
        words = sum(len(one.transcript.split()) for one in found.said)
        return Scores(
            part=name,
            counted=f"{len(part):,} recordings, {seconds / 60:.3g} minutes, {words:,} words",
            metrics={**found.compared.metrics, "nats a unit": found.nats},
            lower=True,
            pictures=found.pictures,
            tables=found.tables,
            notes=(self._searched,),
        )

    @property
    def _searched(self) -> str:
        """How the words were found, as a sentence."""
        settings = self.decoding
        how = f"{settings.beams} beams" if settings.beams else "the likeliest symbol of every step"
        if settings.language_model is None:
            return f"decoded by {how}, without a language model"
        return f"decoded by {how} with {settings.language_model} of weight {settings.language_weight:g}"

    def _remarks(self, part: str) -> list[str]:
        """What was changed in a part, and what was left out; nothing where that is gone."""
        path = self.data_folder / "recordings.json"
        said = (json.loads(path.read_bytes()) if path.is_file() else {}).get(part, {"notes": [], "skipped": []})
        found = [f"{part.replace('_', '-')}: {note}" for note in said["notes"]]
        return [*found, _skipped(said["skipped"])] if said["skipped"] else found

    # --- answers ---

    def answering(self) -> Answering:
        """The net with what it needs to hear new recordings."""
        return Answering(self.model, self.encoding, self.reading(), self.task.data)

    def predict(self, files: Sequence[Path]) -> Iterator[HeardWord | Transcript]:
        return self.answering().of_files(files)

    def hear(self, stream: Bytes, name: str) -> Iterator[HeardWord | Transcript]:
        return self.answering().of_stream(stream, name)


def _skipped(skipped: Sequence[str]) -> str:
    more = f"; and {len(skipped) - NAMED} more" if len(skipped) > NAMED else ""
    return f"skipped {len(skipped):,} recordings or transcripts: {'; '.join(skipped[:NAMED])}{more}"


def _cut(inputs: Any, units: Any, steps: int) -> Pair:
    """The first steps and as large a share of the units, as far as those have room."""
    count = len(units) * steps // len(inputs)
    while divergence.ctc_steps(torch.tensor(units[:count])) > steps:
        count -= 1
    return inputs[:steps], units[:count]
