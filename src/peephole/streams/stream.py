"""`Stream`: many streams over one model, each with its own state, one step at a time."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, get_num_threads

from peephole._native.decoding import NativeEngine
from peephole.errors import InputError
from peephole.streams.stepwise import StepwiseEngine
from peephole.writing import write_whole

Result = TypeVar("Result")
Ids = Tensor | Sequence[int]

ROOMS, SMALL = 16, 4096  # so many results of steps, of at most so many numbers together, share one piece of memory


class Stream:
    """Streams over one model, side by side: each has a state of its own and may join and leave between any two steps.

    `batch` of them join at once. A stream is named by its id; every method takes the `ids` that it is about, and
    without them all streams in the order in which they joined. What a stream gives depends neither on who steps
    beside it nor on the number of threads. Memory does not grow with time.

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
            self.symbols, self._features = blueprint.symbols, blueprint.input_size
            self.width, self.record = blueprint.width, blueprint.record
        else:
            self.symbols, self._features = engine.symbols, engine.features
            self.width, self.record = engine.width, engine.record
        self._dtype = torch.int64 if self.symbols else torch.float32
        self._once = engine.step_once if isinstance(engine, NativeEngine) else None
        self._threads = engine.threads if isinstance(engine, NativeEngine) else None
        self._set(engine.join(batch))

    def _set(self, ids: Tensor) -> None:
        """Who there is, and what a step of all of them is told."""
        self.ids, self._place = ids, ids.data_ptr()
        self._shape = (len(ids),) if self.symbols else (len(ids), self._features)
        self._rooms: list[tuple[Tensor, int]] = []

    def _new_rooms(self) -> list[tuple[Tensor, int]]:
        """Room for the results of the next steps, with its address: several at once where they are small."""
        rows = len(self.ids)
        count = max(1, min(ROOMS, SMALL // max(1, rows * self.width)))
        self._rooms = [(room, room.data_ptr()) for room in torch.empty(count, rows, self.width).unbind(0)]
        return self._rooms

    @property
    def engine(self) -> str:
        """Which engine runs it: native, or stepwise, the module's own forward."""
        return self._engine.name

    def __len__(self) -> int:
        return len(self.ids)

    # --- coming and going ---

    def join(self, count: int = 1) -> Tensor:
        """New streams at the state that the model begins with; their ids, int64 `[count]`."""
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise InputError(f"{count!r} streams cannot join; expected at least 1")
        joined = self._engine.join(count)
        self._set(torch.cat([self.ids, joined]))
        return joined

    def leave(self, ids: Ids) -> None:
        """Forget these streams; their ids will be given to others."""
        gone = self._chosen(ids)
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
        usual = ids is None and x.shape == self._shape and x.dtype is self._dtype and x.is_cpu and x.is_contiguous()
        if usual and self._once is not None:
            out, place = (self._rooms or self._new_rooms()).pop()
            try:
                self._once(self._place, self._shape[0], self._threads or get_num_threads(), x.data_ptr(), place)
            except ValueError as error:
                raise InputError(str(error)) from None
            return out
        chosen, x = self._chosen(ids), self._converted(x)
        if x.dim() != (1 if self.symbols else 2) or x.shape[0] != len(chosen) or x.shape[1:] != self._shape[1:]:
            self._refuse(x, chosen, 0)
        return _asked(self._engine.step, chosen, x)

    def read(self, x: Tensor, ids: Ids | None = None, resets: Tensor | None = None, last: bool = False) -> Tensor:
        """Several steps of each stream: x `[T, n, I]`, or symbols `[T, n]`; `[T, n, width]`.

        With `last` only the last step's, `[n, width]`. `resets`, bool `[T, n]`, says before which steps a stream
        begins anew.
        """
        chosen, x, resets = self._several(x, ids, resets)
        return _asked(self._engine.read, chosen, x, resets, last)

    def surprisals(
        self, symbols: Tensor, targets: Tensor, ids: Ids | None = None, resets: Tensor | None = None
    ) -> Tensor:
        """-log P of each target after the symbol beside it, in nats: symbols and targets `[T, n]`, result too."""
        if not self.symbols:
            raise InputError("surprisals are those of a model with symbols; this one gives vectors")
        chosen, symbols, resets = self._several(symbols, ids, resets)
        if targets.shape != symbols.shape:
            raise InputError(
                f"targets have shape {list(targets.shape)}; expected {list(symbols.shape)}, as the symbols"
            )
        return _asked(self._engine.surprisals, chosen, symbols, targets.to(torch.int64).contiguous(), resets)

    # --- random numbers, one row for each stream ---

    def seed(self, seed: int, numbers: Ids | None = None, ids: Ids | None = None) -> None:
        """Give each stream the random numbers of (seed, its number): without `numbers` 0, 1, 2, …"""
        chosen = self._chosen(ids)
        if not 0 <= seed < 2**63:
            raise InputError(f"the seed is {seed}; expected 0 to 2^63 - 1")
        given = torch.arange(len(chosen)) if numbers is None else self._numbers(numbers, "numbers")
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
        chosen, rows, _ = self._several(symbols[None], ids, None)
        how = temperature, top_k or 0, 1.0 if top_p is None else top_p, -1 if end is None else end, never
        return _asked(self._engine.draw, chosen, rows[0], steps, *how)

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
        if list(states.shape) != [len(chosen), self.record]:
            raise InputError(f"states have shape {list(states.shape)}; expected {[len(chosen), self.record]}")
        _asked(self._engine.write_states, chosen, states.detach().to("cpu", torch.float32).contiguous())

    def save(self, path: Path | str, ids: Ids | None = None) -> None:
        """Write states and random numbers to one safetensors file, from which another process can go on."""
        chosen = self._chosen(ids)
        tensors = {
            "states": _asked(self._engine.read_states, chosen),
            "generators": _asked(self._engine.read_generators, chosen),
        }
        said = {"kind": "peephole states", "model": self._fingerprint()}
        try:
            write_whole(Path(path), save(tensors, said))
        except OSError as error:
            reason = (error.strerror or "unknown reason").lower()
            raise InputError(f"{path}: cannot be written ({reason}); what was there before is untouched") from None

    def load(self, path: Path | str) -> Tensor:
        """New streams with the states and random numbers that `save` wrote; their ids.

        Raises:
            InputError: the file is missing or damaged, or holds states of another model.
        """
        if not Path(path).is_file():
            raise InputError(f"{path}: no such file; expected states that a stream saved")
        try:
            with safe_open(path, framework="pt") as file:
                said = file.metadata() or {}
                tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118  (not a dict)
        except (SafetensorError, OSError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"{path}: damaged or cut short ({reason}); save the states again") from None
        if said.get("kind") != "peephole states" or tensors.keys() != {"states", "generators"}:
            raise InputError(f"{path}: no states of a stream; expected what Stream.save wrote")
        mine = self._fingerprint()
        if said["model"] != mine:
            raise InputError(
                f"{path}: states of another model (its fingerprint is {said['model'][:12]}, this one's "
                f"{mine[:12]}); load the model that they come from"
            )
        joined = self.join(len(tensors["states"]))
        self.put_states(tensors["states"], joined)
        seeds, numbers, drawn = tensors["generators"].unbind(1)
        for row in range(len(joined)):
            one = slice(row, row + 1)
            self._engine.seed(joined[one], int(seeds[row]), numbers[one].contiguous(), drawn[one].contiguous())
        return joined

    # --- arguments ---

    def _chosen(self, ids: Ids | None) -> Tensor:
        return self.ids if ids is None else self._numbers(ids, "ids")

    @staticmethod
    def _numbers(given: Ids, what: str) -> Tensor:
        numbers = torch.as_tensor(given, device="cpu")
        if numbers.dim() != 1 or (numbers.numel() and numbers.dtype != torch.int64):
            raise InputError(f"{what} are {numbers.dtype} {list(numbers.shape)}; expected int64 in one dimension")
        return numbers.to(torch.int64).contiguous()

    def _converted(self, x: Tensor) -> Tensor:
        if self.symbols and x.is_floating_point():
            raise InputError(f"symbols are {x.dtype}; expected whole numbers from 0 to {self.symbols - 1}")
        if not self.symbols and not x.is_floating_point():
            raise InputError(f"input is {x.dtype}; expected floats, {self._features} a stream")
        return x.detach().to("cpu", torch.int64 if self.symbols else torch.float32).contiguous()

    def _several(self, x: Tensor, ids: Ids | None, resets: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        chosen, x = self._chosen(ids), self._converted(x)
        if x.dim() != (2 if self.symbols else 3) or x.shape[1] != len(chosen) or x.shape[0] < 1:
            self._refuse(x, chosen, 1)
        if not self.symbols and x.shape[-1] != self._features:
            self._refuse(x, chosen, 1)
        if resets is not None:
            if resets.shape != x.shape[:2]:
                raise InputError(f"resets have shape {list(resets.shape)}; expected {list(x.shape[:2])}, as the input")
            resets = resets.to("cpu", torch.uint8).contiguous()
        return chosen, x, resets

    def _refuse(self, x: Tensor, chosen: Tensor, steps: int) -> None:
        wanted = ["T"] * steps + [str(len(chosen))] + ([] if self.symbols else [str(self._features)])
        what = "symbols" if self.symbols else "input"
        raise InputError(f"{what} of shape {list(x.shape)} for {len(chosen)} streams; expected [{', '.join(wanted)}]")


def _asked(function: Callable[..., Result], *arguments: object) -> Result:
    """What an engine gives; what it refuses is the user's to mend."""
    try:
        return function(*arguments)
    except ValueError as error:
        raise InputError(str(error)) from None
