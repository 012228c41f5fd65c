"""Sentences with their translations from files, and a refusal that says where for what does not go together."""

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from peephole.data.translation.config import TranslationData
from peephole.data.translation.parting import parting_line
from peephole.data.translation.reading import read_pairs
from peephole.data.translation.sentences import SentencePair, Tally
from peephole.errors import InputError


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(*files: Path, tally: Tally | None = None, **options: Any) -> list[SentencePair]:
    return list(read_pairs(files, TranslationData(**options), tally))


def refusal(*files: Path, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(*files, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def texts(pairs: list[SentencePair]) -> list[tuple[str, str]]:
    return [(pair.source, pair.target) for pair in pairs]


def test_two_files_side_by_side(tmp_path: Path) -> None:
    one = write(tmp_path / "a.de", "\ufeffein  Hund \r\nzwei\u2028Katzen\r\ndrei")
    other = write(tmp_path / "a.en", "a dog\ntwo cats\nthree\n")
    pairs = read(one, other)
    assert texts(pairs) == [("ein Hund", "a dog"), ("zwei Katzen", "two cats"), ("drei", "three")]
    assert pairs[1].place == f"{one}, line 2"
    assert texts(read(one, other, lower=True))[0] == ("ein hund", "a dog")


def test_several_pairs_of_files_and_tables(tmp_path: Path) -> None:
    files = [write(tmp_path / name, f"{name}\n") for name in ("1.de", "1.en", "2.de", "2.en")]
    table = write(tmp_path / "t.tsv", "x\ty\n")
    assert texts(read(files[0], files[1], table, files[2], files[3])) == [
        ("x", "y"),
        ("1.de", "1.en"),
        ("2.de", "2.en"),
    ]


def test_a_table_by_its_name_or_because_it_is_alone(tmp_path: Path) -> None:
    for name in ("t.tsv", "t.txt"):
        assert texts(read(write(tmp_path / name, "ein Hund\ta dog\n\nx\ty"))) == [("ein Hund", "a dog"), ("x", "y")]
    table = write(tmp_path / "t.txt", "a\tb\tc\nd\te\tf\n")
    assert texts(read(table, columns=(3, 1))) == [("c", "a"), ("f", "d")]


def test_characters_are_composed_as_unicode_wants(tmp_path: Path) -> None:
    assert texts(read(write(tmp_path / "t.tsv", "ma\u0308nner\tmen\n"))) == [("m\u00e4nner", "men")]


def test_an_empty_side_is_left_out_and_named(tmp_path: Path) -> None:
    tally = Tally()
    one, other = write(tmp_path / "a", "x\n \n\nw\n"), write(tmp_path / "b", "y\nz\n\n\n")
    assert texts(read(one, other, tally=tally)) == [("x", "y")]
    assert tally.skipped == [
        f"{one}, line 2: the sentence empty",
        f"{one}, line 3: both sides empty",
        f"{one}, line 4: the translation empty",
    ]
    assert tally.pairs == 1


def test_files_of_different_length_are_refused_with_the_line_where_they_part_ways(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    lines = ["x" * int(random.integers(5, 120)) for _ in range(300)]
    one = write(tmp_path / "a.de", "\n".join(lines) + "\n")
    other = write(tmp_path / "a.en", "\n".join(line[1:] for line in lines[:170] + lines[171:]) + "\n")
    said = refusal(one, other)
    assert "a.de has 300 lines" in said
    assert "299" in said
    place = re.search(r"near line (\d+)", said)
    assert place is not None
    assert abs(int(place[1]) - 171) <= 1
    longer = write(tmp_path / "b.en", "\n".join([*lines, "more", "still more"]))
    assert "the lines of" in refusal(one, longer)
    assert "b.en from 301 on have no counterpart" in refusal(one, longer)
    spread = write(tmp_path / "c.en", "\n\n".join(lines))
    assert "without empty lines both have 300" in refusal(one, spread)


def test_where_lengths_of_lines_part_ways() -> None:
    random = np.random.default_rng(1)
    sources = ["a" * int(size) for size in random.integers(10, 100, 500)]
    targets = ["b" * round(len(line) * 1.2 + random.normal(0, 3)) for line in sources]
    for place in (0, 40, 250, 460):
        assert abs(parting_line(sources, [*targets[:place], "b" * 30, *targets[place:]]) - (place + 1)) <= 3
        assert abs(parting_line(sources[:place] + sources[place + 1 :], targets) - (place + 1)) <= 3
    assert parting_line(sources[:-5], targets) == 496
    assert parting_line([], ["x"]) == 1
    assert parting_line(["same"] * 5, ["same"] * 7) == 6


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a\tb\nc\n", r"t\.tsv, line 2: 1 column in 'c'; expected 2, .* name the file of translations after it"),
        ("a\tb\tc\n", r"line 1: 3 columns .* say which two by --columns 1 2"),
        (b"a\tb\n\xff\xfe\tc\n", r"t\.tsv: not UTF-8 at byte 4"),
        ("", r"t\.tsv: an empty file: expected text"),
        ("a\tb\n".encode("utf-16"), r"t\.tsv: a binary file .* pass --encoding utf-16"),
    ],
)
def test_tables_that_are_refused(tmp_path: Path, content: str | bytes, said: str) -> None:
    assert re.search(said, refusal(write(tmp_path / "t.tsv", content)))


def test_columns_that_a_row_lacks(tmp_path: Path) -> None:
    assert "expected 3 or more for --columns 3 1" in refusal(write(tmp_path / "t.tsv", "a\tb\n"), columns=(3, 1))


def test_files_that_do_not_come_in_pairs(tmp_path: Path) -> None:
    one, other = write(tmp_path / "a", "x\n"), write(tmp_path / "b", "y\n")
    (tmp_path / "link").symlink_to(one)
    assert "3 files of sentences; expected an even number" in refusal(one, other, write(tmp_path / "c", "z\n"))
    assert "the same file as" in refusal(one, one)
    assert "the same file as" in refusal(one, tmp_path / "link")
    assert "no such file" in refusal(one, tmp_path / "gone")
    assert "a folder; expected a file of sentences" in refusal(one, tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "save what it carries to one" in refusal(one, tmp_path / "pipe")
    assert "1 file of sentences" in refusal(one, format="pairs")


@pytest.mark.usefixtures("unchecked_annotations")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"held_out_share": 1.0}, "--held-out-share is 1.0"),
        ({"vocabulary": 5}, "--vocabulary is 5"),
        ({"min_count": 0}, "--min-count is 0"),
        ({"longest_sentence": 1}, "--longest-sentence is 1"),
        ({"tokens": "letters"}, "--tokens is 'letters'; expected one of words, pieces"),
        ({"words": "none"}, "--words is 'none'"),
        ({"format": "csv"}, "--format is 'csv'"),
        ({"columns": (1, 1)}, "--columns is"),
    ],
)
def test_settings_outside_their_range(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        TranslationData(**options)
