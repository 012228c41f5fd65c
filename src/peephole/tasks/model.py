"""What the models of all tasks share: a run folder, weights in it, and training to the end of a budget."""

import dataclasses
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar, Generic, TypeVar

from torch import Tensor, nn

from peephole.errors import InputError
from peephole.runs.folder import Run, process_rank
from peephole.runs.tensors import read_tensors
from peephole.train.checkpoint import find_checkpoint, read_checkpoint
from peephole.train.config import LoopConfig
from peephole.train.contract import Listener, Objective
from peephole.train.watch.sequences import LONGEST, ROWS, WatchedSequences

Net = TypeVar("Net", bound=nn.Module)


class TaskModel(Generic[Net]):
    """A trained (or half-trained) model in its run folder. A subclass a kind of task."""

    unit: ClassVar[str]  # what the objective counts, in the plural; of a text, as its tokens are
    run: Run
    task: Any
    model: Net

    @classmethod
    def task_from(cls, run: Run) -> Any:
        """The settings of a run of this kind. `InputError` where they cannot be read."""
        raise NotImplementedError

    def objective(self) -> Objective:
        """What the loop trains. `InputError` where the data of the run is gone."""
        raise NotImplementedError

    def net_before(self) -> Net:
        """A net as this one was before training; torch's random state stays as it is."""
        raise NotImplementedError

    def write_config(self) -> None:
        """Write the task's settings into the run."""
        raise NotImplementedError

    def describe(self) -> list[str]:
        """Lines that say what is trained on what."""
        raise NotImplementedError

    @property
    def kind(self) -> str:
        """What the net is, in a few words."""
        raise NotImplementedError

    def show(self, measured: dict[str, Any]) -> str:
        """A measurement, or the divergence of a step, as text."""
        raise NotImplementedError

    def examined(
        self, sequences: int, steps: int | None = None, most: int | None = None
    ) -> tuple[dict[str, Any], Callable[[Any], Tensor]]:
        """What the stability laboratory looks at: arguments of a call of the model on held-out sequences, and their
        divergence. `steps` of each, as many as suit the task unless given; never more than `most`.
        """
        raise NotImplementedError

    def watched(self) -> WatchedSequences | None:
        """The few held-out sequences on which a training looks inside; None where the held-out data has none as long.

        Which they are depends on the task alone, so that a training that goes on looks at the same.
        """
        training, batch = self.model.training, self.task.training.batch_size
        self.model.eval()  # what warms a model up may not draw noise
        try:
            for most in LONGEST:
                with suppress(InputError):  # fewer steps may do
                    return WatchedSequences.of(*self.examined(ROWS, None, most), batch)
        finally:
            self.model.train(training)
        return None

    def fit(self, listener: Listener | None = None, **changes: Any) -> Any:
        """Train to the end of the budget, from the newest checkpoint if there is one; then keep the best weights.

        `changes` are settings of the training, such as `steps=2000` to train longer. Returns the loop's `Progress`.
        """
        from peephole.train.loop import fit  # Fabric takes over a second to import

        training: LoopConfig = self.task.training
        if changes:
            budgets = set(training.budgets())
            cleared = dict.fromkeys(budgets, None) if budgets & changes.keys() else {}
            training = dataclasses.replace(training, **{**cleared, **changes})
            self.task = dataclasses.replace(self.task, training=training)
            if not process_rank():
                with self.run.lock():  # not while another training is at work
                    self.write_config()
        watched = self.watched() if training.watch and not process_rank() else None
        progress = fit(self.model, self.objective(), training, self.run, listener or Listener(), watched)
        self.model.load_state_dict(read_tensors(self.run.model_path))
        self.model.eval()
        return progress


def load_weights(model: nn.Module, run: Run) -> None:
    """Give `model` the weights that a run kept, or those of its newest checkpoint. `InputError` if they do not fit."""
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
    model.eval()
