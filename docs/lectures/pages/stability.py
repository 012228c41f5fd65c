"""Bounded inputs and bounded outputs, eigenvalues of linear recursions, and what eigenvalues hide."""

from __future__ import annotations

import math
from typing import Any

import torch
from matplotlib.axes import Axes
from page_parts import Figures, number, snippet, table
from torch import Tensor

import peephole
from peephole import stability

TITLE = "Does it blow up?"
STEPS = 200
DOUBLE = torch.float64


def page(figures: Figures) -> str:
    """Bounds first, then the scalar and the vector recursion, then where the eigenvalue rule misleads."""
    parts = [
        INTRODUCTION,
        bounded(figures),
        scalar(figures),
        vector(figures),
        misleading(figures),
        on_the_circle(),
        SOURCES,
    ]
    return "\n\n".join(part.strip() for part in parts)


INTRODUCTION = """
The lectures ask two questions about a recurrent net. Do bounded inputs keep its state bounded? And what becomes of one
input as time goes on? They answer for the linear recursion `h(t) = W h(t−1) + C x(t)`, because there everything can be
computed: h is a sum of responses to single inputs, and the response to x(0) alone is `h₀(t) = W^t C x(0)`.

| the slides say | holds? |
| --- | --- |
| [bounded activations guarantee bounded outputs](#bounded-input-bounded-output) | h is bounded; c of an LSTM is not |
| [the scalar recursion blows up if w > 1](#the-scalar-recursion) | the condition is \\|w\\| > 1 |
| [lengths go like powers of the largest eigenvalue](#the-vector-recursion) | in the long run, with \\|λ\\| |
| [below 1 it dies down quickly](#where-the-eigenvalue-rule-misleads) | some grow a thousandfold first |
| [at exactly 1: not said](#exactly-on-the-circle) | it holds, or grows like a power of t |
"""

SOURCES = """
## Sources

- Sums of absolute impulse responses as exact bounds: Desoer & Vidyasagar 1975, *Feedback Systems*.
- Transient growth, the Kreiss constant, numerical range: Kreiss 1962, *Über die Stabilitätsdefinition für
  Differenzengleichungen*; Trefethen & Embree 2005, *Spectra and Pseudospectra*, chapters 14 to 18.
- How far a matrix is from normal: Henrici 1962, *Bounds for iterates, inverses, spectral variation and fields of values
  of non-normal matrices*.
- Gers, Schmidhuber & Cummins 2000, *Learning to Forget*, on cell states that grow without end where nothing forgets.
"""


def bounded(figures: Figures) -> str:
    """Bounded input, bounded output: the linear bound with the input that attains it, and cells by kind."""
    weight, inputs = torch.tensor([[0.9, 0.3], [-0.2, 0.7]], dtype=DOUBLE), torch.tensor([[1.0], [0.5]], dtype=DOUBLE)
    found = stability.linear_bound(weight, inputs, 1.0)
    generator = torch.Generator().manual_seed(1)
    chance = torch.randn(1000, found.steps, 1, generator=generator, dtype=DOUBLE).sign()
    sequences = torch.cat([found.worst_input(found.unit)[None], chance])  # [1 + 1000, T, 1]
    ends = driven(weight, inputs, sequences)[:, found.unit].abs()
    bound, reached, by_chance = (number(float(one), 6) for one in (found.worst[found.unit], ends[0], ends[1:].max()))
    batch = torch.randn(STEPS, 4, 3, generator=generator).sign()
    nets = cells()
    measured = {name: stability.saturation(net, batch).layers[0] for name, net in nets.items()}
    figure, (left, right) = figures.axes(2)
    found.plot(left)
    left.get_legend().remove()
    left.set(xlabel="t, steps", title="the worst input, and the bound that it attains")
    draw_cells(right, measured)
    picture = figures.save(
        "bounded",
        figure,
        "Left: one unit of a linear recursion under its worst input comes up to the dashed bound. Right: the largest "
        "state of four cells over time; tanh, LSTM h and GRU stay under 1, c of the LSTM follows t, ReLU leaves the "
        "picture.",
    )
    rows = [
        (name, state, *bounds_of(net, state), number(float(measured[name].largest[state].max())))
        for name, net in nets.items()
        for state in measured[name].largest
    ]
    cell = number(float(measured[OPEN].largest["c"].max()), 4)
    return f"""
## Bounded input, bounded output

**The slide:** will bounded inputs necessarily give bounded outputs? It is guaranteed if the output and hidden
activations are bounded.

**The linear recursion** has no bounded activation, and can still be bounded. The largest |h_i(t)| that inputs with
|x(t)| ≤ 1 can reach is the sum of |(W^s C)_i| over all lags s: every past input pushes with the sign that helps. For
`W = [[0.9, 0.3], [−0.2, 0.7]]` and `C = [1, 0.5]` no input takes unit {found.unit} past {bound}. The input that the
library gives takes it to {reached}. A thousand random sequences of ±1 reached {by_chance} at most.

{SNIPPETS["bounded"]}

**Cells.** Nets of 8 units with inputs of ±1 for {STEPS} steps. The bounds come from the equations of the cell alone,
from
states that begin at 0, and hold for all weights:

{table(("net", "state", "bound after 10 steps", f"after {STEPS} steps", "largest seen"), rows)}

{picture}

**Verdict.** tanh and sigmoid return at most 1, so h of such an RNN, of an LSTM and of a GRU is bounded, as the slide
says. ReLU has no bound. The slide does not speak of `c_t`, which passes through no activation:
`c_t = f_t c_{{t−1}} + i_t g_t` with f, i and |g| of at most 1 gives |c_t| ≤ |c_0| + t, and nothing better. One LSTM
here
has its gates held open by a bias, and its c came to {cell} in {STEPS} steps. Its h never left ±1; but where c is that
large tanh(c) is 1, and no longer tells what c is. Gers, Schmidhuber & Cummins added the forget gate for this reason;
with f = 1 − i, c is a mean and stays within 1 whatever the gates do.
"""


def bounds_of(net: Any, state: str) -> tuple[str, str]:
    """After few and after all steps, whatever the weights."""
    few, many = (stability.state_bounds(net.spec, steps)[state] for steps in (10, STEPS))
    few, many = ("none" if math.isinf(bound) else number(bound) for bound in (few, many))
    return few, many


def driven(weight: Tensor, inputs: Tensor, sequences: Tensor) -> Tensor:
    """h after each sequence of inputs `[N, T, I]`, from 0."""
    h = weight.new_zeros(len(sequences), len(weight))
    for x in sequences.unbind(1):
        h = h @ weight.mT + x @ inputs.mT
    return h


def cells() -> dict[str, peephole.RNN | peephole.LSTM | peephole.GRU]:
    """Three times the usual weights, so that the inputs push hard; and an LSTM that keeps everything."""
    torch.manual_seed(0)
    nets = {
        "RNN, tanh": peephole.RNN(3, 8),
        "RNN, sigmoid": peephole.RNN(3, 8, nonlinearity="sigmoid"),
        "RNN, ReLU": peephole.RNN(3, 8, nonlinearity="relu"),
        "GRU": peephole.GRU(3, 8),
        OPEN: peephole.LSTM(3, 8),
        "LSTM, f = 1 − i": peephole.LSTM(3, 8, coupled=True),
    }
    with torch.no_grad():
        for net in nets.values():
            for parameter in net.parameters():
                parameter.mul_(3)
        nets[OPEN].bias_ih_l0[:24] += 20  # i, f, g
    return nets


def draw_cells(ax: Axes, measured: dict[str, Any]) -> None:
    """The largest |state| over t."""
    shown = ("RNN, tanh", "RNN, ReLU", "GRU", OPEN)
    for place, name in enumerate(shown):
        layer = measured[name]
        for state, curve in layer.largest.items():
            label = f"{name}: {state}" if len(layer.largest) > 1 else name
            ax.plot(range(1, STEPS + 1), curve.tolist(), "--" if state == "c" else "-", color=f"C{place}", label=label)
    ax.plot([1, STEPS], [1, STEPS], color="0.7", linewidth=4, alpha=0.5, zorder=0, label="|c| ≤ t")
    ax.set(xscale="log", yscale="log", ylim=(0.1, 1e4), xlabel="t, steps", ylabel="largest |state|")
    ax.set(title="cells under inputs of ±1")
    ax.legend(loc="upper left")


def scalar(figures: Figures) -> str:
    """h(t) = w h(t−1)."""
    weights = (0.5, 0.9, 1.0, 1.1, -0.9, -1.0, -1.1)
    found = {w: stability.linear_recurrence(w, steps=40) for w in weights}
    figure, (left, right) = figures.axes(2)
    for ax, shown in ((left, (0.5, 0.9, 1.0, 1.1)), (right, (-0.9, -1.1))):
        for w in shown:
            style = {"color": f"C{weights.index(abs(w))}", "linewidth": 0.8 if w < 0 else 1.3}
            ax.plot(found[w].response[:, 0].tolist(), marker=".", markersize=4, label=f"w = {number(w)}", **style)
        ax.set(xlabel="t, steps", ylabel="h(t)")
        ax.legend(loc="upper left", ncols=2)
    left.set(yscale="log", ylim=(1e-4, 1e3), title="positive w, log scale")
    right.set(ylim=(-55, 55), title="negative w: the same lengths, the sign turns")
    picture = figures.save(
        "scalar", figure, "h(t) after one input, for positive and for negative weights; 1.1 and −1.1 grow alike."
    )
    rows = [
        (
            number(w),
            one.behaviour,
            number(float(one.response[40, 0])),
            number(one.modes[0].half_life) if one.behaviour == "forgets" else "",
            number(one.modes[0].doubling_time) if one.behaviour == "blows up" else "",
        )
        for w, one in found.items()
    ]
    slow, quick = (number(found[w].modes[0].half_life) for w in (0.9, 0.5))
    return f"""
## The scalar recursion

**The slide:** `h(t) = w h(t−1) + c x(t)` gives `h₀(t) = w^t c x(0)`; if w > 1 it will blow up.

{picture}

{table(("w", "what becomes of the input", "h(40)", "halved every … steps", "doubled every … steps"), rows)}

**Verdict.** It is the size of w that counts: |w| > 1 blows up, and −1.1 does so exactly as fast as 1.1, with a sign
that
changes at every step. How long something is remembered depends on how close |w| is to 1: with 0.9 half of it is gone
after {slow} steps, with 0.5 after {quick}.
"""


def vector(figures: Figures) -> str:
    """Random matrices with ρ = 0.9: length, direction, turning."""
    real, pair = random_matrix(6), random_matrix(73)
    straight, turning = (stability.linear_recurrence(weight, steps=560) for weight in (real, pair))
    grows = stability.linear_recurrence(real / 0.9 * 1.1, steps=560)
    ratio = [
        number(float(one.response_norms[560] / one.response_norms[60]) ** (1 / 500))
        for one in (straight, turning, grows)
    ]
    figure, (left, middle, right) = figures.axes(3, width=11)
    drawn = {"ρ = 1.1, λ real": grows, "ρ = 0.9, λ real": straight, "ρ = 0.9, complex pair": turning}
    for colour, (label, one) in zip(("C3", "C0", "C1"), drawn.items(), strict=True):
        left.plot((one.response_norms[:61] / one.response_norms[0]).tolist(), color=colour, label=label)
        left.plot([one.spectral_radius**t for t in range(61)], color=colour, linewidth=0.8, linestyle=":")
        if one is not grows:
            middle.plot(one.angles[:61].tolist(), color=colour)
    left.set(yscale="log", xlabel="t, steps", ylabel="‖h(t)‖ / ‖h(0)‖", title="length (dotted: ρ$^t$)")
    left.legend(loc="lower left", bbox_to_anchor=(0.0, 0.02))
    middle.set(yscale="log", xlabel="t, steps", ylabel="degrees", title="angle to what survives", ylim=(1e-7, 200))
    plane = (turning.response @ turning.direction)[:26] / 0.9 ** torch.arange(26, dtype=DOUBLE)[:, None]
    right.plot(*plane.T.tolist(), "o-", color="C1", markersize=3, linewidth=0.7)
    right.plot(*plane[:1].T.tolist(), "o", color="black", markersize=5)
    right.annotate("h(0)", plane[0].tolist(), xytext=(-6, -12), textcoords="offset points", ha="right")
    right.set(
        title="h(t) / ρ$^t$ in the plane that survives", xlabel="first direction", ylabel="second", aspect="equal"
    )
    picture = figures.save(
        "vector",
        figure,
        "Left: the length of h over time on a log scale, beside powers of the spectral radius. Middle: the angle "
        "between h and what survives falls exponentially. Right: a complex pair turns h round an ellipse.",
    )
    mode, shrinks = turning.modes[0], number(straight.modes[1].rate / straight.modes[0].rate)
    angles = [number(float(straight.angles[t]), 2) for t in (0, 20)]
    value = f"{number(mode.eigenvalue.real)} ± {number(mode.eigenvalue.imag)}i"
    return f"""
## The vector recursion

**The slide:** for any input and large t, the length of h expands or contracts with the t-th power of the largest
eigenvalue of W; if λ_max > 1 it will blow up, otherwise it will contract to 0.

Two random matrices of 8 units, scaled so that the largest |λ| is 0.9, and one of them scaled to 1.1 as well:

{picture}

- **Length.** From step 60 to 560 a step multiplied the length by {ratio[0]}, {ratio[1]} and {ratio[2]} on average; |λ|
  says 0.9, 0.9 and 1.1.
- **Direction.** What survives is the eigenvector of the largest |λ|, whatever the input was. With the first matrix h
  was
  {angles[0]}° away from it at the start and {angles[1]}° after 20 steps. In the end the angle shrinks by the ratio of
  the
  second |λ| to the first, here {shrinks}, at every step. Of the 8 numbers that the input left in h, one survives: how
  much of it lay along this direction.
- **Complex pairs.** "The largest eigenvalue" is often no single number but a pair: λ = {value} for the second matrix.
  Then two directions survive. h turns in their plane, once in 2π/|arg λ| = {number(mode.period)} steps, and two numbers
  are left of the input.

**Verdict.** It holds in the long run, with |λ| in place of λ, for every input that has some part along what survives.

{SNIPPETS["vector"]}
"""


def random_matrix(seed: int) -> Tensor:
    """Normal entries, scaled to ρ = 0.9."""
    weight = torch.randn(8, 8, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)
    return weight * (0.9 / float(torch.linalg.eigvals(weight).abs().max()))


def misleading(figures: Figures) -> str:
    """A chain of units: ρ = 0.6, and three orders of magnitude of growth."""
    found = stability.transient(chain(11), steps=100)
    normal = stability.transient(0.6 * torch.eye(11, dtype=DOUBLE), steps=100)
    usual = [stability.transient(random_matrix(seed), steps=100).peak for seed in range(20)]
    rising, highest = sum(peak > 1 + 1e-9 for peak in usual), number(max(usual))
    figure, (left, right) = figures.axes(2)
    found.plot(left)
    left.set(ylim=(1e-8, 1e10), xlabel="t, steps", title="a chain of 11 units")
    left.legend(loc="upper right")
    for length in (2, 4, 6, 8, 10, 12):
        powers = stability.transient(chain(length), steps=100).power_norms
        right.plot(powers.tolist(), label=f"{length} units")
    right.set(yscale="log", xlabel="t, steps", ylabel="‖W$^t$‖", ylim=(1e-4, 1e5))
    right.set(title="the same eigenvalue, longer chains", xlim=(0, 100))
    right.legend(ncols=2)
    picture = figures.save(
        "transient",
        figure,
        "Left: the norm of W to the t rises three orders of magnitude before it falls, where the eigenvalue promises "
        "decay from the start. Right: the longer the chain, the higher the hump.",
    )
    below = int((found.power_norms < 1).nonzero()[0])
    measures = {
        "ρ(W), what the rule looks at": "spectral_radius",
        "‖W‖, the most that one step stretches": "norm",
        "numerical abscissa, the largest eigenvalue of (W + Wᵀ)/2": "numerical_abscissa",
        "numerical radius r, with ‖W^t‖ ≤ 2 r^t": "numerical_radius",
        "departure from normality (Henrici)": "departure",
        "Kreiss constant K, with K ≤ largest ‖W^t‖ ≤ e H K": "kreiss",
        "largest ‖W^t‖": "peak",
    }
    rows = [(words, *(number(getattr(one, name), 4) for one in (found, normal))) for words, name in measures.items()]
    return f"""
## Where the eigenvalue rule misleads

**The slide:** if the largest eigenvalue is less than 1, the response dies down very quickly.

Take a chain of 11 units. Each keeps 0.6 of itself and adds its neighbour: 0.6 on the diagonal of W, 1 above it. All its
eigenvalues are 0.6, so that the rule promises what a single unit with w = 0.6 does.

{picture}

‖W^t‖, the most by which any h(0) can be stretched in t steps, rises to {number(found.peak, 4)} at step
{found.peak_step}, and only at step {below} is it below 1 again. The diagonal matrix with the same eigenvalues never
stretches
anything. The difference is that the chain's eigenvectors are not orthogonal (W is not *normal*: W Wᵀ ≠ Wᵀ W). Large
parts along nearly parallel eigenvectors cancel at first, and stop cancelling later. What tells it beforehand:

{table(("", "the chain", "the diagonal matrix"), rows)}

{SNIPPETS["transient"]}

**Verdict.** The eigenvalue decides what comes in the end. What comes first can take longer than the sequences that a
net
is trained on. Random matrices are mild: {rising} of 20 with 8 units and ρ = 0.9 rose above 1 first, the highest to
{highest}. Chains, delay lines and other one-way structures in W are not mild.
"""


def chain(length: int) -> Tensor:
    """0.6 on the diagonal and 1 above it."""
    return 0.6 * torch.eye(length, dtype=DOUBLE) + torch.diag(torch.ones(length - 1, dtype=DOUBLE), 1)


def on_the_circle() -> str:
    """|λ| = 1."""
    cosine, sine = math.cos(2 * math.pi / 7), math.sin(2 * math.pi / 7)
    matrices = {
        "a rotation": [[cosine, -sine], [sine, cosine]],
        "`[[1, 1], [0, 1]]`": [[1, 1], [0, 1]],
        "`[[1, 1, 0], [0, 1, 1], [0, 0, 1]]`": [[1, 1, 0], [0, 1, 1], [0, 0, 1]],
    }
    rows = []
    for name, weight in matrices.items():
        found = stability.linear_recurrence(weight, steps=1000)
        norms = (number(float(found.power_norms[t])) for t in (10, 100, 1000))
        bound = float(stability.linear_bound(weight).worst.max())
        rows.append((name, found.behaviour, *norms, number(bound)))
    return f"""
## Exactly on the circle

**The slides** name "greater than 1" and "less than 1". At |λ| = 1 it depends on the eigenvectors:

{table(("W", "‖W^t‖", "t = 10", "t = 100", "t = 1000", "bound on h for inputs of ±1"), rows)}

**Verdict.** If W has all its eigenvectors, it holds what it was given for ever; the error carousel is built on that.
If it
is *defective* (an eigenvalue has fewer eigenvectors than its multiplicity), ‖W^t‖ grows like a power of t. In either
case
bounded inputs can drive the state without end, because nothing is ever forgotten.
"""


OPEN = "LSTM, gates open"
SNIPPETS = {
    "bounded": snippet(
        """
        from peephole import stability

        found = stability.linear_bound([[0.9, 0.3], [-0.2, 0.7]], [[1.0], [0.5]], input_bound=1.0)
        print(found.verdict)
        print(found.worst_input(unit=0, steps=12).flatten().int().tolist())  # ends with the latest input
        """
    ),
    "vector": snippet(
        """
        from peephole import stability

        print(stability.linear_recurrence([[0.6, 0.5], [-0.5, 0.6]], impulse=[1.0, 0.0], steps=60).verdict)
        """
    ),
    "transient": snippet(
        """
        import torch
        from peephole import stability

        chain = torch.diag(torch.full((11,), 0.6)) + torch.diag(torch.ones(10), 1)
        print(stability.transient(chain, steps=100).verdict)
        """
    ),
}
