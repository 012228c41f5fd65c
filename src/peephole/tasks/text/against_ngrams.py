"""Where counts still beat a net: the same tokens by both, broken down, and the two mixed."""

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from peephole.data.tokenizer import Tokenizer
from peephole.models.ngram import Reading
from peephole.tasks.examples.scores import ScoreTable
from peephole.tasks.text.breakdown import Breakdown, Group
from peephole.tasks.text.mixture import Mixture
from peephole.tasks.text.passage import Passage
from peephole.tasks.text.places import places_of
from peephole.tasks.text.writing import names_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SEEN = (1, 10, 100, 1000)  # times in training at which another group begins
PLACES = (1, 2, 3, 4, 7, 11, 21)  # from the beginning
WINS, BEFORE = 12, 4  # words that are shown, and tokens before them


@dataclass(frozen=True)
class Win:
    """A token on which the n-gram is ahead: how often it came, by how many nats together, and where by most."""

    token: str
    times: int
    lead: float
    context: str
    net: float
    ngram: float


@dataclass(frozen=True)
class AgainstNGram:
    """A net beside an n-gram on the same tokens.

    Attributes:
        unit: what tokens are called, in the plural.
        ngram: name of the n-gram model.
        whole: all tokens as one group.
        breakdowns: by times seen in training, by the longest context that the n-gram knew, by place.
        wins: the tokens on which the n-gram gains most over all that came of them; context, net's and n-gram's nats are
            of the place where it leads by most.
        mixture: both together; None where there was nothing to choose its share on.
    """

    unit: str
    ngram: str
    whole: Group
    breakdowns: tuple[Breakdown, ...]
    wins: tuple[Win, ...]
    mixture: Mixture | None = None

    @property
    def verdict(self) -> str:
        """Who is better on the whole, how often, and what both together are worth."""
        whole, one = self.whole, self.unit.removesuffix("s")
        leader = f"the {self.ngram}" if whole.lead > 0 else "the net"
        said = (
            f"{leader} is better by {abs(whole.lead):.3f} nats a {one}; the {self.ngram} has the better guess on "
            f"{whole.better:.1%} of {self.unit}"
        )
        if self.mixture is None:
            return f"{said}."
        mixture = self.mixture
        return (
            f"{said}; {mixture.share:.2f} of the net mixed with {1 - mixture.share:.2f} of the {self.ngram} gives "
            f"perplexity {np.exp(mixture.nats):.2f}, the net alone {np.exp(mixture.net):.2f}."
        )

    @property
    def tables(self) -> tuple[ScoreTable, ...]:
        """The breakdowns, and the tokens on which the n-gram wins most."""
        tables = [ScoreTable(f"{each.title}: {each.verdict}", each.rows[0], each.rows[1:]) for each in self.breakdowns]
        header = ("", "times", "nats ahead", "most where", "net, nats", f"{self.ngram}, nats")
        rows = [
            (win.token, f"{win.times:,}", f"{win.lead:.1f}", win.context, f"{win.net:.2f}", f"{win.ngram:.2f}")
            for win in self.wins
        ]
        if rows:
            tables.append(ScoreTable(f"{self.unit} that the {self.ngram} gains most by:", header, tuple(rows)))
        return tuple(tables)

    def as_json(self) -> dict[str, Any]:
        """In JSON's types."""
        return {"verdict": self.verdict, **asdict(self)}

    def plot(self, ax: "Axes") -> None:
        """How far the n-gram is ahead or behind in every group of every breakdown."""
        rows = [(each.axis, group) for each in self.breakdowns for group in each.groups]
        places = np.arange(len(rows))
        leads = [group.lead for _, group in rows]
        ax.barh(places, leads, color=["C1" if lead > 0 else "C0" for lead in leads])
        ax.axvline(0, color="0.35", linewidth=0.8)
        ax.set_yticks(places, [f"{_short(axis)} {group.name}" for axis, group in rows], fontsize="small")
        ax.invert_yaxis()
        ax.set(xlabel=f"nats a {self.unit.removesuffix('s')} by which the {self.ngram} is ahead")


def compare(
    tokenizer: Tokenizer,
    passage: Passage,
    net: NDArray[np.float64],
    reading: Reading,
    seen: NDArray[np.integer],
    ngram: str = "5-gram",
    mixture: Mixture | None = None,
) -> AgainstNGram:
    """Of the passage that both have read.

    Args:
        tokenizer: of the passage.
        passage: what was read.
        net: nats of `passage.tokens[1:]` by the net, `[N − 1]`.
        reading: what the n-gram made of all of `passage.tokens`, `[N]`.
        seen: how often each token stands in the training text, `[V]`.
        ngram: its name.
        mixture: both together.
    """
    unit = tokenizer.unit
    # The end of a document is none of the tokens that means are over, and n-grams may hold it impossible.
    kept = np.flatnonzero(passage.tokens[1:] != tokenizer.eod)
    targets, net, other = passage.tokens[1:][kept], net[kept], reading.surprisal[1:][kept]
    contexts, places = reading.contexts[1:][kept], places_of(tokenizer, passage.tokens)
    others = unit, ngram
    longest = int(contexts.max())
    breakdowns = (
        Breakdown.of(
            "by times seen in training",
            "times in training",
            *others,
            _ranges((0, *SEEN)),
            np.searchsorted(SEEN, seen[targets], side="right"),
            net,
            other,
        ),
        Breakdown.of(
            f"by the longest context that the {ngram} knew",
            f"{unit} of context known",
            *others,
            [str(length) for length in range(longest + 1)],
            contexts,
            net,
            other,
        ),
        Breakdown.of(
            f"by place in the {places.within}",
            f"place in the {places.within}",
            *others,
            [places.between, *_ranges(PLACES)],
            np.searchsorted(PLACES, places.numbers[1:][kept], side="right"),
            net,
            other,
        ),
    )
    whole = Breakdown.of("", "", *others, ["all"], np.zeros(len(kept), dtype=np.int64), net, other).groups[0]
    return AgainstNGram(*others, whole, breakdowns, _wins(tokenizer, passage, kept, net, other), mixture)


def _ranges(begins: tuple[int, ...]) -> list[str]:
    """Names of the groups that begin at these numbers."""
    closed = [f"{first:,}" if after == first + 1 else f"{first:,}–{after - 1:,}" for first, after in pairwise(begins)]
    return [*closed, f"{begins[-1]:,}+"]


def _wins(
    tokenizer: Tokenizer,
    passage: Passage,
    kept: NDArray[np.intp],
    net: NDArray[np.float64],
    other: NDArray[np.float64],
) -> tuple[Win, ...]:
    """The tokens by which the n-gram gains most."""
    lead = net - other
    targets = passage.tokens[1:][kept].astype(np.int64)
    sums = np.bincount(targets, lead, len(tokenizer))
    counts = np.bincount(targets, minlength=len(tokenizer))
    between = "" if tokenizer.unit == "characters" else " "

    def win(token: int) -> Win:
        own = np.flatnonzero(targets == token)
        most = own[np.argmax(lead[own])]
        place = int(kept[most]) + 1
        context = passage.tokens[max(place - BEFORE, 0) : place].tolist()
        name, *before = names_of([tokenizer.symbols[number] for number in (token, *context)])
        spelled = between.join([*before, name])
        return Win(name, int(counts[token]), float(sums[token]), spelled, float(net[most]), float(other[most]))

    best = np.argsort(-sums, kind="stable")[:WINS]
    return tuple(win(token) for token in best.tolist() if sums[token] > 0)


def _short(axis: str) -> str:
    """The word of an axis that says which it is."""
    return next((word for word in ("times", "context", "place") if word in axis), axis)
