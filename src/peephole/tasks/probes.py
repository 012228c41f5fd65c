"""How well a closing bracket is known, by how far back the one that it closes was opened and how deep it is."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from peephole.data.problems.brackets import Brackets
from peephole.tasks.random_streams import PROBED


@dataclass(frozen=True)
class Probes:
    """`right[d][k]`: the share of `sequences` texts with the right bracket at `distances[d]` and depth k + 1."""

    distances: tuple[int, ...]
    right: tuple[tuple[float, ...], ...]
    sequences: int

    @property
    def verdict(self) -> str:
        """The longest distance at which at least 99 % of the closing brackets are right, over all depths."""
        means = [sum(row) / len(row) for row in self.right]
        known = [distance for distance, mean in zip(self.distances, means, strict=True) if mean >= 0.99]
        said = f"at distance {self.distances[-1]:,} {means[-1]:.2%} of the closing brackets are right"
        if not known:
            return f"Under 99 % of the closing brackets are right at every distance measured; {said}."
        return f"At least 99 % of the closing brackets are right up to distance {max(known):,}; {said}."

    def as_dict(self) -> dict[str, Any]:
        """The fields in JSON's types."""
        return {"verdict": self.verdict, **asdict(self)}


@torch.no_grad()
def probe_brackets(
    model: nn.Module, problem: Brackets, distances: Sequence[int], sequences: int = 200, seed: int = 0
) -> Probes:
    """Ask for one closing bracket a text, at each of the distances and every depth of the problem."""
    rows: list[tuple[float, ...]] = []
    device = next(model.parameters()).device
    for distance in distances:
        found: list[float] = []
        for depth in range(1, problem.depth + 1):
            random = np.random.default_rng([seed, PROBED, distance, depth])
            examples = problem.probe(random, sequences, distance, depth)
            outputs = model(examples.inputs.to(device))[0].cpu()
            found.append(float(examples.right(outputs).sum()) / examples.answers)
        rows.append(tuple(found))
    return Probes(tuple(distances), tuple(rows), sequences)
