"""Where the nodes of a `BeamTree` stand on a figure."""

from dataclasses import dataclass

from peephole.tasks.examples.beam_tree import BeamTree

DRAWN = 60  # nodes that can be read on a figure as wide as a report's
COLUMNS = range(12, 7, -1)  # as many symbols as leave room for words, more of them where they are short
SHORT, LONGEST = 6, 11  # characters of a word: there should be room for, and at most
GAP = 2.0  # characters between the columns
WIDE = 72.0  # characters that fit side by side


@dataclass(frozen=True, eq=False)
class Layout:
    """A node's place counts characters to the right and rows down; the winner's row is 0.

    Attributes:
        places: of the nodes that are shown.
        columns: the middle of the column of each symbol.
        width: where the last column ends.
        longest: characters of a word that there is room for.
    """

    places: dict[int, tuple[float, float]]
    columns: tuple[float, ...]
    width: float
    longest: int

    @classmethod
    def of(cls, tree: BeamTree) -> "Layout":
        """The first symbols of the likeliest hypotheses, without lines that cross."""
        laid = [cls._of(tree, columns) for columns in COLUMNS]
        return next((one for one in laid if one.longest >= SHORT), laid[-1])

    @classmethod
    def _of(cls, tree: BeamTree, most: int) -> "Layout":
        shown = _shown(tree, most)
        steps = max((tree.depths[number] for number in shown), default=0)
        widest = [1] * steps
        for number in shown:
            widest[tree.depths[number] - 1] = max(widest[tree.depths[number] - 1], len(tree.words[number]))
        fits = [size for size in range(3, LONGEST + 1) if sum(min(each, size) + GAP for each in widest) <= WIDE]
        longest = fits[-1] if fits else 3
        columns: list[float] = []
        width = GAP
        for size in widest:
            columns.append(width + min(size, longest) / 2)
            width += min(size, longest) + GAP
        rows = _rows(tree, shown)
        places = {number: (columns[tree.depths[number] - 1], float(rows[number])) for number in shown}
        return cls(places, tuple(columns), width, longest)


def shortened(word: str, longest: int) -> str:
    """A word of at most so many characters."""
    return word if len(word) <= longest else word[: longest - 1] + "…"


def _shown(tree: BeamTree, most: int) -> list[int]:
    """Numbers of the nodes that are drawn: of each symbol the winner's, those gone on with, then those dropped."""
    winner = set(tree.winner)
    steps: dict[int, list[int]] = {}
    for number, depth in enumerate(tree.depths):
        steps.setdefault(depth, []).append(number)
    shown = {-1}
    columns = min(most, len(tree.winner) + 1)  # one behind the winner's end shows that others would have gone on
    for depth in range(1, columns + 1):
        # within a fate the likelier come first as they are
        candidates = [number for number in steps.get(depth, []) if tree.nodes[number].parent in shown]
        candidates.sort(key=lambda number: (number not in winner, tree.nodes[number].fate == "pruned"))
        shown |= set(candidates[: DRAWN // columns])
    return sorted(shown - {-1})


def _rows(tree: BeamTree, shown: list[int]) -> dict[int, int]:
    """A row for each node: those that a walk through the tree meets before the winner above it, the others below."""
    following: dict[int, list[int]] = {}
    for number in shown:
        following.setdefault(tree.nodes[number].parent, []).append(number)
    straight = set(tree.winner) & set(shown)
    above: dict[int, list[int]] = {}
    below: dict[int, list[int]] = {}
    met = 0  # of the winner's nodes
    waiting = [-1]
    while waiting:
        number = waiting.pop()
        # What hangs on the winner's later nodes is below it, what hangs on its earlier ones beside its branch.
        if number in straight:
            met += 1
        elif number >= 0:
            (below if met == len(straight) else above).setdefault(tree.depths[number], []).append(number)
        branches = following.get(number, [])
        others = [each for each in branches if each not in straight]
        half = len(others) // 2
        # taken from the end: half of the others, the winner's branch, the rest
        waiting += [*others[half:], *(each for each in branches if each in straight), *others[:half]]
    rows = dict.fromkeys(straight, 0)
    for numbers in above.values():
        rows |= {number: place - len(numbers) for place, number in enumerate(numbers)}
    for numbers in below.values():
        rows |= {number: place for place, number in enumerate(numbers, 1)}
    return rows
