"""Skip-gram and CBOW as their equations say, a window after another in float64 (Mikolov et al. 2013, arXiv 1310.4546).

For a word w with contexts c₁ … c_n: skip-gram minimises Σᵢ [−log σ(u_w · v_cᵢ) − Σ_k log σ(−u_k · v_cᵢ)], k being words
that are drawn, the same for a group of neighbouring contexts (Ji et al. 2016); CBOW has h = (1/n) Σᵢ v_cᵢ in the
place of each v_cᵢ. With a tree the sum is over the inner nodes on the path to w, −log σ(±u_node · v). All gradients of
a group, or of a window, are taken with the weights as they were before it.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from peephole.word_operands import ALWAYS, END, Learnt, Noise, Stretch, Table, WordSettings

GOLDEN = 0x9E3779B97F4A7C15
WORD64, WORD32 = 0xFFFFFFFFFFFFFFFF, 0xFFFFFFFF


class Draws:
    """SplitMix64 (Steele et al. 2014), a sequence for each part of a text."""

    def __init__(self, seed: int, part: int) -> None:
        self.state = _mixed(seed + GOLDEN) ^ _mixed((part + 1) * GOLDEN)

    def next(self) -> int:
        """64 random bits."""
        self.state = (self.state + GOLDEN) & WORD64
        return _mixed(self.state)

    def word(self) -> int:
        """32 random bits."""
        return self.next() >> 32

    def below(self, count: int) -> int:
        """0 … count − 1."""
        return self.word() * count >> 32


def _mixed(z: int) -> int:
    z &= WORD64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & WORD64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & WORD64
    return z ^ (z >> 31)


def learn(inputs: Table, outputs: Table, settings: WordSettings, stretch: Stretch) -> Learnt:
    """Learn from a stretch of text; both tables change in place, in the precision that they have."""
    parts = len(stretch.rates)
    found = Learnt(np.zeros(parts), np.zeros(parts, dtype=np.int64))
    for part in range(parts):
        draws = Draws(stretch.seed, stretch.first + part)
        tokens = stretch.tokens[stretch.starts[part] : stretch.starts[part + 1]].tolist()
        for sentence in _sentences(tokens, settings, draws):
            for contexts, targets, labels in _windows(sentence, settings, draws):
                loss, count = _step(inputs, outputs, contexts, targets, labels, settings, float(stretch.rates[part]))
                found.losses[part] += loss
                found.targets[part] += count
    return found


def _sentences(tokens: list[int], settings: WordSettings, draws: Draws) -> Iterator[list[int]]:
    """What is left of each sentence when frequent words were thinned out."""
    sentence: list[int] = []
    for token in (*tokens, END):
        if token == END:
            if len(sentence) > 1:
                yield sentence
            sentence = []
        elif settings.kept[token] == ALWAYS or draws.word() < settings.kept[token]:
            sentence.append(token)


def _windows(
    sentence: list[int], settings: WordSettings, draws: Draws
) -> Iterator[tuple[list[int], list[int], list[float]]]:
    """Contexts of a word, the outputs that they are scored with, and which of these are to be likely."""
    kind = settings.outputs
    for place, word in enumerate(sentence):
        reach = 1 + draws.below(settings.window) if settings.shrink else settings.window
        around = range(max(0, place - reach), min(len(sentence), place + reach + 1))
        contexts = [sentence[i] for i in around if i != place]
        if isinstance(kind, Noise):
            count = 1 if settings.bag else -(-len(contexts) // kind.sharing)
            for group in range(count):
                first, last = len(contexts) * group // count, len(contexts) * (group + 1) // count
                targets = [word, *_negatives(word, kind, draws)]
                yield contexts[first:last], targets, [1.0] + [0.0] * (len(targets) - 1)
        else:
            path = slice(kind.paths[word], kind.paths[word + 1])
            yield contexts, kind.nodes[path].tolist(), (1.0 - kind.turns[path]).tolist()


def _negatives(word: int, kind: Noise, draws: Draws) -> Iterator[int]:
    """Words as their distribution has them; `word` itself, where it is drawn, is left out."""
    for _ in range(kind.negatives):
        random = draws.next()
        drawn = (random >> 32) * len(kind.slots) >> 32
        if (random & WORD32) >= kind.slots["below"][drawn]:
            drawn = int(kind.slots["other"][drawn])
        if drawn != word:
            yield drawn


def _step(
    inputs: Table,
    outputs: Table,
    contexts: list[int],
    targets: list[int],
    labels: list[float],
    settings: WordSettings,
    rate: float,
) -> tuple[float, int]:
    v = inputs[contexts].astype(np.float64)
    if settings.bag:
        v = v.mean(0, keepdims=True)
    u, label = outputs[targets].astype(np.float64), np.array(labels)
    scores = v @ u.T
    loss = float(np.logaddexp(0, np.where(label > 0.5, -scores, scores)).sum())
    errors: Float64[np.ndarray, "predictions outputs"] = rate * (label - 0.5 * (1 + np.tanh(scores / 2)))
    change: NDArray[np.float64] = errors @ u
    if settings.bag:
        change = np.repeat(change / (len(contexts) if settings.divided else 1), len(contexts), axis=0)
    np.add.at(outputs, targets, (errors.T @ v).astype(outputs.dtype))
    np.add.at(inputs, contexts, change.astype(inputs.dtype))
    return loss, len(v)
