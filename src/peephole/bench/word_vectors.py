"""The benchmark of word vectors itself: everybody learns a text whose answer is known, then takes turns."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from peephole.bench.machine import this_machine
from peephole.bench.timing import FEWEST_ROUNDS, MOST_ROUNDS, Budget, shared
from peephole.bench.word_vector_cases import GENSIM, KINDS, OURS, Contestant, Settings, contestants
from peephole.bench.word_vector_memory import TableMemory, measure_memory
from peephole.bench.word_vector_peers import LEARNING, refusals, same_topic
from peephole.bench.word_vector_results import Text, Timed, WordVectorReport
from peephole.bench.word_vector_texts import MadeUp, rank_of, write_cut, write_made_up

TIMED = MadeUp(1_000_000, 50_000, 20)
# By the third epoch gensim's neighbours here are all of the right topic, of either kind; by chance a tenth are.
CHECKED, CHECKED_EPOCHS, FEWEST_RIGHT = MadeUp(200_000, 2_000, 10, seed=1), 3, 0.9
WEIGHTS = {"skipgram": 3.0, "cbow": 1.0}


def measure_word_vectors(
    file: Path | None,
    *,
    kinds: Sequence[str] = tuple(KINDS),
    threads: int = 2,
    made_up: MadeUp = TIMED,
    minutes: float = 2.0,
    rounds: int | None = None,
    memory_of: int = 0,
    settings: Settings | None = None,
    shown: Callable[[str], None] | None = None,
) -> WordVectorReport:
    """Measure each kind on a file's text, or a made-up one, in about `minutes`, or with `rounds` for each.

    A kind that takes its share and more is still timed for three rounds. With `memory_of` words, memory too.

    Raises:
        InputError: the file is no text, or no word of it is seen often enough.
    """
    settings, say = settings or Settings(), shown or (lambda line: None)
    found: list[Timed] = []
    end = time.perf_counter() + 60 * minutes
    with TemporaryDirectory(prefix="peephole-bench-") as folder:
        path = Path(folder) / "text.txt"
        if file is None:
            write_made_up(made_up, path)
        else:
            write_cut(file, path)
        text = describe(path, str(made_up) if file is None else str(file), settings)
        say(str(text))
        for number, kind in enumerate(kinds):
            share = shared(end - time.perf_counter(), [WEIGHTS[one] for one in kinds[number:]])
            found.append(time_kind(path, kind, threads, Budget(share, rounds), settings, say))
    memory: list[TableMemory] = []
    for who in (OURS, GENSIM):
        if memory_of and who not in refusals():
            say(f"memory of {memory_of:,} words: {who}")
            memory.append(measure_memory(who, memory_of, settings))
    return WordVectorReport(this_machine(), text, settings, threads, tuple(found), tuple(memory))


def describe(path: Path, name: str, settings: Settings) -> Text:
    """Words of a text, different ones, and the share that subsampling leaves (Mikolov et al. 2013, word2vec's form)."""
    from peephole.embed.corpus.config import CorpusConfig
    from peephole.embed.corpus.preparing import prepare

    with TemporaryDirectory(prefix="peephole-bench-") as folder:
        corpus = prepare(CorpusConfig((path,), min_count=settings.min_count), Path(folder) / "corpus")
        counts = corpus.counts.astype(np.float64)
    threshold = settings.sample * counts.sum()
    kept = counts * np.minimum(1.0, np.sqrt(threshold / counts) + threshold / counts)
    return Text(name, corpus.raw_words, len(counts), float(kept.sum() / corpus.raw_words))


def time_kind(
    path: Path, kind: str, threads: int, budget: Budget, settings: Settings, say: Callable[[str], None]
) -> Timed:
    """One kind. The comparison of results takes its time from the budget."""
    began = time.perf_counter()
    refused = refusals()
    taking_part = [one for one in contestants(threads) if one.who not in refused]
    right, red = check(kind, taking_part)
    timed = [one for one in taking_part if one not in red]
    if not any(one.who == OURS for one in timed):
        timed = []
    training: dict[Contestant, list[float]] = {one: [] for one in timed}
    whole: dict[Contestant, list[float]] = {one: [] for one in timed}
    turns = time.perf_counter()
    for count in range((budget.rounds or MOST_ROUNDS) if timed else 0):
        now = time.perf_counter()
        a_round = (now - turns) / max(count, 1)
        if budget.rounds is None and count >= FEWEST_ROUNDS and now - began + a_round > budget.seconds:
            break
        first = count % len(timed)
        for one in timed[first:] + timed[:first]:
            learnt = LEARNING[one.who](path, kind, settings, one.threads)
            training[one].append(learnt.training)
            whole[one].append(learnt.reading + learnt.training)
        rates = ", ".join(f"{one} {training[one][-1]:.2f} s" for one in timed)
        say(f"{KINDS[kind]}, round {count + 1}: {rates}")
    return Timed(kind, _frozen(training), _frozen(whole), right, red, refused)


def _frozen(seconds: dict[Contestant, list[float]]) -> dict[Contestant, tuple[float, ...]]:
    return {one: tuple(values) for one, values in seconds.items()}


def check(kind: str, taking_part: Sequence[Contestant]) -> tuple[dict[Contestant, float], dict[Contestant, str]]:
    """How many neighbours are of the right topic with each contestant, and the complaint about each that is wrong."""
    found: dict[Contestant, float] = {}
    red: dict[Contestant, str] = {}
    with TemporaryDirectory(prefix="peephole-bench-") as folder:
        path = Path(folder) / "text.txt"
        write_made_up(CHECKED, path)
        for one in taking_part:
            learnt = LEARNING[one.who](path, kind, Settings(epochs=CHECKED_EPOCHS), one.threads)
            share = same_topic(learnt, lambda word: CHECKED.topic(rank_of(word)))
            found[one] = share if share == share else 0.0
            if not share >= FEWEST_RIGHT:
                red[one] = (
                    f"{100 * found[one]:.0f} % of nearest neighbours are of the word's topic; expected at least "
                    f"{100 * FEWEST_RIGHT:.0f} %"
                )
    return found, red
