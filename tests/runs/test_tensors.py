"""Nested values in one safetensors file: what comes back, and what is noticed."""

import math
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from peephole import writing
from peephole.errors import InputError
from peephole.runs.tensors import read_tensors, write_tensors


def same(one: Any, other: Any) -> bool:
    """Equal in kind, order, type, shape and bits."""
    if isinstance(one, Tensor):
        if not isinstance(other, Tensor) or (one.dtype, one.shape) != (other.dtype, other.shape):
            return False
        bits = [tensor.contiguous().flatten().view(torch.uint8) for tensor in (one, other) if tensor.numel()]
        return not bits or torch.equal(*bits)
    if isinstance(one, dict):
        if not isinstance(other, dict) or list(one) != list(other):
            return False
        return all(type(a) is type(b) for a, b in zip(one, other, strict=True)) and all(
            same(one[key], other[key]) for key in one
        )
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return one.hex() == other.hex()
    return type(one) is type(other) and one == other


def tree() -> dict[Any, Any]:
    generator = torch.Generator().manual_seed(0)
    return {
        "weight": torch.randn(3, 4, generator=generator),
        "nested": {0: {"step": torch.tensor(7.0)}, 1: [torch.arange(3), {"deep": torch.zeros(2, 0, 3)}], -5: "five"},
        "numbers": [0, -1, 2**70, 0.1, 1e-310, -0.0, math.inf, -math.inf, True, False, None],
        "texts": ["", 'ü😀\n"\\\x00', "$tensor"],
        "empty": {},
        "none": [],
        "half": torch.tensor([1.0, -math.inf, math.nan]).bfloat16(),
        "mask": torch.tensor([[True], [False]]),
        "byte": torch.arange(256).to(torch.uint8),
        "wide": torch.tensor([0.1], dtype=torch.float64),
    }


def test_a_tree_comes_back_bit_for_bit(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a.safetensors", tree())
    assert same(read_tensors(tmp_path / "a.safetensors"), tree())


def test_tuples_become_lists_and_nan_stays(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a", {"betas": (0.9, 0.99), "nan": math.nan, "states": (torch.ones(1),)})
    back = read_tensors(tmp_path / "a")
    assert back["betas"] == [0.9, 0.99]
    assert math.isnan(back["nan"])
    assert torch.equal(back["states"][0], torch.ones(1))


def test_any_value_may_be_the_whole(tmp_path: Path) -> None:
    for value in (torch.ones(2), [torch.ones(2)], {"": torch.ones(2)}, {"__metadata__": torch.ones(2)}, 3, None, []):
        write_tensors(tmp_path / "a", value)
        assert same(read_tensors(tmp_path / "a"), value)


def test_paths_that_meet_stay_apart(tmp_path: Path) -> None:
    value = {"a.b": torch.zeros(1), "a": {"b": torch.ones(1)}, 1: torch.ones(2), "1": torch.zeros(2)}
    write_tensors(tmp_path / "a", value)
    assert same(read_tensors(tmp_path / "a"), value)


def test_shared_and_strided_storages_are_written_apart(tmp_path: Path) -> None:
    base = torch.arange(12.0).view(3, 4)
    value = {"whole": base, "again": base, "row": base[1], "turned": base.t(), "spread": torch.ones(1).expand(5)}
    value["leaf"] = torch.nn.Parameter(base)
    write_tensors(tmp_path / "a", value)
    back = read_tensors(tmp_path / "a")
    for name, tensor in value.items():
        assert torch.equal(back[name], tensor), name
        assert not back[name].requires_grad
    back["whole"].zero_()
    assert back["again"].sum() == base.sum()


def test_a_state_dict_keeps_its_names_for_other_programs(tmp_path: Path) -> None:
    layer = torch.nn.LSTM(3, 5)
    write_tensors(tmp_path / "a.safetensors", layer.state_dict())
    with safe_open(tmp_path / "a.safetensors", framework="pt") as file:
        assert sorted(file.keys()) == sorted(layer.state_dict())
    other = torch.nn.LSTM(3, 5)
    other.load_state_dict(read_tensors(tmp_path / "a.safetensors"))
    assert all(torch.equal(a, b) for a, b in zip(layer.parameters(), other.parameters(), strict=True))


def test_what_is_no_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"cannot write a object at a\.0"):
        write_tensors(tmp_path / "a", {"a": [object()]})
    assert not list(tmp_path.iterdir())


def test_every_flipped_bit_and_every_cut_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    value = {"weight": torch.arange(6.0).view(2, 3), "step": 10, "more": {3: torch.zeros(0, 2), "x": [1.5, None]}}
    write_tensors(path, value)
    whole = path.read_bytes()
    unnoticed, complaints = 0, set()
    with path.open("r+b", buffering=0) as file:
        for place, byte in enumerate(whole):
            for bit in range(8):
                file.seek(place)
                file.write(bytes([byte ^ 1 << bit]))
                try:
                    assert same(read_tensors(path), value), f"bit {bit} of byte {place}"
                    unnoticed += 1  # "format": the library's, and means nothing to us
                except InputError as error:
                    complaints.add(str(error))
            file.seek(place)
            file.write(bytes([byte]))
        assert unnoticed <= 8 * len("formatpt")
        assert not any("\n" in complaint for complaint in complaints)
        for length in reversed(range(len(whole))):
            file.truncate(length)
            with pytest.raises(InputError, match="damaged or cut short"):
                read_tensors(path)
    path.write_bytes(whole + b"x")
    with pytest.raises(InputError):
        read_tensors(path)


def test_files_of_others_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"a": torch.ones(1)}, tmp_path / "a")
    with pytest.raises(InputError, match="not written by peephole"):
        read_tensors(tmp_path / "a")
    with pytest.raises(InputError, match="no such file"):
        read_tensors(tmp_path / "missing")
    with pytest.raises(InputError, match="no such file"):
        read_tensors(tmp_path)


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_an_exception_on_the_way_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    path = tmp_path / "a"
    write_tensors(path, {"a": torch.ones(3)})

    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    if function == "fsync":
        monkeypatch.setattr(writing.os, "fsync", fail)
    else:
        monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(InputError, match=r"no space left on device.*what was there before is unt") as caught:
        write_tensors(path, {"a": torch.zeros(3)})
    assert "\n" not in str(caught.value)
    monkeypatch.undo()
    assert torch.equal(read_tensors(path)["a"], torch.ones(3))
    assert os.listdir(tmp_path) == ["a"]


def test_an_interruption_on_the_way_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    write_tensors(path, {"a": torch.ones(3)})

    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(writing.os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_tensors(path, {"a": torch.zeros(3)})
    monkeypatch.undo()
    assert torch.equal(read_tensors(path)["a"], torch.ones(3))
    assert os.listdir(tmp_path) == ["a"]
