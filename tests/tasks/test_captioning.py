"""Captioning: pictures that tests draw, from files to scores and answers."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from peephole.data.captioning.config import CaptioningData
from peephole.errors import InputError
from peephole.runs.folder import Run
from peephole.tasks import load
from peephole.tasks.captioning.answer import Caption, CaptionedPicture
from peephole.tasks.captioning.looking import Alike, Looked
from peephole.tasks.captioning.model import CaptioningModel
from peephole.tasks.captioning.settings import (
    CaptioningDecoding,
    CaptioningNet,
    CaptioningTask,
    CaptioningTraining,
)

from ..drawn import write
from ..killing import Killed, Killer

pytest.importorskip("PIL")
pytest.importorskip("sacrebleu")

NET = CaptioningNet(filters=8, hidden_size=32, embedding_size=16, dropout=0.1, input_dropout=0.1, picture_dropout=0.0)
TRAINING = CaptioningTraining(
    epochs=14.0, fewest_steps=0, batch_size=16, learning_rate=1e-2, weight_decay=0.0, warmup=10, average=0.9, watch=0,
    precision="float32", crop=0.1, light=0.1, naming=0.2,
)  # fmt: skip


def task(folder: Path, counts: tuple[int, int, int] = (240, 24, 100), **training: Any) -> CaptioningTask:
    files = [write(folder / "set", name, count, seed) for seed, (name, count) in
             enumerate(zip(("train", "dev", "test"), counts, strict=True))]  # fmt: skip
    data = CaptioningData(files=(files[0],), held_out=(files[1],), test=(files[2],), size=32, min_count=1, workers=1)
    return CaptioningTask(data, NET, replace(TRAINING, **training))


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> CaptioningModel:
    """A run that says which shape in which colour is where."""
    folder = tmp_path_factory.mktemp("shapes")
    model = CaptioningModel.create(task(folder), folder / "run")
    assert isinstance(model, CaptioningModel)
    model.fit()
    return model


def test_what_is_on_pictures_that_it_never_saw(shapes: CaptioningModel) -> None:
    found = shapes.measure()
    assert next(iter(found.metrics)) == "BLEU-4"
    assert found.metrics["BLEU-4"] >= 70
    assert found.metrics["CIDEr-D"] >= 4
    assert len(found.others) == 3
    assert all(other["BLEU-4"] <= 62 for other in found.others.values())
    verdicts = {title: result.verdict for title, result in found.pictures}
    assert "not clearly above" not in verdicts["BLEU-4 and its interval"]
    assert "not clearly above" not in verdicts["CIDEr-D and its interval"]
    assert found.counted == "100 pictures, 200 captions by people"
    assert found.notes[0].startswith("BLEU: sacrebleu nrefs:2|")
    assert [len(table.rows) for table in found.tables] == [4, 20]


def test_answers_for_files_and_folders(
    shapes: CaptioningModel, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    folder = tmp_path / "some"
    folder.mkdir()
    inside = shapes.task.data.test[0].parent
    for name in ("test1.png", "test0.png"):
        (folder / name).write_bytes((inside / name).read_bytes())
    (folder / "bad.png").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("not looked at")
    answers = list(shapes.predict([inside / "test5.png", folder]))
    assert [Path(answer.name).name for answer in answers] == ["test5.png", "test0.png", "test1.png"]
    assert "bad.png: no picture" in caplog.text
    alone = next(iter(shapes.predict([folder / "test0.png"])))
    assert alone.text == answers[1].text
    assert alone.text == f"{folder / 'test0.png'}\t{alone.captions[0].text}\t{alone.captions[0].score:.3f}"
    followed = list(shapes.follow(iter([f"{folder / 'test0.png'}\n", "\n"]), "a test"))
    assert [answer.text for answer in followed] == [alone.text]
    with pytest.raises(InputError, match=r"bad\.png: no picture; expected a picture"):
        list(shapes.predict([folder / "bad.png"]))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty: no picture in it"):
        list(shapes.predict([tmp_path / "empty"]))


def test_several_captions_with_their_scores_and_where_it_looked(shapes: CaptioningModel) -> None:
    folder = shapes.task.data.test[0].parent
    shapes.decoding = CaptioningDecoding(beams=4, best=3, length_power=1.0)
    try:
        answer = next(iter(shapes.predict([folder / "test0.png"])))
    finally:
        shapes.decoding = CaptioningDecoding()
    scores = [caption.score for caption in answer.captions]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)
    assert all(word not in caption.words for caption in answer.captions for word in ("<unk>", "<end>"))
    for caption in answer.captions:
        assert caption.attention is not None
        assert caption.attention.shape == (len(caption.words), 2, 2)
        assert (caption.attention.sum((1, 2)) - 1).abs().max() <= 1e-4
        assert abs(caption.score - caption.log_probability / (len(caption.words) + caption.ended)) <= 1e-6
    as_json = json.loads(json.dumps(answer.as_dict()))
    assert as_json["caption"] == " ".join(answer.captions[0].words)
    assert len(as_json["others"]) == 2
    assert np.shape(as_json["attention"]) == (len(as_json["words"]), 2, 2)


def test_what_does_not_end_is_cut_off_and_said(shapes: CaptioningModel) -> None:
    shapes.decoding = CaptioningDecoding(most_words=3)
    try:
        found = shapes.measure()
        answer = next(iter(shapes.predict([shapes.task.data.test[0].parent / "test0.png"])))
    finally:
        shapes.decoding = CaptioningDecoding()
    assert "100 captions did not end and were cut off" in found.notes
    assert len(answer.captions[0].words) == 3
    assert answer.captions[0].text.endswith(" […]")
    assert not answer.as_dict()["ended"]


def test_naive_methods_are_kept_beside_the_data(shapes: CaptioningModel) -> None:
    path = shapes.data_folder / "naive-test.json"
    before = shapes.naive("test")
    kept = json.loads(path.read_bytes())
    assert set(kept) == set(before)
    assert all(len(said) == 100 for said in kept.values())
    assert len(set(kept["one caption, best BLEU-4"])) == 1
    assert len(set(kept["nearest neighbour in pixels"])) > 5


def test_opened_again_it_says_the_same(shapes: CaptioningModel) -> None:
    again = load(shapes.run.folder)
    assert isinstance(again, CaptioningModel)
    folder = shapes.task.data.test[0].parent
    files = [folder / f"test{number}.png" for number in range(3)]
    assert [one.text for one in again.predict(files)] == [one.text for one in shapes.predict(files)]
    assert any("they are of 240 and 24 and 100 pictures" in line for line in again.describe())


def test_what_was_killed_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    given = task(tmp_path, (20, 4, 4), epochs=2.0, batch_size=4, checkpoint_seconds=0.0)
    whole = CaptioningModel.create(given, tmp_path / "whole")
    whole.fit()
    stopped = CaptioningModel.create(given, tmp_path / "stopped")
    with pytest.raises(Killed):
        stopped.fit(Killer(6))
    again = CaptioningModel.resume(Run.open(tmp_path / "stopped"))
    again.fit()
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, again.model.state_dict()[name]), name


def test_preparation_that_was_cut_short_is_done_again(tmp_path: Path) -> None:
    given = task(tmp_path, (8, 2, 2))
    model = CaptioningModel.create(given, tmp_path / "run")
    before = (model.data_folder / "pictures.bin").read_bytes()
    for path in sorted(model.data_folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    model.data_folder.rmdir()
    again = CaptioningModel.resume(Run.open(tmp_path / "run"))
    assert (again.data_folder / "pictures.bin").read_bytes() == before


def test_what_is_wrong_leaves_no_run(tmp_path: Path) -> None:
    given = task(tmp_path, (4, 2, 2))
    with pytest.raises(InputError, match="8 of 8 pictures cannot be used"):
        CaptioningModel.create(replace(given, data=replace(given.data, images=tmp_path / "nowhere")), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_laboratory_sees_the_steps_of_the_decoder(shapes: CaptioningModel) -> None:
    arguments, divergence = shapes.examined(3)
    assert arguments["inputs"].shape == (3, 3, 32, 32)
    with torch.no_grad():
        outputs = shapes.model.eval()(**arguments)[0]
    assert outputs.shape[:2] == arguments["entering"].shape
    assert math.isfinite(float(divergence(outputs)))
    short, _ = shapes.examined(2, 4)
    assert short["entering"].shape == (4, 2)
    with pytest.raises(InputError, match="nothing flows through time"):
        shapes.examined(2, 1)


def test_naming_counts_while_training_alone(shapes: CaptioningModel) -> None:
    batch = shapes.batches(0, 1).next()
    model = shapes.model
    model.eval()
    with torch.no_grad():
        plain = float(shapes.divergence(shapes.respond(model, batch), batch))
        assert float(shapes.divergence(shapes.respond(model, batch), batch)) == plain
        model.train()
        outputs = shapes.respond(model, batch)
        with_words = float(shapes.divergence(outputs, batch))
        without = float(shapes.divergence(outputs, batch))  # taken once
    model.eval()
    assert with_words > without


def test_figures_can_be_drawn(shapes: CaptioningModel) -> None:
    from matplotlib.figure import Figure

    for title, result in shapes.measure("held_out").pictures:
        assert result.verdict.endswith("."), title
        result.plot(Figure().subplots())


def test_looking_at_one_place_is_one_place() -> None:
    grid = torch.zeros(2, 3, 3)
    grid[0, 1, 1], grid[1] = 1.0, 1 / 9
    picture = np.full((48, 48, 3), 200, np.uint8)
    looked = Looked(picture, Caption(("a", "dog"), -1.0, -0.5, True, grid), "the dog")
    assert looked.spread == pytest.approx((1, 9))
    assert looked.verdict == (
        "said “a dog”, a person “the dog”; of 9 places it looked at 5.0 a word, at the fewest for “a” (1.0)."
    )
    blind = Looked(picture, Caption(("a",), -1.0, -0.5, False), "the dog")
    assert blind.verdict == "said “a […]”, a person “the dog”."


def test_pictures_alike_share_words() -> None:
    summaries = torch.eye(2).repeat(4, 1) + 0.01 * torch.rand(8, 2)
    words = [frozenset({"dog", "grass"}) if number % 2 == 0 else frozenset({"man"}) for number in range(8)]
    found = Alike.of(np.zeros((8, 32, 32, 3), np.uint8), summaries, words, rows=2, columns=3)
    assert found.pictures.shape == (2, 3, 32, 32, 3)
    assert found.shared[0] == 1
    assert found.shared[1] < 1


def test_answers_on_the_command_line(shapes: CaptioningModel, cli: Callable[..., Any]) -> None:
    run, picture = str(shapes.run.folder), str(shapes.task.data.test[0].parent / "test0.png")
    shown = cli("predict", run, picture, "--best", "2", "--beams", "3")
    assert shown.code == 0
    assert len(shown.out.splitlines()) == 2
    found = json.loads(cli("predict", run, picture, "--json").out)
    assert found["picture"] == picture
    assert isinstance(next(iter(shapes.predict([Path(picture)]))), CaptionedPicture)
    refused = cli("predict", run, picture, "--best", "7")
    assert "--best is 7; expected at most the 5 of --beams" in refused.err


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        (CaptioningNet, {"filters": 0}, "--filters is 0"),
        (CaptioningNet, {"picture_dropout": 1.0}, "--picture-dropout is 1.0"),
        (CaptioningTraining, {"captions_each": -1}, "--captions-each is -1"),
        (CaptioningTraining, {"naming": -0.5}, "--naming is -0.5"),
        (CaptioningTraining, {"crop": 1.0}, "--crop is 1.0"),
        (CaptioningDecoding, {"beams": 0}, "--beams is 0"),
        (CaptioningDecoding, {"best": 6}, "--best is 6; expected at most the 5 of --beams"),
        (CaptioningDecoding, {"length_power": -1.0}, "--length-power is -1.0"),
    ],
)
def test_settings_that_cannot_be(kind: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        kind(**options)
