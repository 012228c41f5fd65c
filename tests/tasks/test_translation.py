"""Translation: a small language whose translations are known, from files to scores and answers."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from peephole.data.translation.config import TranslationData
from peephole.errors import InputError
from peephole.runs.folder import Run
from peephole.tasks import load
from peephole.tasks.translation.answering import Answering
from peephole.tasks.translation.model import TranslationModel
from peephole.tasks.translation.settings import (
    TranslationDecoding,
    TranslationNet,
    TranslationTask,
    TranslationTraining,
)

from ..killing import Killed, Killer

NOUNS = {"hund": "dog", "katze": "cat", "frau": "woman", "mann": "man", "kind": "child", "vogel": "bird"}
VERBS = {"sieht": "sees", "ruft": "calls", "findet": "finds", "jagt": "hunts"}
KINDS = {"klein": "small", "alt": "old", "rot": "red", "müde": "tired"}


def thing(random: np.random.Generator) -> tuple[list[str], list[str]]:
    """A noun with some words about it, which stand after it in one language and before it in the other."""
    noun = str(random.choice(list(NOUNS)))
    kinds = random.choice(list(KINDS), random.integers(0, 3), replace=False).tolist()
    return [noun, *kinds], ["the", *(KINDS[kind] for kind in kinds[::-1]), NOUNS[noun]]


def pair(random: np.random.Generator) -> tuple[str, str]:
    """Who does what to whom: the verb at the end, or between the two."""
    (who, who_target), (whom, whom_target) = thing(random), thing(random)
    verb = str(random.choice(list(VERBS)))
    return " ".join([*who, *whom, verb]), " ".join([*who_target, VERBS[verb], *whom_target])


def write(folder: Path, name: str, count: int, seed: int) -> tuple[Path, Path]:
    random = np.random.default_rng(seed)
    made = [pair(random) for _ in range(count)]
    paths = folder / f"{name}.de", folder / f"{name}.en"
    for side, path in enumerate(paths):
        path.write_text("".join(f"{one[side]}\n" for one in made), encoding="utf-8")
    return paths


def train(folder: Path, **net: Any) -> TranslationModel:
    train, dev, test = (write(folder, name, count, seed) for seed, (name, count) in
                        enumerate({"train": 400, "dev": 50, "test": 100}.items()))  # fmt: skip
    config = TranslationNet(**{"hidden_size": 48, "embedding_size": 32, "dropout": 0.1, "input_dropout": 0.0, **net})
    training = TranslationTraining(
        epochs=None, steps=150, batch_size=32, learning_rate=1e-2, warmup=10, average=0.9, watch=0, evaluate_every=50
    )
    data = TranslationData(files=train, held_out=dev, test=test, tokens="words")
    model = TranslationModel.create(TranslationTask(data, config, training), folder / "run")
    assert isinstance(model, TranslationModel)
    model.fit()
    return model


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TranslationModel:
    """A run with attention."""
    return train(tmp_path_factory.mktemp("translation"))


def test_sentences_that_it_never_saw(trained: TranslationModel) -> None:
    found = trained.measure()
    assert found.part == "test"
    assert next(iter(found.metrics)) == "BLEU"
    assert found.metrics["BLEU"] >= 95
    assert found.metrics["chrF"] >= 95
    assert found.metrics["perplexity"] <= 1.3
    assert found.others["word by word"]["BLEU"] <= 40
    assert found.others["sentence itself"]["BLEU"] <= 5
    assert "tok:none" in found.notes[0]
    assert "±" in found.notes[0]
    assert sum(int(row[-1]) for row in found.tables[0].rows) == 100


def test_what_is_kept_is_best_by_bleu(trained: TranslationModel) -> None:
    measured = [row for row in trained.run.read_history() if "judged" in row]
    assert all(row["judged"] == pytest.approx(1 - row["bleu"] / 100) for row in measured)
    best = min(row["judged"] for row in measured)
    trained.decoding = TranslationDecoding(beams=1, bootstrap=0)
    assert trained.scores("held_out").metrics["BLEU"] == pytest.approx(100 * (1 - best), abs=1e-6)
    trained.decoding = TranslationDecoding()


def test_an_answer_does_not_depend_on_those_beside_it(trained: TranslationModel) -> None:
    texts = ["katze ruft", "", "frau alt rot hund klein sieht", "vogel müde kind findet"]
    answering = Answering(trained.model, trained.encoding, TranslationDecoding())
    together = [answer.best for answer in answering.answers(texts)]
    alone = [answer.best for answer in answering.answers(texts, together=1)]
    assert together == alone
    assert together[1] == ""
    assert together[2:] == ["the red old woman sees the small dog", "the tired bird finds the child"]


def test_answers_as_text_and_as_json(trained: TranslationModel) -> None:
    decoding = TranslationDecoding(best=2)
    (answer,) = Answering(trained.model, trained.encoding, decoding).answers(["hund alt katze jagt"])
    found = json.loads(json.dumps(answer.as_dict()))
    assert found["translation"] == "the old dog hunts the cat"
    assert found["source_tokens"] == ["hund", "alt", "katze", "jagt", "<end>"]
    first, second = found["candidates"]
    assert first["score"] >= second["score"]
    assert first["ended"]
    assert first["tokens"][-1] == "<end>"
    attention = np.asarray(first["attention"])
    assert all(len(str(weight)) <= 6 for row in first["attention"] for weight in row)
    assert attention.shape == (7, 5)
    assert np.allclose(attention.sum(1), 1, atol=1e-3)
    lines = answer.text.split("\n")
    assert len(lines) == 2
    assert lines[0] == f"{answer.candidates[0].score:.4f}\tthe old dog hunts the cat"


def test_what_it_cannot_know_is_said(trained: TranslationModel) -> None:
    long = "hund " + "alt rot klein müde " * 4 + "katze jagt"
    known, unknown, longer = Answering(trained.model, trained.encoding, TranslationDecoding(unknown="source")).answers(
        ["hund katze jagt", "rex katze jagt", long]
    )
    assert known.notes == ()
    assert known.text == "the dog hunts the cat"
    assert unknown.notes == ("unknown in the sentence: rex",)
    assert "\n" not in unknown.text  # notes stand beside it
    assert "unknown in" not in unknown.text
    assert any("a sentence of 19 tokens; the longest of training has" in note for note in longer.notes)


def test_a_sentence_without_bound_is_cut_and_this_is_said_before(
    trained: TranslationModel, caplog: pytest.LogCaptureFixture
) -> None:
    answering = Answering(trained.model, trained.encoding, TranslationDecoding(beams=1))
    with caplog.at_level(logging.WARNING, logger="peephole"):
        (answer,) = answering.answers(["hund " * 3000])
    most = trained.encoding.most
    assert most == 100  # four times the longest of training are fewer
    assert f"a sentence of 3000 tokens: the first {most} alone" in caplog.text
    assert f"a sentence of 3000 tokens, of which it read {most}; the longest of training has 7" in answer.notes
    assert len(answer.source) == most + 1
    assert len(answer.candidates[0].tokens) <= 2 * (most + 1) + 10


def test_a_part_that_is_not_there_and_attention_that_is_not(trained: TranslationModel, tmp_path: Path) -> None:
    data = TranslationData(files=write(tmp_path, "train", 40, 0), tokens="words")
    net = TranslationNet(hidden_size=4, embedding_size=4, attention="none")
    model = TranslationModel.create(
        TranslationTask(data, net, TranslationTraining(steps=1, epochs=None)), tmp_path / "run"
    )
    with pytest.raises(InputError, match="has no test part; its data has train, held-out"):
        model.measure("test")
    model.decoding = TranslationDecoding(unknown="source")
    for ask in (model.measure, lambda: list(model.follow(iter(["hund"]), "standard input"))):
        with pytest.raises(InputError, match="--unknown source takes what attention looked at"):
            ask()


def test_what_the_numbers_of_training_are_is_said(trained: TranslationModel) -> None:
    assert any("smoothed targets (--label-smoothing 0.1)" in line for line in trained.describe())


def test_a_decoder_that_never_ends_is_stopped(trained: TranslationModel) -> None:
    kept = trained.model.decoder.head.bias.detach().clone()
    try:
        trained.model.decoder.head.bias.data[0] = -1e6
        (answer,) = Answering(trained.model, trained.encoding, TranslationDecoding()).answers(["hund katze jagt"])
        assert answer.notes == ("stopped after 18 tokens: it did not end by itself",)  # 2 · 4 + 10
        assert not answer.candidates[0].ended
        notes = trained.scores("test").notes
        assert "100 translations did not end and had to be stopped" in notes
    finally:
        trained.model.decoder.head.bias.data.copy_(kept)


def test_unknown_tokens_are_marked_avoided_or_taken_from_the_sentence(trained: TranslationModel) -> None:
    kept = trained.model.decoder.head.bias.detach().clone()
    try:
        trained.model.decoder.head.bias.data[1] = 1e3  # says nothing else
        said = {}
        for unknown in ("mark", "source", "avoid"):
            decoding = TranslationDecoding(unknown=unknown, beams=1)
            (answer,) = Answering(trained.model, trained.encoding, decoding).answers(["hund katze jagt"])
            said[unknown] = answer.best
    finally:
        trained.model.decoder.head.bias.data.copy_(kept)
    assert set(said["mark"].split()) == {"<unk>"}
    assert set(said["source"].split()) <= {"hund", "katze", "jagt"}
    assert said["avoid"] == "the dog hunts the cat"


def test_files_and_lines(trained: TranslationModel, tmp_path: Path) -> None:
    (tmp_path / "asked.txt").write_text("katze ruft\r\n\nhund katze jagt\n", encoding="utf-8")
    (tmp_path / "asked.tsv").write_text("hund katze jagt\twhatever\n", encoding="utf-8")
    found = [answer.text for answer in trained.predict([tmp_path / "asked.txt", tmp_path / "asked.tsv"])]
    assert len(found) == 4
    assert found[1] == ""
    assert found[2] == found[3] == "the dog hunts the cat"
    asked: list[str] = []

    def lines() -> Any:
        for line in ("hund katze jagt\n", "katze hund ruft\n"):
            asked.append(line)
            yield line

    answers = trained.follow(lines(), "standard input")
    assert next(answers).best == "the dog hunts the cat"
    assert len(asked) == 1  # at once, before the next line comes


def test_a_run_is_opened_as_it_was_kept(trained: TranslationModel) -> None:
    opened = load(trained.run.folder)
    assert isinstance(opened, TranslationModel)
    assert opened.task == trained.task
    assert opened.encoding == trained.encoding
    assert "word" in " ".join(opened.describe())
    assert opened.scores("test").metrics == pytest.approx(trained.scores("test").metrics)


def test_killed_and_resumed_equals_never_killed(tmp_path: Path, kept: Callable[[Path], dict[str, object]]) -> None:
    """With draws of its own words, dropout and an average, all of which have to go on where they were."""
    files = write(tmp_path, "train", 60, 0)
    net = TranslationNet(hidden_size=8, embedding_size=8)
    training = TranslationTraining(
        epochs=None, steps=6, batch_size=16, watch=0, checkpoint_seconds=0.0, sampling=0.5, sampling_passes=1.0
    )
    task = TranslationTask(TranslationData(files=files, tokens="words"), net, training)
    TranslationModel.create(task, tmp_path / "whole").fit()
    model = TranslationModel.create(task, tmp_path / "killed")
    with pytest.raises(Killed):
        model.fit(Killer(4))
    torch.manual_seed(4)  # a new process begins with other random numbers
    TranslationModel.resume(Run.open(tmp_path / "killed")).fit()
    assert kept(tmp_path / "killed") == kept(tmp_path / "whole")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"bootstrap": 1}, "--bootstrap is 1; expected 20 draws or more, or 0"),
        ({"beams": 0}, "--beams is 0"),
        ({"best": 6}, "--best is 6; expected at most the 5 of --beams"),
        ({"length_power": -1.0}, "--length-power is -1.0"),
        ({"longest_ratio": 0.0}, "--longest-ratio is 0.0"),
        ({"bootstrap": -1}, "--bootstrap is -1"),
    ],
)
def test_settings_outside_their_range(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        TranslationDecoding(**options)
