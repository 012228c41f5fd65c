"""Stopping work that takes long: the first Ctrl-C asks, the second interrupts."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Stoppable(Protocol):
    """Work that looks now and then whether it was asked to stop."""

    stop_requested: bool


@contextmanager
def heard_signals(work: Stoppable) -> Iterator[None]:
    """While this lasts, Ctrl-C or a request to terminate sets `work.stop_requested`; a second one interrupts at once.

    Outside the main thread, which alone hears signals, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(number: int, frame: Any) -> None:
        if work.stop_requested:
            raise KeyboardInterrupt
        work.stop_requested = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
