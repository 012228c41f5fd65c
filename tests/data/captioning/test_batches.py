"""Batches of pictures with their captions, and what training makes of pictures."""

from typing import Any

import numpy as np
import pytest
import torch

from peephole.data.captioning.batches import PictureBatches, by_picture, in_order, words_in
from peephole.data.captioning.changing import Changing
from peephole.data.sequences.store import Part, write_part
from peephole.errors import InputError

SYMBOLS = 9


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Part:
    """Seven pictures with one to four captions, in no order of their numbers."""
    random = np.random.default_rng(0)
    pairs = [
        (np.array([picture], np.int64), np.array([*random.integers(1, SYMBOLS, random.integers(1, 6)), 0], np.int64))
        for picture, count in zip([3, 0, 6, 1, 2, 5, 4], [1, 2, 3, 4, 1, 2, 3], strict=True)
        for _ in range(count)
    ]
    return write_part(tmp_path_factory.mktemp("part") / "train", pairs, ragged=True)


@pytest.fixture(scope="module")
def pictures() -> Any:
    return np.random.default_rng(1).integers(0, 256, (7, 32, 32, 3)).astype(np.uint8)


def test_captions_of_a_picture_share_its_row(part: Part, pictures: Any) -> None:
    assert [len(numbers) for numbers in by_picture(part)] == [1, 2, 3, 4, 1, 2, 3]
    seen: list[int] = []
    for numbers, batch in in_order(part, pictures, 3):
        assert batch.rows is not None
        assert len(batch.rows) == batch.targets.shape[1] == len(numbers)
        for column, (number, row) in enumerate(zip(numbers.tolist(), batch.rows.tolist(), strict=True)):
            picture, words = part.sequence(number)
            shown = torch.from_numpy(pictures[picture[0]]).permute(2, 0, 1) / 255
            assert torch.equal(batch.inputs[row], shown)
            assert batch.targets[: len(words), column].tolist() == words.tolist()
            assert batch.weights[:, column].sum() == len(words)
        seen += numbers.tolist()
    assert seen == list(range(len(part)))
    assert sum(len(batch.inputs) for _, batch in in_order(part, pictures, 2, most=3)) == 3


def test_each_pass_has_every_picture_once_in_another_order(part: Part, pictures: Any) -> None:
    batches = PictureBatches(part, pictures, 3, seed=5, symbols=SYMBOLS)
    assert batches.windows_per_epoch == 3
    passes = [[batches.next() for _ in range(3)] for _ in range(2)]
    for one in passes:
        counts = torch.cat([torch.bincount(batch.rows) for batch in one if batch.rows is not None])
        assert sorted(counts.tolist()) == [1, 1, 2, 2, 3, 3, 4]
    firsts = [one[0].inputs for one in passes]
    assert not torch.equal(firsts[0], firsts[1])
    assert [batch.passed for batch in passes[1]] == pytest.approx([1, 4 / 3, 5 / 3])


def test_few_captions_are_drawn_anew_and_named_by_all(part: Part, pictures: Any) -> None:
    batches = PictureBatches(part, pictures, 7, seed=0, each=2, symbols=SYMBOLS)
    said: set[tuple[tuple[int, ...], ...]] = set()
    for _ in range(8):
        batch = batches.next()
        assert batch.rows is not None
        assert batch.named is not None
        counts = torch.bincount(batch.rows)
        assert sorted(counts.tolist()) == [1, 1, 2, 2, 2, 2, 2]
        for column, row in enumerate(batch.rows.tolist()):
            words = batch.targets[:, column][batch.weights[:, column] > 0]
            assert (batch.named[row, words] == 1).all()
        columns = batch.targets.t().tolist()
        said.add(tuple(sorted(tuple(column) for column in columns)))
    assert len(said) > 1


def test_words_in_any_caption(part: Part) -> None:
    groups = by_picture(part)
    found = words_in(part, groups, SYMBOLS)
    for row, numbers in enumerate(groups):
        words = {word for number in numbers.tolist() for word in part.sequence(number)[1].tolist()}
        assert {int(word) for word in found[row].nonzero()[:, 0]} == words


def test_what_was_stopped_goes_on_the_same(part: Part, pictures: Any) -> None:
    def made() -> PictureBatches:
        return PictureBatches(part, pictures, 2, seed=3, each=1, change=Changing(0.3, True, 0.2))

    whole, again = made(), made()
    wanted = [whole.next() for _ in range(9)]
    again.load_state_dict({"epoch": 1, "position": 1})
    for before in wanted[5:]:
        batch = again.next()
        assert torch.equal(batch.inputs, before.inputs)
        assert torch.equal(batch.targets, before.targets)
    assert again.state_dict() == whole.state_dict()


def test_processes_share_each_batch(part: Part, pictures: Any) -> None:
    alone = PictureBatches(part, pictures, 4, seed=1)
    shared = [PictureBatches(part, pictures, 4, seed=1, rank=rank, world_size=2) for rank in range(2)]
    whole, halves = alone.next(), [batches.next() for batches in shared]
    assert torch.equal(whole.inputs[0::2], halves[0].inputs)
    assert torch.equal(whole.inputs[1::2], halves[1].inputs)
    assert shared[0].windows_per_epoch == 1
    with pytest.raises(InputError, match="--batch-size is 3; expected a multiple of the 2 processes"):
        PictureBatches(part, pictures, 3, seed=1, world_size=2)
    with pytest.raises(InputError, match="7 pictures for 8 processes"):
        PictureBatches(part, pictures, 8, seed=1, world_size=8)


def test_changes_that_are_off_change_nothing() -> None:
    some = torch.rand(3, 3, 32, 32)
    assert not Changing().any
    assert torch.equal(Changing()(some, np.random.default_rng(0)), some)


def test_a_mirrored_picture_is_mirrored_and_every_other_one_is() -> None:
    some = torch.rand(40, 3, 32, 32)
    found = Changing(mirror=True)(some, np.random.default_rng(0))
    flipped = torch.tensor(
        [torch.allclose(one, before.flip(-1), atol=1e-5) for one, before in zip(found, some, strict=True)]
    )
    kept = torch.tensor([torch.allclose(one, before, atol=1e-5) for one, before in zip(found, some, strict=True)])
    assert (flipped ^ kept).all()
    assert 10 <= int(flipped.sum()) <= 30


def test_a_cut_is_of_the_picture_and_light_keeps_its_shape() -> None:
    ramp = torch.linspace(0, 1, 32).expand(50, 3, 32, 32)  # brighter to the right
    cut = Changing(crop=0.5)(ramp, np.random.default_rng(0))
    assert cut.min() >= -1e-5
    assert cut.max() <= 1 + 1e-5
    spans = cut[:, 0, 16, -1] - cut[:, 0, 16, 0]
    assert (spans > 0.4).all()
    assert spans.std() > 0.05
    lit = Changing(light=0.3)(ramp, np.random.default_rng(0))
    slopes = (lit[:, :, :, 1:] - lit[:, :, :, :-1]).flatten(1)
    assert (slopes.std(1) < 1e-5).all()
    assert slopes.mean(1).std() > 0.001
    twice = [Changing(0.4, True, 0.3)(ramp, np.random.default_rng(7)) for _ in range(2)]
    assert torch.equal(twice[0], twice[1])
