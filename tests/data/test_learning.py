"""Corpora of words and pieces: what is counted, what is kept, how a cut falls between words, what is refused."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from peephole.data import files, learning
from peephole.data.config import TextData
from peephole.data.corpus import TextCorpus, open_corpus, prepare
from peephole.data.tokens import blocks as blocks_module
from peephole.errors import InputError

LINE = "the cat , the dog and the mouse .\n"


def made(folder: Path, text: str | list[str], **settings: object) -> TextCorpus:
    texts = [text] if isinstance(text, str) else text
    paths = [folder / f"{name}.txt" for name in "abc"[: len(texts)]]
    for path, one in zip(paths, texts, strict=True):
        path.write_bytes(one.encode())
    return prepare(TextData(tuple(paths), **settings), folder / "corpus", folder / "tokenizer.json")


def refusal(folder: Path, text: str, **settings: object) -> str:
    with pytest.raises(InputError) as caught:
        made(folder, text, **settings)
    assert "\n" not in str(caught.value)
    assert not (folder / "corpus").exists()
    return str(caught.value)


def test_wikitext_has_its_published_counts(tmp_path: Path, data_folder: Callable[[str], Path]) -> None:
    data = TextData((data_folder("wikitext-2"),), tokens="word")
    corpus = prepare(data, tmp_path / "corpus", tmp_path / "tokenizer.json")
    assert corpus.test is not None
    parts = (corpus.train, corpus.held_out, corpus.test)
    assert [int((part.tokens != corpus.tokenizer.eod).sum()) for part in parts] == [2_088_628, 217_646, 245_569]
    assert [part.words for part in parts] == [2_088_628, 217_646, 245_569]
    assert len(corpus.tokenizer) - 1 == 33_278
    assert corpus.tokenizer.cut == "spaces"
    assert corpus.train.unknown == 54_625
    counts = np.bincount(corpus.train.tokens)
    assert (np.diff(counts[3:]) <= 0).all()  # the more frequent, the smaller the number


@pytest.mark.parametrize("tokens", ["char", "word", "bpe"])
def test_words_of_a_part_are_what_a_person_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokens: str) -> None:
    generator = np.random.default_rng(0)
    text = "".join(generator.choice(["ab", "c", " ", "  ", "\n", "."], 3000))
    monkeypatch.setattr(files, "BLOCK", 7)
    corpus = made(tmp_path, text, tokens=tokens, held_out=0.3)
    cut = corpus.description["cut"]
    expected = [len(part.split()) + part.count("\n") for part in (text[:cut], text[cut:])]
    assert [corpus.train.words, corpus.held_out.words] == expected
    assert [corpus.train.characters, corpus.held_out.characters] == [cut, len(text) - cut]
    if tokens == "bpe":
        assert corpus.tokenizer.decode(corpus.train.tokens).removeprefix("<eod>") == text[:cut]


@pytest.mark.parametrize("tokens", ["word", "bpe"])
def test_a_cut_falls_between_lines_or_words(tmp_path: Path, tokens: str) -> None:
    for name, text, ends in (("lines", LINE * 50, "\n"), ("one line", "some words and " * 200, " ")):
        folder = tmp_path / name
        folder.mkdir()
        corpus = made(folder, text, tokens=tokens, held_out=0.33)
        cut = corpus.description["cut"]
        assert text[cut - 1] == ends
        assert 0 <= cut - round(0.67 * len(text)) <= len(LINE)
    folder = tmp_path / "documents"
    folder.mkdir()
    corpus = made(folder, "a b c\n--" * 40, tokens=tokens, separator="--", held_out=0.3)
    assert (corpus.train.documents, corpus.held_out.documents) == (28, 12)  # the end of a document stays where it is
    assert corpus.description["cut_inside_document"] is False


def test_the_vocabulary_is_that_of_the_training_part(tmp_path: Path) -> None:
    corpus = made(tmp_path, LINE * 9 + "a zebra\n", tokens="word", held_out=0.03)
    assert corpus.tokenizer.symbols[3:] == ["the", ",", ".", "and", "cat", "dog", "mouse"]
    assert corpus.held_out.unknown == 2
    assert corpus.train.unknown == 0
    assert corpus.description["vocabulary"] == {"tokens": "word", "cut": "spaces", "types": 7, "kept": 7}
    assert corpus.description["unknown"]["held_out"] == 2 / len(corpus.held_out.tokens)
    assert corpus.tokenizer.decode(corpus.held_out.tokens) == "<unk> <unk>\n<eod>"


def test_raw_text_comes_back_from_disk(tmp_path: Path) -> None:
    text = "“Well, it's 3.5 km,” he said.\n  (Two) miles -- no more.\n\n" * 30
    corpus = made(tmp_path, text, tokens="word", held_out=0.2)
    assert corpus.tokenizer.cut == "split"
    parts = [corpus.tokenizer.decode(part.tokens) for part in (corpus.train, corpus.held_out)]
    assert "".join(parts).replace("<eod>", "") == text


def test_a_test_part_is_kept_apart(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    for name, text in (("train", LINE * 20), ("valid", LINE * 2 + "cat\n"), ("test", LINE + "dog owl\n")):
        (tmp_path / "set" / f"{name}.txt").write_text(text)
    for tokens in ("word", "char", "bpe"):
        folder = tmp_path / tokens
        folder.mkdir()
        data = TextData((tmp_path / "set",), tokens=tokens)
        corpus = prepare(data, folder / "corpus", folder / "tokenizer.json")
        assert corpus.test is not None
        assert (corpus.test.words, corpus.held_out.words, corpus.test.documents) == (10 + 3, 2 * 10 + 2, 1)
        assert corpus.description["split"] == "named"
        assert {Path(one["path"]).stem: one["part"] for one in corpus.description["files"]} == {
            "train": "train",
            "valid": "held_out",
            "test": "test",
        }
        again = open_corpus(folder / "corpus", folder / "tokenizer.json")
        assert again.test is not None
        assert (again.test.tokens == corpus.test.tokens).all()


def test_a_test_part_beside_a_cut(tmp_path: Path) -> None:
    (tmp_path / "held.txt").write_text(LINE)
    corpus = made(tmp_path, LINE * 20, tokens="word", test=(tmp_path / "held.txt",))
    assert corpus.description["split"] == "position"
    assert corpus.test is not None
    assert corpus.test.words == 10
    assert corpus.train.words == 10 * 18
    assert made_of(corpus) == {"a.txt": "both", "held.txt": "test"}


def made_of(corpus: TextCorpus) -> dict[str, str]:
    return {Path(one["path"]).name: one["part"] for one in corpus.description["files"]}


def test_corpora_from_before_open_as_they_are(tmp_path: Path) -> None:
    corpus = made(tmp_path, LINE * 20)
    path = tmp_path / "corpus" / "corpus.json"
    content = json.loads(path.read_bytes())
    for part in content["parts"].values():
        del part["words"], part["unknown"]
    for key in ("vocabulary", "unknown", "left_out"):
        del content["description"][key]
    path.write_text(json.dumps(content))
    old = open_corpus(tmp_path / "corpus", tmp_path / "tokenizer.json")
    assert (old.test, old.train.words, old.train.unknown) == (None, None, None)
    assert (old.train.tokens == corpus.train.tokens).all()


def test_a_cut_off_that_leaves_nothing_is_refused(tmp_path: Path) -> None:
    for tokens, what in (("word", "word"), ("char", "character")):
        message = refusal(tmp_path, LINE * 20, tokens=tokens, min_count=1000)
        assert f"no {what} stands 1000 times in the training part" in message
        assert "lower --min-count" in message


def test_parts_without_words_are_refused(tmp_path: Path) -> None:
    assert "no word stands 1 times in the training part" in refusal(tmp_path, "  \n" * 50, tokens="word")
    message = refusal(tmp_path, "words " * 50 + " " * 90, tokens="word", held_out=0.2)
    assert "the held-out part has no words: expected some" in message


def test_fewer_tokens_than_the_vocabulary_are_refused(tmp_path: Path) -> None:
    message = refusal(tmp_path, LINE * 20, tokens="word", vocabulary=10_000)
    assert "the training part has 180 words: expected more than the 10,000 different ones of --vocabulary" in message
    message = refusal(tmp_path, LINE * 5, tokens="bpe", vocabulary=300)
    assert "characters: expected more than the 300 pieces of --vocabulary" in message


def test_a_vocabulary_that_comes_out_smaller_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    corpus = made(tmp_path, LINE * 20, tokens="word", vocabulary=100)
    assert len(corpus.tokenizer) == 10
    assert "7 different words in the training part make a vocabulary of 9, not of 100" in caplog.text
    caplog.clear()
    folder = tmp_path / "bpe"
    folder.mkdir()
    made(folder, LINE * 20, tokens="bpe", vocabulary=500)
    assert "pieces, not of 500" in caplog.text


def test_words_that_stand_once_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = " ".join(f"w{number}" for number in range(500))
    made(tmp_path, text, tokens="word")
    assert "of 452 words of the training part stand there only once" in caplog.text
    folder = tmp_path / "cut"
    folder.mkdir()
    caplog.clear()
    made(folder, text + " the" * 300, tokens="word", min_count=2, held_out=0.01)
    assert "% of the training part are unknown words" in caplog.text
    assert "only once" not in caplog.text


def test_text_without_spaces_is_sent_to_pieces(tmp_path: Path) -> None:
    text = "每个人都有受教育的权利,教育应当免费。\n" * 30
    assert "pass --tokens bpe" in refusal(tmp_path, text, tokens="word")
    assert "pass --tokens bpe" in refusal(tmp_path, text, tokens="word", words="spaces")
    corpus = made(tmp_path, text, tokens="bpe")
    assert corpus.tokenizer.decode(corpus.held_out.tokens[:-1]) == text[corpus.description["cut"] :]


def test_held_out_text_that_is_trained_on_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "held.txt").write_text(LINE * 20)
    made(tmp_path, LINE * 20, tokens="word", validation=(tmp_path / "held.txt",))
    assert "has the content of one that is trained on" in caplog.text


def test_pieces_are_learnt_of_a_share_of_much_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = 0

    def blocks(split: object, share: float) -> list[str]:
        nonlocal read
        found = list(learning_blocks(split, share))
        read = sum(map(len, found))
        return found

    learning_blocks = learning._blocks
    monkeypatch.setattr(learning, "_blocks", blocks)
    monkeypatch.setattr(learning, "LEARNT", 20_000)
    monkeypatch.setattr(blocks_module, "BLOCK", 500)
    monkeypatch.setattr(files, "BLOCK", 3000)
    made(tmp_path, LINE * 2000, tokens="bpe", held_out=0.01)
    assert 20_000 <= read <= 20_500


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tokens": "bpe", "vocabulary": 256}, "vocabulary is 256: expected 257"),
        ({"tokens": "word", "vocabulary": 2}, "vocabulary is 2: expected 3"),
        ({"vocabulary": 100}, "vocabulary is 100 with tokens char: expected it with --tokens word or bpe"),
        ({"words": "split"}, "words is split with tokens char: expected it with --tokens word only"),
        ({"tokens": "bpe", "words": "spaces"}, "words is spaces with tokens bpe"),
        ({"tokens": "word", "unknown": "bytes"}, "unknown is bytes with tokens word"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(InputError) as caught:
        TextData(**settings)
    assert message in str(caught.value)


def test_named_parts_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "set").mkdir()
    for name in ("train", "valid"):
        (tmp_path / "set" / f"{name}.txt").write_text(LINE * 3 + name)
    with caplog.at_level(logging.INFO):
        prepare(TextData((tmp_path / "set",)), tmp_path / "corpus", tmp_path / "tokenizer.json")
    assert "parts by their names" in caplog.text
