"""Runs of a data task are compared where they learnt from the same data."""

import json
from pathlib import Path

import pytest

from peephole.errors import InputError
from peephole.tasks.comparing.ground import check_comparable
from peephole.tasks.comparing.record import Record


def record(folder: Path, digest: str) -> Record:
    folder.mkdir()
    (folder / "encoding.json").write_text(json.dumps({"labels": ["a", "b"], "data_sha256": digest}))
    settings = {"data": {}, "training": {"seed": 0, "steps": 5}, "net": "recurrent"}
    return Record(
        folder, folder.name, "classification", settings, "0", "nats", (), 1.0, 0.5, 5, 5, 0.1, 10, False, True
    )


def test_runs_of_the_same_data_can_be_compared(tmp_path: Path) -> None:
    first, second = record(tmp_path / "a", "x"), record(tmp_path / "b", "x")
    assert check_comparable([first, second]) == ()
    with pytest.raises(InputError, match="a and c cannot be compared: other data"):
        check_comparable([first, record(tmp_path / "c", "y")])
    (second.folder / "encoding.json").unlink()
    with pytest.raises(InputError, match=r"b: encoding.json is missing or damaged; restore it"):
        check_comparable([first, second])
