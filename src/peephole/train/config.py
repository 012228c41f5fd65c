"""How to train. Imports nothing heavy: the command line reads it for its help."""

import math
from dataclasses import dataclass
from typing import Literal

from peephole.errors import InputError

OPTIMIZERS = ("adamw", "adam", "nadam", "radam", "adamax", "rmsprop", "adagrad", "adadelta", "sgd", "asgd")
ACCELERATORS, STRATEGIES = ("auto", "cpu", "cuda"), ("auto", "ddp", "fsdp")
DEFAULT_MINUTES = 5.0
MOST_THREADS = 1024  # thousands more end the process without a word


@dataclass(frozen=True)
class LoopConfig:
    """Budget, optimiser, schedule and machine of one training: what the loop itself reads, whatever the task."""

    # Budget in optimiser steps. The only budget that ends with the same weights, bit for bit, on every run.
    steps: int | None = None

    # Budget in minutes; the speed of the first steps decides once how many steps that is. Default: 5, when no budget
    # is given.
    minutes: float | None = None

    # Rows trained together. Fewer learn more from each character, more run faster.
    batch_size: int = 16

    # Which of torch's optimisers.
    optimizer: Literal["adamw", "adam", "nadam", "radam", "adamax", "rmsprop", "adagrad", "adadelta", "sgd", "asgd"] = (
        "adamw"
    )

    # Size of the steps at their largest. 4e-3 suits adamw and some hundred units; sgd wants about 1.
    learning_rate: float = 4e-3

    # Pull of the weights towards zero.
    weight_decay: float = 0.01

    # For sgd and rmsprop.
    momentum: float = 0.0

    # Memory of Adam's second moment. Gradients of recurrent nets change fast: 0.99 forgets in 100 steps.
    beta2: float = 0.99

    # How the learning rate falls. plateau halves it when the held-out divergence stops falling.
    schedule: Literal["cosine", "linear", "constant", "exponential", "plateau"] = "cosine"

    # Where cosine, linear and exponential end, as a share of the learning rate (exponential: at least 0.01).
    final_learning_rate: float = 0.0

    # Steps over which the learning rate rises from zero; Adam's first estimates are wild.
    warmup: int = 50

    # Longest gradient; a longer one is scaled down (Pascanu et al. 2013). None: no limit.
    clip_norm: float | None = 1.0

    # Largest entry of a gradient; larger ones are cut. None: no limit.
    clip_value: float | None = None

    # bfloat16 runs products in half the bits, faster where the processor has instructions for it; weights and states
    # stay float32. auto: bfloat16 where it is faster.
    precision: Literal["float32", "bfloat16", "auto"] = "float32"

    # Steps between measurements on the held-out text. 0: ten in all.
    evaluate_every: int = 0

    # Stop after so many measurements in a row without improvement. 0: never.
    patience: int = 0

    # Look inside every so many steps, and once after the first: how far gradients reach, what gates and units do, how
    # large the updates are. 200 costs less than 3 % of the time. 0: never.
    watch: int = 200

    # Write the history for TensorBoard too, into the run's folder tensorboard (needs the extra of that name).
    tensorboard: bool = False

    # Keep a running average of the weights beside them, which is what is measured and kept: so much of the old average
    # stays at a step. 0: none. 0.999 averages about the last thousand steps, which helps where data is little.
    average: float = 0.0

    # Which weights end in model.safetensors: those best on held-out text, or the last.
    keep: Literal["best", "last"] = "best"

    # Seconds between checkpoints; a killed run goes on from the newest.
    checkpoint_seconds: float = 30.0

    # Seed of weights, dropout and order.
    seed: int = 0

    # Processor threads. 0: as many as the machine has cores.
    threads: int = 0

    # cpu, cuda or auto.
    accelerator: str = "auto"

    # Processes, each with its device, that share every batch; on several machines start with torchrun.
    devices: int = 1

    # How they share it: auto, ddp, fsdp.
    strategy: str = "auto"

    # Run the model through torch.compile. It pays where much of the time is outside the recurrent layers.
    compile: bool = False

    def __post_init__(self) -> None:
        budgets = {name: getattr(self, name) for name in self.budgets()}
        given = {name: value for name, value in budgets.items() if value is not None}
        if len(given) > 1:
            flags = [f"--{name}" for name in self.budgets()]
            expected = f"{', '.join(flags[:-1])} or {flags[-1]}"
            raise InputError(f"got {len(given)} budgets ({', '.join(given)}); give one of {expected}")
        positive = ["batch_size", "learning_rate", "devices", *given]
        positive += [name for name in ("clip_norm", "clip_value") if getattr(self, name) is not None]
        self._positive(*positive)
        for name in ("learning_rate", *given):
            if getattr(self, name) == math.inf:
                raise InputError(f"--{name.replace('_', '-')} is {getattr(self, name)}; expected a finite number")
        not_negative = ("weight_decay", "momentum", "warmup", "evaluate_every", "watch", "patience", "threads")
        for name in (*not_negative, "final_learning_rate", "checkpoint_seconds"):
            if not getattr(self, name) >= 0:
                raise InputError(f"--{name.replace('_', '-')} is {getattr(self, name)}; expected 0 or more")
        if not 0 <= self.seed < 2**32:
            raise InputError(f"--seed is {self.seed}; expected 0 to {2**32 - 1}")
        if self.threads > MOST_THREADS:
            raise InputError(
                f"--threads is {self.threads}; expected at most {MOST_THREADS}, and no more than cores help"
            )
        if not 0 <= self.average < 1:
            raise InputError(f"--average is {self.average}; expected 0 (none) to below 1")
        if not 0 < self.beta2 < 1:
            raise InputError(f"--beta2 is {self.beta2}; expected a number between 0 and 1")
        if self.optimizer not in OPTIMIZERS:
            raise InputError(f"--optimizer is {self.optimizer!r}; choose one of {', '.join(OPTIMIZERS)}")
        if self.accelerator not in ACCELERATORS:
            raise InputError(f"--accelerator is {self.accelerator!r}; choose one of {', '.join(ACCELERATORS)}")
        if self.strategy not in STRATEGIES:
            raise InputError(f"--strategy is {self.strategy!r}; choose one of {', '.join(STRATEGIES)}")

    @classmethod
    def budgets(cls) -> tuple[str, ...]:
        """The settings that say how long; one of them may be given."""
        return ("steps", "minutes")

    @property
    def budget_minutes(self) -> float | None:
        """The budget in minutes, when that is what decides."""
        given = any(getattr(self, name) is not None for name in self.budgets())
        return self.minutes if given else DEFAULT_MINUTES

    def budget_steps(self, windows_per_epoch: int) -> int | None:
        """The budget in steps, when that is what decides."""
        return self.steps

    def _positive(self, *names: str) -> None:
        for name in names:
            if not getattr(self, name) > 0:
                raise InputError(f"--{name.replace('_', '-')} is {getattr(self, name)}; expected more than 0")


@dataclass(frozen=True)
class PassesConfig(LoopConfig):
    """A training on data that has an end, so that its budget can be counted in passes over it."""

    # Budget in passes over the training data.
    epochs: float | None = None

    # With --epochs, take so many steps at least: some passes over a few hundred sequences are too few updates to learn
    # anything. 0: --epochs alone counts.
    fewest_steps: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fewest_steps < 0:
            raise InputError(f"--fewest-steps is {self.fewest_steps}; expected 0 or more")

    @classmethod
    def budgets(cls) -> tuple[str, ...]:
        return ("steps", "epochs", "minutes")

    def budget_steps(self, windows_per_epoch: int) -> int | None:
        if self.epochs is not None:
            return max(1, self.fewest_steps, round(self.epochs * windows_per_epoch))
        return self.steps


@dataclass(frozen=True)
class SpeakingConfig(PassesConfig):
    """A training of a net that says symbol after symbol, each given those before it."""

    # Share of the probability that the desired symbol leaves to all symbols alike (Szegedy et al. 2016): answers stay
    # less sure, which helps a search among them.
    label_smoothing: float = 0.1

    # Share of the symbols that the decoder reads while it trains that are its own in place of the right ones (scheduled
    # sampling, Bengio et al. 2015). 0: the right ones alone, teacher forcing, all steps at once where the net allows.
    sampling: float = 0.0

    # Passes over the data until --sampling has grown from nothing to its share.
    sampling_passes: float = 5.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.label_smoothing < 1:
            raise InputError(f"--label-smoothing is {self.label_smoothing}; expected 0 to below 1")
        if not 0 <= self.sampling <= 1:
            raise InputError(f"--sampling is {self.sampling}; expected 0 to 1")
        if not 0 <= self.sampling_passes < math.inf:
            raise InputError(f"--sampling-passes is {self.sampling_passes}; expected 0 or more")

    def sampling_after(self, passes: float) -> float:
        """Share of own symbols after so many passes over the data."""
        grown = 1.0 if self.sampling_passes == 0 else min(1.0, passes / self.sampling_passes)
        return self.sampling * grown


@dataclass(frozen=True)
class TrainingConfig(PassesConfig):
    """How to train on a text: the windows it is cut into, besides what the loop reads."""

    # Steps between two updates, and how far gradients flow back. The state is carried on, so memory reaches further
    # than gradients do.
    window: int = 64

    # truncated: windows over a continuous text with carried state. full: whole documents, gradients to their start.
    bptt: Literal["truncated", "full"] = "truncated"

    # With --bptt full, the longest document in tokens that is allowed (memory grows with it).
    longest_document: int = 4096

    # Carry the state from window to window; without, every window starts from zero.
    carry: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._positive("window", "longest_document")
