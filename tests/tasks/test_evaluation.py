"""What a measurement says: bits, perplexity, baselines, unknown characters."""

import lzma
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from peephole.data.config import TextData
from peephole.errors import InputError
from peephole.models.language.config import LanguageConfig
from peephole.tasks import load
from peephole.tasks.config import TextTask
from peephole.tasks.text.baselines import ORDERS, fit, xz_nats
from peephole.tasks.text.evaluation import evaluate
from peephole.tasks.text.model import TextModel
from peephole.train.config import TrainingConfig


@pytest.fixture(scope="module")
def model(trained: Path) -> TextModel:
    return load(trained)


def untrained(folder: Path, content: str, **data: object) -> TextModel:
    """A model of `content` with weights as they were drawn."""
    folder.mkdir()
    (folder / "text.txt").write_bytes(content.encode())
    training = TrainingConfig(batch_size=1, window=1)
    settings = TextTask(
        TextData((folder / "text.txt",), **data),  # pyright: ignore[reportArgumentType]
        LanguageConfig(hidden_size=8, embedding_size=8),
        training,
    )
    return TextModel.create(settings, folder / "run")


def test_units_belong_together(model: TextModel) -> None:
    measured = evaluate(model)
    assert measured.text == "held-out text of the run"
    assert model.corpus.description["cut_inside_document"]
    assert measured.characters == model.corpus.held_out.characters - 1 == 1999  # nothing stands before the first
    assert measured.bits_per_character == pytest.approx(measured.nats_per_character / math.log(2))
    assert measured.perplexity == pytest.approx(math.exp(measured.nats_per_character))
    assert measured.perplexity == pytest.approx(2**measured.bits_per_character)
    assert measured.as_json()["baselines"] == measured.baselines


def test_it_is_the_mean_surprisal_of_characters_ends_included(model: TextModel, tmp_path: Path) -> None:
    path = tmp_path / "some.txt"
    path.write_text("The first of the time.\nWord of the day")
    measured = evaluate(model, [path], baselines=False)
    values = model.score(path.read_text())
    assert measured.text == "some.txt"
    assert measured.characters == len(path.read_text()) == len(values) - 1
    assert measured.nats_per_character == pytest.approx(values.sum() / measured.characters, rel=1e-6)
    assert measured.baselines is None
    assert measured.trained_on == 0


def test_several_files_are_documents_apart(model: TextModel, tmp_path: Path) -> None:
    texts = {"a": "The time", "b": "of his own", "c": "word", "d": "it is"}
    total = 0.0
    for name, content in texts.items():
        (tmp_path / f"{name}.txt").write_text(content)
        total += model.score(content).sum()
    measured = evaluate(model, [tmp_path], baselines=False)
    assert measured.text == "a.txt, b.txt, c.txt and 1 more"
    assert measured.characters == sum(map(len, texts.values()))
    assert measured.nats_per_character == pytest.approx(total / measured.characters, rel=1e-5)


def test_a_limit_measures_the_beginning(model: TextModel, tmp_path: Path, prose: Callable[..., str]) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text(prose(300, 5))
    measured = evaluate(model, [tmp_path], limit=120, baselines=False)
    assert measured.characters == 120
    expected = model.score(prose(300, 5)[:120])[:-1].mean()
    assert measured.nats_per_character == pytest.approx(expected, rel=1e-5)
    assert evaluate(model, limit=700, baselines=False).characters == 700
    assert evaluate(model, limit=1, baselines=False).characters == 1
    assert evaluate(model, limit=10**9, baselines=False) == evaluate(model, baselines=False)


def test_baselines_are_sane(model: TextModel) -> None:
    measured = evaluate(model)
    bits = measured.baselines
    assert bits is not None
    assert set(bits) == {"unigram", "bigram", "5-gram", "xz"}
    assert 0 < bits["5-gram"] < bits["bigram"] < bits["unigram"] < math.log2(len(model.tokenizer))
    assert 0 < bits["xz"] < 8
    assert measured.bits_per_character < bits["unigram"]  # it has learned something
    assert measured.trained_on == len(model.corpus.train.tokens)
    limited = evaluate(model, limit=800).baselines
    assert limited is not None
    assert limited == {name: pytest.approx(value, rel=0.25) for name, value in bits.items()}


def test_the_unigram_is_the_entropy(tmp_path: Path) -> None:
    """Characters that are drawn without memory cost their entropy, by every order; and xz cannot do better."""
    probabilities = np.array([0.5, 0.25, 0.125, 0.125])
    entropy = 1.75
    text = "".join(np.random.default_rng(0).choice(list("abcd"), 60_000, p=probabilities))
    measured = evaluate(untrained(tmp_path / "a", text))
    bits = measured.baselines
    assert bits is not None
    assert bits["unigram"] == pytest.approx(entropy, abs=0.02)
    assert bits["bigram"] == pytest.approx(entropy, abs=0.02)
    assert bits["xz"] > entropy
    assert measured.bits_per_character == pytest.approx(math.log2(6), abs=0.4)  # of a model that learned nothing


def test_a_text_that_repeats_costs_next_to_nothing(tmp_path: Path) -> None:
    bits = evaluate(untrained(tmp_path / "a", "abcdefghijklmnop" * 1000)).baselines
    assert bits is not None
    assert bits["unigram"] == pytest.approx(4, abs=0.05)
    assert bits["bigram"] < 0.05
    assert 0 <= bits["xz"] < 0.1


def test_xz_against_its_definition(prose: Callable[..., str]) -> None:
    training, text = prose(5000), prose(800, 1)
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 6 | lzma.PRESET_EXTREME}]
    sizes = [len(lzma.compress(each.encode(), filters=filters)) for each in (training + text, training)]
    assert xz_nats(training, text) == pytest.approx(8 * math.log(2) * (sizes[0] - sizes[1]))


def test_unknown_characters_are_priced_for_everybody(tmp_path: Path, model: TextModel) -> None:
    for name, content in (("known", "The word is out"), ("unknown", "The ßord is ßut")):
        (tmp_path / f"{name}.txt").write_text(content)
    known, unknown = (evaluate(model, [tmp_path / f"{name}.txt"]) for name in ("known", "unknown"))
    assert (known.unknown_characters, unknown.unknown_characters) == (0, 2)
    assert known.characters == unknown.characters == 15
    price = 2 * math.log2(1_112_064 - len(model.tokenizer)) / 15
    assert known.baselines is not None
    assert unknown.baselines is not None
    tokens = np.array([0, *model.tokenizer.encode("The ßord is ßut"), 0], dtype=np.uint8)
    training = np.asarray(model.corpus.train.tokens)
    for name, order in ORDERS.items():
        nats = fit(training, model.tokenizer, order).surprisal(tokens)[1:].sum()
        assert unknown.baselines[name] == pytest.approx(nats / math.log(2) / 15 + price, rel=1e-6), name
    assert unknown.baselines["xz"] > price
    assert unknown.bits_per_character > price
    values = model.score("The ßord is ßut")
    assert unknown.nats_per_character == pytest.approx(values.sum() / 15, rel=1e-6)


def test_bytes_and_symbols_count_the_same_characters(tmp_path: Path) -> None:
    content = "aaab" * 225 + "aéa€b" * 20
    for name, unknown in (("symbol", 40), ("bytes", 0)):
        measured = evaluate(untrained(tmp_path / name, content, held_out=0.1, unknown=name))
        assert measured.characters == 99
        assert measured.unknown_characters == unknown
        assert measured.baselines is not None


def test_a_literal_unk_is_five_characters(tmp_path: Path, model: TextModel) -> None:
    (tmp_path / "a.txt").write_text("the <unk> is <eod>")
    measured = evaluate(model, [tmp_path / "a.txt"], baselines=False)
    assert measured.characters == 18
    assert measured.unknown_characters == 4  # < and > are not in what it learned


def test_threads_change_nothing(model: TextModel) -> None:
    results = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        results.append(evaluate(model))
    assert results[0] == results[1]


def test_what_is_missing_is_said(tmp_path: Path, trained: Path) -> None:
    shutil.copytree(trained, tmp_path / "run")
    shutil.rmtree(tmp_path / "run/data")
    model = load(tmp_path / "run")
    with pytest.raises(InputError, match="missing from the corpus"):
        evaluate(model)
    (tmp_path / "a.txt").write_text("the word")
    measured = evaluate(model, [tmp_path / "a.txt"])
    assert measured.baselines is None
    assert measured.characters == 8
    with pytest.raises(InputError, match="cannot be read"):
        evaluate(model, [tmp_path / "missing.txt"])
    (tmp_path / "empty.txt").touch()
    with pytest.raises(InputError, match="an empty file"):
        evaluate(model, [tmp_path / "a.txt", tmp_path / "empty.txt"])


def test_nothing_to_measure_is_said(tmp_path: Path) -> None:
    """A document whose last character alone is held out: nothing stands before it, and nothing is left to predict."""
    model = untrained(tmp_path / "a", "abcdefghij", held_out=0.1)
    assert model.corpus.held_out.characters == 1
    with pytest.raises(InputError, match="nothing to measure"):
        evaluate(model)


def test_a_measurement_while_training_is_of_the_same_text(model: TextModel) -> None:
    """The number that decides which weights are kept is near the one that `eval` gives."""
    history = model.run.read_history()
    best = min(row["held_out"] for row in history if "held_out" in row)
    measured = evaluate(model, baselines=False)
    tokens = len(model.corpus.held_out.tokens) - 1
    assert measured.nats_per_character * measured.characters / tokens == pytest.approx(best, rel=1e-3)
