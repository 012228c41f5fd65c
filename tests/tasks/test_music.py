"""Music from files to pieces of its own: a small net learns a made rule, is measured, answers and plays."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from peephole.data.music.config import MusicData
from peephole.data.music.midi import midi_bytes, read_midi
from peephole.errors import InputError
from peephole.figures import draw
from peephole.generate.chord_sampling import ChordSampling
from peephole.runs.folder import Run
from peephole.tasks import load
from peephole.tasks.music.by_place import PLACES, NatsByPlace
from peephole.tasks.music.model import MusicModel
from peephole.tasks.music.piano_roll import PianoRoll, held, name_of
from peephole.tasks.music.settings import MusicNet, MusicTask, MusicTraining
from peephole.train.contract import Listener

Cli = Callable[..., Any]
TRIADS = ((60, 64, 67), (60, 65, 69), (59, 62, 67))
TRAINING = MusicTraining(
    steps=400, learning_rate=0.01, batch_size=16, transpose=0, warmup=10, average=0.0, threads=1, watch=0
)
NET = MusicNet(cell="gru", hidden_size=64, embedding_size=16, dropout=0.0, recurrent_dropout=0.0)


def pieces(count: int, seed: int) -> list[list[list[int]]]:
    """Two chords in turns: the next is that of two steps before, of which the last chord alone says nothing."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        places = random.integers(0, len(TRIADS), 2).tolist() * 12
        found.append([list(TRIADS[place]) for place in places])
    return found


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("music") / "made.json"
    path.write_text(json.dumps({"train": pieces(64, 0), "valid": pieces(8, 1), "test": pieces(8, 2)}))
    return path


@pytest.fixture(scope="module", params=["chords", "voices"])
def trained(
    request: pytest.FixtureRequest, music: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MusicModel]:
    task = MusicTask(MusicData((music,), notes=request.param), NET, TRAINING)
    model = MusicModel.create(task, tmp_path_factory.mktemp("runs") / request.param)
    model.fit(Listener())
    found = load(model.run.folder)
    assert isinstance(found, MusicModel)
    return found


def test_a_rule_over_two_steps_is_learnt(trained: MusicModel) -> None:
    found = trained.measure()
    nats = found.metrics["nats a step"]
    # Of 23 steps with one before them the first is drawn: ln 3 nats, and more where notes are independent of each
    # other. The rest follow from the rule.
    assert math.log(3) / 23 * 0.5 <= nats <= 0.35
    assert found.metrics["with the first step"] > nats
    assert found.metrics["note F1 %"] >= 0.95
    by_itself = next(metrics for name, metrics in found.others.items() if name.endswith("by itself"))
    assert by_itself["nats a step"] >= 1.0  # the chord before says which one it is not, at most
    assert found.lower
    assert found.counted == "8 pieces, 184 steps with one before them"
    assert trained.evaluate(trained.model)["held_out"] <= 0.35
    for title, result in found.pictures:
        assert result.verdict, title
        draw(result.plot)


def test_what_is_measured_is_what_a_stream_says(trained: MusicModel, tmp_path: Path) -> None:
    heard = [piece.nats for piece in trained.heard("test")]
    (tmp_path / "two.json").write_text(json.dumps({"test": pieces(2, 2)}))
    answers = list(trained.predict((tmp_path / "two.json",)))
    assert [answer.place for answer in answers[23:25]] == ["two.json test 1, step 24", "two.json test 2, step 1"]
    found = np.array([answer.nats for answer in answers]).reshape(2, 24)
    assert np.abs(found - np.stack(heard[:2])).max() <= 1e-3
    assert sorted(pitch for pitch, _ in answers[2].notes) in [sorted(triad) for triad in TRIADS]


def test_lines_are_answered_as_they_come(trained: MusicModel) -> None:
    def lines() -> Iterator[str]:
        yield "60 64 67\n"
        assert len(seen) == 1  # the answer came before the next line was asked for
        yield "60, 65, 69\n"
        yield "-\n" if trained.encoding.notes == "chords" else "59 62 67\n"
        yield "\n"
        yield "60 64 67\n"

    seen = []
    for answer in trained.follow(lines(), "a pipe"):
        seen.append(answer)
    assert [answer.place for answer in seen] == ["line 1", "line 2", "line 3", "line 5"]
    assert abs(seen[0].nats - seen[3].nats) <= 1e-6
    assert {pitch for pitch, _ in seen[1].notes} == {60, 64, 67}  # the first chord again, by the rule
    assert seen[1].text.startswith("line 2\t60 65 69\t")
    assert seen[1].as_dict()["notes"] == [60, 65, 69]
    for line, said in [("60 x", "got 'x'"), ("200", "got '200'")]:
        with pytest.raises(InputError, match=f"a pipe, line 1: {said}; expected"):
            list(trained.follow(iter([line]), "a pipe"))


def test_it_plays_by_the_rule(trained: MusicModel, tmp_path: Path) -> None:
    (tmp_path / "prime.mid").write_bytes(midi_bytes((TRIADS[0], TRIADS[2], TRIADS[1]), 1))
    found = trained.compose(9, tmp_path / "prime.mid", ChordSampling(temperature=0.0), prime_steps=2)
    order = [0, 2] * 5 + [0]
    assert [sorted(chord) for chord in found.chords] == [sorted(TRIADS[place]) for place in order]
    assert found.primed == 2
    (tmp_path / "piece.mid").write_bytes(found.midi())
    assert read_midi(tmp_path / "piece.mid", 1).chords == found.chords
    assert json.loads(found.json()) == [[list(chord) for chord in found.chords]]
    assert found.verdict.startswith("the piece: 11 steps, 3.00 notes at a time from B3 to G4. It plays 7 s.")
    draw(found.plot)


def test_the_same_seed_trains_the_same_net_and_keys_are_those_of_the_place(music: Path, tmp_path: Path) -> None:
    short = replace(TRAINING, steps=6, transpose=4, evaluate_every=6)
    net = replace(NET, hidden_size=8)
    whole = MusicModel.create(MusicTask(MusicData((music,)), net, short), tmp_path / "whole")
    whole.fit(Listener())
    halves = MusicModel.create(
        MusicTask(MusicData((music,)), net, replace(short, schedule="constant")), tmp_path / "two"
    )
    halves.task = replace(halves.task, training=replace(short, steps=3))
    again = MusicModel.create(MusicTask(MusicData((music,)), net, short), tmp_path / "again")
    again.fit(Listener())
    one, two = load(whole.run.folder).model.state_dict(), load(again.run.folder).model.state_dict()
    assert all(bool((one[name] == two[name]).all()) for name in one)
    batches = whole.batches(0, 1)
    for _ in range(4):
        batches.next()
    later = whole.batches(0, 1)
    later.load_state_dict(batches.state_dict())
    assert bool((later.next().targets == batches.next().targets).all())  # moved by as many semitones


def test_the_mlp_beside_it_knows_only_the_last_chord(music: Path, tmp_path: Path) -> None:
    task = MusicTask(MusicData((music,)), NET, replace(TRAINING, steps=60), baseline=True)
    model = MusicModel.create(task, tmp_path / "run")
    model.fit(Listener())
    mlp = model.mlp()
    assert isinstance(mlp, MusicModel)
    mlp.fit(Listener())
    found = MusicModel.open(Run.open(tmp_path / "run")).measure()
    assert found.others["mlp"]["nats a step"] >= 0.7
    with pytest.raises(InputError, match="an mlp, which remembers nothing"):
        next(iter(MusicModel.open(Run.open(tmp_path / "run" / "mlp")).follow(iter(["60"]), "a pipe")))


def test_the_command_line(cli: Cli, music: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = ("--hidden-size", 8, "--steps", 4, "--warmup", 1, "--threads", 1, "--transpose", 2, "--no-report")
    outcome = cli("train", "music", music, *words, "--out", folder)
    assert outcome.code == 0, outcome.err
    assert "64 pieces to train on, 8 held out, 8 to test on" in outcome.err
    assert "each note by itself" in outcome.out
    measured = json.loads(cli("eval", folder, "--json", "--part", "held-out").out)
    assert measured["part"] == "held out"
    outcome = cli("sample", folder, "--length", 5, "--count", 2, "--out", tmp_path / "a.mid", "--tempo", 90)
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith(f"{tmp_path / 'a-1.mid'}, with .png and .json beside it: the piece: 5 steps")
    for number in (1, 2):
        assert abs((read_midi(tmp_path / f"a-{number}.mid", 1).beats_per_minute or 0) - 90) <= 1e-3
        assert len(json.loads((tmp_path / f"a-{number}.json").read_text())[0]) == 5
        assert (tmp_path / f"a-{number}.png").read_bytes().startswith(b"\x89PNG")
    for option, value, said in [("--tempo", 1, "--tempo is 1.0"), ("--out", "a.wav", "expected a name that ends in")]:
        outcome = cli("sample", folder, option, value)
        assert outcome.code == 2
        assert said in outcome.err


def test_pictures_say_what_they_show() -> None:
    notes = np.zeros((4, 88), bool)
    notes[[0, 1, 3], 39] = True
    assert held(notes) == [(39, 0, 2), (39, 3, 4)]
    assert (name_of(60), name_of(21), name_of(108)) == ("C4", "A0", "C8")
    roll = PianoRoll(notes, np.full((4, 88), 0.25, np.float32), name="one")
    assert roll.verdict == (
        "one: 4 steps, 0.75 notes at a time from C4 to C4; notes that sound had been given 25% on average."
    )
    assert PianoRoll(np.zeros((4, 88), bool)).verdict == "a piece: 4 steps, no note sounds."
    draw(PianoRoll(np.zeros((4, 88), bool)).plot)
    found = NatsByPlace.of({"net": [np.arange(40.0), np.arange(3.0)]})
    assert len(found.nats["net"]) == PLACES
    assert found.verdict.startswith("net takes")
    assert sum(found.steps) == 41
