"""Batches: every token once and in order, the same on two processes as on one, the same resumed as not."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from peephole.data.corpus import Part
from peephole.data.lanes import Documents, Lanes, Window, window_lengths
from peephole.errors import InputError

EOD = 0


def part_of(*documents: list[int], closed: bool = True, opened: bool = True) -> Part:
    tokens = [token for document in documents for token in (EOD, *document)] + [EOD] * closed
    return Part(np.array(tokens[not opened :], dtype=np.uint8), len(documents), sum(map(len, documents)))


def numbered(length: int) -> Part:
    return Part(np.arange(1, length + 1, dtype=np.uint16), 1, length)


def random_documents(count: int = 23) -> list[list[int]]:
    generator = np.random.default_rng(0)
    return [generator.integers(1, 250, length).tolist() for length in generator.integers(1, 20, count)]


def same(one: Window, other: Window) -> bool:
    tensors = ("inputs", "targets", "resets", "weights")
    for left, right in ((getattr(one, name), getattr(other, name)) for name in tensors):
        if (left is None) != (right is None) or (left is not None and not torch.equal(left, right)):
            return False
    return (one.carry, one.tokens) == (other.carry, other.tokens)


@pytest.mark.parametrize(
    ("length", "batch", "window"), [(50, 3, 5), (50, 1, 7), (49, 4, 12), (13, 12, 1), (101, 10, 10)]
)
def test_a_lane_gives_back_its_text(length: int, batch: int, window: int) -> None:
    part = numbered(length)
    lanes = Lanes(part, batch, window, EOD)
    lane = (length - 1) // batch
    for epoch in range(2):
        windows = [lanes.next() for _ in range(lanes.windows_per_epoch)]
        assert (lanes.epoch, lanes.position) == (epoch + 1, 0)
        assert [item.carry for item in windows] == [False] + [True] * (len(windows) - 1)
        assert [len(item.inputs) for item in windows[:-1]] == [window] * (len(windows) - 1)
        assert sum(item.tokens for item in windows) == lane * batch
        inputs = torch.cat([item.inputs for item in windows])
        targets = torch.cat([item.targets for item in windows])
        assert inputs.dtype == targets.dtype == torch.int64
        assert inputs.is_contiguous()
        for row in range(batch):
            assert inputs[:, row].tolist() == part.tokens[row * lane : (row + 1) * lane].tolist()
            assert targets[:, row].tolist() == part.tokens[row * lane + 1 : (row + 1) * lane + 1].tolist()
        assert all(item.resets is None and item.weights is None for item in windows)


def test_the_state_starts_anew_where_the_input_ends_a_document() -> None:
    lanes = Lanes(part_of([1, 2, 3], [4, 5, 6], [7, 8]), 2, 3, EOD)
    first, second = lanes.next(), lanes.next()
    assert first.inputs.T.tolist() == [[0, 1, 2], [4, 5, 6]]
    assert first.resets is not None
    assert first.resets.T.tolist() == [[True, False, False], [False, False, False]]
    assert second.inputs.T.tolist() == [[3, 0], [0, 7]]
    assert second.resets is not None
    assert second.resets.dtype == torch.bool
    assert second.resets.T.tolist() == [[False, True], [True, False]]
    assert second.targets.T.tolist() == [[0, 4], [7, 8]]


def test_windows_are_copies(tmp_path: Path) -> None:
    np.arange(100, dtype=np.uint8).tofile(tmp_path / "tokens")
    tokens = np.memmap(tmp_path / "tokens", np.uint8, mode="r")
    lanes = Lanes(Part(tokens, 1, 100), 3, 8, 255)
    lanes.next().inputs.zero_()
    assert tokens.tolist() == list(range(100))


@pytest.mark.parametrize("kind", ["lanes", "documents"])
@pytest.mark.parametrize("world_size", [2, 3])
def test_several_processes_see_what_one_sees(kind: str, world_size: int) -> None:
    part = part_of(*random_documents())

    def reader(rank: int, world_size: int) -> Lanes | Documents:
        if kind == "lanes":
            return Lanes(part, 6, 7, EOD, rank, world_size)
        return Documents(part, 6, 99, EOD, 1, rank, world_size)

    one = reader(0, 1)
    several = [reader(rank, world_size) for rank in range(world_size)]
    for _ in range(2 * one.windows_per_epoch + 1):
        whole, shares = one.next(), [each.next() for each in several]
        assert sum(share.tokens for share in shares) == whole.tokens
        for rank, share in enumerate(shares):
            expected = whole.inputs[:, rank::world_size]
            if share.tokens:
                assert torch.equal(share.inputs, expected[: len(share.inputs)])
                assert torch.equal(share.targets, whole.targets[: len(share.inputs), rank::world_size])
            assert share.carry == whole.carry
        assert len({tuple(sorted(each.state_dict().items())) for each in (one, *several)}) == 1


@pytest.mark.parametrize("kind", ["lanes", "documents"])
def test_resumed_equals_uninterrupted(kind: str) -> None:
    part = part_of(*random_documents())

    def reader() -> Lanes | Documents:
        return Lanes(part, 4, 9, EOD) if kind == "lanes" else Documents(part, 4, 99, EOD, seed=7)

    uninterrupted = reader()
    for _ in range(3 * uninterrupted.windows_per_epoch):
        state = uninterrupted.state_dict()
        assert all(type(value) is int for value in state.values())
        resumed = reader()
        resumed.load_state_dict(state)
        assert same(resumed.next(), uninterrupted.next())


def test_every_document_once_an_epoch_in_an_order_of_its_own() -> None:
    documents = random_documents()
    reader = Documents(part_of(*documents), 4, 20, EOD, seed=1)
    orders = []
    for _ in range(2):
        seen = []
        for window in itertools.islice(iter(reader.next, None), reader.windows_per_epoch):
            assert window.resets is None
            assert window.carry is False
            lengths = []
            for row in range(window.inputs.shape[1]):
                counts = torch.ones(len(window.inputs)) if window.weights is None else window.weights[:, row]
                length = int(counts.sum())
                assert counts.tolist() == [1.0] * length + [0.0] * (len(counts) - length)
                inputs, targets = window.inputs[:length, row].tolist(), window.targets[:length, row].tolist()
                assert inputs[0] == targets[-1] == EOD
                assert inputs[1:] == targets[:-1]
                seen.append(inputs[1:])
                lengths.append(length)
            assert window.tokens == sum(lengths)
            assert len(window.inputs) == max(lengths)
            assert (window.weights is None) == (len(set(lengths)) == 1)
        assert sorted(seen) == sorted(documents)
        orders.append(seen)
    assert orders[0] != orders[1]
    assert reader.epoch == 2
    other = Documents(part_of(*documents), 4, 20, EOD, seed=2)
    assert not same(other.next(), Documents(part_of(*documents), 4, 20, EOD, seed=1).next())


@pytest.mark.parametrize(
    ("opened", "closed", "expected"),
    [
        (True, True, {((0, 1, 2), (1, 2, 0)), ((0, 3), (3, 0))}),
        (False, True, {((1, 2), (2, 0)), ((0, 3), (3, 0))}),
        (True, False, {((0, 1, 2), (1, 2, 0)), ((0,), (3,))}),
    ],
)
def test_documents_cut_by_position_keep_their_pieces(opened: bool, closed: bool, expected: set) -> None:
    reader = Documents(part_of([1, 2], [3], opened=opened, closed=closed), 1, 9, EOD, seed=0)
    windows = [reader.next() for _ in range(reader.windows_per_epoch)]
    found = {(tuple(item.inputs[:, 0].tolist()), tuple(item.targets[:, 0].tolist())) for item in windows}
    assert found == expected


def test_text_too_short_for_the_batch_says_what_fits() -> None:
    with pytest.raises(InputError) as caught:
        Lanes(numbered(101), 32, 64, EOD)
    assert str(caught.value) == (
        "101 tokens are too few for 32 lanes of 64 steps, which need 2,049; "
        "pass --batch-size 1 or --window 3 or more text"
    )
    Lanes(numbered(101), 1, 64, EOD)
    Lanes(numbered(101), 32, 3, EOD)
    with pytest.raises(InputError, match="pass --batch-size 1 --window 9 or more text"):
        Lanes(numbered(10), 32, 64, EOD)
    Lanes(numbered(10), 1, 9, EOD)
    with pytest.raises(InputError, match="pass more text"):
        Lanes(numbered(2), 4, 4, EOD, 0, 4)


def lengths_of(lanes: Lanes) -> list[int]:
    """Of the windows of the epoch that begins here."""
    found, epoch = [], lanes.epoch
    while lanes.epoch == epoch:
        window = lanes.next()
        assert window.carry == bool(found)
        found.append(len(window.inputs))
        assert window.rate == found[-1] / 70
    return found


def test_drawn_windows_cover_the_lanes_anew_in_each_epoch() -> None:
    """Lengths as Merity et al. draw them: one in twenty about 35, the others about 70, five up or down."""
    part = numbered(60_001)
    lanes, again, other = (Lanes(part, 2, 70, EOD, vary=seed) for seed in (3, 3, 4))
    epochs = [lengths_of(lanes) for _ in range(40)]
    assert all(sum(lengths) == 30_000 for lengths in epochs)
    assert epochs[:2] == [lengths_of(again), lengths_of(again)]
    assert len({*map(tuple, epochs), tuple(lengths_of(other))}) == 41
    drawn = np.array([length for lengths in epochs for length in lengths[:-1]])  # the last is what is left
    short = drawn < 52
    assert short.mean() == pytest.approx(0.05, abs=0.01)
    for chosen, mean in ((drawn[~short], 69.5), (drawn[short], 34.5)):  # what is behind the point is dropped
        assert chosen.mean() == pytest.approx(mean, abs=0.5)
        assert chosen.std() == pytest.approx(5, abs=0.3)
    assert lanes.windows_per_epoch == pytest.approx(np.mean([len(lengths) for lengths in epochs]), rel=0.005)


@pytest.mark.parametrize(("window", "least"), [(1, 1), (3, 3), (5, 5), (8, 5), (200, 5)])
def test_short_windows_are_drawn_short(window: int, least: int) -> None:
    lengths = window_lengths(window, 100_000, np.random.default_rng(0))
    assert lengths.min() >= least
    assert lengths.sum() >= 100_000
    lanes = Lanes(numbered(20_001), 2, window, EOD, vary=0)
    counts = []
    for epoch in range(5):
        counts.append(0)
        while lanes.epoch == epoch:
            lanes.next()
            counts[-1] += 1
    assert lanes.windows_per_epoch == pytest.approx(np.mean(counts), rel=0.03)


def test_drawn_windows_go_on_where_they_were_and_are_shared_by_processes() -> None:
    part = part_of(*random_documents(300))
    lanes, share = Lanes(part, 4, 12, EOD, vary=1), Lanes(part, 4, 12, EOD, 1, 2, vary=1)
    for _ in range(3 * lanes.windows_per_epoch):
        state = lanes.state_dict()
        resumed = Lanes(part, 4, 12, EOD, vary=1)
        resumed.load_state_dict(state)
        window = lanes.next()
        assert same(resumed.next(), window)
        assert torch.equal(share.next().inputs, window.inputs[:, 1::2])
    assert lanes.epoch > 1


def test_what_the_gradient_is_the_mean_of() -> None:
    """None: of the symbols; else of this process's rows, however long."""
    part = part_of(*random_documents())
    assert Lanes(part, 6, 7, EOD).next().divisor is None
    assert Documents(part, 6, 99, EOD, 1).next().divisor is None
    for world_size in (1, 2, 3):
        for reader in (
            Lanes(part, 6, 7, EOD, 0, world_size, per_row=True),
            Documents(part, 6, 99, EOD, 1, 0, world_size, per_row=True),
        ):
            window = reader.next()
            assert window.divisor == window.inputs.shape[1] == 6 // world_size
            assert window.rate == 1.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0: expected 1 or more"),
        ({"window": 0}, "window is 0: expected 1 step or more"),
        ({"batch_size": 7, "world_size": 3}, "multiple of the 3 processes that share it; pass --batch-size 6"),
        ({"batch_size": 1, "world_size": 2}, "pass --batch-size 2"),
    ],
)
def test_settings_outside_their_range_are_refused(settings: dict[str, int], message: str) -> None:
    with pytest.raises(InputError) as caught:
        Lanes(**{"part": numbered(100), "batch_size": 2, "window": 5, "eod": EOD, **settings})
    assert message in str(caught.value)


def test_documents_too_long_are_refused() -> None:
    Documents(part_of([1] * 4), 1, 5, EOD, seed=0)
    with pytest.raises(InputError, match=r"a document of 5 tokens: .* at most 4; use truncated back-propagation"):
        Documents(part_of([1] * 4), 1, 4, EOD, seed=0)


def test_a_place_in_another_text_is_refused() -> None:
    for reader in (Lanes(numbered(21), 2, 5, EOD), Documents(part_of(*random_documents(10)), 2, 99, EOD, seed=0)):
        for state in ({"epoch": 0, "position": 10}, {"epoch": -1, "position": 0}, {"epoch": 0, "position": -1}):
            with pytest.raises(InputError, match="is outside this text, which has 10: expected the text and the batch"):
                reader.load_state_dict(state)


def test_a_rank_outside_the_world_is_a_defect() -> None:
    with pytest.raises(ValueError, match="rank 2 of 2: expected 0 to 1"):
        Lanes(numbered(100), 2, 5, EOD, rank=2, world_size=2)
