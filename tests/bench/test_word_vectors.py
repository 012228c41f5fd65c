"""The benchmark of word vectors: its texts, who is wrong and not timed, JSON there and back, table and figure."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from peephole.bench import word_vector_memory, word_vector_peers, word_vector_texts, word_vectors
from peephole.bench.machine import this_machine
from peephole.bench.timing import Budget
from peephole.bench.word_vector_cases import GENSIM, OURS, Contestant, Settings, contestants
from peephole.bench.word_vector_memory import TableMemory, measure_memory
from peephole.bench.word_vector_peers import LEARNING, Learnt, learn_ours, same_topic
from peephole.bench.word_vector_plot import picture
from peephole.bench.word_vector_results import Text, Timed, WordVectorReport, read_word_vector_report
from peephole.bench.word_vector_table import text_of
from peephole.bench.word_vector_texts import MadeUp, rank_of, spelling, write_cut, write_made_up
from peephole.bench.word_vectors import CHECKED, measure_word_vectors, time_kind
from peephole.errors import InputError

SMALL = MadeUp(5_000, 300, 5)
QUICK = MadeUp(60_000, 500, 5, shared=10, seed=1)


# --- texts ---


def test_ranks_are_spelled_each_in_its_own_way() -> None:
    ranks = [*range(2000), 50_000, 999_999]
    spelled = [spelling(rank) for rank in ranks]
    assert len(set(spelled)) == len(ranks)
    assert [rank_of(word) for word in spelled] == ranks
    assert all(word.isalpha() and word.isascii() and word.islower() for word in spelled)


def test_a_made_up_text_is_about_topics_and_follows_zipf(tmp_path: Path) -> None:
    text = MadeUp(30_000, 500, 7, shared=10, line=100)
    for name in ("one", "again"):
        write_made_up(text, tmp_path / name)
    lines = (tmp_path / "one").read_text().splitlines()
    assert (tmp_path / "again").read_text().splitlines() == lines
    ranks = [[rank_of(word) for word in line.split()] for line in lines]
    assert {len(line) for line in ranks} == {100}
    assert sum(map(len, ranks)) == text.words
    assert all(len({text.topic(rank) for rank in line} - {None}) <= 1 for line in ranks)
    assert {text.topic(rank) for line in ranks for rank in line} == {None, *range(7)}
    counts = Counter(rank for line in ranks for rank in line)
    assert max(counts) < 500
    harmonic = sum(1 / rank for rank in range(1, 501))
    for low, high in ((0, 1), (5, 10), (10, 100), (100, 500)):
        expected = sum(1 / (rank + 1) for rank in range(low, high)) / harmonic
        assert abs(sum(counts[rank] for rank in range(low, high)) / text.words / expected - 1) <= 0.05


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
def test_long_lines_are_cut_and_no_word_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(word_vector_texts, "CHUNK", chunk)
    monkeypatch.setattr(word_vector_texts, "LONGEST_LINE", 3)
    (tmp_path / "source").write_bytes("één zwei\ttrois\r\n\n1 2 3 4  5 6 7 \nendé".encode())
    write_cut(tmp_path / "source", tmp_path / "cut")
    lines = [line.split() for line in (tmp_path / "cut").read_text().splitlines() if line]
    assert lines == [["één", "zwei", "trois"], ["1", "2", "3"], ["4", "5", "6"], ["7"], ["endé"]]


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="missing: no such file; expected a text"):
        write_cut(tmp_path / "missing", tmp_path / "cut")
    (tmp_path / "latin").write_bytes("café au lait\n".encode("latin-1"))
    with pytest.raises(InputError, match="latin: not UTF-8"):
        write_cut(tmp_path / "latin", tmp_path / "cut")
    assert {path.name for path in tmp_path.iterdir()} == {"latin"}
    (tmp_path / "rare").write_text("all of these are too rare\n")
    with pytest.raises(InputError):
        measure_word_vectors(tmp_path / "rare", rounds=1)


# --- results before speed ---


def test_neighbours_of_the_own_topic_are_counted() -> None:
    words = tuple(map(spelling, range(100)))
    topics = np.arange(100) % 5
    rows = np.eye(5, dtype=np.float32)[topics]

    def counted(rows: np.ndarray) -> float:
        return same_topic(Learnt(0.0, 0.0, words, rows), lambda word: MadeUp(1, 100, 5, 10).topic(rank_of(word)))

    assert counted(rows) == 1.0
    assert counted(rows[::-1].copy()) == 1.0  # other topics, the same words together
    assert counted(rows[(topics + np.arange(100) // 5) % 5]) <= 0.4
    assert not counted(np.where(np.arange(100)[:, None] == 50, np.nan, rows)) >= 0.0


def collapsed(text: Path, kind: str, settings: Settings, threads: int) -> Learnt:
    """Every vector is the same, as without negatives."""
    learnt = learn_ours(text, kind, settings, threads)
    return replace(learnt, rows=np.ones_like(learnt.rows))


def diverged(text: Path, kind: str, settings: Settings, threads: int) -> Learnt:
    learnt = learn_ours(text, kind, settings, threads)
    return replace(learnt, rows=np.full_like(learnt.rows, np.nan))


@pytest.mark.parametrize("wrong", [collapsed, diverged])
def test_nobody_is_timed_beside_wrong_results_of_ours(
    monkeypatch: pytest.MonkeyPatch, wrong: Callable[..., Learnt]
) -> None:
    monkeypatch.setitem(LEARNING, OURS, wrong)
    monkeypatch.setattr(word_vectors, "refusals", lambda: {GENSIM: "gensim is not installed; pip install gensim"})
    monkeypatch.setattr(word_vectors, "CHECKED", SMALL)
    found = time_kind(Path("never read"), "cbow", 1, Budget(0.0, 2), Settings(), lambda line: None)
    assert found.training == {}
    assert "expected at least 90 %" in found.red[Contestant(OURS, 1)]
    report = WordVectorReport(this_machine(), Text("made up", 10, 5, 0.5), Settings(), 1, (found,))
    assert "RED, never timed:\n  cbow: peephole 1: " in text_of(report)
    assert "not compared:\n  gensim is not installed" in text_of(report)
    assert report.verdict == "Nobody was compared."
    assert read_word_vector_report(json.dumps(report.as_json(), allow_nan=False)) == report


def test_a_peer_that_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_vector_peers.importlib.util, "find_spec", lambda name: None)
    assert word_vector_peers.refusals() == {GENSIM: "gensim is not installed; pip install gensim"}


# --- what was found ---


@pytest.fixture(scope="module")
def report() -> WordVectorReport:
    """Both kinds and everybody, two rounds each, on one and two threads; the memory is made up."""
    pytest.importorskip("gensim")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(word_vectors, "CHECKED", QUICK)
        found = measure_word_vectors(None, threads=2, made_up=SMALL, rounds=2)
    return replace(found, memory=(TableMemory(OURS, 1000, 100, 1, 900_000), TableMemory(GENSIM, 1, 1, refused="no")))


def test_everybody_finds_the_topics_and_is_timed(report: WordVectorReport) -> None:
    assert report.red == ()
    assert [one.kind for one in report.timed] == ["skipgram", "cbow"]
    assert report.text.words == SMALL.words
    assert 0 < report.text.vocabulary <= SMALL.different
    assert 0 < report.text.kept < 1
    for one in report.timed:
        assert set(one.training) == set(one.whole) == set(one.same_topic) == set(contestants(2))
        assert min(one.same_topic.values()) >= 0.9
        for who in one.training:
            assert len(one.training[who]) == 2
            assert all(0 < part < whole for part, whole in zip(one.training[who], one.whole[who], strict=True))


def test_json_there_and_back(report: WordVectorReport) -> None:
    assert read_word_vector_report(json.dumps(report.as_json(), allow_nan=False)) == report


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 99}'])
def test_another_file_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        read_word_vector_report(text)


def test_the_table_and_the_figure_show_everybody(report: WordVectorReport) -> None:
    text = text_of(report)
    for part in ("skip-gram", "CBOW", "2 threads", "1 -> 2 threads: peephole ", "made up: 5,000 words", "1.12 of the"):
        assert part in text
    assert max(map(len, text.splitlines())) <= 160
    pytest.importorskip("matplotlib")
    assert picture(report).startswith(b"\x89PNG")
    assert picture(replace(report, timed=())).startswith(b"\x89PNG")


def test_ratios_scaling_and_rates() -> None:
    ours, theirs, two = Contestant(OURS, 1), Contestant(GENSIM, 1), Contestant(OURS, 2)
    training = {ours: (1.0, 9.0, 2.0), theirs: (3.0, 18.0, 8.0), two: (0.5, 9.0, 1.0)}
    whole = {who: tuple(1 + second for second in seconds) for who, seconds in training.items()}
    one = Timed("cbow", training, whole, {}, {}, {})
    assert one.ratio(1) == 3.0
    assert one.ratio(1, whole=True) == 2.0
    assert one.ratio(2) is None
    assert (one.scaling(OURS, 2), one.scaling(GENSIM, 2)) == (2.0, None)
    assert one.rate(ours, 100) == 50.0
    report = WordVectorReport(this_machine(), Text("made up", 50, 5, 0.5), Settings(epochs=2), 2, (one,))
    assert report.words == 100
    assert report.verdict == (
        "CBOW: 3.0 times gensim's rate with one thread, 2.00 times its own with 2 threads in place of one."
    )


# --- memory ---


def test_the_peak_holds_both_tables() -> None:
    found = measure_memory(OURS, 20_000)
    assert found.refused == ""
    assert found.tables == 16_000_000
    assert found.over_tables >= 0.9
    assert 0 <= found.reading <= found.peak


def test_memory_that_cannot_be_measured_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_vector_memory, "STATUS", word_vector_memory.STATUS.with_name("missing"))
    assert "/proc/self/missing" in measure_memory(OURS, 5).refused


def test_the_checked_text_is_not_the_timed_one() -> None:
    assert CHECKED.seed != word_vectors.TIMED.seed
