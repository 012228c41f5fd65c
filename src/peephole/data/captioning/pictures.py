"""Pictures as arrays: read from files whatever their size and kind, kept on disk, all of one size."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray

from peephole.data.sequences.preparing import prepared
from peephole.data.sequences.store import REMEDY
from peephole.errors import InputError
from peephole.writing import sync_folder

Pictures = UInt8[np.ndarray, "pictures size size 3"]

STORE = "pictures.bin"  # beside the parts, which all refer to it
# What Pillow reads and people have; others in a folder are passed over.
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
GROUND = (255, 255, 255)  # what shows through a transparent picture


def check_installed() -> None:
    """`InputError` where the library that reads pictures is missing."""
    try:
        import PIL  # noqa: F401
    except ImportError:
        raise InputError("pictures need pillow, which is not installed; pip install 'peephole[captioning]'") from None


def read_picture(path: Path, size: int) -> UInt8[np.ndarray, "size size 3"]:
    """A picture as red, green and blue, upright, brought to a square; where it is transparent white shows through.

    Raises:
        InputError: the file is missing, no picture, or cut off.
    """
    check_installed()
    import warnings

    from PIL import Image, ImageOps

    expected = "expected a picture, for example JPEG or PNG; leave it out"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)  # hundreds of megapixels are no photograph
            with Image.open(path) as opened:
                opened.draft("RGB", (2 * size, 2 * size))  # of a large JPEG no more is decoded than is kept
                upright = ImageOps.exif_transpose(opened)
                if upright.mode in ("I", "I;16", "F"):  # more than 8 bits: shades by their own range
                    upright = _of_range(np.asarray(upright, np.float64))
                if upright.has_transparency_data:
                    clear = upright.convert("RGBA")
                    upright = Image.new("RGBA", clear.size, (*GROUND, 255))
                    upright.alpha_composite(clear)
                small = upright.convert("RGB").resize((size, size), Image.Resampling.BICUBIC, reducing_gap=3.0)
        return np.asarray(small, np.uint8)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise InputError(
            f"{path}: {(error.strerror or '').lower().replace('or directory', '').strip()}; {expected}"
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InputError(f"{path}: more than {Image.MAX_IMAGE_PIXELS or 0:,} pixels; {expected}") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # Pillow says broken files in all of these ways
        reason = "no picture" if isinstance(error, Image.UnidentifiedImageError) else str(error).strip().lower()
        raise InputError(f"{path}: {reason or 'damaged'}; {expected}") from None


def _of_range(values: NDArray[np.float64]) -> Any:
    from PIL import Image

    if not np.isfinite(values).all():
        raise ValueError("numbers that are not finite")
    low, high = float(values.min()), float(values.max())
    return Image.fromarray(((values - low) * (255 / max(high - low, 1e-9))).astype(np.uint8))


@dataclass(frozen=True)
class PictureFile:
    """A file with its size and time, so that one that was changed is read again. Both are 0 where it is missing."""

    path: Path
    bytes: int
    time: int

    @classmethod
    def of(cls, path: Path) -> "PictureFile":
        try:
            status = os.stat(path)
        except OSError:
            return cls(path, 0, 0)
        return cls(path, status.st_size, status.st_mtime_ns)


@dataclass(frozen=True)
class _Reading:
    """Goes to other processes."""

    size: int

    def __call__(self, file: PictureFile) -> Pictures:
        """The picture, or none where it cannot be read."""
        try:
            return read_picture(file.path, self.size)[None]
        except InputError:
            return np.empty((0, self.size, self.size, 3), np.uint8)


def read_pictures(paths: Sequence[Path], size: int, shards: Path, workers: int) -> Iterator[Pictures]:
    """Of each file its picture `[1, size, size, 3]`, or `[0, size, size, 3]` where it is none, read in parallel.

    What is read already lies in `shards`, which the caller removes when all is done.
    """
    check_installed()
    files = [PictureFile.of(path) for path in paths]
    yield from prepared(files, _Reading(size), shards, f"pictures {size}", workers)


def write_pictures(folder: Path, pictures: Iterator[Pictures]) -> list[bool]:
    """Write pictures one after another into `folder`; of each whether there was one. The file is whole or not there."""
    partial = folder / f".{STORE}.partial"
    found: list[bool] = []
    try:
        with partial.open("wb") as file:
            for picture in pictures:
                file.write(np.ascontiguousarray(picture).data)
                found.append(len(picture) == 1)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(folder / STORE)
        sync_folder(folder)
    except OSError as error:
        raise InputError(f"{folder / STORE}: cannot be written ({(error.strerror or '').lower()}); make room") from None
    finally:
        partial.unlink(missing_ok=True)
    return found


def open_pictures(folder: Path, size: int) -> Pictures:
    """What `write_pictures` wrote, memory-mapped and read-only. `InputError` where it is missing or damaged."""
    path, each = folder / STORE, size * size * 3
    try:
        length = path.stat().st_size
    except OSError as error:
        raise InputError(f"{path}: missing ({(error.strerror or '').lower()}); {REMEDY}") from None
    if not length or length % each:
        raise InputError(f"{path}: damaged: {length:,} bytes, expected pictures of {each:,}; {REMEDY}")
    return np.asarray(np.memmap(path, np.uint8, mode="r", shape=(length // each, size, size, 3)))
