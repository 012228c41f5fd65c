"""Finding files, their format and their labels; texts and what is skipped."""

from pathlib import Path

import pytest

from peephole.data.classification.config import ClassificationData
from peephole.data.classification.item import Item, Skipped
from peephole.data.classification.sources import format_of, items_of
from peephole.errors import InputError


def found(paths: list[Path], data: ClassificationData, skipped: list[Skipped] | None = None) -> list[Item]:
    kind = format_of(paths, data)
    return list(items_of(paths, kind, data, [] if skipped is None else skipped))


def test_a_line_is_a_label_a_tab_and_a_text(tmp_path: Path) -> None:
    path = tmp_path / "said.txt"
    path.write_text("good\tWell done!\n\nbad\t\nbad\tOh\tno\n", encoding="utf-8")
    skipped: list[Skipped] = []
    items = found([path], ClassificationData(), skipped)
    assert [(item.label, item.content) for item in items] == [("good", "Well done!"), ("bad", "Oh\tno")]
    assert skipped == [Skipped(f"{path}, line 3", "no text")]
    path.write_text("good Well done!\n")
    with pytest.raises(InputError, match=r"line 1: got 'good Well done!'; expected a label, a tab and a text"):
        found([path], ClassificationData())


def test_a_folder_a_label(tmp_path: Path) -> None:
    for name, text in (("en/1.txt", "the"), ("de/1.txt", "der"), ("de/2.txt", " "), ("de/.hidden.txt", "x")):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    skipped: list[Skipped] = []
    items = found([tmp_path], ClassificationData(), skipped)
    assert [(item.label, item.content) for item in items] == [("de", "der"), ("en", "the")]
    assert [one.name for one in skipped] == [str(tmp_path / "de/2.txt")]


def test_labels_in_the_names_of_files(tmp_path: Path) -> None:
    for name in ("3_anna_0.wav", "4_anna_0.wav", "noise.wav"):
        (tmp_path / name).touch()
    skipped: list[Skipped] = []
    items = found([tmp_path], ClassificationData(label=r"(\d)_.*"), skipped)
    assert [(item.label, item.content) for item in items] == [
        ("3", tmp_path / "3_anna_0.wav"),
        ("4", tmp_path / "4_anna_0.wav"),
    ]
    assert skipped == [Skipped(str(tmp_path / "noise.wav"), "its name has no label")]


def test_files_that_say_nothing(tmp_path: Path) -> None:
    def refused(*names: str) -> str:
        for name in names:
            (tmp_path / name).touch()
        with pytest.raises(InputError) as caught:
            format_of([tmp_path / name for name in names], ClassificationData())
        return str(caught.value)

    (tmp_path / "empty").mkdir()
    assert "a folder without .txt or sound files" in refused("empty")
    assert ".doc; expected one of .ts, .csv" in refused("some.doc")
    assert "files of several formats" in refused("a.ts", "b.csv")
    with pytest.raises(InputError, match="not there"):
        format_of([tmp_path / "none.ts"], ClassificationData())
    assert format_of([tmp_path / "some.doc"], ClassificationData(format="text")) == "text"


def test_settings_outside_their_range() -> None:
    for settings, said in (
        ({"held_out_share": 1.0}, "--held-out-share is 1.0"),
        ({"folds": 1}, "--folds is 1"),
        ({"folds": 4, "fold": 4}, "--fold is 4; expected 0 to 3"),
        ({"label": "(["}, "expected a regular expression"),
        ({"label": "a"}, "expected a group around the label"),
        ({"bands": 0}, "--bands is 0"),
        ({"hop_milliseconds": 0.0}, "--hop-milliseconds is 0.0"),
    ):
        with pytest.raises(InputError) as caught:
            ClassificationData(**settings)
        assert said in str(caught.value)
