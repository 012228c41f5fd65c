"""A layer's call that shows its inside: gates and states of every step, and, after the backward, their gradients.

`Record` holds what one layer and direction shows; `kernels` fills it from what the compiled kernels keep for their
backward anyway, `equations` by running the reference beside any other kernel.
"""

from peephole.ops.tracing.record import Record as Record

__all__ = ["Record"]
