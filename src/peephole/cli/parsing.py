"""Words of the command line to a frozen dataclass, through tyro."""

import io
import sys
from contextlib import redirect_stderr
from dataclasses import field, fields, make_dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import tyro

from peephole.errors import InputError

Options = TypeVar("Options")


def parse(kind: type[Options], command: str, words: list[str], description: str) -> Options:
    """The options of `peephole COMMAND`; prints help and exits 0, or one complaint and exits 2."""

    def read() -> Options:
        return tyro.cli(
            kind,
            prog=f"peephole {command}",
            description=description,
            args=words,
            config=(tyro.conf.OmitArgPrefixes,),
        )

    try:
        with redirect_stderr(io.StringIO()):
            return read()
    except SystemExit as stop:
        cause: BaseException | None = stop
        while cause is not None:  # tyro frames what a setting complains of, in several lines; ours says it in one
            if isinstance(cause, InputError):
                raise cause from None
            cause = cause.__context__
        if not stop.code:
            sys.stdout.flush()  # here, where it is known what to do when nobody reads the help
            raise
    return read()


def option_among(words: list[str], name: str) -> str | None:
    """The value that `--name VALUE` or `--name=VALUE` has among the words, before they are parsed."""
    for place, word in enumerate(words):
        if word.startswith(f"--{name}="):
            return word.split("=", 1)[1]
        if word == f"--{name}" and place + 1 < len(words):
            return words[place + 1]
    return None


def with_files(data: Any) -> Any:
    """Settings of data whose `files` stand on the command line by themselves, without a flag."""
    files = Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[FILES ...]")]
    return retyped(data, "files", files)


def retyped(settings: Any, name: str, hint: Any) -> Any:
    """The same settings, of a kind that is annotated otherwise in one field."""
    kind: Any = type(settings)
    fields_of = [(name, hint, field(default=getattr(settings, name)))]
    made: Any = make_dataclass(kind.__name__, fields_of, bases=(kind,), frozen=True)
    made.__module__ = kind.__module__  # where the comments above the fields stand, which are the help
    return made(**vars(settings))


def bare(options: Any, like: Any) -> Any:
    """Options as the plain settings that they were made of."""
    return type(like)(**{one.name: getattr(options, one.name) for one in fields(like)})


def first_paragraph(kind: type) -> str:
    """What a class says of itself, on one line."""
    return " ".join((kind.__doc__ or "").split("\n\n")[0].split())


def unescape(text: str | None) -> str | None:
    r"""The text with \n and \t, which a shell hands over as two characters, as line break and tab."""
    return None if text is None else text.replace("\\n", "\n").replace("\\t", "\t")


def emit(text: str) -> None:
    """Print, at once even into a pipe."""
    sys.stdout.write(text)
    sys.stdout.flush()
