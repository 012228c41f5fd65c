"""`CaptioningModel`: a caption of a picture."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from peephole.data.captioning.batches import CaptionBatch, PictureBatches, batch_of_captions, by_picture, in_order
from peephole.data.captioning.changing import Changing
from peephole.data.captioning.config import CaptioningData
from peephole.data.captioning.encoding import MARKS, CaptioningEncoding
from peephole.data.captioning.pictures import Pictures, open_pictures
from peephole.data.captioning.preparing import prepare
from peephole.data.sequences.batches import SequenceBatch
from peephole.errors import InputError
from peephole.models.decoder import Decoder, entering
from peephole.models.encoder_decoder import EncoderDecoder
from peephole.models.pictures import PictureEncoder
from peephole.tasks.captioning.answer import CaptionedPicture
from peephole.tasks.captioning.answering import Answering
from peephole.tasks.captioning.judging import Judge
from peephole.tasks.captioning.scoring import CaptionedPart, naive_captions
from peephole.tasks.captioning.settings import CaptioningDecoding, CaptioningTask
from peephole.tasks.captioning.showing import scores_of
from peephole.tasks.examples.scores import Metrics, Scores
from peephole.tasks.examples.settings import ExamplesTask
from peephole.tasks.examples.speaking import SpeakingModel
from peephole.train.contract import Batches

NAMED = 3  # of what was left out, that scores name


class CaptioningModel(SpeakingModel):
    """Learn to caption pictures: FILES are captions with the names of their pictures, --images the folder of those.

    An encoder of convolutions reads the picture, trained from scratch; recurrent layers say word after word and look at
    places of the picture. It is judged by BLEU and CIDEr against all captions of each picture.
    """

    settings: ClassVar[type[ExamplesTask]] = CaptioningTask
    decoding_settings: ClassVar[type[Any] | None] = CaptioningDecoding
    unit: ClassVar[str] = "words"
    items: ClassVar[str] = "captions"
    reads_sequences: ClassVar[bool] = False
    task: CaptioningTask
    encoding: CaptioningEncoding
    decoding: CaptioningDecoding

    @staticmethod
    def prepare(data: CaptioningData, folder: Path) -> CaptioningEncoding:
        return prepare(data, folder)

    @staticmethod
    def encoding_from(values: dict[str, Any]) -> CaptioningEncoding:
        return CaptioningEncoding.from_dict(values)

    def new_net(self) -> EncoderDecoder:
        config, encoding = self.task.model, self.encoding
        symbols = len(encoding.words)
        named = symbols if self.task.training.naming else 0
        encoder = PictureEncoder(
            config.filters, config.blocks, encoding.mean, encoding.scale, named, config.picture_dropout
        )
        return EncoderDecoder(encoder, Decoder(symbols, config, encoder.memory, encoder.memory))

    # --- training ---

    @cached_property
    def pictures(self) -> Pictures:
        """All pictures of the data, which the parts name by number."""
        return open_pictures(self.data_folder, self.encoding.size)

    def batches(self, rank: int, world_size: int) -> Batches:
        training = self.task.training
        changing = Changing(training.crop, training.mirror, training.light)
        return PictureBatches(
            self.part("train"),
            self.pictures,
            training.batch_size,
            training.seed,
            training.captions_each,
            rank,
            world_size,
            changing if changing.any else None,
            len(self.encoding.words) if training.naming else 0,
        )

    def part_batches(self, name: str, most: int) -> list[SequenceBatch]:
        count = self.task.training.batch_size
        batches: list[SequenceBatch] = [
            batch for _, batch in in_order(self.part(name), self.pictures, count, count * most)
        ]
        return batches[:most]

    def outputs(
        self, model: nn.Module, part: str, most: int | None = None
    ) -> Iterator[tuple[Any, CaptionBatch, Tensor]]:
        captions = self.part(part)
        if most is not None:  # so many captions, not pictures, are worth the time
            most = max(1, most * len(by_picture(captions)) // len(captions))
        for numbers, batch in in_order(captions, self.pictures, self.task.training.batch_size, most):
            with torch.no_grad():
                found = self.respond(model, batch)
            yield numbers, batch, found.float().cpu()

    def divergence(self, outputs: Tensor, batch: Any) -> Tensor:
        """Of the words; while training also of the words that the encoder names."""
        found = super().divergence(outputs, batch)
        encoder, named = self.model.encoder, getattr(batch, "named", None)
        assert isinstance(encoder, PictureEncoder)
        logits = encoder.take_named()
        if not self.model.training or logits is None or named is None:
            return found
        right = named.to(logits.device)[:, len(MARKS) :]
        missed = functional.binary_cross_entropy_with_logits(logits[:, len(MARKS) :].float(), right, reduction="sum")
        return found + self.task.training.naming * missed

    def examined(
        self, sequences: int, steps: int | None = None, most: int | None = None
    ) -> tuple[dict[str, Any], Callable[[Any], Tensor]]:
        """Held-out captions of like length, cut to the shortest of them, each with its picture, and their divergence.

        Time is that of the decoder: what enters at a step is a word.
        """
        part = self.part(self.measured_part)
        lengths = part.target_lengths
        order = lengths.argsort(kind="stable")
        end = max(min(sequences, len(order)), round(0.9 * len(order)))
        numbers = order[max(0, end - sequences) : end]
        shortest = int(lengths[numbers].min())
        wanted = min(value for value in (shortest, steps, most) if value is not None)
        if wanted < 2:
            raise InputError(f"held-out captions have {shortest} words; nothing flows through time in so few")
        whole = batch_of_captions(part, self.pictures, [numbers[place : place + 1] for place in range(len(numbers))])
        batch = replace(whole, targets=whole.targets[:wanted], weights=whole.weights[:wanted])
        given = {"inputs": batch.inputs, "entering": entering(batch.targets)}
        return given, lambda outputs: self.divergence(outputs, batch)

    # --- scores ---

    def captioned(self, name: str) -> CaptionedPart:
        """A part picture by picture."""
        return CaptionedPart(self.data_folder, name, self.part(name), self.pictures)

    def answering(self) -> Answering:
        return Answering(self.model.eval(), self.encoding, self.decoding)

    def scores(self, part: str) -> Scores:
        return scores_of(self.answering(), self.captioned("train"), self.captioned(part), self._remarks())

    def naive(self, part: str) -> Mapping[str, Metrics]:
        """One caption for all pictures, and that of the nearest neighbour in pixels."""
        asked = self.captioned(part)
        judge = Judge(asked.references)
        said = naive_captions(self.captioned("train"), asked)
        return {name: judge.judge(captions).metrics for name, captions in said.items()}

    def describe(self) -> list[str]:
        first, *others = super().describe()
        counts = " and ".join(f"{len(self.captioned(name)):,}" for name in self.parts)
        size, words = self.encoding.size, len(self.encoding.spoken_words)
        about = f"they are of {counts} pictures, brought to {size}×{size} pixels; {words:,} different words"
        training = self.task.training
        causes = [f"smoothed targets (--label-smoothing {training.label_smoothing:g})"] * bool(training.label_smoothing)
        causes += [f"the words that the encoder names (--naming {training.naming:g})"] * bool(training.naming)
        more = [f"training: divergence also from {' and '.join(causes)}, held out: not"] if causes else []
        return [first, about, *self._remarks(), *more, *others]

    def _remarks(self) -> list[str]:
        """What was left out, and what the data lacks; nothing where that is gone."""
        path = self.data_folder / "captions.json"
        described: dict[str, Any] = json.loads(path.read_bytes()) if path.is_file() else {}
        beside = described.pop("without a caption", 0)
        remarks: list[str] = []
        for name, part in described.items():
            skipped, called = part["skipped"], name.replace("_", "-")
            if skipped:
                more = f"; and {len(skipped) - NAMED} more" if len(skipped) > NAMED else ""
                remarks.append(f"left out of the {called} part: {'; '.join(skipped[:NAMED])}{more}")
            if part.get("copies"):
                remarks.append(
                    f"{part['copies']:,} of {part['pictures']:,} pictures of the {called} part are learnt from too, by "
                    "other names"
                )
        if "train" in described:
            train = described["train"]
            remarks.append(
                f"{train['unknown words'] / max(1, train['words']):.1%} of the words to learn from are too rare to be "
                f"learnt; {train['longer than kept']:,} captions are cut after {self.encoding.longest} words"
            )
        if beside:
            remarks.append(f"{beside:,} pictures beside them have no caption")
        return remarks

    # --- answers ---

    def predict(self, files: Sequence[Path]) -> Iterator[CaptionedPicture]:
        return self.answering().of_files(files)

    def follow(self, lines: Iterator[str], name: str) -> Iterator[CaptionedPicture]:
        return self.answering().of_lines(lines)
