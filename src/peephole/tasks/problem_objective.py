"""What the training loop needs of a problem: batches without end, their divergence, a measurement."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from peephole.data.problems.problem import Examples, Problem
from peephole.errors import InputError
from peephole.nn.noise import noise_seed
from peephole.tasks.config import ProblemTask
from peephole.tasks.random_streams import HELD_OUT, TRAINING
from peephole.train.curriculum import Curriculum, SizedTraining

HELD_OUT_SEQUENCES = 500


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
