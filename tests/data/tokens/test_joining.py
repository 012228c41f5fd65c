"""Words cut at spaces, as people write them, and back."""

import doctest
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from peephole.data.tokenizer import Tokenizer
from peephole.data.tokens import joining
from peephole.data.tokens.words import tokens_of

# As WikiText and the Penn Treebank cut text, and as it would be written.
PAIRS = [
    ("The cat , the dog and the mouse .", "The cat, the dog and the mouse."),
    ('He said , " Do it ! " and " now " .', 'He said, "Do it!" and "now".'),
    ('" Yes , " she said ; " why ? "', '"Yes," she said; "why?"'),
    ("It 's John 's ; they 're late , don 't wait", "It's John's; they're late, don't wait"),
    ("it does n't matter , I 'd say ca n't", "it doesn't matter, I'd say can't"),
    ("a well @-@ known 1 @,@ 000 @-@ page book of 2 @.@ 5 kg", "a well-known 1,000-page book of 2.5 kg"),
    ("The players ' club : ' one ' of us", "The players' club: 'one' of us"),
    ("It cost $ 5 or £ 3 ( about 10 % ) [ sic ]", "It cost $5 or £3 (about 10%) [sic]"),
    ("“ Typed ” quotes … and so on ...", "“Typed” quotes… and so on..."),
    ("= = A Heading = =", "= = A Heading = ="),
    ("the <unk> , of <unk> @-@ made <unk> 's", "the <unk>, of <unk>-made <unk>'s"),
    ("Mr. X of the U.S. lost No. 5 .", "Mr. X of the U.S. lost No. 5."),
    ("5 – 6 — so – so", "5 – 6 — so – so"),
]
# Which of the two quotes was written, and what an elision was cut from, is not to be seen in the text.
JOINED = [
    ("`` A quote '' and and / or", '"A quote" and and/or'),
    ("l' homme qu' il a vu", "l'homme qu'il a vu"),
]


def knowing(text: str) -> Tokenizer:
    return Tokenizer.words(Counter(tokens_of(text, "spaces", True)), "spaces")


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return knowing("\n".join(cut for cut, _ in PAIRS + JOINED))


def test_the_example_in_the_docstring_holds() -> None:
    assert doctest.testmod(joining).failed == 0
    assert doctest.testmod(joining).attempted > 0


@pytest.mark.parametrize(("cut", "written"), PAIRS + JOINED)
def test_words_are_joined_as_people_write(tokenizer: Tokenizer, cut: str, written: str) -> None:
    assert tokenizer.decode(tokenizer.encode(cut)) == written


def test_lines_and_documents_begin_anew(tokenizer: Tokenizer) -> None:
    text = tokenizer.decode([*tokenizer.encode('" The cat\n"'), tokenizer.eod, *tokenizer.encode("The dog")])
    assert text == '"The cat\n"<eod>The dog'


def test_the_text_of_a_word_is_there_with_the_word(tokenizer: Tokenizer) -> None:
    spell = tokenizer.speller()
    ids = tokenizer.encode("He said , " + '" now "').tolist()
    assert [spell(token) for token in [*ids, None]] == ["He", " said", ",", ' "', "now", '"', ""]


@pytest.mark.parametrize(("cut", "written"), PAIRS)
def test_written_text_is_taken_apart_as_the_vocabulary_has_it(cut: str, written: str) -> None:
    assert knowing(cut).apart(written) == cut


def test_what_the_vocabulary_knows_is_left_alone() -> None:
    plain = knowing("a cat-like (thing), so. , .")
    assert plain.apart("a cat-like (thing), so.\n\nA cat, so") == "a cat-like (thing), so.\n\nA cat , so"
    assert knowing("no marks here").apart("no, marks (here) 1,000") == "no, marks (here) 1,000"
    for text in ("", "\n", "' '", "-- -", '"', "''", "-", "@-@"):
        assert plain.apart(text) == text
    quoting = knowing("\" don 't go ' ...")
    assert quoting.apart("“don’t go…”") == '" don \'t go ... "'
    for other in (Tokenizer.characters({"a": 1}), Tokenizer.words({" a": 1}, "split")):
        assert other.apart("a,  (b)") == "a,  (b)"


@pytest.mark.slow
def test_joined_text_of_wikipedia_is_taken_apart_again(data_folder: Callable[[str], Path]) -> None:
    folder = data_folder("wikitext-2")
    tokenizer = knowing((folder / "train.txt").read_text())
    same = lines = 0
    for line in (folder / "valid.txt").read_text().split("\n"):
        if line.strip():
            every = knowing(line)
            same += tokenizer.apart(every.decode(every.encode(line))).split() == line.split()
            lines += 1
    assert same >= 0.98 * lines  # 98.6 %
