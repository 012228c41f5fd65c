"""What a report is made of: sections of facts, tables, pictures and texts. Data; `page` makes HTML of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from peephole.errors import InputError
from peephole.report.showing import Line

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@runtime_checkable
class Result(Protocol):
    """A finding that says itself in a sentence and draws itself."""

    @property
    def verdict(self) -> str: ...
    def plot(self, ax: "Axes") -> None: ...


@dataclass(frozen=True)
class Facts:
    """Names and what they are."""

    kind: ClassVar[str] = "facts"
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Settings:
    """Every setting by name, in groups, folded away."""

    kind: ClassVar[str] = "settings"
    groups: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


@dataclass(frozen=True)
class Paragraph:
    """A sentence or two."""

    kind: ClassVar[str] = "paragraph"
    text: str


@dataclass(frozen=True)
class Missing:
    """What cannot be shown, and why."""

    kind: ClassVar[str] = "missing"
    text: str


@dataclass(frozen=True)
class Table:
    """Rows under a header; the first cell of a row names it."""

    kind: ClassVar[str] = "table"
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, eq=False)
class Picture:
    """A result, drawn, with its verdict as caption."""

    kind: ClassVar[str] = "picture"
    title: str
    result: Any  # a `Result`; some of the laboratory's have further arguments
    plot: "Callable[[Axes], None] | None" = None  # in place of the result's own

    @property
    def draws(self) -> "Callable[[Axes], None]":
        """What draws it."""
        return self.result.plot if self.plot is None else self.plot


@dataclass(frozen=True)
class Passage:
    """A text coloured by numbers. `scale` names the colours that `lines` use, least first: (class, meaning)."""

    kind: ClassVar[str] = "passage"
    title: str
    verdict: str
    lines: tuple[Line, ...]
    scale: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Choice:
    """Passages of which one is looked at at a time."""

    kind: ClassVar[str] = "choice"
    name: str
    passages: tuple[Passage, ...]


@dataclass(frozen=True)
class Sample:
    """A text as it was written."""

    kind: ClassVar[str] = "sample"
    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class References:
    """Papers, each with what was used of it."""

    kind: ClassVar[str] = "references"
    rows: tuple[tuple[str, str], ...]


Part = Facts | Settings | Paragraph | Missing | Table | Picture | Passage | Choice | Sample | References


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    key: str
    title: str
    parts: tuple[Part, ...]


def parts_or_reason(make: Callable[[], list[Part]]) -> list[Part]:
    """The parts, or, where they cannot be made, one line that says why."""
    try:
        return make()
    except InputError as error:
        return [Missing(f"Left out: {error}.")]
