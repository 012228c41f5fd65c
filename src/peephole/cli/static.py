"""`peephole static [parity|addition]`."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from peephole.cli.parsing import parse
from peephole.cli.stability_out import check_folder, emit_json, emit_lines, write_figure
from peephole.figures import styled

if TYPE_CHECKING:
    from peephole.tasks.static_result import StaticComparison, StaticRow

DESCRIPTION = (
    "What a static net needs to learn the parity or the sum of N bits: how many samples, beside a recurrent net of as "
    "many parameters that learns from the same ones; what both make of one bit more; and how many units do it with "
    "weights set by hand."
)


@dataclass(frozen=True)
class Static:
    """Options of `peephole static`."""

    # Whether the number of ones is odd, or the sum of two numbers.
    problem: Annotated[Literal["parity", "addition"], tyro.conf.Positional] = "parity"

    # The sizes N, any of 1 to 12 (of addition, 1 to 6). Default: 2 to 8, of addition 2 to 5.
    bits: tuple[int, ...] = ()

    # How often all is done, each time with other samples and other weights to start from.
    seeds: int = 3

    # When both nets are told the parity. each: after every bit, without which the recurrent net does no better; last:
    # after the whole string.
    answers: Literal["each", "last"] = "each"

    # Units in a hidden layer of the static net.
    hidden_size: int = 64

    # Hidden layers of the static net.
    layers: int = 1

    # Cell of the recurrent net, which is given as many units as the static net has parameters for.
    cell: Literal["lstm", "gru", "rnn"] = "lstm"

    # Updates at most. Training ends before, when a net makes no error on its samples and is sure of them.
    steps: int = 4000

    # Step size of Adam.
    learning_rate: float = 1e-2

    # Folder for the figure, static.png, and for rows.jsonl, to which every finished training is added: the same command
    # goes on where it was stopped.
    out: Path | None = None

    # Print one JSON object, with every row.
    json: bool = False


def run(words: list[str]) -> int:
    """Train, measure, draw, print."""
    options = parse(Static, "static", words, DESCRIPTION)
    check_folder(options.out)
    import torch

    from peephole.tasks.static import StaticSettings, compare_static

    torch.set_num_threads(1)  # more would wait for each other: the nets are small
    settings = {name: value for name, value in vars(options).items() if name not in ("bits", "seeds", "out", "json")}
    found = compare_static(StaticSettings(**settings), options.bits, options.seeds, options.out, _show)
    written = None if options.out is None else _draw(options.out, found)
    if options.json:
        emit_json({**found.as_dict(), "by_hand": _by_hand(found)}, written)
    else:
        emit_lines((found.verdict,), _table(found), written)
    return 0


def _show(row: "StaticRow", number: int, total: int) -> None:
    """One line a training as it ends."""
    print(
        f"{number}/{total} {row.bits} bits, {row.samples} samples, seed {row.seed}: "
        f"right {row.static.right:.1%} static, {row.recurrent.right:.1%} recurrent",
        file=sys.stderr,
        flush=True,
    )


@styled()
def _draw(folder: Path, found: "StaticComparison") -> Path:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 4.5), layout="constrained")
    found.plot(figure)
    return write_figure(folder, "static", figure)


def _table(found: "StaticComparison") -> list[tuple[str, ...]]:
    """A line for each N: samples needed by each seed, right on longer patterns, units of the nets set by hand."""
    by_hand = _by_hand(found)
    hand = [f"{way}, units" for way in by_hand]
    asked = ("N + 1 unread", "untrained input", "recurrent N + 1", "2 N", "10 N")
    rows: list[tuple[str, ...]] = [("N", "patterns", "static needs", "recurrent needs", *asked, *hand)]
    for place, bits in enumerate(found.bits):
        needs = [" ".join("-" if one is None else str(one) for one in found.needed(net, bits)) for net in _NETS]
        longer = [mean for net in _NETS for _, mean, _ in found.longer(net, bits).values()]
        units = [str(each[place]) for each in by_hand.values()]
        rows.append((str(bits), str(found.patterns(bits)), *needs, *(f"{share:.1%}" for share in longer), *units))
    return rows


_NETS: tuple[Literal["static"], Literal["recurrent"]] = ("static", "recurrent")


def _by_hand(found: "StaticComparison") -> dict[str, list[int]]:
    """Units of the nets whose weights are set by hand, for each N."""
    from peephole.models.by_hand import addition_by_hand, parity_by_hand
    from peephole.models.by_hand_xor import xor_by_hand

    if found.problem == "addition":
        units = addition_by_hand(2, "threshold").config.hidden_size
        return {"recurrent by hand": [units for _ in found.bits]}
    return {
        "XOR tree": [xor_by_hand(bits, "tree").units for bits in found.bits],
        "counting": [xor_by_hand(bits, "count").units for bits in found.bits],
        "recurrent by hand": [parity_by_hand("rnn-threshold").config.hidden_size for _ in found.bits],
    }
