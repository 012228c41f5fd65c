"""A net over words as a language model that is asked letter by letter."""

import itertools
import math

import numpy as np
import pytest
import torch

from peephole.data.tokenizer import Tokenizer
from peephole.errors import InputError
from peephole.generate.language.model import LanguageModel, log_probability
from peephole.generate.language.word_net import WordNet
from peephole.models.language.config import LanguageConfig
from peephole.models.language.model import LanguageModel as Net

WORDS = ("a", "an", "and", "b", "band")


@pytest.fixture(scope="module")
def made() -> tuple[Tokenizer, Net, WordNet]:
    tokenizer = Tokenizer.words(dict.fromkeys(WORDS, 1), "spaces")
    torch.manual_seed(0)
    net = Net(len(tokenizer), LanguageConfig(hidden_size=6, embedding_size=5, layers=1, init="torch")).eval()
    return tokenizer, net, WordNet(net, tokenizer)


def test_it_is_a_language_model(made: tuple[Tokenizer, Net, WordNet]) -> None:
    assert isinstance(made[2], LanguageModel)


def test_a_text_costs_what_the_net_says_of_its_words(made: tuple[Tokenizer, Net, WordNet]) -> None:
    """A known word could be spelled as an unknown one too; `<eod>` is no word of an utterance."""
    tokenizer, net, model = made
    text = "and a band"
    stream = net.stream(1)
    root = model.begin().context.state
    stream.put_states(root[None])
    total = 0.0
    sums = model.begin().context.sums
    for word in (*text.split(), None):
        number = 2 if word is None else 3 + sorted(WORDS).index(word)
        share = sums[number + 1] - sums[number]
        if word is not None:
            share += (sums[2] - sums[1]) * math.exp(log_probability(model._spelling, word))
        total += math.log(share)
        token = tokenizer.eos if word is None else tokenizer.symbols.index(word)
        logs = stream.step(torch.tensor([token]))[0].double()
        shares = logs.exp()
        shares[tokenizer.eod] = 0
        order = [0, 1, 2, *(tokenizer.symbols.index(word) for word in sorted(WORDS))]
        sums = np.concatenate([[0.0], np.cumsum((shares / shares.sum()).numpy()[order])])
    assert log_probability(model, text) == pytest.approx(total, abs=1e-5)


def test_pieces_add_up_however_they_are_cut(made: tuple[Tokenizer, Net, WordNet]) -> None:
    model = made[2]
    text = "an unheard band b"
    for pieces in (list(text), ["an un", "heard b", "and", " b"]):
        state, total = model.begin(), 0.0
        for piece in pieces:
            total += float(model.scores([state], [piece])[0, 0])
            state = model.extend([state], [piece])[0]
        assert total + float(model.end([state])[0]) == pytest.approx(log_probability(model, text), abs=1e-9)


def test_after_each_letter_all_ways_to_go_on_have_probability_one(made: tuple[Tokenizer, Net, WordNet]) -> None:
    model = made[2]
    letters = sorted(set("".join(WORDS)))
    for text in ("a", "an", "ban", "a b", "and an", "bb"):
        state = model.extend([model.begin()], [text])[0]
        goes_on = np.exp(model.scores([state], [*letters, " "])[0]).sum()
        # a character that no word has is what is left: the spelling of unknown words gives it a share
        rest = float(np.exp(model.scores([state], ["é"]))[0, 0])
        assert 1.0 - 2 * rest - 1e-6 <= goes_on <= 1.0 + 1e-6


def test_all_short_texts_together_have_less_than_one(made: tuple[Tokenizer, Net, WordNet]) -> None:
    model = made[2]
    texts = ["", *WORDS, *(f"{one} {other}" for one, other in itertools.product(WORDS, WORDS))]
    total = sum(math.exp(log_probability(model, text)) for text in texts)
    assert 0.05 < total < 1.0


def test_several_states_are_read_together_as_alone(made: tuple[Tokenizer, Net, WordNet]) -> None:
    tokenizer, net, model = made
    texts = ["a ", "an b ", "band a ", "zz "]
    states = model.extend([model.begin()] * len(texts), texts)
    together = model.scores(states, ["a", "b", "x"])
    for row, text in enumerate(texts):
        fresh = WordNet(net, tokenizer)
        alone = fresh.scores(fresh.extend([fresh.begin()], [text]), ["a", "b", "x"])
        assert together[row] == pytest.approx(alone[0], abs=1e-5)


def test_a_word_is_read_once(made: tuple[Tokenizer, Net, WordNet], monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer, net, _ = made
    model = WordNet(net, tokenizer)
    steps = list[int]()
    step = model._stream.step
    monkeypatch.setattr(model._stream, "step", lambda symbols, ids: (steps.append(len(symbols)), step(symbols, ids))[1])
    states = model.extend([model.begin()] * 5, ["a", "an", "and", "b", "ban"])
    model.scores(states, [" ", "a", "n"])
    assert sum(steps) == 0  # within the first word the net has said all
    after = model.extend(states[:3], [" "] * 3)
    model.scores(after, ["a", "b"])
    model.scores(after, ["n"])
    assert sum(steps) == 3


def test_what_is_no_net_over_words_is_refused(made: tuple[Tokenizer, Net, WordNet]) -> None:
    _, net, _ = made
    with pytest.raises(InputError, match="over words with marks apart; expected"):
        WordNet(net, Tokenizer.words({" a": 1}, "split"))
    with pytest.raises(InputError, match="over characters; expected"):
        WordNet(net, Tokenizer.characters({"a": 1}))
    with pytest.raises(InputError, match="8 symbols with a vocabulary of 4"):
        WordNet(net, Tokenizer.words({"a": 1}, "spaces"))
