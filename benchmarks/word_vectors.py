"""How good word vectors are: `python benchmarks/word_vectors.py FOLDER [--seeds N]` trains, measures and tabulates.

Skip-gram and CBOW of ours and of gensim learn the same text with the same settings and one thread, for each seed. What
is in FOLDER already is not trained again. Data lies in the folder that `PEEPHOLE_DATA` names. Both are measured by
gensim: accuracy over the analogies all of whose words are known, and Spearman's rank correlation with people's
judgements of pairs of words. The tables of `docs/results.md` are what this prints.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is loaded

import argparse
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

from peephole.bench.word_vector_cases import GENSIM, KINDS, OURS, Settings
from peephole.bench.word_vector_peers import LEARNING, Learnt
from peephole.errors import InputError
from peephole.runs.rows import Row, Rows

DATA = Path(os.environ.get("PEEPHOLE_DATA", Path(__file__).parents[2] / "shared" / "data")).absolute()
TEXT, QUESTIONS = "wiki_en_text8style/wiki_en_text8style.txt", "word_analogy_similarity/questions-words.txt"
PAIRS = {"wordsim": "EN-WS-353-ALL.txt", "simlex": "EN-SIMLEX-999.txt"}
MEASURES = {"analogies": "analogies", "wordsim": "WordSim-353", "simlex": "SimLex-999"}
SETTINGS = Settings(epochs=5)
SEEDS = 5


@dataclass(frozen=True)
class Case:
    """Somebody learns in one way, with a learning rate to begin with."""

    who: str
    kind: str
    learning_rate: float

    def __str__(self) -> str:
        return f"{self.who} {KINDS[self.kind]} {self.learning_rate:g}"


CASES = (
    Case(OURS, "skipgram", 0.025),
    Case(GENSIM, "skipgram", 0.025),
    Case(OURS, "cbow", 0.05),
    Case(GENSIM, "cbow", 0.05),  # word2vec's own
    Case(GENSIM, "cbow", 0.025),  # gensim's own
)


def measure(case: Case, seed: int) -> Row:
    """Train one and measure it."""
    settings = replace(SETTINGS, seed=seed, learning_rate=case.learning_rate)
    learnt = LEARNING[case.who](DATA / TEXT, case.kind, settings, 1)
    return {"seconds": learnt.training, "reading": learnt.reading, **scores(learnt)}


def scores(learnt: Learnt) -> Row:
    """Accuracy over known analogies, how many there are, and rank correlations over known pairs."""
    from gensim.models import KeyedVectors

    vectors: Any = KeyedVectors(learnt.rows.shape[1])
    vectors.add_vectors(list(learnt.words), learnt.rows)
    accuracy, sections = vectors.evaluate_word_analogies(str(DATA / QUESTIONS), restrict_vocab=len(learnt.words))
    known = sum(len(sections[-1][part]) for part in ("correct", "incorrect"))
    folder = DATA / "word_analogy_similarity/word-sim"
    ranked = {
        name: float(vectors.evaluate_word_pairs(str(folder / file), restrict_vocab=len(learnt.words))[1].statistic)
        for name, file in PAIRS.items()
    }
    return {"analogies": accuracy, "questions": known, **ranked}


def table(found: dict[Case, list[Row]], words: int) -> Iterator[str]:
    """A line a case: means and standard deviations over seeds."""
    yield "| | seeds | analogies known | WordSim-353 | SimLex-999 | words a second | seconds |"
    yield "| --- " * 7 + "|"
    for case, rows in found.items():
        cells = [_spread([row[name] for row in rows], 100 if name == "analogies" else 1) for name in MEASURES]
        seconds = median(row["seconds"] for row in rows)
        rate = words * SETTINGS.epochs / seconds
        cells[0] += f" % of {rows[0]['questions']:,}"
        yield f"| {case} | {len(rows)} | {' | '.join(cells)} | {rate:,.0f} | {seconds:.0f} |"


def verdicts(found: dict[Case, list[Row]]) -> Iterator[str]:
    """A line for each pair of cases: whether ours is below gensim's mean by more than gensim's spread over seeds."""
    for ours in (case for case in found if case.who == OURS):
        for theirs in (case for case in found if case.who == GENSIM and case.kind == ours.kind):
            parts = [_verdict(found[ours], found[theirs], name) for name in MEASURES]
            yield f"- {ours} beside {theirs}: {'; '.join(parts)}."


def _verdict(ours: list[Row], theirs: list[Row], name: str) -> str:
    if len(theirs) < 2:
        return f"{MEASURES[name]} not judged, one seed has no spread"
    values = [row[name] for row in theirs]
    bar, reached = mean(values) - stdev(values), mean(row[name] for row in ours)
    scale, digits = (100, 1) if name == "analogies" else (1, 3)
    said = "not below" if reached >= bar else "BELOW"
    return f"{MEASURES[name]} {scale * reached:.{digits}f}, {said} {scale * bar:.{digits}f}"


def _spread(values: list[float], scale: float) -> str:
    digits = 1 if scale > 1 else 3
    spread = f" ± {scale * stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{scale * mean(values):.{digits}f}{spread}"


def main(words: list[str]) -> None:
    """Train and measure what is not there yet; print the tables of what is."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    options = parser.parse_args(words)
    for name in (TEXT, QUESTIONS):
        if not (DATA / name).is_file():
            sys.exit(f"{DATA / name}: no such file; name the folder of data in PEEPHOLE_DATA")
    if options.seeds < 1:
        sys.exit(f"--seeds is {options.seeds}; expected at least 1")
    found: dict[Case, list[Row]] = {case: [] for case in CASES}
    with Rows.open(options.folder, {"experiment": "word vectors", "text": TEXT, **asdict(SETTINGS)}) as rows:
        for seed in range(1, options.seeds + 1):
            for case in CASES:
                key = f"{case} {seed}"
                row = rows.done(key) or rows.add(key, measure(case, seed))
                found[case].append(row)
                print(key, *(f"{MEASURES[name]} {row[name]:.4f}" for name in MEASURES), file=sys.stderr, flush=True)
    words_of_text = sum(len(line.split()) for line in (DATA / TEXT).open("rb"))
    print("\n".join([*table(found, words_of_text), "", *verdicts(found)]))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except InputError as error:
        sys.exit(str(error))
