"""Speech: small nets learn to write down tones, at once or while they come, and what comes back is words and errors."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from peephole.data.speech.config import SpeechData
from peephole.data.speech.encoding import sound
from peephole.errors import InputError
from peephole.tasks import load
from peephole.tasks.examples.scores import Scores
from peephole.tasks.speech.answer import HeardWord, Transcript
from peephole.tasks.speech.model import SpeechModel
from peephole.tasks.speech.settings import SpeechNet, SpeechSearch, SpeechTask, SpeechTraining

from ..killing import Killed, Killer
from ..tones import spoken, table

soundfile = pytest.importorskip("soundfile")
for library in ("kaldi_native_fbank", "jiwer", "sklearn", "scipy"):
    pytest.importorskip(library)

NET = SpeechNet(hidden_size=24, layers=1, embedding_size=16, dropout=0.0)
TRAINING = SpeechTraining(
    epochs=None, steps=150, batch_size=16, learning_rate=1e-2, watch=0, tempo=0.1, pitch=0.05, loudness=0.0
)
BANDS = {"bands": 20, "units": "words"}


def made(folder: Path, **changes: Any) -> SpeechModel:
    data = SpeechData(
        files=(table(folder / "train.tsv", 100, 0),),
        test=(table(folder / "test.tsv", 40, 1),),
        **{**BANDS, **changes.pop("data", {})},
    )
    task = replace(SpeechTask(data=data, model=NET, training=TRAINING), **changes)
    model = SpeechModel.create(task, folder / "run")
    assert isinstance(model, SpeechModel)
    model.fit()
    return SpeechModel.open(model.run)  # pyright: ignore[reportReturnType]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> SpeechModel:
    return made(tmp_path_factory.mktemp("both"))


@pytest.fixture(scope="module")
def following(tmp_path_factory: pytest.TempPathFactory) -> SpeechModel:
    """One direction, so that it can follow a stream."""
    net = replace(NET, directions="one")
    data = {"normalise": "running"}
    return made(tmp_path_factory.mktemp("one"), model=net, data=data)


def test_a_net_learns_to_write_tones_down(trained: SpeechModel) -> None:
    found = trained.measure()
    print(found.metrics, trained.run.read_history()[-1])
    assert found.part == "test"
    assert found.metrics["word error %"] <= 0.05
    assert found.others["most frequent transcript"]["word error %"] >= 0.5
    assert found.lower
    assert [title for title, _ in found.pictures] == ["Spikes", "Reliability"]


def test_one_direction(following: SpeechModel) -> None:
    found = following.measure()
    print(found.metrics, following.run.read_history()[-1])
    assert found.metrics["word error %"] <= 0.1


def test_words_come_while_the_recording_is_read(following: SpeechModel, tmp_path: Path) -> None:
    random = np.random.default_rng(9)
    text = "high low mid low"
    samples = np.concatenate([spoken(text, random), np.zeros(8000, np.float32)])
    soundfile.write(tmp_path / "a.wav", samples, 8000)
    read: list[int] = []

    def blocks() -> Any:
        for start in range(0, len(samples), 800):
            read.append(start)
            yield samples[start : start + 800], 8000

    seen: list[tuple[int, HeardWord | Transcript]] = []
    for answer in following.answering().of_blocks(blocks(), "a"):
        seen.append((read[-1], answer))
    *words, (_, last) = seen
    assert isinstance(last, Transcript)
    assert last.transcript == text
    assert [answer.word.text for _, answer in words if isinstance(answer, HeardWord)] == text.split()
    assert words[0][0] < len(samples) - 8000, "the first word is known before the last is spoken"
    starts = [word.start for word in last.words]
    assert starts == sorted(starts)
    assert all(0 <= word.start < word.end <= len(samples) / 8000 for word in last.words)
    # the same from a file, and through a pipe
    from_file = list(following.predict([tmp_path / "a.wav"]))
    with (tmp_path / "a.wav").open("rb") as stream:
        piped = list(following.hear(stream, "a pipe"))
    for found in (from_file[-1], piped[-1]):
        assert isinstance(found, Transcript)
        assert found.transcript == text


@pytest.mark.parametrize("beams", [0, 4])
def test_steps_of_a_stream_say_what_the_whole_says(following: SpeechModel, beams: int) -> None:
    following.decoding = SpeechSearch(beams=beams)
    try:
        answering, part = following.answering(), following.part("test")
        for number in range(6):
            samples, _ = part.sequence(number)
            *_, last = answering.of_blocks([(sound(samples), 8000)], "a")
            assert isinstance(last, Transcript)
            inputs = torch.from_numpy(following.encoding.inputs(samples))[:, None]
            with torch.no_grad():
                logs = following.model(inputs)[0][:, 0].log_softmax(-1).numpy()
            words = following.reading().words(logs)
            assert [word.text for word in words] == last.transcript.split()
            assert [round(word.start, 3) for word in words] == [round(word.start, 3) for word in last.words]
    finally:
        following.decoding = SpeechSearch()


def test_recordings_in_folders_and_tables(
    trained: SpeechModel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table(tmp_path / "new.tsv", 3, 7, rate=16000)  # of another rate
    lines = (tmp_path / "new.tsv").read_text().splitlines()[1:]
    (tmp_path / "bare.tsv").write_text("".join(line.split("\t")[0] + "\n" for line in lines))
    named = [answer.as_dict() for answer in trained.predict([tmp_path / "bare.tsv"])]
    assert [answer["transcript"] for answer in named] == [line.split("\t")[1] for line in lines]
    assert all(set(word) == {"word", "start", "end", "confidence"} for answer in named for word in answer["words"])
    assert json.dumps(named)
    soundfile.write(tmp_path / "nothing.wav", np.zeros(0, np.float32), 8000)
    walked = list(trained.predict([tmp_path]))
    assert len(walked) == 3
    assert all(isinstance(answer, Transcript) for answer in walked), "both directions know the end first"
    assert "nothing.wav skipped: no samples" in caplog.text
    (tmp_path / "torn.wav").write_bytes(b"RIFF")
    assert len(list(trained.predict([tmp_path]))) == 3
    assert "torn.wav skipped: " in caplog.text
    with pytest.raises(InputError, match=r"torn\.wav: cannot be read"):
        list(trained.predict([tmp_path / "torn.wav"]))
    (tmp_path / "gone.tsv").write_text("gone.wav\n")
    with pytest.raises(InputError, match=r"gone\.tsv, line 1: no recording gone\.wav"):
        list(trained.predict([tmp_path / "gone.tsv"]))


def test_other_recordings_are_measured(trained: SpeechModel, tmp_path: Path) -> None:
    trained.decoding = SpeechSearch(on=(table(tmp_path / "on.tsv", 10, 3),))
    try:
        found = trained.measure()
    finally:
        trained.decoding = SpeechSearch()
    assert found.part == "on.tsv"
    assert found.counted.startswith("10 recordings")
    assert found.metrics["word error %"] <= 0.1
    captions = [one.caption for one in found.tables]
    assert captions == ["Most frequent mistakes", "By speaker"]
    assert [row[0] for row in found.tables[1].rows] == ["anna", "ben"]


def test_a_language_model_is_asked(trained: SpeechModel, tmp_path: Path) -> None:
    """A text in which nobody says mid: with all its weight nobody hears it."""
    (tmp_path / "text.txt").write_text("high low\nlow high\nlow\nhigh\n" * 20)
    trained.decoding = SpeechSearch(language_model=tmp_path / "text.txt", language_weight=30.0, ngram_order=2)
    try:
        found = trained.measure()
    finally:
        trained.decoding = SpeechSearch()
    heard = {heard for (_, heard), _ in Counter(dict(_mistakes(found))).items()}
    assert "mid" not in heard
    assert found.metrics["word error %"] > 0.1
    assert f"with {tmp_path / 'text.txt'} of weight 30" in found.notes[0]
    for path, complaint in ((tmp_path / "gone", "not there; expected a text"), (trained.run.folder, "a run of speech")):
        trained.decoding = SpeechSearch(language_model=path)
        try:
            with pytest.raises(InputError, match=complaint):
                trained.measure()
        finally:
            trained.decoding = SpeechSearch()


def _mistakes(found: Scores) -> list[tuple[tuple[str, str], int]]:
    return [((said, heard), int(count)) for said, heard, count in found.tables[0].rows]


def test_the_command_line(
    trained: SpeechModel, following: SpeechModel, cli: Callable[..., Any], tmp_path: Path
) -> None:
    table(tmp_path / "new.tsv", 2, 11)
    name, text, _ = (tmp_path / "new.tsv").read_text().splitlines()[1].split("\t")
    content = (tmp_path / name).read_bytes()
    asked = cli("predict", trained.run.folder, tmp_path / name, "--json")
    assert asked.code == 0, asked.err
    assert json.loads(asked.out)["transcript"] == text
    *words, whole = cli("predict", following.run.folder, "-", stdin=content).out.splitlines()
    assert whole == f"standard input\t{text}"
    assert [word.split("\t")[2] for word in words] == text.split()
    bare = cli("predict", following.run.folder, "-", stdin=content[:40] + bytes(4)).refusal  # its data have no bytes
    assert "standard input: nothing to answer" in bare
    refused = cli("predict", following.run.folder, "-", stdin=b"no sound").refusal
    assert "standard input: no WAV file of integers" in refused
    found = cli("eval", trained.run.folder, "--on", tmp_path / "new.tsv", "--beams", 0, "--tables")
    assert found.code == 0, found.err
    assert "new.tsv: 2 recordings" in found.out
    assert "decoded by the likeliest symbol of every step, without a language model" in found.out
    assert "By speaker" in found.out
    both = cli("eval", trained.run.folder, "--on", tmp_path / "new.tsv", "--part", "train").refusal
    assert "--part train and --on: expected one of them" in both


def test_the_run_is_opened_again(trained: SpeechModel) -> None:
    again = load(trained.run.folder)
    assert isinstance(again, SpeechModel)
    assert again.task == trained.task
    assert again.encoding == trained.encoding
    described = "\n".join(again.describe())
    assert "at 8,000 Hz, recordings of" in described
    assert "3 words" in described


def test_killed_and_resumed_equals_never_killed(tmp_path: Path, kept: Callable[[Path], dict[str, object]]) -> None:
    data = SpeechData(files=(table(tmp_path / "t.tsv", 24, 0),), **BANDS)
    task = SpeechTask(data=data, model=NET, training=replace(TRAINING, steps=5, checkpoint_seconds=0.0))
    SpeechModel.create(task, tmp_path / "whole").fit()
    model = SpeechModel.create(task, tmp_path / "killed")
    with pytest.raises(Killed):
        model.fit(Killer(3))
    torch.manual_seed(7)  # a new process begins with other random numbers
    SpeechModel.resume(model.run).fit()
    assert kept(tmp_path / "killed") == kept(tmp_path / "whole")


def test_too_short_for_its_units(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(800, np.float32), 8000)
    (tmp_path / "t.tsv").write_text("a.wav\tlow low low low\na.wav\tlow high low low low\n")
    with pytest.raises(InputError, match=r"part has no sequences; give more data; skipped .*its \d+ units need"):
        SpeechModel.create(SpeechTask(data=SpeechData(files=(tmp_path / "t.tsv",))), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_the_laboratory_looks_at(trained: SpeechModel) -> None:
    inputs, divergence = trained.examined(4)
    with torch.no_grad():
        outputs = trained.model(**inputs)[0]
    assert outputs.shape[:2] == inputs["inputs"].shape[:2]
    value = float(divergence(outputs))
    assert np.isfinite(value)
    assert value > 0
    short, _ = trained.examined(4, steps=5)
    assert len(short["inputs"]) == 5
