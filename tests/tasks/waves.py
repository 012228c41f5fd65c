"""A task as small as a task can be, for tests of what all tasks on people's own sequences share.

A file has a wave a line, numbers with spaces between; to be said at a step is whether the number before it was above
zero. A recurrent net learns that; a net without recurrence cannot.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from peephole import divergence
from peephole.data.sequences.batches import SequenceBatch
from peephole.data.sequences.store import Pair, write_part
from peephole.errors import InputError
from peephole.models.config import WholeConfig
from peephole.models.inputs import Numbers
from peephole.models.perceptron import Perceptron
from peephole.models.sequence import SequenceModel
from peephole.runs.folder import Run
from peephole.tasks.examples.model import ExamplesModel
from peephole.tasks.examples.scores import Metrics, Scores
from peephole.tasks.examples.settings import ExamplesTask
from peephole.train.config import PassesConfig

HELD_OUT = 4  # of so many waves one


@dataclass(frozen=True)
class WavesData:
    """Which files, and how many waves to hold out."""

    files: tuple[Path, ...] = ()
    test: Path | None = None
    hold_out: bool = True


@dataclass(frozen=True)
class WavesNet(WholeConfig):
    """A small net."""

    layers: int = 1
    hidden_size: int = 8
    dropout: float = 0.0
    directions: Literal["both", "one"] = "one"


@dataclass(frozen=True)
class WavesTask(ExamplesTask):
    """The settings of the waves."""

    name: ClassVar[str] = "waves"
    data: WavesData = field(default_factory=WavesData)
    model: WavesNet = field(default_factory=WavesNet)
    training: PassesConfig = field(default_factory=PassesConfig)


@dataclass(frozen=True)
class WavesEncoding:
    """Mean and scale of the numbers of the training part."""

    mean: float
    scale: float

    def as_dict(self) -> dict[str, Any]:
        return {"mean": self.mean, "scale": self.scale}

    def pair(self, wave: NDArray[np.float64]) -> Pair:
        before = np.concatenate([[0.0], wave[:-1]])
        return ((wave - self.mean) / self.scale).astype(np.float32)[:, None], (before > 0).astype(np.int64)


def read(file: Path) -> list[NDArray[np.float64]]:
    """The waves of a file."""
    found: list[NDArray[np.float64]] = []
    try:
        text = file.read_text()
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error}); expected a file of waves") from None
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            found.append(np.array([float(word) for word in line.split()]))
        except ValueError as error:
            raise InputError(f"{file}, line {number}: {error}; expected numbers; mend the line") from None
    return found


def write(file: Path, count: int, seed: int, longest: int = 12) -> Path:
    """A file of random waves of 2 to `longest` steps."""
    random = np.random.default_rng(seed)
    waves = [random.normal(size=random.integers(2, longest + 1)) for _ in range(count)]
    file.write_text("".join(" ".join(f"{value:.3f}" for value in wave) + "\n" for wave in waves))
    return file


class WavesModel(ExamplesModel):
    """Tell of every step of a wave whether the one before it was high."""

    settings = WavesTask
    unit: ClassVar[str] = "values"
    items: ClassVar[str] = "waves"
    between: ClassVar[Callable[[str, Path], None]] = staticmethod(lambda name, folder: None)  # runs after every part

    @staticmethod
    def prepare(data: WavesData, folder: Path) -> WavesEncoding:
        waves = [wave for file in data.files for wave in read(file)]
        held_out = waves[::HELD_OUT] if data.hold_out else []
        train = [wave for number, wave in enumerate(waves) if number % HELD_OUT or not data.hold_out]
        values = np.concatenate([*train, np.zeros(1)])
        encoding = WavesEncoding(float(values.mean()), float(values.std()) or 1.0)
        parts = {"train": train, "held_out": held_out, "test": [] if data.test is None else read(data.test)}
        for name, some in parts.items():
            if some or name == "train":
                write_part(folder / name, (encoding.pair(wave) for wave in some))
                WavesModel.between(name, folder)
        return encoding

    @staticmethod
    def encoding_from(values: dict[str, Any]) -> WavesEncoding:
        return WavesEncoding(float(values["mean"]), float(values["scale"]))

    def new_net(self) -> SequenceModel | Perceptron:
        config = self.task.model
        if self.task.net == "mlp":
            return Perceptron(Numbers(1), config.hidden_size, nn.Linear(config.hidden_size, 2))
        return SequenceModel(Numbers(1), config, 2)

    def divergence(self, outputs: Tensor, batch: SequenceBatch) -> Tensor:
        return divergence.kl(outputs, batch.targets, batch.weights)

    def errors(self, outputs: Tensor, batch: SequenceBatch) -> float:
        return float(((outputs.argmax(-1) != batch.targets) * batch.weights).sum())

    def scores(self, part: str) -> Scores:
        wrong, answers = 0.0, 0
        for _, batch, outputs in self.outputs(self.model, part):
            wrong, answers = wrong + self.errors(outputs, batch), answers + batch.answers
        return Scores(part.replace("_", " "), f"{answers:,} values", {"right %": 1 - wrong / answers})

    def naive(self, part: str) -> Mapping[str, Metrics]:
        targets = torch.from_numpy(self.part(part).targets.astype(np.int64))
        return {"always low": {"right %": float((targets == 0).float().mean())}}

    def change(self) -> Callable[[Pair, Any], Pair]:
        """A little noise."""

        def noisy(pair: Pair, random: np.random.Generator) -> Pair:
            inputs, targets = pair
            return (inputs + 0.01 * random.normal(size=inputs.shape)).astype(np.float32), targets

        return noisy

    def predict(self, files: Sequence[Path]) -> Iterator[Any]:
        raise NotImplementedError


TRAINING = PassesConfig(steps=6, batch_size=8, threads=1, warmup=2, checkpoint_seconds=0.0, watch=0, learning_rate=0.03)


def task(data: WavesData, **training: Any) -> WavesTask:
    return WavesTask(data, WavesNet(), replace(TRAINING, **training))


def tree(folder: Path) -> dict[str, bytes | None]:
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def opened(folder: Path) -> WavesModel:
    found = WavesModel.open(Run.open(folder))
    assert isinstance(found, WavesModel)
    return found


def resumed(folder: Path) -> WavesModel:
    found = WavesModel.resume(Run.open(folder))
    assert isinstance(found, WavesModel)
    return found
