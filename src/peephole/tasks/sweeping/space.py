"""What a sweep searches: ranges and lists of values of options, read from words such as `hidden_size=64,128,256`."""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from peephole.errors import InputError
from peephole.tasks.comparing.fields import field_named, kinds_of, number_kind, read_value, spell
from peephole.tasks.comparing.record import Task

# Options that are not swept, and why.
BUDGETS = dict.fromkeys(("steps", "epochs", "minutes"), "who trains longer wins, give every trial the same")
MACHINE = dict.fromkeys(
    ("threads", "checkpoint_seconds", "watch", "tensorboard", "accelerator", "devices", "strategy", "compile"),
    "it changes how a training is carried out and not what it comes to",
)
REFUSED = {**BUDGETS, **MACHINE, "evaluate_every": "trials are measured side by side"}
MOST_CHECKED = 4096  # combinations that are tried out before anything is trained

Value = bool | int | float | str | None


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; whole ones where both are. `log`: as likely in each decade."""

    name: str
    low: int | float
    high: int | float
    log: bool

    @property
    def values(self) -> tuple[Value, ...]:
        """What to check of it."""
        return self.low, self.high

    @property
    def count(self) -> int | float:
        """How many there are; infinity where nobody can count them."""
        return self.high - self.low + 1 if isinstance(self.low, int) and isinstance(self.high, int) else math.inf

    @property
    def text(self) -> str:
        return f"{self.name}={spell(self.low)}..{spell(self.high)}{':log' if self.log else ''}"


@dataclass(frozen=True)
class Choice:
    """Some values, each as likely."""

    name: str
    values: tuple[Value, ...]

    @property
    def count(self) -> int | float:
        """How many there are; infinity where nobody can count them."""
        return len(self.values)

    @property
    def text(self) -> str:
        return f"{self.name}={','.join(map(spell, self.values))}"


Dimension = Range | Choice


def read_space(words: Sequence[str], task: Task) -> tuple[Dimension, ...]:
    """The space that words such as `hidden_size=64,128` span, of options of the model and the training of `task`.

    A range is `a..b`, or `a..b:log` for as many trials between 0.001 and 0.01 as between 0.01 and 0.1; anything else is
    a list. What the values are follows from the option.

    Raises:
        InputError: an option that there is not, that is given twice or not to be swept, values that it cannot have, a
            range that runs backwards, or combinations that contradict each other.
    """
    if not words:
        raise InputError("nothing to sweep; give --over OPTION=VALUES, such as --over learning_rate=1e-3..1e-2:log")
    kinds = {**kinds_of(type(task.model)), **kinds_of(type(task.training))}
    space: list[Dimension] = []
    for word in words:
        name, equals, text = word.partition("=")
        where = f"--over {word}"
        field = field_named(name, kinds, where)
        if not equals or not text.strip():
            raise InputError(f"{where}: no values; expected {field}=A..B, {field}=A..B:log or {field}=A,B,C")
        if field in REFUSED:
            raise InputError(f"{where}: {field} is not to be swept, {REFUSED[field]}; give it as an option instead")
        if field in {each.name for each in space}:
            raise InputError(f"{where}: {field} is given twice; give all its values at once")
        space.append(
            _range(field, text, kinds[field], where) if ".." in text else _choice(field, text, kinds[field], where)
        )
    _check(space, task)
    return tuple(space)


def apply(task: Task, values: dict[str, Any]) -> Task:
    """The task with these settings of its model and training. `InputError` where they contradict each other."""
    model = {name: value for name, value in values.items() if name in kinds_of(type(task.model))}
    training = {name: value for name, value in values.items() if name not in model}
    return dataclasses.replace(
        task,
        model=dataclasses.replace(task.model, **model),
        training=dataclasses.replace(task.training, **training),
    )


def _range(name: str, text: str, kind: Any, where: str) -> Range:
    ends, _, scale = text.partition(":")
    number = number_kind(kind)
    if number is None:
        raise InputError(f"{where}: {name} is no number and has no range; list its values, {name}=A,B")
    if scale not in ("", "log"):
        raise InputError(f"{where}: {scale!r} after the range; expected log or nothing")
    low, high = (read_value(end, number, f"{where}: {name}") for end in ends.split("..", 1))
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InputError(f"{where}: from {spell(low)} to {spell(high)}; expected two numbers, the lower one first")
    if scale and low <= 0:
        raise InputError(f"{where}: from {spell(low)} on; a logarithmic range begins above 0")
    return Range(name, low, high, bool(scale))


def _choice(name: str, text: str, kind: Any, where: str) -> Choice:
    values = tuple(read_value(value, kind, f"{where}: {name}") for value in text.split(","))
    if len(set(values)) < len(values):
        raise InputError(f"{where}: a value is given twice; expected different ones")
    if len(values) == 1:
        raise InputError(f"{where}: one value, nothing to choose; give it as --{name.replace('_', '-')} {text.strip()}")
    return Choice(name, values)


def _check(space: Sequence[Dimension], task: Task) -> None:
    """Raise `InputError` for the first combination that cannot be, ends of ranges and all values of lists."""
    for values in itertools.islice(combinations(space), MOST_CHECKED):
        try:
            apply(task, values)
        except InputError as error:
            said = ", ".join(f"{name}={spell(value)}" for name, value in values.items())
            raise InputError(f"--over: {said} cannot be ({error})") from None


def combinations(space: Sequence[Dimension]) -> Iterator[dict[str, Any]]:
    """Every value of each with every value of the others; of ranges the ends."""
    for values in itertools.product(*(each.values for each in space)):
        yield {each.name: value for each, value in zip(space, values, strict=True)}
