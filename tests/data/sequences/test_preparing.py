"""Preparation in shards: what was stopped goes on where it was, and what has changed is made anew."""

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from peephole.data.sequences import preparing
from peephole.data.sequences.preparing import prepared
from peephole.errors import InputError

Made = NDArray[np.float32]


def made_of(item: int) -> Made:
    """As many steps as the item says, modulo 5: some have none."""
    return np.full((item % 5, 2), item, np.float32)


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparing, "SHARD", 4)


class Counting:
    """`made_of`, and how often it was asked; it gives up at an item."""

    def __init__(self, until: int | None = None, ending: BaseException | None = None) -> None:
        self.until, self.ending = until, ending
        self.asked: list[int] = []

    def __call__(self, item: int) -> Made:
        if item == self.until and self.ending is not None:
            raise self.ending
        self.asked.append(item)
        return made_of(item)


def right(found: list[Made], items: list[int]) -> None:
    assert len(found) == len(items)
    for array, item in zip(found, items, strict=True):
        want = made_of(item)
        assert array.dtype == np.float32
        assert array.shape == want.shape
        assert np.array_equal(array, want)


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("count", [0, 1, 4, 11])
def test_items_come_in_order(tmp_path: Path, count: int) -> None:
    items = list(range(count))
    make = Counting()
    for _ in range(2):
        right(list(prepared(items, make, tmp_path / "shards", "as they are", 1)), items)
        assert make.asked == items, "the second time everything is there"
    assert len(list((tmp_path / "shards").iterdir())) == -(-count // 4)


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("ending", [InputError("item 9: is empty"), KeyboardInterrupt()], ids=["error", "interruption"])
def test_shards_outlive_what_ends_half_way(tmp_path: Path, ending: BaseException) -> None:
    items = list(range(14))
    stopped = Counting(9, ending)
    with pytest.raises(type(ending)):
        list(prepared(items, stopped, tmp_path / "shards", "key", 1))
    assert stopped.asked == list(range(9))
    assert all(not path.name.startswith(".") for path in (tmp_path / "shards").iterdir())
    resumed = Counting()
    right(list(prepared(items, resumed, tmp_path / "shards", "key", 1)), items)
    assert resumed.asked == list(range(8, 14))


@pytest.mark.usefixtures("small_shards")
def test_another_key_or_other_items_are_made_anew(tmp_path: Path) -> None:
    def made_anew(items: list[int], key: str) -> list[int]:
        make = Counting()
        right(list(prepared(items, make, tmp_path / "shards", key, 1)), items)
        return make.asked

    assert made_anew([1, 2, 3, 4, 5, 6], "8000 Hz") == [1, 2, 3, 4, 5, 6]
    assert made_anew([1, 2, 3, 4, 5, 6], "16000 Hz") == [1, 2, 3, 4, 5, 6]
    assert made_anew([1, 2, 3, 4, 5, 6, 7], "8000 Hz") == [5, 6, 7]
    assert made_anew([2, 1, 3, 4, 5, 6], "8000 Hz") == [2, 1, 3, 4]


@pytest.mark.usefixtures("small_shards")
def test_other_processes_make_the_same_and_the_shards_before_an_error_stay(tmp_path: Path) -> None:
    """An error there is the one that is heard here."""
    items = list(range(11))

    def refusing(item: int) -> Made:  # in here: other processes cannot import the module of a test
        if item == 10:
            raise InputError(f"sound-{item}.wav: has no samples; record it again")
        return np.full((item % 5, 2), item, np.float32)

    def marking(item: int) -> Made:
        return np.full((1, 2), os.getpid(), np.float32)

    with pytest.raises(InputError, match=r"sound-10\.wav: has no samples; record it again$"):
        list(prepared(items, refusing, tmp_path / "shards", "key", 2))
    kept = 4 * len(list((tmp_path / "shards").iterdir()))  # what was under way elsewhere may be lost
    assert kept <= 8
    found = list(prepared(items, marking, tmp_path / "shards", "key", 1))
    right(found[:kept], items[:kept])
    here = np.float32(os.getpid())
    assert all(array[0, 0] == here for array in found[kept:])
    assert all(array[0, 0] != here for array in prepared(items, marking, tmp_path / "anew", "key", 2))
    few = list(prepared(items[:4], marking, tmp_path / "few", "key", 2))
    assert all(array[0, 0] == here for array in few), "one shard is not worth the start of a process"


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("damage", [b"", b"half", None], ids=["empty", "something else", "cut short"])
def test_a_damaged_shard_is_made_anew(tmp_path: Path, damage: bytes | None) -> None:
    items = list(range(1, 9))
    right(list(prepared(items, made_of, tmp_path / "shards", "key", 1)), items)
    path = sorted((tmp_path / "shards").iterdir())[0]
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    make = Counting()
    right(list(prepared(items, make, tmp_path / "shards", "key", 1)), items)
    assert make.asked in (items[:4], items[4:])
    assert path.read_bytes() == whole


def test_a_folder_that_cannot_be_written_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(preparing, "write_whole", full)
    with pytest.raises(InputError, match=r"cannot be written \(no space left on device\); make room"):
        list(prepared([1, 2], made_of, tmp_path / "shards", "key", 1))
