"""Labelled sentences from files: every format, and a refusal with file and line for what is malformed."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from peephole.data.tagging.config import TaggingData
from peephole.data.tagging.reading import read_files
from peephole.data.tagging.sentences import Sentence, Tally
from peephole.errors import InputError

CONLLU = """\
# newdoc id = made
# text = I'm in New York
1-2\tI'm\t_\t_\t_\t_\t_\t_\t_\tSpaceAfter=Yes
1\tI\tI\tPRON\tPRP\tCase=Nom|Number=Sing\t4\tnsubj\t4:nsubj\tNER=O
2\t'm\tbe\tAUX\tVBP\t_\t4\tcop\t4:cop\tNER=O
2.1\tsomewhere\t_\t_\t_\t_\t_\t_\t_\t_
3\tin\tin\tADP\tIN\t_\t4\tcase\t4:case\tNER=O|Gloss=x=y
4\tNew York\tNew York\tPROPN\tNNP\tNumber=Sing\t0\troot\t0:root\tNER=B-PLACE

1\t#\t#\t_\tNN\t_\t0\troot\t0:root\t_
"""
COLUMNS = "-DOCSTART- -X- O\n\nEU NNP B-ORG\nrejects VBZ O\n\n  \n# SYM O\n"


@dataclass
class Reading:
    sentences: list[Sentence]
    tally: Tally


def read(folder: Path, text: str, name: str = "made.txt", **options: Any) -> Reading:
    (folder / name).write_text(text, encoding="utf-8", newline="")
    tally = Tally()
    return Reading(list(read_files((folder / name,), TaggingData(**options), tally)), tally)


def refusal(folder: Path, text: str, name: str = "made.txt", **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(folder, text, name, **options)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("column", "labels"),
    [
        ("auto", ["PRON", "AUX", "ADP", "PROPN"]),
        ("xpos", ["PRP", "VBP", "IN", "NNP"]),
        ("5", ["PRP", "VBP", "IN", "NNP"]),
        ("deprel", ["nsubj", "cop", "case", "root"]),
        ("feats", ["Case=Nom|Number=Sing", "_", "_", "Number=Sing"]),
        ("feats:Case", ["Nom", "_", "_", "_"]),
        ("misc:NER", ["O", "O", "O", "B-PLACE"]),
        ("-1", ["NER=O", "NER=O", "NER=O|Gloss=x=y", "NER=B-PLACE"]),
    ],
)
def test_every_column_of_conllu(tmp_path: Path, column: str, labels: list[str]) -> None:
    reading = read(tmp_path, CONLLU, column=column)
    first, second = reading.sentences
    assert first.words == ("I", "'m", "in", "New York")
    assert list(first.labels) == labels
    assert first.lines == (4, 5, 7, 8)
    assert second.words == ("#",)
    assert second.place() == f"{tmp_path / 'made.txt'}, line 10"
    assert reading.tally.passed == {"multiword tokens": 1, "empty nodes": 1}


def test_a_word_without_a_label_gets_the_stand_in(tmp_path: Path) -> None:
    reading = read(tmp_path, CONLLU, column="misc:NER", missing="O")
    assert reading.sentences[1].labels == ("O",)


def test_the_library_of_the_format_reads_the_same(tmp_path: Path, data_folder: Callable[[str], Path]) -> None:
    conllu = pytest.importorskip("conllu")
    whole = (data_folder("ud_english_ewt") / "en_ewt-ud-dev.conllu").read_text(encoding="utf-8")
    text = "\n\n".join(whole.split("\n\n")[:200]) + "\n\n"
    found = read(tmp_path, text, column="xpos").sentences
    for sentence, theirs in zip(found, conllu.parse(text), strict=True):
        words = [token for token in theirs if isinstance(token["id"], int)]
        assert list(sentence.words) == [token["form"] for token in words]
        assert list(sentence.labels) == [token["xpos"] for token in words]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("parted", [" ", "\t", "   "])
def test_columns_whatever_parts_them(tmp_path: Path, end: str, parted: str) -> None:
    text = "\ufeff" + COLUMNS.replace(" ", parted).replace("\n", end)
    reading = read(tmp_path, text.rstrip())  # the last line has no end
    assert [sentence.words for sentence in reading.sentences] == [("EU", "rejects"), ("#",)]
    assert [sentence.labels for sentence in reading.sentences] == [("B-ORG", "O"), ("O",)]
    assert reading.tally.passed == {"document marks": 1}
    assert [sentence.labels for sentence in read(tmp_path, text, column="2").sentences][1] == ("SYM",)
    assert read(tmp_path, text, column="1", word_column=3).sentences[1].words == ("O",)


def test_words_with_spaces_need_tabs(tmp_path: Path) -> None:
    assert read(tmp_path, "New York\tPLACE\n\xa0a\tX\n").sentences[0].words == ("New York", "\xa0a")


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        (CONLLU.replace("3\tin\tin\tADP\tIN\t_", "3\tin\tin\tADP\tIN"), "a.conllu", "line 7: 9 columns parted by tabs"),
        (CONLLU.replace("3\tin", "4\tin"), "a.conllu", "line 7: the word's number is '4'; expected 3"),
        (CONLLU.replace("3\tin", "x\tin"), "a.conllu", "line 7: the word's number is 'x'; expected 3"),
        (CONLLU.replace("3\tin\t", "3\t\t"), "a.conllu", "line 7: the column of the word is empty"),
        (CONLLU.replace("\tADP\t", "\t\t"), "a.conllu", "line 7: upos is empty"),
        ("a X\nb\n", "a.txt", "line 2: 1 columns parted by spaces; expected 2, as in the lines before"),
        ("a\tX\nb\t\n", "a.txt", "line 2: a word or a label is empty"),
        ("a\nb\n", "a.txt", "line 1: 1 columns parted by spaces; expected at least 2"),
        ("\n \n", "a.txt", "no sentence in it"),
        ("# only a comment\n", "a.conllu", "no sentence in it"),
        ("1\ta\t_\t_\t_\t_\t0\troot\t_\t_\n", "a.conllu", "none of its 1 words has a label in auto"),
    ],
)
def test_what_is_malformed_is_refused_with_its_line(tmp_path: Path, text: str, name: str, said: str) -> None:
    assert said in refusal(tmp_path, text, name)


def test_files_that_are_no_sentences(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.txt: no such file"):
        list(read_files((tmp_path / "none.txt",), TaggingData()))
    (tmp_path / "latin.txt").write_bytes("é X\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"latin\.txt: not UTF-8 at byte 0"):
        list(read_files((tmp_path / "latin.txt",), TaggingData()))
    assert next(read_files((tmp_path / "latin.txt",), TaggingData(encoding="latin-1"))).words == ("é",)
    assert "its columns have no names" in refusal(tmp_path, "a X\n", column="upos")
    for column in ("11", "-11"):
        with pytest.raises(InputError, match=f"--column is {column}, and CoNLL-U has 10"):
            read(tmp_path, CONLLU, column=column)


def test_malformed_sentences_can_be_left_out_and_are_named(tmp_path: Path) -> None:
    reading = read(tmp_path, "a X\nb Y\n\nc\n\nd X\n", skip=True)
    assert [sentence.words for sentence in reading.sentences] == [("a", "b"), ("d",)]
    assert len(reading.tally.skipped) == 1
    assert re.search(r"made\.txt, line 4: 1 columns", reading.tally.skipped[0])


@pytest.mark.parametrize(
    "options",
    [
        {"held_out_share": 0.0},
        {"held_out_share": 1.0},
        {"column": "0"},
        {"column": "pos"},
        {"column": "xpos:Case"},
        {"column": "misc:"},
        {"min_count": 0},
        {"longest_word": 1},
        {"word_column": 0},
        {"missing": ""},
    ],
)
def test_settings_outside_their_range(options: dict[str, Any]) -> None:
    name = next(iter(options)).replace("_", "-")
    with pytest.raises(InputError, match=f"--{name}"):
        TaggingData(**options)
