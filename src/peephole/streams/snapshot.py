"""`Snapshot`: a model packed for streaming, which no later training changes, in memory or in a file."""

import hashlib
import json
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from safetensors import SafetensorError, safe_open

from peephole._native import decoding
from peephole._native.decoding import STORAGES, Blueprint, NativeEngine, PackedModel
from peephole._native.instructions import chosen
from peephole.errors import InputError
from peephole.streams.arguments import check_threads
from peephole.streams.source import Source
from peephole.streams.stream import Stream
from peephole.writing import write_whole

Storage = Literal["float32", "bfloat16", "int8"]
FORMAT = 1
LINE = 64  # bytes: where packed weights begin in a file, so that no vector of them lies across two cache lines

# An embedding's products with W_ih are made beforehand where they take no more room than so many W_ih, or are few.
FOLDED_SIZE, FEW_SYMBOLS = 4, 512


@runtime_checkable
class Streaming(Protocol):
    """What can be streamed: a snapshot, a layer, a model."""

    def stream(self, batch: int = 1) -> Stream:
        """`batch` streams over it."""
        ...


class Snapshot:
    """Packed weights of a model: immutable, shared by all streams over it.

    `weights` is how they are stored: float32; bfloat16, which halves what a step reads; or int8, whole numbers with a
    scale for each row and for each step's operands, a quarter. Sums are float32, or exact for int8; states are float32.
    """

    def __init__(self, model: PackedModel, fingerprint: str) -> None:
        """Wrap packed weights; use `Snapshot.of` or `Snapshot.load`."""
        self._model, self.fingerprint = model, fingerprint

    @classmethod
    def of(cls, source: Source, weights: str = "float32") -> "Snapshot":
        """Pack a model.

        Raises:
            InputError: the compiled decoder cannot run it, a weight is not finite, or the storage cannot hold it.
        """
        check_storage(weights)
        reason = decoding.refusal(source.spec)
        if reason is not None:
            raise InputError(f"no snapshot of {source.spec.code}: {reason}")
        source.check()
        table, folded = source.embedding, False
        if table is not None:
            folded = table.shape[0] <= max(FEW_SYMBOLS, FOLDED_SIZE * source.input_size)
            if folded:
                product = table.detach().double() @ source.layers[0]["weight_ih"].detach().double().t()
                table = product.float()
        blueprint = Blueprint(
            storage=weights,
            spec=source.spec.code,
            layers=len(source.layers),
            input_size=source.input_size,
            hidden_size=source.hidden_size,
            proj_size=source.proj_size,
            learned=bool(source.initial),
            symbols=0 if table is None else table.shape[0],
            folded=folded,
            outputs=0 if source.head is None else source.head.shape[0],
            head_bias=source.bias is not None,
            softmax=source.head is not None and source.softmax,
            features=0 if source.entry is None else source.entry.shape[1],
            entry_bias=source.entry_bias is not None,
            kept={name: share for name, share in source.zoneout.items() if share},
        )
        around = table, source.head, source.bias, source.entry, source.entry_bias
        packed = decoding.pack(blueprint, source.layers, source.initial, *around)
        return cls(packed, source.fingerprint())

    @property
    def weights(self) -> str:
        """How the weights are stored."""
        return self._model.blueprint.storage

    @property
    def nbytes(self) -> int:
        """Bytes of the packed weights."""
        return self._model.memory.nbytes

    def stream(self, batch: int = 1, threads: int | None = None) -> Stream:
        """`batch` streams over this snapshot; `threads` at most, torch's number unless given."""
        check_threads(threads)
        return Stream(NativeEngine(self._model, threads), batch, lambda: self.fingerprint)

    def save(self, path: Path | str) -> None:
        """Write one safetensors file, whole or not at all, that `load` maps into memory.

        What is packed for registers of one width can be read by no others.
        """
        path = Path(path)
        said = {
            "format": str(FORMAT),
            "kind": "peephole snapshot",
            "blueprint": json.dumps(self._model.blueprint.as_json()),
            "layout": self._model.layout,
            "fingerprint": self.fingerprint,
            "sha256": hashlib.sha256(self._model.memory.data).hexdigest(),
        }
        said["seal"] = _seal(said)
        packed = {"dtype": "U8", "shape": [self.nbytes], "data_offsets": [0, self.nbytes]}
        header = json.dumps({"__metadata__": said, "packed": packed}).encode()
        header += b" " * (-(8 + len(header)) % LINE)
        try:
            write_whole(path, len(header).to_bytes(8, "little"), header, self._model.memory.data)
        except OSError as error:
            reason = (error.strerror or "unknown reason").lower()
            raise InputError(f"{path}: cannot be written ({reason}); what was there before is untouched") from None

    @classmethod
    def load(cls, path: Path | str, verify: bool = False) -> "Snapshot":
        """Map the file that `save` wrote into memory; `verify` reads all of it and compares its checksum.

        Raises:
            InputError: the file is missing, damaged, of another kind, or packed for another instruction set.
        """
        path = Path(path)
        if not path.is_file():
            raise InputError(f"{path}: no such file; expected a snapshot that peephole saved")
        try:
            with safe_open(path, framework="numpy") as file:
                said = file.metadata() or {}
                shape = file.get_slice("packed").get_shape() if "packed" in file.keys() else []  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"{path}: damaged or cut short ({reason}); save the snapshot again") from None
        if said.get("kind") != "peephole snapshot" or said.get("format") != str(FORMAT):
            raise InputError(f"{path}: not a snapshot that this version of peephole reads; save it again")
        if said.pop("seal", None) != _seal(said):
            raise InputError(f"{path}: damaged (what it says of itself was altered); save the snapshot again")
        if not chosen():
            raise InputError(f"{path}: a snapshot needs the compiled kernels, and there are none: see `peephole info`")
        if said["layout"] != decoding.layout():
            raise InputError(
                f"{path}: packed for registers of {said['layout']}, and {chosen()} has {decoding.layout()}; "
                "save the snapshot again on such a machine"
            )
        blueprint = Blueprint(**json.loads(said["blueprint"]))
        wanted = decoding.packed_size(blueprint)
        if shape != [wanted]:
            raise InputError(f"{path}: {shape} packed bytes, expected {wanted:,}; save the snapshot again")
        memory = np.memmap(path, dtype=np.uint8, mode="r", offset=path.stat().st_size - wanted)
        if verify and hashlib.sha256(memory.data).hexdigest() != said["sha256"]:
            raise InputError(f"{path}: altered since it was written (its checksum differs); save the snapshot again")
        return cls(PackedModel(blueprint, memory), said["fingerprint"])

    def __repr__(self) -> str:
        blueprint = self._model.blueprint
        return (
            f"Snapshot({blueprint.spec}, {blueprint.layers}×{blueprint.hidden_size}, {self.weights}, "
            f"{self.nbytes / 1e6:.1f} MB)"
        )


def _seal(said: dict[str, str]) -> str:
    """A checksum of what a file says of itself."""
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def check_storage(weights: Any) -> None:
    """Raise `InputError` for a storage that there is not."""
    if weights not in STORAGES:
        raise InputError(f"weights={weights!r}; choose one of {', '.join(STORAGES)}")
