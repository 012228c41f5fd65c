"""The benchmark of streams itself: for each case contestants, the comparison of their results, then turns."""

import time
from collections.abc import Callable, Sequence
from functools import partial

import torch

from peephole._native.decoding import refusal
from peephole._native.instructions import chosen
from peephole.bench.machine import this_machine
from peephole.bench.stream_cases import StreamCase, weight
from peephole.bench.stream_memory import measure_idle
from peephole.bench.stream_peers import PEERS, check_peers, invite
from peephole.bench.stream_results import Stepped, StreamReport
from peephole.bench.stream_setup import Stepper, check
from peephole.bench.timing import Budget, shared, take_turns, torch_threads
from peephole.spec import CellSpec

# A turn of steps that carry their state: threads wake and caches fill again with its first few.
STREAMING_SECONDS = 0.03
FEWEST_STEPS = 20  # of one stream; a step of many is a long run by itself

Shown = Callable[[int, int, Stepped], None]  # called after each case: its number, of how many, and what was found


def measure_streams(
    cases: Sequence[StreamCase],
    *,
    peers: Sequence[str] = tuple(PEERS),
    minutes: float = 3.0,
    rounds: int | None = None,
    idle_streams: int = 0,
    shown: Shown | None = None,
) -> StreamReport:
    """Measure every case, in about `minutes` for all, or with `rounds` for each; and so many idle streams, if any.

    A case that takes its share and more is still timed for three rounds. Raises `InputError` for unknown names.
    """
    check_peers(tuple(peers))
    end = time.perf_counter() + 60 * minutes
    idle = measure_idle(idle_streams) if idle_streams else None
    found: list[Stepped] = []
    weights = [weight(case) for case in cases]
    for number, case in enumerate(cases):
        share = shared(end - time.perf_counter(), weights[number:])
        found.append(step_case(case, peers, Budget(share, rounds)))
        if shown is not None:
            shown(number + 1, len(cases), found[-1])
    return StreamReport(this_machine(), tuple(found), idle)


def step_case(case: StreamCase, peers: Sequence[str], budget: Budget) -> Stepped:
    """One case. Comparing results takes its time from the budget."""
    began = time.perf_counter()
    with torch_threads(case.threads):
        steppers, refused = invite(case, tuple(peers))
        errors, red = _compare(steppers)
        left = budget.seconds - (time.perf_counter() - began)
        right = [one for one in steppers if one.name not in red]
        seconds = {} if case.reference in red else _time(case, right, Budget(left, budget.rounds))
    flops = {one.name: one.flops for one in steppers}
    return Stepped(case, _engine(), seconds, flops, errors, red, refused)


def _compare(steppers: Sequence[Stepper]) -> tuple[dict[str, float], dict[str, str]]:
    """The error of each contestant that was compared, and the complaint about each that was wrong."""
    errors: dict[str, float] = {}
    red: dict[str, str] = {}
    for one in steppers:
        if one.compared:
            errors[one.name], complaint = check(one)
            if complaint is not None:
                red[one.name] = complaint
    return errors, red


@torch.inference_mode()
def _time(case: StreamCase, steppers: Sequence[Stepper], budget: Budget) -> dict[str, tuple[float, ...]]:
    """Seconds of one step of each, whose states go on from turn to turn."""
    runs = {one.name: partial(one.step, one.given(one.setup.x[-1])) for one in steppers}
    pauses = {one.name: one.pause for one in steppers}
    return take_turns(runs, budget, pauses, STREAMING_SECONDS, FEWEST_STEPS if case.streams == 1 else 1)


def _engine() -> str:
    """What runs our streams."""
    reason = refusal(CellSpec("lstm"))
    return f"stepwise: {reason}" if reason else f"compiled decoder, {chosen()}"
