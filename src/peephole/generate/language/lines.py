"""Texts that n-grams are counted in: an utterance a line."""

from collections.abc import Callable, Iterable
from pathlib import Path

from peephole.errors import InputError


def utterances(lines: Iterable[str], change: Callable[[str], str] = str) -> list[str]:
    """The lines that say something, with one space between words; `change` is what transcripts went through."""
    found = (" ".join(change(line).split()) for line in lines)
    return [line for line in found if line]


def read_utterances(path: Path, change: Callable[[str], str] = str) -> list[str]:
    """The utterances of a text file.

    Raises:
        InputError: it cannot be read, is no UTF-8, or says nothing.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); expected a text, an utterance a line") from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: byte {error.start} is no UTF-8; expected a text in UTF-8, an utterance a line"
        ) from None
    found = utterances(text.splitlines(), change)
    if not found:
        raise InputError(f"{path}: no line says anything; expected a text, an utterance a line")
    return found
