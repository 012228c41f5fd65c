"""The figure of what was found of word vectors."""

from typing import TYPE_CHECKING

from peephole.bench.plot import COLOURS
from peephole.bench.results import OURS
from peephole.bench.word_vector_cases import GENSIM, KINDS, Contestant
from peephole.bench.word_vector_results import WordVectorReport
from peephole.figures import check_installed, content, draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BARS = {OURS: COLOURS[OURS], GENSIM: COLOURS["torch.nn"]}


def picture(report: WordVectorReport, suffix: str = ".png") -> bytes:
    """The figure as a file's content. `InputError` without matplotlib."""
    check_installed()
    return content(draw(report.plot), suffix)


def draw_rates(ax: "Axes", report: WordVectorReport) -> None:
    """Words a second of training, bars grouped by kind and number of threads."""
    groups = [(one, count) for one in report.timed for count in report.counts]
    for place, (who, colour) in enumerate(BARS.items()):
        timed = [(at, one, Contestant(who, count)) for at, (one, count) in enumerate(groups)]
        timed = [(at, one, contestant) for at, one, contestant in timed if contestant in one.training]
        if timed:
            heights = [one.rate(contestant, report.words) / 1e6 for _, one, contestant in timed]
            ax.bar([at + 0.4 * (place - 0.5) for at, _, _ in timed], heights, width=0.36, color=colour, label=who)
    names = [f"{KINDS[one.kind]}\n{count} thread{'s' * (count > 1)}" for one, count in groups]
    ax.set_xticks(range(len(groups)), names)
    ax.set_ylabel("million words a second")
    if ax.get_legend_handles_labels()[0]:
        ax.legend(frameon=False, loc="upper left")
