"""Nested values with tensors in them, to and from one safetensors file that notices damage.

Tensors are stored under the path that leads to them; everything else stands as JSON in the file's metadata, beside a
SHA-256 of both. Nothing is pickled, so a file of another person is safe to open.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from peephole.errors import InputError
from peephole.writing import write_whole

RESERVED = ("", "__metadata__")  # names that the format keeps for itself


def write_tensors(path: Path, tree: Any) -> None:
    """Write `tree` (dicts, lists, tensors, numbers, texts, None) to `path`, whole or not at all."""
    tensors: dict[str, Tensor] = {}
    skeleton = _take_apart(tree, "", tensors)
    # storages that two names share, or that stride, do not serialise
    owned = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    tree_text = json.dumps(skeleton)
    metadata = {"format": "pt", "tree": tree_text, "sha256": _digest(tree_text, owned)}
    try:
        write_whole(path, save(owned, metadata))
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({os.strerror(error.errno or 0).lower()}); what was there before is untouched; "
            "make room or choose another folder, then go on"
        ) from error


def read_tensors(path: Path) -> Any:
    """The tree that `write_tensors` wrote, with tensors on the CPU.

    Raises:
        InputError: the file is missing, truncated, altered, or not one of ours.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected the weights of a run")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            # Each in memory of its own, aligned as torch aligns it: products of other alignments round otherwise, and
            # a resumed run would not be the same.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118  (not a dict)
    except (SafetensorError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: damaged or cut short ({reason}); restore it from a copy or train again") from None
    if "tree" not in metadata or "sha256" not in metadata:
        raise InputError(f"{path}: not written by peephole; expected the weights of a run")
    if metadata["sha256"] != _digest(metadata["tree"], tensors):
        raise InputError(f"{path}: altered since it was written (its checksum differs); restore it or train again")
    return _put_together(json.loads(metadata["tree"]), tensors)


def _take_apart(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, Tensor):
        while path in tensors or path in RESERVED:  # {"a.b": …} beside {"a": {"b": …}}
            path += "'"
        tensors[path] = value
        return {"$tensor": path}
    if isinstance(value, dict):
        join = f"{path}." if path else ""
        return {"$items": [[key, _take_apart(item, f"{join}{key}", tensors)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        join = f"{path}." if path else ""
        return [_take_apart(item, f"{join}{index}", tensors) for index, item in enumerate(value)]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"cannot write a {type(value).__name__} at {path}")


def _put_together(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_put_together(item, tensors) for item in value]
    if isinstance(value, dict):
        if "$tensor" in value:
            return tensors[value["$tensor"]]
        return {key: _put_together(item, tensors) for key, item in value["$items"]}
    return value


def _digest(tree: str, tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256(tree.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data if tensor.numel() else b"")
    return digest.hexdigest()
