"""The oracle: each cell as its equations, and the plain loop over time.

Differentiable any number of times, in any floating dtype, on any device; never optimised. Tests, benchmarks and
documentation compare with it, and it is the double backward of every operator. `by_hand` is the lecture's own forward
and backward, `noise` the masks that every back end uses.
"""

from peephole.reference.sequence import run as run

__all__ = ["run"]
