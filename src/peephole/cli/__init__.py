"""The command line: one short file a command, each parses, calls and prints. Nothing else in the package prints."""

import importlib
import io
import os
import sys

from peephole.errors import InputError

COMMANDS = {
    "train": "train a model on text, or on a problem such as parity; go on with a run that was stopped",
    "eval": "measure a run: text beside n-grams and xz, a problem at sizes far beyond training",
    "sample": "let a run write, from a prime if you like",
    "next": "the distribution of the next character or word after a prime",
    "score": "how surprised a run is by each character or word of a file",
    "predict": "read a text as it comes and say what may follow; of a problem, answer line by line",
    "info": "what is in a run, which back end computes it; without a run: this installation",
    "runs": "a table of the runs in a folder",
    "embed": "vectors of words: TDNN, soft bag of words (CBOW), skip-gram",
    "words": "what vectors of words know: neighbours, analogies, similarity, capitals; density beside one-hot vectors",
    "units": "units that follow quotes, brackets, indentation or any regular expression, found and tested",
    "report": "everything about a run in one HTML file that needs no network",
    "doctor": "why a run does not learn and what to change; try the cure; plant a fault to see what it looks like",
    "compare": "runs side by side: spread, significance, curves; or train several cells and seeds, then compare",
    "sweep": "search a few options of a training within a budget",
    "stability": "does it blow up, saturate or forget: of one unit, a matrix, or a run, with figures",
    "ngram": "n-grams of a text, what they make of another, as an ARPA file; or what anybody's ARPA file makes of it",
    "static": "how many samples an MLP needs of parity or addition, and what it does with one bit more",
    "taps": "how far back a net with k taps learns to look, beside LSTM and GRU",
    "horizon": "how far gradients reach before training, and the longest lag that training then solves",
    "bench": "how fast the layers are, beside torch.nn, ONNX Runtime and a loop by hand",
}

EXAMPLES = """\
  peephole train --minutes 2 --out runs/first     the Python library's own source, because every machine has it
  peephole train book.txt --out runs/book         any UTF-8 text
  peephole sample runs/book --prime "Once upon"   what it writes
  tail -f log | peephole predict runs/log -       what each character tells, as it comes
  peephole eval runs/book                         bits a character, beside what n-grams and xz reach
  peephole train --resume runs/book               go on after Ctrl-C, a kill or a power cut
  peephole stability runs/book --out pictures     how far back it remembers, and how far its gradients reach
  peephole train parity --out runs/parity         a net that is exact at any length, beside one that cannot be"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line. Exit code 0, 1 for a failure of ours, 2 for input that cannot be used, 130 after Ctrl-C."""
    words = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that lacks a character gets its number
            stream.reconfigure(errors="backslashreplace")
    name = words[0] if words else "help"
    # Before torch loads libgomp, which reads it: threads that wait let go of their core early (docs/decisions.md, 13).
    # `bench` measures everybody as torch sets them up.
    if name != "bench":
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    try:
        if name in ("-h", "--help", "help"):
            print(_help(), flush=True)
            return 0
        if name in ("-V", "--version"):
            from peephole._version import __version__

            print(f"peephole {__version__}", flush=True)
            return 0
        if name not in COMMANDS:
            return _refuse(f"unknown command {name!r}; expected one of {', '.join(COMMANDS)}")
        return importlib.import_module(f"peephole.cli.{name.replace('eval', 'evaluate')}").run(words[1:])
    except InputError as error:
        return _refuse(str(error))
    except BrokenPipeError:  # the reader of a pipe has gone; nothing is left to tell it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # a full disk, a folder that went away
        return _refuse(
            f"{error.filename or name}: {(error.strerror or str(error)).lower()}; what was there is untouched"
        )
    except KeyboardInterrupt:
        print("\npeephole: interrupted", file=sys.stderr)
        return 130


def _refuse(message: str) -> int:
    print(f"peephole: {' '.join(message.split())}", file=sys.stderr)
    return 2


def _help() -> str:
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name.ljust(width)}   {summary}" for name, summary in COMMANDS.items())
    return (
        "peephole: recurrent networks you can look into\n\n"
        "usage: peephole COMMAND [OPTIONS]     peephole COMMAND --help says what each option does and why\n\n"
        f"commands:\n{commands}\n\nexamples:\n{EXAMPLES}"
    )
