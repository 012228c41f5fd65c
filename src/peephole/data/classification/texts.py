"""Labelled texts: a line `label<TAB>text` each, or a `.txt` file each."""

from collections.abc import Iterator
from pathlib import Path

from peephole.data.classification.item import Item, Skipped
from peephole.data.classification.lines import numbered_lines
from peephole.data.files import read_text
from peephole.errors import InputError


def read_lines(path: Path, encoding: str, skipped: list[Skipped], labelled: bool = True) -> Iterator[Item]:
    """The texts of a file with one a line; without labels the line is the text. Lines without text are `skipped`.

    Raises:
        InputError: a line without a tab or without a label.
    """
    for number, line in numbered_lines(path, encoding):
        place = f"{path}, line {number}"
        if not line.strip():
            continue
        label, tab, text = line.partition("\t")
        if not labelled:
            yield Item(place, None, line.strip())
        elif not tab or not label.strip():
            raise InputError(f"{place}: got {line[:40]!r}; expected a label, a tab and a text; mend the line")
        elif not text.strip():
            skipped.append(Skipped(place, "no text"))
        else:
            yield Item(place, label.strip(), text.strip())


def read_whole(path: Path, label: str | None, encoding: str, skipped: list[Skipped]) -> Iterator[Item]:
    """A file that is one text, without white space around it; one without text is `skipped`."""
    text = "".join(read_text(path, encoding)).strip()
    if text:
        yield Item(str(path), label, text)
    else:
        skipped.append(Skipped(str(path), "no text"))
