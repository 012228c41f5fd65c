"""The text task: a language model of characters, from files to a run that writes, answers and scores."""

import dataclasses
import math
import shutil
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from peephole import divergence
from peephole.data.corpus import TextCorpus, open_corpus, prepare
from peephole.data.lanes import Documents, Lanes, Window
from peephole.data.tokenizer import Tokenizer
from peephole.errors import InputError
from peephole.generate.config import Sampling
from peephole.generate.sampling import draw
from peephole.generate.scoring import Pieces, surprisals
from peephole.generate.stream import Stream
from peephole.models.sequence import SequenceModel
from peephole.nn.explanation import explain_backend
from peephole.nn.noise import noise_seed
from peephole.runs.folder import Run, process_rank
from peephole.runs.tensors import read_tensors
from peephole.tasks.config import TextTask, settings_of, task_from
from peephole.train.checkpoint import find_checkpoint, read_checkpoint
from peephole.train.config import TrainingConfig
from peephole.train.contract import Listener
from peephole.train.machine import check_machine
from peephole.writing import write_whole

CODE_POINTS = 1_112_064  # of Unicode, what an unknown character could have been
WATCHED_TOKENS = 1 << 16  # held-out tokens measured while training


class TextObjective:
    """What the training loop needs of the text task. `noisy`: the model draws noise in its recurrence."""

    unit = "characters"

    def __init__(self, corpus: TextCorpus, config: TrainingConfig, noisy: bool = False) -> None:
        self.corpus, self.config, self.noisy = corpus, config, noisy

    def batches(self, rank: int, world_size: int) -> Lanes | Documents:
        config, part, eod = self.config, self.corpus.train, self.corpus.tokenizer.eod
        if config.bptt == "full":
            return Documents(part, config.batch_size, config.longest_document, eod, config.seed, rank, world_size)
        return Lanes(part, config.batch_size, config.window, eod, rank, world_size)

    def divergence(
        self, model: nn.Module, window: Window, states: tuple[Tensor, ...] | None
    ) -> tuple[Tensor, int, tuple[Tensor, ...]]:
        # Drawn out here: inside a compiled model torch's generator gives other numbers.
        seed = noise_seed(None, window.inputs.device) if self.noisy else None
        logits, finals = model(window.inputs, states, window.resets, seed)
        return divergence.kl(logits, window.targets, window.weights), window.tokens, finals

    def evaluate(self, model: nn.Module) -> float:
        """Mean surprisal in nats on a fixed sample of the held-out tokens."""
        tokens, eod = self.corpus.held_out.tokens, self.corpus.tokenizer.eod
        assert isinstance(model, SequenceModel)
        return float(surprisals(model, tokens, eod, Pieces(1024, 256), limit=WATCHED_TOKENS).mean())


class TextModel:
    """A trained (or half-trained) language model with its vocabulary and its run folder."""

    def __init__(self, run: Run, task: TextTask, tokenizer: Tokenizer, model: SequenceModel) -> None:
        self.run, self.task, self.tokenizer, self.model = run, task, tokenizer, model

    @classmethod
    def create(cls, task: TextTask, out: Path | str) -> "TextModel":
        """A new run in `out` with its text read and an untrained model; `fit` trains it.

        Raises:
            InputError: `out` exists or cannot be written, or the text cannot be used; then nothing is left behind.
        """
        if process_rank():
            return cls.resume(Run.wait_for(Path(out)))
        run = Run.create(Path(out))
        with run.lock():
            try:
                run.write_config("text", settings_of(task))
                corpus = prepare(task.data, run.data_folder, run.tokenizer_path)
                check_machine(task.training)
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
        task = _task_of(run)
        tokenizer = Tokenizer.load(run.tokenizer_path)
        model = _new_model(task, tokenizer)
        checkpoint = find_checkpoint(run.checkpoint_folder)
        if run.model_path.exists() or checkpoint is None:
            weights, where = read_tensors(run.model_path), run.model_path
        else:
            count = len(list(checkpoint.glob("rank-*")))
            weights, where = read_checkpoint(checkpoint, 0, count)["model"], checkpoint
        try:
            model.load_state_dict(weights)
        except (RuntimeError, AttributeError) as error:
            reason = str(error).splitlines()[-1].strip()
            raise InputError(f"{where}: does not fit config.json ({reason}); restore both from one run") from None
        return cls(run, task, tokenizer, model.eval())

    @classmethod
    def resume(cls, run: Run) -> "TextModel":
        """A run to go on training, killed at whatever moment: text that was not read whole is read again."""
        task = _task_of(run)
        if process_rank():
            Run.wait_for(run.folder)
        if not (run.data_folder.exists() and run.tokenizer_path.exists()):
            with run.lock():
                _read_again(run, task)
        tokenizer = Tokenizer.load(run.tokenizer_path)
        return cls(run, task, tokenizer, _new_model(task, tokenizer))

    @cached_property
    def corpus(self) -> TextCorpus:
        """The tokens of the run. `InputError` when they are gone."""
        return open_corpus(self.run.data_folder, self.run.tokenizer_path)

    def fit(self, listener: Listener | None = None, **changes: Any) -> Any:
        """Train to the end of the budget, from the newest checkpoint if there is one; then keep the best weights.

        `changes` are settings of `TrainingConfig`, such as `steps=2000` to train longer. Returns the loop's `Progress`.
        """
        from peephole.train.loop import fit  # Fabric takes over a second to import

        if changes:
            budgets = {"steps", "epochs", "minutes"}
            cleared = dict.fromkeys(budgets, None) if budgets & changes.keys() else {}
            training = dataclasses.replace(self.task.training, **{**cleared, **changes})
            self.task = dataclasses.replace(self.task, training=training)
            if not process_rank():
                with self.run.lock():  # not while another training is at work
                    self.run.write_config("text", settings_of(self.task))
        objective = TextObjective(self.corpus, self.task.training, self.model.recurrent.noise.any)
        progress = fit(self.model, objective, self.task.training, self.run, listener or Listener())
        self.model.load_state_dict(read_tensors(self.run.model_path))
        self.model.eval()
        return progress

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
    ) -> Iterator[tuple[int, str]]:
        """Texts as they are written: pairs of (stream, further text). A text ends at `length` characters, where the
        model draws the end of a document, or before `stop`.
        """
        if length < 1 or streams < 1:
            raise InputError(f"--length is {length} and --count is {streams}; expected at least 1 of each")
        if stop == "":
            raise InputError("--stop is empty; expected the string at which to end")
        symbols = draw(self.model, self.encode_prime(prime), how or Sampling(), streams, never=[self.tokenizer.unk])
        return _spell(symbols, self.tokenizer, length, streams, stop)

    def sample(self, prime: str = "", length: int = 500, stop: str | None = None, **how: Any) -> str:
        """One text, without the prime; `how` are the fields of `Sampling`."""
        return "".join(text for _, text in self.write(prime, length, Sampling(**how), 1, stop))

    def next(self, prime: str) -> list[tuple[str, float]]:
        """The distribution of the symbol after `prime`: (symbol, probability), likeliest first."""
        stream = Stream(self.model)
        logs = stream.read(torch.tensor(self.encode_prime(prime))[:, None])[-1, 0]
        order = logs.argsort(descending=True, stable=True).tolist()
        return [(self.tokenizer.symbols[index], math.exp(float(logs[index]))) for index in order]

    def score(self, text: str) -> NDArray[np.float64]:
        """Surprisal in nats of each token of `text` as one document, then of its end: `[tokens + 1]`.

        A character that training never saw costs what `<unk>` costs and which of all other characters it is.
        """
        eod = np.array([self.tokenizer.eod], dtype=self.tokenizer.dtype)
        tokens = np.concatenate([eod, self.tokenizer.encode(text), eod])
        return self.price(tokens, Pieces(length=None))

    def score_characters(self, text: str) -> NDArray[np.float64]:
        """Surprisal in nats of each character of `text`, `[characters]`; of several tokens, their sum."""
        values = self.score(text)[:-1]
        if len(values) == len(text):
            return values
        starts = np.cumsum([0, *(len(self.tokenizer.encode(character)) for character in text[:-1])])
        return np.add.reduceat(values, starts)

    def price(
        self, tokens: NDArray[np.unsignedinteger], pieces: Pieces | None = None, limit: int | None = None
    ) -> NDArray[np.float64]:
        """Surprisal in nats of `tokens[1:]`, unknown characters priced in full."""
        values = surprisals(self.model, tokens, self.tokenizer.eod, pieces or Pieces(), limit)
        if limit is None:
            values = values + self.unknown_price() * (tokens[1:] == self.tokenizer.unk)
        return values

    def unknown_price(self) -> float:
        """Nats to say which of all unknown characters one is."""
        return math.log(CODE_POINTS - len(self.tokenizer))

    def stream(self, batch: int = 1) -> Stream:
        """The model one symbol at a time, `batch` streams side by side."""
        return Stream(self.model, batch)


def _new_model(task: TextTask, tokenizer: Tokenizer) -> SequenceModel:
    torch.manual_seed(task.training.seed)
    return SequenceModel(len(tokenizer), task.model)


def _task_of(run: Run) -> TextTask:
    config = run.read_config()
    if config["task"] != "text":
        raise InputError(f"{run.folder}: a run of the task {config['task']!r}; expected one of text")
    return task_from(config["settings"], run.config_path)


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


def _spell(
    symbols: Iterator[list[int]], tokenizer: Tokenizer, length: int, streams: int, stop: str | None
) -> Iterator[tuple[int, str]]:
    """Symbols to text; what could be the beginning of `stop` is held back until it is clear that it is not."""
    held = [""] * streams
    count = [0] * streams
    open_streams = set(range(streams))
    spellings = [tokenizer.speller() for _ in range(streams)]
    while open_streams:
        drawn = next(symbols)
        for index in sorted(open_streams):
            ended = drawn[index] == tokenizer.eod
            text = spellings[index](None if ended else drawn[index])[: length - count[index]]
            count[index] += len(text)
            held[index] += text
            done = ended or count[index] >= length
            if stop is not None and stop in held[index]:
                held[index], done = held[index][: held[index].index(stop)], True
            keep = 0 if done or stop is None else _overlap(held[index], stop)
            ready = held[index][: len(held[index]) - keep]
            held[index] = held[index][len(held[index]) - keep :]
            if ready:
                yield index, ready
            if done:
                open_streams.remove(index)


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that begins `stop`."""
    return next((size for size in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:size])), 0)


def names_of(symbols: Sequence[str]) -> list[str]:
    """Symbols as they can be shown on one line."""
    shown = {" ": "␠", "\n": "⏎", "\t": "⇥", "\r": "␍"}
    return [shown.get(symbol, symbol if symbol.isprintable() else repr(symbol)[1:-1]) for symbol in symbols]
