"""What a sequence model is made of. Imports nothing heavy: the command line reads it for its help."""

from dataclasses import dataclass
from typing import Literal

from peephole.errors import InputError
from peephole.spec import SWITCHES, CellSpec, Switches, Variant, spec_of


@dataclass(frozen=True)
class Stack:
    """The recurrent layers: which cell, how many, how wide, and how they start and are disturbed."""

    # Recurrent cell. lstm remembers longest and is fastest here; rnn is the simple net of the first lectures. Its
    # switches follow below.
    cell: Literal["lstm", "gru", "rnn"] = "lstm"

    # Recurrent layers. Two write clearly better text than one of the same cost.
    layers: int = 2

    # Units per layer. Time grows with its square; 256 learns a megabyte of text in minutes on two cores.
    hidden_size: int = 256

    # Width of a symbol's learned projection; of numbers, of the linear map or the filters that they go through.
    embedding_size: int = 256

    # Share of the outputs of each layer dropped while training. Raise it when held-out divergence turns upwards.
    dropout: float = 0.1

    # Where training starts. orthogonal keeps the length of h over time; identity is the IRNN's, chrono spreads the
    # gates' time constants up to --longest. auto: chrono where there is a gate that forgets and --longest is known,
    # else orthogonal.
    init: Literal["torch", "orthogonal", "identity", "chrono", "auto"] = "orthogonal"

    # Forget gate's bias at the start (lstm only). 1 lets memory last from the first step (Jozefowicz et al. 2015).
    forget_bias: float | None = 1.0

    # Longest dependency in steps, for --init chrono and auto.
    longest: int | None = None

    # Size of the projection of the hidden state (lstm only); 0 is none (Sak et al. 2014).
    proj_size: int = 0

    # Learn the state that a sequence starts from, rather than zero.
    learned_states: bool = False

    # Share of the units of h that a sequence's recurrent products do without while training (Gal & Ghahramani 2016).
    recurrent_dropout: float = 0.0

    # Share of the units of h that keep their old value at a step (Krueger et al. 2017).
    zoneout: float = 0.0

    # The same of the units of c (lstm only).
    zoneout_cell: float = 0.0

    # Share of the recurrent weights that a window does without while training (Merity et al. 2018).
    weight_drop: float = 0.0

    # A preset of switches after Greff et al. 2017 (lstm only): V is the LSTM with diagonal peepholes, the others change
    # one thing about it. A switch below that is not at its default goes first.
    variant: Variant | None = None

    # Keep only the states of a window for its backward and compute the rest again: a fifth of the memory, a third more
    # work (compiled kernels only).
    recompute: bool = False

    # Who computes. auto takes the fastest that supports the cell; native are the compiled kernels, reference is the
    # plain equations, slow.
    backend: Literal["auto", "native", "torch", "reference"] = "auto"


@dataclass(frozen=True)
class ModelConfig(Switches, Stack):
    """The sizes, parts and cell of a sequence model."""

    def __post_init__(self) -> None:
        for name in ("layers", "hidden_size", "embedding_size"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name.replace('_', '-')} is {getattr(self, name)}; expected at least 1")
        if not 0.0 <= self.dropout < 1.0:
            raise InputError(f"--dropout is {self.dropout}; expected 0 to below 1")
        if self.init == "chrono" and self.longest is None:
            raise InputError("--init chrono needs --longest, the longest dependency in steps")
        if self.proj_size and not 0 < self.proj_size < self.hidden_size:
            raise InputError(f"--proj-size is {self.proj_size}; expected 0 (none) or less than {self.hidden_size}")
        for name in ("recurrent_dropout", "weight_drop", "zoneout", "zoneout_cell"):
            rate, whole = getattr(self, name), name.startswith("zoneout")
            if not 0.0 <= rate <= 1.0 or (rate == 1.0 and not whole):
                option = f"--{name.replace('_', '-')}"
                raise InputError(f"{option} is {rate}; expected 0 to {'1' if whole else 'below 1'}")
        spec = self.spec
        if self.zoneout_cell and "c" not in spec.states:
            raise InputError(f"--zoneout-cell is the lstm's; a {self.cell} has no cell state")

    @property
    def bidirectional(self) -> bool:
        """Whether the layers read in both directions."""
        return False

    @property
    def entry_dropout(self) -> float:
        """Share of what the input layer makes of a step that is dropped while training."""
        return 0.0

    @property
    def width(self) -> int:
        """Numbers that come out of the last layer at a step."""
        return (self.proj_size or self.hidden_size) * (2 if self.bidirectional else 1)

    @property
    def spec(self) -> CellSpec:
        """The cell as data; switches that contradict each other raise `InputError`."""
        changed = {
            name: getattr(self, name) for name, switch in SWITCHES.items() if getattr(self, name) != switch.default
        }
        return spec_of(self.cell, self.variant, bool(self.proj_size), **changed)

    @property
    def start(self) -> dict[str, object]:
        """How the recurrent parameters start; the forget bias only where there is one to set."""
        has_forget_gate = self.spec.bias and ("f" in self.spec.gates or self.spec.coupled)
        init = self.init
        if init == "auto":
            gated = self.spec.bias and (has_forget_gate or self.spec.family == "gru")
            init = "chrono" if gated and (self.longest or 0) >= 3 else "orthogonal"
        bias = self.forget_bias if has_forget_gate and init != "chrono" else None  # chrono draws it itself
        return {"init": init, "longest": self.longest, "forget_bias": bias}


@dataclass(frozen=True)
class WholeConfig(ModelConfig):
    """A net over sequences that are there from beginning to end, so that it may read them from both."""

    # both: a second net reads from the end; what comes later in the sequence counts too. one: every step knows only
    # what came before it, so that the net can follow a stream.
    directions: Literal["both", "one"] = "both"

    # Share of what a step becomes before the recurrent layers that is dropped while training.
    input_dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.input_dropout < 1.0:
            raise InputError(f"--input-dropout is {self.input_dropout}; expected 0 to below 1")

    @property
    def bidirectional(self) -> bool:
        return self.directions == "both"

    @property
    def entry_dropout(self) -> float:
        return self.input_dropout


@dataclass(frozen=True)
class DecoderConfig(ModelConfig):
    """A net that says symbol after symbol what an encoder handed over."""

    # Where the decoder looks while it speaks. none: it has the summary of the whole source, the same at each step.
    # luong: it looks after each step of its cell, by a bilinear score; all steps at once while training. bahdanau: it
    # looks before each step, by an additive score, and the cell reads what it saw; step by step, so slower.
    attention: Literal["none", "luong", "bahdanau"] = "luong"

    # With luong: the cell also reads what the decoder saw and said at the step before. Step by step, so slower.
    input_feeding: bool = False

    # Share of a symbol's learned vector that is dropped while training.
    input_dropout: float = 0.0

    # The weights of the output are those of the symbols' vectors (Press & Wolf 2017): fewer to learn.
    tied: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.input_dropout < 1.0:
            raise InputError(f"--input-dropout is {self.input_dropout}; expected 0 to below 1")
        if self.attention not in ("none", "luong", "bahdanau"):
            raise InputError(f"--attention is {self.attention!r}; expected none, luong or bahdanau")
        if self.input_feeding and self.attention != "luong":
            raise InputError(f"--input-feeding is luong's; expected --attention luong, got {self.attention}")
        if self.stepwise and (self.zoneout or self.zoneout_cell):
            raise InputError("--zoneout needs all steps at once; expected --attention none, or luong without feeding")

    @property
    def entry_dropout(self) -> float:
        return self.input_dropout

    @property
    def stepwise(self) -> bool:
        """Whether a step of the cell reads what came of the step before, so that training goes step by step."""
        return self.attention == "bahdanau" or self.input_feeding


@dataclass(frozen=True)
class EncoderDecoderConfig(DecoderConfig):
    """A net that reads a sequence to its end and then says another; encoder and decoder are of one kind and size."""

    # both: a second encoder reads from the end, so that each place knows the whole source. one: each place knows what
    # came before it.
    directions: Literal["both", "one"] = "both"

    @property
    def bidirectional(self) -> bool:
        return self.directions == "both"
