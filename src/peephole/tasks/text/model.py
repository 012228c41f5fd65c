"""The text task: a language model of characters, from files to a run that writes, answers and scores."""

import math
import shutil
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from peephole import divergence
from peephole._native.decoding import refusal as decoder_refusal
from peephole.data.corpus import Part, TextCorpus, open_corpus, prepare
from peephole.data.lanes import Lanes, Window
from peephole.data.tokenizer import Tokenizer
from peephole.errors import InputError
from peephole.generate.beam import search
from peephole.generate.config import Sampling
from peephole.generate.sampling import Writing
from peephole.generate.scoring import Pieces, reads_through, surprisals
from peephole.models.language.model import LanguageModel
from peephole.models.language.time_delay import TimeDelayModel
from peephole.models.softmax import AdaptiveSoftmax, SampledSoftmax
from peephole.nn.explanation import explain_backend
from peephole.runs.folder import Run, process_rank
from peephole.streams.snapshot import Snapshot, Streaming
from peephole.streams.stream import Stream
from peephole.tasks.beginning import pinned
from peephole.tasks.config import TextTask, settings_of, task_from
from peephole.tasks.model import TaskModel, load_weights
from peephole.tasks.text.answering import Prediction, Scored, distribution, encoded_prime, predictions
from peephole.tasks.text.ending import Ending
from peephole.tasks.text.objective import TextObjective
from peephole.tasks.text.starting import new_model, start_for
from peephole.tasks.text.writing import spell, speller_after
from peephole.tasks.text.written import tokens_in
from peephole.train.checkpoint import find_checkpoint
from peephole.train.machine import check_machine
from peephole.writing import write_whole

CODE_POINTS = 1_112_064  # of Unicode, what an unknown character could have been
FEW_DOCUMENTS = 100  # of which a net does not learn how one begins
EXAMINED_STEPS = 200  # of each sequence that the stability laboratory looks at


class TextModel(TaskModel[LanguageModel]):
    """A trained (or half-trained) language model with its vocabulary and its run folder."""

    def __init__(self, run: Run, task: TextTask, tokenizer: Tokenizer, model: LanguageModel) -> None:
        self.run, self.task, self.tokenizer, self.model = run, task, tokenizer, model
        self.unit = tokenizer.unit  # pyright: ignore[reportAttributeAccessIssue]
        self._snapshots: dict[str, tuple[object, Snapshot]] = {}

    @classmethod
    def create(cls, task: TextTask, out: Path | str) -> "TextModel":
        """A new run in `out` with its text read and an untrained model; `fit` trains it.

        Raises:
            InputError: `out` exists or cannot be written, or the text cannot be used; then nothing is left behind.
        """
        if process_rank():
            return cls.resume(Run.wait_for(Path(out), "data", "tokenizer.json"))
        task = pinned(task)
        run = Run.create(Path(out))
        with run.lock():
            try:
                run.write_config("text", settings_of(task))
                check_machine(task.training)
                corpus = prepare(task.data, run.data_folder, run.tokenizer_path)
                TextObjective(corpus, task.training).batches(0, task.training.devices)
                model = new_model(task, corpus.tokenizer, start_for(run, task, corpus.tokenizer))
                if not isinstance(model, TimeDelayModel):
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
        model = new_model(task, tokenizer)
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
        return cls(run, task, tokenizer, new_model(task, tokenizer, start_for(run, task, tokenizer)))

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
        self.need_recurrence()
        steps = EXAMINED_STEPS if steps is None else steps
        steps = steps if most is None else min(steps, most)
        window = self.held_out_window(sequences, 2 * steps)
        resets = [None, None] if window.resets is None else window.resets.split(steps)
        with torch.no_grad():
            states = self.model(window.inputs[:steps], None, resets[0])[1]
        targets = window.targets[steps:]
        batch = {"inputs": window.inputs[steps:], "states": states, "resets": resets[1]}
        return batch, lambda logits: divergence.kl(logits, targets)

    def need_recurrence(self) -> None:
        """Raise `InputError` for a net without recurrence."""
        if isinstance(self.model, TimeDelayModel):
            raise InputError("a net without recurrence, nothing flows through time in it")

    def objective(self) -> TextObjective:
        return TextObjective(self.corpus, self.task.training, noisy=self.model.noisy)

    def net_before(self) -> LanguageModel:
        with torch.random.fork_rng(devices=()):
            return new_model(self.task, self.tokenizer, start_for(self.run, self.task, self.tokenizer))

    def write_config(self) -> None:
        self.run.write_config("text", settings_of(self.task))

    def describe(self) -> list[str]:
        corpus, unit = self.corpus, self.unit
        count = sum(parameter.numel() for parameter in self.model.parameters())
        train, held_out = self._size(corpus.train), self._size(corpus.held_out)
        start = start_for(self.run, self.task, self.tokenizer)
        return [
            f"{train:,} {unit} to train on, {held_out:,} held out, {len(self.tokenizer):,} symbols",
            f"{self.kind}, {count:,} parameters",
            *([] if start is None else [start.said]),
        ]

    def _size(self, part: Part) -> int:
        """Of a part, in the unit of the run."""
        return part.characters if self.unit == "characters" else len(part.tokens)

    @property
    def kind(self) -> str:
        config, head = self.model.config, self.model.head
        said = f"{config.spec.code} {config.layers}×{config.hidden_size}"
        if isinstance(self.model, TimeDelayModel):
            said = self.model.name
        tied = ", tied" if head.weight is self.model.embedding.weight else ""
        kinds = {SampledSoftmax: ", sampled softmax", AdaptiveSoftmax: ", adaptive softmax"}
        return f"{said}{tied}{kinds.get(type(head), '')}"

    def show(self, measured: dict[str, Any]) -> str:
        """In nats and bits; of words and pieces, of which there are many, as perplexity."""
        nats, one = measured["held_out" if "held_out" in measured else "divergence"], self.unit[:-1]
        characters = self.unit == "characters"
        worth = f"{nats / math.log(2):.4f} bits a {one}" if characters else f"perplexity {math.exp(min(nats, 700)):.2f}"
        if "held_out" in measured:
            return f"held out {nats:.4f} nats, {worth}"
        return f"{nats:.3f} nats {nats / math.log(2):.3f} bits" if characters else f"{nats:.3f} nats {worth}"

    def encode_prime(self, prime: str, unknown: bool = False) -> list[int]:
        """`<eod>` and the tokens of `prime`, cut as the text was; what training never saw is `<unk>` if `unknown`.

        Of words a line end may stand between them.

        `InputError` names the characters or words that training never saw otherwise.
        """
        return [*self._beginning, *encoded_prime(self.tokenizer, prime, unknown)]

    @cached_property
    def _beginning(self) -> list[int]:
        """What a text that is written begins after: `<eod>`; of words a line end too where training had few documents.

        A net that has hardly seen how one begins expects anything: of WikiText's words, which have one beginning, the
        first of a line cost 8.3 nats after `<eod>` alone and 5.0 after both.
        """
        tokenizer = self.tokenizer
        try:
            few = self.corpus.train.documents < FEW_DOCUMENTS
        except InputError:  # the text is gone
            few = True
        return [tokenizer.eod] if tokenizer.eos is None or not few else [tokenizer.eod, tokenizer.eos]

    def write(
        self,
        prime: str = "",
        length: int | None = None,
        how: Sampling | None = None,
        streams: int = 1,
        stop: str | None = None,
        weights: str = "float32",
        sentences: int | None = None,
        cut: bool = False,
        unknown: bool = False,
    ) -> Iterator[tuple[int, str]]:
        """Texts as they are written: pairs of (stream, further text), words with the space before them.

        A text ends after `length` tokens (`tasks.text.ending` has the usual lengths), of words and pieces where its
        sentence ends unless `cut`; or after `sentences`; and where the model draws the end of a document, or before
        `stop`. `weights`: float32, bfloat16 or int8. `unknown`: words of the prime that training never saw are `<unk>`,
        which is never drawn.
        """
        if streams < 1:
            raise InputError(f"--count is {streams}; expected at least 1")
        ending, tokenizer = Ending(length, sentences, cut, stop), self.tokenizer
        symbols = self.encode_prime(prime, unknown)
        never, how = [tokenizer.unk], how or Sampling()
        writing = Writing(self._streaming(weights), symbols, how, streams, never, tokenizer.eod)
        return spell(writing, tokenizer, ending, symbols)

    def sample(self, prime: str = "", length: int | None = None, stop: str | None = None, **how: Any) -> str:
        """One text, without the prime; `how` are the fields of `Sampling`."""
        return "".join(text for _, text in self.write(prime, length, Sampling(**how), 1, stop))

    def likeliest(
        self,
        prime: str = "",
        length: int = 100,
        beams: int = 4,
        weights: str = "float32",
        sentence: bool = False,
        unknown: bool = False,
    ) -> list[tuple[str, float]]:
        """The likeliest texts that beam search finds after `prime`, without it: (text, log-probability in nats).

        With `sentence` a text ends where its sentence may, before `length` tokens if it does.
        """
        tokenizer, symbols = self.tokenizer, self.encode_prime(prime, unknown)
        ends = [tokenizer.eod]
        if sentence:
            ends += [symbol for symbol in range(len(tokenizer)) if tokenizer.ends_sentence(symbol)]
        found = search(self._streaming(weights), symbols, length, beams, ends, [tokenizer.unk])
        texts: list[tuple[str, float]] = []
        for beam in found:
            spell = speller_after(tokenizer, symbols)
            said = [None if symbol == tokenizer.eod else symbol for symbol in (*beam.symbols, tokenizer.eod)]
            text = "".join(map(spell, said))
            texts.append((text.rstrip("\n") if sentence else text, beam.log_probability))
        return texts

    def next(self, prime: str, weights: str = "float32", unknown: bool = False) -> list[tuple[str, float]]:
        """The distribution of the symbol after `prime`: (symbol, probability), likeliest first."""
        return distribution(self.stream(weights=weights), self.tokenizer, self.encode_prime(prime, unknown))

    def score(self, text: str, weights: str = "float32") -> NDArray[np.float64]:
        """Surprisal in nats of each token of `text` as one document, then of its end: `[tokens + 1]`.

        A character that training never saw costs what `<unk>` costs and which of all other characters it is.
        """
        return self._score(self.tokenizer.encode(text), weights)

    def score_characters(self, text: str, weights: str = "float32") -> NDArray[np.float64]:
        """Surprisal in nats of each character of `text`, `[characters]`; of several tokens, their sum.

        `InputError` for a run over words or pieces, whose tokens have no price a character: see `score_tokens`.
        """
        if self.unit != "characters":
            raise InputError(f"a run over {self.unit} scores no characters; use score_tokens")
        values = self.score(text, weights)[:-1]
        if len(values) == len(text):
            return values
        starts = np.cumsum([0, *(len(self.tokenizer.encode(character)) for character in text[:-1])])
        return np.add.reduceat(values, starts)

    def score_tokens(self, text: str, weights: str = "float32") -> Scored:
        """Each token of `text` as it stands there, with its surprisal, as one document."""
        ids, written = tokens_in(self.tokenizer, text)
        return Scored.of(written, self._score(ids, weights)[:-1], ids != self.tokenizer.unk)

    def _score(self, ids: NDArray[np.unsignedinteger], weights: str) -> NDArray[np.float64]:
        eod = np.array([self.tokenizer.eod], dtype=self.tokenizer.dtype)
        return self.price(np.concatenate([eod, ids, eod]), Pieces(length=None), weights=weights)

    def price(
        self,
        tokens: NDArray[np.unsignedinteger],
        pieces: Pieces | None = None,
        limit: int | None = None,
        weights: str = "float32",
    ) -> NDArray[np.float64]:
        """Surprisal in nats of `tokens[1:]`, unknown characters priced in full."""
        whole = weights == "float32" and reads_through(self.model)
        reader = self.model if whole else self._streaming(weights)
        values = surprisals(reader, tokens, self.tokenizer.eod, pieces or Pieces(), limit)
        if limit is None:
            values = values + self.unknown_price() * (tokens[1:] == self.tokenizer.unk)
        return values

    def predict(self, texts: Iterable[str], weights: str = "float32") -> Iterator[list[Prediction]]:
        """A document that comes in parts: what the model expected of each token, and what it expects next.

        A list for each few tokens that are whole, a word once its end has come; in constant memory however long the
        document is.
        """
        return predictions(self.stream(weights=weights), self.tokenizer, texts, self.unknown_price())

    def unknown_price(self) -> float:
        """Nats to say which of all unknown characters one is; none for words, of which no one knows how many there are.

        So the perplexity of words is that of a closed vocabulary, as it is published.
        """
        return math.log(CODE_POINTS - len(self.tokenizer)) if self.unit == "characters" else 0.0

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
        can = self.model.packs and device.type == "cpu" and decoder_refusal(self.model.recurrent.spec) is None
        if can or weights != "float32":
            return self.snapshot(weights)
        return self.model


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
