"""The tasks whose examples are made on the fly: parity, addition, and remembering on purpose."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from peephole.data.problems.brackets import Brackets
from peephole.errors import InputError
from peephole.models.sequence import SequenceModel
from peephole.models.static import StaticModel
from peephole.nn.explanation import explain_backend
from peephole.runs.folder import Run, process_rank
from peephole.runs.tensors import write_tensors
from peephole.tasks.config import ProblemTask, problem_task_from, settings_of
from peephole.tasks.exactness import measure_exactness
from peephole.tasks.measured import Measured
from peephole.tasks.model import TaskModel, load_weights
from peephole.tasks.outlook import Outlook, outlook
from peephole.tasks.probes import probe_brackets
from peephole.tasks.problem_nets import new_net
from peephole.tasks.problem_objective import ProblemBatches, ProblemObjective
from peephole.tasks.random_streams import EXAMINED
from peephole.train.machine import check_machine
from peephole.train.watch.sequences import WatchedSequences


class ProblemModel(TaskModel[SequenceModel | StaticModel]):
    """A model of a problem in its run folder."""

    unit = "answers"

    def __init__(self, run: Run, task: ProblemTask, model: SequenceModel | StaticModel) -> None:
        self.run, self.task, self.model = run, task, model

    @classmethod
    def create(cls, task: ProblemTask, out: Path | str) -> "ProblemModel":
        """A new run in `out` with an untrained model; `fit` trains it.

        Raises:
            InputError: `out` exists or cannot be written, or the settings cannot be used; then nothing is left behind.
        """
        if process_rank():
            return cls.resume(Run.wait_for(Path(out)))
        model = new_net(task)
        if isinstance(model, SequenceModel):
            explain_backend(model)  # a named back end that cannot serve the cell says so here
        check_machine(task.training)
        ProblemBatches(task.problem, task.training, 0, task.training.devices)
        run = Run.create(Path(out))
        with run.lock():
            try:
                if task.net == "by hand":
                    assert isinstance(model, SequenceModel)
                    task = replace(task, model=model.config)
                    write_tensors(run.model_path, model.state_dict())
                run.write_config(task.problem.name, settings_of(task))
            except BaseException:
                run.discard()
                raise
        return cls(run, task, model)

    @classmethod
    def open(cls, run: Run) -> "ProblemModel":
        """The model of a finished or interrupted run: its kept weights, or those of its newest checkpoint."""
        found = cls.resume(run)
        load_weights(found.model, run)
        return found

    @classmethod
    def resume(cls, run: Run) -> "ProblemModel":
        """A run to go on training, killed at whatever moment."""
        task = cls.task_from(run)
        return cls(run, task, new_net(task))

    @classmethod
    def task_from(cls, run: Run) -> ProblemTask:
        config = run.read_config()
        return problem_task_from(config["task"], config["settings"], run.config_path)

    def objective(self) -> ProblemObjective:
        noisy = isinstance(self.model, SequenceModel) and self.model.recurrent.noise.any
        return ProblemObjective(self.task, noisy)

    def net_before(self) -> SequenceModel | StaticModel:
        with torch.random.fork_rng(devices=()):
            return new_net(self.task)

    def write_config(self) -> None:
        self.run.write_config(self.task.problem.name, settings_of(self.task))

    def describe(self) -> list[str]:
        problem = self.task.problem
        count = sum(parameter.numel() for parameter in self.model.parameters())
        unit = "squared error" if problem.valued else "nats"
        return [
            f"{problem.name}, {problem.size_name} {problem.size}; "
            f"an answer that looks at nothing costs {problem.blind:.4g} {unit}",
            f"{self.kind}, {count:,} parameters",
        ]

    @property
    def kind(self) -> str:
        """What the net is, in a few words."""
        if isinstance(self.model, StaticModel):
            return f"static net of {self.model.steps} steps, {self.model.hidden_size} hidden units"
        config = self.model.config
        hand = ", weights set by hand" if self.task.net == "by hand" else ""
        return f"{config.spec.code} {config.layers}×{config.hidden_size}{hand}"

    def show(self, measured: dict[str, Any]) -> str:
        unit = "squared error" if self.task.problem.valued else "nats"
        if "held_out" not in measured:
            return f"{measured['divergence']:.3g} {unit}"
        size = f" at {self.task.problem.size_name} {self.task.problem.size}"
        reached = "" if measured["size"] == self.task.problem.size else f" (trained up to {measured['size']:.0f})"
        return f"held out {measured['held_out']:.3g} {unit}, {measured['right']:.2%} right{size}{reached}"

    def static_net(self) -> "ProblemModel | None":
        """The static net beside this one, in a run folder within this run's, made if it is not there yet."""
        if not self.task.static:
            return None
        folder = self.run.folder / "static"
        if (folder / "config.json").is_file():
            return ProblemModel.resume(Run.open(folder))
        training = replace(self.task.training, curriculum="none")
        return ProblemModel.create(replace(self.task, net="static", static=False, training=training), folder)

    def measure(self, sizes: Sequence[int] = (), sequences: int = 200) -> Measured:
        """At which sizes this net is exact, and the static one beside it where that is trained."""
        seed, problem = self.task.training.seed, self.task.problem
        folder = self.run.folder / "static"
        static = None
        if self.task.static and (folder / "model.safetensors").is_file():
            net = ProblemModel.open(Run.open(folder))
            static = measure_exactness(net.model, problem, sizes, sequences, seed)
        found = measure_exactness(self.model, problem, sizes, sequences, seed)
        probes = None
        if isinstance(problem, Brackets):
            distances = [row.size for row in found.rows]
            probes = probe_brackets(self.model, problem, distances, sequences, seed)
        return Measured(found, static, probes)

    def answer(self, line: str) -> str:
        """What the net answers to a line of text. `InputError` for what it cannot be."""
        with torch.no_grad():
            return self.task.problem.answer(line, self.model(self.task.problem.read(line))[0])

    def examined(
        self, sequences: int, steps: int | None = None, most: int | None = None
    ) -> tuple[dict[str, Any], Callable[[Tensor], Tensor]]:
        """New examples of a size, that of training unless `steps` is given, and their divergence."""
        if isinstance(self.model, StaticModel):
            raise InputError(f"{self.run.folder}: a static net; expected a recurrent one, nothing flows through time")
        problem = self.task.problem
        size = problem.size if steps is None else steps
        size = max(problem.smallest, size if most is None else min(size, most))
        examples = problem.draw(np.random.default_rng([self.task.training.seed, EXAMINED, size]), sequences, size)
        return {"inputs": examples.inputs}, examples.divergence

    def watched(self) -> WatchedSequences | None:
        """As that of every task; of a static net examples, whose hidden units are counted."""
        if not isinstance(self.model, StaticModel):
            return super().watched()
        problem = self.task.problem
        examples = problem.draw(np.random.default_rng([self.task.training.seed, EXAMINED]), 500, problem.size)
        return WatchedSequences({"inputs": examples.inputs}, examples.divergence)

    def outlook(self) -> Outlook:
        """Whether the gradient of the answer reaches what has to be remembered, with the weights as they are."""
        return outlook(self.model, self.task.problem, self.task.training.seed)
