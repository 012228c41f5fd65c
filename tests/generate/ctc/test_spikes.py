"""The picture of spikes: what it says, and that it draws."""

import numpy as np

from peephole.figures import content, draw
from peephole.generate.ctc.spikes import Spikes

NAMES = ("", " ", "o", "n", "e", "$")


def spikes(said: str | None, symbols: tuple[int, ...] = (2, 3, 4, 1, 5)) -> Spikes:
    shares = np.full((20, 6), 0.01)
    shares[:, 0] = 0.95
    for place, symbol in enumerate(symbols):
        shares[3 * place + 2] = np.where(np.arange(6) == symbol, 0.95, 0.01)
    return Spikes(np.random.default_rng(0).normal(size=(40, 8)), shares, NAMES, 0.01, 0.02, "one $", said)


def test_says_what_was_heard_and_where() -> None:
    assert spikes("one").verdict == (
        "“one $” heard for “one”: 5 labels with their peaks from 40 to 280 ms; the blank is the likeliest symbol 75% "
        "of the time."
    )
    assert spikes("one $").verdict.startswith("“one $” heard as it was said: 5 labels")
    assert spikes(None).verdict.startswith("“one $” heard: 5 labels")
    assert spikes(None, ()).verdict == "“one $” heard; the blank is the likeliest symbol throughout."


def test_draws_sound_above_labels_below_in_seconds() -> None:
    seen: list[object] = []
    figure = draw(lambda ax: seen.append(spikes("one $").plot(ax)))
    (ax,) = figure.axes
    assert ax.get_xlim() == (0.0, 0.4)
    assert [text.get_text() for text in ax.texts] == ["o", "n", "e", "␣", "$"]
    assert abs(float(ax.texts[0].get_position()[0]) - 2.5 * 0.02) <= 1e-9
    assert ax.get_ylabel() == "probability\n(dotted: blank)"
    assert content(figure, ".png") == content(draw(spikes("one $").plot), ".png")
    assert content(draw(spikes(None, ()).plot), ".png")
