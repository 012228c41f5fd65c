"""The vectors of words that a file holds, or a run of any task that has learnt some."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from peephole.data.tagging.encoding import UNKNOWN
from peephole.data.translation.cutting import SPACE
from peephole.data.translation.vocabulary import FIRST
from peephole.embed.files.reading import read_vectors
from peephole.embed.vectors import Vectors
from peephole.errors import InputError
from peephole.models.encoder_decoder import EncoderDecoder, RecurrentEncoder
from peephole.models.words import WordsAndCharacters
from peephole.runs.folder import Run
from peephole.tasks import load
from peephole.tasks.examples.model import ExamplesModel
from peephole.tasks.model import TaskModel
from peephole.tasks.text.model import TextModel
from peephole.tasks.text.projection import spellings, vectors_of

EXPECTED = (
    "a file of vectors, as word2vec writes them, or a run on text, of skip-gram, CBOW or TDNN, of a tagger or of a "
    "translation"
)


def vectors_from(path: Path, limit: int | None = None) -> tuple[Vectors, str]:
    """The vectors of a file of word2vec's, of which `limit` are read where that is given, or of a run; and what they
    are vectors of: words, characters, pieces.

    Of a run on text or of a tagger they are its input projection; of a translation that of the language it reads.

    Raises:
        InputError: neither a file of vectors nor a run, or a run whose inputs are no words.
    """
    if not path.exists() or (path.is_dir() and not (path / "config.json").is_file()):
        what = "a folder without config.json, and no run" if path.exists() else "no such file or folder"
        raise InputError(f"{path}: {what}; expected {EXPECTED}")
    if not path.is_dir():
        return read_vectors(path, limit), "words"
    task = Run.open(path).read_config()["task"]
    match task:
        case "skipgram" | "cbow":
            from peephole.embed.learning.run import read_vectors_of

            return read_vectors_of(path), "words"
        case "text":
            model = load(path)
            assert isinstance(model, TextModel)
            return vectors_of(model), model.unit
        case "tagging":
            return _of_tagger(load(path)), "words"
        case "translation":
            return _of_translation(load(path))
        case _:
            raise InputError(f"{path}: a run of {task}, whose inputs are no words; expected {EXPECTED}")


def _of_tagger(model: TaskModel) -> Vectors:
    """The words that training had often enough for a vector of their own."""
    from peephole.tasks.tagging.model import TaggingModel

    assert isinstance(model, TaggingModel)
    layer, count = model.model.embedding, model.encoding.frequent
    assert isinstance(layer, WordsAndCharacters)
    if count < 2:
        raise InputError(
            f"{model.run.folder}: {count} words came often enough in training for a vector of their own; expected two "
            "at least to be near each other; train on more, or with a lower --min-count"
        )
    rows = layer.words.weight.detach().cpu().float().numpy()
    counts = _counts(model, len(rows), 0)
    kept = slice(UNKNOWN + 1, count + 1)
    return Vectors(model.encoding.words[:count], rows[kept].copy(), None if counts is None else counts[kept])


def _of_translation(model: TaskModel) -> tuple[Vectors, str]:
    """The words or pieces of the language that is read, and which of them they are."""
    from peephole.tasks.translation.model import TranslationModel

    assert isinstance(model, TranslationModel)
    net = model.model
    assert isinstance(net, EncoderDecoder)
    assert isinstance(net.encoder, RecurrentEncoder)
    layer = net.encoder.reader.embedding
    assert isinstance(layer, nn.Embedding)
    rows = layer.weight.detach().cpu().float().numpy()
    symbols = [
        f" {symbol[1:]}" if symbol.startswith(SPACE) and len(symbol) > 1 else symbol
        for symbol in model.encoding.source.symbols[FIRST:]
    ]
    counts = _counts(model, len(rows))
    vectors = Vectors(spellings(symbols), rows[FIRST:].copy(), None if counts is None else counts[FIRST:])
    return vectors, model.task.data.tokens


def _counts(model: ExamplesModel, symbols: int, column: int | None = None) -> NDArray[np.int64] | None:
    """How often training had each number; None where its data is gone."""
    try:
        inputs = model.part("train").inputs
    except InputError:
        return None
    numbers = (inputs if column is None else inputs[:, column]).reshape(-1).astype(np.int64)
    return np.bincount(numbers, minlength=symbols)[:symbols].astype(np.int64)
