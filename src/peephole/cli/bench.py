"""`peephole bench`."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peephole.bench import cases
from peephole.cli.bench_options import check_measuring, hand_over, threads_of
from peephole.cli.parsing import parse
from peephole.errors import InputError

if TYPE_CHECKING:
    from peephole.bench.growth import Growth
    from peephole.bench.results import Measured, Report

DESCRIPTION = (
    "Measure the layers beside torch.nn, ONNX Runtime, a loop written by hand and plain matrix products: in turn in "
    "one process, after the results of each were compared with the equations in float64. With --growth: how time "
    "grows with T, B, H and threads. Without options it measures every bar that the project sets itself. "
    "`peephole bench stream` measures one step at a time instead, `peephole bench vectors` how fast word vectors are "
    "learnt; they have options of their own: `peephole bench stream --help`, `peephole bench vectors --help`."
)


@dataclass(frozen=True)
class Bench:
    """Options of `peephole bench`."""

    # Which cells: lstm, gru, rnn, rnn-relu, gru-before, lstm-coupled, lstm-diagonal, lstm-full, lstm-full-candidate,
    # lstm-layer-norm, lstm-noise (zoneout and recurrent dropout). Default: the first three, and at five
    # sizes with B >= 16 variants of the LSTM.
    cells: tuple[str, ...] = ()

    # Which sizes: grid (published comparisons), own (odd ones, I unlike H), TxBxH such as 100x16x256 with I = H, or
    # TxBxIxH. Default: grid and own.
    shapes: tuple[str, ...] = ()

    # Which of float32 and bfloat16 (under autocast). Default: float32, and training in bfloat16 where B·H >= 4096.
    dtypes: tuple[str, ...] = ()

    # Which of inference and training, which is forward and the gradients of the input and of every weight.
    modes: tuple[str, ...] = cases.MODES

    # Beside whom: torch, onnxruntime, loop, product, float32 (ours, for bfloat16), lstm (ours, for its variants).
    # Default: all that have the cell; with --growth torch and onnxruntime.
    peers: tuple[str, ...] = ()

    # Back end of our layers: auto takes the first that supports the cell, as layers do.
    backend: str = "auto"

    # Threads of everybody. Default: as many as torch takes here.
    threads: int | None = None

    # About how long all of it may take. A case is timed for three rounds at least, whatever that takes.
    minutes: float = 6.0

    # Rounds of each case, in place of --minutes.
    rounds: int | None = None

    # Measure growth with T (to 100,000), B, H and threads instead.
    growth: bool = False

    # JSON file to write: every time of every round, ratios, and the machine's stamp.
    out: Path | None = None

    # File to write, .png, .svg or .pdf, with the ratios, or the growth, as a figure.
    plot: Path | None = None

    # Print that JSON in place of the table.
    json: bool = False


def run(words: list[str]) -> int:
    """Measure, write, print; exit code 1 where results were wrong."""
    if words[:1] == ["stream"]:
        from peephole.cli import bench_stream

        return bench_stream.run(words[1:])
    if words[:1] == ["vectors"]:
        from peephole.cli import bench_vectors

        return bench_vectors.run(words[1:])
    options = parse(Bench, "bench", words, DESCRIPTION)
    _check(options)
    from peephole.bench.plot import picture
    from peephole.bench.table import text_of
    from peephole.figures import check_installed

    if options.plot is not None:
        check_installed()
    found = _measure_growth(options) if options.growth else _measure(options)
    hand_over(options, found.as_json(), lambda: text_of(found), lambda suffix: picture(found, suffix))
    return 1 if found.red else 0


def _check(options: Bench) -> None:
    """Raise `InputError` for what would fail after minutes of measuring, and before torch is loaded."""
    cases.check_names(options.cells, options.dtypes, options.modes)
    cases.shapes_of(options.shapes)
    check_measuring(options)
    if options.growth and options.shapes:
        raise InputError("--growth has shapes of its own; leave --shapes or --growth away")


def _measure(options: Bench) -> "Report":
    shapes = cases.shapes_of(options.shapes or tuple(cases.GRIDS))
    planned = cases.plan(options.cells, shapes, options.dtypes, options.modes, threads_of(options))
    from peephole.bench.measure import measure
    from peephole.bench.peers import PEERS

    return measure(planned, peers=options.peers or tuple(PEERS), **_how(options))


def _measure_growth(options: Bench) -> "Growth":
    from peephole.bench import growth

    planned = growth.plan(
        options.cells or cases.PLAIN, options.dtypes or ("float32",), options.modes, threads_of(options)
    )
    return growth.measure_growth(planned, peers=options.peers or growth.USUAL_PEERS, **_how(options))


def _how(options: Bench) -> dict[str, Any]:
    return {
        "backend": options.backend,
        "minutes": options.minutes,
        "rounds": options.rounds,
        "shown": _show,
    }


def _show(number: int, total: int, one: "Measured") -> None:
    """One line a case as it is measured, beside the table that comes at the end."""
    from peephole.bench.table import case_line

    print(f"{number}/{total} {case_line(one)}", file=sys.stderr, flush=True)
