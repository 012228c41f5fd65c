"""Text that is none, disks that fill, and a process that ends: one line, and nothing is left."""

import gzip
import json
import re
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from peephole.embed.corpus import reading
from peephole.embed.corpus.config import CorpusConfig
from peephole.embed.corpus.preparing import open_corpus, prepare
from peephole.errors import InputError

TEXT = b"one two two three three three\n" * 20


def refusal(folder: Path, *contents: bytes, **settings: object) -> str:
    """What is said of files of these contents; nothing else may be left in the folder."""
    files = tuple(folder / f"text{place}" for place in range(len(contents)))
    for path, content in zip(files, contents, strict=True):
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        prepare(CorpusConfig(files, **settings), folder / "corpus")  # pyright: ignore
    assert sorted(folder.iterdir()) == list(files)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ([], "no files: expected text files"),
        ([b""], "text0: an empty file: expected text"),
        ([b"\n \n", b" "], "no words in .*text0, .*text1: expected text"),
        ([b"x" * 1001 + b" " + b"y" * 4000], "no words but 2 of more than 1,000 bytes in"),
        ([b"a a\n a"], r"a text of one different word \('a', 3 times\): expected several; give more text"),
        ([b"abc", b"abc\0abc"], r"text1: a binary file \(NUL at byte 3\): expected text; leave it out"),
        ([TEXT * 100 + b"\0"], r"text0: a binary file \(NUL at byte 60,000\)"),
        ([b"\xff\xfea\0b\0"], "text0: UTF-16: expected UTF-8; convert it, for example with iconv"),
        ([TEXT, TEXT + b"caf\xe9 au"], r"text1: not UTF-8 at byte 603 \(0xE9\); convert it"),
        ([TEXT + b"\xe4\xb8"], r"text0: not UTF-8 at byte 600 \(0xE4\)"),  # breaks off within a character
        ([gzip.compress(TEXT + b"\xff")], r"text0: not UTF-8 at byte 600 \(0xFF\)"),
        ([gzip.compress(TEXT)[:-9]], "text0: the compressed file breaks off or is damaged"),
        ([gzip.compress(TEXT)[:20] + b"abc"], "text0: the compressed file breaks off or is damaged"),
    ],
)
@pytest.mark.parametrize("block", [10, 1 << 20])
def test_what_is_no_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, contents: list[bytes], message: str, block: int
) -> None:
    monkeypatch.setattr(reading, "BLOCK", block)
    got = refusal(tmp_path, *contents)
    assert re.search(message, got), got


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing: cannot be read \(No such file or directory\)"):
        prepare(CorpusConfig((tmp_path / "missing",)), tmp_path / "corpus")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty: a folder with nothing in it"):
        prepare(CorpusConfig((tmp_path / "empty",)), tmp_path / "corpus")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"min_count": 61}, "min_count 61 leaves 0 of 3 different words: the most frequent, 'three', comes 60 times, "
         "the next 40; pass --min-count 40 or less, or give more text"),
        ({"min_count": 50}, "min_count 50 leaves 1 of 3 different words: .* pass --min-count 40 or less"),
    ],
)  # fmt: skip
def test_a_cut_that_leaves_nothing(tmp_path: Path, settings: dict[str, object], message: str) -> None:
    assert re.search(message, refusal(tmp_path, TEXT, **settings))


@pytest.mark.parametrize(
    "settings",
    [
        {"min_count": 0},
        {"vocabulary": 1},
        {"phrases": -1},
        {"phrases": 11},
        {"phrase_threshold": 0.0},
        {"phrase_threshold": float("nan")},
        {"phrase_min_count": -1},
    ],
)
def test_settings_outside_their_range(settings: dict[str, object]) -> None:
    with pytest.raises(InputError, match=f"^{next(iter(settings))} is .*: expected"):
        CorpusConfig(**settings)  # pyright: ignore


@pytest.mark.parametrize("limit", [0, 100, 4 * 7 * 5])  # the numbers, then corpus.json
def test_a_disk_that_fills(tmp_path: Path, limit: int) -> None:
    (tmp_path / "text0").write_bytes(TEXT[: len(TEXT) // 4])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))  # which ends in an error, as a full disk does
    try:
        with pytest.raises(
            InputError, match=r"corpus: cannot be written \(file too large\); make room, then run again"
        ):
            prepare(CorpusConfig((tmp_path / "text0",)), tmp_path / "corpus")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in tmp_path.iterdir()] == ["text0"]
    assert prepare(CorpusConfig((tmp_path / "text0",)), tmp_path / "corpus").length == 7 * 5


@pytest.mark.parametrize("stage", ["words, pass 1", "pairs, pass 1", "words", "numbers"])
def test_what_is_interrupted_leaves_nothing(tmp_path: Path, stage: str) -> None:
    (tmp_path / "text0").write_bytes(TEXT)

    def interrupt(purpose: str, done: int, total: int) -> None:
        if purpose == stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(CorpusConfig((tmp_path / "text0",), phrases=1), tmp_path / "corpus", interrupt)
    assert [path.name for path in tmp_path.iterdir()] == ["text0"]


def test_what_a_killed_process_left_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "text0").write_bytes(TEXT)
    left = tmp_path / ".corpus.partial"
    left.mkdir()
    (left / "tokens.bin").write_bytes(b"half")
    (left / "phrases.txt").write_bytes(b"half")
    corpus = prepare(CorpusConfig((tmp_path / "text0",)), tmp_path / "corpus")
    assert not left.exists()
    assert corpus.phrases() == ()
    with pytest.raises(InputError, match="corpus: there already: expected a new folder"):
        prepare(CorpusConfig((tmp_path / "text0",)), tmp_path / "corpus")


def test_a_file_that_changes_while_it_is_read(tmp_path: Path) -> None:
    text = tmp_path / "text0"
    text.write_bytes(TEXT)

    def grow(purpose: str, done: int, total: int) -> None:
        if purpose == "numbers":
            text.write_bytes(TEXT + b"one more")

    with pytest.raises(InputError, match="text0: changed while it was read: expected it to stay; run again"):
        prepare(CorpusConfig((text,)), tmp_path / "corpus", grow)
    assert [path.name for path in tmp_path.iterdir()] == ["text0"]


def _cut(folder: Path) -> None:
    (folder / "tokens.bin").write_bytes((folder / "tokens.bin").read_bytes()[:-4])


def _another_format(folder: Path) -> None:
    content = json.loads((folder / "corpus.json").read_bytes())
    (folder / "corpus.json").write_text(json.dumps({**content, "version": 99}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_cut, r"tokens.bin: damaged: 556 bytes, expected 560; remove the folder"),
        (_another_format, r"corpus.json: format 99: expected 1; remove the folder"),
        (lambda folder: (folder / "vocabulary.txt").unlink(), "vocabulary.txt: missing from the corpus"),
        (lambda folder: (folder / "corpus.json").unlink(), "corpus.json: missing from the corpus"),
        (lambda folder: (folder / "corpus.json").write_bytes(b"[]"), "corpus.json: damaged: expected what was"),
        (lambda folder: (folder / "corpus.json").write_bytes(b"\xff{"), "corpus.json: damaged: expected what was"),
    ],
)
def test_a_damaged_corpus_is_not_opened(tmp_path: Path, damage: Callable[[Path], object], message: str) -> None:
    (tmp_path / "text0").write_bytes(TEXT)
    folder = prepare(CorpusConfig((tmp_path / "text0",)), tmp_path / "corpus").folder
    damage(folder)
    with pytest.raises(InputError, match=message) as caught:
        open_corpus(folder)
    assert "\n" not in str(caught.value)
