"""What Kneser-Ney smoothing takes off a count, estimated from how many n-grams have small counts."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FEWEST = 10  # n-grams of each small count; of fewer, chance makes discounts that give almost nothing to a count of 2
HALF = 0.5  # where nothing can be estimated: less than any count, and more than nothing


@dataclass(frozen=True)
class Discounts:
    """What is taken off the counts of n-grams of one length.

    Attributes:
        once: off a count of 1.
        twice: off a count of 2.
        more: off larger ones.
        source: "modified", the three discounts of modified Kneser-Ney; "single", one for all counts, where the
            text has too few small counts for three; "fixed", 0.5, where it has too few for one.
    """

    once: float
    twice: float
    more: float
    source: Literal["modified", "single", "fixed"]

    @classmethod
    def of(cls, counts: NDArray[np.integer]) -> "Discounts":
        """Estimate them from the counts of all n-grams of a length, `[ngrams]`.

        With n_c the number of n-grams counted c times and Y = n1 / (n1 + 2·n2), a count c loses
        c - (c + 1)·Y·n_{c+1} / n_c, and counts above 3 lose what 3 does (Chen and Goodman 1999, equation 26).

        Small alphabets and small texts have few small counts. Where one of n1 to n4 is less than 10, or a discount is
        not above 0 and at most its count, all counts lose Y (Ney, Essen and Kneser 1994); where n1 or n2 is zero, 0.5.
        A discount of 0 would leave no probability for what was never seen.
        """
        n1, n2, n3, n4 = (int(np.count_nonzero(counts == count)) for count in (1, 2, 3, 4))
        if not (n1 and n2):
            return cls(HALF, HALF, HALF, "fixed")
        y = n1 / (n1 + 2 * n2)
        if min(n1, n2, n3, n4) >= FEWEST:
            three = 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3
            if all(0 < amount <= count for count, amount in enumerate(three, 1)):
                return cls(*three, "modified")
        return cls(y, y, y, "single")

    def amounts(self, counts: NDArray[np.integer]) -> NDArray[np.float64]:
        """What each count loses, `[ngrams]`; 0 loses nothing."""
        return np.array([0.0, self.once, self.twice, self.more])[np.minimum(counts, 3)]
