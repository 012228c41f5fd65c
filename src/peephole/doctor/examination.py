"""`Examination`: a case while it is looked at. Whatever is measured is measured once, and changes nothing."""

from collections.abc import Callable
from typing import Any, TypeVar

from peephole.doctor.case import Case

Measured = TypeVar("Measured")


class Examination:
    """A case, and what was measured of it so far: `examination.measured(level)` calls `level(examination)` once."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self._known: dict[Callable[..., Any], Any] = {}

    def measured(self, measure: "Callable[[Examination], Measured]") -> Measured:
        """What `measure` finds; whatever it raises is raised again at every later call."""
        if measure not in self._known:
            try:
                self._known[measure] = (measure(self), None)
            except Exception as error:
                self._known[measure] = (None, error)
        value, error = self._known[measure]
        if error is not None:
            raise error
        return value
