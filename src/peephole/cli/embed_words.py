"""`peephole embed skipgram|cbow FILES…`."""

import os
import sys
from dataclasses import dataclass, field, make_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from peephole.cli.parsing import bare, emit, parse, retyped, with_files
from peephole.cli.train_out import Output, folder_for, short
from peephole.embed.corpus.config import CorpusConfig
from peephole.embed.learning.config import EmbedConfig, Kind
from peephole.errors import InputError

if TYPE_CHECKING:
    from peephole.embed.learning.run import EmbedRun
    from peephole.embed.learning.training import Trained

DESCRIPTIONS = {
    "skipgram": (
        "Vectors of words by skip-gram: each word around predicts the one in the middle, told apart from drawn ones or "
        "along a tree (Mikolov et al. 2013). FILES are text files or folders, words parted by spaces, a sentence or a "
        "document a line. The run folder holds vectors.bin in word2vec's format; a run that was stopped, killed "
        "included, goes on with --resume."
    ),
    "cbow": (
        "Vectors of words by a soft bag of words (CBOW): the mean of the words around predicts the one in the middle "
        "(Mikolov et al. 2013). FILES are text files or folders, words parted by spaces, a sentence or a document a "
        "line. The run folder holds vectors.bin in word2vec's format; a run that was stopped, killed included, goes "
        "on with --resume."
    ),
}
SHOWN = 5  # phrases that are named
KEPT_ON_RESUME = ("resume", "write", "threads")


@dataclass(frozen=True)
class Folder:
    """Where the run goes."""

    # Run folder to make. Default: runs/ and the first free number, so that nothing is overwritten.
    out: Path | None = None

    # Go on with this run instead, with the settings it began with; only --threads and --write may be given with it.
    resume: Path | None = None

    # Write the vectors there too: word2vec's binary format where the name ends in .bin, else its text, .gz packs it.
    write: Path | None = None


def run(kind: Kind, words: list[str]) -> int:
    """Parse, learn, say what was learnt and how to go on."""
    options = parse(_options(kind), f"embed {kind}", words, DESCRIPTIONS[kind])
    from peephole.embed.files.writing import write_vectors
    from peephole.embed.learning.run import EmbedRun

    folder: Folder = options.folder
    if folder.resume is not None:
        _check_write(folder.write, (), folder.resume)
        run = _resumed(folder.resume, kind, options, words)
    else:
        if not options.data.files:
            raise InputError(f"no FILES; expected text files or folders, for example peephole embed {kind} text.txt")
        out = folder_for(Output(folder.out), 1)
        _check_write(folder.write, options.data.files, out)
        run = EmbedRun.create(out, bare(options.data, CorpusConfig()), bare(options.model, EmbedConfig()))
    found = _fit(run, new=folder.resume is None)
    if found is None:
        return 130
    if folder.write is not None:
        write_vectors(found.vectors, folder.write.resolve())
    _say(run, found, folder.write)
    return 0


@dataclass(frozen=True)
class Embed:
    """Options of `peephole embed skipgram` and `cbow`."""

    folder: Folder = field(default_factory=Folder)


def _options(kind: Kind) -> type:
    fixed = retyped(EmbedConfig(kind=kind), "kind", Annotated[Kind, tyro.conf.Fixed, tyro.conf.Suppress])
    settings = {"data": with_files(CorpusConfig()), "model": fixed}
    fields = [(name, type(value), field(default=value)) for name, value in settings.items()]
    made = make_dataclass("Embed", fields, bases=(Embed,), frozen=True)
    made.__module__, made.__doc__ = Embed.__module__, Embed.__doc__
    return made


def _check_write(path: Path | None, inputs: tuple[Path, ...], run: Path) -> None:
    """Before anything is learnt. `InputError` where the file could not be written, or something would be lost."""
    if path is None:
        return
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: is no plain file; expected one for --write, for example vectors.txt")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise InputError(f"{path}: cannot be written there; expected --write in a folder that is there and open to you")
    if run.resolve() in path.resolve().parents or path.resolve() in {one.resolve() for one in inputs}:
        raise InputError(f"{path}: belongs to the text or the run; choose another --write")


def _resumed(folder: Path, kind: Kind, options: Any, words: list[str]) -> "EmbedRun":
    """The run to go on with. `InputError` for settings that it did not begin with."""
    from peephole.embed.learning.run import EmbedRun

    given = {word.split("=")[0].removeprefix("--").replace("_", "-") for word in words if word.startswith("--")}
    other = sorted(given - set(KEPT_ON_RESUME))
    if other or options.data.files:
        what = "FILES" if options.data.files else f"--{other[0]}"
        raise InputError(f"--resume keeps the settings of the run; leave {what} away, or begin a new run")
    run = EmbedRun.open(folder)
    if run.config.kind != kind:
        raise InputError(f"{folder}: a run of {run.config.kind}; peephole embed {run.config.kind} --resume {folder}")
    return replace(run, config=replace(run.config, threads=options.model.threads)) if "threads" in given else run


def _fit(run: "EmbedRun", new: bool) -> "Trained | None":
    """Learn to the end, showing progress; None after Ctrl-C, having said how to go on. A `new` run whose text cannot be
    used is not left behind.
    """
    from peephole.cli.embed_progress import EmbedProgress
    from peephole.embed.learning.progress import Interrupted

    folder, progress = short(run.run.folder), EmbedProgress(run, sys.stderr)
    again = f"peephole embed {run.config.kind} --resume {folder}"
    try:
        return run.fit(progress.on_stretch, progress.on_reading)
    except Interrupted:
        progress.close()
        emit(f"stopped after part {run.parts_done():,}, everything is saved; go on with: {again}\n")
    except KeyboardInterrupt:  # while the text was read, or asked twice
        progress.close()
        emit(f"interrupted; go on with: {again}\n")
    except InputError:
        if new and not run.parts_done():
            run.discard()
        raise
    finally:
        progress.close()
    return None


def _say(run: "EmbedRun", found: "Trained", written: Path | None) -> None:
    last = found.epochs[-1]
    rows = found.vectors.rows
    emit(
        f"{rows.shape[0]:,} words, {rows.shape[1]} numbers each; loss {last.loss:.4f} nats a prediction in the last "
        f"epoch, {last.words_per_second:,.0f} words a second\n"
    )
    if written is not None:
        emit(f"wrote {written}\n")
    folder, phrases = short(run.run.folder), run.corpus().phrases()
    if phrases:
        some = ", ".join(one.text for one in phrases[:SHOWN])
        emit(
            f"{len(phrases):,} phrases were joined, such as {some}; all of them: {folder / 'corpus' / 'phrases.txt'}\n"
        )
    shown = found.vectors.words[min(100, len(found.vectors) - 1)]
    emit(f"{folder}: done. Next: peephole words {folder} {shown}\n")
