"""Help says what each option does, its default and why, without loading torch; errors and versions likewise."""

import dataclasses
import json
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

import peephole
from peephole._version import __version__
from peephole.cli import COMMANDS
from peephole.cli.bench import Bench
from peephole.data.config import TextData
from peephole.generate.config import Sampling
from peephole.models.config import ModelConfig
from peephole.train.config import TrainingConfig

Cli = Callable[..., Any]

# Runs each command line in turn and says which heavy modules it has loaded by then.
SCRIPT = """
import contextlib, io, json, sys
from peephole.cli import main
heavy = ("torch", "numpy", "lightning_fabric", "safetensors", "tokenizers", "matplotlib")
for words in json.loads(sys.argv[1]):
    raw = io.BytesIO(), io.BytesIO()
    out, err = (io.TextIOWrapper(each, "utf-8", write_through=True) for each in raw)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(words)
        except SystemExit as stop:
            code = stop.code
    loaded = [name for name in heavy if name in sys.modules]
    print(json.dumps([words, code, *(each.getvalue().decode() for each in raw), loaded]))
"""


@pytest.fixture(scope="module")
def said() -> dict[str, tuple[int, str, str, list[str]]]:
    """Exit code, both outputs and heavy modules of what needs no torch, in one process."""
    asked = [[], ["--help"], ["-h"], ["help"], ["--version"], ["frobnicate"], ["train", "--batch-size", "0"]]
    asked += [[command, "--help"] for command in COMMANDS] + [
        ["train", "text", "--help"],
        ["sample", "run", "--top-k=0"],
    ]
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(asked)], capture_output=True, text=True, check=True
    )
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    return {" ".join(words): tuple(rest) for words, *rest in answers}


def test_nothing_of_it_loads_torch(said: dict[str, Any]) -> None:
    assert {words: loaded for words, (_, _, _, loaded) in said.items() if loaded} == {}
    result = subprocess.run(
        [sys.executable, "-c", "import sys, peephole; dir(peephole); print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"torch", "numpy", "tyro", "rich"} & set(result.stdout.split())


def test_the_overview_names_every_command(said: dict[str, Any]) -> None:
    code, out, err, _ = said[""]
    assert (code, err) == (0, "")
    assert said["--help"] == said["-h"] == said["help"] == said[""]
    for command, summary in COMMANDS.items():
        assert re.search(rf"^  {command} +{re.escape(summary)}$", out, re.MULTILINE)
    assert "peephole train --resume" in out
    assert max(map(len, out.splitlines())) <= 120


def test_versions_and_refusals(said: dict[str, Any]) -> None:
    assert said["--version"][:3] == (0, f"peephole {__version__}\n", "")
    assert said["frobnicate"][:2] == (2, "")
    assert said["train --batch-size 0"][:3] == (2, "", "peephole: --batch-size is 0; expected more than 0\n")
    assert said["sample run --top-k=0"][:3] == (2, "", "peephole: --top-k is 0; expected at least 1\n")


def flat(text: str) -> str:
    """The text of tyro's boxes in one line."""
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", text).split())


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_says_what_it_does(said: dict[str, Any], command: str) -> None:
    code, out, err, _ = said[f"{command} --help"]
    assert (code, err) == (0, "")
    assert f"usage: peephole {command}" in out
    assert len(flat(out)) > 200


def described(out: str) -> dict[str, str]:
    """What help says of each option."""
    found: dict[str, str] = {}
    current = ""
    for line in out.splitlines():
        if start := re.match(r"│ (--[a-z0-9-]+)", line):
            current = start[1]
        elif line.startswith("╰"):
            current = ""
        if current:
            found[current] = found.get(current, "") + " " + flat(line)
    return found


OPTIONS = [
    ("train", part, field) for part in (TextData, ModelConfig, TrainingConfig) for field in dataclasses.fields(part)
]
OPTIONS += [("sample", Sampling, field) for field in dataclasses.fields(Sampling)]
OPTIONS += [("bench", Bench, field) for field in dataclasses.fields(Bench)]


@pytest.mark.parametrize(
    ("command", "part", "field"), [pytest.param(*each, id=f"{each[0]}-{each[2].name}") for each in OPTIONS]
)
def test_each_option_says_what_it_is_and_its_default(
    said: dict[str, Any], command: str, part: type, field: dataclasses.Field[Any]
) -> None:
    out = said[f"{command} --help"][1]
    if field.name == "files":
        assert "[FILES ...]" in out
        return
    text = described(out)[f"--{field.name.replace('_', '-')}"]
    assert len(text.split()) >= 6, text
    default = " ".join(field.default) if isinstance(field.default, tuple) else str(field.default)
    if isinstance(field.default, float) and field.default == round(field.default):
        default = str(round(field.default))
    assert re.search(rf"\(default: {re.escape(default)}", text), text


def test_train_text_is_train(said: dict[str, Any]) -> None:
    assert said["train text --help"] == said["train --help"]


def test_python_m_peephole() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "peephole", "--version"], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout) == (0, f"peephole {__version__}\n")
    result = subprocess.run(
        [sys.executable, "-m", "peephole", "frobnicate"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert re.fullmatch(r"peephole: unknown command 'frobnicate'; expected one of [^\n]*\n", result.stderr)


def test_public_names_are_there() -> None:
    for name in peephole.__all__:
        assert getattr(peephole, name) is not None
    assert set(peephole.__all__) <= set(dir(peephole))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        peephole.nothing  # noqa: B018
