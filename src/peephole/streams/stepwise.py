"""Streams of a model that no compiled decoder runs: through the module's own forward, slowly."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from peephole.reference.noise import WORD, philox
from peephole.streams.threads import one_thread

logger = logging.getLogger("peephole")
States = tuple[Tensor, ...]


@dataclass(frozen=True)
class Steps:
    """A module as functions: `run(x [T, B, …], states, resets [T, B]) -> (outputs [T, B, ·], states)`, states `[L, B,
    ·]` each; `initial(batch)`, what a stream begins with; `logits` says that outputs are to be made
    log-probabilities.
    """

    run: Callable[[Tensor, States, Tensor | None], tuple[Tensor, States]]
    initial: Callable[[int], States]
    logits: bool
    device: torch.device


class StepwiseEngine:
    """Streams over a module's forward, with what the compiled engine offers but drawing."""

    name = "stepwise"

    def __init__(
        self,
        steps: Steps,
        record: int,
        width: int,
        features: int,
        symbols: int,
        slow: Callable[[], None] | None = None,
    ) -> None:
        """Streams with `record` numbers of state; `width` come out of a step, `features` go in, or one of `symbols`.

        `slow` is called at every step by itself.
        """
        self._slow = slow
        self.steps, self.record, self.width, self.features, self.symbols = steps, record, width, features, symbols
        self._states: dict[int, Tensor] = {}  # one record each
        self._generators: dict[int, tuple[int, int, int]] = {}
        self._free: list[int] = []

    # --- streams ---

    def join(self, count: int) -> Tensor:
        """Ids of new streams."""
        ids: list[int] = []
        for _ in range(count):
            ids.append(self._free.pop() if self._free else len(self._states))
            self._states[ids[-1]] = torch.empty(0)
            self._generators[ids[-1]] = (0, ids[-1], 0)
        joined = torch.tensor(ids, dtype=torch.int64)
        self.reset(joined)
        return joined

    def leave(self, ids: Tensor) -> None:
        """Forget these streams."""
        for stream in self._checked(ids):
            del self._states[stream]
            self._free.append(stream)

    @torch.no_grad()
    def reset(self, ids: Tensor) -> None:
        """Back to the beginning."""
        self.write_states(ids, self._packed(self.steps.initial(len(ids))))

    def copy(self, source: Tensor, target: Tensor) -> None:
        """States and random numbers of streams to others."""
        states = self.read_states(source)
        generators = [self._generators[stream] for stream in source.tolist()]
        self.write_states(target, states)
        self._generators.update(zip(target.tolist(), generators, strict=True))

    def read_states(self, ids: Tensor) -> Tensor:
        """`[n, record]`, float32."""
        rows = [self._states[stream] for stream in self._checked(ids, apart=False)]
        return torch.stack(rows) if rows else torch.empty(0, self.record)

    def write_states(self, ids: Tensor, states: Tensor) -> None:
        """`[n, record]`."""
        for stream, row in zip(self._checked(ids), states, strict=True):
            self._states[stream] = row.clone()

    def read_generators(self, ids: Tensor) -> Tensor:
        """Seed, number and how many were drawn, int64 `[n, 3]`."""
        return torch.tensor([self._generators[stream] for stream in self._checked(ids, apart=False)]).view(-1, 3)

    def seed(self, ids: Tensor, seed: int, numbers: Tensor, drawn: Tensor | None = None) -> None:
        """Give streams the random numbers of (seed, number), from the `drawn`-th on."""
        begun = torch.zeros_like(numbers) if drawn is None else drawn
        for stream, number, count in zip(self._checked(ids), numbers.tolist(), begun.tolist(), strict=True):
            self._generators[stream] = seed, number, count

    def uniform(self, ids: Tensor) -> Tensor:
        """The next random number of each stream, from 0 to 1, float64 `[n]`: the compiled engine's."""
        words = torch.tensor([self._generators[stream] for stream in self._checked(ids)]).view(-1, 3)
        seed, number, drawn = words.unbind(1)
        counter = drawn & WORD, (drawn >> 32) & WORD, number & WORD, (number >> 32) & WORD | 0x80000000
        first, second, _, _ = philox(counter, (seed & WORD, (seed >> 32) & WORD))
        for stream, (start, stays, count) in zip(ids.tolist(), words.tolist(), strict=True):
            self._generators[stream] = start, stays, count + 1
        return (first << 21 ^ second >> 11).double() * 2.0**-53

    # --- steps ---

    def step(self, ids: Tensor, x: Tensor) -> Tensor:
        """One step of `[n, I]` or int64 `[n]`; `[n, width]`."""
        if self._slow is not None:
            self._slow()
        return self.read(ids, x[None], None)[0]

    @torch.no_grad()
    def read(self, ids: Tensor, x: Tensor, resets: Tensor | None, last: bool = False) -> Tensor:
        """Steps of `[T, n, I]` or `[T, n]`; `[T, n, width]`, or the `last` step's `[n, width]`."""
        if self.symbols:
            _known(x, "symbol", self.symbols)
        device = self.steps.device
        states = self._unpacked(self.read_states(ids).to(device))
        resets = None if resets is None else resets.to(device, torch.bool)
        with one_thread():  # products split over several may add in another order
            output, states = self.steps.run(x.to(device), states, resets)
            output = output[-1] if last else output
            if self.steps.logits:
                output = torch.log_softmax(output.float(), dim=-1)
        self.write_states(ids, self._packed(states))
        return output.cpu()

    def surprisals(self, ids: Tensor, symbols: Tensor, targets: Tensor, resets: Tensor | None) -> Tensor:
        """-log of the probability of each target, nats, `[T, n]`."""
        _known(targets, "target", self.width)
        return -self.read(ids, symbols, resets).gather(-1, targets[..., None])[..., 0]

    # --- records: layer after layer, state after state ---

    def _checked(self, ids: Tensor, apart: bool = True) -> list[int]:
        found: list[int] = ids.tolist()
        for stream in found:
            if stream not in self._states:
                raise ValueError(f"no stream has the id {stream}; join gives ids, and leave takes them")
        if apart and len(set(found)) < len(found):
            raise ValueError("a stream is named twice; name each once in a call")
        return found

    def _packed(self, states: Sequence[Tensor]) -> Tensor:
        parts = [states[number][layer] for number, layer in _places(states)]
        return torch.cat(parts, dim=-1).float().cpu()

    def _unpacked(self, records: Tensor) -> States:
        like = self.steps.initial(1)
        parts = records.split([like[number].shape[-1] for number, _ in _places(like)], dim=-1)
        found: list[list[Tensor]] = [[] for _ in like]
        for (number, _), part in zip(_places(like), parts, strict=True):
            found[number].append(part)
        return tuple(torch.stack(layers).to(state.dtype) for layers, state in zip(found, like, strict=True))


def _places(states: Sequence[Tensor]) -> list[tuple[int, int]]:
    """(state, layer) in the order of a record; a net with layers apart may have states of more layers than others."""
    most = max(len(state) for state in states)
    return [(number, layer) for layer in range(most) for number, state in enumerate(states) if layer < len(state)]


def _known(symbols: Tensor, what: str, count: int) -> None:
    strange = symbols[(symbols < 0) | (symbols >= count)]
    if len(strange):
        raise ValueError(f"{what} {int(strange[0])} is not one of the {count} that the model knows")


@lru_cache(maxsize=256)
def say_slow(code: str, reason: str) -> None:
    """Once for each cell: it streams, but slowly."""
    logger.warning("%s streams through its module's forward, step by step: slow (%s)", code, reason)
