"""A watched training, read back from its history and drawn."""

import copy
from typing import Any

import matplotlib.pyplot as plt
import pytest

from peephole.errors import InputError
from peephole.train.watch.reading import Watched, read_watch
from peephole.train.watch.row import WatchRow

ROW: dict[str, Any] = {
    "step": 200,
    "divergence": 1.5,
    "learning_rate": 4e-3,
    "per_second": 30_000.0,
    "watch": {
        "flow": {"layer 0": {"h": [1.0, 0.5, 0.004], "c": [1.0, None, 0.5]}, "layer 1": {"h": [2.0, 1.0, 0.0]}},
        "horizon": {"layer 0": {"h": 2, "c": None}, "layer 1": {"h": 1}},
        "saturation": {"layer 0": {"i": [0.2, 0.1], "f": [0.0, 0.9]}, "layer 1": {"i": [0.4, 0.3]}},
        "forget_product": {"layer 0": 0.031},
        "dead": {"layer 0": 3, "layer 1": 0},
        "units": {"layer 0": 16, "layer 1": 8},
        "range": {"layer 0": {"h": [-0.98, 0.97], "c": [-4.1, 5.2]}},
        "update_ratio": {"recurrent.weight_hh_l0": 0.0012, "head.weight": 0.002, "head.bias": None},
        "clipped": 0.4,
        "memory": 812_000_000,
    },
}


def history(*steps: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [{"step": 0, "divergence": 3.0}]
    for step in steps:
        rows += [{**copy.deepcopy(ROW), "step": step}, {"step": step + 1, "divergence": 1.0}]
    return rows


def test_a_row_is_read_back() -> None:
    look = WatchRow.read(ROW)
    assert look is not None
    assert look.step == 200
    assert look.horizon["layer 0"] == {"h": 2, "c": None}
    assert look.saturation["layer 0"]["f"] == (0.0, 0.9)
    assert look.range["layer 0"]["c"] == (-4.1, 5.2)
    assert look.longest == look.reach == 2
    assert look.reaches_beyond
    assert look.largest == 5.2
    assert look.update == pytest.approx(0.0016)
    gates = look.saturated()
    assert gates["i"] == pytest.approx((0.3, 0.2))
    assert gates["f"] == (0.0, 0.9)


def test_the_line_says_it_with_its_numbers() -> None:
    look = WatchRow.read(ROW)
    assert look is not None
    assert look.verdict == (
        "gradients reach more than 2 steps back; gates shut/open i 30/20 %, f 0/90 %; 3 of 24 units dead; "
        "updates 0.002 of the weights; 40 % of the steps clipped; 812 MB"
    )


def test_a_row_of_a_static_net_has_less() -> None:
    look = WatchRow.read({"step": 1, "watch": {"update_ratio": {"head.weight": 0.01}, "clipped": 0.0, "memory": 0}})
    assert look is not None
    assert (look.reach, look.longest, look.largest, dict(look.saturated())) == (None, 0, 0.0, {})
    assert look.verdict == "updates 0.01 of the weights; 0 % of the steps clipped"


def test_a_history_is_read_back() -> None:
    watched = read_watch(history(1, 200, 400))
    assert isinstance(watched, Watched)
    assert watched.steps == (1, 200, 400)
    assert watched.layers == ("layer 0", "layer 1")
    assert watched.turned == ()
    assert watched.verdict == (
        "Gradients reached more than 2 steps back after step 1 and more than 2 after step 400; nothing turned."
    )


def test_what_turned_is_found_again() -> None:
    rows = history(1, 200, 400)
    rows[5]["watch"]["dead"]["layer 0"] = 16
    watched = read_watch(rows)
    ((step, sentence),) = watched.turned
    assert (step, sentence[:26]) == (400, "16 of 24 units are dead, a")
    assert watched.verdict.endswith("; one thing turned, the last at step 400.")


@pytest.mark.parametrize("rows", [[], [{"step": 1}], [{"step": 1, "watch": None}]])
def test_a_history_that_nobody_watched_is_refused(rows: list[dict[str, Any]]) -> None:
    with pytest.raises(InputError, match="train with --watch N"):
        read_watch(rows)


@pytest.mark.parametrize("steps", [(1,), (1, 200, 400)])
def test_everything_is_drawn(steps: tuple[int, ...]) -> None:
    watched = read_watch(history(*steps))
    static = read_watch([{"step": 1, "watch": {"update_ratio": {"w": 0.1}}}])
    for name in ("plot", "plot_saturation", "plot_updates", "plot_ranges", "plot_dead"):
        for each in (watched, static):
            figure, ax = plt.subplots()
            getattr(each, name)(ax)
            figure.canvas.draw()
            assert ax.get_xlabel() == "step of training"
            plt.close(figure)
    figure, ax = plt.subplots()
    watched.plot(ax)
    lines = {line.get_label(): list(line.get_ydata()) for line in ax.get_lines()}  # pyright: ignore
    assert lines["layer 0 h"] == [2] * len(steps)
    assert lines["layer 0 c"] == [2] * len(steps)  # beyond what was looked at, drawn there and hollow
    plt.close(figure)


def test_the_flow_is_drawn_over_training() -> None:
    watched = read_watch(history(1, 200, 400))
    figure, ax = plt.subplots()
    watched.plot_flow(ax, "layer 0", "h")
    figure.canvas.draw()
    assert ax.get_title() == "layer 0, h"
    plt.close(figure)
    figure, ax = plt.subplots()
    watched.plot_flow(ax)
    assert ax.get_title() == "layer 1, h"
    plt.close(figure)
    with pytest.raises(InputError, match="no flow of 'layer 7' was seen; expected one of layer 0, layer 1"):
        watched.plot_flow(ax, "layer 7")
    with pytest.raises(InputError, match="no flow of 'z' in layer 0 was seen; expected one of h, c"):
        watched.plot_flow(ax, "layer 0", "z")
    with pytest.raises(InputError, match="expected one of none"):
        read_watch([{"step": 1, "watch": {}}]).plot_flow(ax)
