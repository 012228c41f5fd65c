"""The identity mapping, what the forget gates let through, and an LSTM that explodes and is clipped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from page_parts import Figures, number, percent, snippet, table
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

import peephole
from peephole import stability

TITLE = "The constant error carousel"

T, B, I, H = 200, 8, 8, 64
FURTHEST = T - 1
SHORT = 100  # steps of the nets that explode: after more, float64 ends
SCALES = (1, 2, 4, 8, 16)
DTYPE = torch.float64

TRY = """
import torch, peephole
from peephole import stability

torch.manual_seed(0)
x = torch.randn(100, 4, 8)  # steps, sequences, inputs
for bias in (0.0, 3.0):
    lstm = peephole.LSTM(8, 32, forget_bias=bias)
    print(stability.carousel(lstm, x, lambda y: y[-1].square().sum()).verdict)
"""


def page(figures: Figures) -> str:
    """The page."""
    x = torch.randn(T, B, I, generator=torch.Generator().manual_seed(0), dtype=DTYPE)
    return f"""\
The LSTM rests on one idea: keep memory on a line that nothing multiplies. This page measures the idea in its pure form,
then with the gates that make it useful, and then breaks it. All nets have {H} units and are not trained; the inputs are
{B} sequences of {T} steps of {I} normal random numbers; the divergence looks at the last step only, so that every
gradient has come all the way.

| the slides say | holds? |
| --- | --- |
| [h(t) = h(t−1) + F(x(t)) has ∂h(t)/∂h(k) = I](#the-identity-mapping) | exactly |
| [its expressivity is the same](#the-identity-mapping) | no: it cannot tell in which order inputs came |
| [only the gate scales what the carousel carries](#the-carousel) | yes: by a product of forget gates, which falls |
| [LSTMs do not suffer from vanishing gradients](#vanishing-and-exploding) | only while forget gates are open |
| [they do suffer from exploding ones](#vanishing-and-exploding) | yes: what comes through h can explode |
| [clipping controls that](#vanishing-and-exploding) | the length, yes; what was hidden stays hidden |

{identity_mapping(figures, x)}
{forget_gates(figures, x)}
{explosion(figures, x[:SHORT])}
## Try it

{snippet(TRY)}

## Sources

- Hochreiter & Schmidhuber 1997, *Long short-term memory* (the carousel).
- Gers, Schmidhuber & Cummins 2000, *Learning to forget* (the forget gate and its bias).
- Jozefowicz, Zaremba & Sutskever 2015, *An empirical exploration of recurrent network architectures* (bias 1).
- Tallec & Ollivier 2018, *Can recurrent neural networks warp time?* (chrono).
- He, Zhang, Ren & Sun 2016, *Identity mappings in deep residual networks*.
- Pascanu, Mikolov & Bengio 2013, *On the difficulty of training recurrent neural networks* (clipping by length).
"""


def last(y: Tensor) -> Tensor:
    """The divergence."""
    return y[-1].square().sum()


def build(kind: Callable[..., peephole.Recurrent], **switches: Any) -> peephole.Recurrent:
    """A layer, with the same seed as all others."""
    torch.manual_seed(1)
    return kind(I, H, dtype=DTYPE, **switches)


def identity_mapping(figures: Figures, x: Tensor) -> str:
    """h(t) = h(t−1) + F(x(t)), beside nets that multiply by a matrix."""
    nets = {
        "tanh(W h(t−1) + C x(t))": build(peephole.RNN),
        "h(t−1) + tanh(C x(t))": build(peephole.RNN, residual="input"),
        "h(t−1) + tanh(W h(t−1) + C x(t))": build(peephole.RNN, residual="full"),
    }
    figure, (left, right) = figures.axes(2)
    found, rows = [], []
    for colour, (name, net) in zip(("tab:red", "black", "tab:blue"), nets.items(), strict=True):
        jacobians = stability.step_jacobians(net, x).layers[0].matrices
        off = float((jacobians - torch.eye(H, dtype=DTYPE)).abs().max())
        curve = stability.gradient_flow(net, x, last).by_lag().nanmean(1)
        largest = stability.saturation(net, x).layers[0].largest["h"]
        found.append((off, float(curve[-1] / curve[0]), float(largest.max()), change_if_shuffled(net, x)))
        rows.append((f"`{name}`", *(number(value, 2) for value in found[-1])))
        left.plot(curve / curve[0], color=colour, label=name)
        right.plot(largest, color=colour, label=name)
    left.set(xlabel="lag t − k in steps", ylabel="‖∂Div/∂h(k)‖, relative to lag 0", yscale="log", ylim=(1e-10, 1e6))
    right.set(xlabel="t", ylabel="largest |h(t)| over units and sequences")
    right.legend()
    plain, pure, full = found
    assert pure[0] == 0
    assert pure[1] == 1
    assert pure[3] == 0
    assert plain[1] < 1e-8 < 10 < full[1]
    header = ("h(t) =", "largest entry of ∂h(t)/∂h(t−1) − I", f"gradient at lag {FURTHEST}", "largest abs. h",
              "change of h(T), inputs shuffled")  # fmt: skip
    picture = figures.save(
        "identity",
        figure,
        "Left: the gradient over the lag in three nets. It vanishes in the plain net, stays at 1 under the identity "
        "mapping and grows where a matrix is added to it. Right: the largest state over time.",
    )
    vanished, grown, height, bound = number(plain[1], 2), number(full[1], 2), number(pure[2], 2), number(plain[2], 2)
    return f"""\
## The identity mapping

**The slide:** replace the product with a matrix by an addition, h(t) = h(t−1) + F(x(t)). Then ∂h(t)/∂h(t−1) = I, and
the gradient does not decay however far back it goes ("constant error flow").

**Measured:** the Jacobians of the steps (`stability.step_jacobians`) and the gradient of h over the lag, relative to
lag 0 (`stability.gradient_flow`). F(x) is tanh(C x).

{table(header, rows)}

{picture}

**Verdict: it holds, exactly.** Every Jacobian is I to the last bit, so ∂h(t)/∂h(k) = I for every t and k, and all of
the gradient arrives after {FURTHEST} steps. In the plain net {vanished} of it does.

**What it costs.** The slide goes on: "expressivity is the same". It is not. With F of the input alone, h(T) is h(0)
plus a sum, and a sum knows no order: shuffle the {T} inputs, and the last state is the same, but for rounding. Nor is
there a bound: |h| reached {height} where the plain net stayed under {bound}. Put W h(t−1) back into F, and order counts
again; but the Jacobian is I plus something, and the gradient grew {grown} times. Memory has to be written in view of
what is there, and dropped when it is of no more use. That is what the gates are for.
"""


@torch.no_grad()
def change_if_shuffled(net: peephole.Recurrent, x: Tensor) -> float:
    """How far the last state moves, relative to itself, if the inputs come in another order; 0 if by rounding only."""
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(1))
    end, other = net(x)[0][-1], net(x[order])[0][-1]
    moved = float((end - other).norm() / end.norm())
    return moved if moved > 1e-12 else 0.0


def forget_gates(figures: Figures, x: Tensor) -> str:
    """What the carousel carries, by the start of the forget gate."""
    nets = {
        "bias 0": build(peephole.LSTM, forget_bias=0.0),
        "bias 1": build(peephole.LSTM, forget_bias=1.0),
        "bias 3": build(peephole.LSTM, forget_bias=3.0),
        f"chrono, to {T} steps": build(peephole.LSTM, init="chrono", longest=T),
        "no forget gate": build(peephole.LSTM, forget_gate=False),
    }
    found = {name: stability.carousel(net, x, last) for name, net in nets.items()}
    figure, (left, right) = figures.axes(2)
    rows = []
    for name, each in found.items():
        layer = each.layers[0]
        reach = layer.reach()
        rows.append(
            (
                name,
                number(layer.forget_gate.mean(), 2),
                number(layer.half_life.median(), 2),
                f"> {FURTHEST}" if reach is None else reach,
                number(layer.retention[50], 2),
                percent(layer.share[10]),
                number(layer.total[-1] / layer.total[0], 2),
            )
        )
        right.plot(layer.retention, label=name)
    found["bias 3"].plot(left)
    left.set(title="bias 3: the two ways of the gradient", ylim=(1e-4, 20))
    right.set(title="what the carousel keeps", xlabel="lag in steps", ylabel="product of forget gates, mean",
              yscale="log", ylim=(1e-4, 20))  # fmt: skip
    right.legend(loc="upper right", ncols=2)
    zero, one, three, chrono, none = (each.layers[0] for each in found.values())
    plain, horizon = (
        stability.gradient_flow(net, x, last).horizon(-1, state).lag
        for net, state in ((build(peephole.RNN), "h"), (nets["bias 0"], "c"))
    )
    assert plain
    assert horizon
    assert abs(plain - horizon) < 3
    assert chrono.reach() is None
    assert bool((none.carried == 1).all())
    assert three.total[-1] > 2 * three.total[0]
    assert three.share[-1].abs() < 0.01
    header = ("start", "f, mean of units", "half-life in steps", "1 % left for", "product of f at lag 50",
              "carousel's share at lag 10", f"whole gradient at lag {FURTHEST}")  # fmt: skip
    picture = figures.save(
        "forget-gates",
        figure,
        "Left: with forget bias 3 the carousel's part of the gradient falls along a line, and the part that went "
        "through h overtakes it. Right: the product of the forget gates over the lag for five starts.",
    )
    half_open, reaches = number(zero.forget_gate.mean(), 2), [layer.reach() for layer in (zero, one, three)]
    left_by_chrono, grown = number(chrono.carried[-1], 2), number(three.total[-1] / three.total[0], 2)
    return f"""\
## The carousel

**The slide:** c_t = f_t ∘ c_{{t−1}} + i_t ∘ g_t. History is carried by a line without weights and nonlinearities; "only
scaling is through the σ gating term". Backwards it is ∇c(k) = f(k+1) ∘ ∇c(k+1) + …: along the line the gradient is
multiplied by forget gates and by nothing else.

**Measured:** `stability.carousel` parts the gradient of c into what only forget gates have touched, and what went
through h (output gate, matrices, the other gates) at least once. The nets differ in how their forget gates start.

{table(header, rows)}

{picture}

**Verdict: it holds, and it says when an LSTM helps.** The factor along the line is the product of the forget gates.
They are below 1, so the product falls; how fast is a matter of their start:

- Bias 0: f ≈ {half_open}, and after {reaches[0]} steps the carousel carries 1 %. With what comes through h, the
  gradient falls under 1 % at lag {horizon}, as that of a plain tanh net of this size does at lag {plain}. **An LSTM is
  no remedy by its form; its forget gates must be open.**
- Bias 1 and bias 3 open them from the first step of training on: {reaches[1]} and {reaches[2]} steps.
- Chrono draws each unit's bias as log U(1, {T - 1}), so that units forget at many speeds: {left_by_chrono} of the
  gradient is left at lag {FURTHEST}.
- Without a forget gate, as in 1997, the error is constant indeed: the factor is 1 at every lag, and nothing is
  forgotten.

A share of more than 100 % means that the two parts pull against each other. The last column is a warning. With bias 3
the whole gradient is {grown} times as large at lag {FURTHEST} as at lag 0, and the carousel has nothing to do with it
any more: the rest came through h.
"""


def explosion(figures: Figures, x: Tensor) -> str:
    """Recurrent weights scaled up; and clipping."""
    furthest = len(x) - 1
    figure, (left, right) = figures.axes(2)
    rows = []
    for place, scale in enumerate(SCALES):
        net = build(peephole.LSTM, forget_bias=1.0)
        with torch.no_grad():
            net.weight_hh_l0.mul_(scale)
        layer = stability.carousel(net, x, last).layers[0]
        grown, whole = layer.total / layer.total[0], clipped(net, x)
        by_length, by_number = clipped(net, x, clip_grad_norm_), clipped(net, x, clip_grad_value_)
        straight, bent = (float(torch.cosine_similarity(whole, each, dim=0)) for each in (by_length, by_number))
        assert straight > 1 - 1e-9
        numbers = [number(value, 2) for value in (layer.carried[-1], grown[-1], whole.norm(), by_length.norm())]
        rows.append((f"× {scale}", *numbers, f"{straight:.3f}", f"{bent:.3f}"))
        left.plot(grown, color=f"C{place}", label=f"× {scale}")
        left.plot(layer.carried, color=f"C{place}", linestyle=":")
        if scale == 1:
            vanished, gate = float(grown[-1]), number(layer.forget_gate.mean(), 1)
    parts = stability.decompose_gradient(net, x, last, longest=None)
    right.plot(parts.lags, parts.norm(), color="C4", label="the gradient")
    right.plot(parts.lags, parts.norm() / whole.norm(), color="C4", linestyle="--", label="clipped to length 1")
    left.set(title="whole gradient; dotted: the carousel's part", xlabel="lag in steps",
             ylabel="‖∂Div/∂c(k)‖, relative to lag 0", yscale="log", ylim=(1e-14, 1e22))  # fmt: skip
    left.legend(title="recurrent weights", ncols=3, loc="upper left")
    right.set(title="× 16: the weights' gradient by lag", xlabel="lag ℓ in steps", ylabel="norm of the part of lag ℓ",
              yscale="log")  # fmt: skip
    right.legend()
    near = parts.error[furthest // 2]  # what truncation there loses
    assert vanished < 1e-4
    assert grown[-1] > 1e6
    assert bent < 0.9
    assert near > 0.99
    header = ("recurrent weights", f"carousel alone, lag {furthest}", f"whole gradient, lag {furthest}",
              "length of the weights' gradient", "clipped to length", "cosine with the gradient",
              "cosine, each number clipped")  # fmt: skip
    picture = figures.save(
        "explosion",
        figure,
        "Left: the larger the recurrent weights, the faster the whole gradient grows over the lag, while the "
        "carousel's part falls. Right: clipping lowers the parts of all lags alike.",
    )
    fallen, risen, lost = number(vanished, 2), number(grown[-1], 2), percent(near, 1)
    return f"""\
## Vanishing and exploding

**The slide:** LSTMs "do not suffer from a vanishing gradient problem but do suffer from exploding gradient issue", and
"exploding is controlled with gradient clipping".

**Measured:** an LSTM with forget bias 1, its recurrent weights multiplied by 1 to {SCALES[-1]}, over {SHORT} steps. Its
gradient is clipped to length 1 or, the other usual way, each number of it to ±1.

{table(header, rows)}

{picture}

**Verdict: the first half does not hold as it stands, the second does.** With the usual weights {fallen} of this
gradient is left after {furthest} steps: it vanishes, because forget gates near {gate} let it. With {SCALES[-1]} times
the weights it grows {risen} times. The carousel itself never grows, as a product of numbers below 1. What explodes goes
through h, and there are matrices on that way as in any recurrent net.

Clipping to a length keeps the direction (cosine 1) and cuts the length to 1. Clipping each number bends the gradient,
and the more so the more it has exploded. What clipping cannot do is bring back what the explosion hides:
at × {SCALES[-1]} the lags up to {furthest // 2} are next to nothing in the gradient (truncate it there, and {lost} of
it is lost). The step is short then, and points where the farthest lags point.
"""


def clipped(net: peephole.Recurrent, x: Tensor, clip: Callable[..., object] | None = None) -> Tensor:
    """The gradient of the weights as one vector, after `clip` with 1."""
    net.zero_grad()
    last(net(x)[0]).backward()
    weights = list(net.parameters())
    if clip is not None:
        clip(weights, 1.0)
    return nn.utils.parameters_to_vector([weight.grad for weight in weights if weight.grad is not None])
