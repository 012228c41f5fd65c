"""`.ts` files: what is read, and refusals that name file and line."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from peephole.data.classification.time_series import read_time_series
from peephole.errors import InputError

HEAD = "# made by a test\n@problemName P\n@timeStamps false\n@missing {missing}\n@classLabel true a b\n@data\n"


def written(folder: Path, sequences: str, missing: str = "false", head: str = HEAD) -> Path:
    path = folder / "some.ts"
    path.write_text(head.format(missing=missing) + sequences)
    return path


def refusal(path: Path, missing: str = "auto") -> str:
    with pytest.raises(InputError) as caught:
        list(read_time_series(path, missing=missing))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_channels_side_by_side_and_lengths_of_their_own(tmp_path: Path) -> None:
    path = written(tmp_path, "1,2,3:4,5,6:a\n\n# between\n7:8:b\n")
    first, second = read_time_series(path)
    assert (first.label, second.label) == ("a", "b")
    assert isinstance(first.content, np.ndarray)
    assert first.content.dtype == np.float32
    assert first.content.tolist() == [[1, 4], [2, 5], [3, 6]]
    assert isinstance(second.content, np.ndarray)
    assert second.content.tolist() == [[7, 8]]
    assert second.name == f"{path}, line 10"


def test_missing_values_are_on_the_line_between_their_neighbours(tmp_path: Path) -> None:
    (found,) = read_time_series(written(tmp_path, "?,1,?,3,?:?,?,?,?,?:a\n", missing="true"))
    assert isinstance(found.content, np.ndarray)
    assert found.content[:, 0].tolist() == [1, 1, 2, 3, 3]
    assert np.isnan(found.content[:, 1]).all()
    assert found.interpolated == 8


def test_missing_values_that_nobody_announced(tmp_path: Path) -> None:
    path = written(tmp_path, "1,2:3,?:a\n")
    assert f"{path}, line 7: a missing value in channel 2" in refusal(path)
    assert len(list(read_time_series(path, missing="interpolate"))) == 1
    assert "a missing value" in refusal(written(tmp_path, "1,?:a\n", missing="true"), "refuse")


def test_without_labels(tmp_path: Path) -> None:
    (found,) = read_time_series(written(tmp_path, "1,2:3,4\n", head="@classLabel false\n@data\n"))
    assert found.label is None
    assert isinstance(found.content, np.ndarray)
    assert found.content.shape == (2, 2)


def test_lines_that_cannot_be_read(tmp_path: Path) -> None:
    assert "line 7, channel 1: got 'x'" in refusal(written(tmp_path, "1,x:a\n"))
    assert "line 8: 1 channels; expected 2" in refusal(written(tmp_path, "1:2:a\n1:a\n"))
    assert "line 7: channels of 1 to 2 values" in refusal(written(tmp_path, "1,2:3:a\n"))
    assert "line 7: label 'c'; expected one that the head lists, a, b" in refusal(written(tmp_path, "1,2:c\n"))
    assert "line 7: a sequence without a label" in refusal(written(tmp_path, "1,2:\n"))
    assert "line 7: a sequence without values" in refusal(written(tmp_path, ":a\n"))
    assert "timestamps" in refusal(written(tmp_path, "(0,1.5),(1,2):a\n"))
    assert "a value above 3e+38" in refusal(written(tmp_path, "1,1e39:a\n"))


def test_heads_that_cannot_be_read(tmp_path: Path) -> None:
    assert "line 1: values with timestamps" in refusal(written(tmp_path, "", head="@timeStamps true\n@data\n"))
    assert "line 1: numbers to predict" in refusal(written(tmp_path, "", head="@targetLabel true\n@data\n"))
    assert "line 1: got '@dimensions two'" in refusal(written(tmp_path, "", head="@dimensions two\n@data\n"))
    assert "line 1: got '@missing maybe'" in refusal(written(tmp_path, "", head="@missing maybe\n@data\n"))
    assert "line 1: got '1,2:a'" in refusal(written(tmp_path, "1,2:a\n", head=""))
    assert "no line @data" in refusal(written(tmp_path, "", head="@missing true\n"))
    assert "line 4: 2 steps; expected at most 1" in refusal(
        written(tmp_path, "1,2:a\n", head="@seriesLength 1\n@classLabel true a\n@data\n")
    )
    assert "cannot be read" in refusal(tmp_path / "none.ts")


def test_sets_of_the_archive(data_folder: Callable[[str], Path]) -> None:
    folder = data_folder("ucr_uea")
    vowels = list(read_time_series(folder / "JapaneseVowels" / "JapaneseVowels_TEST.ts"))
    lengths = [len(item.content) for item in vowels if isinstance(item.content, np.ndarray)]
    assert (len(vowels), min(lengths), max(lengths)) == (370, 7, 29)
    assert {item.label for item in vowels} == set("123456789")
    motions = list(read_time_series(folder / "BasicMotions" / "BasicMotions_TRAIN.ts"))
    shapes = {item.content.shape for item in motions if isinstance(item.content, np.ndarray)}
    assert (len(motions), shapes) == (40, {(100, 6)})
