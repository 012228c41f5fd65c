"""From files of sentences to parts: what is learnt from training alone, what is held out, what is left out."""

import json
from pathlib import Path
from typing import Any

import pytest

from peephole.data.sequences.store import open_part
from peephole.data.translation.config import TranslationData
from peephole.data.translation.encoding import TranslationEncoding
from peephole.data.translation.preparing import prepare, read_texts
from peephole.data.translation.vocabulary import END, UNKNOWN
from peephole.errors import InputError

TRAIN = [(f"der hund {number}", f"the dog {number}") for number in range(1, 41)]
TEST = [("der hund 3", "the dog 3"), ("die katze , der hund", "the cat , the dog")]


def write(path: Path, pairs: list[tuple[str, str]]) -> Path:
    path.write_text("".join(f"{source}\t{target}\n" for source, target in pairs), encoding="utf-8")
    return path


def prepared(folder: Path, pairs: list[tuple[str, str]], **options: Any) -> tuple[TranslationEncoding, dict[str, Any]]:
    out = folder / "data"
    out.mkdir()
    files = (write(folder / "train.tsv", pairs),)
    encoding = prepare(TranslationData(files=files, **{"tokens": "words", **options}), out)
    return encoding, json.loads((out / "sentences.json").read_text(encoding="utf-8"))


def test_parts_and_texts(tmp_path: Path) -> None:
    test = (write(tmp_path / "test.tsv", TEST),)
    encoding, said = prepared(tmp_path, TRAIN, test=test, held_out=test)
    part = open_part(tmp_path / "data" / "test")
    assert len(part) == 2
    assert part.sequence(0)[0].tolist()[-1] == END
    assert part.target_lengths.tolist() == [4, 6]
    assert encoding.text(part.sequence(0)[1].tolist()) == "the dog <unk>"  # each number stands once in training
    assert part.sequence(1)[0].tolist()[:2] == [UNKNOWN, UNKNOWN]
    assert read_texts(tmp_path / "data", "test") == TEST
    assert encoding.longest == 3
    assert said["test"]["tokens"] == [8, 8]
    assert said["test"]["unknown"] == [4, 3]
    assert said["test"]["words"] == {"all": [8, 8], "not in training": [3, 2]}
    assert said["test"]["notes"] == ["1 of 2 sentences are in the training part too"]


def test_pieces_leave_few_unknown(tmp_path: Path) -> None:
    test = (write(tmp_path / "test.tsv", TEST),)
    _, said = prepared(tmp_path, TRAIN, test=test, held_out=test, tokens="pieces", vocabulary=60, min_count=1)
    assert said["train"]["unknown"] == [0, 0]
    assert said["test"]["unknown"][0] == 6  # i, k, a, t, z and the comma, which training lacks
    assert said["test"]["tokens"][0] > 8


def test_a_share_is_held_out_the_same_in_any_order(tmp_path: Path) -> None:
    for name, pairs in (("a", [*TRAIN, *TRAIN]), ("b", [*TRAIN, *TRAIN][::-1])):
        (tmp_path / name).mkdir()
        prepared(tmp_path / name, pairs, held_out_share=0.2)
    held = [set(read_texts(tmp_path / name / "data", "held_out")) for name in ("a", "b")]
    assert held[0] == held[1]
    assert len(held[0]) == 8
    assert len(read_texts(tmp_path / "a" / "data", "held_out")) == 16  # twins go together
    assert not held[0] & set(read_texts(tmp_path / "a" / "data", "train"))


def test_what_is_left_out_is_counted_and_named(tmp_path: Path) -> None:
    long = ("der hund 1 " * 5, "the dog")
    _, said = prepared(tmp_path, [long, ("", "the cat"), *TRAIN], longest_sentence=10)
    assert len(said["train"]["skipped"]) == 2
    assert "line 2: the sentence empty" in said["train"]["skipped"][0]
    assert "line 1: 15 tokens and 2 of its translation, more than --longest-sentence 10" in said["train"]["skipped"][1]


def test_a_long_sentence_stays_where_it_is_measured(tmp_path: Path) -> None:
    test = (write(tmp_path / "test.tsv", [("der hund 1 " * 5, "the dog")]),)
    _, said = prepared(tmp_path, TRAIN, test=test, longest_sentence=10)
    assert said["test"]["pairs"] == 1


def test_translations_that_are_the_sentence_itself_are_noticed(tmp_path: Path) -> None:
    _, said = prepared(tmp_path, [(f"a {number}", f"a {number}") for number in range(9)], min_count=1)
    assert said["train"]["notes"] == ["9 of 9 translations are the sentence itself"]


@pytest.mark.parametrize(
    ("pairs", "options", "said"),
    [
        ([("", "a"), ("b", "")], {}, "no pair with text on both sides"),
        ([("a a", "b b")] * 3, {}, "none of 3 pairs can be held out"),
        (TRAIN, {"longest_sentence": 2}, "longer than --longest-sentence 2"),
        ([("a", "b"), ("c", "d")], {}, "lower --min-count"),
        (TRAIN, {"tokens": "pieces", "min_count": 9999}, "no character stands 9999 times in training"),
    ],
)
def test_nothing_is_left_of_what_cannot_be_used(
    tmp_path: Path, pairs: list[tuple[str, str]], options: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        prepared(tmp_path, pairs, **options)
    assert not list(tmp_path.glob("data/*"))


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file to learn from"):
        prepare(TranslationData(), tmp_path)


def test_texts_that_are_gone(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="missing"):
        read_texts(tmp_path, "test")
