"""From sentences to arrays and back: what is learnt from training alone, what is held out, what is skipped."""

import json
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from peephole.data.sequences.store import open_part
from peephole.data.tagging.config import TaggingData
from peephole.data.tagging.encoding import TaggingEncoding
from peephole.data.tagging.preparing import prepare
from peephole.data.tagging.sentences import Sentence
from peephole.data.tagging.spans import ALL, are_spans, span_scores
from peephole.data.tagging.splitting import held_out_digests
from peephole.errors import InputError


def sentence(text: str, labels: str = "") -> Sentence:
    words = tuple(text.split())
    given = tuple(labels.split()) or ("X",) * len(words)
    return Sentence(words, given, Path("made.txt"), tuple(range(1, len(words) + 1)))


def write(path: Path, *sentences: str) -> Path:
    """Each as `word/label word/label`."""
    lines = ("".join(pair.replace("/", "\t") + "\n" for pair in text.split()) for text in sentences)
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def encoding() -> TaggingEncoding:
    sentences = [sentence("The cat sees the dog", "D N V D N"), sentence("the cat sat", "D N V")]
    return TaggingEncoding.learn(sentences, TaggingData(longest_word=4))


def test_what_is_learnt(encoding: TaggingEncoding) -> None:
    assert encoding.words == ("the", "cat", "dog", "sat", "sees")
    assert encoding.frequent == 2
    assert encoding.labels == ("D", "N", "V")
    assert encoding.longest_word == 4
    assert "d" not in encoding.characters  # seen once
    assert encoding.characters[:2] == ("e", "t")


def test_words_to_numbers(encoding: TaggingEncoding) -> None:
    spelled = {character: number for number, character in enumerate(encoding.characters, 2)}
    found = encoding.inputs(["The", "cat", "sleepy", "é"])
    assert found.shape == (4, 1 + 4)
    assert found[:, 0].tolist() == [1, 2, 0, 0]
    assert found[0, 1:].tolist() == [spelled.get("T", 1), spelled["h"], spelled["e"], 0]
    assert found[2, 1:].tolist() == [spelled["s"], spelled.get("l", 1), 1, 1]  # the first two and the last two
    assert found[3, 1:].tolist() == [1, 0, 0, 0]
    assert encoding.inputs([]).shape == (0, 5)


def test_labels_there_and_back(encoding: TaggingEncoding) -> None:
    numbers = encoding.targets(sentence("a b", "V D"))
    assert encoding.names(numbers) == ["V", "D"]
    with pytest.raises(InputError, match=r"made\.txt, line 2: the label 'Z' is not in the training files") as caught:
        encoding.targets(sentence("a b", "V Z"))
    assert "--skip" in str(caught.value)


def test_it_comes_back_from_a_file(encoding: TaggingEncoding) -> None:
    again = TaggingEncoding.from_dict(json.loads(json.dumps(encoding.as_dict())))
    assert again == encoding
    assert np.array_equal(again.inputs(["The", "dogs"]), encoding.inputs(["The", "dogs"]))


def test_capitals_count_where_asked() -> None:
    learnt = TaggingEncoding.learn([sentence("The the")], TaggingData(lower=False))
    assert learnt.words == ("The", "the")
    assert learnt.word_id("THE") == 0


def test_the_same_words_land_on_the_same_side_and_every_label_stays_in_training() -> None:
    sentences = [sentence(f"word{number % 40}", "A" if number else "RARE") for number in range(200)]
    chosen = held_out_digests(sentences, 0.1)
    assert 20 <= sum(one.digest in chosen for one in sentences) <= 25  # five alike at a time
    assert sentences[0].digest not in chosen
    assert held_out_digests(sentences[::-1], 0.1) == chosen


@pytest.mark.parametrize("sentences", [[sentence("a")] * 5, [sentence("a", "A"), sentence("b", "B")]])
def test_nothing_can_be_held_out(sentences: list[Sentence]) -> None:
    with pytest.raises(InputError, match=r"none of \d sentences can be held out"):
        held_out_digests(sentences, 0.5)


def test_parts_on_disk(tmp_path: Path) -> None:
    data = TaggingData(
        files=(write(tmp_path / "train.txt", "a/A b/B", "c/B", "d/A e/A f/A"),),
        held_out=(write(tmp_path / "dev.txt", "a/A z/B"),),
        test=(write(tmp_path / "test.txt", "b/B"),),
    )
    encoding = prepare(data, tmp_path / "data")
    train = open_part(tmp_path / "data" / "train")
    assert train.lengths.tolist() == [2, 1, 3]
    inputs, targets = train.sequence(0)
    assert np.array_equal(inputs, encoding.inputs(["a", "b"]))
    assert encoding.names(targets.astype(np.int64)) == ["A", "B"]
    said = json.loads((tmp_path / "data" / "sentences.json").read_bytes())
    assert {part: found["sentences"] for part, found in said.items()} == {"train": 3, "held_out": 1, "test": 1}
    assert said["held_out"]["unknown words"] == 1


def test_a_share_is_held_out_without_a_file(tmp_path: Path) -> None:
    made = write(tmp_path / "train.txt", *(f"w{number}/A" for number in range(50)))
    prepare(TaggingData(files=(made,)), tmp_path / "data")
    assert len(open_part(tmp_path / "data" / "train")) == 45
    assert len(open_part(tmp_path / "data" / "held_out")) == 5


def refused(folder: Path, **files: Any) -> str:
    given = {
        name: value if name == "skip" else (write(folder / f"{name}.txt", *value),) for name, value in files.items()
    }
    with pytest.raises(InputError) as caught:
        prepare(TaggingData(**given), folder / "data")
    return str(caught.value)


def test_an_unknown_label_is_refused_with_its_line(tmp_path: Path) -> None:
    said = refused(tmp_path, files=["a/A", "b/A"], test=["a/A", "a/A b/NEW"])
    assert "test.txt, line 4: the label 'NEW' is not in the training files; expected A" in said


def test_or_left_out_counted_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    train, test = write(tmp_path / "train.txt", "a/A", "b/A"), write(tmp_path / "test.txt", "a/A", "a/A b/NEW")
    with caplog.at_level(logging.WARNING):
        prepare(TaggingData(files=(train,), test=(test,), skip=True), tmp_path / "data")
    assert "1 sentences of test skipped" in caplog.text
    assert len(open_part(tmp_path / "data" / "test")) == 1
    said = json.loads((tmp_path / "data" / "sentences.json").read_bytes())
    assert "line 4: the label 'NEW'" in said["test"]["skipped"][0]


def test_a_part_of_which_nothing_is_left(tmp_path: Path) -> None:
    assert "no sentence left" in refused(tmp_path, files=["a/A", "b/A"], test=["a/X"], skip=True)


def test_no_files() -> None:
    with pytest.raises(InputError, match="no file to learn from"):
        prepare(TaggingData(), Path("nowhere"))


def test_what_spells_spans() -> None:
    assert are_spans(["O", "B-A", "I-A"])
    assert are_spans(["S-A", "L-B"])
    assert not are_spans(["O"])
    assert not are_spans(["O", "NOUN"])
    assert not are_spans(["B-A", "NOUN"])


def test_scores_of_spans_by_hand() -> None:
    right = [["B-A", "I-A", "O", "B-B"], ["O", "B-A"]]
    answers = [["B-A", "I-A", "O", "B-A"], ["B-A", "O"]]
    found = span_scores(right, answers)
    assert (found[ALL].precision, found[ALL].recall, found[ALL].spans) == (1 / 3, 1 / 3, 3)
    assert (found["A"].precision, found["A"].recall, found["A"].spans) == (1 / 3, 1 / 2, 2)
    assert found["B"].f1 == 0.0
    half = span_scores([["B-A", "E-A", "S-B"]], [["B-A", "I-A", "S-B"]])  # a span without its end is none
    assert (half[ALL].precision, half[ALL].recall) == (1.0, 0.5)
    assert span_scores([["O"]], [["O"]])[ALL].spans == 0
    assert Counter(span_scores([["O"]], [["B-A"]])[ALL].__dict__.values())[0] == 4
