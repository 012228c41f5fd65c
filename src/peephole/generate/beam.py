"""Beam search: the likeliest continuations that a few streams find side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from peephole.errors import InputError
from peephole.streams.snapshot import Streaming


@dataclass(frozen=True)
class Beam:
    """A continuation, its log-probability in nats, and whether it ended by itself."""

    symbols: tuple[int, ...]
    log_probability: float
    ended: bool

    def score(self, length_power: float) -> float:
        """log P / length^power: 0 prefers short continuations, 1 the mean over their symbols (Wu et al. 2016)."""
        return self.log_probability / max(1, len(self.symbols)) ** length_power


def search(
    model: Streaming,
    prime: Sequence[int],
    length: int,
    beams: int = 4,
    end: int | None = None,
    never: Sequence[int] = (),
    length_power: float = 0.0,
) -> list[Beam]:
    """Up to `beams` continuations of `prime` (at least one symbol), at most `length` symbols each, the best first.

    A continuation ends with the symbol `end`, which it holds. States of streams are copied where continuations part,
    never computed again. Of equals the one found first goes first.

    Raises:
        InputError: `beams` or `length` is below 1.
    """
    if beams < 1 or length < 1:
        raise InputError(f"beam search with {beams} beams of {length} symbols; expected at least 1 of each")
    stream = model.stream(1)
    first = stream.ids
    logs = stream.read(torch.tensor(prime)[:, None], last=True)
    slots, spare = torch.cat([first, stream.join(beams)]), stream.join(beams)
    slots = slots[:beams]
    open_beams, closed = [Beam((), 0.0, False)], list[Beam]()
    for step in range(length):
        logs[:, list(never)] = -torch.inf
        totals = logs.double() + torch.tensor([[beam.log_probability] for beam in open_beams], dtype=torch.float64)
        count = min(2 * beams, totals.numel())  # so many that `beams` stay if every other one ends
        ranked = totals.flatten().sort(descending=True, stable=True)
        parents: list[int] = []
        following: list[Beam] = []
        for value, place in zip(ranked.values[:count].tolist(), ranked.indices[:count].tolist(), strict=True):
            parent, symbol = divmod(place, logs.shape[-1])
            if value == -torch.inf or len(following) == beams:
                break
            beam = Beam((*open_beams[parent].symbols, symbol), value, symbol == end)
            if beam.ended:
                closed.append(beam)
            else:
                following.append(beam)
                parents.append(parent)
        closed = sorted(closed, key=lambda beam: -beam.score(length_power))[:beams]
        open_beams = following
        if not following or step == length - 1 or _settled(closed, following, beams, length, length_power):
            break
        chosen = spare[: len(following)]
        stream.copy(slots[parents], chosen)
        slots, spare = torch.cat([chosen, spare[len(following) :]]), slots[:beams]
        logs = stream.step(torch.tensor([beam.symbols[-1] for beam in following]), chosen)
    return sorted([*closed, *open_beams], key=lambda beam: -beam.score(length_power))[:beams]


def _settled(closed: list[Beam], going: list[Beam], beams: int, length: int, length_power: float) -> bool:
    """Whether no continuation that goes on can come to be among the best."""
    if len(closed) < beams:
        return False
    best = max(beam.log_probability for beam in going) / length**length_power
    return closed[-1].score(length_power) >= best
