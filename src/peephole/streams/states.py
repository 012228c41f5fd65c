"""States of streams in a file: one safetensors file, written whole or not at all."""

import hashlib
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from peephole.errors import InputError
from peephole.writing import write_whole

KIND = "peephole states"


def save_states(path: Path, states: Tensor, generators: Tensor, model: str) -> None:
    """Write states `[n, record]` and generators `[n, 3]` of streams over the model with the fingerprint `model`."""
    said = {"kind": KIND, "model": model, "sha256": _digest(states, generators)}
    try:
        write_whole(path, save({"states": states, "generators": generators}, said))
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise InputError(f"{path}: cannot be written ({reason}); what was there before is untouched") from None


def load_states(path: Path, record: int, model: str) -> tuple[Tensor, Tensor]:
    """What `save_states` wrote: float32 `[n, record]` and int64 `[n, 3]`.

    Raises:
        InputError: the file is missing or damaged, or holds states of another model.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected states that a stream saved")
    try:
        with safe_open(path, framework="pt") as file:
            said = file.metadata() or {}
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118  (not a dict)
    except (SafetensorError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: damaged or cut short ({reason}); save the states again") from None
    if said.get("kind") != KIND or tensors.keys() != {"states", "generators"}:
        raise InputError(f"{path}: no states of a stream; expected what Stream.save wrote")
    states, generators = tensors["states"], tensors["generators"]
    if said.get("sha256") != _digest(states, generators):
        raise InputError(f"{path}: altered since it was written (its checksum differs); save the states again")
    if said.get("model") != model:
        raise InputError(
            f"{path}: states of another model (its fingerprint is {said.get('model', 'missing')[:12]}, this one's "
            f"{model[:12]}); load the model that they come from"
        )
    count = len(states)
    if list(states.shape) != [count, record] or list(generators.shape) != [count, 3]:
        raise InputError(f"{path}: states of shape {list(states.shape)}; expected [streams, {record}]: save them again")
    return states, generators


def _digest(*tensors: Tensor) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tensor.dtype} {list(tensor.shape)} ".encode())
        digest.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
