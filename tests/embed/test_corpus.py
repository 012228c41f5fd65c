"""From text files to a vocabulary and numbers of words: what is written, with and without the compiled module."""

import gzip
import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from peephole._native import instructions
from peephole.embed.corpus import reading
from peephole.embed.corpus.config import CorpusConfig
from peephole.embed.corpus.preparing import Corpus, open_corpus, prepare
from peephole.embed.corpus.vocabulary import LONGEST


@pytest.fixture(params=["native", "plain"])
def back(request: pytest.FixtureRequest) -> Iterator[str]:
    """The compiled module, or Python."""
    if request.param == "native":
        if instructions.absence():
            pytest.skip(instructions.absence())
        yield "native"
    else:
        with instructions.using("none"):
            yield "plain"


def made(folder: Path, text: str | bytes, **settings: object) -> Corpus:
    (folder / "text.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    return prepare(CorpusConfig((folder / "text.txt",), **settings), folder / "corpus")  # pyright: ignore


def numbers(corpus: Corpus) -> list[int]:
    return np.fromfile(corpus.tokens, "<i4").tolist()


@pytest.mark.usefixtures("back")
def test_a_text_becomes_numbers(tmp_path: Path) -> None:
    text = "\n\n b a\tb\r\n\nrare \v c\fc a b\nonce\n\na no_end"
    corpus = made(tmp_path, text, min_count=2)
    assert corpus.words() == ("b", "a", "c")  # b and a come as often; b was first
    assert corpus.counts.tolist() == [3, 3, 2]
    assert numbers(corpus) == [0, 1, 0, -1, 2, 2, 1, 0, -1, 1, -1]
    assert (corpus.length, corpus.raw_words) == (11, 11)
    assert (corpus.folder / "vocabulary.txt").read_text() == "b 3\na 3\nc 2\n"
    assert corpus.description["types"] == 6
    assert corpus.description["too_long"] == 0
    assert corpus.phrases() == ()


@pytest.mark.usefixtures("back")
def test_the_most_frequent_words_only(tmp_path: Path) -> None:
    corpus = made(tmp_path, "a b b c c c d d d d", min_count=1, vocabulary=2)
    assert corpus.words() == ("d", "c")
    assert numbers(corpus) == [1, 1, 1, 0, 0, 0, 0, -1]


def of_many_kinds(seed: int) -> str:
    """Words of one to four bytes a letter, some too long, between white space that is ASCII's and some that is not."""
    engine = random.Random(seed)
    words = ["".join(engine.choices("aBÇdéΣ中😀\u00a0\u2028\x1f", k=engine.randint(1, 5))) for _ in range(60)]
    words += ["x" * LONGEST, "x" * (LONGEST + 1), "é" * 700, "Y" * 5000, "İ" * 334]  # İ is longer as a small letter
    weights = [1 / (1 + place) for place in range(len(words))]
    spaces = [" ", " ", " ", "\n", "\t", "\r\n", " \v\f "]
    return "".join(engine.choice(spaces) + word for word in engine.choices(words, weights, k=800))


@pytest.mark.parametrize(("block", "lowercase"), [(37, False), (400, True), (1 << 20, True)])
def test_python_and_the_compiled_module_write_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, lowercase: bool
) -> None:
    if instructions.absence():
        pytest.skip(instructions.absence())
    text = of_many_kinds(block)
    (tmp_path / "text.txt").write_text(text, newline="")
    settings = CorpusConfig(
        (tmp_path / "text.txt",), 3, lowercase=lowercase, phrases=2, phrase_threshold=0.5, phrase_min_count=1
    )
    files: list[dict[str, bytes]] = []
    for name, size in (("", 1 << 20), ("", block), ("none", block)):
        monkeypatch.setattr(reading, "BLOCK", size)
        with instructions.using(name):
            corpus = prepare(settings, tmp_path / str(len(files)))
        assert {phrase.number for phrase in corpus.phrases()} == {1, 2}
        files.append({path.name: path.read_bytes() for path in corpus.folder.iterdir()})
    assert files[1] == files[0]  # however the text comes in blocks
    assert files[2] == files[0]


@pytest.mark.usefixtures("back")
def test_words_are_what_python_finds_between_white_space(tmp_path: Path) -> None:
    text = of_many_kinds(3)
    corpus = made(tmp_path, text, min_count=1, lowercase=True)
    words = [word.decode() for word in text.lower().encode().split()]
    short = Counter(word for word in words if len(word.encode()) <= LONGEST)
    assert corpus.raw_words == len(words)
    assert corpus.description["too_long"] == len(words) - short.total() > 0
    assert dict(zip(corpus.words(), corpus.counts.tolist(), strict=True)) == short
    found = np.array(numbers(corpus))
    assert np.bincount(found[found >= 0]).tolist() == corpus.counts.tolist()


def test_what_is_known_of_a_real_text(tmp_path: Path, data_folder: Callable[[str], Path]) -> None:
    text = data_folder("wiki_en_text8style") / "wiki_en_text8style.txt"
    corpus = prepare(CorpusConfig((text,)), tmp_path / "corpus")
    assert len(corpus.counts) == 43_610
    assert corpus.raw_words == 6_737_614
    found = np.fromfile(corpus.tokens, "<i4")
    assert np.array_equal(np.bincount(found[found >= 0]), corpus.counts)
    words = corpus.words()
    start = np.flatnonzero(found == -1)[-2] + 1  # the last line, word for word
    with text.open("rb") as file:
        file.seek(-1_000_000, 2)
        last = file.read().decode(errors="replace").rstrip("\n").rpartition("\n")[2].split()
    assert [words[number] for number in found[start:-1]] == [word for word in last if word in set(words)]


def test_a_long_line_is_one_sentence(tmp_path: Path) -> None:
    corpus = made(tmp_path, "a b c " * 500_000, min_count=1)
    assert corpus.counts.tolist() == [500_000] * 3
    assert numbers(corpus)[-3:] == [1, 2, -1]
    assert corpus.length == 1_500_001


def test_compressed_files_and_folders_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    (folder / "deeper").mkdir(parents=True)
    (folder / "b.txt").write_bytes(b"\xef\xbb\xbfone two")  # a byte order mark is no part of a word
    (folder / "a.gz").write_bytes(gzip.compress(b"two three\n") + gzip.compress(b"three"))
    (folder / "deeper" / "c.txt").write_bytes(b"one")
    (folder / ".hidden").write_bytes(b"hidden")
    (folder / "picture").write_bytes(b"\x89PNG\0\0")
    (folder / "picture.gz").write_bytes(gzip.compress(b"\x89PNG\0\0"))
    heard: list[tuple[str, int, int]] = []
    data = CorpusConfig((folder / "b.txt", folder), min_count=1)  # a file reached twice counts once
    corpus = prepare(data, tmp_path / "corpus", lambda *told: heard.append(told))
    assert corpus.words() == ("one", "two", "three")
    assert numbers(corpus) == [0, 1, -1, 1, 2, -1, 2, -1, 0, -1]
    size = sum((folder / name).stat().st_size for name in ("a.gz", "b.txt", "deeper/c.txt"))
    for purpose in ("words", "numbers"):
        told = [(done, total) for what, done, total in heard if what == purpose]
        assert told == sorted(told)
        assert told[-1] == (size, size)


def test_blocks_are_small_letters_of_the_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "ΟΔΟΣ Σ ΑΣ\nÉTÉ " * 30 + "中" * 100 + "\tΟΔΟΣ"
    (tmp_path / "text.txt").write_text(text)
    for block in (16, 17, 18, 19, 1 << 20):
        monkeypatch.setattr(reading, "BLOCK", block)
        assert b"".join(reading.blocks([tmp_path / "text.txt"], lowercase=True)).decode() == text.lower() + "\n"


def test_a_corpus_opens_again_wherever_it_lies(tmp_path: Path) -> None:
    corpus = made(tmp_path, "new york is new york , " * 20, min_count=1, phrases=1, phrase_threshold=2.5)
    corpus.folder.rename(tmp_path / "moved")
    again = open_corpus(tmp_path / "moved")
    assert again.tokens == tmp_path / "moved" / "tokens.bin"
    assert again.words() == ("new_york", "is", ",")
    assert (again.length, again.raw_words, again.description) == (corpus.length, corpus.raw_words, corpus.description)
    assert np.array_equal(again.counts, corpus.counts)
    assert [phrase.text for phrase in again.phrases()] == ["new_york"]
    assert again.description["settings"]["phrases"] == 1
