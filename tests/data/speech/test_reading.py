"""Tables and folders of recordings: what is read, what is left out and named, what is refused."""

import re
from pathlib import Path

import numpy as np
import pytest

from peephole.data.speech.config import SpeechData
from peephole.data.speech.reading import utterances
from peephole.data.speech.utterance import Skipped, Utterance
from peephole.errors import InputError

soundfile = pytest.importorskip("soundfile")


def recording(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(800, np.float32), 8000)
    return path


def read(path: Path, **changes: object) -> tuple[list[Utterance], list[Skipped]]:
    skipped: list[Skipped] = []
    return list(utterances([path], SpeechData(**changes), skipped)), skipped  # pyright: ignore[reportArgumentType]


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_table_with_and_without_a_header(tmp_path: Path) -> None:
    for name in ("one", "two"):
        recording(tmp_path / "sound" / f"{name}.wav")
    plain = written(tmp_path / "plain.tsv", "sound/one.wav\tOne  Word\n\nsound/two.wav\ttwo words\n")
    found, skipped = read(plain)
    assert [(one.path.name, one.transcript, one.speaker) for one in found] == [
        ("one.wav", "one word", None),
        ("two.wav", "two words", None),
    ]
    assert not skipped
    assert found[1].place == f"{plain}, line 3"
    head = "Path\tTranscript\tspeaker\n"
    named = written(tmp_path / "named.tsv", head + "sound/one.wav\tOne\tanna\nsound/two.wav\ttwo\tben\n")
    assert [(one.transcript, one.speaker) for one in read(named, lower=False)[0]] == [("One", "anna"), ("two", "ben")]
    found, _ = read(plain, speaker=r"/([a-z])[a-z]+\.wav")
    assert [one.speaker for one in found] == ["o", "t"]


def test_the_layout_of_librispeech(tmp_path: Path) -> None:
    for name in ("84-121-0000.flac", "84-121-0001.wav", "84-121-0009.flac"):
        recording(tmp_path / "84" / "121" / name)
    text = "84-121-0000 GO DO\n84-121-0001 WHERE TO\n84-121-0002 NOBODY SAYS THIS\n84-121-0003\n"
    table = written(tmp_path / "84" / "121" / "84-121.trans.txt", text)
    found, skipped = read(tmp_path)
    assert [(one.path.name, one.transcript, one.speaker) for one in found] == [
        ("84-121-0000.flac", "go do", "84"),
        ("84-121-0001.wav", "where to", "84"),
    ]
    assert {(one.name, one.reason) for one in skipped} == {
        (f"{table}, line 3", "no recording 84-121-0002 beside it"),
        (f"{table}, line 4", "no recording 84-121-0003 beside it"),
        (str(tmp_path / "84" / "121" / "84-121-0009.flac"), "no transcript"),
    }


def test_empty_transcripts_are_named(tmp_path: Path) -> None:
    recording(tmp_path / "a.wav")
    found, skipped = read(written(tmp_path / "t.tsv", "a.wav\t \na.wav\tword\n"))
    assert len(found) == 1
    assert skipped == [Skipped(f"{tmp_path / 't.tsv'}, line 1", "an empty transcript")]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a.wav\n", "t.tsv, line 1: got 'a.wav'; expected a recording, a tab and what is said in it; mend the line"),
        ("a.wav\tone\n\ttwo\n", "t.tsv, line 2: got '\\ttwo'; expected a recording"),
        ("a.wav\tone\ngone.wav\ttwo\n", "t.tsv, line 2: no recording gone.wav; expected one there, or a path from"),
        ("path\ttranscript\n", "t.tsv: no line in it; expected a recording"),
    ],
)
def test_tables_that_are_refused(tmp_path: Path, text: str, complaint: str) -> None:
    recording(tmp_path / "a.wav")
    with pytest.raises(InputError, match=re.escape(complaint)):
        read(written(tmp_path / "t.tsv", text))


def test_paths_that_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere: not there; expected a table of recordings"):
        read(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"a\.wav: a recording without a transcript"):
        read(recording(tmp_path / "a.wav"))
    with pytest.raises(InputError, match=r"no \*\.trans\.txt in it; expected LibriSpeech's layout"):
        read(tmp_path)
    assert read(written(tmp_path / "t.tsv", "a.wav\tword\n"), speaker="x(y)")[0][0].speaker is None
    (tmp_path / "latin.tsv").write_bytes("a.wav\tübung\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"latin\.tsv"):
        read(tmp_path / "latin.tsv")
    assert read(tmp_path / "latin.tsv", encoding="latin-1")[0][0].transcript == "übung"


@pytest.mark.parametrize(
    "changes",
    [
        {"held_out_share": 1.0}, {"bands": 0}, {"stack": 0}, {"rate": -1}, {"hop_milliseconds": 0.0},
        {"speaker": "("}, {"speaker": "abc"}, {"min_count": 0}, {"vocabulary": 0},
    ],
)  # fmt: skip
def test_settings_out_of_range(changes: dict[str, object]) -> None:
    (name,) = changes
    with pytest.raises(InputError, match=f"--{name.replace('_', '-')} is .*expected"):
        SpeechData(**changes)  # pyright: ignore[reportArgumentType]
