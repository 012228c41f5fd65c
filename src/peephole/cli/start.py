"""What `--vectors` changes about the options that stand beside it."""

from dataclasses import field, fields, make_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from peephole.cli.parsing import option_among
from peephole.errors import InputError

Options = TypeVar("Options")


def as_wide_as_vectors(kind: type[Options], words: list[str]) -> type[Options]:
    """Options whose `model` is by default as wide as the vectors that `--vectors` names among the words.

    As they are where the words say how wide, or go on with a run.
    """
    named = option_among(words, "vectors")
    flags = {word.split("=")[0].replace("_", "-") for word in words}
    if named is None or flags & {"--embedding-size", "--resume"}:
        return kind
    from peephole.tasks.beginning import width_of

    given = next(one for one in fields(kind) if one.name == "model")  # pyright: ignore[reportArgumentType]
    usual: Any = given.default_factory() if callable(given.default_factory) else given.default
    try:
        model = replace(usual, embedding_size=width_of(Path(named)))
    except InputError as error:
        if not str(error).startswith("--"):
            raise
        return kind  # a tied preset, whose other sizes may be among the words; else the parser complains, or the run
    changed = [("model", type(model), field(default=model))]
    made: Any = make_dataclass(kind.__name__, changed, bases=(kind,), frozen=True)
    made.__module__, made.__doc__ = kind.__module__, kind.__doc__
    return made
