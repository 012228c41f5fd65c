"""While training, memory that was freed is kept for the next step rather than given back.

Gradients and logits of tens of thousands of words are as large as they are short-lived. glibc takes each block over
32 MB from the kernel and gives it back at once, so that every step writes to pages that the kernel first has to clear:
of a step over 33,278 words a fifth of the processor time. The most memory that is held at a time stayed nearly the same
in such trainings; at worst some blocks of a size stay that alignment keeps from serving again.
"""

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

TRIM_THRESHOLD, MMAP_MAX = -1, -4  # the names of these settings in glibc's malloc.h
KEPT, USUALLY_KEPT = 1 << 30, 1 << 26  # bytes at the end of the heap; what glibc comes to by itself with large blocks
APART, USUALLY_APART = 0, 65_536  # blocks that are taken from the kernel one by one, and glibc's default


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """While it lasts, this process keeps what it frees; afterwards it gives it back. Nothing where glibc is not."""
    library = ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
    if library is None:
        yield
        return
    library.mallopt(MMAP_MAX, APART)
    library.mallopt(TRIM_THRESHOLD, KEPT)
    try:
        yield
    finally:
        library.mallopt(MMAP_MAX, USUALLY_APART)
        library.mallopt(TRIM_THRESHOLD, USUALLY_KEPT)
        library.malloc_trim(0)
