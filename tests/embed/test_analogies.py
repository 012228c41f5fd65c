"""Analogy questions: beside a loop over every word, on vectors whose answers are known, and from bad files."""

import json
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from peephole.embed.measuring.analogies import EPSILON, By, answers, measure_analogies
from peephole.embed.measuring.lookup import Lookup
from peephole.embed.measuring.questions import Section, read_questions
from peephole.embed.vectors import Vectors, unit
from peephole.errors import InputError


def by_hand(vectors: Vectors, asked: tuple[str, str, str], by: By) -> str:
    """The best word, of all that are spelled unlike the three, one by one."""
    rows = {word: row.astype(np.float64) for word, row in zip(vectors.words, unit(vectors.rows), strict=True)}
    a, b, c = (rows[word] for word in asked)
    left_out = {word.upper() for word in asked}
    best, found = -np.inf, ""
    for word, row in rows.items():
        if word.upper() in left_out:
            continue
        if by == "addition":
            score = row @ (b - a + c)
        else:
            score = (1 + row @ b) / 2 * (1 + row @ c) / 2 / ((1 + row @ a) / 2 + float(EPSILON))
        if score > best:
            best, found = score, word
    return found


@pytest.mark.parametrize("by", ["addition", "multiplication"])
def test_answers_are_those_of_a_loop_over_all_words(by: By) -> None:
    random = np.random.default_rng(0)
    words = tuple(f"{'W' if number % 7 else 'w'}{number % 1300}" for number in range(2100))  # in more than two blocks
    words = tuple(dict.fromkeys(words))
    vectors = Vectors(words, random.normal(size=(len(words), 6)).astype(np.float32))
    lookup = Lookup.of(vectors)
    asked = lookup.alike[random.integers(0, len(words), (150, 3))]
    assert len(set(lookup.alike.tolist())) < len(words)  # some differ in capitals alone
    found = [words[place] for place in answers(lookup, asked, by)]
    assert found == [by_hand(vectors, tuple(words[place] for place in row), by) for row in asked.tolist()]


def planted() -> tuple[Vectors, tuple[Section, ...]]:
    """Countries with capitals, verbs with past tenses, each pair the same step apart; a wrong pair in the second."""
    random = np.random.default_rng(1)
    stems = random.normal(size=(12, 40))
    steps = random.normal(size=(2, 40))
    rows = np.concatenate([stems[:6], stems[:6] + steps[0], stems[6:], stems[6:] + steps[1]])
    rows[23] = random.normal(size=40)  # the past tense of the last verb
    words = [f"{kind}{number}" for kind in ("land", "city", "do", "did") for number in range(6)]
    both = list(permutations(range(6), 2))
    sections = [
        Section(name, tuple((f"{one}{i}", f"{other}{i}", f"{one}{j}", f"{other}{j}") for i, j in both))
        for name, one, other in (("capital", "City", "LAND"), ("gram7-past-tense", "do", "did"))
    ]
    return Vectors(tuple(words), rows.astype(np.float32)), (*sections, Section("none", (("x", "y", "land1", "city1"),)))


def test_what_was_planted_is_found() -> None:
    vectors, sections = planted()
    found = measure_analogies(vectors, sections)
    assert [(one.name, one.questions, one.known) for one in found.sections] == [
        ("capital", 30, 30), ("gram7-past-tense", 30, 30), ("none", 1, 0),
    ]  # fmt: skip
    capital, past, none = found.sections
    assert (capital.accuracy, none.accuracy) == (1.0, None)
    expected = [by_hand(vectors, (a, b, c), "addition") == d for a, b, c, d in sections[1].questions]
    assert past.right == sum(expected) == 23  # all but some that ask for, or by, the wrong pair
    assert [(one.name, one.known, one.right) for one in found.kinds] == [("semantic", 30, 30), ("syntactic", 30, 23)]
    assert (found.total.questions, found.total.known, found.total.right) == (61, 60, 53)
    assert int(found.right.sum()) == 53
    assert found.verdict.startswith(
        "88.3 % of 60 analogy questions are answered right (100.0 % of the semantic and 76.7 %"
    )
    assert "1 of 61 questions have a word that is not among them" in found.verdict
    assert found.rows[2] == ("none", "-", "0", "0 of 1")
    assert json.loads(json.dumps(found.as_dict()))["syntactic"]["accuracy"] == pytest.approx(23 / 30)
    ax = Figure().subplots()
    found.plot(ax)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["gram7-past-tense", "capital"]


def test_capitals_matter_where_that_is_said() -> None:
    vectors, sections = planted()
    found = measure_analogies(vectors, sections, match_case=True)
    assert [one.known for one in found.sections] == [0, 30, 0]  # City0 is not city0


def test_only_the_most_frequent_words_are_known() -> None:
    vectors, sections = planted()
    first = measure_analogies(vectors, sections, restrict=12)
    assert [one.known for one in first.sections] == [30, 0, 0]
    assert first.searched == 12
    counted = Vectors(vectors.words, vectors.rows, np.arange(1, 25))
    last = measure_analogies(counted, sections, restrict=12)
    assert [one.known for one in last.sections] == [0, 30, 0]
    with pytest.raises(InputError, match=r"none of 61 questions has all four words among the 3 most frequent words"):
        measure_analogies(vectors, sections, restrict=3)
    with pytest.raises(InputError, match="--restrict is 0"):
        measure_analogies(vectors, sections, restrict=0)


def test_a_question_without_any_other_word_is_wrong() -> None:
    vectors = Vectors(("a", "b", "c"), np.eye(3, dtype=np.float32))
    assert measure_analogies(vectors, [Section("s", (("a", "b", "c", "a"),))]).total.right == 0


def test_vectors_of_zeros_are_never_an_answer_that_divides_by_zero() -> None:
    rows = np.array([[1, 0], [0, 1], [1, 1], [0, 0]], np.float32)
    found = measure_analogies(Vectors(("a", "b", "c", "zero"), rows), [Section("s", (("a", "b", "zero", "c"),))])
    assert found.total.right == 1


def test_questions_are_read(tmp_path: Path) -> None:
    path = tmp_path / "questions.txt"
    path.write_bytes("\ufeff: one two\r\n\r\na b c d\r\n: empty\n:three\n  é f  g\th\n".encode())
    assert read_questions(path) == (
        Section("one two", (("a", "b", "c", "d"),)),
        Section("three", (("é", "f", "g", "h"),)),
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no question in it"),
        (b": a\n: b\n", "no question in it"),
        (b"a b c d\n", "line 1, 'a b c d', stands before any section"),
        (b": a\nb c d e\nb c d\n", "line 3, 'b c d', has 3 words; expected four"),
        (b": a\nb\n", "line 2, 'b', has 1 word; expected four"),
        (b": a\nb c d e f\n", "has 5 words"),
        (b": a\n\xff\xfe\n", "line 2 is not UTF-8"),
        (b": a\nb c\0d e\n", "line 2 holds binary data"),
        (b": a\n" + b"b " * 5001, "line 2 is longer than 10,000 bytes"),
        (None, "cannot be read (no such file or directory)"),
    ],
)
def test_files_without_questions(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "questions.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_questions(path)
    assert said in str(error.value)
    assert str(path) in str(error.value)
