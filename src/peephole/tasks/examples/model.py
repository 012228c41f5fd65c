"""`ExamplesModel`: a run on a data set of sequences, from files to scores."""

import json
import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from peephole.data.sequences.batches import LengthBatches, Make, SequenceBatch, batch_of, in_order
from peephole.data.sequences.store import Pair, Part, digest_of, open_part
from peephole.errors import InputError
from peephole.models.config import DecoderConfig
from peephole.models.encoder_decoder import EncoderDecoder
from peephole.models.perceptron import Perceptron
from peephole.models.sequence import SequenceModel
from peephole.nn.explanation import explain_backend
from peephole.nn.recurrent import Recurrent
from peephole.runs.folder import Run, process_rank
from peephole.tasks.config import settings_of, task_of_settings
from peephole.tasks.examples.answer import Answer
from peephole.tasks.examples.objective import ExamplesObjective
from peephole.tasks.examples.scores import Metrics, Scores
from peephole.tasks.model import TaskModel, load_weights
from peephole.train.checkpoint import find_checkpoint
from peephole.train.contract import Batches
from peephole.train.machine import check_machine
from peephole.writing import sync_folder, write_whole

MEASURED = 512  # held-out sequences measured while training, at most
DIGEST = "data_sha256"  # beside the encoding: of what it was learnt from
EXAMINED_STEPS = 200  # of each sequence that the stability laboratory looks at


@runtime_checkable
class Encoding(Protocol):
    """What turns an item into arrays and an answer back into words, learnt from the training part alone."""

    def as_dict(self) -> dict[str, Any]: ...


Net = SequenceModel | EncoderDecoder | Perceptron


class ExamplesModel(TaskModel[Net]):
    """A trained (or half-trained) net in its run folder, with what it needs to read new items.

    A subclass is a task. It says what its data is (`prepare`, `encoding_from`), builds the net (`new_net`), knows the
    divergence, and scores. The rest is the same for all of them.
    """

    settings: ClassVar[Any]  # the kind of `ExamplesTask` that it has
    items: ClassVar[str] = "sequences"  # what a sequence is, in the plural
    has_mlp: ClassVar[bool] = True  # whether an mlp can be trained beside it
    aligned: ClassVar[bool] = True  # whether there is a target a step or a sequence, rather than any number of them
    decoding_settings: ClassVar[type[Any] | None] = None  # how answers are searched for, where they are: a dataclass
    listens: ClassVar[bool] = False  # whether standard input is bytes for `hear` rather than lines for `follow`

    def __init__(self, run: Run, task: Any, encoding: Any) -> None:
        self.run, self.task, self.encoding = run, task, encoding
        self.decoding: Any = None if self.decoding_settings is None else self.decoding_settings()
        torch.manual_seed(task.training.seed)
        self.model = self.new_net()

    # --- what a task says ---

    @staticmethod
    def prepare(data: Any, folder: Path) -> Encoding:
        """Read the files that `data` names and write the parts `train`, `held_out` and, where there is one, `test`
        into `folder`, which is empty. Shards of work that is not done stay in `.shards` beside it.

        Raises:
            InputError: a file that cannot be used, or a part without sequences.
        """
        raise NotImplementedError

    @staticmethod
    def encoding_from(values: dict[str, Any]) -> Encoding:
        """The encoding that `as_dict` wrote; KeyError, TypeError or ValueError for anything else."""
        raise NotImplementedError

    def new_net(self) -> Net:
        """An untrained net for `task.net`, drawn with torch's generator as it is."""
        raise NotImplementedError

    def divergence(self, outputs: Any, batch: Any) -> Tensor:
        """Sum over the targets of a batch, with its `targets` and `weights`, that count."""
        raise NotImplementedError

    def errors(self, outputs: Tensor, batch: SequenceBatch) -> float | None:
        """How many answers of a batch are wrong; None where the divergence itself is what counts."""
        return None

    def scores(self, part: str) -> Scores:
        """The net on a part of its data (`held_out`, `test`), without others beside it."""
        raise NotImplementedError

    def naive(self, part: str) -> Mapping[str, Metrics]:
        """The metrics of the field's naive methods on a part, by name; none of them needs a net."""
        return {}

    def predict(self, files: Sequence[Path]) -> Iterator[Answer]:
        """Answers to the items in files, in order."""
        raise NotImplementedError

    def follow(self, lines: Iterator[str], name: str) -> Iterator[Answer]:
        """Answers to items that come line by line, at once where the net is one-sided; `name` is for complaints."""
        raise NotImplementedError

    def hear(self, stream: BinaryIO, name: str) -> Iterator[Answer]:
        """Answers to what comes as bytes, at once where the net is one-sided; `name` is for complaints."""
        raise NotImplementedError

    def change(self) -> Callable[[Pair, Any], Pair] | None:
        """What training makes of a sequence each time that it is read; None leaves it as it is."""
        return None

    def make(self) -> Make | None:
        """What a net reads in place of a stored sequence where it does not train; None where it reads it as it is."""
        return None

    def respond(self, model: nn.Module, batch: Any, seed: Tensor | None = None) -> Any:
        """The outputs of a net for a batch, as `divergence` reads them; where it does not train one tensor."""
        device = next(model.parameters()).device
        return model(batch.inputs.to(device), None, None, seed, lengths=batch.lengths.to(device))[0]

    # --- runs ---

    @classmethod
    def create(cls, task: Any, out: Path | str) -> "ExamplesModel":
        """A new run in `out` with its data prepared and an untrained net; `fit` trains it.

        Raises:
            InputError: `out` exists or cannot be written, or data or settings cannot be used; then nothing is left.
            KeyboardInterrupt: as ever; the run stays, and `resume` goes on with the preparation.
        """
        if process_rank():
            return cls.resume(Run.wait_for(Path(out), *(() if task.net == "mlp" else ("data", "encoding.json"))))
        run = Run.create(Path(out))
        with run.lock():
            try:
                run.write_config(cls.settings.name, settings_of(task))
                check_machine(task.training)
                if task.net != "mlp":
                    cls._prepare(run, task)
                found = cls(run, task, cls._read_encoding(run, task))
                if not isinstance(found.model, Perceptron):
                    explain_backend(found.model)  # a named back end that cannot serve the cell says so here
                found.objective().batches(0, task.training.devices)
            except KeyboardInterrupt:
                if not run.config_path.exists():
                    run.discard()
                raise  # what was prepared so far stays; `resume` goes on
            except BaseException:
                run.discard()
                raise
        return found

    @classmethod
    def open(cls, run: Run) -> "ExamplesModel":
        """The net of a finished or interrupted run: its kept weights, or those of its newest checkpoint."""
        task = cls.task_from(run)
        found = cls(run, task, cls._read_encoding(run, task))
        load_weights(found.model, run)
        return found

    @classmethod
    def resume(cls, run: Run) -> "ExamplesModel":
        """A run to go on training, killed at whatever moment: data that was not read whole is read again."""
        task = cls.task_from(run)
        if task.net != "mlp" and not process_rank() and not (run.data_folder.exists() and run.encoding_path.exists()):
            with run.lock():
                cls._prepare_again(run, task)
        return cls(run, task, cls._read_encoding(run, task))

    @classmethod
    def defaults(cls) -> Any:
        """The settings that are used where nothing else is said."""
        return cls.settings()  # pyright: ignore[reportCallIssue]

    @classmethod
    def task_from(cls, run: Run) -> Any:
        """The settings of a run."""
        return task_of_settings(cls.settings, run.read_config()["settings"], run.config_path)

    @classmethod
    def _prepare(cls, run: Run, task: Any) -> None:
        partial = run.folder / ".data.partial"  # the folder data is there whole or not at all
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        encoding = cls.prepare(task.data, partial)
        values = {**encoding.as_dict(), DIGEST: digest_of(partial)}
        partial.replace(run.data_folder)
        sync_folder(run.folder)
        write_whole(run.encoding_path, (json.dumps(values, ensure_ascii=False) + "\n").encode())

    @classmethod
    def _prepare_again(cls, run: Run, task: Any) -> None:
        """The data anew, and the encoding where nothing was trained with one yet."""
        before = None
        if run.model_path.exists() or find_checkpoint(run.checkpoint_folder):
            cls._read_encoding(run, task)  # damaged or missing: said before any work
            before = run.encoding_path.read_bytes()
        shutil.rmtree(run.data_folder, ignore_errors=True)
        cls._prepare(run, task)
        if before is not None and before != run.encoding_path.read_bytes():
            write_whole(run.encoding_path, before)
            shutil.rmtree(run.data_folder)
            raise InputError(f"{run.folder}: its data is not what it was trained on; restore the files, or train anew")

    @classmethod
    def _read_encoding(cls, run: Run, task: Any) -> Any:
        path = cls._shared(run, task).encoding_path
        try:
            values = json.loads(path.read_bytes())
            values.pop(DIGEST)
            return cls.encoding_from(values)
        except FileNotFoundError:
            raise InputError(f"{path}: missing; restore it, or train again") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: damaged ({error}); restore it, or train again") from None

    @staticmethod
    def _shared(run: Run, task: Any) -> Run:
        """The run whose data it reads: of the mlp the one that it stands beside."""
        return Run(run.folder.parent) if task.net == "mlp" else run

    # --- data ---

    @property
    def data_folder(self) -> Path:
        return self._shared(self.run, self.task).data_folder

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that there are."""
        return tuple(name for name in ("train", "held_out", "test") if (self.data_folder / name).is_dir())

    @cached_property
    def _opened(self) -> dict[str, Part]:
        return {}

    def part(self, name: str) -> Part:
        """A part of the data. `InputError` when it is gone or was never there."""
        if not (self.data_folder / name).is_dir():
            known = ", ".join(part.replace("_", "-") for part in self.parts) or "no part at all"
            again = "" if self.parts else f"; peephole train --resume {self.run.folder} prepares it again"
            raise InputError(f"{self.run.folder}: has no {name.replace('_', '-')} part; its data has {known}{again}")
        if name not in self._opened:
            self._opened[name] = open_part(self.data_folder / name)
        return self._opened[name]

    @property
    def measured_part(self) -> str:
        """The part that it is measured on while training: the held-out one, or, where nothing was held out, its own."""
        return "held_out" if "held_out" in self.parts else "train"

    def batches(self, rank: int, world_size: int) -> Batches:
        """What the loop trains on."""
        training = self.task.training
        return LengthBatches(self.part("train"), training.batch_size, training.seed, rank, world_size, self.change())

    def part_batches(self, name: str, most: int) -> list[SequenceBatch]:
        """At most so many batches of a part, from all over it."""
        rows = self.task.training.batch_size
        return [batch for _, batch in in_order(self.part(name), rows, rows * most, self.make())][:most]

    @property
    def examples(self) -> int:
        """How many targets there are to learn from in all."""
        part = self.part("train")
        return len(part) if part.answered else len(part.targets)

    # --- training ---

    @property
    def is_noisy(self) -> bool:
        """Whether the net draws noise in its recurrence."""
        return not isinstance(self.model, Perceptron) and any(net.noise.any for net in _recurrent(self.model))

    def objective(self) -> ExamplesObjective:
        return ExamplesObjective(self)

    def outputs(
        self, model: nn.Module, part: str, most: int | None = None
    ) -> Iterator[tuple[Any, SequenceBatch, Tensor]]:
        """Of every sequence of a part: the numbers of the rows of a batch, the batch, and what the net makes of it."""
        for numbers, batch in in_order(self.part(part), max(32, self.task.training.batch_size), most, self.make()):
            with torch.no_grad():
                found = self.respond(model, batch)
            yield numbers, batch, found.float().cpu()

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Mean divergence, and share of right answers, on held-out sequences; NaN once a weight is not finite."""
        if not all(bool(torch.isfinite(parameter).all()) for parameter in model.parameters()):
            return {"held_out": math.nan}
        total, wrong, answers = 0.0, 0.0, 0
        judged = False
        for _, batch, outputs in self.outputs(model, self.measured_part, MEASURED):
            total += float(self.divergence(outputs, batch))
            errors = self.errors(outputs, batch)
            judged = errors is not None
            wrong += errors or 0.0
            answers += batch.answers
        count = max(1, answers)
        found = {"held_out": total / count}
        if not judged:
            return found
        right = {"right": 1 - wrong / count} if self.aligned else {}  # of what is also added there is no right share
        return {**found, **right, "judged": wrong / count}

    def net_before(self) -> Net:
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(self.task.training.seed)
            return self.new_net()

    def write_config(self) -> None:
        self.run.write_config(self.settings.name, settings_of(self.task))

    @property
    def kind(self) -> str:
        if isinstance(self.model, Perceptron):
            return f"mlp of {self.model.hidden.out_features} hidden units, no recurrence"
        config = self.model.config
        sides = ", both directions" if config.bidirectional else ""
        size = f"{config.spec.code} {config.layers}×{config.hidden_size}{sides}"
        if isinstance(config, DecoderConfig):
            looks = "without attention" if config.attention == "none" else f"attention of {config.attention.title()}"
            return f"encoder and decoder, {size}, {looks}"
        return size

    @property
    def counted(self) -> str:
        """What there is, `12,544 sentences to train on, 2,001 held out, 2,077 to test on`."""
        names = {"train": f"{self.items} to train on", "held_out": "held out", "test": "to test on"}
        return ", ".join(f"{len(self.part(name)):,} {names[name]}" for name in self.parts)

    def describe(self) -> list[str]:
        count = sum(parameter.numel() for parameter in self.model.parameters())
        lines = [self.counted, f"{self.kind}, {count:,} parameters"]
        batches = self.batches(0, 1)
        if isinstance(batches, LengthBatches):
            lines.append(f"{batches.padding:.1%} of the steps of a batch are padding")
        return lines

    def show(self, measured: dict[str, Any]) -> str:
        if "held_out" not in measured:
            return f"{measured['divergence']:.4g} {self.task.unit}"
        right = f", {measured['right']:.2%} right" if "right" in measured else ""
        where = "held out" if self.measured_part == "held_out" else "on training data"
        return f"{where} {measured['held_out']:.4g} {self.task.unit}{right}"

    # --- looking at it ---

    def examined(
        self, sequences: int, steps: int | None = None, most: int | None = None
    ) -> tuple[dict[str, Any], Callable[[Any], Tensor]]:
        """Held-out sequences of about the same length, cut to the shortest of them, and their divergence."""
        if isinstance(self.model, Perceptron):
            raise InputError(f"{self.run.folder}: an mlp; expected a recurrent net, nothing flows through time in it")
        part = self.part(self.measured_part)
        lengths = part.lengths
        order = lengths.argsort(kind="stable")
        end = max(min(sequences, len(order)), round(0.9 * len(order)))
        numbers = order[max(0, end - sequences) : end]
        shortest = int(lengths[numbers].min())
        wanted = min(shortest, EXAMINED_STEPS if steps is None else steps)
        wanted = wanted if most is None else min(wanted, most)
        if wanted < 2:
            raise InputError(f"held-out sequences have {shortest} steps; nothing flows through time in so few")
        batch = self.cut(part, numbers, wanted)
        return {"inputs": batch.inputs}, lambda outputs: self.divergence(outputs, batch)

    def cut(self, part: Part, numbers: Any, steps: int) -> SequenceBatch:
        """The first steps of some sequences, all as long."""
        pairs = [part.sequence(number) for number in numbers.tolist()]
        return batch_of([(inputs[:steps], targets[:steps]) for inputs, targets in pairs])

    # --- scores ---

    def mlp(self) -> "ExamplesModel | None":
        """The mlp beside this net, in a run folder within this run's, made if it is not there yet."""
        if not self.task.baseline or not self.has_mlp:
            return None
        folder = self.run.folder / "mlp"
        if (folder / "config.json").is_file():
            return type(self).resume(Run.open(folder))
        return type(self).create(replace(self.task, net="mlp", baseline=False), folder)

    def measure(self, part: str | None = None) -> Scores:
        """The net on the test part, or on what was held out where there is no test, beside mlp and naive methods."""
        name = part or ("test" if "test" in self.parts else self.measured_part)
        found = self.scores(name)
        others: dict[str, Metrics] = {}
        folder = self.run.folder / "mlp"
        if self.task.baseline and (folder / "model.safetensors").is_file():
            others["mlp"] = type(self).open(Run.open(folder)).scores(name).metrics
        return replace(found, others={**others, **self.naive(name)})


def _recurrent(model: nn.Module) -> Iterator[Recurrent]:
    """The recurrent nets in a model."""
    return (part for part in model.modules() if isinstance(part, Recurrent))
