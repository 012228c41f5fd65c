"""From captions and pictures to parts: who is where, what is left out, and what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from peephole.data.captioning.batches import by_picture
from peephole.data.captioning.config import CaptioningData
from peephole.data.captioning.encoding import CaptioningEncoding
from peephole.data.captioning.pictures import open_pictures, read_picture
from peephole.data.captioning.preparing import prepare
from peephole.data.sequences.store import open_part
from peephole.errors import InputError

from ...drawn import write

pytest.importorskip("PIL")


def prepared(folder: Path, **options: Any) -> tuple[CaptioningEncoding, Path]:
    out = folder / "run" / "data"
    out.mkdir(parents=True)
    options = {"size": 32, "min_count": 1, "workers": 1, **options}
    return prepare(CaptioningData(**options), out), out


def names(out: Path, part: str) -> list[str]:
    """The files of the pictures of a part, in its order."""
    found, files = open_part(out / part), json.loads((out / "pictures.json").read_text())
    return [Path(files[int(found.inputs[numbers[0]])]).name for numbers in by_picture(found)]


def listed(path: Path, *wanted: str) -> Path:
    path.write_text("\n".join(wanted) + "\n\n", encoding="utf-8")
    return path


def test_a_share_of_the_pictures_with_all_their_captions(tmp_path: Path) -> None:
    captions = write(tmp_path / "set", "p", 20, 0)
    encoding, out = prepared(tmp_path, files=(captions,), held_out_share=0.2)
    train, held_out = names(out, "train"), names(out, "held_out")
    assert (len(train), len(held_out)) == (16, 4)
    assert sorted([*train, *held_out]) == sorted(f"p{number}.png" for number in range(20))
    assert len(open_part(out / "held_out")) == 8
    part, pictures = open_part(out / "train"), open_pictures(out, 32)
    inputs, targets = part.sequence(3)
    assert (pictures[int(inputs[0])] == read_picture(tmp_path / "set" / train[1], 32)).all()
    said = json.loads((out / "references-train.json").read_text())[3]
    assert " ".join(encoding.spoken(targets.tolist())) == said
    assert targets[-1] == 0
    assert not (tmp_path / "run" / ".shards").exists()
    colours = np.stack([pictures[int(part.inputs[numbers[0]])] for numbers in by_picture(part)]) / 255
    assert np.allclose(encoding.mean, colours.mean((0, 1, 2)))
    assert np.allclose(encoding.scale, colours.std((0, 1, 2)))
    assert CaptioningEncoding.from_dict(json.loads(json.dumps(encoding.as_dict()))) == encoding


def test_copies_of_a_picture_land_on_one_side(tmp_path: Path) -> None:
    captions = write(tmp_path, "p", 3, 0)
    lines = []
    for number in range(30):
        copy = tmp_path / f"copy{number}.png"
        copy.write_bytes((tmp_path / f"p{number % 3}.png").read_bytes())
        lines.append(f"{copy.name}\tcopy of {number % 3}")
    captions.write_text("\n".join(lines))
    _, out = prepared(tmp_path, files=(captions,))
    kinds = [{int(name[4:-4]) % 3 for name in names(out, part)} for part in ("train", "held_out")]
    assert not kinds[0] & kinds[1]
    captions.write_text("\n".join(lines[::3]))
    with pytest.raises(InputError, match="10 pictures, all the same"):
        prepared(tmp_path / "again", files=(captions,))


def test_lists_of_names(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    captions = write(tmp_path, "p", 6, 0)
    held_out, test = listed(tmp_path / "dev", "p1.png", "gone.png"), listed(tmp_path / "test", "p4.png")
    _, out = prepared(tmp_path, files=(captions,), held_out_list=held_out, test_list=test)
    assert names(out, "train") == ["p0.png", "p2.png", "p3.png", "p5.png"]
    assert names(out, "held_out") == ["p1.png"]
    assert names(out, "test") == ["p4.png"]
    assert "1 names without a caption: gone.png" in caplog.text
    train = listed(tmp_path / "train", "p0.png", "p5.png")
    _, out = prepared(tmp_path / "b", files=(captions,), train_list=train, held_out_list=held_out)
    assert names(out, "train") == ["p0.png", "p5.png"]
    assert not (out / "test").exists()


def test_files_for_each_part(tmp_path: Path) -> None:
    files = {name: (write(tmp_path, name[0], count, seed),) for seed, (name, count) in
             enumerate({"files": 5, "held_out": 2, "test": 3}.items())}  # fmt: skip
    _, out = prepared(tmp_path, **files)
    assert [len(open_part(out / part)) for part in ("train", "held_out", "test")] == [10, 4, 6]


def test_what_cannot_be_used_is_named_and_counted(tmp_path: Path) -> None:
    captions = write(tmp_path, "p", 30, 0)
    with captions.open("a") as file:
        file.write("gone.png#0\ta dog\ngone.png#1\ta cat\np3.png\t . \n")
    (tmp_path / "p7.png").write_bytes(b"no picture")
    (tmp_path / "other.png").write_bytes((tmp_path / "p0.png").read_bytes())
    _, out = prepared(tmp_path, files=(captions,), held_out_share=0.5)
    described = json.loads((out / "captions.json").read_text())
    skipped = described["train"]["skipped"]
    assert [one for one in skipped if "gone.png: no such file (2 captions)" in one]
    assert [one for one in skipped if "p7.png: no picture (2 captions)" in one]
    assert [one for one in skipped if "p.txt, line 63: no word in the caption" in one]
    assert len(skipped) == 3
    assert described["without a caption"] == 1
    assert described["train"]["pictures"] + described["held_out"]["pictures"] == 29


def test_too_many_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    captions = write(tmp_path, "p", 10, 0)
    with pytest.raises(InputError, match=r"10 of 10 pictures cannot be used, the first: .*p0.png: no such file; "):
        prepared(tmp_path, files=(captions,), images=tmp_path / "elsewhere")
    for number in range(3):
        (tmp_path / f"p{number}.png").unlink()
    with pytest.raises(InputError, match="3 of 10 pictures cannot be used"):
        prepared(tmp_path / "b", files=(captions,))
    _, out = prepared(tmp_path / "c", files=(captions,), skipped_share=0.5)
    assert len(names(out, "train")) + len(names(out, "held_out")) == 7


def test_copies_of_what_is_learnt_from_are_counted(tmp_path: Path) -> None:
    captions = write(tmp_path / "a", "p", 4, 0)
    test = write(tmp_path / "b", "q", 3, 1)
    (tmp_path / "b" / "q2.png").write_bytes((tmp_path / "a" / "p1.png").read_bytes())
    held_out = write(tmp_path / "c", "r", 2, 2)
    _, out = prepared(tmp_path, files=(captions,), held_out=(held_out,), test=(test,))
    described = json.loads((out / "captions.json").read_text())
    assert [described[part].get("copies") for part in ("train", "held_out", "test")] == [None, 0, 1]


def test_rare_words_and_long_captions(tmp_path: Path) -> None:
    captions = write(tmp_path, "p", 2, 0)
    captions.write_text("p0.png\tone two three four\np0.png\tone two six\np1.png\tone")
    held_out = listed(tmp_path / "dev", "p1.png")
    encoding, out = prepared(tmp_path, files=(captions,), held_out_list=held_out, min_count=2, longest_caption=3)
    assert encoding.words == ("<end>", "<unk>", "one", "two")
    part = open_part(out / "train")
    assert part.sequence(0)[1].tolist() == [2, 3, 1]  # cut: it does not end there
    assert part.sequence(1)[1].tolist() == [2, 3, 1, 0]
    described = json.loads((out / "captions.json").read_text())["train"]
    assert (described["words"], described["unknown words"], described["longer than kept"]) == (7, 2, 1)


@pytest.mark.parametrize(
    ("captions", "options", "said"),
    [
        (None, {}, "no file to learn from; expected captions"),
        ("", {}, "no captions in it|expected the columns"),
        (
            "p0.png\t.\np1.png\tdog",
            {"held_out_list": "p1.png"},
            "the train part has no caption .*line 1",
        ),
        (
            "p0.png\tdog\np1.png\tcat",
            {"min_count": "2"},
            "no word is in 2 captions of .*; lower --min-count",
        ),
        ("p0.png\tdog", {}, "1 pictures to learn from; expected at least two"),
        ("p0.png\tdog\np1.png\tdog", {"held_out_list": "x"}, "none of its 1 names, such as x, has a caption"),
        ("p0.png\tdog\np1.png\tdog", {"held_out_list": ""}, "dev: nothing in it"),
        ("p0.png\tA\np1.png\tA", {"held_out_list": "p1.png", "train_list": "p1.png"}, "p1.png is in .* too"),
        ("p0.png\tA\np1.png\tA", {"test": "p1.png\tA"}, "p1.png is in the train part too"),
    ],
)
def test_refused(tmp_path: Path, captions: str | None, options: dict[str, str], said: str) -> None:
    path = write(tmp_path, "p", 2, 0)
    given: dict[str, Any] = {}
    for name, text in options.items():
        if name == "min_count":
            given[name] = int(text)
            continue
        file = tmp_path / {"held_out_list": "dev"}.get(name, name)
        file.write_text(text)
        given[name] = (file,) if name == "test" else file
    if captions is not None:
        path.write_text(captions)
        given["files"] = (path,)
    with pytest.raises(InputError, match=said):
        prepared(tmp_path, **given)
