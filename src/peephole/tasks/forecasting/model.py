"""`ForecastingModel`: the next steps of series."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from peephole import divergence
from peephole.data.forecasting.config import ForecastingData
from peephole.data.forecasting.encoding import ForecastingEncoding
from peephole.data.forecasting.preparing import prepare
from peephole.data.forecasting.windows import WindowBatch, WindowBatches, Windows
from peephole.errors import InputError
from peephole.models.heads import Pooled
from peephole.models.inputs import Convolution
from peephole.models.perceptron import Perceptron
from peephole.models.sequence import SequenceModel
from peephole.tasks.examples.model import ExamplesModel
from peephole.tasks.examples.scores import Metrics, Scores
from peephole.tasks.examples.settings import ExamplesTask
from peephole.tasks.forecasting.answer import Forecast
from peephole.tasks.forecasting.answering import Answering
from peephole.tasks.forecasting.forecasting import forecasts, kept_offsets
from peephole.tasks.forecasting.measuring import metrics
from peephole.tasks.forecasting.naive import naive_methods
from peephole.tasks.forecasting.scoring import scored
from peephole.tasks.forecasting.settings import ForecastingTask
from peephole.tasks.forecasting.tracking import Offsets, Tracking

LOOKED_AT = 4096  # held-out windows measured while training; they overlap, so that fewer say little
NAMED = 5  # series left out that are named


class ForecastingModel(ExamplesModel):
    """Learn to forecast the next steps of series in tables (.csv, .parquet), with quantiles.

    One net serves all series: it reads a window of each by itself, without its level, in segments. It is judged by the
    squared error over all steps ahead, and by how many values lie within its intervals.
    """

    settings: ClassVar[type[ExamplesTask]] = ForecastingTask
    unit: ClassVar[str] = "values"
    items: ClassVar[str] = "windows"
    task: ForecastingTask
    encoding: ForecastingEncoding

    @staticmethod
    def prepare(data: ForecastingData, folder: Path) -> ForecastingEncoding:
        return prepare(data, folder)

    @staticmethod
    def encoding_from(values: dict[str, Any]) -> ForecastingEncoding:
        return ForecastingEncoding.from_dict(values)

    def new_net(self) -> SequenceModel | Perceptron:
        config, encoding = self.task.model, self.encoding
        outputs = encoding.horizon * len(config.shares)
        if self.task.net == "mlp":  # reads the whole window at once
            whole = Convolution(encoding.features, config.embedding_size, encoding.context, encoding.context)
            return Perceptron(whole, config.hidden_size, Pooled(config.hidden_size, outputs), config.dropout)
        segment = config.segment_of(encoding.context, encoding.season)
        layer = Convolution(encoding.features, config.embedding_size, segment, segment)
        return SequenceModel(layer, config, Pooled(config.width, outputs), valued=True)

    # --- data ---

    @cached_property
    def _windows(self) -> dict[tuple[str, int], Windows]:
        return {}

    def windows(self, part: str, stride: int = 1) -> Windows:
        """The windows of a part."""
        if (part, stride) not in self._windows:
            self._windows[part, stride] = Windows(self.part(part), self.encoding, stride)
        return self._windows[part, stride]

    def batches(self, rank: int, world_size: int) -> WindowBatches:
        training = self.task.training
        return WindowBatches(self.windows("train"), training.batch_size, training.seed, rank, world_size)

    def part_batches(self, name: str, most: int) -> list[Any]:
        rows = self.task.training.batch_size
        return [self.windows(name).batch(numbers) for numbers in self._spread(name, rows * most, rows)][:most]

    @property
    def examples(self) -> int:
        return len(self.windows("train"))

    @property
    def counted(self) -> str:
        names = {"train": "windows to train on", "held_out": "held out", "test": "to test on"}
        return ", ".join(f"{len(self.windows(name)):,} {names[name]}" for name in self.parts)

    def _spread(self, part: str, most: int | None, rows: int) -> Iterator[np.ndarray]:
        """Windows of a part at even distances, so many together."""
        count = len(self.windows(part))
        chosen = np.arange(count)
        if most is not None and most < count:
            chosen = np.unique(np.linspace(0, count - 1, most).astype(np.int64))
        for start in range(0, len(chosen), rows):
            yield chosen[start : start + rows]

    # --- training ---

    @cached_property
    def _shares(self) -> Tensor:
        return torch.tensor(self.task.model.shares)

    def divergence(self, outputs: Tensor, batch: Any) -> Tensor:
        if self.task.model.divergence == "l2":
            return divergence.l2(outputs, batch.targets, batch.weights)
        return divergence.pinball(outputs, batch.targets, self._shares, batch.weights)

    def outputs(self, model: nn.Module, part: str, most: int | None = None) -> Iterator[tuple[Any, Any, Tensor]]:
        device = next(model.parameters()).device
        for numbers in self._spread(part, most, 1024):
            batch = self.windows(part).batch(numbers)
            with torch.no_grad():
                found = model(batch.inputs.to(device), lengths=batch.lengths.to(device))[0]
            yield numbers, batch, found.float().cpu()

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Mean divergence of a value on held-out windows; NaN once a weight is not finite."""
        if not all(bool(torch.isfinite(parameter).all()) for parameter in model.parameters()):
            return {"held_out": math.nan}
        total, answers = 0.0, 0
        for _, batch, outputs in self.outputs(model, self.measured_part, LOOKED_AT):
            total += float(self.divergence(outputs, batch))
            answers += batch.answers
        return {"held_out": total / max(1, answers)}

    def describe(self) -> list[str]:
        encoding = self.encoding
        _, *others = super().describe()
        names = ", ".join(encoding.series[:NAMED]) + (", …" if len(encoding.series) > NAMED else "")
        season = f"season of {encoding.season} steps" if encoding.season > 1 else "no season"
        about = (
            f"{len(encoding.series)} series ({names}) in steps of {encoding.clock.step}, {season}; from "
            f"{encoding.context} steps the next {encoding.horizon}"
        )
        return [about, self.counted, *self.remarks(), *others]

    def show(self, measured: dict[str, Any]) -> str:
        shown = super().show(measured)
        return shown.replace(self.task.unit, "squared error / 2") if self.task.model.divergence == "l2" else shown

    def examined(
        self, sequences: int, steps: int | None = None, most: int | None = None
    ) -> tuple[dict[str, Any], Callable[[Any], Tensor]]:
        """Held-out windows from all over the part, or the end of each in whole segments, and their divergence."""
        if not isinstance(self.model, SequenceModel):
            raise InputError(f"{self.run.folder}: an mlp; expected a recurrent net, nothing flows through time in it")
        batch: WindowBatch = self.windows(self.measured_part).batch(
            next(self._spread(self.measured_part, sequences, sequences))
        )
        segment = self.task.model.segment_of(self.encoding.context, self.encoding.season)
        wanted = min(value for value in (self.encoding.context, steps, most) if value is not None)
        wanted -= wanted % segment
        if wanted < 2 * segment:
            raise InputError(f"{wanted // segment} segments of {segment} steps; nothing flows through time in so few")
        return {"inputs": batch.inputs[-wanted:]}, lambda outputs: self.divergence(outputs, batch)

    # --- scores ---

    @property
    def tracking(self) -> Tracking:
        """How quantiles follow their coverage."""
        config = self.task.model
        return Tracking(config.shares, config.tracking, config.middle)

    def offsets(self, part: str) -> Sequence[Offsets]:
        """How far the quantiles of each series have been moved before a part begins, by what was held out before it."""
        start = [self.tracking.start(self.encoding.horizon)] * len(self.encoding.series)
        if part in ("train", "held_out") or "held_out" not in self.parts or len(self.task.model.shares) < 2:
            return start

        def compute() -> Sequence[Offsets]:
            found = {one.number: one.offsets for one in forecasts(self.model, held_out, self.tracking, start)}
            return [found.get(number, before) for number, before in enumerate(start)]

        held_out = self.windows("held_out")
        if not self.run.model_path.is_file():
            return compute()
        return kept_offsets(self.run.folder / "offsets.npz", self.run.model_path, compute)

    def scores(self, part: str) -> Scores:
        windows = self.windows(part, self.task.data.rolling)
        found = forecasts(self.model, windows, self.tracking, self.offsets(part))
        return scored(found, windows, self.task.model, part, self.remarks())

    def naive(self, part: str) -> Mapping[str, Metrics]:
        encoding = self.encoding
        one = (encoding.series[0], encoding.deviation[0]) if len(encoding.series) == 1 else None
        found = naive_methods(self.windows(part, self.task.data.rolling))
        return {name: metrics(each, one=one) for name, each in found.items()}

    def remarks(self) -> list[str]:
        """What was filled in, and which series were left out; nothing where that is gone."""
        path = self.data_folder / "series.json"
        return json.loads(path.read_bytes())["notes"] if path.is_file() else []

    # --- answers ---

    def predict(self, files: Sequence[Path]) -> Iterator[Forecast]:
        return self._answering.of_files(files)

    def follow(self, lines: Iterator[str], name: str) -> Iterator[Forecast]:
        return self._answering.of_lines(lines, name)

    @property
    def _answering(self) -> Answering:
        return Answering(self.model, self.encoding, self.task.data, self.tracking, self.offsets("test"))
