"""The settings of pictures with captions. Imports nothing heavy: `peephole --help` shows them without loading torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from peephole.errors import InputError

Format = Literal["auto", "tsv", "csv", "coco"]

SMALLEST, LARGEST, STEP = 32, 512, 16  # of the side of a picture, in pixels; the encoder halves it four times


@dataclass(frozen=True)
class CaptioningData:
    """Which captions to read, where their pictures lie, and what to hold out.

    Raises:
        InputError: a setting lies outside its range.
    """

    # Files of captions to learn from; several captions of a picture stand in several lines, or in several files.
    files: tuple[Path, ...] = ()

    # The same, to choose the best weights by. Without it, and without --held-out-list, a share of the pictures.
    held_out: tuple[Path, ...] = ()

    # The same, never learned from and never chosen by: what the final score is measured on.
    test: tuple[Path, ...] = ()

    # Folder that names of pictures start from. Without it the folder that each file of captions lies in.
    images: Path | None = None

    # File with the names of the pictures to learn from, a name a line. Without it all that no other list names.
    train_list: Path | None = None

    # File with the names of the pictures to choose the best weights by, a name a line.
    held_out_list: Path | None = None

    # File with the names of the pictures that the final score is measured on, a name a line.
    test_list: Path | None = None

    # Share of the pictures, with all captions of each, kept from training to choose the best weights by where nothing
    # above says which. A tenth leaves nearly all to learn from.
    held_out_share: float = 0.1

    # Draws which pictures are held out.
    split_seed: int = 0

    # tsv: the name of a picture, a tab, a caption; #0 to #9 after a name are left away, as in Flickr8k's file. csv: a
    # table with names of columns in its first line. coco: annotations in JSON. auto: .json is coco; else the first
    # line tells.
    format: Format = "auto"

    # Column of a csv table with the name of a picture.
    image_column: str = "image"

    # Column of a csv table with the caption.
    caption_column: str = "caption"

    # How the bytes of files of captions spell characters.
    encoding: str = "utf-8"

    # Side in pixels of the square that each picture is brought to, whatever its shape: nothing at its edges is lost.
    # Twice the side is four times the work.
    size: int = 96

    # Words in fewer captions of the training part than this count as unknown, and are never said. Words seen once or
    # twice cannot be learnt.
    min_count: int = 4

    # Words of a caption that are learnt from; what follows is left away, for a few long captions would make batches
    # that are mostly padding. Of Flickr8k's captions one in twenty has more.
    longest_caption: int = 18

    # Largest share of the pictures that may be missing or unreadable. They are named, counted and left out; above the
    # share the data is refused, for then the names or the folder are wrong.
    skipped_share: float = 0.1

    # Processes that read pictures. 0: as many as the machine has cores.
    workers: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.held_out_share < 1:
            raise InputError(
                f"--held-out-share is {self.held_out_share}; expected a share between 0 and 1, for example 0.1"
            )
        if not 0 <= self.skipped_share <= 1:
            raise InputError(f"--skipped-share is {self.skipped_share}; expected a share from 0 to 1")
        if not SMALLEST <= self.size <= LARGEST or self.size % STEP:
            raise InputError(f"--size is {self.size}; expected {SMALLEST} to {LARGEST} pixels, a multiple of {STEP}")
        for name, least in (("min_count", 1), ("longest_caption", 1), ("workers", 0), ("split_seed", 0)):
            if getattr(self, name) < least:
                option = f"--{name.replace('_', '-')}"
                raise InputError(f"{option} is {getattr(self, name)}; expected at least {least}")
        if self.format not in get_args(Format):
            raise InputError(f"--format is {self.format!r}; expected one of {', '.join(get_args(Format))}")
        for files, names in (("held_out", "held_out_list"), ("test", "test_list")):
            if getattr(self, files) and getattr(self, names) is not None:
                one, other = f"--{files.replace('_', '-')}", f"--{names.replace('_', '-')}"
                raise InputError(
                    f"both {one} and {other} are given; expected one: files of captions, or names in FILES"
                )
