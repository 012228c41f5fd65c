"""The net of a problem: one to be trained, the static one beside it, or one whose weights are known."""

import numpy as np
import torch

from peephole.data.problems.addition import Addition
from peephole.data.problems.parity import Parity
from peephole.data.problems.problem import Problem
from peephole.errors import InputError
from peephole.models.by_hand import addition_by_hand, parity_by_hand
from peephole.models.config import ModelConfig
from peephole.models.inputs import Numbers
from peephole.models.sequence import SequenceModel
from peephole.models.static import StaticModel
from peephole.tasks.config import ProblemTask

EMBEDDED = 8  # numbers a symbol of a static net; fewer symbols than that go in one-hot


def new_net(task: ProblemTask) -> SequenceModel | StaticModel:
    """The net that a task begins with. `InputError` where its weights are to be known and are not."""
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
    return SequenceModel(problem.symbols or Numbers(problem.features), task.model, problem.outputs, problem.valued)


def _by_hand(problem: Problem, wished: ModelConfig) -> SequenceModel:
    """The net of known weights for a problem: of the cell that is wished for where that one can."""
    threshold = wished.nonlinearity == "sigmoid"
    if isinstance(problem, Parity):
        unit = wished.cell if wished.cell != "rnn" else "rnn-threshold" if threshold else "rnn-relu"
        return parity_by_hand(unit)
    if isinstance(problem, Addition):
        return addition_by_hand(problem.base, "threshold" if threshold else "relu")
    raise InputError(f"--by-hand: the weights for {problem.name} are not known; parity and addition have them")
