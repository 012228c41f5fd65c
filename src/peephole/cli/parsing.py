"""Words of the command line to a frozen dataclass, through tyro."""

import io
import sys
from contextlib import redirect_stderr
from typing import TypeVar

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


def unescape(text: str | None) -> str | None:
    r"""The text with \n and \t, which a shell hands over as two characters, as line break and tab."""
    return None if text is None else text.replace("\\n", "\n").replace("\\t", "\t")


def emit(text: str) -> None:
    """Print, at once even into a pipe."""
    sys.stdout.write(text)
    sys.stdout.flush()
