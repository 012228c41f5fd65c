"""Vectors of words of a tagger and of a translation, with their counts where the data is there."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from peephole.data.tagging.config import TaggingData
from peephole.data.translation.config import TranslationData
from peephole.errors import InputError
from peephole.models.encoder_decoder import EncoderDecoder, RecurrentEncoder
from peephole.models.words import WordsAndCharacters
from peephole.tasks.tagging.model import TaggingModel
from peephole.tasks.tagging.settings import TaggingNet, TaggingTask, TaggingTraining
from peephole.tasks.translation.model import TranslationModel
from peephole.tasks.translation.settings import TranslationNet, TranslationTask, TranslationTraining
from peephole.tasks.vectors import vectors_from

STEPS = {"epochs": None, "steps": 2, "batch_size": 4, "warmup": 1, "watch": 0}


def test_words_of_a_tagger(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("the\tD\ndog\tN\n\nthe\tD\ncat\tN\n\nthe\tD\ndog\tN\n\n")
    (tmp_path / "dev.txt").write_text("the\tD\ncat\tN\n\n")
    net = TaggingNet(hidden_size=4, embedding_size=3, character_size=2, character_hidden=2)
    data = TaggingData(files=(tmp_path / "train.txt",), held_out=(tmp_path / "dev.txt",), min_count=2)
    model = TaggingModel.create(TaggingTask(data, net, TaggingTraining(**STEPS)), tmp_path / "run")
    model.fit()
    vectors, unit = vectors_from(tmp_path / "run")
    assert (vectors.words, unit) == (("the", "dog"), "words")
    assert vectors.counts is not None
    assert vectors.counts.tolist() == [3, 2]
    assert isinstance(model, TaggingModel)
    assert isinstance(model.model.embedding, WordsAndCharacters)
    assert np.array_equal(vectors.rows, model.model.embedding.words.weight[1:].detach().numpy())
    shutil.rmtree(tmp_path / "run" / "data")
    assert vectors_from(tmp_path / "run")[0].counts is None
    config = tmp_path / "run" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "task": "music"}))
    with pytest.raises(InputError, match="a run of music, whose inputs are no words; expected a file of vectors"):
        vectors_from(tmp_path / "run")


def test_words_of_the_language_that_is_read(tmp_path: Path) -> None:
    pytest.importorskip("sacrebleu")
    (tmp_path / "a.de").write_text("der hund\nder mann ruft\nder hund ruft\n" * 4)
    (tmp_path / "a.en").write_text("the dog\nthe man calls\nthe dog calls\n" * 4)
    net = TranslationNet(hidden_size=4, embedding_size=3)
    data = TranslationData(files=(tmp_path / "a.de", tmp_path / "a.en"), tokens="words")
    model = TranslationModel.create(TranslationTask(data, net, TranslationTraining(**STEPS)), tmp_path / "run")
    model.fit()
    vectors, unit = vectors_from(tmp_path / "run")
    assert (set(vectors.words), unit) == ({"der", "hund", "mann", "ruft"}, "words")
    assert vectors.counts is not None
    assert dict(zip(vectors.words, vectors.counts.tolist(), strict=True))["der"] == max(vectors.counts)
    assert isinstance(model.model, EncoderDecoder)
    assert isinstance(model.model.encoder, RecurrentEncoder)
    assert np.array_equal(vectors.rows, model.model.encoder.reader.embedding.weight[2:].detach().numpy())
