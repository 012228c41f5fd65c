"""n-grams of a file, with the words that they are of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from peephole.models.ngram import NGram

NEVER, UNKNOWN, PARTING, WORDS = 0, 1, 2, 3  # numbers: <eod>, <unk>, </s> and <s>, the first word


@dataclass(frozen=True, eq=False)
class ArpaModel:
    """A back-off model: of whatever discounts and pruning, as its file says.

    Attributes:
        ngram: over the numbers of `symbols`. Its boundary is `</s>`, which is `<s>` at the beginning; None where the
            file has neither.
        symbols: `<eod>`, which never comes; `<unk>`; the line end; then all others in the order of code points, `[V]`.
        knows_unknown: whether the file has `<unk>`. Else words that it lacks have no probability.
        left_out: n-grams with `<s>` after their first token or `</s>` before their last, which nothing asks for.
    """

    ngram: NGram
    symbols: Sequence[str]
    knows_unknown: bool
    left_out: int = 0
    _numbers: dict[str, int] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._numbers.update({word: number for number, word in enumerate(self.symbols[WORDS:], WORDS)})

    @property
    def of_characters(self) -> bool:
        """Whether its tokens are single characters."""
        return all(len(symbol) == 1 for symbol in self.symbols[WORDS:])

    def encode(self, sentences: Iterable[Sequence[str]]) -> NDArray[np.int64]:
        """Sentences as numbers, each ended by `</s>` where the model knows it, with the first one's `<s>` before.

        Tokens that the model lacks are `<unk>`.
        """
        parting = [] if self.ngram.boundary is None else [PARTING]
        found = list(parting)
        for tokens in sentences:
            found += [self._numbers.get(token, UNKNOWN) for token in tokens]
            found += parting
        return np.array(found, dtype=np.int64)
