"""`peephole words` on files of vectors: everything that can be asked at once, one thing at a time, and refusals."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from peephole.embed.files.writing import write_vectors
from peephole.embed.vectors import Vectors

Cli = Callable[..., Any]
COUNTRIES = ("Greece Athens", "Norway Oslo", "France Paris", "Italy Rome", "Spain Madrid", "Japan Tokyo", "Peru Lima")


def vectors(width: int, words: int) -> Vectors:
    """Lower-case names whose capitals lie one step beside them, then a few others."""
    random = np.random.default_rng(0)
    pairs = [pair.lower().split() for pair in COUNTRIES]
    lands = random.normal(size=(len(pairs), width))
    cities = lands + random.normal(size=width)
    names = [country for country, _ in pairs] + [capital for _, capital in pairs]
    names += ["king", "man", "woman", "queen"]
    king, man, woman = random.normal(size=(3, width))
    rows = np.concatenate([lands, cities, [king, man, woman, king - man + woman], random.normal(size=(words, width))])
    return Vectors((*names, *(f"other{place}" for place in range(words))), rows.astype(np.float32))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_vectors(vectors(20, 30), tmp_path / "vectors.bin")
    write_vectors(vectors(24, 10), tmp_path / "wider.txt")
    pairs = [pair.split()[::-1] for pair in COUNTRIES]
    lines = [" ".join((*one, *other)) for one in pairs for other in pairs if one is not other]
    (tmp_path / "questions.txt").write_text(
        ": capital-few\n" + "\n".join(lines) + "\n: gram1\nman king woman queen\na b c d\n"
    )
    (tmp_path / "set.txt").write_text("Greece\tAthens\t9\nGreece\tking\t1\nman\tqueen\t3\nman\tzzz\t3\n")
    (tmp_path / "none.txt").write_text(": a\nb c d e\n")
    (tmp_path / "wrong.txt").write_text(": a\nb c d\n")
    (tmp_path / "pairs.txt").write_text("a b 1\na b\n")
    (tmp_path / "folder").mkdir()
    return tmp_path


def test_everything_at_once(place: Path, cli: Cli) -> None:
    asked = ("--analogies", "questions.txt", "--similarity", "set.txt", "--picture", "capitals.svg", "--pairs", 4)
    outcome = cli("words", "vectors.bin", "king", "-", "man", "+", "woman", "king", *asked, "--count", 2)
    assert outcome.code == 0, outcome.err
    assert "one-hot" not in outcome.out  # the density only where nothing else is asked for
    assert "of 43 analogy questions are answered right" in outcome.out
    assert "capital-few" in outcome.out
    assert "on set; both words of 3 of 4 pairs" in outcome.out
    assert "From 7 countries to their capitals the same step leads" in outcome.out
    assert "\nking - man + woman: queen 1.00, " in outcome.out
    assert "\nking: queen " in outcome.out
    assert outcome.out.endswith("wrote capitals.svg\n")
    picture = (place / "capitals.svg").read_text()
    assert picture.count(">greece<") == picture.count(">athens<") == 1
    assert ">lima<" not in picture  # not among the four most frequent pairs
    found = json.loads(cli("words", "vectors.bin", "king", *asked, "--json").out)
    assert (found["analogies"]["total"]["known"], found["analogies"]["total"]["questions"]) == (43, 44)
    assert found["analogies"]["syntactic"]["accuracy"] == 1.0
    assert found["similarity"]["sets"][0]["known"] == 3
    assert (found["capitals"]["percentile"] >= 99, found["capitals"]["figure"]) == (True, "capitals.svg")
    assert found["nearest"]["king"][0]["word"] == "queen"
    assert "projected" not in found


def test_the_density_where_nothing_else_is_asked(place: Path, cli: Cli) -> None:
    outcome = cli("words", "wider.txt")
    assert outcome.out.startswith("28 one-hot vectors lie 1.414 apart")
    outcome = cli("words", "wider.txt", "--similarity", "set.txt", "--out", "density.png")
    assert outcome.out.startswith("28 one-hot vectors lie 1.414 apart")
    assert (place / "density.png").read_bytes().startswith(b"\x89PNG")


def test_two_sets_of_vectors_of_different_size(place: Path, cli: Cli) -> None:
    asked = ("king", "other20", "--beside", "wider.txt", "--analogies", "questions.txt", "--similarity", "set.txt")
    outcome = cli("words", "vectors.bin", *asked)
    assert outcome.code == 0, outcome.err
    assert "48 and 28, 28 in common" in outcome.out
    assert "cannot be taken: 20 numbers a word and 24" in outcome.out
    assert "of 44 questions both know 43" in outcome.out
    assert "of 4 pairs both know 3" in outcome.out
    assert "other20 (wider.txt): not there" in outcome.out
    found = json.loads(cli("words", "vectors.bin", *asked, "--json").out)["beside"]
    assert (found["numbers"], found["cosine"]) == ([20, 24], None)
    assert found["analogies"]["total"]["known"] == 43
    assert list(found["nearest"]) == ["king"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("vectors.bin --analogies none.txt", "none of 1 questions has all four words among the 48 words"),
        ("vectors.bin --analogies wrong.txt", "wrong.txt: line 2, 'b c d', has 3 words"),
        ("vectors.bin --analogies missing.txt", "missing.txt: cannot be read"),
        ("vectors.bin --similarity pairs.txt", "pairs.txt: line 2 is 'a b'"),
        ("vectors.bin --similarity", "--similarity names no file"),
        ("vectors.bin --analogies none.txt --beside wider.txt", "none of the questions has all its words in both"),
        ("vectors.bin --picture capitals.gif", "--picture is capitals.gif; expected a file that ends in"),
        ("vectors.bin --picture no/capitals.svg", "there is no such folder to hold it; choose another --picture"),
        ("vectors.bin --picture capitals.svg --pairs 1", "--pairs is 1; expected at least 2"),
        ("vectors.bin --picture capitals.svg --restrict 1", "are with their capitals among the 1 most"),
        ("vectors.bin --restrict 0", "--restrict is 0; expected at least 1"),
        ("vectors.bin kingg", "spelled much like it: king"),
        ("vectors.bin king -", "no word after the -"),
        ("questions.txt", "questions.txt: begins with ': capital-few'"),
        ("missing.bin", "missing.bin: no such file or folder; expected a file of vectors"),
        ("folder", "folder: a folder without config.json, and no run; expected a file of vectors"),
        ("vectors.bin --beside missing.bin", "missing.bin: no such file or folder"),
    ],
)  # fmt: skip
def test_one_line_and_nothing_written(place: Path, cli: Cli, words: str, said: str) -> None:
    before = sorted(place.iterdir())
    assert said in cli("words", *words.split()).refusal
    assert sorted(place.iterdir()) == before
