"""Skip-gram and CBOW in the compiled module: what `reference.word_vectors` computes, in float32 and many at once."""

import numpy as np

from peephole._native.instructions import chosen, core
from peephole.word_operands import Learnt, Noise, Stretch, Table, WordSettings


def learn(inputs: Table, outputs: Table, settings: WordSettings, stretch: Stretch, threads: int = 1) -> Learnt:
    """Learn from a stretch of text; both float32 tables change in place.

    On one thread the result is the same every time. Several write without locks (Recht et al. 2011): results then
    differ a little from call to call.
    """
    assert core is not None
    for table in (inputs, outputs):
        assert table.dtype == np.float32
        assert table.flags.c_contiguous
    assert stretch.tokens.flags.c_contiguous
    kind = settings.outputs
    rows = len(kind.slots) if isinstance(kind, Noise) else len(kind.paths) - 2
    assert len(inputs) == len(settings.kept)
    assert len(outputs) >= rows
    assert inputs.shape[1] == outputs.shape[1]
    parts = len(stretch.rates)
    found = Learnt(np.zeros(parts), np.zeros(parts, dtype=np.int64))
    if isinstance(kind, Noise):
        told_apart = [kind.negatives, kind.sharing, kind.slots.ctypes.data, len(kind.slots), 0, 0, 0]
    else:
        tree = [kind.paths.ctypes.data, kind.nodes.ctypes.data, kind.turns.ctypes.data]
        told_apart = [0, 0, 0, len(kind.paths) - 1, *tree]
    core.learn_words(
        chosen(),
        [
            *(stretch.tokens.ctypes.data, stretch.starts.ctypes.data, stretch.rates.ctypes.data),
            *(parts, stretch.first, stretch.seed),
            *(inputs.ctypes.data, outputs.ctypes.data, inputs.shape[1], settings.kept.ctypes.data),
            *(settings.window, int(settings.shrink), int(settings.bag), int(settings.divided)),
            *told_apart,
            *(threads, found.losses.ctypes.data, found.targets.ctypes.data),
        ],
    )
    return found
