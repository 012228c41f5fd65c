"""Lyapunov exponents, the gain at which chaos begins, and nets that remember by coming to rest."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from page_parts import Figures, number, percent, snippet, table
from torch import Tensor, nn

import peephole
from peephole import stability

TITLE = "The net as a dynamical system"

DTYPE = torch.float64
T, B, I, H = 400, 4, 4, 32
LITTLE = 0.01
WIDE, DRAWS = 200, 3  # of the random matrices
UNITS, BITS, UPDATES = 16, 2, 400

TRY = """
import torch, peephole
from peephole import stability

torch.manual_seed(0)
x = torch.randn(300, 4, 4)
for scale in (0.5, 2.5):
    net = peephole.RNN(4, 32, init="orthogonal")
    net.weight_hh_l0.data.mul_(scale)
    print(stability.lyapunov_spectrum(net, x).verdict)
"""


def page(figures: Figures) -> str:
    """The page."""
    return f"""\
A recurrent net that reads an input is a dynamical system that is pushed around. This page asks the questions of that
field: do two nearby states come together or part, when does a net become chaotic, and where does it come to rest?

| the slides say | holds? |
| --- | --- |
| [in principle a net retains the infinite past](#blow-up-or-forget) | a linear net at one point: W orthogonal |
| [in practice it blows up or forgets](#blow-up-or-forget) | yes; an LSTM forgets little if its gates are open |
| [with an eigenvalue beyond 1 it may blow up](#when-does-chaos-begin) | tanh stops resting at 0; chaos comes later |
| [tanh has a very short memory](#a-memory-of-bits) | of small changes; a trained one holds bits for ever |

{spectra(figures)}
{gains(figures)}
{flip_flop(figures)}
## Try it

{snippet(TRY)}

## Sources

- Benettin, Galgani, Giorgilli & Strelcyn 1980 (how exponents are measured).
- Kaplan & Yorke 1979 (the dimension).
- Vogt, Puelma Touzel, Shlizerman & Lajoie 2022, *On Lyapunov exponents for RNNs*.
- Engelken, Wolf & Abbott 2023, *Lyapunov spectra of chaotic recurrent neural networks*.
- Sompolinsky, Crisanti & Sommers 1988, *Chaos in random neural networks*.
- Molgedey, Schuchhardt & Schuster 1992 (the same for maps).
- Sussillo & Barak 2013, *Opening the black box*.
"""


def build(kind: Callable[..., peephole.Recurrent], scale: float = 1.0, **switches: Any) -> peephole.Recurrent:
    """A layer with its recurrent weights multiplied."""
    torch.manual_seed(1)
    net = kind(I, H, dtype=DTYPE, **switches)
    with torch.no_grad():
        net.weight_hh_l0.mul_(scale)
    return net


def spectra(figures: Figures) -> str:
    """Exponents and memory of nets that are not trained."""
    x = 0.3 * torch.randn(T, B, I, generator=torch.Generator().manual_seed(0), dtype=DTYPE)
    nets = {
        "linear, W orthogonal": build(peephole.RNN, nonlinearity="identity", init="orthogonal"),
        "linear, W orthogonal × 1.05": build(peephole.RNN, 1.05, nonlinearity="identity", init="orthogonal"),
        "tanh, usual start": build(peephole.RNN),
        "tanh, W orthogonal × 0.95": build(peephole.RNN, 0.95, init="orthogonal"),
        "tanh, W orthogonal × 1.5": build(peephole.RNN, 1.5, init="orthogonal"),
        "GRU, usual start": build(peephole.GRU),
        "LSTM, usual start": build(peephole.LSTM),
        "LSTM, forget bias 3": build(peephole.LSTM, forget_bias=3.0),
        "LSTM, forget bias 1, W × 16": build(peephole.LSTM, 16.0, forget_bias=1.0),
    }
    figure, (left, right) = figures.axes(2, height=3.6)
    rows, largest, forgotten = [], {}, {}
    for name, net in nets.items():
        found = stability.lyapunov_spectrum(net, x)
        exponents = found.layers[0].exponents
        exponents = exponents.where(exponents.abs() > 1e-12, 0.0)  # rounding
        kept = stability.memory(net, x, lags=[T]).layers[0]
        largest[name], forgotten[name] = float(exponents[0]), kept.forgotten
        dimension = found.kaplan_yorke if bool(exponents.any()) else float(len(exponents))
        expected = math.log(LITTLE) / largest[name] if largest[name] < 0 else math.inf
        rows.append(
            (
                name,
                number(largest[name], 2),
                pace(largest[name]),
                f"{int((exponents > 0).sum())} of {len(exponents)}",
                number(dimension, 2) if dimension is not None else "",
                number(expected, 2),
                "∞" if kept.forgotten is None else kept.forgotten,
            )
        )
        if not name.startswith("linear"):
            (line,) = left.plot(range(1, len(exponents) + 1), exponents, label=name)
            typical = kept.typical.nanmean(1)
            right.plot(typical.where(typical > 0, torch.nan), color=line.get_color(), label=name)
    left.axhline(0, color="0.6", linewidth=1)
    left.set(title="spectra", xlabel="number of the exponent", ylabel="nats a step", ylim=(-4.5, 0.5), xlim=(0, H))
    right.axhline(LITTLE, color="0.6", linewidth=1)
    right.set(title="what is left of a small change of h", xlabel="steps", ylabel="share", yscale="log",
              ylim=(1e-6, 1e6), xlim=(0, 150))  # fmt: skip
    left.legend(loc="lower left", ncols=2, fontsize="x-small")
    assert largest["linear, W orthogonal"] == 0
    assert abs(largest["linear, W orthogonal × 1.05"] - math.log(1.05)) < 1e-9
    assert largest["tanh, W orthogonal × 1.5"] > 0.01
    assert largest["LSTM, forget bias 1, W × 16"] > 0.05
    assert largest["LSTM, usual start"] < -0.3
    assert -0.05 < largest["LSTM, forget bias 3"] < 0
    picture = figures.save(
        "spectra",
        figure,
        "Left: the exponents of each net from the largest to the smallest; most are negative, two nets have positive "
        "ones. Right: what is left of a small change over time falls or grows at the rate of the largest exponent.",
    )
    header = (
        "net",
        "λ₁, nats a step",
        "a difference",
        "positive",
        "dimension",
        "1 % left, by λ₁",
        "1 % left, measured",
    )
    return f"""\
## Blow up or forget

**The slide:** recurrent nets "retain information from the infinite past in principle; in practice, they tend to blow up
or forget". Of linear nets it says that the largest eigenvalue decides.

**Measured:** for nets that are not linear the place of log |λ_max| is taken by the largest Lyapunov exponent λ₁, the
mean rate at which nearby states part (`λ₁ > 0`) or come together (`λ₁ < 0`) under the same input
(`stability.lyapunov_spectrum`). {H} units, {B} sequences of {T} normal random inputs times 0.3. Last two columns: the
steps until 1 % of a small change is left, as λ₁ would have it, and measured by `stability.memory` for a random change
of h; ∞ means not within {T} steps.

{table(header, rows)}

{picture}

**Verdict: it holds for nets as they are built.** The linear net with an orthogonal W is the principle: λ₁ = 0, all {H}
directions are kept, for ever. It is a single point: with 1.05 W it blows up at log 1.05 a step. The usual starts of all
three cells forget within some ten steps, the LSTM as fast as the others. λ₁ says when, except for the LSTM with forget
bias 3: little of a change of h gets into c, so that most of it is lost at once, and the rest is kept as λ₁ has it (the
bend in the picture). There are two ways to the border, and neither is magic: larger recurrent weights, or forget gates
that are open.

Past the border a net does not simply remember more. Where `λ₁ > 0` a change is never lost, but *every* change grows,
the smallest too, until tanh stops it: that is chaos, and the LSTM with 16 W has it like the others. The Kaplan–Yorke
dimension says on how many directions such a state wanders; it is 0 where the input alone decides the state.
"""


def pace(exponent: float) -> str:
    """In how many steps a difference halves or doubles."""
    if exponent == 0:
        return "stays"
    word = "doubles" if exponent > 0 else "halves"
    return f"{word} in {number(math.log(2) / abs(exponent), 2)} steps"


def gains(figures: Figures) -> str:
    """Where random nets lose their rest, and where chaos begins."""
    figure, axes = figures.axes(DRAWS, height=2.6)
    rows, zeros = [], []
    for seed, ax in enumerate(axes):
        generator = torch.Generator().manual_seed(seed)
        W = torch.randn(WIDE, WIDE, generator=generator, dtype=DTYPE) / WIDE**0.5
        found = stability.critical_gain(W, steps=600, count=41)
        assert found.rest is not None
        assert abs(found.zero - found.rest) < 0.01
        zeros.append(found.zero)
        chaos = "nowhere" if found.chaos is None else number(found.chaos, 3)
        rows.append((seed, number(found.rest, 3), number(found.zero, 3), chaos))
        found.plot(ax)
        ax.set(ylabel="λ₁, nats a step" if seed == 0 else "", ylim=(-0.8, 0.15))
        ax.legend(fontsize="x-small", loc="lower right")
    picture = figures.save(
        "gain",
        figure,
        "The largest exponent over the gain for three random matrices: it rises to zero near gain 1, stays near zero, "
        "and becomes positive later.",
    )
    header = ("draw", "1/ρ(W)", "λ₁ reaches 0 at gain", "λ₁ clearly positive from gain")
    return f"""\
## When does chaos begin?

**The slide:** "if the largest eigenvalue of the recurrent weights matrix is greater than 1, the network response may
blow up", and tanh nets are "still sensitive to eigenvalues of W".

**Measured:** h(t) = tanh(g W h(t−1)) without input, W of {WIDE} × {WIDE} normal numbers with variance 1/{WIDE}, gains g
from 0.5 to 1.5 (`stability.critical_gain`).

{table(header, rows)}

{picture}

**Verdict: it holds, "may" included.** The state 0 stops attracting where the largest eigenvalue of g W passes 1, at
g = 1/ρ(W); for infinitely many units that is g = 1. But tanh does not blow up, and it is not chaotic at once: λ₁ comes
to 0 and stays there for a while, since the state rests at another point or turns on a circle. At this size clear chaos
(more than 0.005 nats a step) takes a gain well beyond.
"""


class FlipFlop(nn.Module):
    """A tanh net that holds the sign of the last pulse of each of two channels."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent = peephole.RNN(BITS, UNITS, dtype=DTYPE)
        self.head = nn.Linear(UNITS, BITS, dtype=DTYPE)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.recurrent(x)[0])


def pulses(steps: int, count: int, rate: float, seed: int) -> tuple[Tensor, Tensor]:
    """Pulses of ±1, the first at once, and what is to be held; `[T, B, 2]` both."""
    generator = torch.Generator().manual_seed(seed)
    comes = torch.rand(steps, count, BITS, generator=generator) < rate
    comes[0] = True
    signs = 2 * torch.randint(0, 2, comes.shape, generator=generator).to(DTYPE) - 1
    x = signs * comes
    held = x.clone()
    for t in range(1, steps):
        held[t] = torch.where(comes[t], x[t], held[t - 1])
    return x, held


def train(net: FlipFlop) -> FlipFlop:
    """Adam, a rate that falls to nothing, gradients clipped to length 1."""
    x, held = pulses(40, 32 * UPDATES, rate=0.08, seed=1)
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.02, UPDATES)
    for part, wanted in zip(x.split(32, 1), held.split(32, 1), strict=True):
        optimiser.zero_grad()
        (net(part) - wanted).square().mean().backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    return net


def flip_flop(figures: Figures) -> str:
    """A net that forgets every small change, and holds two bits for ever."""
    torch.manual_seed(0)
    net = train(FlipFlop())
    rare, held = pulses(1000, 16, rate=0.01, seed=99)
    silent, first = pulses(5000, 16, rate=0.0, seed=98)
    with torch.no_grad():
        right = float(((net(rare) > 0) == (held > 0)).double().mean())
        after = float(((net(silent)[-1] > 0) == (first[-1] > 0)).double().mean())
    exponent = stability.lyapunov_spectrum(net, rare).largest
    kept = stability.memory(net, rare).layers[0]
    found = stability.fixed_points(net, torch.zeros(BITS, dtype=DTYPE), batch=rare)
    rows = []
    for point in sorted(found.points, key=lambda one: (one.unstable, one.kind)):
        with torch.no_grad():
            says = net.head(point.state).tolist()
        numbers = [f"{value:+.2f}".replace("-", "−").replace("−0.00", "+0.00") for value in says]
        rows.append((point.kind, ", ".join(numbers), number(point.eigenvalues[0].abs(), 3), point.unstable,
                     number(point.slowest, 2)))  # fmt: skip
    attractors, saddles = len(found.of_kind("attractor")), len(found.of_kind("saddle"))
    assert attractors == 2**BITS
    assert after == 1
    assert exponent < -0.05
    assert kept.forgotten is not None
    assert kept.forgotten < 40
    figure, (left, right_axes) = figures.axes(2, height=3.4)
    found.plot(left)
    found.plot_eigenvalues(right_axes)
    left.set(title="fixed points", ylim=(-1.8, 2.6))
    right_axes.set(title="eigenvalues of the step at them")
    picture = figures.save(
        "fixed-points",
        figure,
        "Left: the fixed points on two principal components, four attractors at the corners of a square and saddles "
        "between them. Right: their eigenvalues; those of attractors lie within the unit circle, saddles have one or "
        "two beyond it.",
    )
    fade = number(kept.forgotten, 2)
    return f"""\
## A memory of bits

**The slide:** tanh is "the most effective at storing memory, and still has very short memory".

**Measured:** a tanh net of {UNITS} units learns a flip-flop ({UPDATES} updates on sequences of 40 steps): two channels
with now and then a pulse of ±1, and the sign of the last pulse of each is to be held. It is right at
{percent(right, 2)} of the steps when pulses come every 100 steps, and after {silent.shape[0]} steps without any pulse
it is right in {percent(after)} of {silent.shape[1]} sequences. Yet its λ₁ is {number(exponent, 2)}, and 1 % of a small
change is left after {fade} steps.

Both are true. `stability.fixed_points` looks for states that a step without input leaves where they are, and linearises
the net there:

{table(("point", "the net says", "largest abs. eigenvalue", "unstable directions", "slowest mode, steps"), rows)}

{picture}

**Verdict: "short" is the memory of small changes.** There are {attractors} attractors, one for each pair of bits, and
{saddles} saddles between them, whose unstable directions lead from one to the other. A pulse pushes the state over a
saddle; at the attractor every small change dies out, which is why the bit is safe. What such a net cannot do is keep a
number: that would take a line of points with an eigenvalue of 1. And the gradient sees small changes only: it vanishes
as if there were no memory at all.
"""
