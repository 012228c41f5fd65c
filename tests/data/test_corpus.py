"""From text to tokens on disk: what is stored, what is held out, and what is refused."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from peephole.data import corpus as module
from peephole.data import files, parts, split
from peephole.data.config import TextData
from peephole.data.corpus import Part, TextCorpus, open_corpus, prepare
from peephole.data.files import standard_library
from peephole.errors import InputError


def written(folder: Path, **contents: str | bytes) -> tuple[Path, ...]:
    paths = []
    for name, content in contents.items():
        path = folder / f"{name}.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        paths.append(path)
    return tuple(paths)


def made(folder: Path, data: TextData) -> TextCorpus:
    return prepare(data, folder / "corpus", folder / "tokenizer.json")


def refusal(folder: Path, data: TextData) -> str:
    with pytest.raises(InputError) as caught:
        made(folder, data)
    assert "\n" not in str(caught.value)
    assert not (folder / "corpus").exists()
    assert not list(folder.glob(".*"))
    return str(caught.value)


def shown(corpus: TextCorpus, part: Part) -> str:
    """The part's text, with | for `<eod>`."""
    return corpus.tokenizer.decode(part.tokens).replace("<eod>", "|")


def test_one_document_is_cut_inside(tmp_path: Path) -> None:
    corpus = made(tmp_path, TextData(written(tmp_path, a="abcdefghij\r\nabcdefgh"), held_out=0.3))
    assert shown(corpus, corpus.train) == "|abcdefghij\r\nab"
    assert shown(corpus, corpus.held_out) == "cdefgh|"
    assert (corpus.train.characters, corpus.held_out.characters) == (14, 6)
    assert (corpus.train.documents, corpus.held_out.documents) == (1, 1)
    assert corpus.description["cut_inside_document"] is True
    assert corpus.description["cut"] == 14
    assert isinstance(corpus.train.tokens, np.memmap)
    assert corpus.train.tokens.dtype == np.uint8


def test_separators_end_documents_and_the_cut_moves_to_one(tmp_path: Path) -> None:
    text = "one--two----three--four--five--"  # 5 documents: the empty one is left out
    data = TextData(written(tmp_path, a=text), separator="--", held_out=0.5, unknown="bytes")
    corpus = made(tmp_path, data)
    assert shown(corpus, corpus.train) == "|one|two|three|"
    assert shown(corpus, corpus.held_out) == "|four|five|"
    assert (corpus.train.documents, corpus.held_out.documents) == (3, 2)
    assert corpus.description["characters"] == {"train": 11, "held_out": 8}
    assert corpus.description["cut_inside_document"] is False


def test_the_cut_stays_inside_where_moving_it_would_hold_out_too_little(tmp_path: Path) -> None:
    data = TextData(written(tmp_path, a="ab--cdefghijkl--m"), separator="--", held_out=0.5, unknown="bytes")
    corpus = made(tmp_path, data)
    assert shown(corpus, corpus.train) == "|ab|cdef"
    assert shown(corpus, corpus.held_out) == "ghijkl|m|"
    assert (corpus.train.documents, corpus.held_out.documents) == (2, 2)


@pytest.mark.parametrize("block", [1, 2, 3, 5, 1 << 20])
@pytest.mark.parametrize("separator", ["-", "--", "\n\n", "---\r\n", "aXa"])
def test_documents_are_those_of_str_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, separator: str, block: int
) -> None:
    monkeypatch.setattr(files, "BLOCK", block)
    text = "".join(np.random.default_rng(block).choice(["a", "X", "-", "\n", "\r", "é", separator], 300))
    (path,) = written(tmp_path, a=text)
    source = split.SourceFile.of(path)
    found, current = [], ""
    for piece in split.documents([source, source], "utf-8", separator):
        if piece is None:
            found.append(current)
            current = ""
        else:
            current += piece
    assert not current
    assert found == [document for document in text.split(separator) if document] * 2


def test_several_files_are_split_whole_wherever_they_lie(tmp_path: Path) -> None:
    contents = {f"f{index}": f"text number {index} " * 20 for index in range(20)}
    held = []
    for order in (contents, dict(reversed(contents.items()))):
        folder = tmp_path / str(len(held))
        folder.mkdir()
        paths = written(folder, **order)
        corpus = made(folder, TextData(paths[::-1] if held else paths))
        assert corpus.description["split"] == "file"
        assert corpus.train.documents + corpus.held_out.documents == 20
        listed = corpus.description["files"]
        held.append({Path(file["path"]).name for file in listed if file["part"] == "held_out"})
        assert all(Path(file["path"]).is_absolute() for file in listed)
        assert all(file["bytes"] == Path(file["path"]).stat().st_size for file in listed)
        text = shown(corpus, corpus.held_out)
        assert text.startswith("|text number")
        assert text.endswith("|")
        assert text.count("|") == corpus.held_out.documents + 1
    assert held[0] == held[1]
    assert len(held[0]) == 2


def test_copies_land_on_one_side(tmp_path: Path) -> None:
    for seed in range(8):
        folder = tmp_path / str(seed)
        folder.mkdir()
        contents = {f"f{index}": f"{seed} {index // 2}" * (index // 2 + 9) for index in range(10)}
        corpus = made(folder, TextData(written(folder, **contents), held_out=0.3))
        sides: dict[str, set[str]] = {}
        for file in corpus.description["files"]:
            sides.setdefault(file["sha256"], set()).add(file["part"])
        assert len(sides) == 5
        assert all(len(parts) == 1 for parts in sides.values())
        assert {"train", "held_out"} == set.union(*sides.values())
        assert [Path(path).stem for path in corpus.description["duplicates"]] == ["f1", "f3", "f5", "f7", "f9"]


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_each_side_has_a_file(tmp_path: Path, share: float, caplog: pytest.LogCaptureFixture) -> None:
    paths = written(tmp_path, small="abc", large="abcdefgh" * 10)
    corpus = made(tmp_path, TextData(paths, held_out=share))
    assert {corpus.train.characters, corpus.held_out.characters} == {3, 80}
    assert (corpus.held_out.characters == 3) == (share == 0.01)
    assert ("whole files hold out 3.6 %" in caplog.text) == (share == 0.01)


def test_several_files_may_be_cut_by_position(tmp_path: Path) -> None:
    paths = written(tmp_path, a="aaaa", b="bbbb", c="abab")
    corpus = made(tmp_path, TextData(paths, split="position", held_out=0.5))
    assert (shown(corpus, corpus.train), shown(corpus, corpus.held_out)) == ("|aaaa|bb", "bb|abab|")
    assert (corpus.train.documents, corpus.held_out.documents) == (2, 2)
    assert {file["part"] for file in corpus.description["files"]} == {"both"}


def test_only_the_training_part_makes_the_vocabulary(tmp_path: Path) -> None:
    (path,) = written(tmp_path, a="aaabbc" + "aé€")
    symbol = made(tmp_path, TextData((path,), held_out=1 / 3, min_count=2))
    assert symbol.tokenizer.symbols == ["<eod>", "<unk>", "a", "b"]
    assert symbol.held_out.tokens.tolist() == [2, 1, 1, 0]
    folder = tmp_path / "bytes"
    folder.mkdir()
    spelled = made(folder, TextData((path,), held_out=1 / 3, unknown="bytes"))
    assert shown(spelled, spelled.held_out) == "aé€|"
    assert spelled.held_out.tokens.dtype == np.uint16


@pytest.mark.parametrize("separator", [None, "\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "shift_jis"])
def test_random_text_survives(tmp_path: Path, encoding: str, separator: str | None) -> None:
    generator = np.random.default_rng(3)
    text = "".join(generator.choice(list("abc\r\n\tあいうー。 \\"), 20_000))
    (path,) = written(tmp_path, a=text.encode(encoding))
    data = TextData((path,), encoding=encoding, separator=separator)
    corpus = made(tmp_path, data)
    joined = shown(corpus, corpus.train).strip("|")
    joined += ("" if corpus.description["cut_inside_document"] else "|") + shown(corpus, corpus.held_out).strip("|")
    expected = text if separator is None else "|".join(line for line in text.split("\n") if line)
    assert joined == expected
    for part in (corpus.train, corpus.held_out):
        characters = sum(token != corpus.tokenizer.eod for token in part.tokens)
        assert characters == part.characters


def test_without_files_the_standard_library_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "standard_library", lambda: standard_library()[:12])
    corpus = made(tmp_path, TextData())
    assert corpus.description["split"] == "file"
    assert corpus.train.documents + corpus.held_out.documents == 12


def test_text_that_cannot_be_split_is_refused(tmp_path: Path) -> None:
    a, b, one, none = written(tmp_path, a="same text", b="same text", one="x", none="--")
    assert "a.txt is one file: splitting by file needs two" in refusal(tmp_path, TextData((a,), split="file"))
    assert "all 2 files have the same content" in refusal(tmp_path, TextData((a, b), split="file"))
    assert "all 2 files have the same content" in refusal(tmp_path, TextData((a, b)))
    assert "the text has 1 characters: expected two or more" in refusal(tmp_path, TextData((one,)))
    assert "the text has 0 characters" in refusal(tmp_path, TextData((none,), separator="--"))
    for share in (0.1, 0.9):
        message = refusal(tmp_path, TextData((a, none), separator="--", held_out=share))
        assert "part has no characters" in message


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"held_out": 0.0}, "held_out is 0.0: expected a share between 0 and 1"),
        ({"held_out": 1.0}, "held_out is 1.0"),
        ({"held_out": float("nan")}, "held_out is nan"),
        ({"min_count": 0}, "min_count is 0: expected 1"),
        ({"separator": ""}, "separator is empty"),
    ],
)
def test_settings_outside_their_range_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(InputError) as caught:
        TextData(**settings)
    assert message in str(caught.value)


def test_words_that_are_no_choice_are_refused() -> None:
    # In a process of its own: here beartype would refuse them first.
    script = """
from peephole.data.config import TextData
for name in ("split", "unknown", "tokens"):
    try:
        TextData(**{name: "other"})
    except ValueError as error:
        print(type(error).__name__, error)
"""
    result = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert result.stdout.splitlines() == [
        "InputError split is 'other': expected one of auto, position, file, named",
        "InputError unknown is 'other': expected one of symbol, bytes",
        "InputError tokens is 'other': expected one of char, word, bpe",
    ]


def test_bad_bytes_in_the_held_out_part_show_before_work(tmp_path: Path) -> None:
    (path,) = written(tmp_path, a=b"x" * 2000 + b"\xe9")
    assert "not UTF-8 at byte 2,000 (0xE9); pass --encoding" in refusal(tmp_path, TextData((path,)))
    assert not (tmp_path / "tokenizer.json").exists()


def test_a_file_that_changes_while_it_is_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = written(tmp_path, a="some text")
    encode = module._encode

    def change(*arguments: object) -> tuple[list[int], list[int]]:
        path.write_text("some more text")
        return encode(*arguments)

    monkeypatch.setattr(module, "_encode", change)
    assert f"{path}: changed while it was read" in refusal(tmp_path, TextData((path,)))


def test_killed_half_way_and_run_again_starts_cleanly(tmp_path: Path) -> None:
    paths = written(tmp_path, a="some text " * 100)
    script = f"""
import os
from pathlib import Path
from peephole.data import corpus, config
corpus._encode = lambda *given: ((given[3] / "train.bin").write_bytes(b"x"), os._exit(9))
corpus.prepare(config.TextData((Path({str(paths[0])!r}),)), Path({str(tmp_path)!r}) / "corpus", Path("never"))
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 9
    assert [path.name for path in tmp_path.glob(".*")] == [".corpus.partial"]
    assert not (tmp_path / "corpus").exists()
    corpus = made(tmp_path, TextData(paths))
    assert corpus.train.characters == 900
    assert not list(tmp_path.glob(".*"))


def test_an_existing_folder_is_left_alone(tmp_path: Path) -> None:
    paths = written(tmp_path, a="some text")
    (tmp_path / "corpus").mkdir()
    made(tmp_path, TextData(paths))
    with pytest.raises(InputError, match="there already: expected a new folder"):
        made(tmp_path, TextData(paths))


def test_opened_again_it_is_the_same(tmp_path: Path) -> None:
    corpus = made(tmp_path, TextData(written(tmp_path, a="some text")))
    again = open_corpus(tmp_path / "corpus", tmp_path / "tokenizer.json")
    assert again.description == corpus.description
    assert again.tokenizer.symbols == corpus.tokenizer.symbols
    for one, other in ((corpus.train, again.train), (corpus.held_out, again.held_out)):
        assert (one.tokens == other.tokens).all()
        assert (one.documents, one.characters) == (other.documents, other.characters)


def damage(folder: Path, how: str) -> None:
    recorded = json.loads((folder / "corpus/corpus.json").read_text())
    match how:
        case "missing tokens":
            (folder / "corpus/train.bin").unlink()
        case "short tokens":
            (folder / "corpus/held_out.bin").write_bytes(b"")
        case "missing record":
            (folder / "corpus/corpus.json").unlink()
        case "cut record":
            (folder / "corpus/corpus.json").write_text(json.dumps(recorded)[:50])
        case "empty record":
            (folder / "corpus/corpus.json").write_text("{}")
        case "other version":
            (folder / "corpus/corpus.json").write_text(json.dumps({**recorded, "version": 99}))
        case "other tokenizer":
            (folder / "tokenizer.json").write_text((folder / "tokenizer.json").read_text() + " ")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("missing tokens", r"train\.bin: missing from the corpus"),
        ("short tokens", r"held_out\.bin: damaged: 0 bytes, expected 2;"),
        ("missing record", r"corpus\.json: missing from the corpus"),
        ("cut record", r"corpus\.json: damaged"),
        ("empty record", r"corpus\.json: damaged"),
        ("other version", r"corpus\.json: format 99: expected 1"),
        ("other tokenizer", r"tokenizer\.json: not the tokenizer that"),
    ],
)
def test_a_damaged_corpus_is_refused(tmp_path: Path, how: str, message: str) -> None:
    made(tmp_path, TextData(written(tmp_path, a="some text")))
    damage(tmp_path, how)
    with pytest.raises(InputError, match=message) as caught:
        open_corpus(tmp_path / "corpus", tmp_path / "tokenizer.json")
    assert "\n" not in str(caught.value)


MEASURE = """
import sys, threading
from pathlib import Path
from peephole.data.config import TextData
from peephole.data.corpus import prepare

def private():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))

most, done = 0, threading.Event()

def watch():
    global most
    while not done.wait(0.002):
        most = max(most, private())

watcher = threading.Thread(target=watch)
watcher.start()
folder = Path(sys.argv[1])
prepare(TextData((folder / "text.txt",), separator="\\n\\n"), folder / "corpus", folder / "tokenizer.json")
done.set()
watcher.join()
print(most)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_memory_does_not_grow_with_the_corpus(tmp_path: Path) -> None:
    most = []
    paragraph = "".join(np.random.default_rng(0).choice(list("abcdefgh é€\n"), 8000)) + "\n\n"
    for megabytes in (3, 30):
        folder = tmp_path / str(megabytes)
        folder.mkdir()
        (folder / "text.txt").write_bytes(paragraph.encode() * (megabytes * 100))
        result = subprocess.run(
            [sys.executable, "-c", MEASURE, str(folder)], check=True, capture_output=True, text=True
        )
        most.append(int(result.stdout))
    assert most[1] - most[0] <= 8 * 1024  # kB; one piece of text takes up to about 20 MB on its way
