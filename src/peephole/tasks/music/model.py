"""`MusicModel`: what sounds next, and pieces of its own."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from peephole import divergence
from peephole.data.music.config import MusicData
from peephole.data.music.encoding import NOTES, MusicEncoding
from peephole.data.music.piece import KEYS, Chord
from peephole.data.music.preparing import prepare
from peephole.data.music.transposing import Transposing
from peephole.data.sequences.batches import SequenceBatch
from peephole.data.sequences.store import Pair
from peephole.errors import InputError
from peephole.generate.chord_sampling import ChordSampling
from peephole.generate.chords import ChordStream, compose, follow_chords
from peephole.models.inputs import Numbers
from peephole.models.perceptron import Perceptron
from peephole.models.sequence import SequenceModel
from peephole.tasks.examples.model import MEASURED, ExamplesModel
from peephole.tasks.examples.scores import Metrics, Scores
from peephole.tasks.examples.settings import ExamplesTask
from peephole.tasks.music.answer import NextNotes
from peephole.tasks.music.answering import answers_to_lines, answers_to_pieces, read_pieces
from peephole.tasks.music.composition import Composition
from peephole.tasks.music.measuring import Heard, heard, mean_nats, nats_of_steps
from peephole.tasks.music.naive import naive_nats
from peephole.tasks.music.scoring import SAID, WITH_FIRST, scores_of
from peephole.tasks.music.settings import MusicTask

NAMED = 3  # skipped pieces that are named
VOICES = "each voice is said given those before it at its step: F1 and accuracy are not those of a net of chords"
QUIET = -3.0  # where the logits of keys begin: few of them sound at a time


class MusicModel(ExamplesModel):
    """Learn what sounds next in pieces of music: MIDI files and piano-roll JSON.

    At every step the net hears a chord and says of each of the 88 keys of a piano how likely it is to sound next; or,
    with --notes voices, it says one voice after another. It is judged by nats a step, of the steps that have one before
    them. What it has learnt it can play: peephole sample RUN writes a MIDI file.
    """

    settings: ClassVar[type[ExamplesTask]] = MusicTask
    unit: ClassVar[str] = "steps"
    items: ClassVar[str] = "pieces"
    task: MusicTask
    encoding: MusicEncoding
    model: SequenceModel | Perceptron

    @staticmethod
    def prepare(data: MusicData, folder: Path) -> MusicEncoding:
        return prepare(data, folder)

    @staticmethod
    def encoding_from(values: dict[str, Any]) -> MusicEncoding:
        return MusicEncoding.from_dict(values)

    def new_net(self) -> SequenceModel | Perceptron:
        config, chords = self.task.model, self.encoding.notes == "chords"
        layer = Numbers(KEYS) if chords else nn.Embedding(self.encoding.input_symbols, config.embedding_size)
        outputs = KEYS if chords else NOTES
        mlp = self.task.net == "mlp"
        head = nn.Linear(config.hidden_size if mlp else config.width, outputs)
        model: SequenceModel | Perceptron
        if mlp:
            model = Perceptron(layer, config.hidden_size, head, config.dropout)
        else:
            model = SequenceModel(layer, config, head, valued=chords)
        if chords:
            nn.init.constant_(head.bias, QUIET)
        return model

    # --- training ---

    def change(self) -> Callable[[Pair, Any], Pair] | None:
        training = self.task.training
        return Transposing(training.transpose, training.own_key) if training.transpose else None

    def divergence(self, outputs: Tensor, batch: SequenceBatch) -> Tensor:
        if self.encoding.notes == "chords":
            return divergence.bernoulli(outputs, batch.targets, batch.weights)
        return divergence.kl(outputs, batch.targets, batch.weights)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Nats a step on held-out pieces, of the steps that have one before them; NaN once a weight is not finite."""
        if not all(bool(torch.isfinite(parameter).all()) for parameter in model.parameters()):
            return {"held_out": math.nan}
        total, steps = 0.0, 0
        for _, batch, outputs in self.outputs(model, self.measured_part, MEASURED):
            nats, count = mean_nats(nats_of_steps(outputs, batch.targets, self.encoding), batch, self.encoding)
            total, steps = total + nats, steps + count
        return {"held_out": total / max(1, steps)}

    def describe(self) -> list[str]:
        first, *others = super().describe()
        lengths = self.part("train").lengths // self.encoding.answers_per_step
        what = f", {self.encoding.voices} voices" if self.encoding.voices else ""
        tempo = f"{self.encoding.beats_per_minute:.0f} beats a minute"
        about = f"{lengths.min()} to {lengths.max()} steps, {self.encoding.steps_per_beat} a beat{what}, {tempo}"
        return [first, about, *self._remarks(), *others]

    def show(self, measured: dict[str, Any]) -> str:
        if "held_out" in measured:
            return f"held out {measured['held_out']:.4f} nats a step"
        return f"{measured['divergence']:.3f} nats a {'step' if self.encoding.notes == 'chords' else 'note'}"

    # --- scores ---

    def scores(self, part: str) -> Scores:
        *_, (name, naive) = self._naive_nats(part).items()  # the better of them
        return scores_of(
            self.heard(part), {name: naive}, part, [*self._remarks(), *[VOICES] * bool(self.encoding.voices)]
        )

    def heard(self, part: str) -> list[Heard]:
        """What the net says of every step of the pieces of a part, in their order."""
        return sorted(heard(self.outputs(self.model, part), self.encoding), key=lambda piece: piece.number)

    def naive(self, part: str) -> Mapping[str, Metrics]:
        """How often each note sounds, and how often it goes on."""
        return {
            name: {
                SAID: float(np.concatenate([piece[1:] for piece in pieces]).mean()),
                WITH_FIRST: float(np.concatenate(pieces).mean()),
            }
            for name, pieces in self._naive_nats(part).items()
        }

    def _naive_nats(self, part: str) -> dict[str, list[NDArray[np.float64]]]:
        return naive_nats(self.part("train"), self.part(part), self.encoding)

    def _remarks(self) -> list[str]:
        """What was left out of the data."""
        skipped = self.encoding.skipped
        if not skipped:
            return list(self.encoding.remarks)
        more = f"; and {len(skipped) - NAMED} more" if len(skipped) > NAMED else ""
        return [*self.encoding.remarks, f"{len(skipped)} pieces skipped: {'; '.join(skipped[:NAMED])}{more}"]

    # --- answers and pieces ---

    def chord_stream(self) -> ChordStream:
        """A piece that comes step by step. `InputError` for an mlp, which remembers nothing."""
        if isinstance(self.model, Perceptron):
            raise InputError(f"{self.run.folder}: an mlp, which remembers nothing; expected the run beside it")
        return follow_chords(self.model.eval(), self.encoding)

    def predict(self, files: Sequence[Path]) -> Iterator[NextNotes]:
        return answers_to_pieces(self.chord_stream(), read_pieces(files, self.encoding))

    def follow(self, lines: Iterator[str], name: str) -> Iterator[NextNotes]:
        return answers_to_lines(self.chord_stream(), self.encoding, lines, name)

    def compose(
        self,
        steps: int = 64,
        prime: Path | None = None,
        how: ChordSampling | None = None,
        number: int = 0,
        *,
        prime_steps: int | None = None,
        tempo: float | None = None,
    ) -> Composition:
        """A piece of `steps` more steps than the first piece in the file `prime`, of which `prime_steps` are taken.

        Raises:
            InputError: `prime` cannot be used, or `steps` or `prime_steps` is below 1.
        """
        if prime_steps is not None and prime_steps < 1:
            raise InputError(f"--prime-steps is {prime_steps}; expected at least 1")
        given: tuple[Chord, ...] = ()
        if prime is not None:
            given = read_pieces([prime], self.encoding)[0].chords[:prime_steps]
        drawn = tuple(compose(self.chord_stream(), given, steps, how or ChordSampling(), number))
        encoding = self.encoding
        return Composition((*given, *drawn), len(given), encoding.steps_per_beat, tempo or encoding.beats_per_minute)
