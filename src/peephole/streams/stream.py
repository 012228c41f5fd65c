"""`Stream`: many streams over one model, each with its own state, one step at a time."""

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import TypeVar

import torch
from torch import Tensor, empty, get_num_threads

from peephole._native.decoding import NativeEngine
from peephole.errors import InputError
from peephole.streams.arguments import Ids, Inputs, drawing, numbers_of, resets_of, symbols_of, whole
from peephole.streams.states import load_states, save_states
from peephole.streams.stepwise import StepwiseEngine

Result = TypeVar("Result")


class Stream:
    """Streams over one model, side by side: each has a state of its own and may join and leave between any two steps.

    `batch` of them join at once. A stream is named by its id; every method takes the `ids` that it is about, and
    without them all streams in the order in which they joined. What a stream gives depends neither on who steps
    beside it nor on the number of threads. Memory does not grow with time. Several threads may call it at once.

    >>> import peephole
    >>> stream = peephole.GRU(3, 5).stream(batch=2)
    >>> stream.step(torch.zeros(2, 3)).shape
    torch.Size([2, 5])
    >>> newcomer = stream.join()
    >>> stream.step(torch.zeros(1, 3), newcomer).shape, len(stream)
    (torch.Size([1, 5]), 3)
    """

    def __init__(self, engine: NativeEngine | StepwiseEngine, batch: int, fingerprint: Callable[[], str]) -> None:
        """Use `.stream()` of a layer, a model or a `Snapshot`."""
        if isinstance(batch, bool) or not isinstance(batch, int) or batch < 0:
            raise InputError(f"got {batch!r} streams; expected a whole number, 0 or more")
        self._engine, self._fingerprint = engine, fingerprint
        if isinstance(engine, NativeEngine):
            blueprint = engine.blueprint
            self._inputs = Inputs(blueprint.symbols, blueprint.features or blueprint.input_size)
            self.width, self.record = blueprint.width, blueprint.record
        else:
            self._inputs = Inputs(engine.symbols, engine.features)
            self.width, self.record = engine.width, engine.record
        self.symbols = self._inputs.symbols
        self._dtype = torch.int64 if self.symbols else torch.float32
        self._once = engine.step_once if isinstance(engine, NativeEngine) else None
        self._threads = engine.threads if isinstance(engine, NativeEngine) else None
        self._coming_and_going = Lock()
        self._set(engine.join(batch))

    def _set(self, ids: Tensor) -> None:
        """Who there is, and what a step of all of them is told: one value, which another thread sees whole."""
        shape = (len(ids),) if self.symbols else (len(ids), self._inputs.features)
        self._all = ids, ids.data_ptr(), shape

    @property
    def ids(self) -> Tensor:
        """Ids of all streams, int64, in the order in which they joined."""
        return self._all[0]

    @property
    def engine(self) -> str:
        """Which engine runs it: native, or stepwise, the module's own forward."""
        return self._engine.name

    def __len__(self) -> int:
        return len(self.ids)

    # --- coming and going ---

    def join(self, count: int = 1) -> Tensor:
        """New streams at the state that the model begins with; their ids, int64 `[count]`.

        Until `seed` gives others, each draws the random numbers of (0, its id).
        """
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise InputError(f"{count!r} streams cannot join; expected at least 1")
        return self._join(count)

    def _join(self, count: int) -> Tensor:
        with self._coming_and_going:
            joined = self._engine.join(count)
            self._set(torch.cat([self.ids, joined]))
        return joined

    def leave(self, ids: Ids) -> None:
        """Forget these streams; their ids will be given to others."""
        gone = self._chosen(ids)
        with self._coming_and_going:
            _asked(self._engine.leave, gone)
            self._set(self.ids[~torch.isin(self.ids, gone)])

    def reset(self, ids: Ids | None = None) -> None:
        """Back to the state that the model begins with."""
        _asked(self._engine.reset, self._chosen(ids))

    def copy(self, source: Ids, target: Ids) -> None:
        """States, and random numbers, of the streams `source` to the streams `target`, pair by pair, all at once."""
        pair = self._chosen(source), self._chosen(target)
        if len(pair[0]) != len(pair[1]):
            raise InputError(f"got {len(pair[0])} streams to copy and {len(pair[1])} to copy to; expected as many")
        _asked(self._engine.copy, *pair)

    # --- steps ---

    def step(self, x: Tensor, ids: Ids | None = None) -> Tensor:
        """One step of each stream: x `[n, I]`, or symbols int64 `[n]`; float32 `[n, width]`.

        That is the last layer's h, or of a model with symbols the log-probabilities of the next one, in nats.
        """
        # A small model's step takes a few microseconds: what can be known beforehand is.
        if ids is None and self._once is not None:
            _alive, place, shape = self._all
            if x.shape == shape and x.dtype is self._dtype and x.is_cpu and x.is_contiguous():
                out = empty(shape[0], self.width)
                threads = self._threads or get_num_threads()
                try:
                    self._once(place, shape[0], threads, x.data_ptr(), out.data_ptr())
                except ValueError as error:
                    raise InputError(str(error)) from None
                return out
        chosen = self._chosen(ids)
        return _asked(self._engine.step, chosen, self._inputs.one(x, len(chosen)))

    def read(self, x: Tensor, ids: Ids | None = None, resets: Tensor | None = None, last: bool = False) -> Tensor:
        """Several steps of each stream: x `[T, n, I]`, or symbols `[T, n]`; `[T, n, width]`.

        With `last` only the last step's, `[n, width]`. `resets`, bool `[T, n]`, says before which steps a stream
        begins anew.
        """
        chosen = self._chosen(ids)
        x = self._inputs.several(x, len(chosen))
        return _asked(self._engine.read, chosen, x, resets_of(resets, x), last)

    def surprisals(
        self, symbols: Tensor, targets: Tensor, ids: Ids | None = None, resets: Tensor | None = None
    ) -> Tensor:
        """-log P of each target after the symbol beside it, in nats: symbols and targets `[T, n]`, result too."""
        if not self.symbols:
            raise InputError("surprisals are those of a model with symbols; this one gives vectors")
        chosen = self._chosen(ids)
        symbols, targets = self._inputs.several(symbols, len(chosen)), symbols_of(targets, "targets", self.width)
        if targets.shape != symbols.shape:
            raise InputError(
                f"targets have shape {list(targets.shape)}; expected {list(symbols.shape)}, as the symbols"
            )
        return _asked(self._engine.surprisals, chosen, symbols, targets, resets_of(resets, symbols))

    # --- random numbers, one row for each stream ---

    def seed(self, seed: int, numbers: Ids | None = None, ids: Ids | None = None) -> None:
        """Give each stream the random numbers of (seed, its number): without `numbers` 0, 1, 2, …"""
        chosen = self._chosen(ids)
        whole(seed, "the seed", 0)
        given = torch.arange(len(chosen)) if numbers is None else numbers_of(numbers, "numbers")
        if len(given) != len(chosen):
            raise InputError(f"got {len(given)} numbers for {len(chosen)} streams; expected as many")
        _asked(self._engine.seed, chosen, seed, given)

    def draw(
        self,
        symbols: Tensor,
        steps: int,
        ids: Ids | None = None,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        end: int | None = None,
        never: Sequence[int] = (),
    ) -> Tensor:
        """Feed each stream its symbol, draw the next, feed that, and so on: what was drawn, int64 `[steps, n]`.

        After the symbol `end` a stream draws no more, and repeats it. `peephole.Sampling` says what the others mean.
        """
        if not isinstance(self._engine, NativeEngine):
            raise InputError("this model has no compiled decoder to draw with; use peephole.generate.sampling.Writing")
        if not self.symbols:
            raise InputError("symbols are drawn from a model with symbols; this one gives vectors")
        chosen = self._chosen(ids)
        how = drawing(temperature, top_k, top_p, end, never, self.symbols)
        symbols = self._inputs.one(symbols, len(chosen))
        return _asked(self._engine.draw, chosen, symbols, whole(steps, "the number of steps", 1), *how)

    def uniform(self, ids: Ids | None = None) -> Tensor:
        """The next random number of each stream, float64 `[n]`; of the stepwise engine, which draws none itself."""
        assert isinstance(self._engine, StepwiseEngine)
        return self._engine.uniform(self._chosen(ids))

    # --- states ---

    def states(self, ids: Ids | None = None) -> Tensor:
        """A copy of the states, float32 `[n, record]`: layer after layer, in each the states as the spec names them."""
        return _asked(self._engine.read_states, self._chosen(ids))

    def put_states(self, states: Tensor, ids: Ids | None = None) -> None:
        """Set the states to what `states` gave, here or from another stream over the same model."""
        chosen = self._chosen(ids)
        if list(states.shape) != [len(chosen), self.record] or not states.is_floating_point():
            got, want = f"{states.dtype} {list(states.shape)}", [len(chosen), self.record]
            raise InputError(f"states are {got}; expected floats {want}")
        _asked(self._engine.write_states, chosen, states.detach().to("cpu", torch.float32).contiguous())

    def save(self, path: Path | str, ids: Ids | None = None) -> None:
        """Write states and random numbers to one safetensors file, from which another process can go on."""
        chosen = self._chosen(ids)
        states, generators = _asked(self._engine.read_states, chosen), _asked(self._engine.read_generators, chosen)
        save_states(Path(path), states, generators, self._fingerprint())

    def load(self, path: Path | str) -> Tensor:
        """New streams with the states and random numbers that `save` wrote; their ids.

        Raises:
            InputError: the file is missing or damaged, or holds states of another model.
        """
        states, generators = load_states(Path(path), self.record, self._fingerprint())
        joined = self._join(len(states))
        _asked(self._engine.write_states, joined, states.contiguous())
        for row, (seed, number, drawn) in enumerate(generators.unsqueeze(-1).unbind(0)):
            self._engine.seed(joined[row : row + 1], int(seed), number.contiguous(), drawn.contiguous())
        return joined

    def _chosen(self, ids: Ids | None) -> Tensor:
        return self.ids if ids is None else numbers_of(ids, "ids")


def _asked(function: Callable[..., Result], *arguments: object) -> Result:
    """What an engine gives; what it refuses is the user's to mend."""
    try:
        return function(*arguments)
    except ValueError as error:
        raise InputError(str(error)) from None
