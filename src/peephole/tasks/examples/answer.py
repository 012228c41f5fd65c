"""What a net answers to a sequence, or to a step of one."""

from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Answer(Protocol):
    """Data that `peephole predict` prints."""

    @property
    def text(self) -> str:
        """A line, or several, for people."""
        ...

    def as_dict(self) -> dict[str, Any]:
        """The same with confidences or quantiles, in JSON's types."""
        ...
