"""Who learns word vectors: ours and gensim's, with the same settings, from the same file, timed in the same way."""

import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from jaxtyping import Float

from peephole.bench.word_vector_cases import GENSIM, OURS, Settings


@dataclass(frozen=True, eq=False)
class Learnt:
    """Vectors from a text: seconds of reading it (words counted, vectors begun) and of training, and what came out."""

    reading: float
    training: float
    words: tuple[str, ...]
    rows: Float[np.ndarray, "words numbers"]


Learning = Callable[[Path, str, Settings, int], Learnt]


def learn_ours(text: Path, kind: str, settings: Settings, threads: int) -> Learnt:
    """Ours, from a corpus that is prepared anew in a folder which goes afterwards."""
    from peephole.embed.corpus.config import CorpusConfig
    from peephole.embed.corpus.preparing import prepare
    from peephole.embed.learning.config import EmbedConfig
    from peephole.embed.learning.training import Interrupted, train

    config = EmbedConfig(
        kind="cbow" if kind == "cbow" else "skipgram",
        size=settings.size,
        window=settings.window,
        negatives=settings.negatives,
        sample=settings.sample,
        epochs=settings.epochs,
        learning_rate=settings.rate(kind),
        seed=settings.seed,
        threads=threads,
    )
    with TemporaryDirectory(prefix="peephole-bench-") as folder:
        began = time.perf_counter()
        corpus = prepare(CorpusConfig((text,), min_count=settings.min_count), Path(folder) / "corpus")
        read = time.perf_counter()
        try:
            vectors = train(corpus, config).vectors
        except Interrupted:  # which is how it hears Ctrl-C
            raise KeyboardInterrupt from None
        done = time.perf_counter()
    return Learnt(read - began, done - read, vectors.words, vectors.rows)


def learn_gensim(text: Path, kind: str, settings: Settings, threads: int) -> Learnt:
    """gensim's, from `corpus_file`, which it reads faster than lines that Python hands over."""
    from gensim.models import Word2Vec

    began = time.perf_counter()
    model: Any = Word2Vec(
        vector_size=settings.size,
        window=settings.window,
        negative=settings.negatives,
        sample=settings.sample,
        min_count=settings.min_count,
        epochs=settings.epochs,
        alpha=settings.rate(kind),
        seed=settings.seed,
        sg=int(kind == "skipgram"),
        workers=threads,
    )
    model.build_vocab(corpus_file=str(text))
    read = time.perf_counter()
    model.train(
        corpus_file=str(text),
        total_examples=model.corpus_count,
        total_words=model.corpus_total_words,
        epochs=settings.epochs,
    )
    done = time.perf_counter()
    return Learnt(read - began, done - read, tuple(model.wv.index_to_key), model.wv.vectors)


LEARNING: dict[str, Learning] = {OURS: learn_ours, GENSIM: learn_gensim}


def refusals() -> dict[str, str]:
    """Who cannot take part, and why."""
    if importlib.util.find_spec("gensim") is None:
        return {GENSIM: "gensim is not installed; pip install gensim"}
    return {}


def same_topic(learnt: Learnt, topic: Callable[[str], int | None], words: int = 500, near: int = 10) -> float:
    """The share of the `near` nearest neighbours, by cosine, of the most frequent `words` that are of their topic.

    Words that every topic has are left out, as a word and as a neighbour. `nan` where vectors hold NaN.
    """
    topics = [topic(word) for word in learnt.words[:words]]
    kept = [place for place, one in enumerate(topics) if one is not None]
    own = np.array([topics[place] for place in kept])
    rows = learnt.rows[kept].astype(np.float64)
    if not np.isfinite(rows).all():
        return float("nan")
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-30)
    cosines = rows @ rows.T
    np.fill_diagonal(cosines, -np.inf)
    nearest = np.argsort(-cosines, axis=1)[:, : min(near, len(kept) - 1)]
    return float((own[nearest] == own[:, None]).mean())
