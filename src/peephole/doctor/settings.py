"""The settings of a training by their own names, whatever group they stand in."""

import dataclasses
from typing import Any


def flat_settings(task: Any) -> dict[str, Any]:
    """All settings of a task, such as `TextTask`: those of its net, its data and its training side by side."""
    found: dict[str, Any] = {}
    for name, value in vars(task).items():
        found |= dataclasses.asdict(value) if dataclasses.is_dataclass(value) else {name: value}  # pyright: ignore
    return found
