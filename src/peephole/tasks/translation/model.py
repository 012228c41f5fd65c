"""`TranslationModel`: sentences into their translations."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from torch import nn

from peephole.data.sequences.batches import in_order
from peephole.data.translation.config import TranslationData
from peephole.data.translation.encoding import TranslationEncoding
from peephole.data.translation.preparing import prepare, read_said, read_texts
from peephole.data.translation.sentences import counted
from peephole.errors import InputError
from peephole.models.decoder import Decoder
from peephole.models.encoder_decoder import EncoderDecoder, RecurrentEncoder
from peephole.tasks.examples.model import MEASURED
from peephole.tasks.examples.scores import Metrics, Scores
from peephole.tasks.examples.speaking import SpeakingModel
from peephole.tasks.translation import naive
from peephole.tasks.translation.answer import Translation
from peephole.tasks.translation.answering import TOGETHER, Answering
from peephole.tasks.translation.items import sentences, stdin_is_a_file
from peephole.tasks.translation.metrics import bleu, by_length, check_installed, examples, quality, tokenizer_for
from peephole.tasks.translation.pictures import pictures
from peephole.tasks.translation.remarks import coverage, remarks
from peephole.tasks.translation.settings import TranslationDecoding, TranslationTask
from peephole.writing import write_whole


class TranslationModel(SpeakingModel):
    """Learn to translate sentences from two files side by side, or from a table of two columns.

    An encoder reads the sentence; a decoder says the translation, token by token, and looks at the sentence as it does
    (attention), or without attention remembers it as one vector. It is judged by BLEU.
    """

    settings = TranslationTask
    decoding_settings = TranslationDecoding
    unit: ClassVar[str] = "tokens"
    items: ClassVar[str] = "pairs"
    task: TranslationTask
    encoding: TranslationEncoding
    decoding: TranslationDecoding

    @staticmethod
    def prepare(data: TranslationData, folder: Path) -> TranslationEncoding:
        check_installed()  # what it is judged by, said before any work
        return prepare(data, folder)

    @staticmethod
    def encoding_from(values: dict[str, Any]) -> TranslationEncoding:
        return TranslationEncoding.from_dict(values)

    def new_net(self) -> EncoderDecoder:
        config = self.task.model
        encoder = RecurrentEncoder(len(self.encoding.source), config)
        return EncoderDecoder(encoder, Decoder(len(self.encoding.target), config, config.width, config.width))

    # --- training ---

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """The mean divergence of the right tokens, and BLEU of the likeliest ones (greedy), on held-out sentences.

        BLEU decides which weights are kept: it goes on rising when the divergence rises again.
        """
        found = super().evaluate(model)
        if math.isfinite(found["held_out"]) and isinstance(model, EncoderDecoder):
            answers, numbers = self._answers(model, self.measured_part, TranslationDecoding(beams=1), MEASURED)
            texts = self._texts(self.measured_part)
            found["bleu"] = bleu(
                [answers[number].best for number in numbers],
                [texts[number][1] for number in numbers],
                tokenizer_for(self.encoding.cut, "auto"),
            )
            found["judged"] = 1 - found["bleu"] / 100
        return found

    def show(self, measured: dict[str, Any]) -> str:
        found = f", greedy BLEU {measured['bleu']:.2f}" if "bleu" in measured else ""
        return super().show(measured) + found

    def describe(self) -> list[str]:
        encoding, data = self.encoding, self.task.data
        first, *others = super().describe()
        kind = "words" if data.tokens == "words" else "pieces of words"
        joint = " in one vocabulary" if encoding.source is encoding.target else ""
        sizes = f"{len(encoding.source):,} {kind} to read and {len(encoding.target):,} to write{joint}"
        smoothing = self.task.training.label_smoothing
        if smoothing:
            others.append(
                f"training: divergence from smoothed targets (--label-smoothing {smoothing:g}), held out: not"
            )
        return [first, sizes, *coverage(self._said, self.measured_part), *remarks(self._said, self.parts), *others]

    # --- scores ---

    def scores(self, part: str) -> Scores:
        texts = self._texts(part)
        answers, numbers = self._answers(self.model, part, self._answering.decoding)
        references = [texts[number][1] for number in numbers]
        said = [answers[number].best for number in numbers]
        tokenize = tokenizer_for(self.encoding.cut, self.decoding.tokenize)
        found = quality(said, references, tokenize, self.decoding.bootstrap)
        total, count = 0.0, 0
        for _, batch, outputs in self.outputs(self.model, part):
            total += float(self.divergence(outputs, batch))
            count += batch.answers
        lengths = [len(answers[number].source) - 1 for number in numbers]
        stopped = sum(not answers[number].candidates[0].ended for number in numbers)
        spread = "" if found.interval is None else f" ± {found.interval:.2f} (95 in 100 draws of the sentences)"
        search = f"{self.decoding.beams} beams, length power {self.decoding.length_power:g}"
        notes = [f"BLEU {found.bleu:.2f}{spread}, {search}; {found.signature}"]
        cut = int((self.part(part).lengths - 1 > self.encoding.most).sum())
        notes += [
            f"{counted(cut, 'sentence')} had more than {self.encoding.most} tokens, and no more were read"
        ] * bool(cut)
        notes += [f"{counted(stopped, 'translation')} did not end and had to be stopped"] if stopped else []
        return Scores(
            part=part.replace("_", " "),
            counted=f"{len(said):,} sentences, {count:,} tokens to write",
            metrics={"BLEU": found.bleu, "chrF": found.chrf, "perplexity": math.exp(min(700.0, total / count))},
            pictures=pictures(self._answering, [texts[one][0] for one in numbers]),
            tables=(by_length(said, references, lengths, tokenize, "tokens"), examples(texts, answers)),
            notes=(*notes, *remarks(self._said, [part])),
        )

    def naive(self, part: str) -> Mapping[str, Metrics]:
        """The sentence itself, the translation of the most similar one, and a word for a word; kept beside the data."""
        path = self.data_folder / f"naive-{part}.json"
        tokenize = tokenizer_for(self.encoding.cut, self.decoding.tokenize)
        kept = json.loads(path.read_bytes()) if path.is_file() else {}
        if tokenize not in kept:
            known, asked = self._texts("train"), [source for source, _ in self._texts(part)]
            sources, targets = [source for source, _ in known], [target for _, target in known]
            answers = {
                "sentence itself": naive.copied(asked),
                "most similar sentence": naive.nearest(sources, targets, asked),
                "word by word": naive.word_by_word(sources, targets, asked),
            }
            references = [target for _, target in self._texts(part)]
            found = {name: quality(said, references, tokenize) for name, said in answers.items()}
            kept[tokenize] = {name: {"BLEU": one.bleu, "chrF": one.chrf} for name, one in found.items()}
            write_whole(path, json.dumps(kept).encode())
        return kept[tokenize]

    def _answers(
        self, model: EncoderDecoder, part: str, decoding: TranslationDecoding, most: int | None = None
    ) -> tuple[dict[int, Translation], list[int]]:
        """Translations of a part by their numbers, and those numbers in order; `most` of them at even distances."""
        answering = Answering(model, self.encoding, decoding)
        texts, found = self._texts(part), dict[int, Translation]()
        for numbers, _ in in_order(self.part(part), TOGETHER, most):
            rows = numbers.tolist()
            found.update(zip(rows, answering.answers(texts[row][0] for row in rows), strict=True))
        return found, sorted(found)

    def _texts(self, part: str) -> list[tuple[str, str]]:
        """The sentences and translations of a part."""
        self.part(part)  # says which parts there are where it is none of them
        if part not in self._read:
            self._read[part] = read_texts(self.data_folder, part)
        return self._read[part]

    @cached_property
    def _read(self) -> dict[str, list[tuple[str, str]]]:
        return {}

    @cached_property
    def _said(self) -> dict[str, Any]:
        """What was said of each part when it was read."""
        return read_said(self.data_folder)

    # --- answers ---

    def predict(self, files: Sequence[Path]) -> Iterator[Translation]:
        for file in files:
            yield from self._answering.answers(sentences(file, self.task.data))

    def follow(self, lines: Iterator[str], name: str) -> Iterator[Translation]:
        """One by one where they are typed or come through a pipe; many at once of a file (`< FILE`)."""
        return self._answering.answers(lines, TOGETHER if stdin_is_a_file() else 1)

    @property
    def _answering(self) -> Answering:
        if self.decoding.unknown == "source" and self.task.model.attention == "none":
            raise InputError(
                f"{self.run.folder}: --unknown source takes what attention looked at, and this net has none; expected "
                "mark or avoid"
            )
        return Answering(self.model, self.encoding, self.decoding)
