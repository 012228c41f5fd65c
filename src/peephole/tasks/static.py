"""What a static net needs to learn parity or addition, beside a recurrent net of as many parameters."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from peephole.data.problems.addition import Addition
from peephole.data.problems.parity import Parity
from peephole.data.problems.problem import Examples
from peephole.errors import InputError
from peephole.models.static import StaticModel
from peephole.runs.rows import Rows
from peephole.tasks.static_nets import (
    all_patterns,
    learn,
    parameters,
    recurrent_like,
    recurrent_on_longer,
    right_patterns,
    static_on_longer,
)
from peephole.tasks.static_result import Outcome, StaticComparison, StaticRow

USUAL_BITS = {"parity": (2, 3, 4, 5, 6, 7, 8), "addition": (2, 3, 4, 5)}
PATTERNS_A_BIT = {"parity": 2, "addition": 4}
LARGEST = 4096  # patterns: each net answers all of them at every row
LONGER_ROWS = 500  # random strings of each longer size

Shown = Callable[[StaticRow, int, int], None]


@dataclass(frozen=True)
class StaticSettings:
    """What is compared, and how both nets learn: by Adam on all samples at once, until no answer is wrong or unsure."""

    problem: Literal["parity", "addition"] = "parity"
    answers: Literal["each", "last"] = "each"  # parity: told after every bit, or after the last alone
    hidden_size: int = 64  # of the static net
    layers: int = 1  # hidden layers of the static net
    cell: Literal["lstm", "gru", "rnn"] = "lstm"
    steps: int = 4000  # updates at most
    learning_rate: float = 1e-2

    def __post_init__(self) -> None:
        if self.problem not in USUAL_BITS:
            raise InputError(f"unknown problem {self.problem!r}; expected parity or addition")
        if self.answers not in ("each", "last") or (self.answers == "last" and self.problem != "parity"):
            raise InputError(f"--answers is {self.answers!r}; expected each, or of parity last")
        if self.cell not in ("lstm", "gru", "rnn"):
            raise InputError(f"--cell is {self.cell!r}; expected lstm, gru or rnn")
        for name in ("hidden_size", "layers", "steps"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name.replace('_', '-')} is {getattr(self, name)}; expected at least 1")
        if not 0 < self.learning_rate < math.inf:
            raise InputError(f"--learning-rate is {self.learning_rate}; expected more than 0, and finite")


def compare_static(
    settings: StaticSettings,
    bits: tuple[int, ...] = (),
    seeds: int = 3,
    out: Path | None = None,
    shown: Shown | None = None,
) -> StaticComparison:
    """Train both nets on m different patterns of N bits, for N in `bits` and m up to all there are, and measure them.

    A pattern is a string of N bits, or a pair of numbers of N bits. The sets of one seed are nested: a larger one has
    the patterns of a smaller and more. Default: 2 to 8 bits of parity, 2 to 5 of addition.

    `out` is a folder to which every finished row is added at once, and whose rows are not computed again. `shown` gets
    each row when it is there, its number, and how many there will be.

    Raises:
        InputError: no bits, or so many that there are more than 4,096 patterns; a folder with rows of other settings.
    """
    sizes = tuple(sorted(set(bits or USUAL_BITS[settings.problem])))
    most = round(math.log(LARGEST, PATTERNS_A_BIT[settings.problem]))
    if sizes[0] < 1 or sizes[-1] > most:
        wrong = sizes[0] if sizes[0] < 1 else sizes[-1]
        raise InputError(
            f"--bits has {wrong}; expected 1 to {most}: {settings.problem} then has at most {LARGEST:,} patterns"
        )
    if seeds < 1:
        raise InputError(f"--seeds is {seeds}; expected at least 1")
    parts = [(size, m, seed) for size in sizes for m in sample_sizes(settings.problem, size) for seed in range(seeds)]
    found: list[StaticRow] = []
    with Rows.open(out, {"experiment": "static", **dataclasses.asdict(settings)}) as rows:
        for number, (size, samples, seed) in enumerate(parts, 1):
            key = f"{size} bits, {samples} samples, seed {seed}"
            row = rows.done(key) or rows.add(key, dataclasses.asdict(_measure(settings, size, samples, seed)))
            found.append(StaticRow.read(row))
            if shown is not None:
                shown(found[-1], number, len(parts))
    return StaticComparison(settings.problem, settings.cell, settings.hidden_size, tuple(found))


def sample_sizes(problem: str, bits: int) -> tuple[int, ...]:
    """Sizes of training sets: powers of two up to all patterns, and three more between a half of them and all."""
    patterns = PATTERNS_A_BIT[problem] ** bits
    powers = (2**power for power in range(1, patterns.bit_length()))
    return tuple(sorted({*powers, *(patterns * sixteenths // 16 for sixteenths in (12, 14, 15))} - {0, 1}))


def _measure(settings: StaticSettings, bits: int, samples: int, seed: int) -> StaticRow:
    """Both nets, trained on the same samples."""
    problem = Parity(answers=settings.answers) if settings.problem == "parity" else Addition()
    patterns = all_patterns(problem, bits)
    order = torch.from_numpy(np.random.default_rng([seed, bits]).permutation(patterns.inputs.shape[1]))
    chosen = Examples(*(part[:, order[:samples]].contiguous() for part in vars(patterns).values()))
    unseen = order[samples:]

    def outcome(model: torch.nn.Module, longer: Callable[[], dict[str, float]]) -> Outcome:
        steps, wrong = learn(model, chosen, settings.steps, settings.learning_rate)
        with torch.no_grad():
            right = right_patterns(problem, patterns, model(patterns.inputs)[0])
        share = float(right[unseen].mean()) if len(unseen) else None
        return Outcome(parameters(model), steps, wrong, float(right.mean()), share, longer())

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        static = StaticModel(
            problem.symbols, problem.outputs, len(patterns.inputs), settings.hidden_size, settings.layers
        )
        recurrent = recurrent_like(static, problem, settings.cell)
        return StaticRow(
            bits,
            samples,
            seed,
            outcome(static, lambda: static_on_longer(static, problem, bits)),
            outcome(recurrent, lambda: recurrent_on_longer(recurrent, problem, bits, seed, LONGER_ROWS)),
        )
