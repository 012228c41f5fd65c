"""What a text model says of a text: surprisal a character."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from peephole.data.config import TextData
from peephole.models.language.config import LanguageConfig
from peephole.tasks import load
from peephole.tasks.config import TextTask
from peephole.tasks.text.model import TextModel
from peephole.tasks.text.writing import names_of


@pytest.fixture(scope="module")
def model(trained: Path) -> TextModel:
    return load(trained)


def test_scores_are_cross_entropies(model: TextModel) -> None:
    words = "The first of the"
    values = model.score(words)
    assert len(values) == len(words) + 1
    ids = [0, *model.tokenizer.encode(words).tolist(), 0]
    logits, _ = model.model(torch.tensor(ids[:-1])[:, None])
    expected = torch.nn.functional.cross_entropy(logits[:, 0], torch.tensor(ids[1:]), reduction="none")
    assert np.abs(values - expected.detach().numpy()).max() <= 1e-5
    assert (model.score_characters(words) == values[:-1]).all()


def test_scores_are_what_next_says(model: TextModel) -> None:
    words = "The first"
    for place, value in enumerate(model.score(words)[:-1]):
        assert value == pytest.approx(-math.log(dict(model.next(words[:place]))[words[place]]), abs=1e-4)


def test_an_unknown_character_costs_which_one_it_is(model: TextModel) -> None:
    known = len(model.tokenizer)
    price = math.log(1_112_064 - known)
    values = model.score("Thß")
    logs = dict(model.next("Th"))
    assert values[2] == pytest.approx(price - math.log(logs["<unk>"]), abs=1e-4)
    assert model.unknown_price() == pytest.approx(price)


def test_a_character_of_several_bytes_costs_their_sum(tmp_path: Path, book: Path) -> None:
    settings = TextTask(TextData((book,), unknown="bytes"), LanguageConfig(hidden_size=8, embedding_size=8))
    model = TextModel.create(settings, tmp_path / "run")
    tokens, characters = model.score("a€b😀"), model.score_characters("a€b😀")
    assert (len(tokens), len(characters)) == (1 + 3 + 1 + 4 + 1, 4)
    expected = [tokens[0], tokens[1:4].sum(), tokens[4], tokens[5:9].sum()]
    assert characters == pytest.approx(expected, rel=1e-12)
    assert len(model.score_characters("")) == 0


def test_threads_change_no_score(model: TextModel, prose: Callable[..., str]) -> None:
    results = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        results.append((model.score(prose(2000)), model.price(model.tokenizer.encode(prose(9000)))))
    assert all((one == other).all() for one, other in zip(*results, strict=True))


def test_names_for_one_line() -> None:
    assert names_of([" ", "\n", "\t", "\r", "a", "ü", "\0", "\u200b"]) == [*"␠⏎⇥␍aü", "\\x00", "\\u200b"]
