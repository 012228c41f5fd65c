"""The tasks whose examples are made on the fly: parity, addition, and remembering on purpose."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from peephole.data.problems.addition import Addition
from peephole.data.problems.brackets import Brackets
from peephole.data.problems.parity import Parity
from peephole.data.problems.problem import Examples, Problem
from peephole.errors import InputError
from peephole.models.by_hand import addition_by_hand, parity_by_hand
from peephole.models.config import ModelConfig
from peephole.models.sequence import SequenceModel
from peephole.models.static import StaticModel
from peephole.nn.explanation import explain_backend
from peephole.nn.noise import noise_seed
from peephole.runs.folder import Run, process_rank
from peephole.runs.tensors import write_tensors
from peephole.tasks.config import ProblemTask, problem_task_from, settings_of
from peephole.tasks.exactness import Exactness, measure_exactness
from peephole.tasks.model import TaskModel, load_weights
from peephole.tasks.outlook import Outlook, outlook
from peephole.tasks.probes import Probes, probe_brackets
from peephole.train.curriculum import Curriculum, SizedTraining
from peephole.train.machine import check_machine

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TRAINING, HELD_OUT, EXAMINED = (
    0,
    1,
    3,
)  # streams of random numbers, apart for every seed; 2 is what `exactness` draws from
HELD_OUT_SEQUENCES = 500
EMBEDDED = 8  # numbers a symbol of a static net; fewer symbols than that go in one-hot


@dataclass(frozen=True, eq=False)
class Batch:
    """Examples of one size, for the loop: each begins from the initial state."""

    inputs: Tensor
    targets: Tensor
    weights: Tensor
    size: int
    carry: bool = False

    @property
    def examples(self) -> Examples:
        return Examples(self.inputs, self.targets, self.weights)


class ProblemBatches:
    """Examples without end. Step s of process r draws from (seed, s, r), so that a resumed run sees the same."""

    windows_per_epoch = 1  # there are no epochs

    def __init__(self, problem: Problem, config: SizedTraining, rank: int, world_size: int) -> None:
        if config.batch_size % world_size:
            raise InputError(f"--batch-size is {config.batch_size}; expected a multiple of the {world_size} processes")
        self.problem, self.config, self.rank = problem, config, rank
        self.rows = config.batch_size // world_size
        self.curriculum = Curriculum(config, problem.smallest, problem.size)
        self.step = 0

    def next(self) -> Batch:
        """The examples of the next step."""
        random = np.random.default_rng([self.config.seed, TRAINING, self.step, self.rank])
        size = self.curriculum.begin(self.step)
        if self.config.sizes != "largest":
            least = self.problem.smallest if self.config.sizes == "all" else size // 2
            size = int(random.integers(max(self.problem.smallest, least), size + 1))
        examples = self.problem.draw(random, self.rows, size)
        self.step += 1
        return Batch(examples.inputs, examples.targets, examples.weights, size)

    def state_dict(self) -> dict[str, int]:
        """Where it is: the step, and what the curriculum has reached."""
        return {"step": self.step, "largest": self.curriculum.largest, "mastered": self.curriculum.mastered}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on where `state_dict` was taken."""
        self.step = state["step"]
        self.curriculum.largest, self.curriculum.mastered = state["largest"], state["mastered"]


class ProblemObjective:
    """What the training loop needs of a problem."""

    unit = "answers"

    def __init__(self, task: ProblemTask, noisy: bool) -> None:
        self.task, self.noisy = task, noisy

    def batches(self, rank: int, world_size: int) -> ProblemBatches:
        self._batches = ProblemBatches(self.task.problem, self.task.training, rank, world_size)
        return self._batches

    def divergence(
        self, model: nn.Module, window: Batch, states: tuple[Tensor, ...] | None
    ) -> tuple[Tensor, int, tuple[Tensor, ...]]:
        seed = noise_seed(None, window.inputs.device) if self.noisy else None
        outputs, finals = model(window.inputs, states, None, seed)
        examples = window.examples
        if self.task.training.curriculum == "mastery":
            right = float(examples.right(outputs.detach()).sum()) / max(1, examples.answers)
            self._batches.curriculum.hear(window.size, right)
        return examples.divergence(outputs), examples.answers, finals

    @cached_property
    def held_out(self) -> Examples:
        """Examples of the problem's size, the same for every measurement."""
        random = np.random.default_rng([self.task.training.seed, HELD_OUT])
        return self.task.problem.draw(random, HELD_OUT_SEQUENCES, self.task.problem.size)

    @torch.no_grad()
    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Mean divergence and share of right answers on the held-out examples."""
        examples = self.held_out
        device = next(model.parameters()).device
        outputs = model(examples.inputs.to(device))[0].cpu()
        answers = examples.answers
        return {
            "held_out": float(examples.divergence(outputs)) / answers,
            "right": float(examples.right(outputs).sum()) / answers,
            "size": float(self._batches.curriculum.largest),
        }


@dataclass(frozen=True)
class Measured:
    """At which sizes a net is exact, and the static net beside it; of brackets, how it does by distance and depth.

    None where there is none.
    """

    net: Exactness
    static: Exactness | None
    probes: Probes | None = None

    @property
    def verdict(self) -> str:
        """Up to which size the net is exact, and what the static one does one size further."""
        if self.static is None:
            return self.net.verdict
        beyond = next((row for row in self.static.rows if row.size > self.static.trained), self.static.rows[-1])
        return (
            f"{self.net.verdict} The static net, trained on the same examples: {beyond.right:.1%} of answers right at "
            f"{self.static.size_name} {beyond.size:,}."
        )

    def plot(self, ax: "Axes") -> None:
        """Both over size."""
        self.net.plot(ax)
        if self.static is not None:
            sizes = [row.size for row in self.static.rows]
            ax.plot(
                sizes, [row.right for row in self.static.rows], "^:", color="0.4", label="answers of the static net"
            )
            ax.legend(frameon=False)

    def as_dict(self) -> dict[str, Any]:
        """Both in JSON's types."""
        static = None if self.static is None else self.static.as_dict()
        probes = None if self.probes is None else self.probes.as_dict()
        return {"verdict": self.verdict, "net": self.net.as_dict(), "static": static, "probes": probes}


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
        model = _new_model(task)
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
        config = run.read_config()
        task = problem_task_from(config["task"], config["settings"], run.config_path)
        return cls(run, task, _new_model(task))

    def objective(self) -> ProblemObjective:
        noisy = isinstance(self.model, SequenceModel) and self.model.recurrent.noise.any
        return ProblemObjective(self.task, noisy)

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
        return {"symbols": examples.inputs}, examples.divergence

    def outlook(self) -> Outlook:
        """Whether the gradient of the answer reaches what has to be remembered, with the weights as they are."""
        return outlook(self.model, self.task.problem, self.task.training.seed)


def _new_model(task: ProblemTask) -> SequenceModel | StaticModel:
    torch.manual_seed(task.training.seed)
    problem = task.problem
    if task.net == "static":
        steps = len(problem.draw(np.random.default_rng(0), 1, problem.size).inputs)
        embedding = EMBEDDED if problem.symbols > EMBEDDED else 0
        return StaticModel(
            problem.symbols, problem.outputs, steps, task.model.hidden_size, 1, embedding, problem.features
        )
    if task.net == "by hand":
        return _by_hand(problem, task.model)
    return SequenceModel(problem.symbols, task.model, problem.outputs, problem.features, problem.valued)


def _by_hand(problem: Problem, wished: ModelConfig) -> SequenceModel:
    """The net of known weights for a problem: of the cell that is wished for where that one can."""
    threshold = wished.nonlinearity == "sigmoid"
    if isinstance(problem, Parity):
        unit = wished.cell if wished.cell != "rnn" else "rnn-threshold" if threshold else "rnn-relu"
        return parity_by_hand(unit)
    if isinstance(problem, Addition):
        return addition_by_hand(problem.base, "threshold" if threshold else "relu")
    raise InputError(f"--by-hand: the weights for {problem.name} are not known; parity and addition have them")
