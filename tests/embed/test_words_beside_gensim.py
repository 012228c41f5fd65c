"""Analogies, similarity sets, countries and capitals on real vectors, beside what gensim makes of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from peephole.embed.measuring.analogies import measure_analogies
from peephole.embed.measuring.capitals import measure_capitals, pairs_of
from peephole.embed.measuring.questions import Section, read_questions
from peephole.embed.measuring.similarity import measure_similarity, read_pairs
from peephole.embed.vectors import Vectors

pytestmark = pytest.mark.slow
TEXT = 12_000_000  # characters that vectors are learnt from


@pytest.fixture(scope="module")
def learnt(data_folder: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """gensim's skip-gram on the beginning of a Wikipedia; every tenth word has a capital, some come twice."""
    models = pytest.importorskip("gensim.models")
    text = (data_folder("wiki_en_text8style") / "wiki_en_text8style.txt").read_text()[:TEXT]
    path = tmp_path_factory.mktemp("learnt") / "text.txt"
    path.write_text(text)
    net = models.Word2Vec(corpus_file=str(path), vector_size=60, sg=1, epochs=2, sample=1e-4, min_count=10, workers=1)
    words = [word.capitalize() if place % 10 == 0 else word for place, word in enumerate(net.wv.index_to_key)]
    twins = words[:3000:3]  # rarer words that differ in capitals alone
    found = models.KeyedVectors(60)
    noise = np.random.default_rng(0).normal(size=(len(twins), 60)).astype(np.float32) * 0.3
    found.add_vectors(words, net.wv.vectors)
    found.add_vectors([word.upper() for word in twins if word.upper() not in words],
                      (net.wv.vectors[:3000:3] + noise)[[word.upper() not in words for word in twins]])  # fmt: skip
    return found


@pytest.fixture(scope="module")
def vectors(learnt: Any) -> Vectors:
    return Vectors(tuple(learnt.index_to_key), learnt.vectors)


def asked(folder: Path, tmp_path: Path) -> tuple[Path, tuple[Section, ...]]:
    """Every fifth question: gensim looks at one after another."""
    kept = [line for place, line in enumerate((folder / "questions-words.txt").read_text().splitlines())
            if line.startswith(":") or place % 5 == 0]  # fmt: skip
    path = tmp_path / "questions.txt"
    path.write_text("\n".join(kept))
    return path, read_questions(path)


@pytest.mark.parametrize(("restrict", "match_case"), [(300_000, False), (9000, False), (300_000, True)])
def test_analogies_are_those_of_gensim(
    learnt: Any, vectors: Vectors, data_folder: Callable[[str], Path], tmp_path: Path, restrict: int, match_case: bool
) -> None:
    path, sections = asked(data_folder("word_analogy_similarity"), tmp_path)
    _, expected = learnt.evaluate_word_analogies(str(path), restrict_vocab=restrict, case_insensitive=not match_case)
    found = measure_analogies(vectors, sections, restrict=restrict, match_case=match_case)
    assert found.total.right > 5
    assert [(one.name, one.right, one.known - one.right) for one in (*found.sections, found.total)][:-1] == [
        (one["section"], len(one["correct"]), len(one["incorrect"])) for one in expected[:-1]
    ]
    assert found.total.known == len(expected[-1]["correct"]) + len(expected[-1]["incorrect"])


@pytest.mark.parametrize("name", ["EN-WS-353-ALL", "EN-SIMLEX-999", "EN-RW-STANFORD"])
def test_similarity_is_that_of_gensim(
    learnt: Any, vectors: Vectors, data_folder: Callable[[str], Path], name: str
) -> None:
    path = data_folder("word_analogy_similarity") / "word-sim" / f"{name}.txt"
    _, expected, unknown = learnt.evaluate_word_pairs(str(path))
    found = measure_similarity(vectors, {name: read_pairs(path)}).sets[0]
    assert found.correlation == pytest.approx(expected.statistic, abs=1e-6)
    assert 100 * (1 - found.known / found.pairs) == pytest.approx(unknown)


def test_one_step_leads_to_the_capitals(vectors: Vectors, data_folder: Callable[[str], Path]) -> None:
    pairs = pairs_of(read_questions(data_folder("word_analogy_similarity") / "questions-words.txt"))
    assert len(pairs) == 116
    found = measure_capitals(vectors, pairs)
    assert len(found.pairs) > 30
    assert found.percentile > 99
