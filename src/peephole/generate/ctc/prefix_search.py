"""Prefix beam search: the likeliest label sequences, each summed over all paths that spell it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from peephole.errors import InputError
from peephole.generate.ctc.outputs import Logs, checked
from peephole.generate.ctc.prefix import Prefix, Prefixes
from peephole.generate.language.model import LanguageModel

FORGETTING = 64  # frames after which prefixes that no hypothesis can come back to are forgotten


@dataclass(frozen=True)
class Reading:
    """Labels that the search found; log-probabilities in nats.

    Attributes:
        symbols: the labels.
        sound: log P of the labels given the sound, over the paths that the search kept.
        language: log P of the text, its end included, by the language model; 0 without one.
        words: how many words the text has.
        score: what it was ranked by, sound + weight · language + bonus · words.
    """

    symbols: tuple[int, ...]
    sound: float
    language: float
    words: int
    score: float


@dataclass(frozen=True)
class Fusion:
    """A language model beside the sound.

    Attributes:
        pieces: what each symbol adds to the text, `[V]`; the blank's is not looked at.
        model: None: the sound alone ranks, and words are counted.
        weight: of the model's log-probabilities; a model of weight 0 is as good as none.
        bonus: nats that each word earns for what it costs by the model.
    """

    pieces: Sequence[str]
    model: LanguageModel | None = None
    weight: float = 1.0
    bonus: float = 0.0


class PrefixSearch:
    """The search while frames arrive (Graves 2012, section 3.3; fused as by Hannun et al. 2014 and Maas et al. 2015).

    A prefix is kept with log P of all paths so far that spell it, apart for those that end in the blank. With as many
    `beams` as there are prefixes and `least` 0 nothing is left out, and the sums are exact. Of equals the one that
    goes on saying the same goes first.
    """

    def __init__(
        self, symbols: int, beams: int = 16, blank: int = 0, least: float = 1e-3, fusion: Fusion | None = None
    ) -> None:
        """Raises `InputError` for fewer than one beam, or pieces that are not one a symbol."""
        if beams < 1:
            raise InputError(f"prefix search with {beams} beams; expected at least 1")
        fusion = fusion or Fusion([""] * symbols)
        model = fusion.model if fusion.weight else None
        self._weight, self._bonus = (fusion.weight, fusion.bonus) if model is not None else (0.0, 0.0)
        self._tree = Prefixes(symbols, fusion.pieces, model)
        self._beams, self._blank = beams, blank
        self._least = np.log(least) if least > 0 else -np.inf
        self.frames = 0  # read so far
        self._base = self._tree.root()  # what all prefixes kept are known to begin with
        self._kept = [self._base]
        self._blanks = np.zeros(1)  # log P of the paths of each that end in the blank
        self._labels = np.full(1, -np.inf)  # and in its last label
        self._fused = np.zeros(1)  # weighted language and bonus of each

    def feed(self, logs: Logs) -> None:
        """Frames that follow the last, `[T, V]`. Raises `InputError` as `outputs.checked` does."""
        for row in checked(logs, self._blank):
            self._step(row)
            self.frames += 1
            if self.frames % FORGETTING == 0:
                self._forget()

    def settled(self) -> tuple[int, ...]:
        """The labels that all prefixes kept begin with: what follows changes them no more."""
        return self._shared().symbols

    def best(self, count: int = 1) -> list[Reading]:
        """The best of what was read so far, the best first, as if nothing followed."""
        sound = np.logaddexp(self._blanks, self._labels)
        ends = self._tree.ends(self._kept)
        scores = sound + self._fused + self._weight * ends
        order = np.argsort(-scores, kind="stable")[:count].tolist()
        return [
            Reading(
                symbols=self._kept[place].symbols,
                sound=float(sound[place]),
                language=self._kept[place].language + float(ends[place]),
                words=self._kept[place].words,
                score=float(scores[place]),
            )
            for place in order
        ]

    def _step(self, row: NDArray[np.float64]) -> None:
        kept, blanks, labels = self._kept, self._blanks, self._labels
        last = np.array([prefix.symbol for prefix in kept])  # -1 of the one without labels
        both = np.logaddexp(blanks, labels)
        new_blanks = both + row[self._blank]
        new_labels = np.where(last >= 0, labels + row[last], -np.inf)
        going = row >= self._least
        going[self._blank] = False
        symbols = np.flatnonzero(going)
        if not len(symbols):  # as in most frames: nothing begins
            self._keep(kept, new_blanks, new_labels, self._fused)
            return
        # A label that repeats the last begins anew only after a blank. [kept, symbols]
        begun = np.where(last[:, None] == symbols, blanks[:, None], both[:, None]) + row[symbols]
        self._merge(begun, symbols, new_labels)
        words = self._tree.begun[[prefix.place for prefix in kept]][:, symbols]
        fused = self._fused[:, None] + self._weight * self._tree.gains(kept, symbols) + self._bonus * words
        stay = np.logaddexp(new_blanks, new_labels) + self._fused
        scores = np.concatenate([stay, (begun + fused).ravel()])
        best = np.argsort(-scores, kind="stable")[: self._beams]
        best = best[: max(1, int((scores[best] > -np.inf).sum()))]
        prefixes = list[Prefix]()
        for place in best.tolist():
            parent, which = (place, -1) if place < len(kept) else divmod(place - len(kept), len(symbols))
            prefixes.append(kept[parent] if which < 0 else self._tree.child(kept[parent], int(symbols[which])))
        nothing = np.full(begun.size, -np.inf)
        self._keep(
            prefixes,
            np.concatenate([new_blanks, nothing])[best],
            np.concatenate([new_labels, begun.ravel()])[best],
            np.concatenate([self._fused, fused.ravel()])[best],
        )

    def _merge(self, begun: NDArray[np.float64], symbols: NDArray[np.int64], labels: NDArray[np.float64]) -> None:
        """What begins a prefix that is kept already is more of that one."""
        rows = {id(prefix): row for row, prefix in enumerate(self._kept)}
        columns = {symbol: column for column, symbol in enumerate(symbols.tolist())}
        for row, prefix in enumerate(self._kept):
            parent, column = rows.get(id(prefix.parent)), columns.get(prefix.symbol)
            if parent is not None and column is not None:
                labels[row] = np.logaddexp(labels[row], begun[parent, column])
                begun[parent, column] = -np.inf

    def _keep(
        self,
        prefixes: list[Prefix],
        blanks: NDArray[np.float64],
        labels: NDArray[np.float64],
        fused: NDArray[np.float64],
    ) -> None:
        self._kept, self._blanks, self._labels, self._fused = prefixes, blanks, labels, fused

    def _shared(self) -> Prefix:
        """The longest prefix that all which are kept begin with."""
        lines = list[list[Prefix]]()
        for prefix in self._kept:
            line, here = list[Prefix](), prefix
            while here is not self._base:
                line.append(here)
                assert here.parent is not None
                here = here.parent
            lines.append(line[::-1])
        for several in zip(*lines, strict=False):
            if any(prefix is not several[0] for prefix in several):
                break
            self._base = several[0]
        return self._base

    def _forget(self) -> None:
        """Let go of branches that left what is shared, so that memory does not grow with what was tried."""
        here = self._shared().parent
        while here is not None and here.children:
            here.children = {}
            if here.parent is not None:  # the state of `here` itself may still be asked to go on
                here.parent.state, here.parent.gains = None, here.parent.gains[:0]
            here = here.parent


def prefix_beam_search(
    logs: Logs,
    beams: int = 16,
    blank: int = 0,
    least: float = 1e-3,
    fusion: Fusion | None = None,
    count: int = 1,
) -> list[Reading]:
    """Up to `count` label sequences for `[T, V]` log-probabilities, the best first.

    Raises:
        InputError: `logs` are no log-probabilities, fewer than one beam, or pieces that are not one a symbol.

    >>> logs = np.log([[0.6, 0.4], [0.6, 0.4]])  # the best path says nothing, the likeliest labels are one
    >>> [(found.symbols, round(float(np.exp(found.sound)), 2)) for found in prefix_beam_search(logs, count=2)]
    [((1,), 0.64), ((), 0.36)]
    """
    search = PrefixSearch(logs.shape[1], beams, blank, least, fusion)
    search.feed(logs)
    return search.best(count)
