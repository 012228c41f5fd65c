"""Label sequences that share their beginnings, with what a language model says of each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from peephole.errors import InputError
from peephole.generate.language.model import LanguageModel, State

Place = Literal[0, 1, 2]  # where a text ends: before anything, after a space, within a word


@dataclass(eq=False, slots=True)
class Prefix:
    """A sequence of labels: the one that it goes on from, and the last label.

    Attributes:
        place: where its text ends.
        language: log P of its text by the language model, in nats.
        words: how many words begin in it.
        state: the language model's, None until it is asked for.
        gains: log P by the language model of each symbol's piece after it, NaN until asked for, `[V]`.
        children: prefixes that went on from it, so that one which comes back is not asked for again.
    """

    parent: "Prefix | None"
    symbol: int
    place: Place
    language: float
    words: int
    state: State
    gains: NDArray[np.float64]
    children: "dict[int, Prefix]" = field(default_factory=dict)

    @property
    def symbols(self) -> tuple[int, ...]:
        """All labels, the first first."""
        found: list[int] = []
        here = self
        while here.parent is not None:
            found.append(here.symbol)
            here = here.parent
        return tuple(reversed(found))


class Prefixes:
    """The tree of them, over symbols that spell `pieces`, `[V]`; the blank's is not looked at.

    A text begins with no space, whatever its first piece begins with. Without pieces symbols spell nothing.
    """

    def __init__(self, symbols: int, pieces: Sequence[str] | None, model: LanguageModel | None) -> None:
        """Raises `InputError` for other than one piece a symbol, or a language model without pieces."""
        if pieces is None and model is not None:
            raise InputError("a language model came without pieces; expected the text that each symbol adds")
        if pieces is not None and len(pieces) != symbols:
            raise InputError(f"{len(pieces)} pieces for {symbols} symbols; expected one each, the blank's too")
        self.symbols, self.model = symbols, model
        spelled = [""] * symbols if pieces is None else list(pieces)
        first = [piece.lstrip(" ") for piece in spelled]
        self.texts = (first, spelled, spelled)  # by place
        counts = np.array([len(piece.split(" ")) - piece.split(" ").count("") for piece in spelled])
        joined = np.array([piece != "" and piece[0] != " " for piece in spelled])
        self.begun = np.stack([counts, counts, counts - joined]).astype(np.float64)  # words that a piece begins

    def root(self) -> Prefix:
        """The prefix without labels."""
        return Prefix(None, -1, 0, 0.0, 0, None if self.model is None else self.model.begin(), self._unasked())

    def child(self, parent: Prefix, symbol: int) -> Prefix:
        """The prefix that goes on with `symbol`; with a model `gains` has asked about it before."""
        found = parent.children.get(symbol)
        if found is None:
            added = self.texts[parent.place][symbol]
            place: Place = parent.place if not added else 1 if added[-1] == " " else 2
            gain = 0.0 if self.model is None else float(parent.gains[symbol])
            words = parent.words + int(self.begun[parent.place, symbol])
            found = Prefix(parent, symbol, place, parent.language + gain, words, None, self._unasked())
            parent.children[symbol] = found
        return found

    def gains(self, prefixes: Sequence[Prefix], asked: Int[np.ndarray, " asked"]) -> Float[np.ndarray, "rows asked"]:
        """log P of each of the symbols `asked` after each prefix, in nats; the model is asked once for each pair."""
        if self.model is None:
            return np.zeros((len(prefixes), len(asked)))
        found = np.stack([prefix.gains[asked] for prefix in prefixes])
        missing = np.isnan(found)
        if not missing.any():
            return found
        unknown = [prefixes[row] for row in np.flatnonzero(missing.any(1)).tolist()]
        self._reach(unknown)
        for starts in (True, False):  # there a piece may be shorter
            rows = [prefix for prefix in unknown if (prefix.place == 0) == starts]
            if rows:
                self._ask(rows, asked[missing.any(0)])
        return np.stack([prefix.gains[asked] for prefix in prefixes])

    def ends(self, prefixes: Sequence[Prefix]) -> Float[np.ndarray, " rows"]:
        """log P that the text is over at each prefix, in nats; zeros without a model."""
        if self.model is None:
            return np.zeros(len(prefixes))
        self._reach(prefixes)
        return self.model.end([prefix.state for prefix in prefixes])

    def _unasked(self) -> NDArray[np.float64]:
        return np.full(0 if self.model is None else self.symbols, np.nan)

    def _ask(self, rows: Sequence[Prefix], asked: NDArray[np.int64]) -> None:
        assert self.model is not None
        texts = self.texts[rows[0].place]
        silent = [symbol for symbol in asked.tolist() if not texts[symbol]]
        spoken = [symbol for symbol in asked.tolist() if texts[symbol]]
        found = np.empty((len(rows), 0))
        if spoken:
            found = self.model.scores([prefix.state for prefix in rows], [texts[symbol] for symbol in spoken])
        for prefix, scores in zip(rows, found, strict=True):
            prefix.gains[silent] = 0.0
            prefix.gains[spoken] = scores

    def _reach(self, prefixes: Sequence[Prefix]) -> None:
        """Make the states that are missing; a parent has one, for it has been asked what follows."""
        assert self.model is not None
        before, added, waiting = list[State](), list[str](), list[Prefix]()
        for prefix in prefixes:
            if prefix.state is not None or prefix.parent is None:
                continue
            text = self.texts[prefix.parent.place][prefix.symbol]
            if text:
                before.append(prefix.parent.state)
                added.append(text)
                waiting.append(prefix)
            else:
                prefix.state = prefix.parent.state
        if waiting:
            for prefix, state in zip(waiting, self.model.extend(before, added), strict=True):
                prefix.state = state
