"""Rows of an experiment: what is done stays done, whatever ended the process."""

import subprocess
import sys
from pathlib import Path

import pytest

from peephole.errors import InputError
from peephole.runs.rows import Rows

SETTINGS = {"experiment": "squares", "steps": 3, "sizes": (1, 2)}


def test_rows_come_back(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    with Rows.open(folder, SETTINGS) as rows:
        assert rows.done("a") is None
        assert rows.add("a", {"lag": None, "tried": (1, 2), "share": 0.1}) == {
            "lag": None,
            "tried": [1, 2],
            "share": 0.1,
        }
        rows.add("b", {"share": float("inf")})
    with Rows.open(folder, SETTINGS) as rows:
        assert rows.done("a") == {"lag": None, "tried": [1, 2], "share": 0.1}
        assert rows.done("b") == {"share": float("inf")}


def test_without_a_folder_rows_are_in_memory() -> None:
    with Rows.open(None, SETTINGS) as rows:
        rows.add("a", {"pair": (1, 2)})
        assert rows.done("a") == {"pair": [1, 2]}  # as from a file


def test_a_line_cut_short_is_dropped_wherever_it_was_cut(tmp_path: Path) -> None:
    with Rows.open(tmp_path, SETTINGS) as rows:
        rows.add("a", {"value": "ä"})
        rows.add("b", {"value": 12})
    whole = (tmp_path / "rows.jsonl").read_bytes()
    first = whole.index(b"\n") + 1
    for length in range(first, len(whole)):
        (tmp_path / "rows.jsonl").write_bytes(whole[:length])
        with Rows.open(tmp_path, SETTINGS) as rows:
            assert rows.done("a") == {"value": "ä"}
            assert rows.done("b") is None
            rows.add("b", {"value": 12})
        assert (tmp_path / "rows.jsonl").read_bytes() == whole


def test_other_settings_are_refused_in_one_line(tmp_path: Path) -> None:
    with Rows.open(tmp_path, SETTINGS) as rows:
        rows.add("a", {"value": 1})
    with pytest.raises(InputError, match=r"other settings \(steps was 3, now 4\); take those again, or choose another"):
        Rows.open(tmp_path, {**SETTINGS, "steps": 4})
    with pytest.raises(InputError, match="rows of something else"):
        Rows.open(tmp_path, {**SETTINGS, "experiment": "cubes"})
    with Rows.open(tmp_path, SETTINGS) as rows:  # a refusal lets go of the folder and changes nothing
        assert rows.done("a") == {"value": 1}


def test_damage_is_told_from_a_kill(tmp_path: Path) -> None:
    with Rows.open(tmp_path, SETTINGS) as rows:
        rows.add("a", {"value": 1})
    (tmp_path / "rows.jsonl").write_text('{"key": "a", "ro\n{"key": "b", "row": {}}\n')
    with pytest.raises(InputError, match=r"rows.jsonl: line 1 is damaged"):
        Rows.open(tmp_path, SETTINGS)
    (tmp_path / "settings.json").write_text("{")
    with pytest.raises(InputError, match=r"settings.json: damaged"):
        Rows.open(tmp_path, SETTINGS)
    (tmp_path / "settings.json").unlink()
    with pytest.raises(InputError, match=r"no settings.json"):
        Rows.open(tmp_path, SETTINGS)


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        Rows.open(tmp_path / "file", SETTINGS)


def test_one_process_at_a_time(tmp_path: Path) -> None:
    # rows.py alone, without torch, so that the other process starts in a moment; it ends without closing anything.
    script = (
        "import os, sys, pathlib\nfrom peephole.runs.rows import Rows\n"
        "rows = Rows.open(pathlib.Path(sys.argv[1]), {'experiment': 'squares', 'steps': 3, 'sizes': (1, 2)})\n"
        "rows.add('a', {'value': 1})\nprint('held', flush=True)\nsys.stdin.read(1)\nos._exit(9)"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], **pipes) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(InputError, match="another process is writing"):
            Rows.open(tmp_path, SETTINGS)
        other.communicate(b".", timeout=60)
    with Rows.open(tmp_path, SETTINGS) as rows:
        assert rows.done("a") == {"value": 1}


def test_a_row_is_found_once() -> None:
    rows = Rows.open(None, SETTINGS)
    rows.add("a", {})
    with pytest.raises(ValueError, match="there already"):
        rows.add("a", {})
