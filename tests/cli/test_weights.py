"""How weights are stored, on the command line; and the search for the likeliest text."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peephole.tasks import load

Cli = Callable[..., Any]
SMALLER = ("bfloat16", "int8")


@pytest.mark.parametrize("weights", SMALLER)
def test_eval_says_what_is_lost(trained: Path, cli: Cli, weights: str) -> None:
    usual = json.loads(cli("eval", trained, "--json", "--no-baselines").out)
    small = json.loads(cli("eval", trained, "--json", "--no-baselines", "--weights", weights).out)
    assert (usual["weights"], usual["lost"]) == ("float32", None)
    assert small["weights"] == weights
    difference = small["bits_per_character"] - usual["bits_per_character"]
    assert difference != 0
    assert abs(small["lost"] - difference) <= 1e-12
    assert abs(small["lost"]) <= 0.01
    said = cli("eval", trained, "--no-baselines", "--weights", weights).out
    assert f"this model, {weights} weights" in said
    assert f"{weights} weights lose {small['lost']:.4f} bits a character against float32" in said


@pytest.mark.parametrize("weights", SMALLER)
def test_every_command_that_asks_the_model_takes_them(trained: Path, tmp_path: Path, cli: Cli, weights: str) -> None:
    (tmp_path / "some.txt").write_text("the and of to a in that")
    for words in (
        ["sample", trained, "--length", 60],
        ["next", trained, "--json"],
        ["score", trained, tmp_path / "some.txt"],
    ):
        usual, small = cli(*words), cli(*words, "--weights", weights)
        assert small.code == 0, small.err
        assert small.out
        if words[0] != "sample":  # where a draw may come out alike
            assert small.out != usual.out
    shares = {}
    for kind in ("float32", weights):
        shares[kind] = dict(json.loads(cli("next", trained, "--json", "--weights", kind).out)["next"])
    assert max(abs(shares[weights][symbol] - share) for symbol, share in shares["float32"].items()) <= 0.02


def test_unknown_weights_are_refused(trained: Path, cli: Cli) -> None:
    assert cli("sample", trained, "--weights", "int4").code == 2


def test_the_likeliest_text(trained: Path, cli: Cli) -> None:
    model = load(trained)
    best = model.likeliest("The ", 20, beams=5)
    outcome = cli("sample", trained, "--prime", "The ", "--length", 20, "--beams", 5)
    assert (outcome.code, outcome.out) == (0, f"The {best[0][0]}\n")
    several = cli("sample", trained, "--prime", "The ", "--length", 20, "--beams", 5, "--count", 3).out
    for number, (text, log_probability) in enumerate(best[:3]):
        assert f"--- {number + 1} of 3, {-log_probability / math.log(2):.1f} bits\nThe {text}\n" in several
    greedy = model.sample("The ", 20, temperature=0.0)
    nats = model.score(f"The {greedy}")[4:24].sum()
    assert best[0][1] >= -nats - 1e-4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--beams", 0], "--beams is 0 and --count is 1"),
        (["--beams", 2, "--count", 3], "no more texts than beams"),
        (["--beams", 2, "--temperature", 0.5], "--beams searches and draws nothing"),
        (["--beams", 2, "--stop", "x"], "--beams searches and draws nothing"),
        (["--beams", 2, "--length", 0], "--length is 0; expected at least 1"),
    ],
)
def test_searches_that_cannot_be_are_refused(trained: Path, cli: Cli, words: list[Any], said: str) -> None:
    assert said in cli("sample", trained, *words).refusal
