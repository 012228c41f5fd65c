"""The settings of transcribed recordings. Imports nothing heavy: `peephole --help` shows them."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from peephole.errors import InputError

Units = Literal["characters", "words", "pieces"]
Normalise = Literal["running", "recording", "training"]


@dataclass(frozen=True)
class SpeechData:
    """Which recordings and transcripts to read, what the transcripts are spelled in, and what to hold out.

    Raises:
        InputError: a setting lies outside its range.
    """

    # Recordings with transcripts to learn from: tables (.tsv) with a recording a line, its path, a tab, what is said;
    # or folders as LibriSpeech has them, of .flac or .wav files with .trans.txt files beside them.
    files: tuple[Path, ...] = ()

    # The same, to choose the best weights by. Without it a share of the files is held out.
    held_out: tuple[Path, ...] = ()

    # The same, never learned from and never chosen by: what the final score is measured on.
    test: tuple[Path, ...] = ()

    # Share of the recordings kept from training to choose the best weights by. 0 trains on all and keeps the last
    # weights.
    held_out_share: float = 0.1

    # Hold out whole speakers, as many as make up the share, so that the score is of voices that the net does not know.
    hold_out_speakers: bool = False

    # Draws what is held out.
    split_seed: int = 0

    # Regular expression whose first group is the speaker, searched for in the paths of recordings: "/([a-z]+)_\d+".
    # Without it the column speaker of a table, or what stands before the first - in LibriSpeech's names.
    speaker: str | None = None

    # What the net spells transcripts in: characters; words, for some hundred different ones at most; or pieces of
    # words, byte-pairs learnt from the training part, for hours of speech.
    units: Units = "characters"

    # How many different --units pieces there are at most.
    vocabulary: int = 300

    # Characters or words rarer than this in the training part are none of the units: the net takes them for silence.
    min_count: int = 1

    # Write transcripts in lower case.
    lower: bool = True

    # How the bytes of transcripts spell characters.
    encoding: str = "utf-8"

    # Samples a second that recordings are brought to. 0: what most of the training part has.
    rate: int = 0

    # Bands of the mel scale that a recording's spectrum is summed into. 40 are usual for speech.
    bands: int = 40

    # Milliseconds of sound under a spectrum: 25 are usual for speech.
    frame_milliseconds: float = 25.0

    # Milliseconds from one spectrum to the next: 10 are usual for speech.
    hop_milliseconds: float = 10.0

    # Spectra that the net reads at once, as one step: speech changes slower than its spectra come, and time grows with
    # steps. There have to be as many steps as units, and more where one is said twice.
    stack: int = 3

    # What is taken off the bands, so that another microphone sounds alike. training: their mean over the training part.
    # recording: that of the whole recording. running: that of the recording up to each spectrum, which a net that
    # listens while somebody speaks can know; it starts from training's. Of strings of digits by a speaker who was left
    # out 16 % of the words were wrong with recording, 30 % with training, 39 % with running.
    normalise: Normalise = "recording"

    # Processes that read recordings. 0: as many as the machine has cores.
    workers: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.held_out_share < 1:
            raise InputError(f"--held-out-share is {self.held_out_share}; expected 0 to below 1, for example 0.1")
        for name in ("min_count", "bands", "stack", "vocabulary"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name.replace('_', '-')} is {getattr(self, name)}; expected 1 or more")
        for name in ("rate", "workers", "split_seed"):
            if getattr(self, name) < 0:
                raise InputError(f"--{name.replace('_', '-')} is {getattr(self, name)}; expected 0 or more")
        for name in ("frame_milliseconds", "hop_milliseconds"):
            if not 0 < getattr(self, name) <= 10_000:
                option = f"--{name.replace('_', '-')}"
                raise InputError(f"{option} is {getattr(self, name)}; expected more than 0 and at most 10,000")
        for name, kind in (("units", Units), ("normalise", Normalise)):
            if getattr(self, name) not in get_args(kind):
                raise InputError(f"--{name} is {getattr(self, name)!r}; expected one of {', '.join(get_args(kind))}")
        try:
            groups = None if self.speaker is None else re.compile(self.speaker).groups
        except re.error as error:
            raise InputError(f"--speaker is {self.speaker!r}: {error}; expected a regular expression") from None
        if groups == 0:
            raise InputError(f"--speaker is {self.speaker!r}; expected a group around the speaker: ([a-z]+)_\\d+")
