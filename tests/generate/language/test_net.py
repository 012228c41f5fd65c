"""A net as a language model: against its own forward pass, whatever it was asked before."""

import numpy as np
import pytest
import torch

from peephole.data.tokenizer import Tokenizer
from peephole.errors import InputError
from peephole.generate.language.model import LanguageModel, log_probability
from peephole.generate.language.net import CharacterNet
from peephole.generate.language.spelled import Spelled
from peephole.models.config import ModelConfig
from peephole.models.sequence import SequenceModel

TOKENIZER = Tokenizer.characters(dict.fromkeys("\n abc", 1))


@pytest.fixture(scope="module", params=["lstm", "gru", "rnn"])
def net(request: pytest.FixtureRequest) -> SequenceModel:
    torch.manual_seed(3)
    net = SequenceModel(
        len(TOKENIZER), ModelConfig(cell=request.param, hidden_size=9, embedding_size=4, dropout=0.0, layers=2)
    )
    with torch.no_grad():
        net.head.weight *= 6  # opinions
    return net.eval()


def by_hand(net: SequenceModel, text: str, before: Spelled) -> float:
    """log P of the text and the line end, over the whole net at once, from the state that utterances begin with."""
    stream = net.stream(1)
    stream.put_states(before.inner[None])
    ids = torch.from_numpy(TOKENIZER.encode(text + "\n").astype(np.int64))
    logs = stream.read(ids[:-1, None])[:, 0].double() if len(ids) > 1 else torch.empty(0, len(TOKENIZER)).double()
    logs = torch.cat([torch.from_numpy(before.following)[None], logs])
    return float(logs.gather(1, ids[:, None]).sum())


def test_probabilities_are_those_of_the_net(net: SequenceModel) -> None:
    model = CharacterNet(net, TOKENIZER)
    assert isinstance(model, LanguageModel)
    for text in ("a", "ab cab", "", "a?b"):
        assert abs(log_probability(model, text) - by_hand(net, text, model.begin())) <= 1e-4


def test_pieces_are_their_letters_and_states_are_values(net: SequenceModel) -> None:
    model = CharacterNet(net, TOKENIZER)
    states = model.extend([model.begin()] * 3, ["", "ab", "c a"])
    pieces = ["a", "ab", "abc", " b", "ca", "", "?"]
    whole = model.scores(states, pieces)
    for row, state in enumerate(states):
        for column, piece in enumerate(pieces):
            here, gain = state, 0.0
            for letter in piece:
                gain += float(model.scores([here], [letter])[0, 0])
                here = model.extend([here], [letter])[0]
            assert abs(whole[row, column] - gain) <= 1e-5
    assert (model.scores(states, pieces) == whole).all()


def test_it_begins_the_same_each_time_and_after_a_line_end(net: SequenceModel) -> None:
    first, second = CharacterNet(net, TOKENIZER).begin(), CharacterNet(net, TOKENIZER).begin()
    assert (first.following == second.following).all()
    assert (first.inner == second.inner).all()
    assert abs(np.exp(first.following).sum() - 1) <= 1e-5


def test_more_beams_than_streams_are_served(net: SequenceModel) -> None:
    model = CharacterNet(net, TOKENIZER)
    texts = ["".join(letters) for letters in np.random.default_rng(0).choice(list("abc "), (300, 3))]
    found = model.end(model.extend([model.begin()] * 300, texts))
    assert abs(found[7] - model.end(model.extend([model.begin()], [texts[7]]))[0]) <= 1e-5


def test_nets_of_something_else_are_refused(net: SequenceModel) -> None:
    with pytest.raises(InputError, match="of 7 symbols with a vocabulary of 4"):
        CharacterNet(net, Tokenizer.characters(dict.fromkeys("ab", 1)))
    with pytest.raises(
        InputError, match="never seen a line end; expected one trained on a text with an utterance a line"
    ):
        CharacterNet(net, Tokenizer.characters(dict.fromkeys("abcde", 1)))
