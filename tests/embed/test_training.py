"""Learning vectors of words: what they come to say, the loss of an epoch, and going on after a kill."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from peephole._native import instructions
from peephole.embed.corpus.config import CorpusConfig
from peephole.embed.corpus.preparing import Corpus, prepare
from peephole.embed.learning import training as loop
from peephole.embed.learning.config import EmbedConfig
from peephole.embed.learning.run import EmbedRun, read_vectors_of
from peephole.embed.learning.stretches import PART, part_starts
from peephole.embed.learning.training import Trained, first_vectors, train, word_settings
from peephole.errors import InputError
from peephole.reference.word_vectors import learn as by_equations
from peephole.word_operands import END, Stretch

from .texts import SEAS, two_topics

SMALL = EmbedConfig(size=12, epochs=3, sample=0.0, threads=1, learning_rate=0.05, seed=3)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return prepare(CorpusConfig((two_topics(tmp_path / "text.txt"),), min_count=1), tmp_path / "corpus")


def losses(found: Trained) -> list[float]:
    return [one.loss for one in found.epochs]


@pytest.mark.parametrize("softmax", ["negative", "hierarchical"])
@pytest.mark.parametrize("kind", ["skipgram", "cbow"])
def test_words_of_a_topic_come_to_lie_together(corpus: Corpus, kind: Any, softmax: Any) -> None:
    config = replace(SMALL, kind=kind, softmax=softmax, epochs=15, learning_rate=0.1)
    found = train(corpus, config)
    assert losses(found)[-1] < losses(found)[0] - 0.05
    nearest = [one.word for one in found.vectors.nearest(SEAS[0], len(SEAS) - 1)]
    assert set(nearest) == set(SEAS[1:])


@pytest.mark.parametrize("softmax", ["negative", "hierarchical"])
@pytest.mark.parametrize("kind", ["skipgram", "cbow"])
def test_the_loss_of_an_epoch_is_that_of_the_equations_in_float64(corpus: Corpus, kind: Any, softmax: Any) -> None:
    config = replace(SMALL, kind=kind, softmax=softmax, epochs=2)
    found = train(corpus, config)
    inputs = first_vectors(len(corpus.counts), config.size, config.seed).astype(np.float64)
    outputs = np.zeros((len(inputs) - (softmax == "hierarchical"), config.size))
    tokens = np.fromfile(corpus.tokens, dtype="<i4")
    starts = part_starts(corpus.tokens, corpus.length)
    parts = len(starts) - 1
    for epoch in range(2):
        done = (epoch + starts[:-1] / corpus.length) / 2
        rates = config.rate * (1 - done) + config.least_rate * done
        text = Stretch(tokens, starts, rates, epoch * parts, config.seed)
        want = by_equations(inputs, outputs, word_settings(corpus, config), text)
        assert found.epochs[epoch].predictions == want.targets.sum()
        assert found.epochs[epoch].loss == pytest.approx(want.losses.sum() / want.targets.sum(), rel=1e-6)
    assert np.allclose(found.vectors.rows, inputs, atol=1e-5)


def test_the_first_loss_is_that_of_guessing(corpus: Corpus) -> None:
    config = replace(SMALL, epochs=1, learning_rate=1e-6, least_rate=1e-6, softmax="hierarchical", kind="cbow")
    tokens = np.fromfile(corpus.tokens, dtype="<i4")
    depth = np.diff(word_settings(corpus, config).outputs.paths)  # pyright: ignore[reportAttributeAccessIssue]
    want = depth[tokens[tokens != END]].mean() * math.log(2)  # every turn of each path is a half
    assert losses(train(corpus, config)) == [pytest.approx(want, rel=1e-6)]


def test_without_compiled_kernels_it_is_slow_and_the_same(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(SMALL, epochs=1)
    want = train(corpus, config)
    monkeypatch.setattr(loop.instructions, "absence", lambda: "none here")
    found = train(corpus, config)
    assert losses(found) == [pytest.approx(losses(want)[0], rel=1e-5)]
    assert np.allclose(found.vectors.rows, want.vectors.rows, atol=1e-4)


class Killed(BaseException):
    """Stands for a kill: nothing in the library catches it."""


def test_a_killed_training_goes_on_as_if_nothing_had_been(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("peephole.embed.learning.stretches.PART", 700)
    data = CorpusConfig((two_topics(tmp_path / "text.txt"),), min_count=1)
    whole = EmbedRun.create(tmp_path / "whole", data, SMALL).fit()

    def kill(at: loop.Progress) -> None:
        if at.done > 20:
            raise Killed

    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    killed = EmbedRun.create(tmp_path / "killed", data, SMALL)
    with pytest.raises(Killed):
        killed.fit(kill)
    assert 0 < killed.parts_done() < 30
    (tmp_path / "killed" / "checkpoint" / ".000000000099.partial").mkdir()  # of a kill while one was written
    with pytest.raises(InputError, match="not through"):
        read_vectors_of(tmp_path / "killed")
    found = EmbedRun.open(tmp_path / "killed").fit()
    assert losses(found) == losses(whole)
    assert np.array_equal(found.vectors.rows, whole.vectors.rows)
    assert (tmp_path / "killed" / "vectors.bin").read_bytes() == (tmp_path / "whole" / "vectors.bin").read_bytes()
    assert len(list((tmp_path / "killed" / "checkpoint").iterdir())) == 1
    steps = [row["step"] for row in killed.run.read_history()]
    assert steps == sorted(set(steps))
    read = read_vectors_of(tmp_path / "killed")
    assert read.counts is not None
    assert np.array_equal(read.rows, whole.vectors.rows)


def test_what_is_damaged_is_said(tmp_path: Path) -> None:
    data = CorpusConfig((two_topics(tmp_path / "text.txt"),), min_count=1)
    made = EmbedRun.create(tmp_path / "run", data, replace(SMALL, epochs=1))
    made.fit()
    checkpoint = next((tmp_path / "run" / "checkpoint").iterdir())
    table = checkpoint / "inputs.npy"
    content = bytearray(table.read_bytes())
    content[-3] ^= 1
    table.write_bytes(content)
    with pytest.raises(InputError, match="altered since it was written"):
        made.fit()
    tokens = tmp_path / "run" / "corpus" / "tokens.bin"
    numbers = np.fromfile(tokens, dtype="<i4")
    numbers[5] = 10**6  # a word that the vocabulary does not have
    numbers.tofile(tokens)
    with pytest.raises(InputError, match=r"tokens.bin: damaged"):
        train(made.corpus(), SMALL)
    with pytest.raises(InputError, match="smaller --learning-rate"):
        train(prepare(data, tmp_path / "again"), replace(SMALL, learning_rate=1e30))


def test_a_run_does_not_go_on_with_another_text_or_other_settings(tmp_path: Path) -> None:
    text = two_topics(tmp_path / "text.txt", 100)
    made = EmbedRun.create(tmp_path / "run", CorpusConfig((text,), min_count=1), replace(SMALL, epochs=1))
    before = made.fit().vectors.rows
    with pytest.raises(InputError, match="the settings of the run changed"):
        replace(made, config=replace(made.config, size=13)).fit()
    assert np.array_equal(replace(made, config=replace(made.config, threads=2)).fit().vectors.rows, before)
    checkpoint = next((tmp_path / "run" / "checkpoint").iterdir())
    shutil.copytree(checkpoint, checkpoint.with_name(checkpoint.name + ".bak"))  # what people do
    made.fit()
    assert checkpoint.is_dir()
    shutil.rmtree(tmp_path / "run" / "corpus")
    made.fit()  # the same text makes the same corpus
    shutil.rmtree(tmp_path / "run" / "corpus")
    assert read_vectors_of(tmp_path / "run").counts is None
    two_topics(text, 100, seed=1)
    with pytest.raises(InputError, match="the text of the run changed"):
        made.fit()


def test_an_epoch_by_chance_without_predictions_is_no_end(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("a\nb\na\nb\n")
    alone = prepare(CorpusConfig((tmp_path / "words.txt",), min_count=1), tmp_path / "corpus")
    with pytest.raises(InputError, match="no line of the text has two words"):
        train(alone, SMALL)
    (tmp_path / "pairs.txt").write_text("a b\n" * 3)
    pairs = prepare(CorpusConfig((tmp_path / "pairs.txt",), min_count=1), tmp_path / "pairs")
    found = train(pairs, replace(SMALL, sample=0.05, epochs=10, seed=1))
    assert found.epochs[0].predictions > 0
    assert min(one.predictions for one in found.epochs) == 0


@pytest.mark.parametrize("lengths", [[3, 4, 2], [25, 1, 30], [10], [1] * 40, [9, 1, 10, 11, 5]])
def test_parts_end_with_sentences_where_they_can(
    lengths: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("peephole.embed.learning.stretches.PART", 10)
    monkeypatch.setattr("peephole.embed.learning.stretches.BLOCK", 7)
    tokens = np.concatenate([[*[1] * length, END] for length in lengths]).astype("<i4")
    tokens.tofile(tmp_path / "tokens.bin")
    starts = part_starts(tmp_path / "tokens.bin", len(tokens))
    assert starts[0] == 0
    assert starts[-1] == len(tokens)
    assert (np.diff(starts) > 0).all()
    assert np.diff(starts).max() <= 10
    for begin, end, after in zip(starts, starts[1:], [*starts[2:], len(tokens)], strict=False):
        cut_inside = tokens[end - 1] != END
        assert not cut_inside or END not in tokens[begin:end]  # only what is longer than a part is cut
        if not cut_inside and after > end:
            following = np.flatnonzero(tokens[end:] == END)[0] + 1
            assert end + following - begin > 10  # no part ends before it has to
    assert PART == 10_000


@pytest.mark.usefixtures("unchecked_annotations")
def test_settings_outside_their_range() -> None:
    for name, value, said in (
        ("size", 0, "--size is 0"), ("window", 2000, "--window is 2000"),
        ("sharing", 2**32, "--sharing is"), ("threads", 10**5, "--threads is"),
        ("exponent", 101.0, "--exponent is"), ("epochs", 2.5, "whole number"), ("negatives", 0, "--negatives is 0"),
        ("epochs", 0, "--epochs is 0"), ("sample", -1.0, "--sample is -1"), ("learning_rate", 1e-9, "--learning-rate"),
        ("threads", 0, "--threads is 0"), ("softmax", "full", "--softmax is 'full'"), ("seed", -1, "--seed is -1"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=said):
            replace(EmbedConfig(), **{name: value})


def test_a_text_that_is_thinned_out_to_nothing_is_refused(corpus: Corpus) -> None:
    with pytest.raises(InputError, match="pass --sample 0"):
        train(corpus, replace(SMALL, sample=1e-12))


def test_history_has_the_loss_of_each_epoch(tmp_path: Path) -> None:
    data = CorpusConfig((two_topics(tmp_path / "text.txt", 50),), min_count=1)
    found = EmbedRun.create(tmp_path / "run", data, SMALL).fit()
    rows = [json.loads(line) for line in (tmp_path / "run" / "history.jsonl").read_text().splitlines()]
    assert [row["epoch_loss"] for row in rows if "epoch_loss" in row] == losses(found)
    assert instructions.absence() == ""
