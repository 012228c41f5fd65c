"""word2vec's formats: what is written comes back, gensim reads it and is read, and every bad file is one line."""

import functools
import gzip
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from peephole import writing
from peephole.embed.files import reading as word2vec
from peephole.embed.files.reading import read_vectors, read_width, write_rows, write_vectors
from peephole.embed.vectors import Vectors
from peephole.errors import InputError

WORDS = ("</s>", "naïve", "Ωmega", "日本", "the", "\u00a0x", "a\u2028b", "New_York")


def vectors(count: int = len(WORDS), width: int = 5, seed: int = 0) -> Vectors:
    """Numbers of every size that float32 has."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(count, width)) * 10.0 ** random.integers(-44, 38, (count, width))
    rows[0, 0] = -0.0
    return Vectors((*WORDS, *(f"w{place}" for place in range(count)))[:count], rows.astype(np.float32))


def same(one: Vectors, other: Vectors) -> bool:
    return one.words == other.words and one.rows.tobytes() == other.rows.tobytes()


@pytest.mark.parametrize("name", ["a.bin", "a.txt", "a.bin.gz", "a.txt.gz"])
def test_gensim_reads_ours_and_we_read_gensims(tmp_path: Path, name: str) -> None:
    gensim = pytest.importorskip("gensim.models")
    made, binary = vectors(), ".bin" in name
    write_vectors(made, tmp_path / name)
    assert same(read_vectors(tmp_path / name), made)
    found = gensim.KeyedVectors.load_word2vec_format(str(tmp_path / name), binary=binary)
    assert tuple(found.index_to_key) == made.words
    assert np.array_equal(found.vectors, made.rows)
    found.save_word2vec_format(str(tmp_path / f"gensim-{name}"), binary=binary)
    again = read_vectors(tmp_path / f"gensim-{name}")
    assert again.words == made.words
    assert np.array_equal(again.rows, made.rows)
    assert again.places == {word: place for place, word in enumerate(made.words)}


@pytest.mark.parametrize("name", ["a.bin", "a.txt"])
def test_wherever_a_block_ends_the_same_is_read(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = vectors(40)
    write_vectors(made, tmp_path / name)
    for block in (1, 7, 64):
        monkeypatch.setattr(word2vec, "BLOCK", block)
        monkeypatch.setattr(word2vec, "WIDEST", 4)  # what is looked at first ends early
        monkeypatch.setattr(word2vec, "LONGEST", 100)
        with word2vec._opened(tmp_path / name) as file:
            header = file.readline()
            table = word2vec._Table(tmp_path / name, 40, 5)
            read = word2vec._read_binary if name == "a.bin" else functools.partial(word2vec._read_text, line=2)
            assert header == b"40 5\n"
            assert not read(table, file, b"")
        assert same(table.finish(), made)


def test_a_view_of_a_wider_table_is_written_as_its_rows(tmp_path: Path) -> None:
    padded = np.random.default_rng(0).normal(size=(5000, 16)).astype(np.float32)
    write_rows(tmp_path / "a.bin", (b"w%d" % place for place in range(5000)), padded[:, :10])
    found = read_vectors(tmp_path / "a.bin", limit=4000)
    assert found.words == tuple(f"w{place}" for place in range(4000))
    assert np.array_equal(found.rows, padded[:4000, :10])


@pytest.mark.parametrize("width", [1, 2, 3])
def test_a_few_numbers_are_told_from_text(tmp_path: Path, width: int) -> None:
    for seed in range(12):
        made = Vectors(tuple(f"w{place}" for place in range(9)), vectors(9, width, seed).rows)
        for name in ("a.bin", "a.txt"):
            write_vectors(made, tmp_path / name)
            assert same(read_vectors(tmp_path / name), made)


def test_what_others_write(tmp_path: Path) -> None:
    expected = Vectors(("the", "of"), np.array([[0.5, -1], [2, 3e-5]], np.float32))
    texts = {
        "as word2vec does, with a space at the end": b"2 2\nthe 0.5 -1 \nof 2 3e-5 \n",
        "without an end": b"2 2\nthe 0.5 -1\nof 2 3e-5",
        "from Windows, with empty lines": b"2 2\r\nthe 0.5 -1\r\n\r\nof 2 3e-5\r\n\r\n",
        "with tabs": b"2 2\nthe\t0.5\t-1\nof\t2\t3e-5\n",
        "as GloVe does, without a first line": b"the 0.5 -1\nof 2 3e-5\n",
        "packed, whatever its name": gzip.compress(b"2 2\nthe 0.5 -1\nof 2 3e-5\n"),
    }
    for what, content in texts.items():
        (tmp_path / "a").write_bytes(content)
        assert same(read_vectors(tmp_path / "a"), expected), what
        assert read_width(tmp_path / "a") == 2, what
        assert read_vectors(tmp_path / "a", limit=1).words == ("the",), what


BAD = {
    b"": "is empty",
    b"2\n": "begins with '2'; expected a line of two whole numbers",
    b"-2 2\na 1 2\n": "begins with '-2 2'",
    b"Call me Ishmael. Some years ago\n": "begins with 'Call me Ishmael. Some years ago'",
    b"PK\x03\x04": "unpack it first",
    b"\x1f\x8b\x08\x00": "damaged gzip",
    gzip.compress(b"2 2\na 1 2\n" + os.urandom(99))[:-20]: "damaged gzip",
    b"0 2\n": "says 0 words of 2 numbers; expected at least one of each",
    b"1000000000000 100\na 1\n": "says 1,000,000,000,000 words of 100 numbers; the file is too short for that",
    b"1 1000000000000\na 1\n": "too short for that",
    b"2 2\na 1 2\n": "too short for that",
    b"2 2\na 1.25 2.25\n": "it holds 1 and ends",
    b"2 2\na 1 2\nb 1 2\nc 1 2\n": "it holds more after them",
    b"2 2\na 1 2\nb 1 2 3\n": "line 3: the vector of 'b' has 3 numbers instead of 2",
    b"a 1 2\nb 1\n": "line 2: the vector of 'b' has 1 numbers instead of 2",
    b"2 2\na 1 2\nb 1 x\n": "line 3: 'x' is not a number",
    b"2 2\na 1 2\nb 1 nan\n": "line 3: the vector of 'b' holds a number that is not finite",
    b"2 2\na 1 2\nb 1 1e99\n": "line 3: the vector of 'b' holds a number that is not finite",
    b"3 2\na 1 2\nb 1 2\na 1 2\n": "line 4: the word 'a' came before",
    b"2 2\na 1 2\ncaf\xe9 1 2\n": r"line 3: the word b'caf\\xe9' is not UTF-8",
    b"2 1\na " + b"1" * 200_000 + b"\nb 1\n": "line 2: the vector of 'a' holds a number that is not finite",
    b"2 1\n" + b"a" * 9_000_000: "line 2 is longer than 65,600 bytes",
    b"2 2\naaaaa \0\0\0\0\0\0\0\0\nb \0\0\0\0\0\0": "it holds 1 and ends: cut short",
    b"1 2\na \0\0\0\0\0\0\0\0\nb \0\0\0\0\0\0": "it holds more after them",
    b"2 2\na \0\0\0\0\0\0\0\0\nb \0\0\0\0\0\0\xc0\x7f": "word 2: the vector of 'b' holds a number that is not finite",
    b"2 2\na \0\0\0\0\0\0\0\0\na \0\0\0\0\0\0\0\0": "word 2: the word 'a' came before",
    b"2 2\na \0\0\0\0\0\0\0\0\n\xe9 \0\0\0\0\0\0\0\0": r"word 2: the word b'\\xe9' is not UTF-8",
    b"2 2\na \0\0\0\0\0\0\0\0\n" + b"b" * 99_999 + b" \0\0\0\0\0\0\0\0": "word 2 is longer than 65,536 bytes",
}


@pytest.mark.parametrize("content", BAD, ids=[message[:40] for message in BAD.values()])
def test_a_bad_file_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(InputError, match=BAD[content]) as caught:
        read_vectors(tmp_path / "bad")
    assert str(caught.value).startswith(f"{tmp_path}/bad: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/config.json").touch()
    for path, message in {
        tmp_path: "is a folder; expected a file",
        tmp_path / "run": "is a run folder; expected a file",
        tmp_path / "missing": "cannot be read",
        Path("/dev/null"): "is no regular file",
    }.items():
        with pytest.raises(InputError, match=message):
            read_vectors(path)
    (tmp_path / "run/vectors.bin").touch()
    with pytest.raises(InputError, match=r"that of this run is .*vectors\.bin"):
        read_vectors(tmp_path / "run")
    with pytest.raises(InputError, match="0 vectors to read"):
        read_vectors(tmp_path / "missing", limit=0)


def test_memory_is_that_of_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(0).normal(size=(400, 2_000)).astype(np.float32)
    monkeypatch.setattr(word2vec, "BLOCK", 1 << 16)
    tracemalloc.start()
    try:
        write_rows(tmp_path / "a.bin", (b"%d" % place for place in range(400)), rows)
        assert tracemalloc.get_traced_memory()[1] < 0.9 * rows.nbytes
        tracemalloc.reset_peak()
        found = read_vectors(tmp_path / "a.bin")
        assert tracemalloc.get_traced_memory()[1] < 1.4 * rows.nbytes
    finally:
        tracemalloc.stop()
    assert np.array_equal(found.rows, rows)


@pytest.mark.parametrize("word", ["New York", "", "a\nb", "a\tb"])
def test_a_word_that_the_format_cannot_hold(tmp_path: Path, word: str) -> None:
    with pytest.raises(InputError, match="the format parts words by spaces"):
        write_vectors(Vectors(("a", word), np.ones((2, 2), np.float32)), tmp_path / "a.txt")
    assert not list(tmp_path.iterdir())


def test_a_writing_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for words in (["a"], ["a", "b", "c"]):
        with pytest.raises(InputError, match="expected as many"):
            write_rows(tmp_path / "a", words, np.ones((2, 2), np.float32))
    with pytest.raises(InputError, match=r"cannot be written \(no such file or directory\)"):
        write_vectors(vectors(), tmp_path / "missing/a.bin")

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing.os, "fsync", full)
    for name in ("a.bin", "a.txt.gz"):
        with pytest.raises(InputError, match=r"cannot be written \(no space left on device\); make room") as caught:
            write_vectors(vectors(), tmp_path / name)
        assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())
