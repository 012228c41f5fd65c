"""Answers to sentences that have no labels: many at once, or word by word as they come."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch

from peephole.data.sequences.batches import batch_of
from peephole.data.tagging.encoding import TaggingEncoding
from peephole.models.following import Following
from peephole.models.perceptron import Perceptron
from peephole.models.sequence import SequenceModel
from peephole.tasks.examples.answer import Answer
from peephole.tasks.tagging.answer import SentenceEnd, TaggedSentence, tagged
from peephole.tasks.tagging.items import Line

TOGETHER = 32  # sentences that are answered at once

Words = tuple[str, ...]
Net = SequenceModel | Perceptron


def answered(
    net: Net, encoding: TaggingEncoding, sentences: Iterable[Words], together: int = TOGETHER
) -> Iterator[Answer]:
    """An answer a sentence, in order."""
    waiting: list[Words] = []
    for words in sentences:
        waiting.append(words)
        if len(waiting) == together:
            yield from _batch(net, encoding, waiting)
            waiting = []
    if waiting:
        yield from _batch(net, encoding, waiting)


def followed(net: SequenceModel, encoding: TaggingEncoding, lines: Iterable[Line]) -> Iterator[Answer]:
    """An answer a word, before the next one is asked for; a line that is a whole sentence is answered at once.

    `net` reads in one direction.
    """
    following, words = Following(net), 0
    for line in lines:
        if words and (line.whole or not line.words):
            yield SentenceEnd(words)
            following.reset()
            words = 0
        if line.whole:
            yield from _batch(net, encoding, [line.words])
        elif line.words:
            outputs = following.step(torch.from_numpy(encoding.inputs(line.words)).long())
            assert outputs is not None
            yield tagged(encoding, line.words, outputs.float().cpu())[0]
            words += 1
    if words:
        yield SentenceEnd(words)


def _batch(net: Net, encoding: TaggingEncoding, waiting: Sequence[Words]) -> Iterator[TaggedSentence]:
    batch = batch_of([(encoding.inputs(words), np.zeros(len(words), np.int64)) for words in waiting])
    device = next(net.parameters()).device
    with torch.no_grad():
        outputs = net(batch.inputs.to(device), lengths=batch.lengths.to(device))[0].float().cpu()
    for row, words in enumerate(waiting):
        yield TaggedSentence(tagged(encoding, words, outputs[: len(words), row]))
