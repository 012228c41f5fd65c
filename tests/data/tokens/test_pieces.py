"""Byte-pairs: every text comes back as it was, in whatever parts, and the same text gives the same pieces."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tokenizers

from peephole.data.tokenizer import Tokenizer
from peephole.data.tokens import blocks
from peephole.data.tokens.pieces import BOUNDARY, ready
from peephole.errors import InputError

TEXT = "the low lower lowest\nthe new newer newest, it's the wide wider widest!\n" * 3
AWKWARD = (
    "a\rb\r\nc\n\t<eod><unk><0x41> <eod> Ġthe e\u0301é 👩‍👩‍👧 "
    "\u200b\u0001\x7f\ufeff\U0010ffff\u2028  日本語。\x00 it's I'LL \xa0 x"
)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.pieces([TEXT], 300)


def random_text(length: int, seed: int) -> str:
    points = np.random.default_rng(seed).integers(1, 0x110000, length)
    return "".join(chr(point) for point in points if not 0xD800 <= point < 0xE000)


def test_frequent_words_are_pieces_and_every_byte_is_one(tokenizer: Tokenizer) -> None:
    assert (tokenizer.kind, tokenizer.unit, tokenizer.cut, tokenizer.eos) == ("bpe", "pieces", None, None)
    assert tokenizer.symbols[:2] == ["<eod>", "<unk>"]
    assert (tokenizer.eod, tokenizer.unk) == (0, 1)
    assert 258 < len(tokenizer) <= 301
    assert [tokenizer.symbols[token] for token in tokenizer.encode(" the low")] == [" the", " low"]
    assert sum(symbol.startswith("<0x") for symbol in tokenizer.symbols) == 128  # bytes that are no character alone
    assert Tokenizer.pieces([TEXT], 257).symbols == tokenizer.symbols[:258]


def test_any_text_comes_back(tokenizer: Tokenizer) -> None:
    for text in (TEXT, AWKWARD, random_text(5000, 1), " ", "\n\n", "", "  x", "'", "\ufffd"):
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == text
        assert not {tokenizer.eod, tokenizer.unk} & set(ids.tolist())
        spell = tokenizer.speller()
        assert "".join(map(spell, [*ids.tolist(), None])) == text
    assert tokenizer.unknown(AWKWARD) == {}


def test_a_character_is_spelled_once_it_is_whole(tokenizer: Tokenizer) -> None:
    spell = tokenizer.speller()
    parts = [spell(token) for token in tokenizer.encode("é👧a").tolist()]
    assert parts == ["", "é", "", "", "", "👧", "a"]
    first = tokenizer.encode("é").tolist()[0]
    assert [spell(first), spell(tokenizer.eod), spell(first), spell(None)] == ["", "\ufffd<eod>", "", "\ufffd"]


def test_what_merging_would_spell_a_symbol_does_not_become_it() -> None:
    tokenizer = Tokenizer.pieces(["<eod>\n" * 50 + "<unk>\n" * 50], 300)
    assert tokenizer.symbols[:2] == ["<eod>", "<unk>"]
    ids = tokenizer.encode("<eod><unk>")
    assert not {0, 1} & set(ids.tolist())
    assert tokenizer.decode(ids) == "<eod><unk>"


def test_parts_of_any_length_give_the_same_ids(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(2)
    parts = ["low", "er", " ", "  ", "\n", "'s", "'", "1", "²", "!", "é", "_", "\u3000", "日", "\t", "\xa0", "\x1c"]
    text = "".join(generator.choice(parts, 3000))
    whole = tokenizer.encode(text).tolist()
    monkeypatch.setattr(blocks, "BLOCK", 150)
    assert tokenizer.encode(text).tolist() == whole
    for length in (1, 3, 100):
        encode = tokenizer.encoder()
        found = [encode(text[start : start + length]) for start in range(0, len(text), length)]
        assert np.concatenate([*found, encode(None)]).tolist() == whole


def test_a_block_ends_where_the_library_ends_a_piece() -> None:
    library = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    text = AWKWARD + "".join(np.random.default_rng(3).choice(list("ab1'. \n\té²_!\x1c\u3000"), 3000))
    bounds = {end for _, (_, end) in library.pre_tokenize_str(text)}
    found = [match.start() for match in BOUNDARY.finditer(text)]
    assert len(found) > 300
    assert set(found) <= bounds
    assert ready("one two") == 3
    assert ready("日本語。日本") == 3
    assert ready("word" + " " * 300) == 4
    assert ready("it's") == 0


def test_the_same_text_gives_the_same_pieces(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path / "here.json")
    assert Tokenizer.load(tmp_path / "here.json").symbols == tokenizer.symbols
    parted = Tokenizer.pieces(TEXT.splitlines(keepends=True), 300)
    parted.save(tmp_path / "parted.json")
    script = f"""
from pathlib import Path
from peephole.data.tokenizer import Tokenizer
Tokenizer.pieces([{TEXT!r}], 300).save(Path({str(tmp_path)!r}) / "there.json")
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    here, there = (tmp_path / "here.json").read_bytes(), (tmp_path / "there.json").read_bytes()
    assert here == there == (tmp_path / "parted.json").read_bytes()


def test_pairs_seen_too_rarely_are_not_merged() -> None:
    assert len(Tokenizer.pieces(["each once"], 400)) == 258
    assert len(Tokenizer.pieces([TEXT], 400, min_count=10**6)) == 258


def test_half_a_character_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(InputError, match=r"U\+D800\) is half a character"):
        tokenizer.encode("a\ud800b")


def test_a_mark_ends_a_sentence() -> None:
    tokenizer = Tokenizer.pieces(['He said "no." Why?\n' * 9], 300)
    ends = {symbol for token, symbol in enumerate(tokenizer.symbols) if tokenizer.ends_sentence(token)}
    assert {".", "?", "!"} <= ends
    assert not any(any(map(str.isalnum, symbol)) for symbol in ends)
