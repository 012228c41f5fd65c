"""A model in the compiled decoder: packed once, then stepped by streams. Numbers and addresses in, tensors out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from peephole._native.instructions import absence, chosen, core
from peephole._native.layer import MOST_STATES, WEIGHTS, cell_numbers
from peephole.errors import InputError
from peephole.spec import BUILT_IN, CellSpec, parse_spec

STORAGES = ("float32", "bfloat16", "int8")  # in the order of `csrc/decode/storage.h`
MATRICES = ("weight_ih", "weight_hh", "weight_hr", "weight_gh")
LONGEST_ROW = 60_000  # of int8: sums of so many products of bytes still fit 32 bits
REGISTER_BYTES = {"portable": 16, "avx2": 32, "avx512": 64, "avx512bf16": 64}
PAGE = 1 << 21


def refusal(spec: CellSpec) -> str | None:
    """Why the compiled decoder cannot run a cell; None when it can."""
    if spec.family not in BUILT_IN:
        return f"the compiled decoder knows the cells of ours, not {spec.family!r}"
    if len(spec.states) > MOST_STATES:
        return f"the compiled decoder carries {MOST_STATES} states, this cell has {len(spec.states)}"
    return absence() or None


def layout() -> str:
    """In what order packed weights lie: what another instruction set can read has the same."""
    return f"{REGISTER_BYTES[chosen()]} bytes"


@dataclass(frozen=True)
class Blueprint:
    """What is to be known of packed weights to run them: JSON's types only.

    `symbols` V where the input is a symbol (else 0), `folded` whether its products are looked up; `features` of a
    linear map before the layers (0 without one); `outputs` of the linear head (0 without one), `softmax` whether they
    are logits; `kept` the share of each state that a step keeps (zoneout).
    """

    storage: str
    spec: str
    layers: int
    input_size: int
    hidden_size: int
    proj_size: int = 0
    learned: bool = False
    symbols: int = 0
    folded: bool = False
    outputs: int = 0
    head_bias: bool = False
    softmax: bool = False
    features: int = 0
    entry_bias: bool = False
    kept: dict[str, float] = field(default_factory=dict)

    @property
    def cell(self) -> CellSpec:
        """The spec."""
        return parse_spec(self.spec)

    @property
    def state_sizes(self) -> tuple[int, ...]:
        """Units of each state of a layer."""
        return self.cell.state_sizes(self.hidden_size, self.proj_size)

    @property
    def record(self) -> int:
        """Numbers of the state of one stream: layer after layer, state after state."""
        return self.layers * sum(self.state_sizes)

    @property
    def width(self) -> int:
        """Numbers that a step gives for a stream."""
        return self.outputs or self.state_sizes[0]

    def as_json(self) -> dict[str, Any]:
        """The fields."""
        return asdict(self)

    def numbers(self) -> tuple[list[int], list[list[int]], list[float]]:
        """As `read_model` in `csrc/bindings.cpp` takes them."""
        spec = self.cell
        sizes = [STORAGES.index(self.storage), self.learned, self.symbols, self.folded, self.outputs, self.head_bias]
        sizes += [self.softmax, self.features, self.entry_bias]
        kept: list[float] = []
        for layer in range(self.layers):
            width = self.input_size if layer == 0 else self.state_sizes[0]
            names = spec.parameter_shapes(width, self.hidden_size, self.proj_size)
            sizes += [width, self.hidden_size, self.proj_size, len(spec.states)]
            sizes += self.state_sizes
            sizes += [name in names and not (name == "weight_ih" and self.folds(layer)) for name in WEIGHTS]
            kept += [self.kept.get(name, 0.0) for name in spec.states]
        return [int(size) for size in sizes], [cell_numbers(self.spec)] * self.layers, kept

    def folds(self, layer: int) -> bool:
        """Whether a layer's input product is looked up."""
        return layer == 0 and self.folded


class PackedModel:
    """Packed weights that can be run: a blueprint and memory that holds them."""

    def __init__(self, blueprint: Blueprint, memory: NDArray[np.uint8]) -> None:
        assert core is not None
        self.blueprint, self.memory, self.layout = blueprint, memory, layout()
        wanted = packed_size(blueprint)
        if memory.nbytes != wanted:
            raise InputError(f"packed weights take {memory.nbytes:,} bytes; expected {wanted:,} for this model")
        self.handle = core.open_snapshot(chosen(), *blueprint.numbers(), memory.ctypes.data)


def packed_size(blueprint: Blueprint) -> int:
    """Bytes of the packed weights."""
    assert core is not None
    return core.snapshot_size(chosen(), *blueprint.numbers())


def pack(
    blueprint: Blueprint,
    layers: Sequence[Mapping[str, Tensor]],
    initial: Sequence[Sequence[Tensor]],
    table: Tensor | None,
    head: Tensor | None,
    bias: Tensor | None,
    entry: Tensor | None = None,
    entry_bias: Tensor | None = None,
) -> PackedModel:
    """Pack float32 tensors on the CPU; `table` are the symbols' products or their embedding.

    Raises:
        InputError: int8's products of a row would leave 32 bits, or its scales the range of floats.
    """
    assert core is not None
    alive: list[Tensor] = []

    def address(tensor: Tensor) -> int:
        alive.append(tensor.detach().to("cpu", torch.float32).contiguous())
        return alive[-1].data_ptr()

    pointers: list[int] = []
    for index, layer in enumerate(layers):
        if blueprint.learned:
            pointers += map(address, initial[index])
        for name in WEIGHTS:
            if name not in layer or (name == "weight_ih" and blueprint.folds(index)):
                continue
            if layer[name].dim() == 2:
                _check_storage(blueprint.storage, f"{name}_l{index}", layer[name])
            pointers.append(address(layer[name]))
    for name, matrix in (("head", head), ("entry", entry)):
        if matrix is not None:
            _check_storage(blueprint.storage, name, matrix)
    pointers += [address(each) for each in (table, head, bias, entry, entry_bias) if each is not None]
    memory = _memory(packed_size(blueprint))
    core.pack_snapshot(chosen(), *blueprint.numbers(), pointers, memory.ctypes.data)
    return PackedModel(blueprint, memory)


def _memory(size: int) -> NDArray[np.uint8]:
    """Zeros that begin at a cache line; much of it in large pages where the system gives them."""
    assert core is not None
    memory = torch.from_dlpack(core.room(size + 64)).numpy() if size > PAGE else np.empty(size + 64, dtype=np.uint8)
    begin = -memory.ctypes.data % 64
    memory = memory[begin : begin + size]
    memory.fill(0)
    return memory


def _check_storage(storage: str, name: str, matrix: Tensor) -> None:
    if storage == "float32":
        return
    largest = float(matrix.detach().abs().max()) if matrix.numel() else 0.0
    if storage == "bfloat16" and largest > torch.finfo(torch.bfloat16).max:
        raise InputError(f"{name} holds {largest:g}, more than bfloat16 can say; stream with weights='float32'")
    if storage == "int8" and matrix.shape[1] > LONGEST_ROW:
        raise InputError(
            f"{name} has rows of {matrix.shape[1]:,} numbers; int8 sums at most {LONGEST_ROW:,}: "
            "stream with weights='bfloat16'"
        )
    if storage == "int8" and largest * matrix.shape[1] > torch.finfo(torch.float32).max:
        raise InputError(
            f"{name} holds {largest:g}: a sum of {matrix.shape[1]:,} of its steps overflows; "
            "stream with weights='float32', or look at why weights are so large"
        )


class NativeEngine:
    """Streams of a packed model in the compiled decoder. Every argument is checked by the caller but the ids."""

    name = "native"

    def __init__(self, model: PackedModel, threads: int | None) -> None:
        assert core is not None
        self.model, self.blueprint, self.threads = model, model.blueprint, threads
        self._streams = core.Streams(model.handle)
        self.step_once = self._streams.step_once  # addresses of ids, rows, threads, addresses of x and of room for out
        self._width = model.blueprint.width

    def join(self, count: int) -> Tensor:
        """Ids of new streams."""
        ids = torch.empty(count, dtype=torch.int64)
        self._streams.join(count, ids.data_ptr())
        return ids

    def leave(self, ids: Tensor) -> None:
        """Forget these streams."""
        self._streams.leave(ids.data_ptr(), len(ids))

    def reset(self, ids: Tensor) -> None:
        """Back to the beginning."""
        self._streams.reset(ids.data_ptr(), len(ids))

    def copy(self, source: Tensor, target: Tensor) -> None:
        """States and random numbers of streams to others."""
        self._streams.copy(source.data_ptr(), target.data_ptr(), len(source))

    def read_states(self, ids: Tensor) -> Tensor:
        """`[n, record]`, float32."""
        states = torch.empty(len(ids), self.blueprint.record)
        self._streams.read_states(ids.data_ptr(), len(ids), states.data_ptr())
        return states

    def write_states(self, ids: Tensor, states: Tensor) -> None:
        """Contiguous float32 `[n, record]`."""
        self._streams.write_states(ids.data_ptr(), len(ids), states.data_ptr())

    def read_generators(self, ids: Tensor) -> Tensor:
        """Seed, number and how many were drawn, int64 `[n, 3]`."""
        words = torch.empty(len(ids), 3, dtype=torch.int64)
        self._streams.read_generators(ids.data_ptr(), len(ids), words.data_ptr())
        return words

    def seed(self, ids: Tensor, seed: int, numbers: Tensor, drawn: Tensor | None = None) -> None:
        """Give streams the random numbers of (seed, number), from the `drawn`-th on."""
        place = 0 if drawn is None else drawn.data_ptr()
        self._streams.seed(ids.data_ptr(), len(ids), seed, numbers.data_ptr(), place)

    def step(self, ids: Tensor, x: Tensor) -> Tensor:
        """One step of contiguous float32 `[n, I]` or int64 `[n]`; `[n, width]`."""
        out = torch.empty(x.shape[0], self._width)
        threads = self.threads or torch.get_num_threads()
        self.step_once(ids.data_ptr(), x.shape[0], threads, x.data_ptr(), out.data_ptr())
        return out

    def read(self, ids: Tensor, x: Tensor, resets: Tensor | None, last: bool = False) -> Tensor:
        """Steps of contiguous `[T, n, I]` or `[T, n]`; `[T, n, width]`, or the `last` step's `[n, width]`."""
        steps, rows = x.shape[:2]
        if last and steps > 1:
            self._run(ids, x[:-1], None if resets is None else resets[:-1], None, None, None)
            return self.read(ids, x[-1:], None if resets is None else resets[-1:])[0]
        out = torch.empty(steps, rows, self._width)
        self._run(ids, x, resets, out, None, None)
        return out[0] if last else out

    def surprisals(self, ids: Tensor, symbols: Tensor, targets: Tensor, resets: Tensor | None) -> Tensor:
        """-log of the probability of each target, nats, `[T, n]`."""
        found = torch.empty(symbols.shape)
        self._run(ids, symbols, resets, None, targets, found)
        return found

    def _run(
        self,
        ids: Tensor,
        x: Tensor,
        resets: Tensor | None,
        out: Tensor | None,
        targets: Tensor | None,
        found: Tensor | None,
    ) -> None:
        steps, rows = x.shape[:2]
        vectors, symbols = (0, x.data_ptr()) if self.blueprint.symbols else (x.data_ptr(), 0)
        places = [0 if each is None else each.data_ptr() for each in (resets, out, targets, found)]
        threads = self.threads or torch.get_num_threads()
        self._streams.step(
            ids.data_ptr(), rows, steps, threads, vectors, symbols, places[0], places[1], places[2], places[3]
        )

    def draw(
        self,
        ids: Tensor,
        symbols: Tensor,
        steps: int,
        temperature: float,
        top_k: int,
        top_p: float,
        end: int,
        never: Sequence[int],
    ) -> Tensor:
        """Symbols drawn one after another, each the next step's input: int64 `[steps, n]`."""
        drawn = torch.empty(steps, len(ids), dtype=torch.int64)
        threads = self.threads or torch.get_num_threads()
        place = symbols.data_ptr(), drawn.data_ptr()
        self._streams.draw(
            ids.data_ptr(), len(ids), steps, threads, place[0], temperature, top_k, top_p, end, list(never), place[1]
        )
        return drawn
