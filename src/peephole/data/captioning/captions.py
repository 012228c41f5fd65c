"""Files of captions in the formats that people have: a caption with the name of its picture each."""

import csv
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peephole.data.captioning.config import CaptioningData
from peephole.errors import InputError

NUMBERED = re.compile(r"#\d+$")  # after a name: which of the picture's captions it is
SEPARATORS = ",;|"  # of the columns of a csv table
# Words with what stands inside them (t-shirt, dog's), or one character of a script that parts no words by spaces.
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+(?:['’-][^\W_]+)*")


@dataclass(frozen=True)
class Caption:
    """A caption of the picture in the file `picture`; `name` is how its file calls it, `place` where it stands."""

    picture: Path
    name: str
    text: str
    place: str

    @property
    def words(self) -> list[str]:
        return words_of(self.text)


def words_of(text: str) -> list[str]:
    """Lower case, without punctuation."""
    return WORD.findall(text.lower())


def read_captions(paths: Sequence[Path], data: CaptioningData) -> Iterator[Caption]:
    """The captions of files, in order, whether there is something in them or not.

    Raises:
        InputError: a file that cannot be read, or a line that is no caption, with file and line.
    """
    for path in paths:
        try:
            text = path.read_bytes().decode(data.encoding).removeprefix("\ufeff")
        except OSError as error:
            raise InputError(
                f"{path}: cannot be read ({(error.strerror or '').lower()}); expected a file of captions"
            ) from None
        except LookupError:
            raise InputError(f"--encoding is {data.encoding!r}; expected one that Python knows, as utf-8") from None
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            raise InputError(
                f"{path}, line {line}: not {data.encoding} ({error.reason}); expected text; name its --encoding"
            ) from None
        folder = path.parent if data.images is None else data.images
        for name, caption, place in _of_text(path, text, data):
            clean = NUMBERED.sub("", name.strip())
            if not clean:
                raise InputError(f"{place}: no name before the caption; expected the name of a picture; mend the line")
            yield Caption(folder / clean, clean, caption.strip(), place)


def _of_text(path: Path, text: str, data: CaptioningData) -> Iterator[tuple[str, str, str]]:
    """Name, caption and place of each."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    if data.format == "coco" or (data.format == "auto" and path.suffix.lower() == ".json"):
        yield from _coco(path, text)
    elif data.format == "csv" or (data.format == "auto" and "\t" not in first):
        yield from _csv(path, text, data)
    else:
        yield from _tsv(path, text)


def _tsv(path: Path, text: str) -> Iterator[tuple[str, str, str]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        columns = line.rstrip().split("\t")
        place = f"{path}, line {number}"
        if len(columns) == 1 and not line.endswith("\t"):
            raise InputError(
                f"{place}: got {line.strip()[:40]!r}; expected the name of a picture, a tab, a caption; mend the line"
            )
        if len(columns) > 2:
            raise InputError(
                f"{place}: {len(columns)} columns parted by tabs; expected two, the name of a picture and a caption; "
                "leave the others away"
            )
        yield columns[0], columns[-1] if len(columns) == 2 else "", place


def _csv(path: Path, text: str, data: CaptioningData) -> Iterator[tuple[str, str, str]]:
    header = text.lstrip().partition("\n")[0]
    separator = max(SEPARATORS, key=header.count)
    rows = csv.reader(text.splitlines(keepends=True), delimiter=separator, skipinitialspace=True, strict=True)
    wanted = (data.image_column, data.caption_column)
    columns: list[int] = []
    names: list[str] = []
    try:
        for row in rows:
            if not any(field.strip() for field in row):
                continue
            place = f"{path}, line {rows.line_num}"
            if not columns:
                names = [field.strip().lower() for field in row]
                if not all(name.lower() in names for name in wanted):
                    raise InputError(
                        f"{place}: got {header.strip()[:60]!r}; expected the columns {' and '.join(wanted)}, or a "
                        "name, a tab and a caption a line; say by --image-column and --caption-column which they are"
                    )
                columns = [names.index(name.lower()) for name in wanted]
            elif len(row) <= max(columns):
                raise InputError(
                    f"{place}: {len(row)} columns; expected {len(names)} as in the first line; mend the line"
                )
            else:
                yield row[columns[0]], row[columns[1]], place
    except csv.Error as error:
        raise InputError(f"{path}, line {rows.line_num}: {error}; expected a row of a table; mend the line") from None


def _coco(path: Path, text: str) -> Iterator[tuple[str, str, str]]:
    """Annotations of captions as MS COCO has them (Chen et al. 2015): `images` and `annotations`, joined by id."""
    expected = "expected images with id and file_name, and annotations with image_id and caption"
    try:
        found: Any = json.loads(text)
        if not isinstance(found, dict):
            raise InputError(f"{path}: got a {type(found).__name__}; {expected}, as COCO has them")
        names = {image["id"]: str(image["file_name"]) for image in found["images"]}
        annotations = [(one["image_id"], one["caption"]) for one in found["annotations"]]
    except json.JSONDecodeError as error:
        raise InputError(f"{path}, line {error.lineno}: not JSON ({error.msg}); expected COCO's annotations") from None
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: not COCO's annotations of captions (got no {error}); {expected}") from None
    for number, (image, caption) in enumerate(annotations, 1):
        place = f"{path}, annotation {number}"
        if image not in names or not isinstance(caption, str):
            raise InputError(f"{place}: got image_id {image!r}; expected a caption of one of its images; mend the file")
        yield names[image], caption, place
