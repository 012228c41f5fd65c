"""Deep feed-forward stacks: the same product of Jacobians, with a matrix of its own in every layer."""

from __future__ import annotations

import math

import torch
from page_parts import Figures, number, percent, snippet, table
from torch import Tensor, nn

from peephole import stability

TITLE = "Deep networks: the same trouble without time"
DOUBLE = torch.float64
DEPTH, UNITS, ROWS = 30, 64, 32
ACTIVATIONS: dict[str, type[nn.Module]] = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "ReLU": nn.ReLU}
GAINS = {"sigmoid": (1.0, 4.0, 8.0, 16.0), "tanh": (0.5, 1.0, 1.5, 3.0), "ReLU": (0.5, 1.0, math.sqrt(2), 2.0)}


def page(figures: Figures) -> str:
    """Thirty layers, one stack in detail, depth, equal layers, and where the gradient sits."""
    sections = [thirty(figures), inside(figures), deeper(figures), shared(figures), concentration(figures)]
    return "\n\n".join(part.strip() for part in [INTRODUCTION, *sections, SOURCES])


INTRODUCTION = f"""
The slides say that the vanishing gradient is no speciality of recurrent nets. For any nested function
Div(X) = D(f_N(W_{{N−1}} f_{{N−1}}(… W_0 X)))

    ∇_{{f_k}} Div = ∇D ∇f_N W_{{N−1}} ∇f_{{N−1}} … ∇f_{{k+1}} W_k

is the gradient that layer k gets, and the same product as through time: depth takes the place of steps.

Measured here: stacks of {DEPTH} layers, each a matrix of {UNITS} × {UNITS} without bias and an activation. Entries of
W are
normal with variance g²/{UNITS}, so that W keeps the length of a typical vector at g = 1. {ROWS} random inputs; the
divergence is the sum of squares of the output.

| the slides say | holds? |
| --- | --- |
| [any deep network, not just recurrent ones](#thirty-layers) | yes |
| [activations constantly shrink the derivative](#inside-a-stack) | they do, W can make up for it |
| [gradients of early layers explode or vanish](#thirty-layers) | unless W's scale fits the activation |
| [the problem gets worse with depth](#with-depth) | exponentially, by a factor a layer |
| [equal matrices or not, the same conclusion](#equal-layers-or-not) | yes, at nearly the same scale |
| [few parameters of early layers get the gradient](#where-the-gradient-sits) | no |
"""

SOURCES = """
## Sources

- Glorot & Bengio 2010, *Understanding the difficulty of training deep feedforward neural networks*: gradients by
  layer, and
  why sigmoid is the worst.
- He, Zhang, Ren & Sun 2015, *Delving deep into rectifiers*: g = √2 for ReLU.
- Saxe, McClelland & Ganguli 2014, *Exact solutions to the nonlinear dynamics of learning in deep linear neural
  networks*;
  Pennington, Schoenholz & Ganguli 2017, *Resurrecting the sigmoid in deep learning through dynamical isometry*: the
  singular
  values of the whole product.
- Participation ratio: Bell & Dean 1970, *Atomic vibrations in vitreous silica*.
"""


def inputs() -> Tensor:
    """Normal numbers."""
    return torch.randn(ROWS, UNITS, generator=torch.Generator().manual_seed(1), dtype=DOUBLE)


def stack(name: str, gain: float, depth: int = DEPTH, equal: bool = False, orthogonal: bool = False) -> nn.Sequential:
    """`depth` times W and the activation; with one W for all if `equal`."""
    generator = torch.Generator().manual_seed(0)
    layers: list[nn.Module] = []
    for _ in range(depth):
        if not equal or not layers:
            linear = nn.Linear(UNITS, UNITS, bias=False, dtype=DOUBLE)
            weight = torch.randn(UNITS, UNITS, generator=generator, dtype=DOUBLE) / math.sqrt(UNITS)
            weight = torch.linalg.qr(weight)[0] if orthogonal else weight
            with torch.no_grad():
                linear.weight.copy_(gain * weight)
        layers += [linear, ACTIVATIONS[name]()]
    return nn.Sequential(*layers)


def squares(y: Tensor) -> Tensor:
    """The divergence."""
    return y.square().sum()


def flow(name: str, gain: float, depth: int = DEPTH, rows: tuple[int, ...] = (), **kind: bool) -> stability.DepthFlow:
    """Of one stack."""
    return stability.depth_flow(stack(name, gain, depth, **kind), inputs(), squares, rows=rows)


def by_layer(found: stability.DepthFlow) -> Tensor:
    """The mean gradient behind each layer, relative to the output; a layer is a matrix and its activation."""
    means = found.mean_norms[::2]
    return means / means[-1]


def outcome(ratio: float) -> str:
    """As the verdicts of the library have it."""
    return "vanishes" if ratio < 0.01 else "explodes" if ratio > 100 else "flows"


def thirty(figures: Figures) -> str:
    """Three activations, four scales each."""
    figure, axes = figures.axes(3, width=11)
    rows = []
    for ax, (name, gains) in zip(axes, GAINS.items(), strict=True):
        for place, gain in enumerate(gains):
            found = flow(name, gain)
            label = "g = √2" if gain == math.sqrt(2) else f"g = {number(gain)}"
            ax.plot(by_layer(found).tolist(), color=f"C{place}", marker="o", markersize=2.5, label=label)
            rows.append(
                (name, label[4:], number(found.ratio, 2), number(found.ratio ** (1 / DEPTH)), outcome(found.ratio))
            )
        ax.axhline(1, color="0.7", linewidth=1)
        ax.set(yscale="log", ylim=(1e-20, 1e12), xlim=(0, DEPTH), xlabel="layer k (0: input)", title=name)
        ax.legend(loc="lower right" if name == "sigmoid" else "lower center", ncols=2)
    axes[0].set_ylabel("‖∇Div‖ at layer k, relative to the output")
    picture = figures.save(
        "thirty",
        figure,
        "Mean gradient over the layer for sigmoid, tanh and ReLU at four scales of the weights: straight lines on a "
        "log scale, steeply falling to the input for sigmoid, falling, level or rising for tanh and ReLU.",
    )
    worst = flow("sigmoid", 1.0)
    learning = [layer for layer in worst.layers if layer.parameters]
    first, last = number(learning[0].parameter_gradient, 2), number(learning[-1].parameter_gradient, 2)
    orthogonal = {name: flow(name, gain, orthogonal=True) for name, gain in (("tanh", 1.0), ("ReLU", math.sqrt(2)))}
    return f"""
## Thirty layers

**The slides:** the gradients in the lower layers can explode or vanish, which makes insignificant or unstable updates.

{picture}

{table(("f", "g", "gradient at the input, of that at the output", "factor a layer", "so it"), rows)}

- **Sigmoid** vanishes at the usual scale, g = 1: its slope is at most 1/4. The gradient of the first layer's
  parameters is
  {first}, of the last one's {last}; no learning rate serves both.
- **tanh** flows between about g = 1 and g = 1.5. Larger weights saturate the units, which tempers the explosion.
- **ReLU** is off for half of its inputs, so that a layer keeps half of the squared length; g = √2 makes up for it.
  There is no tempering:
  a layer that explodes does so at every length of the state.
- Orthogonal matrices with the right g give {number(orthogonal["tanh"].ratio, 2)} (tanh, g = 1) and
  {number(orthogonal["ReLU"].ratio, 2)} (ReLU, g = √2) of the gradient at the input.

{SNIPPETS["thirty"]}

**Verdict.** Yes, and which of the two is a matter of the scale g, which is ours to choose at the start of training.
"""


def inside(figures: Figures) -> str:
    """One stack with all that the library draws."""
    figure, axes = figures.axes(2, width=10, height=4.0)
    found = {name: flow(name, gain, rows=(0,)) for name, gain in (("sigmoid", 4.0), ("tanh", 1.5))}
    for ax, (name, one) in zip(axes, found.items(), strict=True):
        one.plot(ax)
        ax.get_legend().remove()
        ax.set_title(f"{name}, g = {number({'sigmoid': 4.0, 'tanh': 1.5}[name])}")
        ax.set_xlabel("matrix or activation k")
    axes[0].legend(loc="lower right")
    axes[0].set_ylim(1e-16, 1e16)
    axes[1].set_ylim(1e-16, 1e16)
    picture = figures.save(
        "inside",
        figure,
        "Two stacks in detail: gradients of each row and their mean, the band between the largest and the smallest "
        "singular value of the product, and the product of the layers' norms far above.",
    )
    rows = []
    for name, one in found.items():
        matrices, activations = one.layers[::2], one.layers[1::2]
        rows.append(
            (
                name,
                number(max(float(layer.largest[0]) for layer in matrices)),
                number(max(float(layer.largest[0]) for layer in activations), 4),
                number(min(float(layer.smallest[0]) for layer in activations), 2),
                number(float(one.chain_largest[0, 0]), 2),
                number(float(one.chain_bound[0, 0]), 2),
            )
        )
    header = ("f", "largest ‖W‖", "largest f′", "smallest f′", "‖∂f_N/∂X‖", "product of all norms")
    return f"""
## Inside a stack

**The slide:** as we go back in layers, the Jacobians of the activations constantly shrink the derivative.

{picture}

Blue: between which singular values the product of Jacobians from layer k to the output lies, for one input. Black:
the mean
gradient; grey: each input by itself. Red: the product of the layers' norms, the bound that one gets from ‖W‖ and max
f′.

{table(header, rows)}

**Verdict.** No activation stretched anything: f′ was never over 1/4 or 1. But the matrices do stretch, and at
the right
scale the two balance. The bound misses what happens by many orders of magnitude, since the direction that a layer
stretches
most is not the one that comes out of the layer before. Most directions vanish even where the gradient "flows": the blue
band widens with every layer.
"""


def deeper(figures: Figures) -> str:
    """Ratio over depth."""
    cases = (("sigmoid", 1.0), ("ReLU", 1.0), ("tanh", 1.0), ("ReLU", math.sqrt(2)), ("tanh", 3.0))
    depths = (2, 5, 10, 20, 30, 40, 50)
    figure, (ax,) = figures.axes(1, width=5.6, height=3.2)
    rows = []
    for place, (name, gain) in enumerate(cases):
        ratios = [flow(name, gain, depth).ratio for depth in depths]
        label = f"{name}, g = {'√2' if gain == math.sqrt(2) else number(gain)}"
        ax.plot(depths, ratios, marker="o", markersize=3, color=f"C{place}", label=label)
        rows.append((label, *(number(ratios[depths.index(depth)], 2) for depth in (5, 10, 20, 50))))
    ax.set(yscale="log", xlabel="layers", ylabel="gradient at input / output", ylim=(1e-33, 1e12))
    ax.legend(loc="lower left")
    picture = figures.save(
        "depth",
        figure,
        "Gradient at the input over the number of layers, log scale: nearly straight lines that fan out.",
    )
    return f"""
## With depth

**The slide:** the problem gets worse as network depth increases.

{picture}

{table(("stack", "5 layers", "10", "20", "50"), rows)}

**Verdict.** Yes: a factor for every layer. Close to the right scale the factor is near 1, and fifty layers cost
little more than five.
"""


def shared(figures: Figures) -> str:
    """One W for all layers, as in an unrolled RNN."""
    gains = [0.4 + 0.1 * step for step in range(22)]
    figure, (ax,) = figures.axes(1, width=5.6, height=3.2)
    found: dict[tuple[str, bool], list[float]] = {}
    for colour, name in (("C0", "tanh"), ("C1", "ReLU")):
        for equal in (False, True):
            factors = [flow(name, gain, equal=equal).ratio ** (1 / DEPTH) for gain in gains]
            found[name, equal] = factors
            label = f"{name}, {'one W for all layers' if equal else 'a W for each layer'}"
            ax.plot(gains, factors, "--" if equal else "-", color=colour, label=label)
    ax.axhline(1, color="0.7", linewidth=1)
    ax.set(xlabel="scale g", ylabel="factor a layer", ylim=(0, 1.8))
    ax.legend(loc="upper left")
    picture = figures.save(
        "shared",
        figure,
        "Factor per layer over the scale, for stacks with equal and different matrices; they run alike.",
    )
    crossing = {
        key: next((gain for gain, factor in zip(gains, factors, strict=True) if factor > 1), math.nan)
        for key, factors in found.items()
    }
    radius = float(torch.linalg.eigvals(stack("tanh", 1.0)[0].weight.detach()).abs().max())
    return f"""
## Equal layers or not

**The slide:** in a single-layer RNN the weight matrices are identical; the conclusion holds for any deep network,
though.

A stack whose layers share one W is an RNN unrolled over {DEPTH} steps without further input. The factor by which a
layer
multiplies the gradient, over the scale g:

{picture}

On a grid of 0.1 it first exceeds 1 at g = {number(crossing["tanh", False])} (tanh) and
{number(crossing["ReLU", False])} (ReLU) with a
W for each layer, and
at {number(crossing["tanh", True])} and {number(crossing["ReLU", True])} with one for all. (This W has ρ(W) =
{number(radius)} at g = 1.)

**Verdict.** Yes. Equal matrices differ in what decides in the end: eigenvalues, where different matrices have an
average over
their singular values. A bound by ‖W‖ holds for both.
"""


def concentration(figures: Figures) -> str:
    """Participation by layer."""
    cases = (("sigmoid", 1.0), ("sigmoid", 8.0), ("tanh", 1.0), ("tanh", 3.0), ("ReLU", 1.0))
    figure, (left, right) = figures.axes(2)
    rows, back = [], []
    for place, (name, gain) in enumerate(cases):
        learning = [layer for layer in flow(name, gain).layers if layer.parameters]
        label = f"{name}, g = {number(gain)}"
        sizes = [layer.parameter_gradient / learning[-1].parameter_gradient for layer in learning]
        shares = [layer.participation for layer in learning]
        for ax, values in ((left, sizes), (right, shares)):
            ax.plot(range(1, DEPTH + 1), values, color=f"C{place}", label=label)
        early, late = (sum(some) / len(some) for some in (shares[1:10], shares[19:29]))
        back.append(early / late)
        rows.append((label, number(sizes[0], 2), *(percent(share) for share in (shares[0], early, late, shares[-1]))))
    left.set(
        yscale="log", xlabel="layer", ylabel="relative to the last layer", title="gradient of a layer's parameters"
    )
    left.legend(ncols=2, loc="lower right")
    right.axhline(1 / 3, color="0.5", linewidth=1, linestyle=":")
    right.set(yscale="log", ylim=(0.01, 1), xlabel="layer", ylabel="share", title="of the parameters that hold it")
    relu = flow("ReLU", 1.0)
    picture = figures.save(
        "concentration",
        figure,
        "Left: the gradient of each layer's parameters over many orders of magnitude. Right: the share of parameters "
        "that hold it, with no common trend over layers.",
    )
    header = ("stack", "first layer's gradient, of the last one's", "share: layer 1", "2–10", "20–29", "30")
    return f"""
## Where the gradient sits

**The slide:** the gradient "gets concentrated into a small number of parameters in the earlier layers, and goes to
zero for
others".

The participation ratio (Σg²)² / (N Σg⁴) of a layer's N = {UNITS**2:,} parameters is the share of them that hold its
gradient:
1 if all have the same |g|, 1/N if one has it all, 1/3 (dotted) for normal numbers.

{picture}

{table(header, rows)}

ReLU is a case of its own. It passes factors on (ReLU(a z) = a ReLU(z) for a > 0), and from that follows that the sum of
W ∘ ∂Div/∂W is the same number in every layer, whatever g is: what the gradient at the states loses on its way back,
the states had more of
at the beginning. So at g = 1, where {number(relu.ratio, 2)} of the gradient at the output arrives at the input, the
first layer's
parameters still get {rows[-1][1]} times the gradient of the last one's.

**Verdict.** "Goes to zero" is right for sigmoid, and for whole layers at a time. "Concentrated in the earlier layers"
is not
what these stacks do: from layers 20–29 back to 2–10 the share that holds the gradient changes by a factor of
{number(min(back), 2)} to
{number(max(back), 2)}. Only the first layer, which sees the inputs themselves, and the last one, at the divergence,
stand out.

{SNIPPETS["concentration"]}
"""


SNIPPETS = {
    "thirty": snippet(
        """
        import torch
        from torch import nn
        from peephole import stability

        torch.manual_seed(0)
        stack = nn.Sequential(*[layer for _ in range(30) for layer in (nn.Linear(16, 16), nn.Sigmoid())])
        found = stability.depth_flow(stack, torch.randn(8, 16), lambda y: y.square().sum())
        print(f"{found.ratio:.1e} of the gradient arrives: {found.factor:.2f} times a matrix or activation")
        """
    ),
    "concentration": snippet(
        """
        import torch
        from torch import nn
        from peephole import stability

        torch.manual_seed(0)
        stack = nn.Sequential(nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh())
        found = stability.depth_flow(stack, torch.randn(8, 16), lambda y: y.square().sum())
        print([f"{layer.name}: {layer.participation:.0%}" for layer in found.layers if layer.parameters])
        """
    ),
}
