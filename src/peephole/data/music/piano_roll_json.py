"""Piano rolls as JSON: lists of pieces, a piece a list of steps, a step a list of pitches."""

import json
from collections.abc import Sequence
from pathlib import Path

from peephole.data.music.piece import Chord, Piece, as_chord
from peephole.errors import InputError

# What the parts of an object may be called.
PARTS = {
    "train": "train",
    "valid": "held_out",
    "validation": "held_out",
    "dev": "held_out",
    "held_out": "held_out",
    "test": "test",
}
EXPECTED = "a list of pieces, or an object of such lists called train, valid, test"


def read_json(path: Path) -> dict[str, list[Piece]]:
    """The pieces of a file by part; a plain list is `train`. Pieces without steps are kept, for others to count.

    Raises:
        InputError: no JSON, or something in it is no pitch; says of which piece and step.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}, line {error.lineno}: no JSON ({error.msg}); expected {EXPECTED}") from None
    except (UnicodeDecodeError, RecursionError):
        raise InputError(f"{path}: no JSON in UTF-8; expected {EXPECTED}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({(error.strerror or '').lower()}); expected JSON") from None
    if isinstance(content, dict):
        unknown = [name for name in content if name not in PARTS]
        if unknown or not content:
            got = f"parts called {', '.join(map(repr, unknown[:3]))}" if unknown else "an empty object"
            raise InputError(f"{path}: got {got}; expected {EXPECTED}")
        found: dict[str, list[Piece]] = {}
        for name, pieces in content.items():
            found.setdefault(PARTS[name], []).extend(_pieces(pieces, f"{path}, {name}", f"{path.name} {name}"))
        return found
    return {"train": _pieces(content, str(path), path.name)}


def write_json(chords: Sequence[Chord]) -> str:
    """One piece as a list with it alone, as `read_json` reads it."""
    return json.dumps([[list(chord) for chord in chords]]) + "\n"


def _pieces(content: object, place: str, name: str) -> list[Piece]:
    if not isinstance(content, list):
        raise InputError(f"{place}: got {type(content).__name__}; expected a list of pieces")
    return [_piece(piece, f"{place}, piece {number}", f"{name} {number}") for number, piece in enumerate(content, 1)]


def _piece(content: object, place: str, name: str) -> Piece:
    if not isinstance(content, list):
        raise InputError(f"{place}: got {str(content)[:40]!r}; expected a list of steps, each a list of pitches")
    chords: list[Chord] = []
    for step, chord in enumerate(content, 1):
        where = f"{place}, step {step}"
        if not isinstance(chord, list):
            raise InputError(f"{where}: got {str(chord)[:40]!r}; expected a list of pitches, [] for silence")
        chords.append(as_chord(chord, where))
    return Piece(name, tuple(chords))
