"""The run folder of skip-gram and CBOW: settings, the corpus, checkpoints, and the vectors as word2vec writes them."""

import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from peephole.embed.corpus.config import CorpusConfig
from peephole.embed.corpus.preparing import Corpus, open_corpus, prepare
from peephole.embed.files.reading import read_vectors
from peephole.embed.files.writing import write_rows
from peephole.embed.learning.checkpoint import newest_checkpoint
from peephole.embed.learning.config import EmbedConfig
from peephole.embed.learning.progress import Shown
from peephole.embed.learning.training import Trained, train
from peephole.embed.vectors import Vectors
from peephole.errors import InputError
from peephole.runs.folder import Run

TASKS = ("skipgram", "cbow")


@dataclass(frozen=True)
class EmbedRun:
    """A run of skip-gram or CBOW. `create` makes one, `open` reads one; `fit` begins, or goes on.

    The folder holds `config.json`, `corpus/`, `history.jsonl`, `checkpoint/` and, once it is through, `vectors.bin` in
    word2vec's binary format.
    """

    run: Run
    data: CorpusConfig
    config: EmbedConfig

    @staticmethod
    def create(folder: Path, data: CorpusConfig, config: EmbedConfig) -> "EmbedRun":
        """A new run folder with its settings. `InputError` if something is there already."""
        run = Run.create(folder)
        files = tuple(path.absolute() for path in data.files)
        found = EmbedRun(run, replace(data, files=files), config)
        settings = {"data": {**asdict(found.data), "files": [str(path) for path in files]}, "model": asdict(config)}
        run.write_config(config.kind, settings)
        return found

    @staticmethod
    def open(folder: Path) -> "EmbedRun":
        """The run in `folder`. `InputError` if there is none, or one of another kind."""
        run = Run.open(folder)
        written = run.read_config()
        if written["task"] not in TASKS:
            raise InputError(
                f"{folder}: a run of {written['task']}; expected one of skip-gram or CBOW; others go on by "
                "peephole train --resume"
            )
        try:
            data, model = written["settings"]["data"], written["settings"]["model"]
            files = tuple(Path(path) for path in data["files"])
            return EmbedRun(run, CorpusConfig(**{**data, "files": files}), EmbedConfig(**model))
        except (KeyError, TypeError) as error:
            raise InputError(f"{run.config_path}: damaged ({error}); restore it, or train again") from None

    @property
    def corpus_folder(self) -> Path:
        return self.run.folder / "corpus"

    @property
    def vectors_path(self) -> Path:
        return self.run.folder / "vectors.bin"

    @property
    def finished(self) -> bool:
        return self.vectors_path.is_file()

    def corpus(self, shown: Any = None) -> Corpus:
        """The text as the run learns from it, made where it is not there yet."""
        if self.corpus_folder.exists():
            return open_corpus(self.corpus_folder)
        return prepare(self.data, self.corpus_folder, shown)

    def discard(self) -> None:
        """Remove what `create` made, before anything was learnt."""
        for folder in (self.corpus_folder, self.corpus_folder.with_name(".corpus.partial")):
            shutil.rmtree(folder, ignore_errors=True)
        self.run.history_path.unlink(missing_ok=True)
        self.run.discard()

    def fit(self, shown: Shown | None = None, prepared: Any = None) -> Trained:
        """Learn to the end, from the newest checkpoint where there is one, and write the vectors.

        Raises:
            InputError: the text cannot be used, another process trains here, a disk is full, or the loss blew up.
            Interrupted: asked to stop; everything is saved.
        """
        with self.run.lock():
            self.run.sweep()
            corpus = self.corpus(prepared)
            found = train(corpus, self.config, self.run, shown)
            write_rows(self.vectors_path, found.vectors.words, found.vectors.rows, binary=True)
        return found

    def parts_done(self) -> int:
        """How many parts of the text the newest checkpoint has behind it."""
        kept = newest_checkpoint(self.run.checkpoint_folder)
        return int(kept.name) if kept else 0


def read_vectors_of(folder: Path) -> Vectors:
    """Vectors of a finished run, with the counts of their words where the text's numbers are still there.

    Raises:
        InputError: there are no vectors yet, or no run.
    """
    found = EmbedRun.open(folder)
    if not found.finished:
        raise InputError(
            f"{folder}: its training is not through, and there are no vectors yet; peephole embed "
            f"{found.config.kind} --resume {folder}"
        )
    vectors = read_vectors(found.vectors_path)
    if not found.corpus_folder.exists():
        return vectors
    counts = open_corpus(found.corpus_folder).counts
    if len(counts) != len(vectors):
        return vectors  # of a text that was put in its place
    return Vectors(vectors.words, vectors.rows, counts)
