"""Every cell with every initialisation that peephole offers: the nets that `horizon` measures."""

from dataclasses import dataclass
from typing import Any, Literal

import torch

from peephole.data.problems.problem import Problem
from peephole.errors import InputError
from peephole.models.config import ModelConfig
from peephole.models.inputs import Numbers
from peephole.models.sequence import SequenceModel

EMBEDDING = 16  # numbers a symbol becomes: more than there are symbols


@dataclass(frozen=True)
class Start:
    """A cell and how its weights start; `longest` is what chrono is told."""

    cell: Literal["rnn", "gru", "lstm"]
    init: Literal["torch", "orthogonal", "identity", "chrono"]
    nonlinearity: Literal["tanh", "relu"] = "tanh"
    forget_bias: float | None = None
    longest: int | None = None

    @property
    def family(self) -> str:
        """The cell in words: the activation is part of an RNN's."""
        return f"{self.nonlinearity} rnn" if self.cell == "rnn" else self.cell

    @property
    def text(self) -> str:
        """In words, `lstm orthogonal, forget bias 1`."""
        said = f"{self.family} {self.init}" + ("" if self.longest is None else f" {self.longest}")
        return said if self.forget_bias is None else f"{said}, forget bias {self.forget_bias:g}"

    def net(self, problem: Problem, hidden_size: int, seed: int, **switches: Any) -> SequenceModel:
        """A net of one layer that starts so; the same numbers for the same seed, whatever was drawn before."""
        config = ModelConfig(
            cell=self.cell,
            layers=1,
            hidden_size=hidden_size,
            embedding_size=EMBEDDING,
            dropout=0.0,
            init=self.init,
            forget_bias=self.forget_bias,
            longest=self.longest,
            nonlinearity=self.nonlinearity,
            **switches,
        )
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(seed)
            return SequenceModel(problem.symbols or Numbers(problem.features), config, problem.outputs)


FORGET_BIASES = (-1.0, 0.0, 1.0, 2.0, 3.0)  # shares kept by the forget gate from 27 to 95 %
CHRONO = (10, 30, 100, 300)

STARTS = (
    *(
        Start("rnn", init, nonlinearity)
        for nonlinearity in ("tanh", "relu")
        for init in ("torch", "orthogonal", "identity")
    ),
    *(Start("gru", init) for init in ("torch", "orthogonal")),
    *(Start("gru", "chrono", longest=longest) for longest in CHRONO),
    *(Start("lstm", init, forget_bias=bias) for init in ("torch", "orthogonal") for bias in FORGET_BIASES),
    *(Start("lstm", "chrono", longest=longest) for longest in CHRONO),
)


def starts_of(cells: tuple[str, ...]) -> tuple[Start, ...]:
    """The starts of these cells."""
    known = tuple(dict.fromkeys(start.cell for start in STARTS))
    if not cells or set(cells) - set(known):
        raise InputError(f"--cells are {' '.join(cells) or 'none'}; expected some of {', '.join(known)}")
    return tuple(start for start in STARTS if start.cell in cells)
