"""The text task: a language model of characters, from files to a run that writes, answers and scores."""

import math
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from peephole import divergence
from peephole._native.decoding import refusal as decoder_refusal
from peephole.data.corpus import TextCorpus, open_corpus, prepare
from peephole.data.lanes import Lanes, Window
from peephole.data.tokenizer import Tokenizer
from peephole.errors import InputError
from peephole.generate.beam import search
from peephole.generate.config import Sampling
from peephole.generate.sampling import Writing
from peephole.generate.scoring import Pieces, surprisals
from peephole.models.sequence import SequenceModel
from peephole.nn.explanation import explain_backend
from peephole.runs.folder import Run, process_rank
from peephole.streams.snapshot import Snapshot, Streaming
from peephole.streams.stream import Stream
from peephole.tasks.config import TextTask, settings_of, task_from
from peephole.tasks.model import TaskModel, load_weights
from peephole.tasks.text.objective import TextObjective
from peephole.tasks.text.writing import spell
from peephole.train.checkpoint import find_checkpoint
from peephole.train.machine import check_machine
from peephole.writing import write_whole

CODE_POINTS = 1_112_064  # of Unicode, what an unknown character could have been
EXAMINED_STEPS = 200  # of each sequence that the stability laboratory looks at

PREDICTED_TOGETHER = 256  # characters: those that come at once are read at once, and answered soon


@dataclass(frozen=True)
class Prediction:
    """One symbol as it came: its surprisal in nats, and the log-probabilities `[V]` of what comes after it."""

    symbol: str
    surprisal: float
    following: Tensor


class TextModel(TaskModel[SequenceModel]):
    """A trained (or half-trained) language model with its vocabulary and its run folder."""

    unit = "characters"

    def __init__(self, run: Run, task: TextTask, tokenizer: Tokenizer, model: SequenceModel) -> None:
        self.run, self.task, self.tokenizer, self.model = run, task, tokenizer, model
        self._snapshots: dict[str, tuple[object, Snapshot]] = {}

    @classmethod
    def create(cls, task: TextTask, out: Path | str) -> "TextModel":
        """A new run in `out` with its text read and an untrained model; `fit` trains it.

        Raises:
            InputError: `out` exists or cannot be written, or the text cannot be used; then nothing is left behind.
        """
        if process_rank():
            return cls.resume(Run.wait_for(Path(out), "data", "tokenizer.json"))
        run = Run.create(Path(out))
        with run.lock():
            try:
                run.write_config("text", settings_of(task))
                check_machine(task.training)
                corpus = prepare(task.data, run.data_folder, run.tokenizer_path)
                TextObjective(corpus, task.training).batches(0, task.training.devices)
                model = _new_model(task, corpus.tokenizer)
                explain_backend(model)  # a named back end that cannot serve the cell says so here
            except BaseException:
                run.discard()
                raise
        return cls(run, task, corpus.tokenizer, model)

    @classmethod
    def open(cls, run: Run) -> "TextModel":
        """The model of a finished or interrupted run: its kept weights, or those of its newest checkpoint."""
        task = cls.task_from(run)
        tokenizer = Tokenizer.load(run.tokenizer_path)
        model = _new_model(task, tokenizer)
        load_weights(model, run)
        return cls(run, task, tokenizer, model)

    @classmethod
    def resume(cls, run: Run) -> "TextModel":
        """A run to go on training, killed at whatever moment: text that was not read whole is read again."""
        task = cls.task_from(run)
        if process_rank():
            Run.wait_for(run.folder, "data", "tokenizer.json")
        if not (run.data_folder.exists() and run.tokenizer_path.exists()):
            with run.lock():
                _read_again(run, task)
        tokenizer = Tokenizer.load(run.tokenizer_path)
        return cls(run, task, tokenizer, _new_model(task, tokenizer))

    @classmethod
    def task_from(cls, run: Run) -> TextTask:
        config = run.read_config()
        if config["task"] != "text":
            raise InputError(f"{run.folder}: a run of the task {config['task']!r}; expected one of text")
        return task_from(config["settings"], run.config_path)

    @cached_property
    def corpus(self) -> TextCorpus:
        """The tokens of the run. `InputError` when they are gone."""
        return open_corpus(self.run.data_folder, self.run.tokenizer_path)

    def held_out_window(self, rows: int, steps: int) -> Window:
        """`rows` pieces of the held-out text, `steps` long and at even distances, side by side with what follows.

        `InputError` where the text is too short for them.
        """
        part = self.corpus.held_out
        if (len(part.tokens) - 1) // rows < steps:
            raise InputError(
                f"{rows} pieces of {steps} steps need {rows * steps + 1:,} held-out symbols, and the run has "
                f"{len(part.tokens):,}; ask for fewer or shorter ones"
            )
        return Lanes(part, rows, steps, self.tokenizer.eod).next()

    def examined(
        self, sequences: int, steps: int | None = None, most: int | None = None
    ) -> tuple[dict[str, Any], Callable[[Tensor], Tensor]]:
        """Held-out sequences with the states that the text before them left, and the divergence of what follows."""
        steps = EXAMINED_STEPS if steps is None else steps
        steps = steps if most is None else min(steps, most)
        window = self.held_out_window(sequences, 2 * steps)
        resets = [None, None] if window.resets is None else window.resets.split(steps)
        with torch.no_grad():
            states = self.model(window.inputs[:steps], None, resets[0])[1]
        targets = window.targets[steps:]
        batch = {"inputs": window.inputs[steps:], "states": states, "resets": resets[1]}
        return batch, lambda logits: divergence.kl(logits, targets)

    def objective(self) -> TextObjective:
        return TextObjective(self.corpus, self.task.training, self.model.recurrent.noise.any)

    def net_before(self) -> SequenceModel:
        with torch.random.fork_rng(devices=()):
            return _new_model(self.task, self.tokenizer)

    def write_config(self) -> None:
        self.run.write_config("text", settings_of(self.task))

    def describe(self) -> list[str]:
        corpus = self.corpus
        count = sum(parameter.numel() for parameter in self.model.parameters())
        train, held_out = corpus.train.characters, corpus.held_out.characters
        return [
            f"{train:,} characters to train on, {held_out:,} held out, {len(self.tokenizer)} symbols",
            f"{self.kind}, {count:,} parameters",
        ]

    @property
    def kind(self) -> str:
        config = self.model.config
        return f"{config.spec.code} {config.layers}×{config.hidden_size}"

    def show(self, measured: dict[str, Any]) -> str:
        if "held_out" in measured:
            nats = measured["held_out"]
            return f"held out {nats:.4f} nats, {nats / math.log(2):.4f} bits a character"
        nats = measured["divergence"]
        return f"{nats:.3f} nats {nats / math.log(2):.3f} bits"

    def encode_prime(self, prime: str) -> list[int]:
        """`<eod>` and the symbols of `prime`. `InputError` names the characters that training never saw."""
        unknown = self.tokenizer.unknown_characters(prime)
        if unknown:
            named = ", ".join(f"{character!r} (U+{ord(character):04X})" for character in list(unknown)[:5])
            raise InputError(f"the prime holds characters that training never saw: {named}; leave them out")
        return [self.tokenizer.eod, *self.tokenizer.encode(prime).tolist()]

    def write(
        self,
        prime: str = "",
        length: int = 500,
        how: Sampling | None = None,
        streams: int = 1,
        stop: str | None = None,
        weights: str = "float32",
    ) -> Iterator[tuple[int, str]]:
        """Texts as they are written: pairs of (stream, further text). A text ends at `length` characters, where the
        model draws the end of a document, or before `stop`. `weights`: float32, bfloat16 or int8.
        """
        if length < 1 or streams < 1:
            raise InputError(f"--length is {length} and --count is {streams}; expected at least 1 of each")
        if stop == "":
            raise InputError("--stop is empty; expected the string at which to end")
        eod, unknown = self.tokenizer.eod, self.tokenizer.unk
        prime_symbols = self.encode_prime(prime)
        writing = Writing(self._streaming(weights), prime_symbols, how or Sampling(), streams, [unknown], eod)
        return spell(writing, self.tokenizer, length, stop)

    def sample(self, prime: str = "", length: int = 500, stop: str | None = None, **how: Any) -> str:
        """One text, without the prime; `how` are the fields of `Sampling`."""
        return "".join(text for _, text in self.write(prime, length, Sampling(**how), 1, stop))

    def likeliest(
        self, prime: str = "", length: int = 100, beams: int = 4, weights: str = "float32"
    ) -> list[tuple[str, float]]:
        """The likeliest texts that beam search finds after `prime`, without it: (text, log-probability in nats)."""
        eod, unknown = self.tokenizer.eod, self.tokenizer.unk
        found = search(self._streaming(weights), self.encode_prime(prime), length, beams, eod, [unknown])
        texts: list[tuple[str, float]] = []
        for beam in found:
            symbols = beam.symbols[:-1] if beam.ended else beam.symbols
            spell = self.tokenizer.speller()
            texts.append(("".join(map(spell, [*symbols, None])), beam.log_probability))
        return texts

    def next(self, prime: str, weights: str = "float32") -> list[tuple[str, float]]:
        """The distribution of the symbol after `prime`: (symbol, probability), likeliest first."""
        stream = self.stream(weights=weights)
        logs = stream.read(torch.tensor(self.encode_prime(prime))[:, None], last=True)[0]
        order = logs.argsort(descending=True, stable=True).tolist()
        return [(self.tokenizer.symbols[index], math.exp(float(logs[index]))) for index in order]

    def score(self, text: str, weights: str = "float32") -> NDArray[np.float64]:
        """Surprisal in nats of each token of `text` as one document, then of its end: `[tokens + 1]`.

        A character that training never saw costs what `<unk>` costs and which of all other characters it is.
        """
        eod = np.array([self.tokenizer.eod], dtype=self.tokenizer.dtype)
        tokens = np.concatenate([eod, self.tokenizer.encode(text), eod])
        return self.price(tokens, Pieces(length=None), weights=weights)

    def score_characters(self, text: str, weights: str = "float32") -> NDArray[np.float64]:
        """Surprisal in nats of each character of `text`, `[characters]`; of several tokens, their sum."""
        values = self.score(text, weights)[:-1]
        if len(values) == len(text):
            return values
        starts = np.cumsum([0, *(len(self.tokenizer.encode(character)) for character in text[:-1])])
        return np.add.reduceat(values, starts)

    def price(
        self,
        tokens: NDArray[np.unsignedinteger],
        pieces: Pieces | None = None,
        limit: int | None = None,
        weights: str = "float32",
    ) -> NDArray[np.float64]:
        """Surprisal in nats of `tokens[1:]`, unknown characters priced in full."""
        values = surprisals(self._streaming(weights), tokens, self.tokenizer.eod, pieces or Pieces(), limit)
        if limit is None:
            values = values + self.unknown_price() * (tokens[1:] == self.tokenizer.unk)
        return values

    def predict(self, texts: Iterable[str], weights: str = "float32") -> Iterator[list[Prediction]]:
        """A document that comes in parts: what the model expected of each character, and what it expects next.

        A list a part, in constant memory however long the document is.
        """
        stream = self.stream(weights=weights)
        before = stream.step(torch.tensor([self.tokenizer.eod]))
        for text in texts:
            found: list[Prediction] = []
            symbols = torch.from_numpy(self.tokenizer.encode(text).astype(np.int64))
            for part in symbols.split(PREDICTED_TOGETHER):
                logs = stream.read(part[:, None])[:, 0]
                surprise = -torch.cat([before, logs[:-1]]).gather(1, part[:, None])[:, 0]
                surprise += self.unknown_price() * (part == self.tokenizer.unk)
                came = [self.tokenizer.symbols[symbol] for symbol in part.tolist()]
                found += map(Prediction, came, surprise.tolist(), logs)
                before = logs[-1:]
            yield found

    def unknown_price(self) -> float:
        """Nats to say which of all unknown characters one is."""
        return math.log(CODE_POINTS - len(self.tokenizer))

    def snapshot(self, weights: str = "float32") -> Snapshot:
        """The model packed for streaming, as it is now; kept until a weight changes."""
        state = tuple((parameter.data_ptr(), parameter._version) for parameter in self.model.parameters())
        known = self._snapshots.get(weights)
        if known is None or known[0] != state:
            known = self._snapshots[weights] = state, self.model.snapshot(weights)
        return known[1]

    def stream(self, batch: int = 1, weights: str = "float32") -> Stream:
        """The model one symbol at a time, `batch` streams side by side."""
        return self._streaming(weights).stream(batch)

    def _streaming(self, weights: str) -> Streaming:
        """The snapshot, or the model where no compiled decoder runs it."""
        device = self.model.head.weight.device
        can = device.type == "cpu" and decoder_refusal(self.model.recurrent.spec) is None
        if can or weights != "float32":
            return self.snapshot(weights)
        return self.model


def _new_model(task: TextTask, tokenizer: Tokenizer) -> SequenceModel:
    torch.manual_seed(task.training.seed)
    return SequenceModel(len(tokenizer), task.model)


def _read_again(run: Run, task: TextTask) -> None:
    """Make the tokens of a run anew, and the tokenizer where nothing was trained with one yet."""
    trained_with = None
    if run.model_path.exists() or find_checkpoint(run.checkpoint_folder):
        Tokenizer.load(run.tokenizer_path)
        trained_with = run.tokenizer_path.read_bytes()
    shutil.rmtree(run.data_folder, ignore_errors=True)
    prepare(task.data, run.data_folder, run.tokenizer_path)
    if trained_with is not None and trained_with != run.tokenizer_path.read_bytes():
        write_whole(run.tokenizer_path, trained_with)
        shutil.rmtree(run.data_folder)
        raise InputError(f"{run.folder}: its text is not what it was trained on; restore the files, or train anew")
