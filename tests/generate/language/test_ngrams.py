"""n-grams as language models: against counts by hand, and as distributions over texts."""

import doctest
import itertools
import math

import numpy as np
import pytest

from peephole.errors import InputError
from peephole.generate.language import characters, words
from peephole.generate.language.characters import CharacterNGram
from peephole.generate.language.model import LanguageModel, log_probability
from peephole.generate.language.words import WordNGram
from peephole.models.ngram import NGram

UTTERANCES = ["one two", "two one", "one one three", "three", "two two three one"]
LETTERS = sorted({letter for line in UTTERANCES for letter in line})
UNKNOWN = "ß"
KINDS = [WordNGram, CharacterNGram]


def share(model: LanguageModel, text: str, piece: str) -> float:
    state = model.extend([model.begin()], [text])
    return float(np.exp(model.scores(state, [piece]))[0, 0])


@pytest.mark.parametrize("module", [characters, words])
def test_the_examples_in_the_docstrings_hold(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # pyright: ignore[reportArgumentType]
    assert doctest.testmod(module).attempted > 0  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("order", [1, 2, 4, 8])
@pytest.mark.parametrize("kind", KINDS)
def test_what_may_follow_adds_up_to_one(kind: type[WordNGram | CharacterNGram], order: int) -> None:
    model = kind.fit(UTTERANCES, order)
    assert isinstance(model, LanguageModel)
    for text in ("o", "one", "one ", "three t", "three two x", "ßß ", "two  "):
        states = model.extend([model.begin()], [text])
        following = float(np.exp(model.scores(states, [*LETTERS, UNKNOWN])).sum())
        assert abs(following + math.exp(float(model.end(states)[0])) - 1) <= 1e-9, text


@pytest.mark.parametrize("kind", KINDS)
def test_a_piece_is_its_letters_one_after_another(kind: type[WordNGram | CharacterNGram]) -> None:
    model = kind.fit(UTTERANCES, 3)
    begun = model.extend([model.begin()] * 3, ["", "one", "two t"])
    pieces = ["one", "o", " two", "hree", " ", " three one", "nonsense", "ß", ""]
    whole = model.scores(begun, pieces)
    for row, state in enumerate(begun):
        for column, piece in enumerate(pieces):
            here, gain = state, 0.0
            for letter in piece:
                gain += float(model.scores([here], [letter])[0, 0])
                here = model.extend([here], [letter])[0]
            assert abs(whole[row, column] - gain) <= 1e-9
            jumped = model.extend([state], [piece])
            assert abs(float(model.end(jumped)[0]) - float(model.end([here])[0])) <= 1e-9


@pytest.mark.parametrize("order", [1, 2, 3])
def test_known_words_have_the_probabilities_of_their_ngrams(order: int) -> None:
    model = WordNGram.fit(UTTERANCES, order)
    names = ["<end>", "<unknown>", "one", "three", "two"]
    ids = [[*(names.index(word) for word in line.split()), 0] for line in UTTERANCES]
    counts = NGram.fit(list(itertools.chain(*ids)), len(names), order, boundary=0)
    for text in ["one", "two one", "three three two", "one two one two"]:
        line = [0, *(names.index(word) for word in text.split()), 0]
        want = sum(math.log(counts.following(line[:place])[line[place]]) for place in range(1, len(line)))
        # besides, a known word may be spelled as an unknown one, which has a hundredth of the probability here
        assert 0 <= log_probability(model, text) - want <= 0.01 * len(line)


def test_words_look_ahead() -> None:
    model = WordNGram.fit(["one two"] * 5 + ["two one"] * 5, 2)
    assert share(model, "one", " t") > 0.45  # else the utterance is over
    assert share(model, "one ", "t") > 0.9
    assert share(model, "one t", "wo") > 0.9
    assert share(model, "", "o") > 0.4


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_words_and_characters_are_possible_and_rare(kind: type[WordNGram | CharacterNGram]) -> None:
    model = kind.fit(UTTERANCES, 3)
    for text in ("tow", "ßß", "one ßone two", "o", " ", ""):
        assert -200 < log_probability(model, text) < log_probability(model, "one two" if text else "three")
    # one that is spelled like the others goes first
    if kind is WordNGram:
        assert log_probability(model, "onee") > log_probability(model, "eeno")


def test_longer_contexts_know_more() -> None:
    generator = np.random.default_rng(0)
    numbers = [" ".join(generator.choice(["one", "two", "three", "four"], 5)) for _ in range(20)]
    models = [WordNGram.fit(numbers, order) for order in (1, 2, 4)]
    found = [float(np.mean([log_probability(model, line) for line in numbers])) for model in models]
    assert found == sorted(found)
    assert found[-1] > -math.log(20) - 4


def test_what_cannot_be_counted_is_refused() -> None:
    for kind in KINDS:
        with pytest.raises(InputError, match="expected at least one"):
            kind.fit([], 3)
        with pytest.raises(InputError, match="order is 9: expected 1"):
            kind.fit(UTTERANCES, 9)
    with pytest.raises(InputError, match="no word to count"):
        WordNGram.fit([" "], 2)
