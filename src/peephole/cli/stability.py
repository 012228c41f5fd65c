"""`peephole stability scalar|vector|RUN`: dispatch by the first word."""

from peephole.cli.parsing import emit
from peephole.errors import InputError

HELP = """\
Does it blow up, saturate or forget? Of one unit, of a matrix, or of a trained run.

usage: peephole stability scalar --weight W [OPTIONS]     one unit that feeds itself, h(t) = f(w h(t-1) + c x + b)
       peephole stability vector W.npy [OPTIONS]          h(t) = f(W h(t-1)), W from a file of numbers
       peephole stability RUN [OPTIONS]                   the recurrent net of a run, on text that it never saw

`peephole stability scalar --help` and so on say what each option does. With --out FOLDER each writes its figure there.
"""


def run(words: list[str]) -> int:
    """Hand the words to the command that the first names."""
    kind = words[0] if words else "--help"
    if kind in ("-h", "--help"):
        emit(HELP)
        return 0
    if kind == "scalar":
        from peephole.cli.stability_scalar import run as scalar

        return scalar(words[1:])
    if kind == "vector":
        from peephole.cli.stability_vector import run as vector

        return vector(words[1:])
    if kind.startswith("-"):
        raise InputError(f"stability got {kind!r} first; expected scalar, vector or a run folder, then options")
    from peephole.cli.stability_run import run as net

    return net(words)
