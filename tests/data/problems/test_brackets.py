"""Brackets: a parser that knows nothing of how the texts are made finds the same answers in them."""

import re
from collections import Counter

import numpy as np
import pytest
import torch

from peephole.data.problems.brackets import Brackets
from peephole.data.problems.problem import Examples
from peephole.errors import InputError

CLOSER = {"{": "}", "(": ")", "[": "]"}
IGNORED = re.compile(r'"[^"\n]*"|//[^\n]*\n|/\*.*?\*/', re.DOTALL)
NOTHING = "nothing is open"


def texts(problem: Brackets, examples: Examples) -> list[str]:
    return ["".join(problem.alphabet[place] for place in row) for row in examples.inputs.T.tolist()]


def parsed(text: str) -> tuple[list[str], dict[int, str], list[tuple[int, int, int]]]:
    """What would close after each character; the answers that count; and where brackets open, close, and how deep."""
    code = IGNORED.sub(lambda found: " " * len(found[0]), text)
    assert not re.search(r'"|//|/\*', code), f"never ends: {code!r}"
    stack: list[int] = []
    wanted, answers, pairs = [], {}, []
    for place, character in enumerate(code):
        innermost = CLOSER[code[stack[-1]]] if stack else NOTHING
        if character in "})]":
            answers[place - 1] = innermost
            assert character == innermost
            pairs.append((stack[-1], place, len(stack)))
            stack.pop()
        elif character in "{([":
            if not stack and place:
                answers[place - 1] = NOTHING
            stack.append(place)
        wanted.append(CLOSER[code[stack[-1]]] if stack else NOTHING)
    return wanted, answers, pairs


def classes(problem: Brackets) -> list[str]:
    return [*"})]"[: problem.kinds], NOTHING]


@pytest.mark.parametrize("size", [1, 2, 3, 8, 25, 50, 77])
@pytest.mark.parametrize("problem", [Brackets(), Brackets(kinds=1, depth=2), Brackets(kinds=2, depth=1)])
def test_a_parser_finds_the_same_answers(problem: Brackets, size: int) -> None:
    examples = problem.draw(np.random.default_rng([1, size]), 40, size)
    assert examples.inputs.shape == examples.targets.shape == examples.weights.shape == (2 * size + 2, 40)
    for row, text in enumerate(texts(problem, examples)):
        wanted, answers, pairs = parsed(text)
        assert [classes(problem)[kind] for kind in examples.targets[:, row].tolist()] == wanted
        assert examples.weights[:, row].nonzero().flatten().tolist() == sorted(answers)
        assert max(last - first for first, last, _ in pairs) == size
        assert max(level for _, _, level in pairs) <= problem.depth


@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize("distance", [1, 2, 10, 60])
def test_a_probe_asks_at_the_given_distance_and_depth(distance: int, depth: int) -> None:
    problem = Brackets()
    examples = problem.probe(np.random.default_rng([2, distance, depth]), 40, distance, depth)
    assert examples.answers == 40
    assert torch.equal(examples.weights[-1], torch.ones(40))
    for row, text in enumerate(texts(problem, examples)):
        closer = classes(problem)[int(examples.targets[-1, row])]
        _, answers, pairs = parsed(text + closer)
        assert answers[len(text) - 1] == closer
        first, last, level = pairs[-1]
        assert (last - first, level) == (distance, depth)


def test_every_depth_distance_and_way_not_to_count_occurs() -> None:
    problem = Brackets()
    drawn = texts(problem, problem.draw(np.random.default_rng(3), 200, 50))
    pairs = Counter((last - first, level) for text in drawn for first, last, level in parsed(text)[2])
    assert {distance for distance, _ in pairs} >= {*range(1, 46), 50}
    assert {level for distance, level in pairs if distance == 50} == {1, 2, 3, 4}
    found = [piece for text in drawn for piece in IGNORED.findall(text)]
    for front in ('"', "//", "/*"):
        within = Counter("".join(piece[2:-2] for piece in found if piece.startswith(front)))
        assert all(within[bracket] > 50 for bracket in "{}()[]")
    # quotes in comments, and what would begin a comment in strings and in the other comment
    assert any('"' in piece for piece in found if piece.startswith("/"))
    assert any("/*" in piece[2:] for piece in found)


def test_kinds_are_as_frequent_and_the_rest_is_what_guessing_costs() -> None:
    problem = Brackets(distance=20)
    examples = problem.draw(np.random.default_rng(4), 400, 20)
    counts = torch.bincount(examples.targets[examples.weights > 0], minlength=4).double()
    share = counts / counts.sum()
    assert float((share[:3] - share[:3].mean()).abs().max()) <= 0.03
    assert float(-(share * share.log()).sum()) == pytest.approx(problem.blind, rel=0.03)
    assert (problem.outputs, problem.symbols, problem.span, problem.size) == (4, 55, 20, 20)


def test_the_same_seed_gives_the_same_text() -> None:
    one, same, other = (Brackets().draw(np.random.default_rng([seed, 5]), 8, 30).inputs for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_code_is_read_and_answered() -> None:
    problem = Brackets(kinds=2)
    inputs = problem.read('if (a) { // }\\n s = "}"; ')
    assert texts(problem, Examples(inputs, inputs, torch.ones(inputs.shape))) == ['if (a) { // }\n s = "}"; ']
    outputs = torch.zeros(5, 1, 3)
    for place, said in enumerate(("}", ")", NOTHING)):
        outputs[-1, 0, place] = place + 1.0
        assert problem.answer("", outputs) == said


@pytest.mark.parametrize(
    ("line", "said"), [("f(x) ? 1 : 0", "'?:': expected characters"), ("a[", "'[': expected"), ("", "an empty line")]
)
def test_what_cannot_be_read_is_named_in_one_line(line: str, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)) as caught:
        Brackets(kinds=2).read(line)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"distance": 0}, "--distance is 0; expected at least 1"),
        ({"depth": 0}, "--depth is 0; expected at least 1"),
        ({"kinds": 0}, "--kinds is 0; expected at least 1"),
        ({"kinds": 4}, "--kinds is 4; expected at most 3: {}, (), []"),
    ],
)
def test_options_that_cannot_be(options: dict[str, int], said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        Brackets(**options)


@pytest.mark.parametrize(("distance", "depth"), [(0, 1), (5, 0), (5, 5)])
def test_probes_that_cannot_be(distance: int, depth: int) -> None:
    with pytest.raises(InputError, match=f"distance {distance}, depth {depth}: expected"):
        Brackets().probe(np.random.default_rng(0), 3, distance, depth)
