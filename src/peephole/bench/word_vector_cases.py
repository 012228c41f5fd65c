"""What is compared of word vectors: how they are learnt, with which settings, by whom on how many threads."""

from dataclasses import dataclass

from peephole.errors import InputError

KINDS = {"skipgram": "skip-gram", "cbow": "CBOW"}
LEARNING_RATES = {"skipgram": 0.025, "cbow": 0.05}  # word2vec's own
OURS, GENSIM = "peephole", "gensim"


@dataclass(frozen=True)
class Settings:
    """Of everybody: numbers a word, words to either side, wrong words beside each, rarest words, passes, seed.

    Without a `learning_rate` it is word2vec's own.
    """

    size: int = 100
    window: int = 5
    negatives: int = 5
    sample: float = 1e-4
    min_count: int = 5
    epochs: int = 1
    learning_rate: float | None = None
    seed: int = 1

    def rate(self, kind: str) -> float:
        """The learning rate to begin with."""
        return LEARNING_RATES[kind] if self.learning_rate is None else self.learning_rate

    def __str__(self) -> str:
        return (
            f"size {self.size}, window {self.window}, {self.negatives} negatives, sample {self.sample:g}, words seen "
            f"{self.min_count} times at least, {self.epochs} epoch{'' if self.epochs == 1 else 's'}"
        )


@dataclass(frozen=True, order=True)
class Contestant:
    """Somebody with so many threads."""

    who: str
    threads: int

    def __str__(self) -> str:
        return f"{self.who} {self.threads}"

    @staticmethod
    def parse(text: str) -> "Contestant":
        """The contestant that `str` wrote."""
        who, threads = text.rsplit(" ", 1)
        return Contestant(who, int(threads))


def contestants(threads: int) -> tuple[Contestant, ...]:
    """Ours and gensim's, with one thread and with so many."""
    return tuple(Contestant(who, count) for count in dict.fromkeys((1, threads)) for who in (OURS, GENSIM))


def check_kinds(kinds: tuple[str, ...]) -> None:
    """Raise `InputError` for a kind that nobody knows, and for none at all."""
    for kind in kinds:
        if kind not in KINDS:
            raise InputError(f"unknown kind {kind!r}; choose from {', '.join(KINDS)}")
    if not kinds:
        raise InputError(f"no kind given; choose from {', '.join(KINDS)}")
