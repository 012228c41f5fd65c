"""Recall: the lag is what it says, nothing between the first pattern and the cue tells the answer, words are read."""

import math
import re

import numpy as np
import pytest
import torch

from peephole.data.problems.problem import Examples
from peephole.data.problems.recall import Recall
from peephole.data.problems.recall_words import SENTENCES, variants
from peephole.errors import InputError

# Written from a dictionary, not from the problem's own tables.
PRONOUNS = set(re.findall(r"\w+", "i you he she it we they me him her us them his hers its their theirs who someone"))
WOMEN = {"jane", "mary", "anna", "emma", "alice", "clara", "ruth", "nora"}
MEN = {"john", "peter", "paul", "henry", "james", "david", "oscar", "tom"}
MANY = {"neighbours", "twins", "friends", "students", "teachers", "visitors", "musicians", "players"}
PATTERNS = {"she": WOMEN, "he": MEN, "they": MANY}


def texts(problem: Recall, examples: Examples) -> list[list[str]]:
    return [[problem.vocabulary[place] for place in row] for row in examples.inputs.T.tolist()]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 10, 30, 101])
@pytest.mark.parametrize(
    "problem", [Recall(), Recall(patterns=3), Recall(form="symbols"), Recall(form="symbols", patterns=5, distractors=2)]
)
def test_lag_steps_lie_between_the_first_pattern_and_the_cue(problem: Recall, size: int) -> None:
    examples = problem.draw(np.random.default_rng([1, size]), 60, size)
    assert examples.inputs.shape == examples.targets.shape == examples.weights.shape == (size + 1, 60)
    assert examples.answers == 60
    assert torch.equal(examples.weights[-1], torch.ones(60))
    cue = "then" if problem.form == "words" else "?"
    first = PATTERNS if problem.form == "words" else {letter: {letter} for letter in "ABCDE"}
    seen = set()
    for words, target in zip(texts(problem, examples), examples.targets[-1].tolist(), strict=True):
        assert [place for place, word in enumerate(words) if word == cue] == [size]
        answer = problem.classes[target]
        assert words[0] in first[answer]
        assert not any(word in words[1:] for some in first.values() for word in some)
        seen.add(answer)
    assert len(seen) == problem.patterns == problem.outputs


def test_between_stand_sentences_of_which_one_is_cut() -> None:
    problem = Recall()
    sentences = {tuple(place) for template in SENTENCES for place in map(tuple, variants(template, 2))}
    assert len(sentences) > 500
    written = [[problem.vocabulary[place] for place in sentence] for sentence in sentences]
    assert not {word for words in written for word in words} & (PRONOUNS | WOMEN | MEN | MANY | {"then"})
    whole = {" ".join(words) for words in written}
    for words in texts(problem, problem.draw(np.random.default_rng(2), 20, 60)):
        opening, cut, *others = (part.strip() + " ." for part in " ".join(words[1:-1]).split(".")[:-1])
        assert re.fullmatch(r"\w+ a \w+ \w+ \w+ the \w+ \.", opening)
        assert any(sentence.endswith(cut) for sentence in whole)
        assert others
        assert set(others) <= whole


@pytest.mark.parametrize("form", ["words", "symbols"])
def test_what_stands_between_tells_nothing(form: str) -> None:
    problem, rows = Recall(form=form), 6000  # pyright: ignore[reportArgumentType]
    examples = problem.draw(np.random.default_rng(3), rows, 12)
    second = examples.targets[-1] == 1
    for step in range(1, 12):
        counts = torch.bincount(examples.inputs[step], minlength=problem.symbols)
        hits = torch.bincount(examples.inputs[step][second], minlength=problem.symbols)
        common = counts >= 50
        share = second.double().mean()
        spread = (counts[common] * share * (1 - share)).sqrt()
        # 4.5 standard deviations: passed by 1 in 150,000, of some 400 comparisons
        assert float(((hits[common] - counts[common] * share).abs() / spread).max()) <= 4.5


def test_the_same_seed_gives_the_same_examples_and_swapping_names_nothing_else() -> None:
    problem = Recall()
    one, same, other = (problem.draw(np.random.default_rng([seed, 5]), 8, 40) for seed in (0, 0, 1))
    assert torch.equal(one.inputs, same.inputs)
    assert torch.equal(one.targets, same.targets)
    assert not torch.equal(one.inputs, other.inputs)


def test_a_line_is_read_and_answered() -> None:
    problem = Recall()
    inputs = problem.read("Jane had a quick lunch in the bistro. Then")
    words = [problem.vocabulary[place] for place in inputs[:, 0].tolist()]
    assert " ".join(words) == "jane had a quick lunch in the bistro . then"
    outputs = torch.zeros(10, 1, 2)
    outputs[:-1, 0, 1] = 3.0
    outputs[-1, 0, 0] = 1.0
    assert problem.answer("Jane …", outputs) == "she"
    assert problem.answer("Tom …", -outputs) == "he"
    letters = Recall(form="symbols", patterns=3)
    read = letters.read("C abba ?")[:, 0].tolist()
    assert [letters.vocabulary[place] for place in read] == list("Cabba?")
    assert letters.answer("C?", torch.eye(3)[None, 2:]) == "C"


@pytest.mark.parametrize(
    ("options", "line", "said"),
    [
        ({}, "Jane danced with Bob. then", "danced, with, bob: expected words"),
        ({}, "Neighbours had a quick lunch. then", "neighbours: expected"),
        ({}, "a quick lunch. then", "expected a name first and 'then' last"),
        ({}, "Jane had a quick lunch.", "expected a name first and 'then' last"),
        ({}, "then", "expected a name first"),
        ({}, "", "expected a name first"),
        ({"form": "symbols"}, "Cab?", "C: expected"),
        ({"form": "symbols"}, "aab?", "expected a letter A to B first and '?' last"),
    ],
)
def test_what_cannot_be_read_is_named_in_one_line(options: dict[str, str], line: str, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)) as caught:
        Recall(**options).read(line)  # pyright: ignore[reportArgumentType]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"lag": 0}, "--lag is 0; expected at least 1"),
        ({"patterns": 1}, "--patterns is 1; expected at least 2"),
        ({"patterns": 4}, "--patterns is 4; expected at most 3 with --form words"),
        ({"patterns": 27, "form": "symbols"}, "--patterns is 27; expected at most 26"),
        ({"distractors": 0}, "--distractors is 0; expected at least 1"),
        ({"distractors": 27}, "--distractors is 27; expected at most 26"),
    ],
)
def test_options_that_cannot_be(options: dict[str, int], said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        Recall(**options)  # pyright: ignore[reportArgumentType]


def test_what_guessing_costs() -> None:
    problem = Recall(patterns=3)
    examples = problem.draw(np.random.default_rng(6), 50, 4)
    assert float(examples.divergence(torch.zeros(5, 50, 3))) / 50 == pytest.approx(problem.blind) == math.log(3)
    assert (problem.size, problem.lag) == (500, 500)
