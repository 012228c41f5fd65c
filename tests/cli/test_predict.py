"""`peephole predict`: a line for each character, as it comes, as `score` would say it."""

import json
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peephole.tasks import load

Cli = Callable[..., Any]


def rows(out: str) -> list[list[str]]:
    header, *lines = out.split("\n")[:-1]
    assert header == "position\tcharacter\tbits\tnext"
    return [line.split("\t") for line in lines]


def test_every_character_is_answered(trained: Path, cli: Cli) -> None:
    outcome = cli("predict", trained, "-", stdin=b"The time of day.\n")
    assert (outcome.code, outcome.err) == (0, "")
    found = rows(outcome.out)
    assert [row[0] for row in found] == [str(place) for place in range(17)]
    assert [row[1] for row in found] == [*"The␠time␠of␠day.", "⏎"]
    bits = load(trained).score_characters("The time of day.\n") / math.log(2)
    for row, want in zip(found, bits, strict=True):
        assert abs(float(row[2]) - want) <= 0.0051


def test_what_may_follow_is_what_next_says(trained: Path, cli: Cli) -> None:
    outcome = cli("predict", trained, "-", "--format", "json", "--top", 4, stdin=b"The ti")
    lines = [json.loads(line) for line in outcome.out.splitlines()]
    model = load(trained)
    for place, line in enumerate(lines):
        assert line["position"] == place
        assert line["character"] == "The ti"[place]
        want = model.next("The ti"[: place + 1])[:4]
        assert [symbol for symbol, _ in line["next"]] == [symbol for symbol, _ in want]
        for (_, share), (_, probability) in zip(line["next"], want, strict=True):
            assert abs(share - probability) <= 1e-5


def test_parts_and_files_change_nothing(trained: Path, tmp_path: Path, cli: Cli) -> None:
    text = "the and of to a in " * 40 + "\n"
    path = tmp_path / "some.txt"
    path.write_text(text)
    whole = cli("predict", trained, path)
    assert whole.code == 0
    assert len(rows(whole.out)) == len(text)
    assert cli("predict", trained, "-", stdin=text.encode()).out == whole.out


@pytest.mark.parametrize("weights", ["bfloat16", "int8"])
def test_smaller_weights_say_nearly_the_same(trained: Path, cli: Cli, weights: str) -> None:
    text = b"the and of to a in that it is"
    usual = rows(cli("predict", trained, "-", stdin=text).out)
    small = rows(cli("predict", trained, "-", "--weights", weights, stdin=text).out)
    assert small != usual
    for one, other in zip(usual, small, strict=True):
        assert abs(float(one[2]) - float(other[2])) <= 0.2


def test_it_answers_before_the_text_ends(trained: Path) -> None:
    """A character of several bytes too is answered as soon as its last byte is there."""
    command = [sys.executable, "-m", "peephole", "predict", str(trained), "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        killer = threading.Timer(60, process.kill)
        killer.start()
        for part, answers in ((b"Th", 3), (b"e", 1), (b" \xe2\x82", 1), (b"\xac", 1)):
            process.stdin.write(part)
            process.stdin.flush()
            for _ in range(answers):
                assert process.stdout.readline(), "it ended before it was asked"
        process.stdin.close()
        assert process.stdout.read() == b""
        assert process.wait() == 0
        killer.cancel()


def test_a_pipe_that_closes_ends_it_in_peace(trained: Path) -> None:
    shell = f"yes 'to be or not to be' | {sys.executable} -m peephole predict {trained} - | head -n 3"
    began = time.monotonic()
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=True, env=dict(os.environ))
    assert len(done.stdout.splitlines()) == 3
    assert done.stderr == ""
    assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    ("words", "stdin", "said"),
    [
        (["-"], b"", "nothing to predict: the text is empty"),
        (["-", "--top", 0], b"a", "--top is 0; expected at least 1"),
        (["-"], b"ab\xff\xfec", "standard input: not utf-8 near byte"),
        (["-", "--encoding", "utf-99"], b"a", "expected one that Python knows"),
        (["gone.txt"], b"", "gone.txt"),
        (["/"], b"", "a folder; expected one text file, or - for standard input"),
    ],
)
def test_bad_input_is_one_line(trained: Path, cli: Cli, words: list[Any], stdin: bytes, said: str) -> None:
    outcome = cli("predict", trained, *words, stdin=stdin)
    assert said in outcome.complaint


def test_no_run_is_said(tmp_path: Path, cli: Cli) -> None:
    assert "no such folder" in cli("predict", tmp_path / "none", "-", stdin=b"a").refusal
