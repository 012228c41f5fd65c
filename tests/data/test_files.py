"""Finding and reading text: nothing lost, nothing translated, and a refusal that names the file."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from peephole.data import files
from peephole.data.files import find_files, read_text, standard_library
from peephole.errors import InputError
from peephole.writing import write_whole


def make(folder: Path, **contents: bytes) -> None:
    for name, content in contents.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def refusal(*paths: Path, encoding: str = "utf-8") -> str:
    with pytest.raises(InputError) as caught:
        find_files(paths, encoding=encoding)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_folder_in_sorted_order_without_what_is_not_text(tmp_path: Path) -> None:
    make(tmp_path, b_txt=b"b", a_txt=b"a", c__d_py=b"d", image_png=b"\x89\0", empty_txt=b"", c__a_md=b"a")
    for hidden in (".hidden", ".git/config", "__pycache__/a.txt"):
        (tmp_path / hidden).parent.mkdir(exist_ok=True)
        (tmp_path / hidden).write_bytes(b"x")
    found = [str(path.relative_to(tmp_path)) for path in find_files([tmp_path])]
    assert found == ["a.txt", "b.txt", "c/a.md", "c/d.py"]
    assert find_files([tmp_path], suffixes=(".py", ".md")) == [tmp_path / "c/a.md", tmp_path / "c/d.py"]


def test_a_file_reached_twice_counts_once_and_links_do_not_loop(tmp_path: Path) -> None:
    make(tmp_path, a_txt=b"a", sub__b_txt=b"b")
    (tmp_path / "sub/up").symlink_to(tmp_path)
    (tmp_path / "same.txt").symlink_to(tmp_path / "a.txt")
    assert find_files([tmp_path, tmp_path / "a.txt", tmp_path]) == [tmp_path / "a.txt", tmp_path / "sub/b.txt"]


def test_a_hidden_file_named_by_the_user_is_read(tmp_path: Path) -> None:
    (tmp_path / ".notes").write_bytes(b"x")
    assert find_files([tmp_path / ".notes"], suffixes=(".txt",)) == [tmp_path / ".notes"]


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    make(tmp_path, empty_txt=b"", image_png=b"\x89PNG\0")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    assert refusal(tmp_path / "no.txt") == (
        f"{tmp_path}/no.txt: cannot be read (No such file or directory): expected a text file or a folder"
    )
    assert f"{tmp_path}/empty.txt: an empty file" in refusal(tmp_path / "empty.txt")
    assert f"{tmp_path}/image.png: a binary file (NUL at byte 4)" in refusal(tmp_path / "image.png")
    assert "neither a file nor a folder" in refusal(tmp_path / "pipe")
    assert f"{tmp_path}/folder: a folder with nothing in it" in refusal(tmp_path / "folder")
    assert "unknown: expected one that Python knows" in refusal(tmp_path, encoding="utf-99")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_a_file_that_fails_while_it_is_read_is_named() -> None:
    assert "/proc/self/mem: cannot be read (Input/output error)" in refusal(Path("/proc/self/mem"))


def test_a_folder_without_the_suffix_says_which(tmp_path: Path) -> None:
    make(tmp_path, a_txt=b"a")
    with pytest.raises(InputError, match=r"name ends in \.md or \.rst"):
        find_files([tmp_path], suffixes=(".md", ".rst"))


def test_wide_encodings_write_nul_bytes(tmp_path: Path) -> None:
    path = tmp_path / "wide.txt"
    path.write_bytes("text".encode("utf-16"))
    assert "pass --encoding utf-16" in refusal(path)
    assert find_files([path], encoding="utf-16") == [path]
    assert "".join(read_text(path, "utf-16")) == "text"


def test_standard_library_is_source_without_tests() -> None:
    found = standard_library()
    assert len(found) > 100
    assert {path.suffix for path in found} == {".py"}
    assert not {"test", "tests", "site-packages", "encodings"} & {part for path in found for part in path.parts[4:]}


def test_reading_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    points = generator.integers(1, 0x110000, 5000)
    text = "\ufeffa\rb\r\nc\n" + "".join(chr(point) for point in points if not 0xD800 <= point < 0xE000) + "\r"
    path = tmp_path / "all.txt"
    path.write_bytes(text.encode())
    for block in (1, 3, 4096, 1 << 20):
        monkeypatch.setattr(files, "BLOCK", block)
        pieces = list(read_text(path, "utf-8"))
        assert "".join(pieces) == text
        assert max(map(len, pieces)) <= block
    start = len(text[:100].encode())
    assert "".join(read_text(path, "utf-8", start)) == text[100:]


@pytest.mark.parametrize("start", [0, 3])
@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_bad_bytes_are_placed_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, start: int
) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"x" * 1234 + "é".encode("latin-1") + b" and more")
    monkeypatch.setattr(files, "BLOCK", block)
    with pytest.raises(InputError) as caught:
        list(read_text(path, "utf-8", start))
    assert str(caught.value) == (
        f"{path}: not UTF-8 at byte 1,234 (0xE9); pass --encoding, for example --encoding latin-1"
    )
    assert "".join(read_text(path, "latin-1"))[1234] == "é"


def test_a_character_cut_off_at_the_end_is_bad(tmp_path: Path) -> None:
    path = tmp_path / "cut.txt"
    path.write_bytes("ab€".encode()[:-1])
    with pytest.raises(InputError, match=r"not UTF-8 at byte 2 \(0xE2\)"):
        list(read_text(path, "utf-8"))
    with pytest.raises(InputError, match=r"not ASCII at byte 2 .*--encoding utf-8"):
        list(read_text(path, "ascii"))


@pytest.mark.parametrize("encoding", ["utf-99", "hex", "rot13", ""])
def test_unknown_encodings_are_refused(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(InputError, match="unknown: expected one that Python knows"):
        list(read_text(tmp_path / "never-opened", encoding))


def test_reading_a_missing_file_names_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.txt: cannot be read"):
        list(read_text(tmp_path / "gone.txt", "utf-8"))


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "whole"
    write_whole(path, b"first")
    write_whole(path, b"second")
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_whole(path, b"third")
    assert path.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [path]


def test_a_codec_that_refuses_the_whole_text_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "plain.txt"
    path.write_text("no byte order mark")
    with pytest.raises(InputError, match=r"not utf-16 .*pass --encoding") as caught:
        list(read_text(path, "utf-16"))
    assert "\n" not in str(caught.value)
