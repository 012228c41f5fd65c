"""Settings as words: `peephole=diagonal`, `learning_rate=1e-3`, read by what a dataclass says of its fields."""

import difflib
import types
import typing
from collections.abc import Iterable
from typing import Any, ClassVar, Literal

from peephole.errors import InputError

BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def kinds_of(kind: type) -> dict[str, Any]:
    """What the fields of a dataclass are annotated with, by name."""
    hints = typing.get_type_hints(kind)
    return {name: hint for name, hint in hints.items() if typing.get_origin(hint) is not ClassVar}


def field_named(name: str, names: Iterable[str], where: str) -> str:
    """The field that a word names, with dashes or underscores. `InputError` says the nearest of `names`, or all."""
    names = list(names)
    field = name.strip().lstrip("-").replace("-", "_")
    if field in names:
        return field
    near = difflib.get_close_matches(field, names, 1)
    raise InputError(
        f"{where}: no option {name!r}; {f'did you mean {near[0]}?' if near else 'expected one of ' + ', '.join(names)}"
    )


def number_kind(kind: Any) -> type[int] | type[float] | None:
    """`int` or `float` for a field that holds numbers (or None, as the case may be); None for any other."""
    kinds = _alternatives(kind)
    return int if int in kinds and float not in kinds else float if float in kinds else None


def read_value(text: str, kind: Any, where: str) -> Any:
    """The value that `text` spells for a field of this kind. `InputError` for what it cannot be."""
    text, kinds = text.strip(), _alternatives(kind)
    choices = [choice for each in kinds for choice in typing.get_args(each) if typing.get_origin(each) is Literal]
    if type(None) in kinds and text.lower() == "none":
        return None
    for choice in choices:
        if text == str(choice):
            return choice
    if bool in kinds and text.lower() in BOOLEANS:
        return BOOLEANS[text.lower()]
    for number in (int, float):
        if number in kinds:
            try:
                return number(text)
            except ValueError:
                pass
    near = difflib.get_close_matches(text, [str(choice) for choice in choices], 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise InputError(f"{where} is {text!r}; expected {_expected(kinds, choices)}{hint}")


def spell(value: Any) -> str:
    """A value as `read_value` reads it."""
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _alternatives(kind: Any) -> tuple[Any, ...]:
    """What a value may be: the members of a union, else the kind itself."""
    return typing.get_args(kind) if typing.get_origin(kind) in (typing.Union, types.UnionType) else (kind,)


def _expected(kinds: tuple[Any, ...], choices: list[Any]) -> str:
    said = [", ".join(map(str, choices))] if choices else []
    names = {bool: "true or false", int: "a whole number", float: "a number", type(None): "none"}
    said += [names[kind] for kind in kinds if kind in names]
    return f"one of {said[0]}" if choices and len(said) == 1 else " or ".join(said)
