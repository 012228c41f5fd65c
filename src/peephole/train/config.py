"""How to train. Imports nothing heavy: the command line reads it for its help."""

import math
from dataclasses import dataclass
from typing import Literal

from peephole.errors import InputError

OPTIMIZERS = ("adamw", "adam", "nadam", "radam", "adamax", "rmsprop", "adagrad", "adadelta", "sgd", "asgd")
SCHEDULES = ("cosine", "linear", "constant", "exponential", "plateau", "epochs")
ACCELERATORS, STRATEGIES = ("auto", "cpu", "cuda"), ("auto", "ddp", "fsdp")
DEFAULT_MINUTES = 5.0
EVALUATIONS = 10  # measurements on held-out data in a run
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

    # Memory of the second moment, Adam's and RMSprop's. Gradients of recurrent nets change fast: 0.99 forgets in 100
    # steps.
    beta2: float = 0.99

    # How the learning rate falls. plateau halves it when the held-out divergence stops falling. epochs keeps it for
    # --flat-epochs passes over the data and multiplies it with --decay at the beginning of each later one.
    schedule: Literal["cosine", "linear", "constant", "exponential", "plateau", "epochs"] = "cosine"

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

    # Average the weights, each step's alike, from the moment on when a held-out measurement is worse than the best of
    # those before its last so many; that average is what is measured and kept from then on (NT-ASGD of Merity et al.
    # 2018, who take sgd and 5). 0: never.
    average_trigger: int = 0

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
        for name in (*not_negative, "final_learning_rate", "checkpoint_seconds", "average_trigger"):
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
        if self.average and self.average_trigger:
            raise InputError(
                f"got --average {self.average} and --average-trigger {self.average_trigger}; give one of them"
            )
        if self.schedule not in SCHEDULES:
            raise InputError(f"--schedule is {self.schedule!r}; choose one of {', '.join(SCHEDULES)}")
        if self.schedule == "epochs" and "epochs" not in self.budgets():
            raise InputError(
                "--schedule epochs counts passes over data, and here there are new examples; choose another"
            )
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

    def is_measured(self, step: int, total: int | None, windows_per_epoch: int) -> bool:
        """Whether held-out data are measured on after this step, counted from 1, of `total`; None: not yet known."""
        if self.evaluate_every:
            return step % self.evaluate_every == 0
        return total is not None and step % max(1, -(-total // EVALUATIONS)) == 0

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

    # With --schedule epochs, passes at the whole learning rate. 4, then half of it in each, is what the small net of
    # Zaremba et al. 2014 does.
    flat_epochs: int = 4

    # With --schedule epochs, what the learning rate is multiplied with at the beginning of each later pass.
    decay: float = 0.5

    # Measurements on held-out data in each pass, in place of --evaluate-every. 0: as that says.
    evaluations_per_epoch: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("fewest_steps", "flat_epochs", "evaluations_per_epoch"):
            if getattr(self, name) < 0:
                raise InputError(f"--{name.replace('_', '-')} is {getattr(self, name)}; expected 0 or more")
        if not 0 < self.decay <= 1:
            raise InputError(f"--decay is {self.decay}; expected more than 0, to 1")
        if self.evaluations_per_epoch and self.evaluate_every:
            raise InputError(
                f"got --evaluate-every {self.evaluate_every} and --evaluations-per-epoch "
                f"{self.evaluations_per_epoch}; give one of them"
            )

    @classmethod
    def budgets(cls) -> tuple[str, ...]:
        return ("steps", "epochs", "minutes")

    def budget_steps(self, windows_per_epoch: int) -> int | None:
        if self.epochs is not None:
            return max(1, self.fewest_steps, round(self.epochs * windows_per_epoch))
        return self.steps

    def is_measured(self, step: int, total: int | None, windows_per_epoch: int) -> bool:
        if not self.evaluations_per_epoch:
            return super().is_measured(step, total, windows_per_epoch)
        now, before = (number * self.evaluations_per_epoch // windows_per_epoch for number in (step, step - 1))
        return now > before

    def rate_in_pass(self, number: int) -> float:
        """The share of the learning rate that `--schedule epochs` leaves in this pass, counted from 0."""
        return self.decay ** max(0, number + 1 - self.flat_epochs)


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

    # Draw the length of each window: normal around --window, or now and then, with probability 0.05, around half of it,
    # with standard deviation 5; the learning rate of that step is scaled by length / --window. So that windows do not
    # part the text at the same places in every pass (Merity et al. 2018).
    vary_window: bool = False

    # What the gradient is the mean of. symbol: of the divergences of all symbols of a window. row: of the rows, whose
    # steps are summed, so that learning rate and --clip-norm mean what they do in Zaremba et al. 2014; it is --window
    # times as long. The divergence that is reported is the mean of the symbols in both.
    per: Literal["symbol", "row"] = "symbol"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._positive("window", "longest_document")
        if self.per not in ("symbol", "row"):
            raise InputError(f"--per is {self.per!r}; choose symbol or row")
        if self.vary_window and self.bptt == "full":
            raise InputError("--vary-window varies windows, and --bptt full takes whole documents; give one of them")
