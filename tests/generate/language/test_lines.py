"""Texts with an utterance a line."""

from pathlib import Path

import pytest

from peephole.errors import InputError
from peephole.generate.language.lines import read_utterances


def test_lines_lose_what_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes("\ufeffOne  two\r\n\n \t\nThree\n".encode())
    assert read_utterances(path) == ["One two", "Three"]
    assert read_utterances(path, str.lower) == ["one two", "three"]


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.txt: cannot be read \(No such file"):
        read_utterances(tmp_path / "none.txt")
    (tmp_path / "bytes.txt").write_bytes(b"abc\xff")
    with pytest.raises(InputError, match="byte 3 is no UTF-8"):
        read_utterances(tmp_path / "bytes.txt")
    (tmp_path / "empty.txt").write_text("\n \n")
    with pytest.raises(InputError, match="no line says anything"):
        read_utterances(tmp_path / "empty.txt")
