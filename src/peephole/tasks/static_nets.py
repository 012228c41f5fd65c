"""The nets that `static` compares: the patterns they learn from, how they learn, and what they make of longer ones."""

from itertools import product

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor, nn

from peephole.data.problems.addition import Addition
from peephole.data.problems.parity import Parity
from peephole.data.problems.problem import Examples, Problem, counted
from peephole.errors import InputError
from peephole.models.config import ModelConfig
from peephole.models.sequence import SequenceModel
from peephole.models.static import StaticModel

SURE_AT = 0.001  # nats an answer, below which a net that makes no error any more has learnt its samples
CLIP_NORM = 1.0


def all_patterns(problem: Problem, bits: int) -> Examples:
    """Every string of N bits, or pair of numbers of N bits, once."""
    if isinstance(problem, Parity):
        strings = torch.tensor(list(product((0, 1), repeat=bits))).T.contiguous()  # [N, 2^N]
        weights = counted(bits, 2**bits, 0 if problem.answers == "each" else -1)
        return Examples(strings, strings.cumsum(0) % 2, weights)
    if not isinstance(problem, Addition) or problem.base != 2:
        raise InputError(f"{problem.name}: expected parity, or addition in base 2")
    numbers = torch.arange(4**bits)
    first, second = numbers // 2**bits, numbers % 2**bits
    places = torch.arange(bits + 1)[:, None]
    pairs, sums = ((first >> places) & 1) * 2 + ((second >> places) & 1), ((first + second) >> places) & 1
    return Examples(pairs, sums, counted(bits + 1, 4**bits))


def right_patterns(problem: Problem, patterns: Examples, outputs: Tensor) -> Float64[Tensor, " patterns"]:
    """1 where the parity of the whole string, or every digit of the sum, is right."""
    right = outputs.argmax(-1) == patterns.targets
    return (right[-1] if problem.name == "parity" else right.all(0)).double()


def learn(model: nn.Module, examples: Examples, steps: int, learning_rate: float) -> tuple[int, int]:
    """Train on all examples at once, by Adam, until every answer is right and sure; steps taken, and answers wrong."""
    optimiser = torch.optim.Adam(model.parameters(), learning_rate, fused=True)
    taken, wrong = 0, examples.answers
    while True:
        outputs, _ = model(examples.inputs)
        divergence = examples.divergence(outputs) / examples.answers
        wrong = examples.answers - int(examples.right(outputs.detach()).sum())
        if taken == steps or (not wrong and float(divergence.detach()) <= SURE_AT):
            return taken, wrong
        optimiser.zero_grad()
        divergence.backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
        optimiser.step()
        taken += 1


def parameters(model: nn.Module) -> int:
    """How many numbers a net learns."""
    return sum(parameter.numel() for parameter in model.parameters())


def recurrent_like(static: nn.Module, problem: Problem, cell: str) -> SequenceModel:
    """The largest net of one recurrent layer that has no more parameters than the static one."""
    limit, units = parameters(static), 1
    while True:
        config, larger = (
            ModelConfig(
                cell=cell,  # pyright: ignore[reportArgumentType]
                layers=1,
                hidden_size=size,
                embedding_size=problem.symbols,
                dropout=0.0,
                init="orthogonal",
            )
            for size in (units, units + 1)
        )
        count = larger.spec.parameter_count(problem.symbols, units + 1)
        if count + problem.symbols**2 + (units + 2) * problem.outputs > limit:
            return SequenceModel(problem.symbols, config, problem.outputs)
        units += 1


@torch.no_grad()
def static_on_longer(model: StaticModel, problem: Problem, bits: int) -> dict[str, float]:
    """Share of all patterns of N + 1 bits that a net trained on N gets right, in two ways of asking it.

    - unread: it has no input for the last bit (of either number), and gets what it was trained on without it.
    - widened: it is given an input for it, and for a sum an output more, with the weights of a net that is new.

    The answer about a string is the one that it was trained to give about the whole string. A sum has a digit more than
    it can answer, for which 0 is taken.
    """
    patterns = all_patterns(problem, bits + 1)
    cut = patterns.inputs.clone()
    cut[bits:] = 0  # of a sum: the pair that in training was always (0, 0)
    asked = {"unread": (model, cut), "widened": (model.widened(model.steps + 1), patterns.inputs)}
    found: dict[str, float] = {}
    for name, (net, inputs) in asked.items():
        outputs = net(inputs)[0]
        if problem.name == "parity":
            outputs[bits] = outputs[bits - 1]  # the last that was trained
        found[name] = float(right_patterns(problem, patterns, outputs).mean())
    return found


@torch.no_grad()
def recurrent_on_longer(model: SequenceModel, problem: Problem, bits: int, seed: int, rows: int) -> dict[str, float]:
    """Share right of random patterns of N + 1, 2 N and 10 N bits, `rows` of each."""
    found: dict[str, float] = {}
    for name, size in {"N + 1": bits + 1, "2 N": 2 * bits, "10 N": 10 * bits}.items():
        patterns = problem.draw(np.random.default_rng([seed, bits, size]), rows, size)
        found[name] = float(right_patterns(problem, patterns, model(patterns.inputs)[0]).mean())
    return found
