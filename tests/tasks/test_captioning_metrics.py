"""BLEU and CIDEr-D of captions against the figures of others, and naive methods against all that there is."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from peephole.tasks.captioning.cider import Cider, Words, ngrams
from peephole.tasks.captioning.intervals import Intervals
from peephole.tasks.captioning.judging import BLEU, CIDER, RESAMPLES, Judge, Judged
from peephole.tasks.captioning.naive import best_by_bleu, best_by_cider, most_agreed, nearest_pictures

pytest.importorskip("sacrebleu")


def cut(*texts: str) -> list[Words]:
    return [tuple(text.split()) for text in texts]


SAID = cut("a dog runs on the grass", "a man rides a red bike", "two two two birds", "a boat")
REFERENCES = [
    cut("a brown dog runs on the grass", "the dog is running on grass", "a dog runs"),
    cut("a man on a red bike", "a cyclist rides down the street"),
    cut("two birds sit on a wire", "birds on a wire", "two black birds"),
    cut("a small boat on the sea", "a boat", "the boat is on the water at night"),
]
# What pycocoevalcap 1.2, the program of the authors of CIDEr and of MS COCO, gives for these
PUBLISHED_CIDER = (4.31047045, 2.51935224, 0.90672066, 2.28953895)
PUBLISHED_BLEU = (88.88888888, 79.68190727, 68.21760720, 54.87889402)


def made(random: np.random.Generator, pictures: int) -> list[list[Words]]:
    """Captions of few words, so that many are in many pictures."""
    words = ["a", "b", "c", "d", "e"]
    return [
        [tuple(random.choice(words, random.integers(3, 8)).tolist()) for _ in range(random.integers(1, 4))]
        for _ in range(pictures)
    ]


def test_cider_is_that_of_its_authors() -> None:
    found = Cider(REFERENCES).scores(SAID)
    assert max(abs(one - other) for one, other in zip(found, PUBLISHED_CIDER, strict=True)) <= 1e-7


def test_bleu_is_that_of_coco() -> None:
    judged = Judge(REFERENCES).judge(SAID)
    for order, wanted in enumerate(PUBLISHED_BLEU, 1):
        assert abs(judged.metrics[f"BLEU-{order}"] - wanted) <= 1e-5
    assert abs(judged.metrics[CIDER] - float(np.mean(PUBLISHED_CIDER))) <= 1e-7
    assert next(iter(judged.metrics)) == BLEU


def test_what_all_pictures_share_counts_nothing_and_lengths_count() -> None:
    cider = Cider([cut("a dog"), cut("a cat")])
    assert cider.scores(cut("a", "a")) == [0, 0]
    same, longer = (
        cider.scores(cut("a dog", "a cat on a mat by the door of a house")),
        cider.scores(cut("a dog", "a cat")),
    )
    assert same[0] == longer[0] == pytest.approx(5)  # of four orders two have n-grams
    assert same[1] < longer[1]
    apart = Cider.likeness(cider.weighed(("cat",)), cider.weighed(("cat", "a", "a")))
    assert apart == pytest.approx(2.5 * math.exp(-4 / 72))


def test_sums_over_pictures_are_the_corpus() -> None:
    from sacrebleu.metrics.bleu import BLEU as Metric

    random = np.random.default_rng(3)
    references = made(random, 30)
    said = [captions[0] for captions in made(random, 30)]
    longest = max(map(len, references))
    streams: Any = [
        [" ".join(one[place]) if place < len(one) else None for one in references] for place in range(longest)
    ]
    judge = Judge(references)
    whole = Metric(tokenize="none", smooth_method="none").corpus_score([" ".join(words) for words in said], streams)
    assert abs(judge.judge(said).metrics[BLEU] - whole.score) <= 1e-9
    assert "nrefs:var" in judge.signature
    assert "smooth:none" in Judge(REFERENCES).signature
    assert "tok:none" in Judge(REFERENCES).signature


def test_nothing_said_is_worth_nothing() -> None:
    judged = Judge(REFERENCES).judge([()] * 4)
    assert set(judged.metrics.values()) == {0.0}


def test_intervals_are_those_of_a_mean_where_it_is_one() -> None:
    random = np.random.default_rng(0)
    cider = random.normal(2, 1, 400)
    judged = Judged(np.tile([[3, 2, 1, 1, 4, 3, 2, 1, 4, 4]], (400, 1)), cider)
    low, high = judged.intervals()[CIDER]
    error = cider.std() / math.sqrt(len(cider))
    assert abs((high - low) / (2 * 1.96 * error) - 1) <= 0.1
    assert low < cider.mean() < high
    assert judged.intervals()[BLEU] == pytest.approx((judged.metrics[BLEU],) * 2)  # all pictures are the same
    assert len(judged.resampled()[BLEU]) == RESAMPLES


def test_resamples_are_the_same_for_all_that_is_compared() -> None:
    random = np.random.default_rng(1)
    references = made(random, 20)
    judge = Judge(references)
    one = judge.judge([captions[0] for captions in made(random, 20)])
    again = Judged(one.counts, one.cider + 1)
    assert np.allclose(again.resampled()[CIDER] - one.resampled()[CIDER], 1)


@pytest.mark.parametrize("seed", range(4))
def test_the_best_caption_for_all_by_bleu_is_the_best_of_all(seed: int) -> None:
    references = made(np.random.default_rng(seed), 12)
    judge = Judge(references)
    scores = {words: judge.judge([words] * 12).metrics[BLEU] for one in references for words in one}
    found = best_by_bleu(references)
    assert abs(scores[found] - max(scores.values())) <= 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_the_best_caption_for_all_by_cider_is_the_best_of_few(seed: int) -> None:
    references = made(np.random.default_rng(seed), 9)
    cider = Cider(references)
    scores = {words: float(np.mean(cider.scores([words] * 9))) for one in references for words in one}
    assert abs(scores[best_by_cider(references)] - max(scores.values())) <= 1e-9


def test_the_caption_that_others_agree_with() -> None:
    references = [cut("a cat", "a brown dog runs", "a dog runs"), cut("a bird"), cut("the sea", "a ship at sea")]
    assert most_agreed(references, [0, 1]) == cut("a brown dog runs", "a bird")


def test_the_nearest_in_pixels() -> None:
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (20, 48, 48, 3)).astype(np.uint8)
    pictures[15:] = np.clip(pictures[:5].astype(int) + random.integers(-9, 9, (5, 48, 48, 3)), 0, 255)
    assert nearest_pictures(pictures, range(3, 15), range(15, 20)).tolist()[3:] == [0, 1]
    assert nearest_pictures(pictures, [4, 2, 0, 1, 3], [15, 16, 17]).tolist() == [2, 3, 1]


def test_ngrams() -> None:
    words = ("a", "b", "a", "b")
    found = ngrams(words)
    assert found["a", "b"] == 2
    assert sum(found.values()) == 4 + 3 + 2 + 1
    assert all(pair in found for pair in pairwise(words))


def test_what_is_above_what() -> None:
    found = Intervals("BLEU-4", (10.0, 12.0, 14.0), {"one caption": (8.0, 9.0, 10.5), "pixels": (2.0, 3.0, 4.0)})
    assert found.above == ("pixels",)
    assert found.verdict == (
        "12, with 95 % of resampled pictures from 10 to 14; not clearly above one caption (8 to 10.5); "
        "above pixels (2 to 4)."
    )
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    found.plot(ax)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["this net", "one caption", "pixels"]
