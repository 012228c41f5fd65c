"""Scores of translations against values known by hand, naive methods on examples that can be followed."""

import math
from pathlib import Path

import pytest

from peephole.data.translation.config import TranslationData
from peephole.tasks.translation import naive
from peephole.tasks.translation.items import sentences
from peephole.tasks.translation.metrics import bleu, by_length, quality, tokenizer_for
from peephole.tasks.translation.remarks import coverage, remarks

REFERENCES = ["the cat is on the mat", "there is a dog in the small garden"]


def test_bleu_by_hand() -> None:
    """One word of each is wrong: shares of n-grams that are right, to the fourth root (Papineni et al. 2002)."""
    answers = ["the cat is on the rug", "there is a dog in the small house"]
    rights = [12 / 14, 10 / 12, 8 / 10, 6 / 8]
    expected = 100 * math.exp(sum(map(math.log, rights)) / 4)
    assert bleu(answers, REFERENCES, "none") == pytest.approx(expected, abs=1e-6)
    short = ["the cat is on the", "there is a dog in the small"]  # all right, and too short
    assert bleu(short, REFERENCES, "none") == pytest.approx(100 * math.exp(1 - 14 / 12), abs=1e-6)


def test_quality_says_how_it_was_computed() -> None:
    found = quality(REFERENCES, REFERENCES, "none", bootstrap=10)
    assert (found.bleu, found.chrf) == pytest.approx((100, 100))
    assert found.interval == pytest.approx(0, abs=1e-9)
    assert "tok:none" in found.signature
    assert "bs:10" in found.signature
    assert "tok:13a" in quality(["a"], ["b"], "13a").signature
    assert quality(["a"], ["b"], "13a").interval is None
    wider = quality(["the cat sat", *REFERENCES[1:]] * 5, REFERENCES * 5, "none", bootstrap=200)
    assert wider.interval is not None
    assert wider.interval > 1


def test_text_that_was_cut_is_not_cut_again() -> None:
    assert tokenizer_for("spaces", "auto") == "none"
    assert tokenizer_for("split", "auto") == "13a"
    assert tokenizer_for("spaces", "intl") == "intl"
    assert TranslationData().words == "auto"


def test_by_length_has_every_sentence_once() -> None:
    references = [" ".join(["word"] * size) for size in range(4, 24)]
    answers = [*references[:10], *("other words " * 6 for _ in range(10))]
    table = by_length(answers, references, range(4, 24), "none", "words")
    assert sum(int(row[-1]) for row in table.rows) == 20
    assert table.rows[0][1] == "100.0"
    assert float(table.rows[-1][1]) < 5
    assert by_length(["a b c d"], ["a b c d"], [3], "none", "words").rows == (("3", "100.0", "1.00", "1"),)


def test_the_most_similar_sentence() -> None:
    known = ["ein hund rennt", "eine katze schläft", "ein hund schläft"]
    translations = ["a dog runs", "a cat sleeps", "a dog sleeps"]
    asked = ["die katze schläft", "ein hund rennt", "xyz"]
    assert naive.nearest(known, translations, asked) == ["a cat sleeps", "a dog runs", "a dog runs"]


def test_word_by_word() -> None:
    known = ["hund rennt", "katze rennt", "hund schläft", "katze schläft"]
    translations = ["runs dog", "runs cat", "sleeps dog", "sleeps cat"]
    assert naive.word_by_word(known, translations, ["hund schläft", "katze bellt"]) == ["dog sleeps", "cat bellt"]
    assert naive.copied(["as it is"]) == ["as it is"]


def test_what_is_said_of_the_data() -> None:
    part = {
        "words": {"all": [200, 100], "not in training": [10, 2]},
        "tokens": [300, 150],
        "unknown": [1, 0],
        "notes": ["3 of 9 sentences are in the training part too"],
        "skipped": ["a, line 1: the sentence empty", "a, line 2: x", "a, line 3: x", "a, line 4: x"],
    }
    assert coverage({"held_out": part}, "held_out") == [
        "held-out: training lacks 5.0% of the words of the sentences and 2.0% of the words of the translations; "
        "as tokens 1 of 300 and 0 of 150 are unknown"
    ]
    assert coverage({}, "held_out") == []
    noted, skipped = remarks({"held_out": part}, ["held_out", "test"])
    assert noted == "held-out: 3 of 9 sentences are in the training part too"
    assert skipped.startswith("held-out: 4 pairs skipped: a, line 1: the sentence empty; ")
    assert skipped.endswith("; and 1 more")


def test_sentences_of_files(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\ttwo\n\nthree", encoding="utf-8")
    (tmp_path / "a.tsv").write_text("one\ttwo\nthree\n", encoding="utf-8")
    assert list(sentences(tmp_path / "a.txt", TranslationData())) == ["one\ttwo", "", "three"]
    assert list(sentences(tmp_path / "a.tsv", TranslationData(columns=(2, 1)))) == ["two", "three"]
