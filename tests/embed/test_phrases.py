"""Pairs of words that are joined to phrases: which, how, and that gensim finds the same."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from peephole._native import instructions
from peephole.embed.corpus import phrases as module
from peephole.embed.corpus.config import CorpusConfig
from peephole.embed.corpus.phrases import Phrase, read_phrases
from peephole.embed.corpus.preparing import Corpus, prepare
from peephole.embed.corpus.vocabulary import LONGEST, new_joiner
from peephole.errors import InputError


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


def made(folder: Path, text: str, passes: int, discount: int = 1, threshold: float = 2.0) -> Corpus:
    (folder / "text.txt").write_text(text)
    data = CorpusConfig(
        (folder / "text.txt",), 1, phrases=passes, phrase_min_count=discount, phrase_threshold=threshold
    )
    return prepare(data, folder / "corpus")


def score(worda_count, wordb_count, bigram_count, len_vocab, min_count, corpus_word_count) -> float:
    """The formula, as gensim asks for it; it has to be a name of the module."""
    return (bigram_count - min_count) / worda_count / wordb_count * corpus_word_count


def text_of(corpus: Corpus) -> str:
    """The text again, a line a sentence."""
    words = corpus.words()
    found = np.fromfile(corpus.tokens, "<i4").tolist()
    return " ".join("\n" if number < 0 else words[number] for number in found).replace(" \n ", "\n").rstrip()


@pytest.mark.usefixtures("back")
def test_a_pair_is_scored_by_its_counts_and_those_of_its_words(tmp_path: Path) -> None:
    text = "new york is old\nnew york is large\nin new york\nyork new\nnew\nyork"
    corpus = made(tmp_path, text, 1, threshold=1.0)
    # (count(ab) − δ) / (count(a) · count(b)) · words; the end of a line parts "new" from "york"
    assert corpus.phrases() == (
        Phrase(1, "york", "is", 2, (2 - 1) / 5 / 2 * 15),
        Phrase(1, "new", "york", 3, (3 - 1) / 5 / 5 * 15),
    )
    # From left to right, whatever scores more, and no word is joined twice.
    assert text_of(corpus) == "new_york is old\nnew_york is large\nin new_york\nyork new\nnew\nyork"
    assert corpus.raw_words == 12
    assert (corpus.folder / "phrases.txt").read_text() == "1 york is 2 1.5\n1 new york 3 1.2\n"
    (tmp_path / "again").mkdir()
    assert made(tmp_path / "again", text, 1, threshold=1.2).phrases() == corpus.phrases()[:1]  # more than, not as much


@pytest.mark.usefixtures("back")
def test_a_second_pass_joins_what_the_first_has_joined(tmp_path: Path) -> None:
    line = "the new york times wrote ,\n"
    corpus = made(tmp_path, line * 4 + "the , the wrote , the ,\n" * 9, 3, threshold=6.0)
    assert {(one.number, one.text) for one in corpus.phrases()} == {
        (1, "new_york"),
        (1, "york_times"),
        (2, "new_york_times"),
    }
    assert text_of(corpus).split("\n")[0] == "the new_york_times wrote ,"


def test_a_word_spelled_as_a_phrase_is_the_same_word(tmp_path: Path) -> None:
    corpus = made(tmp_path, "a b c\n" * 4 + "a_b\nc d c\n" * 9, 1, threshold=4.0)
    assert [one.text for one in corpus.phrases()] == ["a_b"]
    assert dict(zip(corpus.words(), corpus.counts.tolist(), strict=True))["a_b"] == 13


@pytest.mark.usefixtures("back")
def test_a_phrase_that_would_be_too_long_for_a_word_is_none(tmp_path: Path) -> None:
    half, rest = "x" * 500, "y" * (LONGEST - 500)
    corpus = made(tmp_path, f"{half} {rest} a {half[1:]} {rest} b\n" * 9, 1, threshold=0.5)
    assert f"{half}_{rest}" not in {one.text for one in corpus.phrases()}
    assert f"{half[1:]}_{rest}" in {one.text for one in corpus.phrases()}
    assert corpus.description["too_long"] == 0


@pytest.mark.usefixtures("back")
def test_white_space_becomes_a_space_or_a_line_end() -> None:
    joiner = new_joiner()
    joiner.add(b"a", b"b")
    joiner.add(b"b", b"b")
    blocks = [b" a\t", b"", b"b b", b"  b b\n\n", b"a", b"\n", b"b a b", b"\rx\n"]
    assert b"".join(map(joiner.join, blocks)) == b"a_b b_b b\n\na\nb a_b x\n"


def test_pairs_that_do_not_fit_in_are_counted_in_parts(
    tmp_path: Path, prose: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = prose(60_000)
    (tmp_path / "parts").mkdir()
    whole = made(tmp_path, text, 2, threshold=1.2)
    assert len(whole.phrases()) > 100
    monkeypatch.setattr(module, "ROOM", 300)
    assert made(tmp_path / "parts", text, 2, threshold=1.2).phrases() == whole.phrases()


def test_gensim_finds_the_same_and_joins_the_same(tmp_path: Path, data_folder: Callable[[str], Path]) -> None:
    phrases = pytest.importorskip("gensim.models.phrases")

    raw = (data_folder("wikitext-2") / "valid.txt").read_text()[:400_000]
    corpus = made(tmp_path, raw, 2, discount=5, threshold=50.0)
    text = [words for line in raw.split("\n") if (words := line.split())]
    for number in (1, 2):
        mark = chr(number)  # gensim parts words at it, so that it may not be in a word
        theirs = phrases.Phrases(text, 5, 50.0, delimiter=mark, scoring=score)
        found = {words.replace(mark, "_"): value for words, value in theirs.export_phrases().items()}
        assert found == {one.text: one.score for one in corpus.phrases() if one.number == number}
        assert len(found) > (100, 10)[number - 1]
        frozen = theirs.freeze()
        text = [[word.replace(mark, "_") for word in frozen[line]] for line in text]
    assert text_of(corpus) == "\n".join(map(" ".join, text))


@pytest.mark.parametrize("content", [b"1 a b 2\n", b"1 a b 2 3.0\n1 a b x 3.0\n", b"1 a \xff 2 3.0\n"])
def test_a_damaged_list_of_phrases_is_not_read(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "phrases.txt"
    with pytest.raises(InputError, match=r"phrases.txt: cannot be read \(No such file or directory\)"):
        read_phrases(path)
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"phrases.txt, line {content.count(chr(10).encode())}: damaged"):
        read_phrases(path)
