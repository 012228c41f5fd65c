"""`peephole bench`: what it prints and writes, and bad input, which is refused before anything is measured."""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peephole.cli.bench_stream import BenchStream

Cli = Callable[..., Any]
QUICK = ("bench", "--cells", "lstm", "--shapes", "4x2x3x5", "--modes", "inference", "--rounds", 1, "--threads", 1)


def test_table_json_and_figure(cli: Cli, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    outcome = cli(*QUICK, "--out", tmp_path / "bench.json", "--plot", tmp_path / "bench.png")
    assert outcome.code == 0, outcome.err
    assert "4x2x3x5" in outcome.out
    assert outcome.err.startswith("1/1 lstm 4x2x3x5 float32 inference [")
    assert json.loads((tmp_path / "bench.json").read_text())["measured"][0]["case"]["T"] == 4
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in tmp_path.iterdir()} == {"bench.json", "bench.png"}


def test_json_in_place_of_the_table(cli: Cli) -> None:
    outcome = cli(*QUICK, "--peers", "product", "--json")
    assert set(json.loads(outcome.out)["measured"][0]["seconds"]) == {"peephole", "product"}


def test_wrong_results_end_with_one(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("peephole.bench.gate.TOLERANCES", {"float32": 0.0})
    outcome = cli(*QUICK)
    assert outcome.code == 1
    assert "RED" in outcome.out


REFUSED = {
    "--cells lstn": "unknown cell 'lstn'; choose from lstm, gru,",
    "--shapes 3x4": "unknown shape '3x4'; expected grid, own, TxBxH",
    "--shapes 0x4x5": "unknown shape '0x4x5'",
    "--dtypes float64": "unknown dtype 'float64'",
    "--modes both": "unknown mode 'both'",
    "--modes": "no mode given",
    "--peers jax": "unknown peer 'jax'; choose from torch,",
    "--backend abacus": "unknown back end 'abacus'",
    "--threads 0": "--threads is 0; expected at least 1",
    "--rounds 0": "--rounds is 0; expected at least 1",
    "--minutes 0": "--minutes is 0.0; expected more than 0",
    "--minutes nan": "--minutes is nan; expected more than 0",
    "--growth --shapes grid": "--growth has shapes of its own",
    "--out missing/bench.json": "missing/bench.json: cannot be written",
    "--plot missing/figure.png": "missing/figure.png: cannot be written",
    "--plot figure.gif": "figures end in .png, .svg, .pdf, not in '.gif'",
}


@pytest.mark.parametrize("words", REFUSED)
def test_bad_input_is_refused(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert REFUSED[words] in cli("bench", *words.split()).refusal
    assert list(tmp_path.iterdir()) == []


def test_a_figure_without_matplotlib_names_the_extra(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "pip install 'peephole[figures]'" in cli(*QUICK, "--plot", tmp_path / "bench.png").refusal


# --- peephole bench stream ---

STREAM = ("bench", "stream", "--parts", "step", "--sizes", "1x8", "--rounds", 2, "--threads", 1)


def test_streams_to_tables_json_and_figure(cli: Cli, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    outcome = cli(*STREAM, "--out", tmp_path / "stream.json", "--plot", tmp_path / "stream.png")
    assert outcome.code == 0, outcome.err
    assert "onnxruntime int8 / peephole int8" in outcome.out
    assert outcome.err.startswith("1/1 step 1x8: peephole ")
    assert outcome.err.count("\n") == 1
    assert json.loads((tmp_path / "stream.json").read_text())["stepped"][0]["case"]["H"] == 8
    assert (tmp_path / "stream.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in tmp_path.iterdir()} == {"stream.json", "stream.png"}


def test_streams_beside_one_peer_as_json(cli: Cli) -> None:
    found = json.loads(cli(*STREAM, "--peers", "torch", "--json").out)
    assert set(found["stepped"][0]["seconds"]) == {"peephole", "torch.nn"}
    assert found["idle"] is None


def test_wrong_streams_end_with_one(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("peephole.bench.stream_setup.TOLERANCES", {"float32": 0.0})
    outcome = cli(*STREAM, "--peers", "torch")
    assert outcome.code == 1
    assert "RED" in outcome.out


REFUSED_OF_STREAMS = {
    "--sizes 2x": "unknown size '2x'; expected layers x units such as 2x512",
    "--sizes 100x16x256": "unknown size '100x16x256'",
    "--parts steps": "unknown part 'steps'; choose from step, many, cells, memory",
    "--parts": "no part given; choose from step,",
    "--batches 4 0": "--batches has 0; expected at least 1 stream",
    "--peers jax": "unknown peer 'jax'; choose from bfloat16,",
    "--threads 0": "--threads is 0; expected at least 1",
    "--rounds 0": "--rounds is 0; expected at least 1",
    "--minutes 0": "--minutes is 0.0; expected more than 0",
    "--out missing/bench.json": "missing/bench.json: cannot be written",
    "--plot missing/figure.png": "missing/figure.png: cannot be written",
    "--plot figure.gif": "figures end in .png, .svg, .pdf, not in '.gif'",
}


@pytest.mark.parametrize("words", REFUSED_OF_STREAMS)
def test_bad_input_of_streams_is_refused(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert REFUSED_OF_STREAMS[words] in cli("bench", "stream", *words.split()).refusal
    assert list(tmp_path.iterdir()) == []


def test_a_figure_of_streams_without_matplotlib_names_the_extra(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "pip install 'peephole[figures]'" in cli(*STREAM, "--plot", tmp_path / "stream.png").refusal


def test_help_of_streams_is_found_and_loads_no_torch() -> None:
    script = (
        "import sys\nfrom peephole.cli import main\ntry:\n    main(sys.argv[1:])\n"
        "except SystemExit:\n    print('torch' in sys.modules)"
    )
    said = [
        subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=True).stdout
        for words in (["bench", "--help"], ["bench", "stream", "--help"])
    ]
    assert "peephole bench stream" in said[0]
    assert "usage: peephole bench stream" in said[1]
    for option in dataclasses.fields(BenchStream):
        assert f"--{option.name}" in said[1]
    assert all(text.endswith("False\n") for text in said)
