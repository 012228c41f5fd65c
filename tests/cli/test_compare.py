"""`peephole compare`: what it prints and writes, how it goes on, and what it refuses."""

import contextlib
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from peephole.cli import compare
from peephole.cli.compare_progress import RunProgress
from peephole.errors import InputError
from peephole.tasks import problem_objective
from peephole.tasks.comparing import grid
from peephole.train.contract import Interrupted, Listener

PNG = b"\x89PNG\r\n\x1a\n"
OPTIONS = "--length 4 --steps 4 --hidden-size 4 --embedding-size 4 --batch-size 4 --threads 1 --warmup 1 --watch 0"
TINY = OPTIONS.split()
HEADER = "held out ± s.d., nats range seeds right parameters steps minutes above the best 95 % interval p test"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A folder of two cells with two seeds each that the command trained, and what it printed."""
    folder = tmp_path_factory.mktemp("compare") / "runs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(problem_objective, "HELD_OUT_SEQUENCES", 8)
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            assert compare.run(["parity", *TINY, "--cells", "rnn,gru", "--seeds", "2", "--out", str(folder)]) == 0
    return folder, out.getvalue(), err.getvalue()


def test_cells_are_trained_and_compared(runs: tuple[Path, str, str]) -> None:
    folder, out, err = runs
    assert [line.split(":")[0] for line in err.splitlines()] == [
        "1/4  rnn, seed 0",
        "2/4  gru, seed 0",
        "3/4  rnn, seed 1",
        "4/4  gru, seed 1",
    ]
    assert "held out 0." in err.splitlines()[0]
    assert "4 steps in 0 s" in err.splitlines()[0]
    verdict, header, *rows, written = out.splitlines()
    assert verdict.startswith("Lowest is ") or verdict.startswith("Best is ")
    assert " ".join(header.split()) == HEADER
    assert sorted(row.split()[0] for row in rows) == ["gru", "rnn"]
    assert rows[1].endswith("paired t")
    assert written == f"wrote {folder / 'comparison.svg'}"
    assert (folder / "comparison.svg").read_text().startswith("<?xml")
    assert json.loads((folder / "comparison.json").read_text())["verdict"] == verdict
    assert {path.name for path in folder.iterdir() if path.is_dir()} == {
        *("rnn-seed-0", "rnn-seed-1", "gru-seed-0", "gru-seed-1")
    }


def test_runs_and_folders_of_runs(
    runs: tuple[Path, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out, _ = runs
    assert compare.run([str(folder)]) == 0
    assert capsys.readouterr().out.splitlines() == out.splitlines()[:-1]
    monkeypatch.chdir(folder)
    words = ["rnn-seed-0", "gru-seed-0", "--over", "minutes", "--out", str(tmp_path / "both.png"), "--json"]
    assert compare.run(words) == 0
    tree: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert {group["name"] for group in tree["groups"]} == {"rnn", "gru"}
    assert "one seed: no test can tell" in tree["verdict"]
    assert tree["figure"] == str(tmp_path / "both.png")
    assert (tmp_path / "both.png").read_bytes().startswith(PNG)
    for suffix, begins in ((".pdf", b"%PDF"), (".SVG", b"<?xml")):
        assert compare.run(["rnn-seed-0", "gru-seed-0", "--out", str(tmp_path / f"both{suffix}")]) == 0
        assert (tmp_path / f"both{suffix}").read_bytes().startswith(begins)
    # a static net beside a net is a run of its own only where it is named
    (tmp_path / "some" / "run" / "static").mkdir(parents=True)
    for place in ("some/run", "some/run/static"):
        (tmp_path / place / "config.json").write_bytes((folder / "rnn-seed-0" / "config.json").read_bytes())
        (tmp_path / place / "history.jsonl").write_bytes((folder / "rnn-seed-0" / "history.jsonl").read_bytes())
    capsys.readouterr()
    assert compare.run([str(tmp_path / "some"), "gru-seed-0"]) == 0
    assert "note:" not in capsys.readouterr().out


def test_what_was_done_stays_done(runs: tuple[Path, str, str], capsys: pytest.CaptureFixture[str]) -> None:
    folder, out, err = runs
    assert compare.run(["parity", *TINY, "--cells", "rnn,gru", "--seeds", "2", "--out", str(folder)]) == 0
    said = capsys.readouterr()
    assert said.out == out
    assert said.err.splitlines() == [f"{line}, done before" for line in err.splitlines()]


def test_an_interruption_says_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*arguments: Any) -> None:
        raise Interrupted(3)

    monkeypatch.setattr(grid, "train_into", stop)
    assert compare.run(["parity", *TINY, "--out", str(tmp_path / "out")]) == 130
    assert "stopped, everything is saved; the same command goes on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "no runs given; expected run folders, or a task such as text"),
        (["nothing"], "nothing: no such folder"),
        (["."], r"\.: is not a run \(no config.json\)"),
        (["nothing", "--out", "x.jpg"], r"--out is x\.jpg; expected a file that ends in \.png, \.svg, \.pdf"),
        (["nothing", "--out", "none/x.png"], "there is no such folder to hold it"),
        (["parity", "--seeds", "0"], "--seeds is 0; expected at least 1"),
        (["parity", "--cells", "rnn", "--seeds", "1"], "expected two trainings or more"),
        (["parity", "--cells", "rnn,mlp"], "--cells mlp: no cell 'mlp'"),
        (["parity", "--cells", "lstm:peephole=ful"], "did you mean full"),
        (["parity", "--out", "x.svg"], r"--out is x\.svg; expected a folder for the runs"),
        (["parity", "--devices", "2"], "--devices is 2; expected 1"),
        (["parity", "--minutes", "-1"], "--minutes is -1"),
        (["text", "none.txt", "--cells", "rnn,gru"], r"none\.txt"),
    ],
)
def test_refusals(words: list[str], complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=complaint):
        compare.run(words)
    assert os.listdir(tmp_path) == []


def test_a_task_and_a_folder_of_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "parity").mkdir()
    with pytest.raises(InputError, match=r"'parity' is a task and a folder; write \./parity"):
        compare.run(["parity"])
    with pytest.raises(InputError, match=r"parity: is not a run"):
        compare.run(["./parity"])


def test_without_scipy(runs: tuple[Path, str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    for words in ([str(runs[0])], ["parity", *TINY]):
        with pytest.raises(InputError, match=r"comparing needs scipy, .* pip install 'peephole\[compare\]'"):
            compare.run(words)


class Terminal:
    """A stream that says it is one."""

    def __init__(self) -> None:
        self.text = ""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None: ...


def test_a_terminal_gets_a_line_that_moves(tmp_path: Path) -> None:
    terminal = Terminal()
    progress = RunProgress(terminal)
    listener = progress.begin("1/2  gru, seed 0")
    assert isinstance(listener, Listener)
    listener.on_step({"step": 5}, 10)
    assert terminal.text.endswith("\r\x1b[K1/2  gru, seed 0: step 5/10  50 %")
    progress.tell("1/2  gru, seed 0", tmp_path, "died: it is over")
    assert terminal.text.endswith("\r\x1b[K1/2  gru, seed 0: died: it is over\n")
