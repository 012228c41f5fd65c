"""The settings that all tasks on data sets have. A task narrows `data` and `model` and gives the defaults."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from peephole.train.config import PassesConfig


@dataclass(frozen=True)
class ExamplesTask:
    """Data, net and training. Subclasses annotate `data` and `model` with dataclasses of their own.

    `net`: recurrent, or the mlp beside it, which has the same input layer and head and no recurrence. `baseline`:
    whether such a net is trained beside this one.
    """

    name: ClassVar[str]
    unit: ClassVar[str] = "nats"  # of what the loop minimises, for one answer

    data: Any
    model: Any
    training: PassesConfig = field(default_factory=PassesConfig)
    net: Literal["recurrent", "mlp"] = "recurrent"
    baseline: bool = False
