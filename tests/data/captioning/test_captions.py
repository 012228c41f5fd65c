"""Files of captions in all formats, and what is wrong with them."""

import json
from pathlib import Path
from typing import Any

import pytest

from peephole.data.captioning.captions import read_captions, words_of
from peephole.data.captioning.config import CaptioningData
from peephole.errors import InputError


def read(path: Path, text: str, **options: Any) -> list[tuple[str, str]]:
    path.write_text(text, encoding="utf-8")
    return [(one.name, one.text) for one in read_captions([path], CaptioningData(**options))]


def test_tabs_with_and_without_numbers(tmp_path: Path) -> None:
    text = "\ufeffa.jpg#0\tA dog .\r\na.jpg#1\t A dog runs \n\nfolder/b.png\t\n"
    found = read(tmp_path / "captions.txt", text)
    assert found == [("a.jpg", "A dog ."), ("a.jpg", "A dog runs"), ("folder/b.png", "")]


@pytest.mark.parametrize("separator", [",", ";", "| "])
def test_a_table(tmp_path: Path, separator: str) -> None:
    rows = ["Image", "number", "caption"], ["a.jpg", "0", '"A dog, black; or | not"'], ["", "", ""], ["b.jpg", "1", "B"]
    text = "\n".join(separator.join(row) for row in rows)
    assert read(tmp_path / "t.csv", text) == [("a.jpg", "A dog, black; or | not"), ("b.jpg", "B")]


def test_columns_of_a_table_are_named(tmp_path: Path) -> None:
    found = read(tmp_path / "t.csv", "file,said\na.jpg,A dog\n", image_column="file", caption_column="said")
    assert found == [("a.jpg", "A dog")]


def test_annotations_as_coco_has_them(tmp_path: Path) -> None:
    images = [{"id": 7, "file_name": "a.jpg"}, {"id": 8, "file_name": "b.jpg"}]
    annotations = [{"image_id": 8, "caption": "B\n"}, {"image_id": 7, "caption": "A"}]
    found = read(tmp_path / "captions.json", json.dumps({"images": images, "annotations": annotations}))
    assert found == [("b.jpg", "B"), ("a.jpg", "A")]


def test_pictures_lie_beside_the_file_or_where_it_is_said(tmp_path: Path) -> None:
    path = tmp_path / "captions.txt"
    path.write_text("a.jpg\tA")
    assert next(read_captions([path], CaptioningData())).picture == tmp_path / "a.jpg"
    assert next(read_captions([path], CaptioningData(images=tmp_path / "x"))).picture == tmp_path / "x" / "a.jpg"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("c.tsv", "a.jpg\tA\nb.jpg B\n", r"c.tsv, line 2: got 'b.jpg B'; expected the name of a picture, a tab"),
        ("c.tsv", "#0\tA\n", "c.tsv, line 1: no name before the caption"),
        ("c.tsv", "a.jpg\tA\tdog\n", "c.tsv, line 1: 3 columns parted by tabs; expected two"),
        ("c.csv", "name,caption\na.jpg,A\n", "line 1: got 'name,caption'; expected the columns image and caption"),
        ("c.csv", "image,caption\n\na.jpg\n", "c.csv, line 3: 1 columns; expected 2"),
        ("c.csv", 'image,caption\na.jpg,"A dog\n', "c.csv, line 2: .*; expected a row of a table"),
        ("c.json", "{", "c.json, line 1: not JSON"),
        ("c.json", "[]", "c.json: got a list; expected images with id"),
        ("c.json", '{"images": []}', "not COCO's annotations of captions .got no 'annotations'"),
        ("c.json", '{"images": [], "annotations": [{"image_id": 1, "caption": "A"}]}', "annotation 1: got image_id 1"),
    ],
)
def test_what_is_no_caption_is_refused_with_its_place(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read(tmp_path / name, text)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no\.txt: cannot be read .no such file"):
        list(read_captions([tmp_path / "no.txt"], CaptioningData()))
    path = tmp_path / "latin.txt"
    path.write_bytes("a.jpg\tA\nb.jpg\tcafé\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"latin.txt, line 2: not utf-8 .*--encoding"):
        list(read_captions([path], CaptioningData()))
    assert [one.text for one in read_captions([path], CaptioningData(encoding="latin-1"))] == ["A", "café"]
    with pytest.raises(InputError, match="--encoding is 'klingon'"):
        list(read_captions([path], CaptioningData(encoding="klingon")))


def test_words_are_lower_case_without_punctuation() -> None:
    assert words_of("A dog's t-shirt -- 'red' , isn’t it ?") == ["a", "dog's", "t-shirt", "red", "isn’t", "it"]
    assert words_of("黒い犬 2") == ["黒", "い", "犬", "2"]
    assert words_of(" _ . ") == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"held_out_share": 0.0}, "--held-out-share is 0.0"),
        ({"skipped_share": 1.5}, "--skipped-share is 1.5"),
        ({"size": 100}, "--size is 100; expected 32 to 512 pixels, a multiple of 16"),
        ({"min_count": 0}, "--min-count is 0"),
        ({"held_out": (Path("a"),), "held_out_list": Path("b")}, "both --held-out and --held-out-list are given"),
    ],
)
def test_settings_that_cannot_be(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        CaptioningData(**options)
