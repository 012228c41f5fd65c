"""Tagging: small languages whose rules are known, from files to scores and answers."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from peephole.data.tagging.config import TaggingData
from peephole.errors import InputError
from peephole.tasks import load
from peephole.tasks.tagging.answer import SentenceEnd, TaggedSentence, TaggedWord
from peephole.tasks.tagging.answering import answered
from peephole.tasks.tagging.items import read_lines, sentences
from peephole.tasks.tagging.model import TaggingModel
from peephole.tasks.tagging.most_frequent import MostFrequent
from peephole.tasks.tagging.settings import TaggingNet, TaggingTask, TaggingTraining

TITLES, VERBS, PLACES = ("Mr", "Ms", "Dr"), ("met", "saw", "left"), ("Rome", "Oslo", "Bern")


def with_names(random: np.random.Generator) -> list[tuple[str, str]]:
    """Someone with a title did something to a thing or to someone, perhaps in a place; names are made up as it goes.

    A thing has a capital as a name does, so that only the title before it tells them apart.
    """

    def name() -> str:
        return "".join(random.choice(list("abdefiklmnorst"), 5)).capitalize()

    def someone() -> list[tuple[str, str]]:
        last = [(name(), "I-PERSON")] if random.random() < 0.5 else []
        return [(str(random.choice(TITLES)), "O"), (name(), "B-PERSON"), *last]

    thing = [("the", "O"), (name(), "O")]
    place = [("in", "O"), (str(random.choice(PLACES)), "B-PLACE")] if random.random() < 0.5 else []
    whom = someone() if random.random() < 0.5 else thing
    return [*someone(), (str(random.choice(VERBS)), "O"), *whom, *place, (".", "O")]


def by_the_next(random: np.random.Generator) -> list[tuple[str, str]]:
    """Words whose label is what kind of letter the next word begins with: it cannot be known from what came before."""
    words = random.choice(["ano", "eka", "ilu", "bor", "dag", "fen"], random.integers(3, 9)).tolist()
    following = [*words[1:], "."]
    kinds = ["VOWEL" if word[0] in "aei" else "CONSONANT" if word != "." else "END" for word in following]
    return list(zip(words, kinds, strict=True))


Grammar = Callable[[np.random.Generator], list[tuple[str, str]]]


def write(path: Path, grammar: Grammar, count: int, seed: int) -> Path:
    random = np.random.default_rng(seed)
    made = ["".join(f"{word}\t{label}\n" for word, label in grammar(random)) for _ in range(count)]
    path.write_text("\n".join(made), encoding="utf-8")
    return path


def train(folder: Path, grammar: Grammar, steps: int, directions: Any = "both") -> TaggingModel:
    files = [write(folder / f"{name}.txt", grammar, count, seed) for seed, (name, count) in
             enumerate({"train": 300, "dev": 50, "test": 100}.items())]  # fmt: skip
    net = TaggingNet(hidden_size=32, embedding_size=16, character_size=8, character_hidden=16, directions=directions,
                     dropout=0.1, input_dropout=0.1)  # fmt: skip
    training = TaggingTraining(
        epochs=None, steps=steps, batch_size=16, learning_rate=1e-2, warmup=10, average=0.9, watch=0
    )
    data = TaggingData(files=(files[0],), held_out=(files[1],), test=(files[2],))
    model = TaggingModel.create(TaggingTask(data, net, training), folder / "run")
    model.fit()
    return model


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> TaggingModel:
    """A run that finds people and places."""
    return train(tmp_path_factory.mktemp("names"), with_names, 80)


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> TaggingModel:
    """A run that reads from the beginning alone."""
    return train(tmp_path_factory.mktemp("stream"), by_the_next, 40, "one")


def test_names_that_it_never_saw(names: TaggingModel) -> None:
    found = names.measure()
    assert next(iter(found.metrics)) == "span F1 %"
    assert found.metrics["span F1 %"] >= 0.95
    assert found.metrics["unknown words %"] >= 0.95
    assert found.others["most frequent label"]["span F1 %"] <= 0.6
    assert found.part == "test"
    assert found.verdict.startswith("test: ")
    assert [row[0] for row in found.tables[0].rows] == ["all", "PERSON", "PLACE"]
    assert [row[0] for row in found.tables[1].rows] == ["B-PERSON", "B-PLACE", "I-PERSON", "O"]


def test_what_is_kept_is_best_by_spans(names: TaggingModel) -> None:
    measured = [row for row in names.run.read_history() if "judged" in row]
    best = min(row["judged"] for row in measured)
    assert all(row["judged"] == 1 - row["span_f1"] for row in measured)
    assert 1 - names.measure("held_out").metrics["span F1 %"] == pytest.approx(best, abs=1e-9)


def test_what_depends_on_the_next_word_takes_both_directions(tmp_path: Path, stream: TaggingModel) -> None:
    both = train(tmp_path, by_the_next, 150)
    assert both.measure().metrics["accuracy %"] >= 0.98
    assert stream.measure().metrics["accuracy %"] <= 0.6  # a guess between two kinds, and no end in sight


def test_a_stream_is_answered_word_by_word_as_the_sentence_is(stream: TaggingModel) -> None:
    asked = []

    def lines() -> Any:
        for line in ["ano\n", "bor\n", "new\n", "\n", "eka\n", "fen ilu\n"]:
            asked.append(line)
            yield line

    answers = stream.follow(lines(), "a test")
    first = next(answers)
    assert isinstance(first, TaggedWord)
    assert asked == ["ano\n"]
    whole = [first, *answers]
    ends = [answer.words for answer in whole if isinstance(answer, SentenceEnd)]
    assert ends == [3, 1]
    wanted = list(answered(stream.model, stream.encoding, [("ano", "bor", "new"), ("eka",), ("fen", "ilu")]))
    got = [answer for answer in whole if isinstance(answer, TaggedWord)]
    assert all(isinstance(answer, TaggedSentence) for answer in wanted)
    for answer, want in zip(got, [*wanted[0].words, *wanted[1].words], strict=True):
        assert (answer.word, answer.label) == (want.word, want.label)
        assert abs(answer.confidence - want.confidence) <= 1e-4
    assert isinstance(whole[-1], TaggedSentence)
    assert [word.label for word in whole[-1].words] == [word.label for word in wanted[2].words]


def test_answers_on_the_command_line(names: TaggingModel, tmp_path: Path, cli: Callable[..., Any]) -> None:
    run = names.run.folder
    text = "Dr Solba met Mr Kufi Nordo in Rome .\n\nthe\nFitun\n"
    outcome = cli("predict", run, "-", stdin=text.encode())
    first, second = outcome.out.strip().split("\n\n")
    assert [line.split("\t")[:2] for line in first.splitlines()[:2]] == [["Dr", "O"], ["Solba", "B-PERSON"]]
    assert [line.split("\t")[1] for line in second.splitlines()] == ["O", "O"]
    (tmp_path / "asked.txt").write_text(text)
    found = [json.loads(line) for line in cli("predict", run, tmp_path / "asked.txt", "--json").out.splitlines()]
    assert found[0]["words"][1] == "Solba"
    assert found[0]["labels"][1] == "B-PERSON"
    assert all(0.25 < confidence <= 1 for confidence in found[0]["confidences"])
    assert len(found) == 2


def test_it_is_measured_on_the_command_line(names: TaggingModel, tmp_path: Path, cli: Callable[..., Any]) -> None:
    outcome = cli("eval", names.run.folder, "--json", "--out", tmp_path / "figures")
    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out)
    assert found["metrics"]["span F1 %"] == names.measure().metrics["span F1 %"]
    assert "answers are" in found["verdicts"]["Confusion"]
    assert {path.name for path in (tmp_path / "figures").iterdir()} >= {"confusion.png", "reliability.png"}


def test_an_unknown_label_leaves_no_run(tmp_path: Path, cli: Callable[..., Any]) -> None:
    (tmp_path / "train.txt").write_text("a A\n\nb B\n\nc A\n")
    (tmp_path / "test.txt").write_text("a A\nb C\n")
    words = ["train", "tagging", tmp_path / "train.txt", "--held-out", tmp_path / "train.txt", "--test"]
    outcome = cli(*words, tmp_path / "test.txt", "--out", tmp_path / "run", "--steps", 1)
    assert "test.txt, line 2: the label 'C' is not in the training files" in outcome.refusal
    assert not (tmp_path / "run").exists()


def test_small_data_gets_enough_steps() -> None:
    assert TaggingTraining().budget_steps(10) == 1500
    assert TaggingTraining().budget_steps(400) == 4800
    assert TaggingTraining(epochs=2.0, fewest_steps=0).budget_steps(10) == 20
    assert TaggingTraining(epochs=None, steps=7).budget_steps(10) == 7
    assert TaggingTraining(epochs=None, minutes=1.0).budget_steps(10) is None
    with pytest.raises(InputError, match="--fewest-steps"):
        TaggingTraining(fewest_steps=-1)


def test_rare_labels_can_count_as_much(names: TaggingModel) -> None:
    balanced = TaggingModel.resume(names.run)
    balanced.task = replace(balanced.task, training=replace(balanced.task.training, class_weights="balanced"))
    _, batch, outputs = next(balanced.outputs(balanced.model, "held_out"))
    counts = np.bincount(balanced.part("train").targets)
    counted = (counts.sum() / len(counts) / counts)[batch.targets.numpy()]
    surprisals = -outputs.log_softmax(-1).gather(-1, batch.targets[..., None])[..., 0].numpy()
    wanted = float((counted * surprisals * batch.weights.numpy()).sum())
    assert abs(float(balanced.divergence(outputs, batch)) - wanted) <= 1e-4 * wanted
    assert float(names.divergence(outputs, batch)) != wanted


def test_the_most_frequent_label() -> None:
    found = MostFrequent.learn(np.array([1, 1, 1, 2, 5, 5]), np.array([0, 2, 2, 1, 1, 0]), 3)
    assert found.answer(np.array([1, 2, 5, 0, 9])).tolist() == [2, 1, 0, 0, 0]  # of equals the first


def test_what_lines_bring() -> None:
    conllu = ["# text = a b", "1-2\tab" + "\t_" * 8, "1\ta" + "\t_" * 8, "1.1\tx" + "\t_" * 8, "2\tb" + "\t_" * 8, ""]
    plain = ["# of things", "a", "b", "c d", "", "", "1\tOne word\tX"]
    assert list(sentences(read_lines(conllu, 1, "made"))) == [("a", "b")]
    assert list(sentences(read_lines(plain, 2, "made"))) == [
        ("#", "of", "things"),
        ("a", "b"),
        ("c", "d"),
        ("One word",),
    ]
    with pytest.raises(InputError, match="made, line 2: no word in column 3"):
        list(read_lines(["a", "b\tc"], 3, "made"))


@pytest.mark.parametrize("options", [{"word_dropout": 1.0}, {"character_hidden": 0}, {"character_size": 0}])
def test_nets_that_cannot_be(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(options)).replace("_", "-")):
        TaggingNet(**options)


def test_it_opens_again(names: TaggingModel) -> None:
    again = load(names.run.folder)
    assert isinstance(again, TaggingModel)
    assert again.measure().metrics == names.measure().metrics
    assert any("labels of spans" in line for line in again.describe())
