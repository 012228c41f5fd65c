"""Parts that are called so, by name or by folder, and what is not taken for one."""

import logging
from pathlib import Path

import pytest

from peephole.data.config import TextData
from peephole.data.parts import NamedParts, named_parts
from peephole.errors import InputError


def folder_with(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"the text of {name}\n" * 20)
    return folder


def shown(parts: NamedParts) -> list[list[str]]:
    return [[path.name for path in part] for part in (parts.train, parts.validation, parts.test, parts.left_out)]


@pytest.mark.parametrize(
    ("names", "train", "validation", "test"),
    [
        ("train.txt valid.txt test.txt", "train.txt", "valid.txt", "test.txt"),
        ("a.train.tokens a.valid.tokens a.test.tokens", "a.train.tokens", "a.valid.tokens", "a.test.tokens"),
        ("training.txt validation.txt", "training.txt", "validation.txt", ""),
        ("train.txt dev.txt", "train.txt", "dev.txt", ""),
        ("train val test", "train", "val", "test"),
        ("train.txt test.txt", "train.txt", "", "test.txt"),
        ("news_TRAIN.txt news_Dev.txt", "news_TRAIN.txt", "news_Dev.txt", ""),
        ("train-00001-of-00002.txt train-00002-of-00002.txt valid-00001-of-00001.txt",
         "train-00001-of-00002.txt train-00002-of-00002.txt", "valid-00001-of-00001.txt", ""),
        ("train/a.txt train/b.txt dev/c.txt test/d.txt", "a.txt b.txt", "c.txt", "d.txt"),
        ("train/train1.txt valid/valid1.txt", "train1.txt", "valid1.txt", ""),
    ],
)  # fmt: skip
def test_parts_are_found_by_their_names(tmp_path: Path, names: str, train: str, validation: str, test: str) -> None:
    folder = folder_with(tmp_path, *names.split())
    expected = [train.split(), validation.split(), test.split(), []]
    assert shown(named_parts(TextData((folder,)))) == expected
    assert shown(named_parts(TextData((folder,), split="named"))) == expected
    found = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    assert sorted(map(sorted, shown(named_parts(TextData(tuple(found)))))) == sorted(map(sorted, expected))


def test_small_files_beside_them_are_left_out_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = folder_with(tmp_path, "train.txt", "valid.txt")
    (folder / "LICENCE.txt").write_text("free")
    with caplog.at_level(logging.INFO):
        assert shown(named_parts(TextData((folder,)))) == [["train.txt"], ["valid.txt"], [], ["LICENCE.txt"]]
    assert "1 files to train on, 1 to validate with, 0 to test with, 1 left out" in caplog.text


@pytest.mark.parametrize(
    "names",
    [
        "chapter1.txt chapter2.txt test.txt",
        "valid.txt test.txt",
        "train.py test_model.py model.py layers.py data.py",
        "training_day.txt testimony.txt valids.txt",
        "train.txt test.md",
    ],
)
def test_other_names_are_no_parts(tmp_path: Path, names: str) -> None:
    folder = folder_with(tmp_path, *names.split())
    assert shown(named_parts(TextData((folder,)))) == [sorted(names.split()), [], [], []]


def test_other_splits_ask_for_no_parts(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "train.txt", "valid.txt")
    assert shown(named_parts(TextData((folder,), split="file")))[1] == []
    assert shown(named_parts(TextData((folder,), split="position")))[0] == ["train.txt", "valid.txt"]


def test_files_named_one_by_one_come_first(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "set/train.txt", "set/valid.txt", "set/test.txt", "own.txt", "other.txt")
    data = TextData((folder / "set",), validation=(folder / "own.txt",))
    assert shown(named_parts(data)) == [["train.txt"], ["own.txt"], ["test.txt"], []]
    data = TextData((folder / "own.txt", folder / "other.txt"), test=(folder / "other.txt",))
    assert shown(named_parts(data)) == [["own.txt"], [], ["other.txt"], []]
    data = TextData((folder,), split="auto", validation=(folder / "set",), test=(folder / "own.txt",))
    assert shown(named_parts(data)) == [["other.txt"], ["test.txt", "train.txt", "valid.txt"], ["own.txt"], []]


def refusal(data: TextData) -> str:
    with pytest.raises(InputError) as caught:
        named_parts(data)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_parts_that_cannot_be_are_refused(tmp_path: Path) -> None:
    folder = folder_with(
        tmp_path, "a/train.txt", "a/valid.txt", "a/char.train.txt", "a/char.valid.txt", "b.txt", "c.txt"
    )
    assert "are each a set of parts: expected one" in refusal(TextData((folder / "a",)))
    assert "no files are called train and valid" in refusal(TextData((folder / "b.txt",), split="named"))
    b, c = (folder / "b.txt",), (folder / "c.txt",)
    assert "b.txt: named as validation and as test" in refusal(TextData(c, validation=b, test=b))
    assert "every file is named as validation or test" in refusal(TextData(b, test=b))
    assert "missing.txt: cannot be read" in refusal(TextData(b, validation=(folder / "missing.txt",)))
    with pytest.raises(InputError, match="split is file with validation: expected one of them"):
        TextData(c, validation=b, split="file")
