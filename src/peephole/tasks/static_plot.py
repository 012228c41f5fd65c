"""Pictures of what `static` finds."""

import math
from typing import TYPE_CHECKING

from peephole.tasks.static_result import NETS, Net, StaticComparison

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS: dict[Net, str] = {"static": "C1", "recurrent": "C0"}


def draw_needed(ax: "Axes", found: StaticComparison) -> None:
    """Samples that 99 % takes over N: a dot a seed, a line through the medians; grey, all patterns that there are."""
    every = [found.patterns(bits) for bits in found.bits]
    ax.plot(found.bits, every, color="0.85", linewidth=6, solid_capstyle="round", label="all patterns")
    for place, net in enumerate(NETS):
        typical = [found.typical(net, bits) for bits in found.bits]
        ax.plot(found.bits, [samples if math.isfinite(samples) else math.nan for samples in typical], "-",
                color=COLOURS[net], label=_name(found, net))  # fmt: skip
        for bits in found.bits:
            needed = [samples for samples in found.needed(net, bits) if samples is not None]
            ax.plot(
                [bits + 0.1 * (2 * place - 1)] * len(needed), needed, "o", color=COLOURS[net], markersize=3, alpha=0.6
            )
    ax.set_yscale("log", base=2)
    ax.set_xticks(found.bits)
    ax.set(xlabel="bits N", ylabel="samples", title="samples needed for 99 %")
    _finish(ax)


def draw_unseen(ax: "Axes", found: StaticComparison) -> None:
    """Right on patterns of the largest N that were not learnt from, over the samples."""
    bits = found.bits[-1]
    for net in NETS:
        shares: dict[int, list[float]] = {}
        for row in found.rows:
            unseen = row.of(net).unseen
            if row.bits == bits and unseen is not None:
                shares.setdefault(row.samples, []).append(unseen)
        ax.plot(list(shares), [sum(each) / len(each) for each in shares.values()], "-", color=COLOURS[net],
                label=_name(found, net))  # fmt: skip
        for samples, each in shares.items():
            ax.plot([samples] * len(each), each, "o", color=COLOURS[net], markersize=3, alpha=0.6)
    ax.axhline(found.chance(bits), color="0.5", linestyle="--", linewidth=1, label="chance")
    ax.set_xscale("log", base=2)
    ax.set(xlabel=f"samples of {found.patterns(bits)} patterns", ylabel="right", ylim=(-0.03, 1.03))
    ax.set_title(f"patterns of {bits} bits not seen")
    _finish(ax)


def draw_longer(ax: "Axes", found: StaticComparison) -> None:
    """Right on longer patterns over N, of nets that saw all patterns of N bits: the mean, least and largest."""
    ways: tuple[tuple[Net, str, str, str], ...] = (
        ("static", "unread", "-", "N + 1, bit not read"),
        ("static", "widened", ":", "N + 1, untrained input"),
        ("recurrent", "N + 1", "-", "N + 1"),
        ("recurrent", "10 N", ":", "10 N"),
    )
    for net, way, style, label in ways:
        least, mean, most = zip(*(found.longer(net, bits)[way] for bits in found.bits), strict=True)
        ax.plot(found.bits, mean, style, color=COLOURS[net], marker="o", markersize=3, label=f"{net}: {label}")
        ax.fill_between(found.bits, least, most, color=COLOURS[net], alpha=0.12, linewidth=0)
    ax.axhline(found.chance(found.bits[-1]), color="0.5", linestyle="--", linewidth=1)
    ax.set_xticks(found.bits)
    ax.set(xlabel="bits N", ylabel="right", ylim=(-0.03, 1.03), title="longer than trained")
    _finish(ax)


def _name(found: StaticComparison, net: Net) -> str:
    return f"static, {found.hidden_size} units" if net == "static" else f"recurrent, {found.cell}"


def _finish(ax: "Axes") -> None:
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize="small")
