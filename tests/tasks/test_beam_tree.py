"""The tree of a beam search: its winner's path, what it says, and where its nodes stand."""

import itertools

import pytest

from peephole.generate.hypothesis import Found, Hypothesis, Node
from peephole.tasks.examples.beam_tree import BeamTree
from peephole.tasks.examples.beam_tree_layout import Layout, shortened

WORDS = ("<end>", "a", "man", "dog", "runs", "extraordinarily")
# a man runs <end>; "dog" is likelier at first, and "a dog" as likely as "a man" is not
NODES = (
    Node(3, -0.6, -1, "kept"),
    Node(1, -1.2, -1, "kept"),
    Node(2, -3.0, -1, "pruned"),
    Node(2, -1.5, 1, "kept"),
    Node(4, -2.0, 0, "kept"),
    Node(3, -2.5, 1, "pruned"),
    Node(4, -1.9, 3, "kept"),
    Node(0, -4.0, 4, "ended"),
    Node(0, -2.0, 6, "ended"),
    Node(5, -3.3, 6, "kept"),
)
WINNER = Hypothesis((1, 2, 4, 0), -2.0, True)


def tree(found: Found) -> BeamTree:
    return BeamTree.of(found, WORDS.__getitem__)


FOUND = tree(Found((WINNER, Hypothesis((3, 4, 0), -4.0, True)), NODES))


def test_the_winner_and_its_ranks() -> None:
    assert FOUND.winner == (1, 3, 6, 8)
    assert FOUND.words[3] == "man"
    assert FOUND.depths == (1, 1, 1, 2, 2, 2, 3, 3, 4, 4)
    assert FOUND.ranks == (2, 1, 1, 1)
    assert abs(FOUND.share(3) - 0.740818) <= 1e-6
    assert abs(FOUND.share(0) - 0.548812) <= 1e-6


def test_what_it_says() -> None:
    assert FOUND.verdict == (
        "chose 4 symbols, log-probability -2.00, after looking at 10 nodes; another beginning was likelier at 1 of its "
        "symbols (worst rank 2), it is ahead from symbol 2 on."
    )
    straight = tree(Found((Hypothesis((3, 4), -2.0, False),), (*NODES[:1], Node(4, -2.0, 0, "kept"))))
    assert straight.verdict == (
        "chose 2 symbols, stopped before it ended, log-probability -2.00, after looking at 2 nodes; its beginning was "
        "the likeliest of its length at every symbol."
    )
    behind = tree(Found((Hypothesis((1, 2), -1.5, False),), (*NODES[:4], Node(4, -0.9, 0, "kept"))))
    assert behind.verdict.endswith("likelier at 2 of its symbols (worst rank 2), the last among them.")
    assert tree(Found((Hypothesis((), 0.0, False),))).verdict == "nothing was said."


def test_the_winner_stands_straight_and_no_two_nodes_share_a_place() -> None:
    laid = Layout.of(FOUND)
    assert set(laid.places) == set(range(10))
    assert {laid.places[number][1] for number in FOUND.winner} == {0.0}
    assert len(set(laid.places.values())) == 10
    columns = [laid.columns[depth - 1] for depth in FOUND.depths]
    assert columns == [laid.places[number][0] for number in range(10)]
    assert list(laid.columns) == sorted(laid.columns)
    assert laid.longest == 11
    assert shortened("extraordinarily", 11) == "extraordin…"


@pytest.mark.parametrize("beams", [1, 3, 12])
def test_lines_do_not_cross_and_few_nodes_are_drawn(beams: int) -> None:
    from peephole.generate.search import search_all

    from ..generate.invented import END, Invented

    for found in search_all(Invented([1, 2, 3, 4], symbols=30), END, beams, 20, 1.0, keep_tree=True):
        wide = BeamTree.of(found, lambda symbol: "w" * (symbol + 1))
        laid = Layout.of(wide)
        assert len(laid.places) <= 60
        assert laid.width <= 75
        nodes = sorted(laid.places, key=lambda number: (wide.depths[number], laid.places[number][1]))
        for one, other in itertools.pairwise(nodes):
            if wide.depths[one] == wide.depths[other] > 1:
                before = [laid.places[wide.nodes[number].parent][1] for number in (one, other)]
                assert before[0] <= before[1]


def test_it_draws_itself() -> None:
    pytest.importorskip("matplotlib")
    from peephole.figures import draw, png

    figure = draw(FOUND.plot)
    (ax,) = figure.axes
    assert [text.get_text() for text in ax.texts] == [shortened(word, 11) for word in FOUND.words]
    assert png(figure)
    assert png(draw(tree(Found((Hypothesis((), 0.0, False),))).plot))
    long = tuple(Node(1, -0.1 * step, step - 1, "kept") for step in range(30))
    (ax,) = draw(tree(Found((Hypothesis((1,) * 30, -3.0, False),), long)).plot).axes
    assert ax.get_xlabel() == "symbol, the first 12 of 30"
