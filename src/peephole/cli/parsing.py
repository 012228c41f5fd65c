"""Words of the command line to a frozen dataclass, through tyro."""

import sys
from typing import TypeVar

import tyro

Options = TypeVar("Options")


def parse(kind: type[Options], command: str, words: list[str], description: str) -> Options:
    """The options of `peephole COMMAND`; prints help and exits 0, or one complaint and exits 2."""
    return tyro.cli(
        kind,
        prog=f"peephole {command}",
        description=description,
        args=words,
        config=(tyro.conf.OmitArgPrefixes,),
    )


def emit(text: str) -> None:
    """Print, at once even into a pipe."""
    sys.stdout.write(text)
    sys.stdout.flush()
