"""Sound that comes piece by piece, at another rate."""

import numpy as np
from numpy.typing import NDArray

from peephole.data.sound.recordings import resampled

REACH = 10  # samples of the lower rate that the filter reads to each side


class Resampling:
    """Pieces of a recording at `rate` samples a second, as they come, at `wanted`.

    All pieces together give what `resampled` gives of the whole, but for rounding: each is resampled with as much
    before and after it as the filter reads.
    """

    def __init__(self, rate: int, wanted: int) -> None:
        common = int(np.gcd(rate, wanted))
        self.rate, self.wanted = rate, wanted
        self.up, self.down = wanted // common, rate // common
        reach = -(-REACH * max(self.up, self.down) // self.up) + 1
        self.reach = -(-reach // self.down) * self.down  # whole blocks, so that every piece begins between no samples
        self.kept = np.empty(0, np.float32)  # what is still read, from `before` of these blocks on
        self.before = 0  # samples of `kept` that are answered already

    def add(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """The samples `[samples]` that these bring."""
        if self.rate == self.wanted:
            return samples
        self.kept = np.concatenate([self.kept, samples])
        ready = (len(self.kept) - self.before - self.reach) // self.down * self.down
        if ready <= 0:
            return self.kept[:0]
        found = self._between(self.before, self.before + ready)
        dropped = max(0, self.before + ready - self.reach)
        self.kept, self.before = self.kept[dropped:], self.before + ready - dropped
        return found

    def end(self) -> NDArray[np.float32]:
        """The samples at the end."""
        found = self._between(self.before, len(self.kept)) if self.rate != self.wanted else self.kept
        self.kept = self.kept[:0]
        return found

    def _between(self, first: int, last: int) -> NDArray[np.float32]:
        """What the kept samples from `first`, between blocks, up to `last` become."""
        whole = resampled(self.kept, self.rate, self.wanted)
        return whole[first * self.up // self.down : -(-last * self.up // self.down)]
