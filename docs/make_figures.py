"""Makes the picture in the README from a run: what it learned against its baselines, and what it writes.

Use: .venv/bin/python docs/make_figures.py runs/demo
"""

import math
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

import peephole
from peephole.tasks.text.evaluation import Measurement, evaluate
from peephole.tasks.text.model import TextModel

COLUMNS, LINES = 74, 24


def draw_learning(axes: Axes, model: TextModel, measured: Measurement) -> None:
    """Held-out bits a character over characters seen, with the baselines as lines."""
    rows = [row for row in model.run.read_history() if "held_out" in row]
    seen = [row["characters"] / 1e6 for row in rows]
    bits_held_out = [row["held_out"] / math.log(2) for row in rows]
    axes.plot(seen, bits_held_out, "o-", color="black")
    axes.annotate("this model", (seen[0], bits_held_out[0]), xytext=(8, 2), textcoords="offset points")
    for name, bits in (measured.baselines or {}).items():
        axes.axhline(bits, color="0.6", linewidth=1, linestyle="--")
        axes.annotate(name, (seen[-1], bits), xytext=(0, 3), textcoords="offset points", ha="right", color="0.35")
    axes.set(xlabel="million characters seen", ylabel="bits a character, held-out files", ylim=(0, None))
    axes.spines[["top", "right"]].set_visible(False)


def draw_text(axes: Axes, model: TextModel, seed: int) -> None:
    """A sample, each character shaded by how surprising the model itself finds it."""
    text = model.sample(prime="def ", length=2500, temperature=0.7, seed=seed)
    lines = [line[:COLUMNS] for line in ("def " + text).split("\n")][:LINES]
    shown = "\n".join(lines)
    bits = model.score_characters(shown) / math.log(2)
    shade = plt.get_cmap("YlOrBr")
    limits = Normalize(0, 9)
    grid = np.zeros((LINES, COLUMNS))
    position = 0
    for row, line in enumerate(lines):
        for column, character in enumerate(line):
            grid[row, column] = bits[position]
            axes.text(column + 0.5, row + 0.5, character, family="monospace", fontsize=7, ha="center", va="center")
            position += 1
        position += 1  # the line's end
    axes.imshow(grid, cmap=shade, norm=limits, extent=(0, COLUMNS, LINES, 0), aspect="auto", alpha=0.8)
    axes.set(xticks=[], yticks=[], xlabel="what it writes after “def ”, shaded by surprisal (0 to 9 bits)")


def main(folder: Path, out: Path) -> None:
    """Draw both panels into one picture."""
    model = peephole.load(folder)
    measured = evaluate(model)
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.4), width_ratios=(1, 1.7), layout="constrained")
    draw_learning(left, model, measured)
    draw_text(right, model, seed=4)
    out.parent.mkdir(exist_ok=True)
    figure.savefig(out, dpi=130)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(__file__).parent / "images" / "readme.png")
