"""Texts as numbers and back: words and pieces, what is unknown, names that stand for no text."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from peephole.data.tokens.cutting import cut_for
from peephole.data.translation.config import TranslationData
from peephole.data.translation.cutting import words_of
from peephole.data.translation.encoding import TranslationEncoding
from peephole.data.translation.sentences import SentencePair
from peephole.data.translation.vocabulary import END, FIRST, UNKNOWN, Vocabulary
from peephole.errors import InputError
from peephole.models import decoder

LINES = ["the low lower lowest", "the new newer newest", "the wide wider widest , the low"]
RAW = ["It's 3.5 km, (about) two miles.", "“Ask”: why not? It is 3.5 - no: 35 miles!", "Why, it's two..."]


def learnt(lines: list[str], **options: Any) -> Vocabulary:
    data = TranslationData(**{"vocabulary": 60, "min_count": 1, **options})
    return Vocabulary.learn(lines, data, cut_for(lines, data.words))


def test_the_end_is_that_of_the_decoder() -> None:
    assert decoder.END == END


def test_words_the_most_frequent_first() -> None:
    vocabulary = learnt(LINES, tokens="words", min_count=2)
    assert vocabulary.symbols[FIRST:] == ("the", "low")
    assert vocabulary.ids(["low the high"])[0].tolist() == [FIRST + 1, FIRST, UNKNOWN]
    assert [(one.text, one.number) for one in vocabulary.spelled("the high")] == [("the", FIRST), ("high", UNKNOWN)]
    assert len(learnt(LINES, tokens="words", vocabulary=10)) == 10


def test_pieces_spell_words_that_training_lacks() -> None:
    vocabulary = learnt(LINES)
    for text in (*LINES, "lowew newid", "the wwww"):
        (ids,) = vocabulary.ids([text])
        assert not vocabulary.unknown(ids)
        assert vocabulary.text(vocabulary.symbols[number] for number in ids) == text
    assert "▁low" in vocabulary.symbols
    (ids,) = vocabulary.ids(["low ☃ x"])
    assert vocabulary.unknown(ids) == 2
    assert [one.text for one in vocabulary.spelled("low ☃☂")] == ["▁low", "▁", "☃", "☂"]


@pytest.mark.parametrize("tokens", ["words", "pieces"])
def test_text_as_people_write_it_is_put_back_together(tokens: str) -> None:
    vocabulary = learnt(RAW, tokens=tokens, vocabulary=200)
    for text in RAW:
        (ids,) = vocabulary.ids([text])
        assert not vocabulary.unknown(ids)
        assert vocabulary.text(vocabulary.symbols[number] for number in ids) == text
    assert words_of("It's 3.5 km!", "split") == ["It", "'", "s", "3", ".", "5", "km", "!"]
    assert words_of("it 's fine !", "spaces") == ["it", "'s", "fine", "!"]


def test_whether_text_was_cut_already() -> None:
    assert cut_for(RAW, "auto") == "split"
    assert cut_for(LINES, "auto") == cut_for(["no mark at all"], "auto") == "spaces"
    assert cut_for(["it 's fine .", "e.g. this , that ."], "auto") == "spaces"
    assert cut_for(RAW, "spaces") == "spaces"


def test_the_same_pieces_every_time() -> None:
    random = np.random.default_rng(0)
    lines = [" ".join("".join(random.choice(list("abcdeä"), 4)) for _ in range(8)) for _ in range(200)]
    assert learnt(lines, vocabulary=300) == learnt(lines, vocabulary=300)


def test_a_text_that_spells_the_names_of_symbols_is_text() -> None:
    lines = ["<end> is a word", "<unk> is a word", "<end> <end> <unk> <unk>"]
    for tokens in ("words", "pieces"):
        vocabulary = learnt(lines, tokens=tokens)
        for ids in vocabulary.ids(lines):
            assert ids.min() >= FIRST
        assert (
            vocabulary.text(vocabulary.symbols[number] for number in vocabulary.ids(["<end> <unk>"])[0])
            == "<end> <unk>"
        )


def test_characters_take_at_most_half_of_the_numbers() -> None:
    line = "".join(chr(0x4E00 + number) for number in range(100))
    vocabulary = learnt([line, line], vocabulary=40)
    assert len(vocabulary) <= 40
    assert sum(len(symbol) == 1 for symbol in vocabulary.symbols) <= 20


def test_words_that_never_recur_are_refused() -> None:
    with pytest.raises(InputError, match="lower --min-count"):
        learnt(["a b c"], tokens="words", min_count=2)


@pytest.fixture
def encoding() -> TranslationEncoding:
    pairs = [SentencePair("der kleine hund", "the small dog", "1"), SentencePair("der hund", "the dog", "2")]
    return TranslationEncoding.learn(pairs, TranslationData(tokens="words", min_count=1))


def test_sentences_to_numbers_and_answers_to_text(encoding: TranslationEncoding) -> None:
    assert encoding.inputs(["der hund schläft"])[0].tolist() == [2, 3, UNKNOWN, END]
    assert encoding.targets(["the dog"])[0].tolist() == [3, 2, END]
    assert encoding.text([3, 2, UNKNOWN, END, 4]) == "the dog <unk>"
    assert encoding.text([UNKNOWN, 2, UNKNOWN], ["Rex", "▁Bob"]) == "Rex dog Bob"
    assert encoding.text([END]) == ""
    assert [one.text for one in encoding.read_tokens("der rex")] == ["der", "rex", "<end>"]


def test_a_sentence_read_from_its_end(encoding: TranslationEncoding) -> None:
    turned = replace(encoding, reverse=True)
    assert turned.inputs(["der kleine hund"])[0].tolist() == [*encoding.inputs(["der kleine hund"])[0][-2::-1], END]
    assert [one.text for one in turned.read_tokens("der kleine hund")] == ["hund", "kleine", "der", "<end>"]
    assert turned.targets(["the dog"])[0].tolist() == encoding.targets(["the dog"])[0].tolist()


@pytest.mark.parametrize("joint", [False, True])
def test_an_encoding_comes_back(joint: bool) -> None:
    pairs = [SentencePair(line, line.upper(), "") for line in LINES]
    encoding = TranslationEncoding.learn(pairs, TranslationData(vocabulary=50, min_count=1, joint=joint, lower=True))
    found = TranslationEncoding.from_dict(json.loads(json.dumps(encoding.as_dict())))
    assert found == encoding
    assert (found.source is found.target) == joint
    assert found.clean("  The\tLow ") == "the low"
