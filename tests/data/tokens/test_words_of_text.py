"""Words: numbered by how often they stand, cut at spaces or apart, the same in whatever parts the text comes."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tokenizers

from peephole.data.config import Cut
from peephole.data.tokenizer import Tokenizer
from peephole.data.tokens import blocks
from peephole.data.tokens.cutting import cut_for, words_of
from peephole.data.tokens.words import tokens_of
from peephole.errors import InputError

CUT = "the cat , the <unk> .\n\n a dog and the cat\n"
PROSE = (
    "It's 3.5 km, (about) two miles.\n  “Ask”: why not?\n\nIt is\t3.5 - no: 35 miles!\n \n...and  on \n"
    "naïve cafe\u0301 हिन्दी, x² + ½ = ١٢; don't_stop\xa0now\u2028here\r\rthe end"
)


def learnt(text: str, cut: Cut, vocabulary: int | None = None, min_count: int = 1) -> Tokenizer:
    return Tokenizer.words(Counter(tokens_of(text, cut, True)), cut, vocabulary, min_count)


def random_words(length: int, seed: int) -> str:
    parts = ["the", "cat", " ", " ", "  ", "\n", ".", ",", "12", "é", "\t", "'", "\u3000", "हि", "_", "\r\n", "<unk>"]
    return "".join(np.random.default_rng(seed).choice(parts, length))


def test_words_the_most_frequent_first_and_equals_by_the_alphabet() -> None:
    tokenizer = learnt(CUT, "spaces")
    assert tokenizer.symbols == ["<eod>", "<unk>", "<eos>", "the", "cat", ",", ".", "a", "and", "dog"]
    assert (tokenizer.eod, tokenizer.unk, tokenizer.eos) == (0, 1, 2)
    assert (tokenizer.kind, tokenizer.cut, tokenizer.unit) == ("word", "spaces", "words")
    assert tokenizer.encode(CUT).tolist() == [3, 4, 5, 3, 1, 6, 2, 2, 7, 9, 8, 3, 4, 2]
    assert learnt(CUT, "spaces", min_count=2).symbols[3:] == ["the", "cat"]
    assert learnt(CUT, "spaces", vocabulary=5).symbols[3:] == ["the", "cat", ","]


def test_counts_are_those_of_split_on_white_space() -> None:
    text = random_words(5000, 1)
    tokenizer = learnt(text, "spaces")
    expected = Counter(text.split())
    ids = Counter(tokenizer.encode(text).tolist())
    assert ids.pop(tokenizer.eos) == text.count("\n")
    assert ids.pop(tokenizer.unk) == expected.pop("<unk>", 0)
    assert {tokenizer.symbols[token]: count for token, count in ids.items()} == expected


def test_names_of_symbols_in_the_text_are_words() -> None:
    tokenizer = learnt("<eod> <eos> <unk> <eod>\n", "spaces")
    assert tokenizer.symbols == ["<eod>", "<unk>", "<eos>", "<eod>", "<eos>"]
    assert tokenizer.encode("<eod> <eos> <unk>\n").tolist() == [3, 4, 1, 2]


def test_text_cut_apart_comes_back_exactly() -> None:
    tokenizer = learnt(PROSE, "split")
    assert tokenizer.decode(tokenizer.encode(PROSE)) == PROSE
    spell = tokenizer.speller()
    assert "".join(spell(token) for token in tokenizer.encode(PROSE).tolist()) == PROSE
    for seed in range(20):
        text = random_words(300, seed).replace("\r\n", "\n")
        tokenizer = learnt(text, "split")
        assert tokenizer.decode(tokenizer.encode(text)) == text
    for line in ("", " ", "  ", "a", " a", "  a ", "\ta", ".", " .\n", "\n", "\n\n a"):
        tokenizer = learnt(line, "split")
        assert tokenizer.decode(tokenizer.encode(line)) == line


def test_a_word_is_the_same_wherever_it_stands() -> None:
    tokenizer = learnt("Yes, yes\nyes (yes) yes", "split")
    assert sorted(tokenizer.symbols[3:]) == [" (", " Yes", " yes", ")", ",", "yes"]
    assert words_of("two-step x2 2,000.", "split") == [" two", "-", "step", " x", "2", " 2", ",", "000", "."]
    # The space before it is lost with an unknown word; most have one, save after an opening mark.
    assert tokenizer.decode(tokenizer.encode("no yes (no, yes")) == "<unk> yes (<unk>, yes"


def test_windows_line_ends_are_line_ends() -> None:
    cuts: tuple[Cut, Cut] = ("spaces", "split")
    for cut in cuts:
        tokenizer = learnt("a b\r\nc\r\n", cut)
        assert tokenizer.encode("a b\r\nc\r\n").tolist() == tokenizer.encode("a b\nc\n").tolist()


@pytest.mark.parametrize("cut", ["spaces", "split"])
def test_our_cutting_and_the_librarys_agree(tmp_path: Path, cut: Cut) -> None:
    text = PROSE.replace("\r", " ") + random_words(2000, 3).replace("<unk>", " ").replace("\r\n", "\n")
    tokenizer = learnt(text, cut, min_count=2)
    tokenizer.save(tmp_path / "tokenizer.json")
    library = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    lines = text.split("\n")
    given = [f" {line}" if line and cut == "split" else line for line in lines]
    ours = [tokenizer.encode(line).tolist() for line in lines]
    assert ours == [found.ids for found in library.encode_batch_fast(given)]
    loaded = Tokenizer.load(tmp_path / "tokenizer.json")
    assert (loaded.symbols, loaded.cut, loaded.kind) == (tokenizer.symbols, cut, "word")
    assert loaded.encode(text).tolist() == tokenizer.encode(text).tolist()


@pytest.mark.parametrize("cut", ["spaces", "split"])
def test_parts_of_any_length_give_the_same_ids(monkeypatch: pytest.MonkeyPatch, cut: Cut) -> None:
    text = random_words(4000, 5)
    tokenizer = learnt(text, cut, min_count=3)
    whole = tokenizer.encode(text).tolist()
    assert len(tokenizer.spelled(text)) == len(whole)
    monkeypatch.setattr(blocks, "BLOCK", 200)
    assert tokenizer.encode(text).tolist() == whole
    for length in (1, 2, 7, 300):
        encode = tokenizer.encoder()
        parts = [encode(text[start : start + length]) for start in range(0, len(text), length)]
        assert np.concatenate([*parts, encode(None)]).tolist() == whole
        assert encode("the").size == 0
        assert encode(None).tolist() == tokenizer.encode("the").tolist()


def test_a_part_gives_its_words_once_they_are_whole() -> None:
    encode = learnt("one two twofold\n", "spaces").encoder()
    found = [encode(part).tolist() for part in ("one tw", "o", "fold", "\n", "one")]
    assert found == [[3], [], [], [4, 2], []] or found == [[3], [], [], [5, 2], []]
    assert encode(None).tolist() == [3]


def test_a_word_longer_than_a_block_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 10)
    assert learnt("x", "spaces").encode("x " + "y" * 25).tolist() == [3, 1, 1, 1]


def test_words_as_they_stand_go_with_their_ids() -> None:
    assert learnt("a b\n", "spaces").spelled("a zebra, b\n c") == ["a", "zebra,", "b", "\n", "c"]
    assert learnt("a b\n", "split").spelled("a zebra, b\n") == [" a", " zebra", ",", " b", "\n"]
    assert Tokenizer.characters({"a": 1}).spelled("az") == ["a", "z"]
    assert Tokenizer.characters({"a": 1}, "bytes").spelled("aé") == ["a", "<0xC3>", "<0xA9>"]


def test_unknown_words_are_listed_where_they_first_stand() -> None:
    assert learnt("a cat", "spaces").unknown("a zebra cat or a <unk> zebra") == {"zebra": 2, "or": 12}
    apart = learnt("a cat, or\nso", "split")
    assert apart.unknown("cat, zebra or\nmat") == {"zebra": 5, "mat": 14}
    assert apart.unknown("a cat\nso") == {}
    assert learnt("a", "spaces").unknown("catalogue cat") == {"catalogue": 0, "cat": 10}


def test_how_text_is_cut_is_told_by_its_marks() -> None:
    assert cut_for(["the cat , the dog .", "Mr. X said so ."], "auto") == "spaces"
    assert cut_for(["The cat, the dog.", "a - b"], "auto") == "split"
    assert cut_for(["if (x == y) { z = f(x, y); }"], "auto") == "split"
    assert cut_for(["no marks at all"], "auto") == "spaces"
    assert cut_for(["The cat, the dog."], "spaces") == "spaces"


def test_a_sentence_ends_with_a_mark_that_stands_alone() -> None:
    tokenizer = learnt('U.S. . ! ? … ... , " Mr. end\n', "spaces")
    ends = {symbol for token, symbol in enumerate(tokenizer.symbols) if tokenizer.ends_sentence(token)}
    assert ends == {".", "!", "?", "…", "...", "<eos>"}
    together = learnt("They met at the end. He left\n", "spaces")  # no mark stands alone
    assert {symbol for token, symbol in enumerate(together.symbols) if together.ends_sentence(token)} == {
        "end.",
        "<eos>",
    }
    characters = Tokenizer.characters(Counter("a.!\n"))
    assert [characters.symbols[token] for token in range(6) if characters.ends_sentence(token)] == ["!", "."]


def test_a_vocabulary_without_its_symbols_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    tokenizers.Tokenizer(tokenizers.models.WordLevel({"<unk>": 0, "the": 1}, "<unk>")).save(str(path))
    with pytest.raises(InputError, match=re.escape(f"{path}: a damaged tokenizer (a vocabulary of longer pieces")):
        Tokenizer.load(path)
