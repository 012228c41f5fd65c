"""What a benchmark of word vectors found, frozen, to and from JSON."""

import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from peephole.bench.machine import Machine, read_machine
from peephole.bench.results import FORMAT, median_ratio, read_text
from peephole.bench.word_vector_cases import GENSIM, KINDS, OURS, Contestant, Settings
from peephole.bench.word_vector_memory import TableMemory

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Text:
    """What was read: its words, those of the vocabulary, and the share of the words that training takes of them."""

    name: str
    words: int
    vocabulary: int
    kept: float

    def __str__(self) -> str:
        return (
            f"{self.name}\n{self.words:,} words, {self.vocabulary:,} different ones in the vocabulary; "
            f"{100 * self.kept:.0f} % are trained on, without rare ones and with frequent ones thinned out"
        )


@dataclass(frozen=True)
class Timed:
    """One kind: seconds of each contestant, a number a round, of training alone and from text to vectors.

    `same_topic` is the share of nearest neighbours that are of a word's own topic, in the made-up text that everybody
    learns first. `red` are complaints about it, and `refused` the reasons of those that did not take part; neither have
    seconds.
    """

    kind: str
    training: dict[Contestant, tuple[float, ...]]
    whole: dict[Contestant, tuple[float, ...]]
    same_topic: dict[Contestant, float]
    red: dict[Contestant, str]
    refused: dict[str, str]

    def ratio(self, threads: int, *, whole: bool = False) -> float | None:
        """gensim's time over ours with so many threads; None where one was not timed."""
        return self._over(Contestant(GENSIM, threads), Contestant(OURS, threads), whole)

    def scaling(self, who: str, threads: int) -> float | None:
        """Somebody's time of training with one thread over that with so many."""
        return self._over(Contestant(who, 1), Contestant(who, threads), False)

    def rate(self, one: Contestant, words: int, *, whole: bool = False) -> float:
        """Words of the text a second, every pass counted, in the middle of the rounds."""
        return words / statistics.median((self.whole if whole else self.training)[one])

    def _over(self, over: Contestant, under: Contestant, whole: bool) -> float | None:
        seconds = self.whole if whole else self.training
        return median_ratio(seconds[over], seconds[under]) if over in seconds and under in seconds else None


@dataclass(frozen=True)
class WordVectorReport:
    """Every kind in the order in which they were measured, and memory, if that was asked."""

    machine: Machine
    text: Text
    settings: Settings
    threads: int
    timed: tuple[Timed, ...]
    memory: tuple[TableMemory, ...] = ()

    @property
    def red(self) -> tuple[str, ...]:
        """What was wrong with results, one line each; empty when all were right."""
        return tuple(f"{one.kind}: {who}: {said}" for one in self.timed for who, said in one.red.items())

    @property
    def words(self) -> int:
        """Words that go by in one training, every pass counted."""
        return self.text.words * self.settings.epochs

    @property
    def counts(self) -> tuple[int, ...]:
        """Of threads, in turn."""
        return tuple(dict.fromkeys((1, self.threads)))

    @property
    def verdict(self) -> str:
        """How much faster training is than gensim's, and what more threads bring."""
        said = [self._said(one) for one in self.timed]
        return "\n".join([f"{line}." for line in said if line] or ["Nobody was compared."])

    def _said(self, one: Timed) -> str:
        ratios = {count: one.ratio(count) for count in self.counts}
        parts = [f"{ratio:.1f} times gensim's rate with {_threads(count)}" for count, ratio in ratios.items() if ratio]
        scaling = one.scaling(OURS, self.threads) if self.threads > 1 else None
        if scaling is not None:
            parts.append(f"{scaling:.2f} times its own with {self.threads} threads in place of one")
        return f"{KINDS[one.kind]}: {', '.join(parts)}" if parts else ""

    def as_json(self) -> dict[str, Any]:
        """Plain values; `read_word_vector_report` takes them back."""
        return {
            "format": FORMAT,
            "machine": asdict(self.machine),
            "text": asdict(self.text),
            "settings": asdict(self.settings),
            "threads": self.threads,
            "timed": [
                {name: _with_names(value) if isinstance(value, dict) else value for name, value in vars(one).items()}
                for one in self.timed
            ],
            "memory": [asdict(one) for one in self.memory],
            "summaries": [self._summary(one) for one in self.timed],
        }

    def _summary(self, one: Timed) -> dict[str, Any]:
        return {
            "kind": one.kind,
            "words_per_second": {str(who): one.rate(who, self.words) for who in one.training},
            "ratio": {str(count): one.ratio(count) for count in self.counts},
            "ratio_from_text": {str(count): one.ratio(count, whole=True) for count in self.counts},
            "scaling": {who: one.scaling(who, self.threads) for who in (OURS, GENSIM)},
        }

    def plot(self, ax: "Axes") -> None:
        """Draw a bar of words a second for each contestant, kind by kind."""
        from peephole.bench.word_vector_plot import draw_rates

        draw_rates(ax, self)


def _threads(count: int) -> str:
    return "one thread" if count == 1 else f"{count} threads"


def _with_names(values: dict[Any, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in values.items()}


def read_word_vector_report(text: str) -> WordVectorReport:
    """The report that `json.dumps(report.as_json())` wrote. `InputError` for another text."""
    return read_text(text, _build)


def _build(tree: dict[str, Any]) -> WordVectorReport:
    return WordVectorReport(
        read_machine(tree["machine"]),
        Text(**tree["text"]),
        Settings(**tree["settings"]),
        tree["threads"],
        tuple(map(_read_timed, tree["timed"])),
        tuple(TableMemory(**one) for one in tree["memory"]),
    )


def _read_timed(row: dict[str, Any]) -> Timed:
    seconds = {
        name: {Contestant.parse(who): tuple(values) for who, values in row[name].items()}
        for name in ("training", "whole")
    }
    said = {name: {Contestant.parse(who): one for who, one in row[name].items()} for name in ("same_topic", "red")}
    return Timed(**{**row, **seconds, **said})
