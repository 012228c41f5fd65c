"""WordsAndCharacters: words, and how they are spelled."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from peephole.errors import InputError
from peephole.models.config import WholeConfig
from peephole.models.inputs import InputLayer
from peephole.models.sequence import SequenceModel
from peephole.models.words import WordsAndCharacters

T, B, C, WORDS, CHARACTERS = 4, 3, 5, 7, 9


def build(**options: Any) -> WordsAndCharacters:
    torch.manual_seed(0)
    sizes = {"word_size": 6, "character_size": 4, "character_hidden": 3, "word_dropout": 0.0}
    return WordsAndCharacters(**({"words": WORDS, "characters": CHARACTERS} | sizes | options))


@pytest.fixture
def inputs() -> Tensor:
    """Words of 1 to C characters; the last two of the second row are padding."""
    random = torch.Generator().manual_seed(1)
    words = torch.randint(0, WORDS, (T, B, 1), generator=random)
    spelled = torch.randint(1, CHARACTERS, (T, B, C), generator=random)
    ends = torch.randint(1, C + 1, (T, B, 1), generator=random)
    found = torch.cat([words, spelled * (torch.arange(C) < ends)], -1)
    found[2:, 1] = 0
    found[0, 2] = found[3, 0]  # the same word twice
    return found


def by_hand(layer: WordsAndCharacters, word: Tensor) -> Tensor:
    """One word `[1 + C]`, with torch's own LSTM."""
    spelling = nn.LSTM(4, 3, bidirectional=True)
    spelling.load_state_dict(layer.spelling.state_dict())
    read = [character for character in word[1:].tolist() if character]
    hidden = torch.zeros(2, 3)
    if read:
        hidden = spelling(layer.characters.weight[read])[1][0]
    return torch.cat([layer.words.weight[int(word[0])], hidden.flatten()])


def test_word_by_word(inputs: Tensor, agree: Callable[..., None]) -> None:
    layer = build()
    found, lengths = layer.enter(inputs, torch.tensor([4, 2, 4]))
    assert isinstance(layer, InputLayer)
    assert found.shape == (T, B, layer.width)
    assert lengths is not None
    assert lengths.tolist() == [4, 2, 4]
    wanted = torch.stack([torch.stack([by_hand(layer, word) for word in step]) for step in inputs])
    agree(found, wanted, 1e-5)


def test_every_parameter_learns(inputs: Tensor) -> None:
    layer = build()
    layer.enter(inputs)[0].square().sum().backward()
    for name, parameter in layer.named_parameters():
        assert parameter.grad is not None, name
        assert float(parameter.grad.abs().sum()) > 0, name


def test_words_without_a_vector_are_the_unknown_one(inputs: Tensor) -> None:
    layer = build(words=3)
    beyond, unknown = inputs.clone(), inputs.clone()
    unknown[..., 0] = torch.where(inputs[..., 0] < 3, inputs[..., 0], 0)
    assert torch.equal(layer.enter(beyond)[0], layer.enter(unknown)[0])


def test_words_are_dropped_while_training_alone(inputs: Tensor) -> None:
    layer = build(word_dropout=0.5)
    many = inputs.repeat(50, 1, 1)
    many[..., 0] = 1
    share = (layer.enter(many)[0][..., :6] == layer.words.weight[0]).all(-1).float().mean()
    assert abs(float(share) - 0.5) <= 0.1
    layer.eval()
    assert torch.equal(layer.enter(many)[0][..., :6], layer.words.weight[1].expand(4 * 50, B, 6))


def test_a_sentence_alone_is_the_row_in_its_batch(inputs: Tensor, agree: Callable[..., None]) -> None:
    torch.manual_seed(0)
    model = SequenceModel(build(), WholeConfig(hidden_size=5, layers=1, dropout=0.0), 2).eval()
    together, _ = model(inputs, lengths=torch.tensor([4, 2, 4]))
    agree(together[:2, 1:2], model(inputs[:2, 1:2], lengths=torch.tensor([2]))[0], 1e-5)


def test_nothing_but_padding(agree: Callable[..., None]) -> None:
    layer = build()
    found, _ = layer.enter(torch.zeros(2, 1, 1 + C, dtype=torch.int64))
    agree(found[0, 0], by_hand(layer, torch.zeros(1 + C)), 1e-6)


def test_each_spelling_is_read_once_as_if_every_word_were(inputs: Tensor, agree: Callable[..., None]) -> None:
    """Compiled graphs read every word, with the padding after it."""
    layer, characters = build(), inputs.flatten(0, 1)[:, 1:]
    agree(layer._spelled(characters), layer._read(characters), 1e-6)


@pytest.mark.parametrize("cell", ["gru", "rnn"])
def test_other_cells(inputs: Tensor, cell: str) -> None:
    layer = build(cell=cell)
    assert layer.enter(inputs)[0].shape == (T, B, layer.width)
    assert torch.isfinite(layer.enter(inputs)[0]).all()


@pytest.mark.parametrize("options", [{"words": 0}, {"character_hidden": 0}, {"word_dropout": 1.0}])
def test_sizes_that_cannot_be(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        build(**options)


def test_words_without_characters_are_refused() -> None:
    with pytest.raises(InputError, match="characters"):
        build().enter(torch.zeros(2, 1, 1, dtype=torch.int64))
