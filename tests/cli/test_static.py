"""`peephole static`: what it prints and writes, that it goes on, and what it refuses."""

import json
from pathlib import Path

import pytest

from peephole.cli import static
from peephole.errors import InputError

PNG = b"\x89PNG\r\n\x1a\n"
SMALL = ("--bits", "2", "3", "--seeds", "1", "--hidden-size", "8", "--steps", "5", "--cell", "rnn")


def test_it_prints_draws_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "found"
    assert static.run(["parity", *SMALL, "--out", str(folder)]) == 0
    printed = capsys.readouterr()
    verdict, header, *lines, written = printed.out.splitlines()
    assert verdict.startswith("To get 99 % of all patterns of 2 to 3 bits of parity right, a static net of 8 units ")
    assert header.split("  ")[1] == "N"
    assert header.endswith("XOR tree, units  counting, units  recurrent by hand, units")
    assert [line.split()[:2] for line in lines] == [["2", "4"], ["3", "8"]]
    assert [line.split()[-3:] for line in lines] == [["3", "3", "2"], ["6", "4", "2"]]
    assert written == f"wrote {folder}/static.png"
    assert (folder / "static.png").read_bytes().startswith(PNG)
    assert len(printed.err.splitlines()) == 8
    assert printed.err.splitlines()[-1].startswith("8/8 3 bits, 8 samples, seed 0: right ")
    rows = (folder / "rows.jsonl").read_bytes()
    assert static.run(["parity", *SMALL, "--out", str(folder), "--json"]) == 0
    tree = json.loads(capsys.readouterr().out)
    assert tree["verdict"] == verdict
    assert tree["figure"] == f"{folder}/static.png"
    assert tree["by_hand"] == {"XOR tree": [3, 6], "counting": [3, 4], "recurrent by hand": [2, 2]}
    assert len(tree["rows"]) == 8
    assert (folder / "rows.jsonl").read_bytes() == rows


def test_addition_without_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert static.run(["addition", "--bits", "1", "--seeds", "1", "--hidden-size", "4", "--steps", "2"]) == 0
    verdict, header, line = capsys.readouterr().out.splitlines()
    assert "bits of addition right" in verdict
    assert header.endswith("recurrent by hand, units")
    assert line.split()[-1] == "3"
    assert not list(tmp_path.iterdir())


def test_what_it_refuses(tmp_path: Path) -> None:
    for words, message in (
        (["--bits", "0"], "--bits has 0; expected 1 to 12"),
        (["addition", "--bits", "7"], "--bits has 7; expected 1 to 6"),
        (["--seeds", "0"], "--seeds is 0; expected at least 1"),
        (["addition", "--answers", "last"], "--answers is 'last'; expected each, or of parity last"),
        (["--steps", "0"], "--steps is 0; expected at least 1"),
    ):
        with pytest.raises(InputError, match=message):
            static.run(words)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file; expected a folder, choose another --out"):
        static.run(["--out", str(tmp_path / "file")])
    for words in (["sorting"], ["--cell", "mgu"], ["--bits", "two"]):
        with pytest.raises(SystemExit) as stop:
            static.run(words)
        assert stop.value.code == 2
