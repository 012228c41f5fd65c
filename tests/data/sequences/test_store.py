"""Parts on disk: what is written is what is read, and what is damaged or half written is never taken for whole."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from peephole.data.sequences.store import Pair, Part, open_part, padded, write_part
from peephole.errors import InputError

from ...killing import Killed

LENGTHS = (3, 1, 7, 2)


def numbers(lengths: tuple[int, ...], width: tuple[int, ...], kind: str, seed: int = 0) -> list[Any]:
    random = np.random.default_rng(seed)
    return [(100 * random.normal(size=(length, *width))).astype(kind) for length in lengths]


def same(part: Part, pairs: list[Pair]) -> None:
    assert len(part) == len(pairs)
    assert part.lengths.tolist() == [len(inputs) for inputs, _ in pairs]
    for number, (inputs, targets) in enumerate(pairs):
        for got, want in zip(part.sequence(number), (inputs, targets), strict=True):
            assert got.dtype == want.dtype
            assert got.shape == want.shape
            assert got.tobytes() == want.tobytes()


@pytest.mark.parametrize("targets", [((), "int64"), ((), "int32"), ((2,), "float32"), ((3, 2), "float32")])
@pytest.mark.parametrize("inputs", [((), "int64"), ((4,), "int32"), ((3,), "float32"), ((2, 5), "float32")])
@pytest.mark.parametrize("a_step", [True, False], ids=["one a step", "one a sequence"])
def test_what_is_written_is_read(
    tmp_path: Path, inputs: tuple[tuple[int, ...], str], targets: tuple[tuple[int, ...], str], a_step: bool
) -> None:
    wanted = LENGTHS if a_step else (1,) * len(LENGTHS)
    pairs = list(zip(numbers(LENGTHS, *inputs), numbers(wanted, *targets, seed=1), strict=True))
    written = write_part(tmp_path / "train", iter(pairs))
    assert written.answered == (not a_step)
    assert written.target_lengths.tolist() == list(wanted)
    for part in (written, open_part(tmp_path / "train")):
        same(part, pairs)
    assert [path.name for path in tmp_path.iterdir()] == ["train"]


@pytest.mark.parametrize("a_step", [True, False], ids=["one a step", "one a sequence"])
@pytest.mark.parametrize("lengths", [(0, 3, 0, 2, 0), (0, 0), (1, 1)])
def test_sequences_without_steps_stand_where_they_were(tmp_path: Path, lengths: tuple[int, ...], a_step: bool) -> None:
    wanted = lengths if a_step else (1,) * len(lengths)
    pairs = list(zip(numbers(lengths, (2,), "float32"), numbers(wanted, (), "int64", seed=1), strict=True))
    write_part(tmp_path / "part", pairs)
    same(open_part(tmp_path / "part"), pairs)


@pytest.mark.parametrize("wanted", [(2, 5, 1, 3), (1, 1, 1, 1), LENGTHS, (0, 4, 0, 0)])
def test_targets_may_have_lengths_of_their_own(tmp_path: Path, wanted: tuple[int, ...]) -> None:
    pairs = list(zip(numbers(LENGTHS, (2,), "float32"), numbers(wanted, (), "int64", seed=1), strict=True))
    written = write_part(tmp_path / "train", iter(pairs), ragged=True)
    for part in (written, open_part(tmp_path / "train")):
        same(part, pairs)
        assert part.target_lengths.tolist() == list(wanted)
        assert not part.answered
    path = tmp_path / "train/target_ends.bin"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(InputError, match=r"target_ends\.bin: damaged"):
        open_part(tmp_path / "train")


def test_arrays_that_stride_are_written_as_they_read(tmp_path: Path) -> None:
    (whole,) = numbers((8,), (6,), "float32")
    labels = np.arange(16)
    pairs: list[Pair] = [(whole[::2, ::3], labels[:4]), (whole.T[:, :2], labels[4:10])]
    same(write_part(tmp_path / "part", pairs), pairs)


def test_a_part_is_mapped_and_cannot_be_changed(tmp_path: Path) -> None:
    part = write_part(tmp_path / "part", [(np.ones((3, 2), np.float32), np.zeros(3, np.int64))])
    inputs, targets = part.sequence(0)
    assert isinstance(part.inputs.base, np.memmap)
    for array in (inputs, targets):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


STEPS, WIDE = np.zeros((3, 2), np.float32), np.zeros((3, 4), np.float32)
LABELS = np.zeros(3, np.int64)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([(STEPS, LABELS), (WIDE, LABELS)], r"float32 \(3, 4\) after float32 \(0, 2\)"),
        ([(STEPS, LABELS), (STEPS.astype(np.float64), LABELS)], "float64"),
        ([(STEPS, LABELS), (STEPS, LABELS.astype(np.int32))], "int32"),
        ([(STEPS, LABELS), (STEPS, LABELS[:, None])], r"int64 \(3, 1\) after int64 \(0,\)"),
        ([(STEPS, LABELS), (STEPS, LABELS[:2])], "2 targets of 3 steps"),
        ([(STEPS, LABELS[:1]), (STEPS, LABELS)], "3 targets of 3 steps, other than the sequences before it"),
        ([(STEPS, LABELS[:1]), (STEPS, np.zeros(5, np.int64))], "5 targets of 3 steps"),
        ([(STEPS, LABELS), (STEPS, LABELS[:1])], "1 targets of 3 steps"),
    ],
)
def test_a_sequence_of_another_kind_is_refused(tmp_path: Path, pairs: list[Pair], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_part(tmp_path / "part", pairs)
    assert not list(tmp_path.iterdir())


def test_no_sequence_at_all_is_an_error_of_the_data(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the held-out part has no sequences; give more data"):
        write_part(tmp_path / "held_out", [])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", [Killed, KeyboardInterrupt, InputError])
def test_what_ends_half_way_leaves_nothing(tmp_path: Path, kind: type[BaseException]) -> None:
    def sequences() -> Iterator[Pair]:
        yield STEPS, LABELS
        raise kind("line 7")

    with pytest.raises(kind, match="line 7"):
        write_part(tmp_path / "part", sequences())
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_left_is_written_over(tmp_path: Path) -> None:
    stale = tmp_path / ".part.partial"
    stale.mkdir()
    (stale / "inputs.bin").write_bytes(b"half")
    same(write_part(tmp_path / "part", [(STEPS, LABELS)]), [(STEPS, LABELS)])
    assert [path.name for path in tmp_path.iterdir()] == ["part"]


@pytest.mark.parametrize("name", ["part.json", "ends.bin", "inputs.bin", "targets.bin"])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda whole: None, "missing (no such file or directory); remove"),
        (lambda whole: whole[:-8], "damaged"),
        (lambda whole: b"", "damaged"),
        (lambda whole: whole + whole, "damaged"),
    ],
    ids=["missing", "cut short", "empty", "twice"],
)
def test_a_damaged_part_is_refused_in_one_line(
    tmp_path: Path, name: str, damage: Callable[[bytes], bytes | None], message: str
) -> None:
    folder = tmp_path / "part"
    write_part(folder, [(STEPS, LABELS), (STEPS[:2], LABELS[:2])])
    content = damage((folder / name).read_bytes())
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        open_part(folder)
    text = str(caught.value)
    assert text.startswith(str(folder))
    assert message in text
    assert "\n" not in text
    assert text.endswith("to prepare it anew, or train again")


@pytest.mark.parametrize(
    "content",
    [b"[]", b"{}", b"7", b'"inputs"', b'{"inputs": ["<f4", [2]], "targets": ["no kind", []], "answered": false}'],
)
def test_a_description_of_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    write_part(tmp_path / "part", [(STEPS, LABELS)])
    (tmp_path / "part/part.json").write_bytes(content)
    with pytest.raises(InputError, match="damaged: expected what was written when it was prepared"):
        open_part(tmp_path / "part")


@pytest.mark.parametrize("ends", [[5, 3, 5], [-1, 3, 5], [3, 5]])
def test_ends_that_cannot_be_are_refused(tmp_path: Path, ends: list[int]) -> None:
    write_part(tmp_path / "part", [(STEPS, LABELS), (STEPS[:1], LABELS[:1]), (STEPS[:1], LABELS[:1])])
    (tmp_path / "part/ends.bin").write_bytes(np.array(ends, np.int64).tobytes())
    with pytest.raises(InputError, match=r"ends\.bin: damaged"):
        open_part(tmp_path / "part")


def test_a_full_disk_is_said_in_one_line(tmp_path: Path) -> None:
    def sequences() -> Iterator[Pair]:
        yield STEPS, LABELS
        raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match=r"cannot be written \(no space left on device\); make room"):
        write_part(tmp_path / "part", sequences())
    assert not list(tmp_path.iterdir())


def test_a_part_that_never_was_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="missing"):
        open_part(tmp_path / "test")


def test_padding_puts_zeros_after_the_end() -> None:
    sequences = numbers(LENGTHS, (2,), "float32")
    got = padded(sequences, 8)
    assert got.shape == (8, len(LENGTHS), 2)
    for row, sequence in enumerate(sequences):
        assert np.array_equal(got[: len(sequence), row], sequence)
        assert not got[len(sequence) :, row].any()
