"""Tables: a row a step, a row a sequence, and refusals that name line and column."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from peephole.data.classification.config import ClassificationData
from peephole.data.classification.table_columns import feature_names
from peephole.data.classification.tables import read_table
from peephole.errors import InputError

LONG = "sequence,time,x,y,label\n1,0,1,10,a\n1,1,2,20,a\n2,0,3,30,b\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text)
    return path


def values(path: Path, data: ClassificationData | None = None) -> list[tuple[str | None, list[list[float]]]]:
    found = []
    for item in read_table(path, data or ClassificationData()):
        assert isinstance(item.content, np.ndarray)
        assert item.content.dtype == np.float32
        found.append((item.label, item.content.tolist()))
    return found


def refusal(path: Path, **settings: object) -> str:
    with pytest.raises(InputError) as caught:
        list(read_table(path, replace(ClassificationData(), **settings)))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_row_a_step(tmp_path: Path) -> None:
    path = written(tmp_path, LONG)
    assert values(path) == [("a", [[1, 10], [2, 20]]), ("b", [[3, 30]])]
    assert feature_names(path, ClassificationData()) == ("x", "y")
    assert values(path, ClassificationData(ignore=("y",))) == [("a", [[1], [2]]), ("b", [[3]])]


def test_a_row_a_sequence_with_lengths_of_their_own(tmp_path: Path) -> None:
    path = written(tmp_path, "label;t0;t1;t2\nup;1;2;3\ndown;2;1;\n")
    assert values(path) == [("up", [[1], [2], [3]]), ("down", [[2], [1]])]
    assert feature_names(path, ClassificationData()) == ()


def test_a_table_without_names_has_numbers_for_them(tmp_path: Path) -> None:
    path = written(tmp_path, "1\t0.5\t0.7\n2\t0.1\t0.2\n")
    found = values(path, ClassificationData(label_column="1"))
    assert [label for label, _ in found] == ["1", "2"]
    path = written(tmp_path, "walk\t0.5\t0.7\nrun\t0.1\t0.2\n")
    assert [label for label, _ in values(path, ClassificationData(label_column="1"))] == ["walk", "run"]


def test_dates_and_missing_values(tmp_path: Path) -> None:
    path = written(tmp_path, "sequence,time,x,label\n1,2024-01-01,1,a\n1,2024-01-02,nan,a\n1,2024-01-03 12:00,3,a\n")
    assert values(path, ClassificationData(missing="interpolate")) == [("a", [[1], [2], [3]])]
    assert "line 3, column 'x': a missing value" in refusal(path)


def test_rows_that_cannot_be_used(tmp_path: Path) -> None:
    assert "line 4: sequence '1' again" in refusal(written(tmp_path, "sequence,x,label\n1,1,a\n2,1,b\n1,2,a\n"))
    assert "line 3: label 'b' in sequence '1'; expected 'a'" in refusal(
        written(tmp_path, "sequence,x,label\n1,1,a\n1,2,b\n")
    )
    assert "line 3: time 0; expected one after" in refusal(written(tmp_path, LONG.replace("1,1,2", "1,0,2")))
    assert "line 3: time ''; expected a number or a date" in refusal(written(tmp_path, LONG.replace("1,1,2", "1,,2")))
    assert "line 3: 4 cells; expected 5" in refusal(written(tmp_path, LONG.replace("1,1,2,20,a", "1,1,2,20")))
    assert "line 3, column 'x': got 'two'" in refusal(written(tmp_path, LONG.replace("1,1,2", "1,1,two")))
    assert "line 3, column 'x': got inf" in refusal(written(tmp_path, LONG.replace("1,1,2", "1,1,inf")))
    assert "line 3: no label" in refusal(written(tmp_path, LONG.replace("20,a", "20,")))
    assert "line 3: no name of a sequence" in refusal(written(tmp_path, LONG.replace("1,1,2", ",1,2")))


def test_heads_that_cannot_be_used(tmp_path: Path) -> None:
    assert "no column 'label'" in refusal(written(tmp_path, "class,t0\na,1\n"))
    assert "two columns are called 'x'" in refusal(written(tmp_path, "label,x,x\na,1,2\n"))
    assert "no column left" in refusal(written(tmp_path, "label,x\na,1\n"), ignore=("x",))
    assert "no column 'z' to ignore" in refusal(written(tmp_path, "label,x\na,1\n"), ignore=("z",))
    assert "no column 'sequence', though one has times" in refusal(written(tmp_path, "time,x,label\n0,1,a\n1,2,a\n"))
    assert "no column 'id'" in refusal(written(tmp_path, "x,label\n1,a\n"), sequence_column="id")
    assert "an empty table" in refusal(written(tmp_path, ""))
