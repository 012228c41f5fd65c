"""`peephole sample RUN` of music: a piece as MIDI, as a picture and as JSON."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from peephole.cli.parsing import emit, parse
from peephole.errors import InputError
from peephole.generate.chord_sampling import ChordSampling

DESCRIPTION = (
    "Let a trained run play: step after step it draws what sounds from what it expects. The piece is written as a MIDI "
    "file, with its piano roll as a picture (.png) and as JSON beside it."
)


@dataclass(frozen=True)
class SampleMusic:
    """Options of `peephole sample RUN` of music."""

    # Run folder.
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]

    # MIDI or piano-roll JSON to go on from, its first piece. Default: none, a piece from its beginning.
    prime: Path | None = None

    # Of the prime only so many steps. None: all.
    prime_steps: int | None = None

    # Steps to draw.
    length: int = 64

    # Pieces, each with random numbers of its own; several are numbered.
    count: int = 1

    # MIDI file to write. Default: sample.mid in the run folder.
    out: Path | None = None

    # Beats a minute. None: as the training pieces have, or 100 where they do not say.
    tempo: float | None = None

    how: ChordSampling = field(default_factory=ChordSampling)


def run(words: list[str]) -> int:
    """Draw, write, say what was written."""
    options = parse(SampleMusic, "sample", words, DESCRIPTION)
    if options.count < 1:
        raise InputError(f"--count is {options.count}; expected at least 1")
    if options.tempo is not None and not 10 <= options.tempo <= 1000:
        raise InputError(f"--tempo is {options.tempo}; expected 10 to 1000 beats a minute")
    from peephole.figures import check_installed, draw, png
    from peephole.tasks import load
    from peephole.tasks.music.model import MusicModel
    from peephole.writing import write_whole

    check_installed()
    model = load(options.run)
    assert isinstance(model, MusicModel)
    target = options.out or options.run / "sample.mid"
    if target.suffix.lower() not in (".mid", ".midi"):
        raise InputError(f"--out is {target}; expected a name that ends in .mid")
    for number in range(options.count):
        piece = model.compose(
            options.length, options.prime, options.how, number, prime_steps=options.prime_steps, tempo=options.tempo
        )
        path = target if options.count == 1 else target.with_stem(f"{target.stem}-{number + 1}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, piece.midi())
            write_whole(path.with_suffix(".json"), piece.json().encode())
            write_whole(path.with_suffix(".png"), png(draw(piece.plot, width=9.0, height=4.0)))
        except OSError as error:
            reason = (error.strerror or "unknown reason").lower()
            raise InputError(f"{path}: cannot be written ({reason}); choose another --out") from None
        emit(f"{path}, with .png and .json beside it: {piece.verdict}\n")
    return 0
