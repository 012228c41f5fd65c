"""`peephole horizon` and `peephole taps`: what they print and write, how they go on, and what they refuse."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from peephole.cli import horizon, taps
from peephole.errors import InputError

PNG = b"\x89PNG\r\n\x1a\n"
TINY = ["--seeds", "1", "--steps", "4", "--batch-size", "8", "--hidden-size", "4", "--longest", "3"]


def test_horizon_prints_writes_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--cells", "gru", *TINY, "--out", str(tmp_path)]
    assert horizon.run(words) == 0
    said = capsys.readouterr()
    assert said.out.startswith("Over 6 nets, from 6 starts, the horizon before training")
    assert said.err.splitlines()[0].startswith("1/6  gru torch, seed 0: horizon ")
    assert said.err.count("\n") == 6
    assert (tmp_path / "horizon.png").read_bytes().startswith(PNG)
    with (tmp_path / "horizon.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [row["start"] for row in table][:3] == ["gru torch", "gru orthogonal", "gru chrono 10"]

    # Killed after two nets: they are not measured again, and all is as if nothing had been.
    lines = (tmp_path / "rows.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "rows.jsonl").write_bytes(b"".join(lines[:2]) + lines[2][:9])
    assert horizon.run([*words, "--json"]) == 0
    assert (tmp_path / "rows.jsonl").read_bytes() == b"".join(lines)
    tree: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert tree["verdict"] in said.out
    assert tree["figure"] == str(tmp_path / "horizon.png")
    assert [str(net["solved_lag"]) for net in tree["nets"]] == [row["solved_lag"] for row in table]
    assert [net["horizon"] for net in tree["nets"]] == [int(row["horizon"] or 0) or None for row in table]

    with pytest.raises(InputError, match=r"holds rows of other settings \(steps was 4, now 5\)"):
        horizon.run([*words, "--steps", "5"])
    with pytest.raises(InputError, match="holds rows of something else"):
        taps.run([*TINY, "--out", str(tmp_path)])


def test_taps_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--taps", "1", "3", *TINY, "--out", str(tmp_path)]
    assert taps.run(words) == 0
    said = capsys.readouterr()
    assert said.out.startswith("In 4 batches an RNN with 1, 3 taps solves lags up to ")
    assert said.err.splitlines()[1].startswith("rnn, 3 taps, seed 0: solved ")
    assert (tmp_path / "taps.png").read_bytes().startswith(PNG)
    assert taps.run([*words, "--json"]) == 0
    tree: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert [net["taps"] for net in tree["nets"]] == [1, 3, None, None, None]


@pytest.mark.parametrize(
    ("command", "words", "complaint"),
    [
        (horizon, ["--seeds", "0"], "--seeds is 0; expected at least 1"),
        (horizon, ["--steps", "-1"], "--steps is -1; expected at least 1"),
        (horizon, ["--longest", "0"], "--longest is 0; expected at least 1"),
        (horizon, ["--longest", "1"], "--longest is 1; expected at least 2 steps"),
        (horizon, ["--hidden-size", "0"], "--hidden-size is 0"),
        (horizon, ["--cells"], "--cells are none; expected some of rnn, gru, lstm"),
        (horizon, ["--cells", "mlp"], "--cells are mlp; expected some of rnn, gru, lstm"),
        (taps, ["--taps"], "--taps are none; expected numbers of taps"),
        (taps, ["--taps", "1", "0"], "--taps are 1 0; expected numbers of taps, each at least 1"),
        (taps, ["--seeds", "0"], "--seeds is 0; expected at least 1"),
    ],
)
def test_refusals(command: Any, words: list[str], complaint: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=complaint):
        command.run([*words, "--out", str(tmp_path / "new")])
