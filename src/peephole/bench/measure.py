"""The benchmark itself: for each case contestants, the gate, then turns."""

import copy
import time
from collections.abc import Callable, Sequence

import torch

from peephole.bench import gate
from peephole.bench.cases import Case, weight
from peephole.bench.machine import this_machine
from peephole.bench.peers import PEERS, Contestant, ours
from peephole.bench.results import OURS, Measured, Report
from peephole.bench.setup import Setup, make_setup
from peephole.bench.timing import Budget, shared, take_turns, torch_threads
from peephole.errors import InputError
from peephole.nn.construction import check_backend
from peephole.nn.explanation import explain_backend

Shown = Callable[[int, int, Measured], None]  # called after each case: its number, of how many, and what was found


def check_names(peers: Sequence[str], backend: str) -> None:
    """Raise `InputError` for peers or a back end that nobody knows."""
    check_backend(backend)
    for name in peers:
        if name not in PEERS:
            raise InputError(f"unknown peer {name!r}; choose from {', '.join(PEERS)}")


def measure(
    cases: Sequence[Case],
    *,
    peers: Sequence[str] = tuple(PEERS),
    backend: str = "auto",
    minutes: float = 6.0,
    rounds: int | None = None,
    shown: Shown | None = None,
) -> Report:
    """Measure every case, in about `minutes` for all, or with `rounds` for each.

    A case that takes its share and more is still timed for three rounds. Raises `InputError` for unknown names.
    """
    check_names(peers, backend)
    found: list[Measured] = []
    weights = [weight(case) for case in cases]
    end = time.perf_counter() + 60 * minutes
    for number, case in enumerate(cases):
        share = shared(end - time.perf_counter(), weights[number:])
        found.append(measure_case(case, peers, backend, Budget(share, rounds)))
        if shown is not None:
            shown(number + 1, len(cases), found[-1])
    return Report(this_machine(), tuple(found))


def measure_case(case: Case, peers: Sequence[str], backend: str, budget: Budget, gated: Case | None = None) -> Measured:
    """One case. The gate takes its time from the budget; `gated` is checked in its place where that is too long."""
    began = time.perf_counter()
    with torch_threads(case.threads):
        setup = make_setup(case, backend)
        contestants, refused = _invite(setup, peers)
        checked = contestants if gated is None else _invite(make_setup(gated, backend), peers)[0]
        errors, red = pass_gate(checked)
        runs = {one.name: one.run for one in contestants if one.name not in red}
        left = budget.seconds - (time.perf_counter() - began)
        pauses = {one.name: one.pause for one in contestants}
        seconds = {} if OURS in red else take_turns(runs, Budget(left, budget.rounds), pauses)
    return Measured(case, _explain(setup), seconds, errors, red, refused)


def pass_gate(contestants: Sequence[Contestant]) -> tuple[dict[str, float], dict[str, str]]:
    """The relative error of each contestant that was compared, and the complaint of each that was wrong."""
    errors: dict[str, float] = {}
    red: dict[str, str] = {}
    for one in contestants:
        error, complaint = gate.check(one)
        if one.case is not None:
            errors[one.name] = error
        if complaint is not None:
            red[one.name] = complaint
    return errors, red


def _invite(setup: Setup, peers: Sequence[str]) -> tuple[list[Contestant], dict[str, str]]:
    """Ours and the peers that have the case, and the reasons of the others."""
    contestants, refused = [ours(setup)], {}
    for peer in (PEERS[name] for name in peers):
        reason = peer.refusal(setup.case)
        if reason is None:
            contestants.append(peer.build(setup))
        elif reason:
            refused[peer.name] = reason
    return contestants, refused


def _explain(setup: Setup) -> str:
    """What runs ours, of a layer that is in the dtype to which autocast casts."""
    layer = copy.deepcopy(setup.layer).to(getattr(torch, setup.case.dtype))
    text = explain_backend(layer, steps=setup.case.shape.steps)
    return "\n".join(line.strip() for line in text.splitlines()[1:])
