"""`peephole doctor`: findings as text and as JSON, a fault planted, its cure tried, and one line for bad input."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CAUSE = "forget bias that forgets"


@pytest.fixture(scope="module")
def ill(cli: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run with a planted fault, and what the command that planted it said."""
    folder = tmp_path_factory.mktemp("ill") / "run"
    outcome = cli("doctor", folder, "--plant", CAUSE, "--strength", 3, "--task", "recall")
    assert outcome.code == 0, outcome.err
    return folder, outcome.out


def test_a_planted_fault_is_found_first(ill: tuple[Path, str]) -> None:
    _, said = ill
    first = next(line for line in said.splitlines() if line.startswith("1  "))
    assert first.startswith(f"1  {CAUSE}   high confidence"), said
    assert "--forget-bias" in said or "--init chrono" in said
    assert "why: " in said


def test_as_json_with_figures(cli: Callable[..., Any], ill: tuple[Path, str], tmp_path: Path) -> None:
    folder, _ = ill
    outcome = cli("doctor", folder, "--json", "--out", tmp_path / "figures")
    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out)
    assert found["findings"][0]["name"] == CAUSE
    assert found["treated"] is None
    assert found["figure"] == str(tmp_path / "figures" / "diagnosis.png")
    assert Path(found["figure"]).read_bytes().startswith(b"\x89PNG")
    assert list((tmp_path / "figures").glob("01-*.svg"))


def test_the_cure_is_tried_and_goes_on_where_it_was(cli: Callable[..., Any], ill: tuple[Path, str]) -> None:
    folder, _ = ill
    before = (folder / "history.jsonl").read_bytes(), (folder / "model.safetensors").read_bytes()
    outcome = cli("doctor", folder, "--try")
    assert outcome.code == 0, outcome.err
    assert "with the cure for forget bias that forgets: lower" in outcome.out
    assert before == ((folder / "history.jsonl").read_bytes(), (folder / "model.safetensors").read_bytes())
    again = cli("doctor", folder, "--try", "--json")
    treated = json.loads(again.out)["treated"]
    assert treated["after"] < treated["before"]
    assert treated["verdict"] in " ".join(outcome.out.split())


def test_a_run_of_text_and_its_first_steps(cli: Callable[..., Any], trained: Path) -> None:
    outcome = cli("doctor", trained, "--all")
    assert outcome.code == 0, outcome.err
    assert "it was trained for 60 steps" in " ".join(outcome.out.split())
    assert "\ndivergence now: " in outcome.out


def test_all_faults_are_listed_with_their_tasks(cli: Callable[..., Any]) -> None:
    from peephole.doctor.finding import CAUSES

    said = cli("doctor", "--plant", "list").out
    assert [line for line in said.splitlines() if line.strip().startswith(CAUSE)]
    assert all(cause in said for cause in CAUSES)
    assert "kernel" not in said


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--plant", "bad luck"), "no cause that can be planted"),
        (("--plant", CAUSE, "--strength", 4), "strength is 4; expected 1, 2 or 3"),
        (("--plant", CAUSE, "--task", "parity"), "can be planted in"),
        (("--try-minutes", 0), "--try-minutes is 0.0; expected more than 0"),
        ((), "no such folder"),
    ],
)
def test_bad_input_is_one_line(
    cli: Callable[..., Any], tmp_path: Path, words: tuple[object, ...], complaint: str
) -> None:
    assert complaint in cli("doctor", tmp_path / "run", *words).refusal
    assert not (tmp_path / "run").exists()


def test_a_folder_in_use_is_not_planted_in(cli: Callable[..., Any], ill: tuple[Path, str]) -> None:
    folder, _ = ill
    assert "exists and is not empty" in cli("doctor", folder, "--plant", CAUSE).refusal
