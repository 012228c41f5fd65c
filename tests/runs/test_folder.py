"""The run folder: made, opened, locked, listed; its configuration and its history."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from peephole._version import __version__
from peephole.errors import InputError
from peephole.runs import folder as module
from peephole.runs.folder import Run, find_runs


def made(folder: Path) -> Run:
    run = Run.create(folder)
    run.write_config("text", {"model": {}})
    return run


def test_create_makes_parents_and_leaves_nothing_else(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "a/b/c")
    assert run.folder.is_dir()
    assert not list(run.folder.iterdir())


def test_discard_takes_back_what_create_made_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    run = made(tmp_path / "there/a/b")
    run.discard()
    assert [path.name for path in tmp_path.rglob("*")] == ["there"]
    (tmp_path / "there/.hidden").write_text("mine")
    made(tmp_path / "there").discard()
    assert [path.name for path in tmp_path.rglob("*")] == ["there", ".hidden"]
    run = made(tmp_path / "there/a/b")
    (tmp_path / "there/a/other").write_text("mine")
    run.discard()
    assert sorted(path.name for path in tmp_path.rglob("*")) == [".hidden", "a", "other", "there"]


def test_create_refuses_what_is_there(tmp_path: Path) -> None:
    made(tmp_path / "run")
    with pytest.raises(InputError, match="exists and is not empty; go on with it by --resume"):
        Run.create(tmp_path / "run")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").write_text("mine")
    with pytest.raises(InputError, match="exists and is not empty; choose another --out"):
        Run.create(tmp_path / "full")
    with pytest.raises(InputError, match="is a file; expected a new folder"):
        Run.create(tmp_path / "full/file")
    with pytest.raises(InputError, match=r"cannot be written \(not a directory\)"):
        Run.create(tmp_path / "full/file/run")
    assert (tmp_path / "full/file").read_text() == "mine"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a file system that nobody can write, /proc")
def test_create_refuses_what_cannot_be_written() -> None:
    for folder in ("/proc/run", "/proc/self"):
        with pytest.raises(InputError) as caught:
            Run.create(Path(folder))
        assert "cannot be written" in str(caught.value) or "is not empty" in str(caught.value)


def test_a_folder_in_which_a_kill_left_only_hidden_files_can_be_used(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run")
    with run.lock():
        pass
    (run.folder / ".config.json.7.partial").write_text("{")
    made(run.folder)


def test_open_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        Run.open(tmp_path / "run")
    with pytest.raises(InputError, match=r"is not a run \(no config.json\)"):
        Run.open(tmp_path)
    made(tmp_path / "run")
    assert Run.open(tmp_path / "run").folder == tmp_path / "run"


def test_the_configuration_comes_back(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run")
    settings = {"model": {"cell": "lstm", "text": "ü"}, "number": 0.1, "none": None}
    run.write_config("text", settings)
    config = run.read_config()
    assert config == {"format": 1, "peephole": __version__, "task": "text", "settings": settings}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "damaged"),
        (b"{", "damaged"),
        (b"[]", "damaged"),
        (b"3", "damaged"),
        (b"{}", "damaged"),
        (b"\xff\xfe", "damaged"),
        (b'{"format": 1, "peephole": "1", "task": 3, "settings": {}}', "no task or settings in it"),
        (b'{"format": 1, "peephole": "1", "task": "text", "settings": []}', "no task or settings in it"),
        (
            b'{"format": 2, "peephole": "9.1"}',
            r"run format 2, written by peephole 9\.1; .*reads format 1; open it with",
        ),
    ],
)
def test_a_damaged_configuration_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    run = made(tmp_path / "run")
    run.config_path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        run.read_config()
    assert "\n" not in str(caught.value)
    assert run.config_path.read_bytes() == content


def test_history_is_read_to_its_last_whole_row(tmp_path: Path) -> None:
    run = made(tmp_path / "run")
    assert run.read_history() == []
    rows = [{"step": step, "divergence": 1 / step} for step in range(1, 6)]
    for row in rows:
        run.append_history(row)
    assert run.read_history() == rows
    whole = run.history_path.read_bytes()
    start = whole.rindex(b'{"step": 5')
    for end in range(start, len(whole) - 1):
        run.history_path.write_bytes(whole[:end])
        assert run.read_history() == rows[:4]
    for junk in (b"\xff\xfe\n", b"3\n", b"null\n", b'{"other": 1}\n'):
        run.history_path.write_bytes(whole + junk)
        assert run.read_history() == rows


def test_cutting_the_history_forgets_later_rows_and_half_ones(tmp_path: Path) -> None:
    run = made(tmp_path / "run")
    run.cut_history(3)
    assert not run.history_path.exists()
    rows = [{"step": step} for step in range(1, 6)]
    for row in rows:
        run.append_history(row)
    with run.history_path.open("a") as file:
        file.write('{"step": 6, "div')
    run.cut_history(3)
    assert run.history_path.read_text() == "".join(json.dumps(row) + "\n" for row in rows[:3])
    run.append_history({"step": 4})
    assert run.read_history() == rows[:4]
    before = run.history_path.stat().st_ino
    run.cut_history(4)
    assert run.history_path.stat().st_ino == before  # nothing to forget: not written again, so a full disk is no bar
    run.cut_history(0)
    assert run.read_history() == []


def test_what_cannot_be_written_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made(tmp_path / "run")
    before = run.config_path.read_bytes()

    def fail(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_whole", fail)
    with pytest.raises(InputError, match=r"config\.json: cannot be written \(no space left on device\)"):
        run.write_config("text", {})
    run.append_history({"step": 1})
    with pytest.raises(InputError, match=r"history\.jsonl: cannot be written"):
        run.cut_history(0)
    monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(InputError, match=r"history\.jsonl: cannot be written"):
        run.append_history({"step": 2})
    monkeypatch.undo()
    assert run.config_path.read_bytes() == before
    assert run.read_history() == [{"step": 1}]


def test_sweep_removes_half_written_files_only(tmp_path: Path) -> None:
    run = made(tmp_path / "run")
    (run.folder / ".model.safetensors.123.partial").write_bytes(b"half")
    (run.folder / ".mine").write_bytes(b"mine")
    run.data_folder.mkdir()
    run.sweep()
    assert sorted(path.name for path in run.folder.iterdir()) == [".mine", "config.json", "data"]


def test_one_training_at_a_time(tmp_path: Path) -> None:
    run = made(tmp_path / "run")
    assert not run.is_training()
    with run.lock():
        assert run.is_training()
        with pytest.raises(InputError, match="another training is running in it"), Run.open(run.folder).lock():
            pytest.fail("locked twice")
        script = f"from pathlib import Path; from peephole.runs.folder import Run; Run(Path({str(run.folder)!r}))"
        other = subprocess.run(
            [sys.executable, "-c", script + ".lock().__enter__()"], capture_output=True, text=True, check=False
        )
        assert "another training is running in it" in other.stderr
    assert not run.is_training()
    with run.lock():
        pass


def test_a_process_that_dies_lets_go(tmp_path: Path) -> None:
    run = made(tmp_path / "run")
    script = f"""
import os
from pathlib import Path
from peephole.runs.folder import Run
run = Run(Path({str(run.folder)!r}))
held = run.lock()
held.__enter__()
print(run.is_training(), flush=True)
os.kill(os.getpid(), 9)
"""
    killed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert killed.stdout == "True\n"
    assert not run.is_training()
    with run.lock():
        pass


def test_asking_needs_no_right_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made(tmp_path / "run")
    real = os.open

    def read_only(path: str, flags: int, *more: int) -> int:
        if flags & (os.O_CREAT | os.O_RDWR | os.O_WRONLY):
            raise OSError(30, "Read-only file system")
        return real(path, flags, *more)

    monkeypatch.setattr(module.os, "open", read_only)
    assert not run.is_training()
    with pytest.raises(InputError, match=r"cannot be written \(read-only file system\)"), run.lock():
        pytest.fail("locked")
    assert [path.name for path in run.folder.iterdir()] == ["config.json"]


def test_others_wait_until_the_first_process_has_read_the_text(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")

    def make() -> None:
        Run.create(run.folder)
        run.write_config("text", {})
        run.tokenizer_path.write_text("{}")
        run.data_folder.mkdir()

    timer = threading.Timer(0.3, make)
    timer.start()
    assert Run.wait_for(tmp_path / "run").data_folder.is_dir()
    timer.join()


def test_runs_are_found_at_any_depth(tmp_path: Path) -> None:
    for name in ("b", "a/c", "a/d/e"):
        made(tmp_path / name)
    (tmp_path / "none").mkdir()
    assert [run.folder.relative_to(tmp_path).as_posix() for run in find_runs(tmp_path)] == ["a/c", "a/d/e", "b"]
    assert find_runs(tmp_path / "none") == []
    with pytest.raises(InputError, match="no such folder"):
        find_runs(tmp_path / "missing")
