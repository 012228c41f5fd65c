"""`Case`: everything that the doctor is given of a training. Whatever is not known is None or empty."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from peephole.errors import InputError
from peephole.models.sequence import SequenceModel
from peephole.models.static import StaticModel

States = tuple[Tensor, ...]
LOOKED_AT = 2048  # steps of a batch; further rows are left out


@dataclass(frozen=True, eq=False)
class Batch:
    """Sequences side by side, time first, as the training sees them.

    Attributes:
        inputs: symbols `[T, B]` of int64, or features `[T, B, I]`.
        targets: classes `[T, B]` of int64, or values `[T, B, O]`; one answer a sequence: `[1, B]`, `[1, B, O]`.
        weights: what each target counts, `[T, B]`; None where all count 1.
        resets: where the state starts anew before the step, `[T, B]`; None where nowhere.
        carry: whether the state goes on from the batch before.
        lengths: steps of each row, `[B]`, for a model that takes them by that name; None where it does not.
    """

    inputs: Tensor
    targets: Tensor
    weights: Tensor | None = None
    resets: Tensor | None = None
    carry: bool = False
    lengths: Tensor | None = None

    @staticmethod
    def of(window: Any) -> "Batch":
        """Of what a task's batches give, by the names of its attributes."""
        return Batch(
            window.inputs,
            window.targets,
            getattr(window, "weights", None),
            getattr(window, "resets", None),
            bool(getattr(window, "carry", False)),
            getattr(window, "lengths", None),
        )

    @property
    def steps(self) -> int:
        """T."""
        return self.inputs.shape[0]

    @property
    def rows(self) -> int:
        """B."""
        return self.inputs.shape[1]

    @property
    def symbols(self) -> bool:
        """Whether the inputs are symbols."""
        return not self.inputs.is_floating_point()

    @property
    def valued(self) -> bool:
        """Whether the targets are numbers, with the squared error; else they are classes, with KL."""
        return self.targets.is_floating_point()

    @property
    def counts(self) -> Tensor:
        """What each target counts, `[T, B]` of float32."""
        like = self.targets[..., 0] if self.valued else self.targets
        return torch.ones(like.shape) if self.weights is None else self.weights.float()

    @property
    def few(self) -> "Batch":
        """The same of as many of the first rows as rules look at."""
        return self.first_rows(max(2, LOOKED_AT // self.steps))

    def first_rows(self, rows: int) -> "Batch":
        """The same of the first rows."""
        return self.of_rows(slice(rows))

    def of_rows(self, rows: "slice | Tensor") -> "Batch":
        """The same of some rows: a slice, numbers, or a mask `[B]`."""
        return replace(
            self,
            inputs=self.inputs[:, rows],
            targets=self.targets[:, rows],
            weights=None if self.weights is None else self.weights[:, rows],
            resets=None if self.resets is None else self.resets[:, rows],
            lengths=None if self.lengths is None else self.lengths[rows],
        )


@dataclass(frozen=True, eq=False)
class Case:
    """A training as far as it is known.

    Attributes:
        model: the net with its weights as they are now; None where there are none.
        training: batches of the training in their order, one after another, as the training sees them.
        held_out: batches of held-out data.
        history: rows as `history.jsonl` has them: `step`, `divergence`, `gradient_norm`, `learning_rate`, `held_out`,
            `watch`; of a training that died the last one has `died`.
        settings: of the training by name, as far as known: those of `LoopConfig`, `TrainingConfig`, `ModelConfig`.
        dependency: steps from what has to be remembered to its answer, where the task says so.
        examples: how many targets there are to learn from in all; None where they are made without end.
        streams: the tokens of (training, held-out) data, each one stream, where it is text.
        trivial: mean divergence of the best answer that looks at no input, where the task says so.
        start: the net as it was before training, where it can be made again.
        unfinished: why there is less to go on than usual, one line each.
        score: the divergence of every target, `[T, B]` of outputs and a batch; None for KL of classes and the squared
            error of values.
        batch_first: the model's layout of inputs and outputs is `[B, T, …]`; batches here are time first in any case.
    """

    model: nn.Module | None = None
    training: tuple[Batch, ...] = ()
    held_out: tuple[Batch, ...] = ()
    history: tuple[Mapping[str, Any], ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    dependency: int | None = None
    examples: int | None = None
    streams: tuple[NDArray[np.integer], NDArray[np.integer]] | None = None
    trivial: float | None = None
    start: nn.Module | None = None
    unfinished: tuple[str, ...] = ()
    score: Callable[[Tensor, Batch], Tensor] | None = None
    batch_first: bool = False

    def run(self, batch: Batch, states: Sequence[Tensor] | None = None, model: nn.Module | None = None) -> Any:
        """What the model makes of a batch, in the mode that it is in: outputs `[T, B, O]` and states, None without.

        `InputError`, with the module's own words, where it does not take the batch or these states.
        """
        net = self.model if model is None else model
        if net is None:
            raise InputError("there is no model to run")
        inputs = _like_weights(net, batch.inputs.transpose(0, 1) if self.batch_first else batch.inputs)
        arguments: list[Any] = [inputs]
        if states is not None or batch.resets is not None:
            arguments.append(None if states is None else _handed(net, states))
        if batch.resets is not None:
            arguments.append(batch.resets.to(inputs.device))
        try:
            given = net(*arguments) if batch.lengths is None else net(*arguments, lengths=batch.lengths)
            outputs, finals = (given[0], given[1]) if isinstance(given, tuple) else (given, None)
            outputs = self._time_first(outputs, batch).to(batch.targets.device)
        except InputError:
            raise
        except Exception as error:  # somebody's module may raise anything; the cause keeps where it came from
            said = " ".join(str(error).split()) or type(error).__name__
            raise InputError(f"{type(net).__name__} does not take this batch ({said})") from error
        if isinstance(finals, Tensor):
            finals = (finals,)
        states = tuple(finals or ())
        known = bool(states) and all(isinstance(state, Tensor) for state in states)
        return outputs, (states if known else None)

    def _time_first(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Outputs as `[T, B, O]`, of one answer a sequence `[1, B, O]`, whatever of that the model leaves out."""
        steps, rows = batch.targets.shape[:2]
        if outputs.dim() == 1:  # one value a sequence
            outputs = outputs[:, None]
        if batch.valued and batch.targets.shape[2] == 1 and outputs.dim() == 2 and tuple(outputs.shape) != (rows, 1):
            outputs = outputs[..., None]  # one value a step, without an axis for it
        if outputs.dim() == 2 and steps > 1:
            outputs = outputs[..., None]
        if outputs.dim() == 2:  # one answer a sequence
            return outputs[None]
        if self.batch_first:
            outputs = outputs.transpose(0, 1)
        return outputs[-1:] if steps == 1 else outputs  # an answer at every step, of which the last is wanted

    def each(self, outputs: Tensor, batch: Batch) -> Tensor:
        """The divergence of every target, whatever it counts, `[T, B]`: KL in nats, the squared error, or `score`."""
        if self.score is not None:
            return self.score(outputs.float(), batch)
        if batch.valued:
            return (outputs.float() - batch.targets.float()).square().sum(-1)
        flat = cross_entropy(outputs.float().flatten(0, -2), batch.targets.flatten().long(), reduction="none")
        return flat.view(batch.targets.shape)

    def divergence(self, outputs: Tensor, batch: Batch) -> Tensor:
        """The mean over all targets that count."""
        counts = batch.counts.to(outputs.device)
        return (self.each(outputs, batch) * counts).sum() / counts.sum().clamp_min(1.0)


def _like_weights(net: nn.Module, inputs: Tensor) -> Tensor:
    """On the device of the weights, and numbers in their precision."""
    weight = next((one for one in net.parameters() if one.is_floating_point()), None)
    if weight is None:
        return inputs
    return inputs.to(weight.device, weight.dtype) if inputs.is_floating_point() else inputs.to(weight.device)


def _handed(net: nn.Module, states: Sequence[Tensor]) -> Any:
    """States as a module takes them: a single one bare, as torch's layers do; `SequenceModel` takes a tuple always."""
    bare = len(states) == 1 and not any(isinstance(part, SequenceModel | StaticModel) for part in net.modules())
    return states[0] if bare else tuple(states)
