"""Beam search over many sources at once: the likeliest answers of a decoder that speaks a symbol at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from peephole.errors import InputError
from peephole.generate.hypothesis import Found, Hypothesis
from peephole.generate.ledger import ENDED, KEPT, PRUNED, Ledger
from peephole.generate.ranking import Logs, Ranked, begins, likeliest_of_rows, likeliest_of_sources, places_in_groups
from peephole.generate.speaking import Speaking


def search_all(
    steps: Speaking,
    end: int | Sequence[int] | None,
    beams: int = 4,
    longest: int | Sequence[int] = 100,
    length_power: float = 0.0,
    never: Sequence[int] = (),
    best: int | None = None,
    keep_tree: bool = False,
    ended_first: bool = True,
) -> list[Found]:
    """The `best` likeliest answers to each source, all `beams` of them unless told, by beam search; one beam is greedy.

    At each step the likeliest `beams` ways to go on are kept; those that say `end`, or one of several, before them are
    hypotheses that ended. Hypotheses are ranked by `Hypothesis.score`; of equals the one found first goes first. A
    source is done when no open hypothesis has, at the length that it has now, a better score than the worst of the
    `best` that ended; with a length power, which may make a hypothesis better as it grows, not before `beams` ended (as
    fairseq does, Ott et al. 2019). What has not ended after `longest` symbols, one number or one a source, is stopped.
    With `ended_first` such hypotheses come after all that ended. Symbols in `never` are not said. What a source gets
    does not depend on those beside it, as far as the decoder's numbers do not.

    Raises:
        InputError: `beams`, `longest` or `best` is below 1, or a probability is no number.
    """
    wanted = beams if best is None else best
    if min(beams, wanted, *np.atleast_1d(longest).tolist()) < 1:
        raise InputError(
            f"beam search for the best {wanted} with {beams} beams of {longest} symbols; expected at least 1 of each"
        )
    logs = steps.begin().cpu().numpy()
    count = len(logs)
    limits = np.broadcast_to(np.asarray(longest, np.int64), (count,))
    ends = [_Ends(beams, min(wanted, beams), length_power) for _ in range(count)]
    ledger = Ledger()
    impossible = np.asarray(never, np.int64)
    rows = _Rows(np.arange(count), np.full(count, -1), np.zeros(count))
    for length in range(1, int(limits.max(initial=0)) + 1):
        ledger.look(steps.attention)
        logs[:, impossible] = -np.inf
        said, spoken, totals = _ranked(logs, rows, beams, keep_tree)
        sources = rows.sources[said]
        fates = _fates(sources, _ended(spoken, end), beams)
        nodes = ledger.add(rows.nodes[said], said, spoken, totals, sources, fates)
        for place in (fates == ENDED).nonzero()[0].tolist():
            ends[sources[place]].add(int(nodes[place]), float(totals[place]), length, True)
        able = np.zeros(count, bool)
        able[sources] = True
        for place in (~able[rows.sources]).nonzero()[0].tolist():  # after these nothing is possible
            ends[rows.sources[place]].add(int(rows.nodes[place]), float(rows.totals[place]), length - 1, False)
        going = fates == KEPT
        for place in (going & (limits[sources] == length)).nonzero()[0].tolist():
            ends[sources[place]].add(int(nodes[place]), float(totals[place]), length, False)
        able &= limits > length
        going &= able[sources]
        left = going.nonzero()[0]
        for place in left[begins(sources[left])].tolist():  # the likeliest open one of each source
            able[sources[place]] = not ends[sources[place]].settled(float(totals[place]), length)
        going &= able[sources]
        if not going.any():
            break
        rows = _Rows(sources[going], nodes[going], totals[going])
        logs = steps.step(torch.from_numpy(said[going]), torch.from_numpy(spoken[going])).cpu().numpy()
    trees = [ledger.tree(source) if keep_tree else () for source in range(count)]
    return [Found(each.best(ledger, ended_first), tree) for each, tree in zip(ends, trees, strict=True)]


def _ended(spoken: NDArray[np.int64], end: int | Sequence[int] | None) -> NDArray[np.bool_]:
    return np.isin(spoken, np.asarray(end)) if isinstance(end, Sequence) else spoken == end


@dataclass(frozen=True, eq=False)
class _Rows:
    """The decoder's rows: whose each is, its last node, and its log-probability so far; sources in rising order."""

    sources: NDArray[np.int64]
    nodes: NDArray[np.int64]
    totals: NDArray[np.float64]


def _ranked(logs: Logs, rows: _Rows, beams: int, keep_tree: bool) -> Ranked:
    if beams == 1 and not keep_tree:
        return likeliest_of_rows(logs, rows.totals)
    # so many that `beams` stay if each of as many rows ends
    return likeliest_of_sources(logs, rows.totals, rows.sources, 2 * beams)


def _fates(sources: NDArray[np.int64], ended: NDArray[np.bool_], beams: int) -> NDArray[np.int64]:
    """What becomes of the likeliest ways to go on, those of a source side by side, the likelier first.

    As many are gone on with as there are beams; an end counts where it is likelier than the last of them.
    """
    open_before = (~ended).cumsum() - ~ended
    first = np.arange(len(sources)) - places_in_groups(sources)
    fits = open_before - open_before[first] < beams
    return np.where(fits, np.where(ended, ENDED, KEPT), PRUNED)


class _Ends:
    """The hypotheses of one source that are complete: each its last node, log-probability, length, whether it ended."""

    def __init__(self, beams: int, wanted: int, length_power: float) -> None:
        self._beams, self._wanted, self._length_power = beams, wanted, length_power
        self._kept: list[tuple[int, float, int, bool]] = []

    def add(self, node: int, total: float, length: int, ended: bool) -> None:
        self._kept.append((node, total, length, ended))
        if ended:
            self._kept = sorted(self._kept, key=self._worth)[: self._beams]

    def settled(self, total: float, length: int) -> bool:
        """Whether the likeliest open hypothesis, and so each, is no better than the worst that is wanted."""
        if len(self._kept) < (self._beams if self._length_power else self._wanted):
            return False
        return -self._worth(self._kept[self._wanted - 1]) >= total / length**self._length_power

    def best(self, ledger: Ledger, ended_first: bool) -> tuple[Hypothesis, ...]:
        ranked = sorted(self._kept, key=lambda one: (ended_first and not one[3], self._worth(one)))
        found: list[Hypothesis] = []
        for node, total, _length, ended in ranked[: self._wanted]:
            symbols, attention = ledger.said(node)
            found.append(Hypothesis(symbols, total, ended, attention))
        return tuple(found)

    def _worth(self, one: tuple[int, float, int, bool]) -> float:
        return -one[1] / max(1, one[2]) ** self._length_power
