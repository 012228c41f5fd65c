"""How many words and characters are wrong, and which."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from peephole.errors import InputError
from peephole.tasks.examples.scores import ScoreTable

SHOWN = 15  # confusions in the table
NOTHING = "(nothing)"


@dataclass(frozen=True, eq=False)
class Compared:
    """What is said beside what is heard.

    Attributes:
        metrics: the shares of words and characters that are wrong, and of what kind, by jiwer; the share of transcripts
            without a mistake.
        right: of each heard word of all recordings in order, whether it is right.
        confusions: how often what was heard for what, `(said, heard)`, of each mistake.
    """

    metrics: dict[str, float]
    right: tuple[bool, ...]
    confusions: Counter[tuple[str, str]]

    @classmethod
    def of(cls, said: Sequence[str], heard: Sequence[str]) -> "Compared":
        """Of transcripts that are not empty, and what was heard of each."""
        jiwer = _jiwer()
        words, characters = (
            jiwer.process_words(list(said), list(heard)),
            jiwer.process_characters(list(said), list(heard)),
        )
        count = words.hits + words.substitutions + words.deletions
        right: list[bool] = []
        confusions: Counter[tuple[str, str]] = Counter()
        for one, other, chunks in zip(words.references, words.hypotheses, words.alignments, strict=True):
            for chunk in chunks:
                before = one[chunk.ref_start_idx : chunk.ref_end_idx] or [NOTHING]
                after = other[chunk.hyp_start_idx : chunk.hyp_end_idx]
                right += [chunk.type == "equal"] * len(after)
                if chunk.type != "equal":
                    pairs = max(len(before), len(after))
                    confusions.update(zip(_filled(before, pairs), _filled(after, pairs), strict=True))
        metrics = {
            "word error %": words.wer,
            "character error %": characters.cer,
            "without a mistake %": sum(one == other for one, other in zip(said, heard, strict=True)) / len(said),
            "substituted %": words.substitutions / count,
            "left out %": words.deletions / count,
            "added %": words.insertions / count,
        }
        return cls(metrics, tuple(right), confusions)

    @property
    def table(self) -> ScoreTable:
        """The most frequent mistakes."""
        rows = tuple((said, heard, f"{count:,}") for (said, heard), count in self.confusions.most_common(SHOWN))
        return ScoreTable("Most frequent mistakes", ("said", "heard", "times"), rows)


def by_speaker(said: Sequence[str], heard: Sequence[str], speakers: Sequence[str | None]) -> ScoreTable | None:
    """Errors of each speaker; None where none is known."""
    names = sorted({speaker for speaker in speakers if speaker is not None})
    rows: list[tuple[str, ...]] = []
    for name in names:
        places = [place for place, speaker in enumerate(speakers) if speaker == name]
        found = Compared.of([said[place] for place in places], [heard[place] for place in places]).metrics
        errors = (f"{found['word error %']:.2%}", f"{found['character error %']:.2%}")
        rows.append((name, f"{len(places):,}", *errors))
    if not rows:
        return None
    return ScoreTable("By speaker", ("speaker", "recordings", "word error", "character error"), tuple(rows))


def distance(said: Sequence[Sequence[int]], heard: Sequence[Sequence[int]]) -> int:
    """Units substituted, left out and added, together, in the cheapest way that makes one of the other."""
    pairs = [(one, other) for one, other in zip(said, heard, strict=True) if len(one)]
    added = sum(len(other) for one, other in zip(said, heard, strict=True) if not len(one))
    if not pairs:
        return added
    found = _jiwer().process_words(
        *(([" ".join(map(str, units)) for units in side]) for side in zip(*pairs, strict=True))
    )
    return added + found.substitutions + found.deletions + found.insertions


def check_installed() -> None:
    """`InputError` where jiwer is not installed, said before any work."""
    _jiwer()


def _filled(words: Sequence[str], count: int) -> list[str]:
    return [*words, *[NOTHING] * (count - len(words))]


def _jiwer() -> Any:
    try:
        import jiwer
    except ModuleNotFoundError:
        raise InputError("word errors need jiwer, which is not installed; pip install 'peephole[speech]'") from None
    return jiwer
