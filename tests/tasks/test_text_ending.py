"""Where texts over words, pieces and characters end, and how primes and texts are cut into tokens."""

import numpy as np
import pytest
from numpy.typing import NDArray

from peephole.data.tokenizer import Tokenizer
from peephole.errors import InputError
from peephole.generate.sampling import Writing
from peephole.tasks.text.answering import Scored, encoded_prime
from peephole.tasks.text.ending import Ending, Sentences
from peephole.tasks.text.writing import names_of, spell
from peephole.tasks.text.written import tokens_in, written

WORDS = ("the", "cat", "sat", ".", "!", '"', ",", "Mr.", "said", "(", ")", "2")


class Script(Writing):
    """In place of `Writing`: draws known tokens, one at a time, then others for ever."""

    def __init__(self, tokens: list[int], other: int) -> None:
        self.tokens, self.other, self.open, self.place = tokens, other, [0], 0

    def take(self, most: int) -> NDArray[np.int64]:
        assert most >= 1
        assert self.place < 2000, "went on for ever"
        drawn = self.tokens[self.place] if self.place < len(self.tokens) else self.other
        self.place += 1
        return np.array([[drawn]])

    def close(self, number: int) -> None:
        self.open.remove(number)


@pytest.fixture(scope="module")
def words() -> Tokenizer:
    return Tokenizer.words(dict.fromkeys(WORDS, 1), "spaces")


def text_of(tokenizer: Tokenizer, script: str, ending: Ending, prime: str = "") -> str:
    """What is written when the words of a script are drawn, | for `<eod>`, then `the` for ever."""
    ids = [tokenizer.eod if word == "|" else int(tokenizer.encode(word)[0]) for word in script.split(" ")]
    before = [tokenizer.eod, *tokenizer.encode(prime).tolist()]
    pieces = spell(Script(ids, int(tokenizer.encode("the")[0])), tokenizer, ending, before)
    return "".join(piece for _, piece in pieces)


@pytest.mark.parametrize(
    ("script", "ending", "text"),
    [
        ("the cat sat . the cat", Ending(2), "the cat sat."),  # on to the end of the sentence
        ("the cat sat . the cat", Ending(2, cut=True), "the cat"),
        ("the cat . the sat . cat", Ending(4), "the cat. the sat."),
        ('" the cat sat . " the', Ending(2), '"the cat sat."'),  # a closing quote belongs to it
        ("( the cat sat . ) the", Ending(2), "(the cat sat.)"),
        ("the cat \n the", Ending(1), "the cat"),  # a line end ends it too, and is not written
        ("the Mr. cat sat ! cat", Ending(2), "the Mr. cat sat!"),  # a short form does not
        ("the cat . the sat ! the cat . sat", Ending(sentences=2), "the cat. the sat!"),
        ("the \n \n \n cat . sat", Ending(sentences=2), "the\n\n\ncat."),  # empty lines are no sentences
        ("the cat . \n the cat . \n the", Ending(sentences=2), "the cat.\nthe cat."),  # mark and line end are one
        ("the cat | sat .", Ending(50), "the cat"),  # the end of a document ends everything
        ("the cat sat . the", Ending(50, stop="t s"), "the ca"),
    ],
)
def test_texts_of_words_end_with_a_sentence(words: Tokenizer, script: str, ending: Ending, text: str) -> None:
    assert text_of(words, script, ending) == text


def test_a_sentence_without_end_is_cut(words: Tokenizer) -> None:
    assert len(text_of(words, "the", Ending(10)).split()) == 70
    assert len(text_of(words, "the", Ending(sentences=2)).split()) == 240


def test_words_go_on_after_the_prime_as_people_write(words: Tokenizer) -> None:
    assert text_of(words, ", the cat", Ending(3, cut=True), "the cat") == ", the cat"
    assert text_of(words, "cat sat", Ending(2, cut=True), '" the') == " cat sat"
    assert text_of(words, '" said', Ending(2, cut=True), 'the " cat') == '" said'  # it closes


def test_characters_end_a_sentence_before_a_space_only() -> None:
    tokenizer = Tokenizer.characters(dict.fromkeys("ab3. ?\n", 1))

    def text(script: str, ending: Ending) -> str:
        ids = tokenizer.encode(script).tolist()
        return "".join(piece for _, piece in spell(Script(ids, ids[0]), tokenizer, ending, [tokenizer.eod]))

    assert text("a 3.3 b. a", Ending(sentences=1)) == "a 3.3 b."
    assert text("a? b. a", Ending(sentences=2)) == "a? b."
    assert text("ab. ab", Ending(4)) == "ab. "  # by length where it is, as ever


def test_sentences_of_pieces() -> None:
    tokenizer = Tokenizer.pieces(["a cat. a cat sat. a cat"] * 3, 300)
    counted = Sentences(tokenizer)
    spelling = tokenizer.speller()
    for token in tokenizer.encode("a cat. a cat sat. a").tolist():
        counted.add(token, spelling(token))
    assert counted.ended == 2


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"length": 0}, "--length is 0; expected at least 1"),
        ({"sentences": -1}, "--sentences is -1; expected at least 1"),
        ({"length": 3, "sentences": 2}, "pass one of them"),
        ({"cut": True, "sentences": 2}, "pass one of them"),
        ({"stop": ""}, "--stop is empty"),
    ],
)
def test_impossible_endings(wrong: dict[str, int | bool | str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Ending(**wrong)  # pyright: ignore[reportArgumentType]


def test_primes_are_cut_as_the_text_was(words: Tokenizer) -> None:
    names = [words.symbols[token] for token in encoded_prime(words, '"the cat," ')]
    assert names == ['"', "the", "cat", ",", '"']
    with pytest.raises(InputError, match=r"words that training never saw: 'dog', 'ran'; .* --unknown"):
        encoded_prime(words, "the dog ran")
    assert words.unk in encoded_prime(words, "the dog ran", unknown=True)
    assert words.unk in encoded_prime(words, "the <unk> cat")  # which is what the text says
    with pytest.raises(InputError, match=r"'e' and 2 more"):
        encoded_prime(words, "a b c d e f g")


@pytest.mark.parametrize("cut", ["spaces", "split"])
def test_tokens_as_they_stand_in_a_text(cut: str) -> None:
    counts = {"spaces": ("the", "cat", ","), "split": (" the", " cat", ",")}[cut]
    tokenizer = Tokenizer.words(dict.fromkeys(counts, 1), "spaces" if cut == "spaces" else "split")
    text = "the cat, dog\nthe cat"
    ids, texts = tokens_in(tokenizer, text)
    assert len(ids) == len(texts) == 7
    assert [token == tokenizer.unk for token in ids.tolist()] == [False] * 3 + [True] + [False] * 3
    space = " " if cut == "split" else ""
    assert texts == [f"{space}the", f"{space}cat", ",", f"{space}dog", "\n", f"{space}the", f"{space}cat"]
    read = written(tokenizer)  # the same in parts, a word once its end has come
    parts = [read(part) for part in ("the c", "at, d", "og\nthe ", "cat", None)]
    assert [word for _, some in parts for word in some] == texts
    assert np.concatenate([some for some, _ in parts]).tolist() == ids.tolist()
    assert not parts[3][1]


def test_tokens_without_text_count_with_the_next() -> None:
    found = Scored.of(["", "é", "a", ""], np.array([1.0, 2.0, 4.0, 8.0]), np.array([True, True, False, True]))
    assert found.texts == ("é", "a")
    assert found.nats.tolist() == [3.0, 12.0]  # what no text follows, with the last
    assert found.known.tolist() == [True, False]
    assert Scored.of([], np.zeros(0), np.zeros(0, bool)).texts == ()


def test_names_of_tokens_on_one_line() -> None:
    assert names_of([" the", "the", "<eos>", "\n", " ", "a\x00"]) == ["␠the", "the", "⏎", "⏎", "␠", "a\\x00"]
