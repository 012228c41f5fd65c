"""`BeamTree`: what a beam search looked at before it chose."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from peephole.generate.hypothesis import Found, Node

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class BeamTree:
    """The nodes of a search, and the path to its winner.

    Attributes:
        nodes: all that was considered; a node comes after the one before it.
        words: what each node says.
        winner: numbers of the nodes of the best hypothesis, from the first symbol on.
    """

    nodes: tuple[Node, ...]
    words: tuple[str, ...]
    winner: tuple[int, ...]

    @classmethod
    def of(cls, found: Found, word: Callable[[int], str]) -> "BeamTree":
        """Of what a search that kept its tree found, with the word of each symbol."""
        after = {(node.parent, node.symbol): number for number, node in enumerate(found.nodes)}
        path: list[int] = []
        for symbol in found.best.symbols:
            path.append(after[path[-1] if path else -1, symbol])
        return cls(found.nodes, tuple(word(node.symbol) for node in found.nodes), tuple(path))

    @cached_property
    def depths(self) -> tuple[int, ...]:
        """Of each node, which symbol of its answer it is: 1 is the first."""
        depths: list[int] = []
        for node in self.nodes:
            depths.append(1 if node.parent < 0 else depths[node.parent] + 1)
        return tuple(depths)

    @property
    def ranks(self) -> tuple[int, ...]:
        """At each symbol of the winner, the rank of its beginning among those of its length; 1 is the likeliest."""
        lasting = [
            (self.depths[number], node.log_probability)
            for number, node in enumerate(self.nodes)
            if node.fate != "pruned"
        ]
        return tuple(
            sum(depth == step and value > self.nodes[number].log_probability for depth, value in lasting) + 1
            for step, number in enumerate(self.winner, 1)
        )

    def share(self, number: int) -> float:
        """How likely a node's symbol was after those before it."""
        node = self.nodes[number]
        before = 0.0 if node.parent < 0 else self.nodes[node.parent].log_probability
        return math.exp(node.log_probability - before)

    @property
    def verdict(self) -> str:
        """What won, how likely it is, and whether it was the likeliest all the way."""
        if not self.winner:
            return "nothing was said."
        last = self.nodes[self.winner[-1]]
        stopped = "" if last.fate == "ended" else ", stopped before it ended"
        size = len(self.winner)
        text = (
            f"chose {size} symbols{stopped}, log-probability {last.log_probability:.2f}, after looking at "
            f"{len(self.nodes):,} nodes; "
        )
        behind = [step for step, rank in enumerate(self.ranks, 1) if rank > 1]
        if not behind:
            return text + "its beginning was the likeliest of its length at every symbol."
        ahead = behind[-1] + 1
        after = "the last among them" if ahead > size else f"it is ahead from symbol {ahead} on"
        return text + (
            f"another beginning was likelier at {len(behind)} of its symbols (worst rank {max(self.ranks)}), {after}."
        )

    def plot(self, ax: "Axes") -> None:
        """From left to right a symbol a column, lines as wide as the symbol is likely there.

        The winner runs straight on; what was gone on with stands beside it, what was dropped is faint, ends have
        frames. Where there is no room for all, the first symbols and the likeliest nodes of each are shown.
        """
        from peephole.tasks.examples.beam_tree_layout import Layout, shortened

        laid = Layout.of(self)
        for number, (x, y) in laid.places.items():
            fate, won = self.nodes[number].fate, number in self.winner
            line, ink = ("C0", "C0") if won else ("0.85", "0.55") if fate == "pruned" else ("0.6", "0.15")
            start, height = laid.places.get(self.nodes[number].parent, (0.0, 0.0))
            width = 0.4 + 2.6 * self.share(number)
            ax.plot([start, x], [height, y], color=line, linewidth=width, zorder=2 if won else 1)
            ax.text(
                x, y, shortened(self.words[number], laid.longest), color=ink, fontsize=6.5, ha="center", va="center",
                zorder=3, parse_math=False, fontweight="bold" if won else "normal",
                bbox={"boxstyle": "round,pad=0.12", "facecolor": "white", "linewidth": 0.8,
                      "edgecolor": line if fate == "ended" else "none"},
            )  # fmt: skip
        ax.plot([0], [0], "o", color="0.35", markersize=4, zorder=3)
        heights = [y for _, y in laid.places.values()] or [0.0]
        ax.set_xticks(laid.columns, [str(step) for step in range(1, len(laid.columns) + 1)])
        ax.set(xlim=(-1, laid.width), ylim=(max(heights) + 0.7, min(heights) - 0.7), yticks=[])
        all_of_them = len(laid.columns) == len(self.winner)
        ax.set_xlabel("symbol" if all_of_them else f"symbol, the first {len(laid.columns)} of {len(self.winner)}")
        ax.spines["left"].set_visible(False)
