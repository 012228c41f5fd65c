"""What a sequence model is made of. Imports nothing heavy: the command line reads it for its help."""

from dataclasses import dataclass
from typing import Literal

from peephole.errors import InputError


@dataclass(frozen=True)
class ModelConfig:
    """The sizes and parts of a `SequenceModel`."""

    # Recurrent cell. lstm remembers longest and is fastest here; rnn is the simple net of the first lectures.
    cell: Literal["lstm", "gru", "rnn"] = "lstm"

    # Recurrent layers. Two write clearly better text than one of the same cost.
    layers: int = 2

    # Units per layer. Time grows with its square; 256 learns a megabyte of text in minutes on two cores.
    hidden_size: int = 256

    # Width of a symbol's learned projection.
    embedding_size: int = 256

    # Share of the outputs of each layer dropped while training. Raise it when held-out divergence turns upwards.
    dropout: float = 0.1

    # Where training starts. orthogonal keeps the length of h over time; identity is the IRNN's, chrono spreads the
    # gates' time constants up to --longest.
    init: Literal["torch", "orthogonal", "identity", "chrono"] = "orthogonal"

    # Forget gate's bias at the start (lstm only). 1 lets memory last from the first step (Jozefowicz et al. 2015).
    forget_bias: float | None = 1.0

    # Longest dependency in steps, for --init chrono.
    longest: int | None = None

    # Activation of the rnn cell.
    nonlinearity: Literal["tanh", "relu"] = "tanh"

    # Who computes. auto takes the fastest that supports the cell; reference is the plain equations, slow.
    backend: Literal["auto", "torch", "reference"] = "auto"

    def __post_init__(self) -> None:
        for name in ("layers", "hidden_size", "embedding_size"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name.replace('_', '-')} is {getattr(self, name)}; expected at least 1")
        if not 0.0 <= self.dropout < 1.0:
            raise InputError(f"--dropout is {self.dropout}; expected 0 to below 1")
        if self.init == "chrono" and self.longest is None:
            raise InputError("--init chrono needs --longest, the longest dependency in steps")
