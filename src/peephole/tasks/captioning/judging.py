"""How good captions are beside those of people: BLEU and CIDEr-D, with intervals over pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int64
from numpy.typing import NDArray

from peephole.errors import InputError
from peephole.tasks.captioning.cider import Cider, Words

ORDERS = 4  # BLEU-1 to BLEU-4
RESAMPLES = 1000  # of the pictures
LEVEL = 0.95
SEED = 0  # of the resamples: all that is compared has the same ones

BLEU, CIDER = "BLEU-4", "CIDEr-D"


@dataclass(frozen=True, eq=False)
class Judged:
    """What captions of some pictures are worth.

    Attributes:
        counts: of each picture, its n-grams that a reference has, its n-grams, its words, and the words of the
            reference of the nearest length: 4 + 4 + 1 + 1 numbers.
        cider: of each picture.
    """

    counts: Int64[np.ndarray, "pictures 10"]
    cider: Float[np.ndarray, " pictures"]

    @property
    def metrics(self) -> dict[str, float]:
        """BLEU-4 first, which is what papers give; BLEU from 0 to 100, CIDEr-D from 0 to 10."""
        total = self.counts.sum(0)
        bleu = {f"BLEU-{order}": _bleu(total, order) for order in range(ORDERS, 0, -1)}
        return {BLEU: bleu.pop(BLEU), CIDER: float(self.cider.mean()), **bleu}

    def resampled(self) -> dict[str, NDArray[np.float64]]:
        """BLEU-4 and CIDEr-D of each of the resamples of the pictures, `[resamples]` (Koehn 2004)."""
        count = len(self.cider)
        random = np.random.default_rng(SEED)
        times = random.multinomial(count, np.full(count, 1 / count), RESAMPLES)
        bleu = [_bleu(row, ORDERS) for row in times @ self.counts]
        return {BLEU: np.array(bleu), CIDER: times @ self.cider / count}

    def intervals(self) -> dict[str, tuple[float, float]]:
        """Of BLEU-4 and CIDEr-D, where 95 % of the resamples lie."""
        edges = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
        return {
            name: (float(low), float(high))
            for name, values in self.resampled().items()
            for low, high in [np.quantile(values, edges)]
        }


class Judge:
    """Judges captions against references, which are cut into words already.

    BLEU is sacrebleu's for a whole corpus (Post 2018), without smoothing and with the reference of the nearest length,
    as the program that came with MS COCO has it (Chen et al. 2015).

    Raises:
        InputError: sacrebleu is missing.
    """

    def __init__(self, references: Sequence[Sequence[Words]]) -> None:
        self.references = [[" ".join(words) for words in captions] for captions in references]
        self._metric = _sacrebleu()(tokenize="none", smooth_method="none", force=True)
        self._cider = Cider(references)

    @property
    def signature(self) -> str:
        """What BLEU was measured with, in sacrebleu's words."""
        counts = {len(captions) for captions in self.references}
        self._metric.num_refs = counts.pop() if len(counts) == 1 else -1
        return str(self._metric.get_signature())

    def judge(self, captions: Sequence[Words]) -> Judged:
        """A caption of each picture, in order."""
        rows: list[list[int]] = []
        for words, references in zip(captions, self.references, strict=True):
            found = self._metric.corpus_score([" ".join(words)], [[one] for one in references])
            rows.append([*found.counts, *found.totals, found.sys_len, found.ref_len])
        return Judged(np.array(rows, np.int64).reshape(-1, 2 * ORDERS + 2), np.array(self._cider.scores(captions)))


def _bleu(counts: NDArray[np.int64], order: int) -> float:
    """BLEU of summed counts with n-grams of up to `order` words."""
    right, said = counts[:order].tolist(), counts[ORDERS : ORDERS + order].tolist()
    found = _sacrebleu().compute_bleu(
        right, said, int(counts[-2]), int(counts[-1]), smooth_method="none", max_ngram_order=order
    )
    return float(found.score)


def _sacrebleu() -> Any:
    try:
        from sacrebleu.metrics.bleu import BLEU as Metric
    except ImportError:
        raise InputError(
            "captions are judged by sacrebleu, which is not installed; pip install 'peephole[captioning]'"
        ) from None
    return Metric
