"""Batches by length: every sequence once a pass, another order each pass, and the same after a stop."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from peephole.data.sequences.batches import LengthBatches, SequenceBatch, batch_of, in_order
from peephole.data.sequences.store import Pair, Part, write_part
from peephole.errors import InputError

COUNT = 53


def sequence(number: int, length: int, a_step: bool = True) -> Pair:
    """Every step holds the number of its sequence and its place; the targets are the number."""
    steps = np.stack([np.full(length, number), np.arange(length)], -1).astype(np.float32)
    return steps, np.full(length if a_step else 1, number, np.int64)


@pytest.fixture
def part(tmp_path: Path) -> Part:
    lengths = np.random.default_rng(3).integers(1, 30, COUNT).tolist()
    return write_part(tmp_path / "train", [sequence(number, length) for number, length in enumerate(lengths)])


def numbers_of(batch: SequenceBatch) -> list[int]:
    return batch.inputs[0, :, 0].long().tolist()


def a_pass(batches: LengthBatches) -> list[SequenceBatch]:
    return [batches.next() for _ in range(batches.windows_per_epoch)]


def equal(one: SequenceBatch, other: SequenceBatch) -> bool:
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in ("inputs", "targets", "weights"))


@pytest.mark.parametrize("a_step", [True, False], ids=["one a step", "one a sequence"])
def test_a_batch_holds_its_sequences_and_zeros(a_step: bool) -> None:
    lengths = [4, 0, 7, 1]
    pairs = [sequence(number + 1, length, a_step) for number, length in enumerate(lengths)]
    batch = batch_of(pairs)
    assert batch.inputs.shape == (7, 4, 2)
    assert (batch.inputs.dtype, batch.targets.dtype, batch.weights.dtype) == (torch.float32, torch.int64, torch.float32)
    assert batch.lengths.tolist() == lengths
    assert not batch.carry
    assert batch.answers == (sum(lengths) if a_step else 4)
    for row, (inputs, targets) in enumerate(pairs):
        for got, want in ((batch.inputs, inputs), (batch.targets, targets)):
            assert np.array_equal(got[: len(want), row].numpy(), want)
            assert not got[len(want) :, row].any()
        assert batch.weights[:, row].tolist() == [1.0] * len(targets) + [0.0] * (len(batch.weights) - len(targets))


def test_sequences_without_steps_still_make_a_batch() -> None:
    batch = batch_of([sequence(1, 0), sequence(2, 0)])
    assert batch.inputs.shape == (1, 2, 2)
    assert batch.answers == 0


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ("int32", torch.int64),
        ("uint8", torch.int64),
        ("bool", torch.int64),
        ("float16", torch.float32),
        ("float64", torch.float32),
    ],
)
def test_kinds_become_those_of_torch(given: str, want: torch.dtype) -> None:
    array = np.ones((2, 3), given)
    batch = batch_of([(array, array)])
    assert batch.inputs.dtype == batch.targets.dtype == want
    assert bool((batch.inputs == 1).all())


def test_in_order_every_sequence_comes_once_by_length(part: Part) -> None:
    found = list(in_order(part, 8))
    numbers = np.concatenate([each for each, _ in found])
    assert sorted(numbers.tolist()) == list(range(COUNT))
    assert (np.diff(part.lengths[numbers]) >= 0).all()
    assert [len(each) for each, _ in found] == [8] * 6 + [5]
    for each, batch in found:
        assert numbers_of(batch) == each.tolist()
        assert batch.lengths.tolist() == part.lengths[each].tolist()


@pytest.mark.parametrize("most", [1, 10, COUNT - 1, COUNT, 1000])
def test_in_order_takes_the_most_at_even_distances(part: Part, most: int) -> None:
    numbers = sorted(number for each, _ in in_order(part, 8, most) for number in each.tolist())
    assert len(numbers) == len(set(numbers)) == min(most, COUNT)
    assert numbers[0] == 0
    assert most == 1 or numbers[-1] == COUNT - 1
    assert most == 1 or np.ptp(np.diff(numbers)) <= 1


@pytest.mark.parametrize("rows", [1, 8, 60])
def test_a_pass_has_every_sequence_once(part: Part, rows: int) -> None:
    batches = LengthBatches(part, rows, seed=1)
    orders: list[list[int]] = []
    for epoch in range(3):
        assert batches.state_dict() == {"epoch": epoch, "position": 0}
        passed = a_pass(batches)
        assert all(len(batch.lengths) <= min(rows, COUNT) for batch in passed)
        orders.append([number for batch in passed for number in numbers_of(batch)])
        assert sorted(orders[-1]) == list(range(COUNT))
        for batch in passed:
            assert batch.lengths.tolist() == part.lengths[numbers_of(batch)].tolist()
    assert rows == 60 or len({tuple(order) for order in orders}) == 3, "passes have orders of their own"


def test_another_pass_mixes_other_sequences(tmp_path: Path) -> None:
    part = write_part(tmp_path / "part", [sequence(number, 5) for number in range(40)])
    batches = LengthBatches(part, 4, seed=0)
    first, second = ({frozenset(numbers_of(batch)) for batch in a_pass(batches)} for _ in range(2))
    assert len(first & second) <= 2


def test_the_seed_is_the_order(part: Part) -> None:
    def order(seed: int) -> list[list[int]]:
        return [numbers_of(batch) for batch in a_pass(LengthBatches(part, 8, seed))]

    assert order(5) == order(5)
    assert order(5) != order(6)


def noisy(pair: Pair, random: np.random.Generator) -> Pair:
    inputs, targets = pair
    return (inputs + random.normal(size=inputs.shape)).astype(np.float32), targets


@pytest.mark.parametrize("change", [None, noisy], ids=["as they are", "changed"])
@pytest.mark.parametrize("stop", [1, 6, 7, 15])
def test_stopped_and_resumed_is_never_stopped(part: Part, stop: int, change: Any) -> None:
    batches = LengthBatches(part, 8, seed=2, change=change)
    whole = [batches.next() for _ in range(20)]
    stopped = LengthBatches(part, 8, seed=2, change=change)
    for _ in range(stop):
        stopped.next()
    resumed = LengthBatches(part, 8, seed=2, change=change)
    resumed.load_state_dict(stopped.state_dict())
    assert all(equal(resumed.next(), batch) for batch in whole[stop:])


def test_a_change_is_another_one_every_time_and_only_of_the_copy(part: Part) -> None:
    batches = LengthBatches(part, COUNT, seed=2, change=noisy)
    first, second = (batches.next() for _ in range(2))
    by_number = [
        {
            int(number): batch.inputs[: int(length), row]
            for row, (number, length) in enumerate(zip(batch.targets[0], batch.lengths, strict=True))
        }
        for batch in (first, second)
    ]
    for number in range(COUNT):
        plain = torch.from_numpy(sequence(number, int(part.lengths[number]))[0])
        noise = [each[number] - plain for each in by_number]
        assert float((noise[0] - noise[1]).abs().min()) > 0
        assert np.array_equal(part.sequence(number)[0], plain.numpy())


def test_a_batch_knows_how_many_passes_came_before_it(part: Part) -> None:
    batches = LengthBatches(part, 8, seed=5)
    a_pass(batches)
    assert [batches.next().passed for _ in range(3)] == [1.0, 1.0 + 1 / 7, 1.0 + 2 / 7]


def test_what_a_net_reads_may_be_made_of_what_is_stored(part: Part) -> None:
    for numbers, batch in in_order(part, 8, make=lambda pair: (2 * pair[0][::2], pair[1])):
        assert batch.lengths.tolist() == [-(-length // 2) for length in part.lengths[numbers].tolist()]
        assert batch.target_lengths.tolist() == part.lengths[numbers].tolist()
        assert numbers_of(batch) == (2 * numbers).tolist()


def test_a_change_may_shorten(part: Part) -> None:
    def halved(pair: Pair, random: np.random.Generator) -> Pair:
        keep = -(-len(pair[0]) // 2)
        return pair[0][:keep], pair[1][:keep]

    for batch in a_pass(LengthBatches(part, 8, seed=0, change=halved)):
        assert batch.lengths.tolist() == [-(-length // 2) for length in part.lengths[numbers_of(batch)].tolist()]


@pytest.mark.parametrize("world_size", [2, 4])
def test_processes_share_each_batch(part: Part, world_size: int) -> None:
    alone = LengthBatches(part, 8, seed=4, world_size=world_size)
    together = [LengthBatches(part, 8, 4, rank, world_size, noisy) for rank in range(world_size)]
    assert alone.windows_per_epoch == COUNT // 8
    for _ in range(2):
        seen: list[int] = []
        noise: set[float] = set()
        for _ in range(alone.windows_per_epoch):
            shares = [batches.next() for batches in together]
            assert [len(share.lengths) for share in shares] == [8 // world_size] * world_size
            seen += [number for share in shares for number in share.targets[0].tolist()]
            noise |= {float(share.inputs[0, 0, 0]) % 1 for share in shares}
        assert len(seen) == len(set(seen)) == COUNT - COUNT % 8
        assert len(noise) == world_size * alone.windows_per_epoch, "every process has noise of its own"
    assert {tuple(batches.state_dict().values()) for batches in together} == {(2, 0)}


def test_few_sequences_are_smaller_batches_with_a_share_for_all(tmp_path: Path) -> None:
    part = write_part(tmp_path / "part", [sequence(number, 2) for number in range(5)])
    for rank in range(2):
        batches = LengthBatches(part, 64, 0, rank, 2)
        assert batches.rows == 4
        assert [len(batches.next().lengths) for _ in range(3)] == [2, 2, 2]
        assert batches.state_dict() == {"epoch": 3, "position": 0}


def test_batches_that_cannot_be_shared_are_refused(part: Part) -> None:
    with pytest.raises(InputError, match="--batch-size is 9; expected a multiple of the 2 processes"):
        LengthBatches(part, 9, 0, 0, 2)
    with pytest.raises(InputError, match="53 sequences for 64 processes"):
        LengthBatches(part, 64, 0, 0, 64)


def test_padding_is_what_the_batches_have(part: Part) -> None:
    batches = LengthBatches(part, 8, seed=3)
    for _ in range(2):
        told = batches.padding
        passed = a_pass(batches)
        counted = 1 - sum(batch.answers for batch in passed) / sum(batch.weights.numel() for batch in passed)
        assert abs(told - counted) <= 1e-12
    assert LengthBatches(part, 1, seed=3).padding == 0.0


def test_sequences_of_like_length_stand_together(tmp_path: Path) -> None:
    """Of lengths spread evenly over 1 … 512, random batches of 16 are almost half padding; these are not."""
    lengths = np.random.default_rng(0).permutation(np.arange(1, 513))
    part = write_part(tmp_path / "part", [sequence(0, int(length)) for length in lengths])
    assert 0 < LengthBatches(part, 16, seed=0).padding <= 0.05
