"""`peephole stability RUN`, and the first word of `peephole stability`."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

OPTIONS = ("--steps", 30, "--sequences", 6, "--targets", 4)


def test_a_run_is_examined(cli: Callable, trained: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    outcome = cli("stability", trained, *OPTIONS, "--out", tmp_path / "new" / "pictures")
    assert outcome.code == 0, outcome.err
    first, *rest = outcome.out.splitlines()
    assert first.startswith(("It forgets", "It blows up"))
    for name in ("bounded", "memory", "exponents", "timescales", "gradient", "bounds", "carousel", "truncation"):
        assert sum(line.strip().startswith(f"{name}:") for line in rest) == 1
    picture = tmp_path / "new" / "pictures" / "stability.png"
    assert rest[-1] == f"wrote {picture}"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()} == before


def test_the_same_as_json(cli: Callable, trained: Path) -> None:
    outcome = cli("stability", trained, *OPTIONS, "--json")
    assert outcome.code == 0, outcome.err
    tree = json.loads(outcome.out)
    assert tree["figure"] is None
    assert set(tree["flow_by_lag"]) == {"layer 0", "layer 1"}
    assert len(tree["flow_by_lag"]["layer 1"]["c"]) == 30
    assert tree["horizons"]["layer 1"]["h"]["fraction"] == 0.01
    assert tree["exponents"]["layer 0"] == sorted(tree["exponents"]["layer 0"], reverse=True)
    assert 0 <= tree["truncation_error"][-1] <= tree["truncation_error"][0]


def test_help_and_wrong_first_words(cli: Callable, tmp_path: Path, trained: Path) -> None:
    for words in ((), ("--help",)):
        outcome = cli("stability", *words)
        assert outcome.code == 0
        assert "peephole stability scalar --weight W" in outcome.out
    assert "expected scalar, vector or a run folder" in cli("stability", "--weight", 1).refusal
    assert "no such folder" in cli("stability", tmp_path / "nothing").refusal
    assert "--steps is 1; expected at least 2" in cli("stability", trained, "--steps", 1).refusal
    assert "--targets is 0; expected at least 1" in cli("stability", trained, "--targets", 0).refusal
    assert "held-out symbols" in cli("stability", trained, "--steps", 5000).refusal


def test_an_out_that_is_a_file_is_refused_before_the_run_is_opened(cli: Callable, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("mine")
    assert "is a file; expected a folder" in cli("stability", tmp_path / "nothing", "--out", taken).refusal
    assert taken.read_text() == "mine"


def test_a_run_without_its_text_says_so(cli: Callable, trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "data")
    outcome = cli("stability", tmp_path / "run", *OPTIONS)
    assert outcome.code == 2
    assert "data" in outcome.refusal


@pytest.mark.parametrize("words", [("scalar", "--weight", 0.5), ("scalar", "--activation", "tanh", "--weight", 1.5)])
def test_scalar_is_reached(cli: Callable, words: tuple[object, ...]) -> None:
    outcome = cli("stability", *words)
    assert outcome.code == 0
    assert "tanh" in outcome.out
