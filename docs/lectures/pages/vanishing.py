"""Jacobians, what bounds them, and how far gradients reach through time in RNN, LSTM and GRU."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from page_parts import Figures, number, percent, snippet, table
from torch import Tensor

import peephole
from peephole import stability

TITLE = "Vanishing and exploding gradients"
DOUBLE = torch.float64
INPUTS, STEPS, ROWS = 8, 100, 8


def page(figures: Figures) -> str:
    """The chain rule, the bounds, the directions, the flow, and where the gradient sits."""
    sections = [jacobians(), bounds(figures), directions(figures), flow(figures), concentration(figures)]
    return "\n\n".join(part.strip() for part in [INTRODUCTION, *sections, SOURCES])


INTRODUCTION = """
The divergence at step t depends on the state at an earlier step k through every step between. So its gradient there
is a
product of t − k Jacobians:

    ∂Div(t)/∂h(k) = ∂Div(t)/∂h(t) · ∂h(t)/∂h(t−1) · … · ∂h(k+1)/∂h(k),     ∂h(i)/∂h(i−1) = diag(f′(z_i)) W

If each factor shrinks, what is far away in time gets no gradient, and is not learned. If each stretches, the gradient
explodes.

| the slides say | holds? |
| --- | --- |
| [derivatives of activations are always less than 1](#the-jacobian-of-a-step) | tanh and ReLU reach 1 |
| [multiplying by the Jacobian always shrinks](#the-jacobian-of-a-step) | diag(f′) never stretches; diag(f′) W can |
| [‖W‖ < 1/2 gives vanishing gradients](#bounds) | ‖W‖ < 1/γ does, so 1 for tanh and 4 for sigmoid |
| [the inverse is necessary for explosion](#bounds) | yes, and not sufficient |
| [gradients expand or shrink along singular directions](#directions) | one step, yes; products go by other ones |
| [after a few layers all is forgotten](#how-far-gradients-reach) | it depends on W and the gates |
| [few parameters get all the gradient](#where-the-gradient-sits) | few directions of h do; parameters hardly |
"""

SOURCES = """
## Sources

- Hochreiter 1991, *Untersuchungen zu dynamischen neuronalen Netzen*; Bengio, Simard & Frasconi 1994, *Learning
  long-term
  dependencies with gradient descent is difficult*: gradients through time vanish.
- Pascanu, Mikolov & Bengio 2013, *On the difficulty of training recurrent neural networks*: 1/γ, sufficient and
  necessary;
  the sum over k of immediate derivatives.
- [Bounds on gradients through time](../bounds.md): the bounds for every cell, with proofs.
- Saxe, McClelland & Ganguli 2014, *Exact solutions to the nonlinear dynamics of learning in deep linear neural
  networks*:
  orthogonal matrices keep gradients.
- Participation ratio: Bell & Dean 1970, *Atomic vibrations in vitreous silica*.
"""


def inputs(steps: int = STEPS, rows: int = ROWS) -> Tensor:
    """The same normal numbers for every net."""
    return torch.randn(steps, rows, INPUTS, generator=torch.Generator().manual_seed(0), dtype=DOUBLE)


def random_matrix(units: int) -> Tensor:
    """Normal entries of variance 1/H."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(units, units, generator=generator, dtype=DOUBLE) / math.sqrt(units)


def orthogonal_matrix(units: int) -> Tensor:
    """Every singular value 1."""
    return torch.linalg.qr(random_matrix(units))[0]


def net_of(weight: Tensor, nonlinearity: str = "tanh", amplitude: float = 1.0) -> peephole.RNN:
    """A simple net with these recurrent weights, its usual input weights times `amplitude`."""
    torch.manual_seed(0)
    net = peephole.RNN(INPUTS, len(weight), nonlinearity=nonlinearity, dtype=DOUBLE)
    with torch.no_grad():
        net.weight_hh_l0.copy_(weight)
        net.weight_ih_l0.mul_(amplitude)
    return net


def jacobians() -> str:
    """diag(f′) W, in which order, and how large f′ is."""
    x, weight = inputs(20, 1), random_matrix(32)
    net = net_of(weight)
    matrices = stability.step_jacobians(net, x, times=range(20)).layers[0].matrices[:, 0]

    def last_state(h: Tensor) -> Tensor:
        return net(x, h[None, None])[1].flatten()

    truth = torch.autograd.functional.jacobian(last_state, torch.zeros(32, dtype=DOUBLE))
    left, right = torch.eye(32, dtype=DOUBLE), torch.eye(32, dtype=DOUBLE)
    for matrix in matrices:
        left, right = matrix @ left, right @ matrix
    errors = [number(float((product - truth).norm() / truth.norm()), 1) for product in (left, right)]

    rows = []
    for name, most, where in (("sigmoid", "1/4", "z = 0"), ("tanh", "1", "z = 0"), ("relu", "1", "every z > 0")):
        one = net_of(orthogonal_matrix(32), name)
        steps = stability.step_jacobians(one, inputs(), times=range(STEPS)).layers[0].matrices
        slopes = torch.linalg.vector_norm(steps, dim=-1)  # a row of W has norm 1, so that of diag(f′) W has f′
        shares = percent((slopes > 0.9).double().mean()), number(float(slopes.mean())), number(float(slopes.max()), 4)
        rows.append(("ReLU" if name == "relu" else name, most, where, shares[1], shares[2], shares[0]))
    singular = stability.step_jacobians(net, inputs(20, 4), times=range(20)).layers[0].singular_values
    stretched = float(singular.max())
    return f"""
## The Jacobian of a step

**The slides:** the Jacobian of the hidden activation is a diagonal matrix of f′(z_i). Sigmoid, tanh and ReLU "have
derivatives that are always less than 1", so that multiplication by it always shrinks.

The largest slope γ is 1/4 for sigmoid, but 1 for tanh and ReLU, and it is reached. In nets of 32 units with an
orthogonal
W, on random inputs, over {STEPS} steps:

{table(("f", "γ", "reached at", "mean f′", "largest f′ seen", "share of f′ > 0.9"), rows)}

The step's whole Jacobian is diag(f′) W. diag(f′) alone never stretches, W may: with a random tanh net the largest
singular
value of a step was {number(stretched)}.

**Which order?** Later steps stand on the left, and W stands to the right of its diag(f′). One slide ends
in W diag(f′), and calls w_jp what is the entry (p, j) of W. Over 20 steps the product of the library's step Jacobians
is off
from automatic
differentiation by {errors[0]} (relative) with later steps on the left, and by {errors[1]} with later steps on the
right.

{SNIPPETS["jacobian"]}

**Verdict.** "Less than or equal to". It matters: a ReLU that is on, or a tanh near 0, passes the gradient on
undiminished.
"""


def growth(weight: Tensor, nonlinearity: str, amplitude: float, x: Tensor) -> float:
    """‖∂h(T)/∂h(0)‖^(1/T), the largest of all rows."""
    layer = stability.gradient_bounds(net_of(weight, nonlinearity, amplitude), x).layers[0]
    return float(layer.measured[-1].max()) ** (1 / len(x))


def bounds(figures: Figures) -> str:
    """γ‖W‖ and η, over norms, and four nets one by one."""
    x, orthogonal = inputs(60, 4), orthogonal_matrix(32)
    scales = {
        "tanh": (0.25, 0.5, 0.75, 0.9, 1, 1.1, 1.25, 1.5, 1.75, 2.0, 2.5),
        "sigmoid": (1, 2, 3, 3.6, 4, 4.4, 5, 6, 7, 8, 10),
    }
    gammas = {"tanh": 1.0, "sigmoid": 0.25}
    figure, axes = figures.axes(2)
    found: dict[tuple[str, float, float], float] = {}
    for ax, name in zip(axes, scales, strict=True):
        for amplitude, label in ((0.1, "weak"), (1.0, "usual"), (5.0, "strong")):
            for scale in scales[name]:
                found[name, amplitude, scale] = growth(scale * orthogonal, name, amplitude, x)
            values = [found[name, amplitude, scale] for scale in scales[name]]
            ax.plot(scales[name], values, marker="o", markersize=3, label=f"measured, {label} input")
        edge = 1 / gammas[name]
        ax.plot(scales[name], [gammas[name] * scale for scale in scales[name]], ":", color="black", label="bound γ ‖W‖")
        ax.axhline(1, color="0.6", linewidth=1)
        ax.axvspan(0, edge, color="tab:green", alpha=0.08, linewidth=0)
        ax.set(
            xlabel="‖W‖",
            title=f"{name}: vanishing is guaranteed below 1/γ = {number(edge)}",
            xlim=(0, scales[name][-1]),
            ylim=(0, 2),
        )
        ax.legend(loc="upper left")
    axes[0].set_ylabel("‖∂h(t)/∂h(k)‖, per step")
    sweep = figures.save(
        "bound",
        figure,
        "Growth of the Jacobian product per step over the norm of W. All measured curves stay under gamma times the "
        "norm; below 1 over gamma all are under 1, above it some are and some are not, depending on the input.",
    )
    highest = {
        name: max(value for (f, _, scale), value in found.items() if f == name and gammas[f] * scale < 1)
        for name in scales
    }
    assert max(highest.values()) < 1
    assert all(value <= gammas[name] * scale * (1 + 1e-9) for (name, _, scale), value in found.items())
    still = [number(found["tanh", amplitude, 1.5]) for amplitude in (0.1, 1.0, 5.0)]

    once = torch.tensor([[0.5, 4.0], [0.0, 0.5]], dtype=DOUBLE)
    nets = {
        "0.9 Q, tanh": (net_of(0.9 * orthogonal), "under the bound"),
        "1.5 Q, tanh, strong input": (net_of(1.5 * orthogonal, amplitude=5.0), "over it, not steep"),
        "`[[0.5, 4], [0, 0.5]]`, tanh": (net_of(once), "over it, not normal"),
        "1.5 Q, tanh, weak input": (net_of(1.5 * orthogonal, amplitude=0.1), "over it, and explodes"),
    }
    figure, axes = figures.axes(2, 2, height=6.0)
    rows = []
    for ax, (name, (net, why)) in zip(axes, nets.items(), strict=True):
        layer_bounds = stability.gradient_bounds(net, x)
        layer_bounds.plot(ax)
        ax.set_title(f"{name.replace('`', '')}: {why}", fontsize="medium")
        layer = layer_bounds.layers[0]
        verdict = "guaranteed to vanish" if layer.vanishing_guaranteed else "may explode"
        ends = [
            number(float(one[-1].max()), 2)
            for one in (layer.measured, layer.trajectory, layer.by_eta[:, None], layer.a_priori)
        ]
        rows.append((name, number(layer.growth), verdict, *ends))
    picture = figures.save(
        "four",
        figure,
        "Measured norm of the Jacobian product with three bounds over it, for four nets; the first three fall, though "
        "two of them have bounds that rise; the last one rises.",
    )
    gated = gates(x)
    return f"""
## Bounds

**The slides:** |f′| ≤ γ. If ‖W‖ < 1/2 (so it is printed), then ‖∂h(k+1)/∂h(k)‖ ≤ η < 1, and ‖∂h(t)/∂h(k)‖ ≤ η^(t−k)
goes to 0
exponentially. Inverting this gives the necessary condition for exploding gradients.

The condition is ‖W‖ < 1/γ: then γ ‖W‖ < 1, which is what the proof needs (the slide's own next line ends in "= 1").
It is 1
for tanh and 4 for sigmoid. In the pictures W = s Q with an orthogonal Q of 32 units, so that ‖W‖ = s exactly:

{sweep}

- Below 1/γ the largest growth of all was {number(highest["tanh"])} a step for tanh and {number(highest["sigmoid"])}
  for sigmoid: always
  under 1, and there the norm of W was up to 0.9 and 3.6, far above 1/2.
- Above 1/γ both things happen. tanh with ‖W‖ = 1.5 makes {still[0]}, {still[1]} and {still[2]} a step with weak,
  usual and strong
  inputs. So ‖W‖ > 1/γ is **necessary** for explosion and **not sufficient**.

Four nets one by one, over 60 steps:

{picture}

{table(("net", "γ ‖W‖", "it", "measured", "by the trajectory", "η^(t−k)", "(γ ‖W‖)^(t−k)"), rows)}

η is the largest ‖∂h(k+1)/∂h(k)‖ that occurred, and *by the trajectory* multiplies max f′(z_t) ‖W‖ step by step. The
second and the third net break the bound and vanish all
the same. The third is not normal: its norm is {number(float(torch.linalg.matrix_norm(once, 2)))}, its eigenvalues are
0.5; the direction that one step
stretches is not the one that the next step stretches.

{SNIPPETS["bounds"]}

**LSTM and GRU** have products of gates in their Jacobians, and γ‖W‖ is not their bound. With their own, derived in
[Bounds on gradients through time](../bounds.md), for 32 units as they are initialised:

{table(("cell", "ρ(N), the bound's growth a step", "by the weights", "measured growth a step"), gated)}

**Verdict.** With 1/γ in place of 1/2 both statements hold.
"""


def gates(x: Tensor) -> list[tuple[str, str, str, str]]:
    """The bounds of the three cells."""
    rows = []
    for name, cell in (("RNN, tanh", peephole.RNN), ("LSTM", peephole.LSTM), ("GRU", peephole.GRU)):
        torch.manual_seed(0)
        layer = stability.gradient_bounds(cell(INPUTS, 32, dtype=DOUBLE), x).layers[0]
        verdict = "guaranteed to vanish" if layer.vanishing_guaranteed else "may explode"
        rows.append((name, number(layer.growth), verdict, number(float(layer.measured[-1].max()) ** (1 / len(x)))))
    return rows


def directions(figures: Figures) -> str:
    """Singular values of one step and of many; σ^k."""
    x, weight = inputs(STEPS, 4), random_matrix(64)
    net = net_of(weight)
    lags = (1, 2, 4, 8, 16, 32, 64)
    values = stability.memory(net, x, lags=lags).layers[0].values.mean(1)  # [lags, H]
    figure, (left, right) = figures.axes(2)
    for place, lag in enumerate(lags):
        left.plot(range(1, 65), values[place].clamp_min(1e-18).tolist(), color=f"C{place}", label=f"t − k = {lag}")
    left.axhline(1, color="0.6", linewidth=1)
    left.set(
        yscale="log",
        ylim=(1e-12, 10),
        xlabel="direction, the most stretched first",
        ylabel="singular value",
        title="∂h(t)/∂h(k), random W",
    )
    left.legend(ncols=2, loc="lower left")
    times = torch.arange(STEPS, dtype=DOUBLE)
    worst = 0.0
    for place, sigma in enumerate((0.9, 0.97, 1.0, 1.03, 1.1)):
        linear = net_of(sigma * orthogonal_matrix(64), "identity")
        curve = stability.gradient_flow(linear, x, last_step, targets=[-1]).by_lag()
        relative = curve / curve[0]
        worst = max(worst, float((relative / sigma ** times[:, None] - 1).abs().max()))
        right.plot(relative.mean(1).tolist(), color=f"C{place}", label=f"σ = {number(sigma)}")
        right.plot(
            (sigma**times).tolist(), ":", color="black", linewidth=2.2, label="σ$^{t−k}$" if place == 4 else None
        )
    right.set(
        yscale="log", xlabel="t − k, steps", ylabel="‖∂Div(t)/∂h(k)‖, relative", title="W = σ Q without activation"
    )
    right.legend(ncols=2, loc="upper left")
    picture = figures.save(
        "directions",
        figure,
        "Left: singular values of the Jacobian product at lags 1 to 64; some are over 1 at lag 1, and the longer the "
        "lag the steeper they fall from one direction to the next. Right: gradient norms lie on powers of sigma.",
    )
    over = [int((values[place] > 1).sum()) for place in range(len(lags))]
    norm = float(torch.linalg.matrix_norm(weight, 2))
    ten = float(torch.linalg.matrix_norm(torch.linalg.matrix_power(weight, 10), 2))
    radius = float(torch.linalg.eigvals(weight).abs().max())
    return f"""
## Directions

**The slide:** the chain product expands ∇D along directions in which the singular values of the weight matrices are
greater
than 1, and shrinks it where they are less than 1; repeated multiplication explodes or vanishes.

{picture}

Left, a random tanh net of 64 units: at lag 1 the Jacobian stretches {over[0]} of 64 directions and shrinks the
others. The
product stretches {over[1]} at lag 2, {over[2]} at lag 4 and {over[4]} at lag 16. The spectrum becomes steep, so that
after many steps the gradient
points where the
few best directions point, whatever it was at the start.

"Singular values greater than 1" cannot be raised to a power, though. For this W the largest is {number(norm)}, and its
tenth power
is {number(norm**10)}; but ‖W^10‖ is {number(ten)}. What one step stretches most is turned away before the next. In the
long run a constant product goes by the eigenvalues (here ρ(W) = {number(radius)}), and one with changing diag(f′) by
Lyapunov
exponents.

Right, the case in which they can be: W = σQ with Q orthogonal, without activation. Then every direction is scaled by
σ at
every step, and ‖∂Div(t)/∂h(k)‖ is σ^(t−k) exactly. Measured over {STEPS} steps it was off by {number(worst, 1)} at
most. With σ = 1 nothing
explodes or vanishes.

**Verdict.** True of every single factor. "Repeated multiplication" has a third outcome, on the border between the two.
"""


def last_step(y: Tensor) -> Tensor:
    """A divergence of the last step alone."""
    return y[-1].square().sum()


def every_step(y: Tensor) -> Tensor:
    """A divergence of every step."""
    return y.square().sum()


def scaled(gain: float) -> peephole.RNN:
    """A random tanh net."""
    return net_of(gain * random_matrix(64))


NETS: dict[str, Callable[[], Any]] = {
    "RNN, as initialised": lambda: peephole.RNN(INPUTS, 64, dtype=DOUBLE),
    "RNN, orthogonal": lambda: peephole.RNN(INPUTS, 64, init="orthogonal", dtype=DOUBLE),
    "RNN, 3 × random": lambda: scaled(3.0),
    "LSTM, as initialised": lambda: peephole.LSTM(INPUTS, 64, dtype=DOUBLE),
    "LSTM, forget bias 1": lambda: peephole.LSTM(INPUTS, 64, forget_bias=1.0, dtype=DOUBLE),
    "LSTM, forget bias 3": lambda: peephole.LSTM(INPUTS, 64, forget_bias=3.0, dtype=DOUBLE),
    "GRU, as initialised": lambda: peephole.GRU(INPUTS, 64, dtype=DOUBLE),
}


def make_net(name: str) -> Any:
    """Always the same one."""
    torch.manual_seed(0)
    return NETS[name]()


def flow(figures: Figures) -> str:
    """Side by side, with horizons."""
    x = inputs()
    flows = {name: stability.gradient_flow(make_net(name), x, every_step) for name in NETS}
    figure, axes = figures.axes(3, width=11, height=3.4)
    rows = []
    for place, (name, found) in enumerate(flows.items()):
        state = found.layers[0].states[-1]
        curve = found.by_lag(state=state).mean(1)
        axes[0].plot((curve / curve[0]).tolist(), color=f"C{place}", label=f"{name}, {state}")
        for each in found.layers[0].states:
            line = found.by_lag(state=each).mean(1)
            arrives = number(float(line[-1] / line[0]), 2)
            rows.append((name, each, reach(found.horizon(state=each)), arrives))
    axes[0].axhline(0.01, color="0.5", linewidth=1, linestyle=":")
    axes[0].set(yscale="log", ylim=(1e-10, 1e22), xlabel="t − k, steps", ylabel="mean gradient, relative to lag 0")
    axes[0].legend(loc="upper left")
    for ax, name, state in ((axes[1], "RNN, orthogonal", "h"), (axes[2], "LSTM, forget bias 3", "c")):
        flows_matrix = stability.gradient_flow(make_net(name), x, every_step, matrix=True)
        flows_matrix.plot_matrix(ax, state=state)
        ax.set_title(f"{name}: {state}", fontsize="medium")
    picture = figures.save(
        "flow",
        figure,
        "Left: mean gradient over lag for seven nets, from steep falls to growth. Middle and right: gradients from "
        "every target t to every k; a narrow band below the diagonal for the RNN, a full triangle for the LSTM.",
    )
    usual, large = (flows[name].by_lag().mean(1) for name in ("RNN, as initialised", "RNN, 3 × random"))
    horizon = {name: one.horizon(state=one.layers[0].states[-1]) for name, one in flows.items()}

    net = make_net("RNN, orthogonal")
    forward = stability.memory(net, x).layers[0]
    backward = horizon["RNN, orthogonal"]
    return f"""
## How far gradients reach

**The slides:** after a few layers the derivative is totally "forgotten"; gradients from errors at t = T will vanish
by the
time they are propagated to t = 0.

Nets of 64 units on {ROWS} sequences of {STEPS} random inputs; the divergence is the sum of all h². The *horizon* is the
first lag t − k at which the mean gradient is under 1 % of that at lag 0, with its 95 % interval over sequences:

{picture}

{table(("net", "state", "horizon, steps", f"arrives after {STEPS - 1} steps"), rows)}

- Of the RNN's gradient {number(float(usual[-1] / usual[0]), 2)} arrives after {STEPS - 1} steps. An orthogonal W
  takes it from a horizon of
  {horizon["RNN, as initialised"].lag} to {backward.lag} steps.
- An LSTM as it is initialised is no better than an RNN: its forget gates are half open, and ½ to the power of the lag
  vanishes too. What helps is an open forget gate: with a bias of 1 the horizon of c is
  {reach(horizon["LSTM, forget bias 1"])}, with
  3 it is {reach(horizon["LSTM, forget bias 3"])}. [The carousel](05-carousel.md) looks into this.
- Weights that are too large explode: with three times the random W it is {number(float(large[-1] / large[0]), 2)}
  times as
  large after {STEPS - 1} steps.

{SNIPPETS["flow"]}

**Forward too.** The slides add that "stuff gets forgotten in the forward pass too". It is the same product:
∂h(t)/∂h(k) carries
changes forward and gradients back. In the orthogonal RNN less than 1 % of a random change of h is left after
{forward.forgotten} steps,
of the gradient after {backward.lag}. A nudge really made in h was at most {percent(forward.nudge_error, 3)} of itself
away from what the
Jacobians say.

**Verdict.** Right for RNNs; how few "a few" are is a matter of W and of the gates, between
{min(one.lag for one in horizon.values() if one.lag)} steps and more than {STEPS - 1}.
"""


def reach(horizon: Any) -> str:
    """The horizon's text; one word where all of the interval is beyond."""
    return f"more than {horizon.longest}" if horizon.low is None else horizon.text


def concentration(figures: Figures) -> str:
    """Participation over lags, and the rank of the Jacobian product."""
    x, lags = inputs(), (0, 1, 2, 4, 8, 16, 32, 60)
    figure, axes = figures.axes(3, width=11)
    rows, held, orders, left = [], [], [], []
    shown = ("RNN, as initialised", "RNN, orthogonal", "RNN, 3 × random", "LSTM, forget bias 1", "GRU, as initialised")
    for place, name in enumerate(shown):
        net = make_net(name)
        parts = stability.decompose_gradient(net, x, last_step, longest=60)
        share, norm = parts.participation["layer 0"], parts.norm()
        squares = stability.memory(net, x, lags=lags[1:]).layers[0].values.square()
        dimensions = (squares.sum(-1).square() / squares.square().sum(-1)).mean(1)
        for ax, across, up in (
            (axes[0], parts.lags, norm / norm[0]),
            (axes[1], parts.lags, share),
            (axes[2], lags[1:], dimensions),
        ):
            ax.plot(
                across, up.tolist(), color=f"C{place}", label=name, marker="o" if ax is axes[2] else None, markersize=3
            )
        near, far = float(share[:10].mean()), float(share[51:].mean())
        held.append(near / far)
        orders.append(abs(math.log10(float(norm[60] / norm[0]))))
        left.append(float(dimensions[-1]))
        rows.append(
            (
                name,
                f"{parts.parameters:,}",
                number(float(norm[60] / norm[0]), 2),
                percent(near, 1),
                percent(far, 1),
                number(float(dimensions[0])),
                number(float(dimensions[-1])),
            )
        )
    axes[0].set(yscale="log", ylabel="norm, relative to lag 0", title="gradient of the parameters")
    axes[1].axhline(1 / 3, color="0.5", linewidth=1, linestyle=":")
    axes[1].set(
        yscale="log", ylim=(3e-3, 1), ylabel="share of parameters", title="that hold it (dotted: normal numbers)"
    )
    axes[2].set(yscale="log", ylabel="directions of 64", title="that hold ∂h(t)/∂h(k)")
    for ax in axes:
        ax.set(xlabel="lag t − k, steps")
    axes[2].legend(loc="upper right")
    picture = figures.save(
        "concentration",
        figure,
        "By lag: the norm of the parameters' gradient over many orders of magnitude, the share of parameters that hold "
        "it, which changes little, and the number of directions of h that hold the Jacobian product, which falls.",
    )
    header = ("net", "parameters", "norm at lag 60", "share at 0–9", "at 51–60", "directions of h at 1", "at 60")
    return f"""
## Where the gradient sits

**The slide** (in the recap of the last lecture): the gradient "gets concentrated into a small number of parameters in
the earlier layers, and goes to zero for
others".

For a recurrent net "earlier layers" are earlier steps. ∂Div/∂Θ is a sum over lags ℓ = t − k, through immediate
derivatives at
step k; the divergence is that of the last step. For each lag: its norm; the *participation ratio* (Σg²)² / (N Σg⁴)
over all N
parameters, which is 1 if all have the same |g|, 1/N if one has it all, and 1/3 for normal numbers; and the same ratio
for the
squared singular values of ∂h(t)/∂h(k), times 64, which says in how many directions of h the product acts.

{picture}

{table(header, rows)}

**Verdict.** Half right. The gradient of far steps does not sit in a few parameters: from the first ten lags to the
last ten the share
that holds it falls by a factor of {number(min(held), 2)} to {number(max(held), 2)}, while its norm changes by
{min(orders):.0f} to
{max(orders):.0f} orders of magnitude, for all parameters together. (LSTM and GRU hold it in few
parameters at every lag, the near ones included; that is not an effect of distance.) What does become few are the
**directions of h**: after 60
steps the Jacobians let {number(min(left), 2)} to {number(max(left), 2)} of 64 pass. So of all that went wrong at t
only a few numbers reach the far past. [Deep stacks](04-depth.md) are measured in the same way.

{SNIPPETS["concentration"]}
"""


SNIPPETS = {
    "jacobian": snippet(
        """
        import torch, peephole
        from peephole import stability

        net, x = peephole.RNN(3, 4, dtype=torch.float64), torch.randn(6, 1, 3, dtype=torch.float64)
        first, second = stability.step_jacobians(net, x, times=[0, 1]).layers[0].matrices[:, 0]
        h2 = lambda h: net(x[:2], h[None, None])[1].flatten()
        print(torch.allclose(second @ first, torch.autograd.functional.jacobian(h2, torch.zeros(4).double())))
        """
    ),
    "bounds": snippet(
        """
        import torch, peephole
        from peephole import stability

        torch.manual_seed(0)
        net, x = peephole.RNN(3, 2, dtype=torch.float64), torch.randn(60, 4, 3, dtype=torch.float64)
        net.load_state_dict(net.state_dict() | {"weight_hh_l0": torch.tensor([[0.5, 4.0], [0.0, 0.5]])})
        print(stability.gradient_bounds(net, x).verdict)
        """
    ),
    "flow": snippet(
        """
        import torch, peephole
        from peephole import stability

        torch.manual_seed(0)
        x = torch.randn(60, 8, 3)
        for net in (peephole.RNN(3, 16), peephole.LSTM(3, 16, forget_bias=3.0), peephole.GRU(3, 16)):
            print(stability.gradient_flow(net, x, lambda y: y.square().sum()).verdict)
        """
    ),
    "concentration": snippet(
        """
        import torch, peephole
        from peephole import stability

        torch.manual_seed(0)
        net, x = peephole.RNN(3, 16, init="orthogonal"), torch.randn(40, 8, 3)
        parts = stability.decompose_gradient(net, x, lambda y: y[-1].square().sum(), longest=20)
        for lag in (0, 10, 20):
            print(f"lag {lag}: norm {parts.norm()[lag]:.2g}, held by {parts.participation['layer 0'][lag]:.0%}")
        """
    ),
}
