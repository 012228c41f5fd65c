"""The documentation says what the code does."""

import re
import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.usefixtures("unchecked_annotations")  # sizes are letters there
def test_the_page_of_cells_is_what_the_specs_say() -> None:
    page = runpy.run_path(str(DOCS / "make_cells.py"))["text"]()
    assert (DOCS / "cells.md").read_text(encoding="utf-8") == page, "run `python docs/make_cells.py`"


def test_the_page_of_presets_is_what_the_settings_say() -> None:
    page = runpy.run_path(str(DOCS / "make_presets.py"))["text"]()
    assert (DOCS / "presets.md").read_text(encoding="utf-8") == page, "run `python docs/make_presets.py`"


def test_the_examples_of_own_cells_run() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "own_cells.md").read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "own_cells.md", "exec"), names)
    assert names["output"].shape == (50, 3, 32)  # pyright: ignore[reportAttributeAccessIssue]
    assert names["y"].shape == (3, 16)  # pyright: ignore[reportAttributeAccessIssue]


def test_the_examples_of_looking_inside_run() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "inside.md").read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "inside.md", "exec"), names)
    assert names["layer"].gates["f"].shape == (50, 4, 16)  # pyright: ignore[reportAttributeAccessIssue]
    assert len(names["which"]) == 16  # pyright: ignore[reportArgumentType]


def test_the_example_of_the_data_tasks_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    sentences = [f"the\tD\n{noun}\tN\nruns\tV\n\n" for noun in ("dog", "cat", "cow", "hen")]
    Path("words.txt").write_text("".join(sentences) * 10, encoding="utf-8")
    run, net = re.findall(r"```python\n(.*?)```", (DOCS / "data_tasks.md").read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(run, "data_tasks.md", "exec"), names)
    assert "dog\tN" in capsys.readouterr().out
    assert names["scores"].metrics["accuracy %"] == 1.0  # pyright: ignore[reportAttributeAccessIssue]
    exec(compile(net, "data_tasks.md", "exec"), names)
    assert names["logits"].shape == (5, 4, 9)  # pyright: ignore[reportAttributeAccessIssue]
    assert names["looked"].shape == (5, 4, 7)  # pyright: ignore[reportAttributeAccessIssue]


def test_the_example_of_the_doctor_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (DOCS / "doctor.md").read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(block, "doctor.md", "exec"), {})
    assert capsys.readouterr().out.startswith("Inputs not normalised (high confidence)")


def test_the_examples_of_word_vectors_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", (DOCS / "word_vectors.md").read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(block, "word_vectors.md", "exec"), names)
    assert (tmp_path / "vectors.txt").read_text().startswith("7 20\n")
