"""What learning word vectors takes of memory, beside its two tables: the peak of a process of its own."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from peephole.bench.word_vector_cases import GENSIM, OURS, Settings
from peephole.bench.word_vector_texts import write_each_once

MANY_WORDS = 1_000_000
STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class TableMemory:
    """Bytes by which a process grew at its peak, after everything was imported: counting words, and all in all.

    All in all is from a text, which has each of so many words once, to vectors in a file. `refused` says why
    nothing was measured.
    """

    who: str
    words: int
    size: int
    reading: int = 0
    peak: int = 0
    refused: str = ""

    @property
    def tables(self) -> int:
        """Bytes of both tables, of float32."""
        return 2 * 4 * self.words * self.size

    @property
    def over_tables(self) -> float:
        """The peak over both tables."""
        return self.peak / self.tables


def measure_memory(who: str, words: int = MANY_WORDS, settings: Settings | None = None) -> TableMemory:
    """Measured in a process of its own, of skip-gram with one thread."""
    settings = settings or Settings()
    if not STATUS.exists():
        return TableMemory(who, words, settings.size, refused=f"this system has no {STATUS}")
    with TemporaryDirectory(prefix="peephole-bench-") as folder:
        text = Path(folder) / "text.txt"
        write_each_once(words, text)
        called = f"grown({who!r}, {str(text)!r}, {settings.size})"
        code = f"from peephole.bench.word_vector_memory import grown; print(*{called})"
        run = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=False)
    if run.returncode:
        said = f"its process ended with {run.returncode}; memory may have run out"
        return TableMemory(who, words, settings.size, refused=said)
    reading, peak = map(int, run.stdout.split())
    return TableMemory(who, words, settings.size, reading, peak)


def grown(who: str, text: str, size: int) -> tuple[int, int]:
    """By how many bytes this process had grown at its peak after reading, and in the end."""
    return {OURS: _grown_ours, GENSIM: _grown_gensim}[who](Path(text), size)


def _grown_ours(text: Path, size: int) -> tuple[int, int]:
    from peephole.embed.corpus.config import CorpusConfig
    from peephole.embed.corpus.preparing import prepare
    from peephole.embed.files.reading import write_vectors
    from peephole.embed.learning.config import EmbedConfig
    from peephole.embed.learning.training import train

    before = _bytes("VmRSS")
    corpus = prepare(CorpusConfig((text,), min_count=1), text.with_name("corpus"))
    read = _bytes("VmHWM")
    config = EmbedConfig(kind="skipgram", size=size, sample=Settings.sample, epochs=1, threads=1)
    write_vectors(train(corpus, config).vectors, text.with_name("vectors.bin"))
    return read - before, _bytes("VmHWM") - before


def _grown_gensim(text: Path, size: int) -> tuple[int, int]:
    from gensim.models import Word2Vec

    before = _bytes("VmRSS")
    model = Word2Vec(vector_size=size, sample=Settings.sample, min_count=1, epochs=1, sg=1, workers=1)
    model.build_vocab(corpus_file=str(text))
    read = _bytes("VmHWM")
    model.train(
        corpus_file=str(text), total_examples=model.corpus_count, total_words=model.corpus_total_words, epochs=1
    )
    model.wv.save_word2vec_format(str(text.with_name("vectors.bin")), binary=True)
    return read - before, _bytes("VmHWM") - before


def _bytes(field: str) -> int:
    """`VmRSS`, or its peak, `VmHWM`, as the system tells them."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(field))
    return 1024 * int(line.split()[1])
