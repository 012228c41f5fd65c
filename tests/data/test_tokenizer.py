"""Characters to ids and back: exact on any text, and the numpy table agrees with the library."""

import doctest
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tokenizers

from peephole.data import tokenizer as module
from peephole.data.tokenizer import Tokenizer
from peephole.errors import InputError

AWKWARD = "a\rb\r\nc\n\t<eod><unk><0x41>e\u0301é👩‍👩‍👧 \u200b\u0001\x7f\ufeff\U0010ffff\u2028  "


def random_text(length: int, seed: int = 0) -> str:
    points = np.random.default_rng(seed).integers(1, 0x110000, length)
    return "".join(chr(point) for point in points if not 0xD800 <= point < 0xE000)


def test_the_example_in_the_docstring_holds() -> None:
    assert doctest.testmod(module).failed == 0
    assert doctest.testmod(module).attempted > 0


def test_vocabulary_is_in_the_order_of_code_points() -> None:
    tokenizer = Tokenizer.characters({"b": 1, "a": 5, "é": 2})
    assert tokenizer.symbols == ["<eod>", "<unk>", "a", "b", "é"]
    assert (tokenizer.eod, tokenizer.unk, len(tokenizer)) == (0, 1, 5)
    assert Tokenizer.characters({"b": 1, "a": 5, "é": 2}, min_count=2).symbols == ["<eod>", "<unk>", "a", "é"]
    spelled = Tokenizer.characters({"a": 1}, unknown="bytes")
    assert spelled.symbols == ["<eod>", "<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "a"]


def test_an_empty_vocabulary_knows_nothing() -> None:
    assert Tokenizer.characters({}).encode("ab").tolist() == [1, 1]


@pytest.mark.parametrize(("characters", "dtype"), [(254, np.uint8), (255, np.uint16), (66000, np.uint32)])
def test_ids_take_the_smallest_type(characters: int, dtype: type[np.unsignedinteger]) -> None:
    text = "".join(chr(0x10000 + index) for index in range(characters))
    tokenizer = Tokenizer.characters(Counter(text))
    ids = tokenizer.encode(text)
    assert tokenizer.dtype == ids.dtype == dtype
    assert tokenizer.encode("").dtype == dtype
    assert tokenizer.decode(ids) == text


@pytest.mark.parametrize("unknown", ["symbol", "bytes"])
def test_text_over_the_vocabulary_comes_back_exactly(unknown: str) -> None:
    text = random_text(200_000) + AWKWARD
    tokenizer = Tokenizer.characters(Counter(text), unknown)
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_bytes_bring_back_any_text() -> None:
    tokenizer = Tokenizer.characters(Counter("plain <0x> text"), "bytes")
    text = random_text(50_000, seed=1) + AWKWARD + "plain text" * 10_000
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert tokenizer.unk not in ids


@pytest.mark.parametrize("unknown", ["symbol", "bytes"])
def test_the_table_and_the_library_agree(tmp_path: Path, unknown: str) -> None:
    tokenizer = Tokenizer.characters(Counter(AWKWARD + random_text(3000)), unknown, min_count=1)
    tokenizer.save(tmp_path / "tokenizer.json")
    library = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    pieces = [AWKWARD, random_text(3000), random_text(3000, seed=2), "\n" * 9, AWKWARD * 500, ""]
    for piece, expected in zip(pieces, library.encode_batch_fast(pieces), strict=True):
        assert tokenizer.encode(piece).tolist() == expected.ids


def test_names_of_tokens_in_the_text_stay_text() -> None:
    tokenizer = Tokenizer.characters(Counter("<eod><unk>"))
    ids = tokenizer.encode("<eod><unk>")
    assert len(ids) == 10
    assert not {tokenizer.eod, tokenizer.unk} & set(ids.tolist())


def test_unknown_characters_are_listed_where_they_first_stand() -> None:
    for unknown in ("symbol", "bytes"):
        tokenizer = Tokenizer.characters(Counter("abc"), unknown)
        assert tokenizer.unknown("abzbé\U0010ffffzé") == {"z": 2, "é": 4, "\U0010ffff": 5}
        assert list(tokenizer.unknown("zya")) == ["z", "y"]
        assert tokenizer.unknown("") == {}


def test_saved_and_loaded_is_the_same(tmp_path: Path) -> None:
    for unknown in ("symbol", "bytes"):
        saved = Tokenizer.characters(Counter(AWKWARD), unknown)
        saved.save(tmp_path / "tokenizer.json")
        loaded = Tokenizer.load(tmp_path / "tokenizer.json")
        assert loaded.symbols == saved.symbols
        assert loaded.encode(AWKWARD + "ж").tolist() == saved.encode(AWKWARD + "ж").tolist()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"no tokenizer \(No such file"),
        (b"", "a damaged tokenizer"),
        (b'{"version": "1.0", "tru', "a damaged tokenizer"),
        (b"{}", "a damaged tokenizer"),
        (b"\xff\xfe", "a damaged tokenizer"),
    ],
)
def test_a_tokenizer_that_is_missing_or_damaged_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "tokenizer.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        Tokenizer.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_another_librarys_vocabulary_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    for vocabulary, reason in (({"a": 0}, "without <eod>"), ({"<eod>": 0, "<unk>": 1, "the": 2}, "longer pieces")):
        tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, "<unk>")).save(str(path))
        with pytest.raises(InputError, match=reason):
            Tokenizer.load(path)


def test_half_a_surrogate_pair_is_refused() -> None:
    tokenizer = Tokenizer.characters(Counter("ab"))
    for use in (tokenizer.encode, tokenizer.unknown):
        with pytest.raises(InputError, match=r"character 1 \(U\+D800\) is half a character"):
            use("a\ud800b")


def test_ids_outside_the_vocabulary_are_refused() -> None:
    tokenizer = Tokenizer.characters(Counter("ab"))
    for ids in ([0, 4], [-1]):
        with pytest.raises(ValueError, match="expected 0 to 3"):
            tokenizer.decode(ids)
