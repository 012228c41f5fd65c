"""Sigmoid, tanh and ReLU that feed themselves: where they end, how soon, and what is left of the start."""

from __future__ import annotations

import math

import torch
from page_parts import Figures, number, percent, snippet, table
from torch import Tensor

from peephole import stability

TITLE = "Does it saturate or forget?"
DOUBLE = torch.float64
UNITS = 64
CALLED = {"sigmoid": "sigmoid", "tanh": "tanh", "relu": "ReLU"}
RADII = (0.5, 0.9, 1.0, 1.1, 1.5)


def page(figures: Figures) -> str:
    """One unit, then many, then the slide "Lessons"."""
    vectors, lessons = many_units(figures)
    parts = [INTRODUCTION, panels(figures), limits(figures), memory(figures), vectors, lessons, SOURCES]
    return "\n\n".join(part.strip() for part in parts)


INTRODUCTION = """
With an activation the recursion is `h(t) = f(w h(t−1) + c x(t) + b)`. The slides show it for one unit with f sigmoid,
tanh
and ReLU, over several weights, after one input at t = 0. Where does it end, how many steps does it take, and what
does the
end still tell of the beginning?

| the slides say | holds? |
| --- | --- |
| [sigmoid saturates in few steps, whatever w](#where-it-ends) | most w; at w = ±4 it can take thousands |
| [to a value that depends only on w and b](#where-it-ends) | not for w > 4 (two limits) and w < −4 (a cycle) |
| [tanh prefers weights close to 1](#how-long-a-start-is-remembered) | yes, without input; exactly at ±1 |
| [ReLU can blow up](#the-three-panels) | for w > 1; at w = 1 it keeps everything |
| [sigmoid nets saturate and keep nothing](#many-units) | they keep nothing, but not by saturation |
"""

SOURCES = """
## Sources

- Of three neighbouring fixed points of such maps the middle one repels, so that there are no more than two limits:
  Singer
  1978, *Stable orbits and bifurcation of maps of the interval*, SIAM J. Appl. Math. 35.
- Latches, which need w > 1: Bengio, Simard & Frasconi 1994, *Learning long-term dependencies with gradient descent is
  difficult*.
- ReLU nets that begin at the identity matrix: Le, Jaitly & Hinton 2015, *A simple way to initialize recurrent
  networks of
  rectified linear units*.
- Random tanh nets, which stop forgetting at ρ(W) near 1: Sompolinsky, Crisanti & Sommers 1988, *Chaos in random neural
  networks*; Jaeger 2001 on the echo state property.
"""


def panels(figures: Figures) -> str:
    """The lecture's picture."""
    shown = {"sigmoid": (-2.0, 1.0, 3.0, 8.0), "tanh": (0.5, 0.9, 1.0, 1.5), "relu": (0.5, 0.9, 1.0, 1.1)}
    starts = [0.0, 0.25, 0.5, 0.75, 1.0]
    figure, axes = figures.axes(3, width=11)
    rows = []
    for ax, (activation, weights) in zip(axes, shown.items(), strict=True):
        for place, w in enumerate(weights):
            found = stability.scalar_recurrence(activation, w, starts=starts, steps=30)
            label = f"w = {number(w)}"
            for line in found.trajectories.T:
                ax.plot(line.tolist(), color=f"C{place}", linewidth=0.9, marker=".", markersize=3, label=label)
                label = None
            ends = sorted({round(float(end), 12) for end in found.limits.flatten()})
            steps = of_steps(found.settling) if found.outcome != "blows up" else "–"
            rows.append((CALLED[activation], number(w), of_ends(ends), steps))
        ax.set(xlabel="t, steps", title=CALLED[activation], ylabel="h(t)")
    axes[0].set(ylim=(0, 1.35))
    axes[1].set(ylim=(-0.05, 1.35))
    axes[2].set(ylim=(-0.1, 6.5))
    for ax in axes:
        ax.legend(loc="upper left", ncols=2)
    picture = figures.save(
        "panels",
        figure,
        "Trajectories of one unit from five starts for sigmoid, tanh and ReLU. Sigmoid lines of one weight merge in "
        "a few steps; those of tanh and ReLU do so ever more slowly as w nears 1.",
    )
    return f"""
## The three panels

{picture}

Five starts from 0 to 1, no bias, no further input:

{table(("f", "w", "ends at", "steps until 1 % of every start's distance to its end is left"), rows)}

So far the slide is right: sigmoid needs few steps with all of these weights, and all five starts come to the same
value.
tanh depends on w. ReLU with a positive state is the linear recursion, w^t. Only the start 0 stays at 0 where others
leave.
"""


def of_ends(ends: list[float]) -> str:
    """Where starts end."""
    if len(ends) > 3:
        return "where it began"
    return ", ".join("no bounds" if math.isinf(end) else number(end) for end in ends)


def of_steps(settling: Tensor) -> str:
    """The slowest start."""
    most = float(settling.max())
    return "more than 20,000, or never" if math.isinf(most) else f"{int(most):,}"


CASES = (
    ("sigmoid", 6.0, -3.0),
    ("sigmoid", -6.0, 3.0),
    ("tanh", 1.5, 0.0),
    ("sigmoid", 6.0, 0.0),
    ("sigmoid", 4.0, -2.0),
    ("sigmoid", 1.0, -0.5),
    ("tanh", -1.5, 0.0),
    ("relu", 1.1, 0.0),
    ("relu", 1.1, -0.1),
)


def limits(figures: Figures) -> str:
    """Fixed points, cycles, and where there is more than one."""
    found = {case: stability.scalar_recurrence(case[0], case[1], bias=case[2], steps=20) for case in CASES}
    figure, axes = figures.axes(3, 2, width=10, height=6.4)
    for place, case in enumerate(CASES[:3]):
        found[case].plot(axes[place])
        found[case].plot_cobweb(axes[3 + place])
    picture = figures.save(
        "limits",
        figure,
        "Above: trajectories that end at two values, or go back and forth between two. Below: the maps that make them, "
        "with their fixed points where they cross the diagonal.",
    )
    rows = []
    for (activation, w, b), one in found.items():
        rows.append((CALLED[activation], number(w), number(b), one.outcome, *portrait(one)))
    map_picture = draw_map(figures)
    curve = stability.memory_curve("sigmoid", torch.arange(-800, 801, dtype=DOUBLE) / 100, longest=1)
    kinds = dict(zip(curve.weights.tolist(), curve.outcomes, strict=True))
    assert "two limits" not in kinds.values()
    cycles = number(max(w for w, kind in kinds.items() if kind == "cycle of two"))
    edges = [number(edge) for edge in stability.scalar_recurrence("sigmoid", 6.0).contested_drives or ()]
    return f"""
## Where it ends

**The slide:** sigmoid saturates in a limited number of steps, regardless of w, to a value that depends only on w (and
the
bias); tanh eventually saturates.

That would be so if every map had one limit. It need not: two steps of h → f(wh + b) are a rising map, and a rising map
can cross the diagonal three times.

{picture}

Above, from left to right: a sigmoid with two limits, one with a cycle of two, and a tanh with two limits. Below, the
same
as a map from h(t−1) to h(t): filled dots attract, hollow ones repel.

{table(("f", "w", "b", "outcome", "fixed points and cycles", "steps to 1 %", "a step leaves"), rows)}

*Steps to 1 %* is for the slowest of ten starts; *a step leaves* is the rate in the end, |w f′| at the limit.

{SNIPPETS["limits"]}

Which weights and biases have more than one answer? The slope of w f must pass 1 somewhere, so w > 4 for sigmoid, whose
slope is at most 1/4, and w > 1 for tanh. And the bias must bring the state to that place; its middle is b = −w/2 for
sigmoid and 0 for tanh. For w = 6 it is every b + c x between {edges[0]} and {edges[1]}. With b = 0, as on the slide,
a sigmoid never has two
limits; it has a cycle of two once w is down to {cycles}.

{map_picture}

**Verdict.** Right for sigmoid with |w| < 4 and for tanh with |w| < 1: one limit, whatever the start. Beyond, with b +
c x in
the wedges, either of two values is kept for ever, or the state alternates. This is not an oddity: two limits are a
*latch*, one
bit of
memory that does not fade (Bengio, Simard & Frasconi 1994). And at w = ±4 (tanh: ±1), with the bias in the middle, the
number
of steps is not limited: the rate is 1, and distances shrink only as a power of t.
"""


def portrait(found: stability.ScalarRecurrence) -> tuple[str, str, str]:
    """All it can come to; steps; rate."""
    cycles = []
    for cycle in found.portrait.cycles:
        points = ", ".join(number(point) for point in cycle.points)
        cycles.append(f"{'cycle ' if cycle.period == 2 else ''}{points} ({cycle.kind})")
    if found.outcome == "blows up":
        return "; ".join(cycles), "–", "–"
    return "; ".join(cycles), of_steps(found.settling), number(max(cycle.rate for cycle in found.portrait.limits))


def draw_map(figures: Figures) -> str:
    """Limits over w, and the region of (w, b) that has two or a cycle."""
    figure, (left, right) = figures.axes(2)
    weights = [step / 20 for step in range(-180, 181)]
    for w in weights:
        found = stability.scalar_recurrence("sigmoid", w, bias=-w / 2, starts=[0.5], steps=1)
        for cycle in found.portrait.cycles:
            attracts = cycle in found.portrait.limits
            colour = ("tab:purple" if cycle.period == 2 else "tab:blue") if attracts else "0.75"
            left.plot([w] * cycle.period, cycle.points, ".", color=colour, markersize=2.5)
    for colour, label in (("tab:blue", "attracting"), ("tab:purple", "cycle of two"), ("0.75", "repelling")):
        left.plot([], [], ".", color=colour, label=label)
    left.set(xlabel="w", ylabel="h", title="sigmoid with b = −w/2", ylim=(0, 1.3), xticks=range(-8, 9, 4))
    left.legend(loc="upper center", ncols=3)
    for activation, colour, most in (("sigmoid", "tab:blue", 10.0), ("tanh", "tab:orange", 10.0)):
        label = f"{activation}: two limits (w > 0), a cycle (w < 0)"
        for sign in (-1, 1):
            across = [sign * step * most / 200 for step in range(201)]
            edges = [stability.scalar_recurrence(activation, w, starts=[0.5], steps=1).contested_drives for w in across]
            kept = [(w, *edge) for w, edge in zip(across, edges, strict=True) if edge is not None]
            right.fill_between(*zip(*kept, strict=True), color=colour, alpha=0.4, linewidth=0, label=label)
            label = None
    right.set(
        xlabel="w",
        ylabel="b + c x",
        xlim=(-10, 10),
        xticks=range(-8, 9, 4),
        ylim=(-10, 15),
        title="where one limit is not the answer",
    )
    right.legend(loc="upper center")
    return figures.save(
        "map",
        figure,
        "Left: the fixed points of a sigmoid over w; at 4 one becomes three, at minus 4 a cycle of two appears. Right: "
        "wedges of weight and bias with two limits or a cycle, which begin at 4 for sigmoid and at 1 for tanh.",
    )


def memory(figures: Figures) -> str:
    """Steps against w, and what happens at exactly 1."""
    curves = {
        "sigmoid, b = 0": stability.memory_curve("sigmoid"),
        "tanh, b = 0": stability.memory_curve("tanh"),
        "ReLU, b = 0": stability.memory_curve("relu"),
    }
    figure, axes = figures.axes(3, width=11, height=3.4)
    for ax, (title, curve) in zip(axes, curves.items(), strict=True):
        curve.plot(ax)
        ax.set(ylim=(0.8, 5e4), ylabel="")
        ax.set_title(title, fontsize="medium", loc="left")
        if ax.get_legend():
            ax.get_legend().remove()
    axes[0].set_ylabel("steps until 1 % of the start is left")
    picture = figures.save(
        "memory",
        figure,
        "Steps until one per cent of the start is left, over the weight. Sigmoid takes a few steps for most weights; "
        "tanh has sharp peaks at plus and minus 1; ReLU at 1.",
    )
    near = (0.5, 0.9, 0.99, 0.999, 1.0, 1.001, 1.01, 1.1, 1.5)
    quiet = stability.memory_curve("tanh", near)
    driven = {x: stability.memory_curve("tanh", near, input=x) for x in (0.01, 0.1, 0.5)}
    rows = [
        (number(w, 4), f"{int(quiet.steps[k]):,}", *(f"{int(one.steps[k]):,}" for one in driven.values()))
        for k, w in enumerate(near)
    ]
    centred = {w: stability.memory_curve("sigmoid", [w], bias=-w / 2).steps[0] for w in (1.0, 2.0, 3.0, 4.0, 6.0)}
    neutral, picture_neutral = at_one(figures)
    best = " and ".join(number(w) for w in curves["tanh, b = 0"].best)
    at_best = f"{int(curves['tanh, b = 0'].steps.max()):,}"
    return f"""
## How long a start is remembered

**The slide:** the rate of saturation depends on w; tanh "prefers" weights close to 1.0.

Measured: the steps until at most 1 % is left of the distance to the limit, from the slower of the starts −1 and 1.

{picture}

Shaded: two limits (blue), a cycle of two (purple), where starts can blow up (red) or all stay as they are (green). A
triangle means
longer than 20,000 steps.

Of 161 weights from −2 to 2, tanh remembers longest at w = {best}: {at_best} steps. With c x the same at every step:

{table(("w", "tanh, no input", *(f"c x = {number(x)}" for x in driven)), rows)}

- The peak is narrow: a weight that is off by a tenth has lost the start after {rows[1][1]} or {rows[7][1]} steps.
- It is there only as long as nothing comes in. A constant input moves the state away from 0, where tanh is steepest,
  and at
  w = 1 a c x of 0.1 leaves {rows[4][3]} steps of {rows[4][1]}.
- Beyond w = 1 which of the two limits was chosen is remembered for ever, and how far from it the start was is forgotten
  the faster the larger w is.
- Sigmoid with the bias in the middle (b = −w/2) has the same peak at w = 4: {of_curve(centred)}.

### Exactly at 1

With w = 1 and no input, tanh has one fixed point, 0, and multiplies a small distance by 1. What is left is
h → h − h³/3, and the distance falls as √(3/2t), from every start but 0, and not exponentially:

{picture_neutral}

At t = 10,000 h is {neutral[0]} from the start 1 and {neutral[1]} from 0.1; √(3/2t) is {neutral[2]}. So it "remembers"
for a
long time only that it has not been at 0. What it forgets is the rest: two starts ten times apart are within
{neutral[3]} of each other. At w = 1 the identity keeps every start for ever, and ReLU every one that is not negative.

**Verdict.** Yes, with the sign left open (−1 is as good), for one unit without input.
"""


def of_curve(centred: dict[float, Tensor]) -> str:
    """Steps at each weight in words."""
    words = [f"{int(steps):,}" for steps in centred.values()]
    weights = [number(w) for w in centred]
    return f"{', '.join(words[:-1])} and {words[-1]} steps at w = {', '.join(weights[:-1])} and {weights[-1]}"


def at_one(figures: Figures) -> tuple[list[str], str]:
    """Algebraic decay."""
    figure, (ax,) = figures.axes(1, width=5.4, height=3.0)
    for w, colour in ((0.9, "C0"), (0.99, "C1"), (1.0, "C2")):
        found = stability.scalar_recurrence("tanh", w, starts=[1.0, 0.1], steps=10_000)
        for line, style in zip(found.trajectories.T, ("-", "--"), strict=True):
            label = f"w = {number(w)}" if style == "-" else None
            ax.plot(range(1, 10_001), line[1:].clamp_min(1e-300).tolist(), style, color=colour, label=label)
    times = [10**k for k in range(5)]
    ax.plot(times, [math.sqrt(1.5 / t) for t in times], ":", color="black", label="√(3/2t)")
    ax.set(
        xscale="log",
        yscale="log",
        ylim=(1e-4, 3),
        xlabel="t, steps",
        ylabel="h(t)",
        title="tanh from 1 (solid) and 0.1 (dashed)",
    )
    ax.legend(loc="lower left")
    last = found.trajectories[-1]
    words = [
        number(float(last[0])),
        number(float(last[1])),
        number(math.sqrt(1.5e-4)),
        percent((last[0] - last[1]) / last[0], 1),
    ]
    return words, figures.save(
        "exactly-one",
        figure,
        "h over t on two log scales: for w = 1 both starts run into the straight line of the square root of 3 over 2t; "
        "for smaller w they fall off it.",
    )


def matrices() -> dict[str, Tensor]:
    """A random, an orthogonal and the identity matrix, each with ρ = 1."""
    generator = torch.Generator().manual_seed(0)
    random = torch.randn(UNITS, UNITS, generator=generator, dtype=DOUBLE)
    random = random / torch.linalg.eigvals(random).abs().max()
    orthogonal = torch.linalg.qr(torch.randn(UNITS, UNITS, generator=generator, dtype=DOUBLE))[0]
    return {"random": random, "orthogonal": orthogonal, "identity": torch.eye(UNITS, dtype=DOUBLE)}


def many_units(figures: Figures) -> tuple[str, str]:
    """Vector recurrences, and with their numbers the lessons."""
    random, orthogonal, identity = matrices().values()
    found = {
        (f, rho): stability.vector_recurrence(rho * random, f) for f in ("sigmoid", "tanh", "relu") for rho in RADII
    }
    figure, axes = figures.axes(3, width=11)
    for ax, f in zip(axes, ("sigmoid", "tanh", "relu"), strict=True):
        for place, rho in enumerate(RADII):
            spread = found[f, rho].distances.square().mean(1).sqrt()
            ax.plot([max(float(d), 1e-17) for d in spread], color=f"C{place}", label=f"ρ = {number(rho)}")
        ax.axhline(0.01, color="0.5", linewidth=1, linestyle=":")
        ax.set(yscale="log", ylim=(1e-9, 1e2), xlim=(0, 100), xlabel="t, steps", title=CALLED[f])
    axes[0].set_ylabel("distance of starts, relative to t = 0")
    axes[0].legend(loc="upper right", ncols=2)
    picture = figures.save(
        "vectors",
        figure,
        "Distance between starts over time for nets of 64 units. Sigmoid: gone within ten steps whatever the spectral "
        "radius. Tanh: as powers of the spectral radius, and no decay from 1 on. ReLU: gone sooner than tanh.",
    )
    rows = [(CALLED[f], number(rho), *words_of(one)) for (f, rho), one in found.items()]
    special = {
        ("tanh", "orthogonal"): stability.vector_recurrence(orthogonal, "tanh"),
        ("ReLU", "orthogonal"): stability.vector_recurrence(orthogonal, "relu"),
        ("tanh", "identity"): stability.vector_recurrence(identity, "tanh"),
        ("ReLU", "identity"): stability.vector_recurrence(identity, "relu"),
    }
    special_rows = [(f, kind, *words_of(one)) for (f, kind), one in special.items()]
    gap, steps = disguise(random)
    flat = found["sigmoid", 1.0].saturated
    turns, chaos = (stability.largest_exponent(random, gain=gain) for gain in (1.5, 3.0))
    assert abs(turns) < 0.01 < chaos
    dead = found["relu", 1.0].saturated
    text = f"""
## Many units

The same with a matrix: `h(t) = f(W h(t−1))`, {UNITS} units, 32 starts drawn from what f can return. W is a random
matrix
with normal entries, scaled to a spectral radius ρ. If all starts have come together, nothing of the start is left.

{picture}

{table(("f", "ρ(W)", *HEADINGS), rows)}

*Forgotten* is the first step from which on no two starts are further apart than 1 % of what they were. *A step
leaves* is
the mean factor of distances. The last two columns look at small differences, by the singular values of ∂h(t)/∂h(0): the
largest one after 64 steps, and in how many of {UNITS} directions more than 1 % is left. The same with ρ = 1 and other
matrices:

{table(("f", "W", *HEADINGS), special_rows)}

{SNIPPETS["vector"]}

- **Sigmoid** forgets in {found["sigmoid", 0.5].forgotten_after} to {found["sigmoid", 1.5].forgotten_after} steps. Not
  because its units stand at the flat ends: {percent(flat)} of them do (|f′| < 0.01). Its slope is at most 1/4, so
  that ρ(W) = 1
  acts like 1/4 at most.
- Sigmoid and tanh are the same function: σ(z) = (1 + tanh(z/2))/2. A sigmoid net with 4W and, as bias, minus half the
  row sums
  of 4W is the tanh net with W: 2h − 1 followed the tanh states to {gap}, and both forgot after {steps} steps.
  What is
  better about tanh is that it is steep where nets begin, around 0.
- **ReLU** with a random matrix forgets fast even at ρ = 1: {percent(dead)} of the units are off at the end, and what is
  off passes nothing on. With the identity matrix it keeps everything.
- **tanh** forgets at about the rate ρ(W) below 1. From 1 on starts stay apart within these 200 steps. At ρ = 1.5 small
  differences neither grow nor shrink in the long run (largest Lyapunov exponent {number(turns, 1)} nats a step): the
  state
  turns for ever. At ρ = 3 they grow by a factor of {number(math.exp(chaos))} a step: chaos.
"""
    return text, lessons_of(found, special)


HEADINGS = ("forgotten", "a step leaves", "largest singular value at 64", "directions kept at 64")


def words_of(found: stability.VectorRecurrence) -> tuple[str, str, str, str]:
    """A line of the table."""
    at = found.left_at.index(64)
    forgotten = found.forgotten_after
    after = "blows up" if found.ending.blows_up else "not in 200" if forgotten is None else f"{forgotten} steps"
    kept = int((found.left[at] > 0.01).sum())
    return after, number(found.rate), number(float(found.left[at, 0])), str(kept)


def disguise(random: Tensor) -> tuple[str, int]:
    """A sigmoid net that is a tanh net."""
    weight = 0.9 * random
    starts = torch.rand(16, UNITS, generator=torch.Generator().manual_seed(1), dtype=DOUBLE)
    one = stability.vector_recurrence(4 * weight, "sigmoid", bias=-2 * weight.sum(1), starts=starts, steps=100)
    other = stability.vector_recurrence(weight, "tanh", starts=2 * starts - 1, steps=100)
    gap = float((2 * one.trajectories - 1 - other.trajectories).abs().max())
    assert one.forgotten_after == other.forgotten_after
    return number(gap, 1), one.forgotten_after or 0


def lessons_of(found: dict, special: dict) -> str:
    """The slide, item by item."""

    def steps(f: str, rho: float) -> str:
        after = found[f, rho].forgotten_after
        return "more than 200" if after is None else str(after)

    far = found["tanh", 0.9]
    blown = stability.vector_recurrence(3 * matrices()["random"], "relu")
    line = stability.vector_recurrence(1.1 * matrices()["random"], "identity")
    rows = [
        (
            "They retain information from the infinite past in principle",
            "yes, as numbers that fade: tanh at ρ = 0.9 still passes on "
            f"{number(float(far.left[-1, 0]))} of a change after {far.left_at[-1]} steps",
        ),
        (
            "In practice they tend to blow up or forget",
            f"of the 15 random nets above {sum(one.forgotten_after is not None for one in found.values())} forgot, "
            f"{sum(one.ending.blows_up for one in found.values())} blew up, the others keep moving",
        ),
        (
            "Largest eigenvalue above 1: the response may blow up",
            f"linear: {number(line.ending.growth)} a step at ρ = 1.1. ReLU: not at 1.5, but at 3. tanh, sigmoid: never",
        ),
        (
            "Below 1: it dies down very quickly",
            f"tanh at ρ = 0.9 in {steps('tanh', 0.9)} steps; [not so for matrices that are far from normal]"
            "(01-stability.md#where-the-eigenvalue-rule-misleads)",
        ),
        (
            "Memory depends on the activation of the hidden units too",
            f"at ρ = 0.9: sigmoid {steps('sigmoid', 0.9)}, ReLU {steps('relu', 0.9)}, tanh {steps('tanh', 0.9)} steps",
        ),
        (
            "Sigmoid saturates and cannot retain new information",
            f"it retains nothing, for lack of slope; {percent(found['sigmoid', 1.0].saturated)} of the units are flat",
        ),
        (
            "ReLU blows up or vanishes rapidly",
            f"random W: yes ({steps('relu', 1.0)} steps at ρ = 1; at ρ = 3 a factor of {number(blown.ending.growth)} a "
            f"step). W = I: neither, {int((special['ReLU', 'identity'].left[-1] > 0.01).sum())} directions are kept",
        ),
        (
            "tanh is the most effective at storing memory",
            "of random nets at equal ρ, yes; a sigmoid with 4W and the right bias equals it, ReLU with W = I beats it",
        ),
        (
            "tanh still has a very short memory",
            f"{steps('tanh', 0.5)} steps at ρ = 0.5, {steps('tanh', 0.9)} at 0.9, {steps('tanh', 1.0)} at 1",
        ),
        ("Still sensitive to the eigenvalues of W", f"yes: a step leaves {rates_of(found)}"),
    ]
    assert [one.ending.blows_up for one in (blown, line)] == [True, True]
    return f"""
## The slide "Lessons", item by item

{table(("the slide", "measured"), rows)}
"""


def rates_of(found: dict) -> str:
    """tanh over ρ."""
    return ", ".join(f"{number(found['tanh', rho].rate)} at ρ = {number(rho)}" for rho in (0.5, 0.9, 1.0))


SNIPPETS = {
    "limits": snippet(
        """
        from peephole import stability

        print(stability.scalar_recurrence("sigmoid", weight=6.0, bias=-3.0).verdict)
        print(stability.scalar_recurrence("sigmoid", weight=-6.0, bias=3.0).verdict)
        """
    ),
    "vector": snippet(
        """
        import torch
        from peephole import stability

        weight = torch.randn(64, 64, generator=torch.Generator().manual_seed(0)) / 8
        print(stability.vector_recurrence(0.8 * weight, "tanh", steps=100).verdict)
        """
    ),
}
