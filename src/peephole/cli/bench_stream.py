"""`peephole bench stream`."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from peephole.bench import stream_cases
from peephole.cli.bench_options import check_measuring, hand_over, threads_of
from peephole.cli.parsing import parse

if TYPE_CHECKING:
    from peephole.bench.stream_results import Stepped

DESCRIPTION = (
    "Measure streams, which take one step at a time and keep their state: one LSTM beside torch.nn, a loop over "
    "nn.LSTMCell and ONNX Runtime, with weights of 32, 16 and 8 bits; many streams together; other cells; and what an "
    "idle stream takes. In turn in one process, after the results of each were compared with the equations in float64."
)


@dataclass(frozen=True)
class BenchStream:
    """Options of `peephole bench stream`."""

    # Which parts: step (one stream beside peers, with each kind of weights), many (streams together), cells (others
    # than the LSTM, operation for operation), memory (of idle streams).
    parts: tuple[str, ...] = tuple(stream_cases.PARTS)

    # Sizes of the LSTM in the part step: layers x units such as 2x512, as many features as units.
    sizes: tuple[str, ...] = tuple(map(str, stream_cases.SIZES))

    # How many streams step together in the part many.
    batches: tuple[int, ...] = stream_cases.BATCHES

    # Beside whom: bfloat16, int8 (ours with such weights), torch, cells (a loop over nn.LSTMCell), onnxruntime,
    # onnxruntime-int8 (its own quantisation), product (the machine's matrix products). Default: all.
    peers: tuple[str, ...] = ()

    # Threads of everybody. Default: as many as torch takes here.
    threads: int | None = None

    # About how long all of it may take. A case is timed for three rounds at least, whatever that takes.
    minutes: float = 3.0

    # Rounds of each case, in place of --minutes.
    rounds: int | None = None

    # JSON file to write: every time of every round, ratios, and the machine's stamp.
    out: Path | None = None

    # File to write, .png, .svg or .pdf, with ratios, rates and other cells as a figure.
    plot: Path | None = None

    # Print that JSON in place of the tables.
    json: bool = False


def run(words: list[str]) -> int:
    """Measure, write, print; exit code 1 where results were wrong."""
    options = parse(BenchStream, "bench stream", words, DESCRIPTION)
    sizes = stream_cases.sizes_of(options.sizes)
    stream_cases.check_streams(options.parts, options.batches)
    check_measuring(options)
    from peephole.bench.stream_memory import IDLE_STREAMS
    from peephole.bench.stream_peers import PEERS
    from peephole.bench.stream_plot import picture
    from peephole.bench.stream_table import text_of
    from peephole.bench.streaming import measure_streams
    from peephole.figures import check_installed

    if options.plot is not None:
        check_installed()
    found = measure_streams(
        stream_cases.plan(options.parts, sizes, options.batches, threads_of(options)),
        peers=options.peers or tuple(PEERS),
        minutes=options.minutes,
        rounds=options.rounds,
        idle_streams=IDLE_STREAMS if "memory" in options.parts else 0,
        shown=_show,
    )
    hand_over(options, found.as_json(), lambda: text_of(found), lambda suffix: picture(found, suffix))
    return 1 if found.red else 0


def _show(number: int, total: int, one: "Stepped") -> None:
    """One line a case as it is measured, beside the tables that come at the end."""
    from peephole.bench.stream_table import step_line

    print(f"{number}/{total} {step_line(one)}", file=sys.stderr, flush=True)
