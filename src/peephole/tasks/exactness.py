"""At which sizes is a net exact? Right answers on examples of the size it was trained on, and far beyond."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from peephole.data.problems.problem import Examples, Problem
from peephole.errors import InputError
from peephole.models.static import StaticModel
from peephole.tasks.random_streams import MEASURED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CHUNK = 1000  # steps run at a time, with the state carried on: memory does not grow with the size
CELLS = 1 << 22  # steps of all rows that are drawn at a time


@dataclass(frozen=True)
class AtSize:
    """`exact` of `sequences` had no wrong answer; `right` is the share of all answers; `error` is the mean divergence
    an answer, in nats, or the mean squared error.
    """

    size: int
    sequences: int
    exact: int
    right: float
    error: float


@dataclass(frozen=True)
class Exactness:
    """What `measure_exactness` found, a row a size, ascending; `trained` is the largest size of training."""

    problem: str
    size_name: str
    trained: int
    blind: float
    valued: bool
    rows: tuple[AtSize, ...]

    @property
    def exact_to(self) -> int | None:
        """The largest size up to which every sequence was exact; None where none was."""
        reached = None
        for row in self.rows:
            if row.exact < row.sequences:
                break
            reached = row.size
        return reached

    @property
    def verdict(self) -> str:
        """Up to which size it is exact."""
        sequences = f"{self.rows[0].sequences:,} sequences"
        if self.exact_to is None:
            first = self.rows[0]
            what = f"mean squared error {first.error:.2g}" if self.valued else f"{first.right:.2%} of answers right"
            return f"Not exact on {sequences} of {self.size_name} {first.size:,}: {first.exact:,} were, {what}."
        beyond = next((row for row in self.rows if row.size > self.exact_to), None)
        text = f"Exact on {sequences} of every {self.size_name} measured up to {self.exact_to:,}"
        if self.exact_to > self.trained:
            text += f", and trained up to {self.trained:,}"
        if beyond is not None:
            text += f"; at {beyond.size:,} {beyond.exact / beyond.sequences:.1%} are"
        return text + "."

    def as_dict(self) -> dict[str, Any]:
        """The fields in JSON's types."""
        return {"verdict": self.verdict, "exact_to": self.exact_to, **asdict(self)}

    def plot(self, ax: "Axes") -> None:
        """The share of sequences that are exact and of answers that are right, over size."""
        sizes = [row.size for row in self.rows]
        ax.plot(sizes, [row.exact / row.sequences for row in self.rows], "o-", label="sequences without an error")
        ax.plot(sizes, [row.right for row in self.rows], "s--", color="C1", label="answers that are right")
        ax.axvline(self.trained, color="0.6", linewidth=1, label="trained up to here")
        ax.set(xscale="log", ylim=(-0.03, 1.05), xlabel=self.size_name, ylabel="share", title=self.problem)
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False)


def usual_sizes(problem: Problem) -> tuple[int, ...]:
    """The size of training, one more, and 2, 10 and 100 times it, as far as that is quickly measured."""
    size = problem.size
    return tuple(dict.fromkeys([size, size + 1, 2 * size, *(many * size for many in (10, 100) if many * size <= 2500)]))


@torch.no_grad()
def measure_exactness(
    model: nn.Module, problem: Problem, sizes: Sequence[int] = (), sequences: int = 200, seed: int = 0
) -> Exactness:
    """Answer `sequences` new examples of each size. The model's mode stays as it is.

    Raises:
        InputError: a size that the problem cannot have, or no sequences.
    """
    sizes = tuple(sorted(set(sizes))) or usual_sizes(problem)
    if sizes[0] < problem.smallest:
        raise InputError(f"a {problem.size_name} of {sizes[0]}; expected at least {problem.smallest}")
    if sequences < 1:
        raise InputError(f"--sequences is {sequences}; expected at least 1")
    training = model.training
    model.eval()
    try:
        rows = tuple(_at(model, problem, size, sequences, seed) for size in sizes)
    finally:
        model.train(training)
    return Exactness(problem.name, problem.size_name, problem.size, problem.blind, problem.valued, rows)


def _at(model: nn.Module, problem: Problem, size: int, sequences: int, seed: int) -> AtSize:
    random = np.random.default_rng([seed, MEASURED, size])
    exact = right = error = answers = done = 0.0
    while done < sequences:
        rows = int(min(sequences - done, max(1, CELLS // size)))
        examples = problem.draw(random, rows, size)
        wrong = torch.zeros(rows)
        for part, outputs in _answered(model, examples):
            found = part.right(outputs)
            wrong += (part.weights - found).sum(0)
            right += float(found.sum())
            error += float(part.divergence(outputs))
        exact += int((wrong == 0).sum())
        answers += examples.answers
        done += rows
    return AtSize(size, sequences, int(exact), right / answers, error / answers)


def _answered(model: nn.Module, examples: Examples) -> Iterator[tuple[Examples, torch.Tensor]]:
    """The examples in pieces of time with what the model answers to them; whole where it has no state to carry on."""
    device = next(model.parameters()).device
    states = None
    steps = len(examples.inputs) if isinstance(model, StaticModel) else CHUNK
    pieces = (tensor.split(steps) for tensor in (examples.inputs, examples.targets, examples.weights))
    for inputs, targets, weights in zip(*pieces, strict=True):
        outputs, states = model(inputs.to(device), states)
        yield Examples(inputs, targets, weights), outputs.cpu()
