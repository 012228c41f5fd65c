"""Backpropagation through time as a sum over lags, what truncation loses, and how far memory reaches."""

from __future__ import annotations

from collections.abc import Callable

import torch
from page_parts import Figures, number, percent, snippet, table
from torch import Tensor, nn

import peephole
from peephole import stability

TITLE = "Training: backpropagation through time"

DTYPE = torch.float64
T, B, H, DELAY = 60, 32, 24, 10
UPDATES, RATE = 400, 1.5e-2
EARLY = UPDATES // 5  # updates at which the net has begun to learn
WINDOWS = (10, 12, 20)
LAGS = (0, 5, DELAY, 20, 40)

TRY = """
import torch, peephole
from peephole import stability

torch.manual_seed(0)
x, wanted = torch.randn(100, 8, 4), torch.randn(100, 8, 16)
lstm = peephole.LSTM(4, 16)
print(stability.decompose_gradient(lstm, x, lambda y: (y - wanted).square().sum()).verdict)
print(stability.gradient_flow(lstm, x, lambda y: (y - wanted).square().sum()).verdict)
"""


def page(figures: Figures) -> str:
    """The page."""
    test = draw(8, seed=99)
    fresh = build()
    learning = train(build(), EARLY, T)
    done = train(build(), UPDATES, T)
    return f"""\
A recurrent net is trained as if it were unrolled: the divergence is a sum over times t, and each term sends its
gradient back to all times k ≤ t at which the same weights were used. This page takes that sum apart.

The net is an LSTM of {H} units (`forget_bias=1`) that repeats its input {DELAY} steps later: inputs ±1, {T} steps,
Div = Σ_t (y(t) − x(t − {DELAY}))². The only lag that carries anything to learn is {DELAY}. It is looked at fresh, after
{EARLY} updates, when it has begun to learn, and after {UPDATES}, on {test[0].shape[1]} sequences that it was not
trained on.

| the slides say | holds? |
| --- | --- |
| [the gradient is a sum over t and k of immediate derivatives](#one-gradient-many-lags) | to rounding |
| [it sits in few parameters](#one-gradient-many-lags) | yes, at every lag |
| [what is too far in the past cannot be learned](#how-far-back) | yes, and how far that is changes with training |

{sum_of_lags(figures, test, fresh, learning, done)}
{windows(done)}
{flow(figures, test, fresh, done)}
## Try it

{snippet(TRY)}

## Sources

- Werbos 1990, *Backpropagation through time*.
- Williams & Peng 1990, *An efficient gradient-based algorithm for on-line training of recurrent network trajectories*
  (truncation).
- Pascanu, Mikolov & Bengio 2013, *On the difficulty of training recurrent neural networks* (the sum, eq. 3–5).
- Efron 1979, *Bootstrap methods*.
"""


class Echo(nn.Module):
    """An LSTM and a linear head of one number: `[T, B, 1]` to `[T, B]`."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent = peephole.LSTM(1, H, forget_bias=1.0, dtype=DTYPE)
        self.head = nn.Linear(H, 1, dtype=DTYPE)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.recurrent(x)[0])[..., 0]


def build() -> Echo:
    """The net as every training starts."""
    torch.manual_seed(0)
    return Echo()


def draw(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Inputs `[T, B, 1]` and targets `[T, B]`, zero before there is anything to repeat."""
    signs = 2 * torch.randint(0, 2, (T, count), generator=torch.Generator().manual_seed(seed)).to(DTYPE) - 1
    return signs[..., None], torch.cat([torch.zeros(DELAY, count, dtype=DTYPE), signs[:-DELAY]])


def divergence_from(wanted: Tensor) -> Callable[[Tensor], Tensor]:
    """Σ_t of the squared errors, from the first step on that has something to repeat."""
    return lambda y: (y - wanted)[DELAY:].square().sum()


def train(net: Echo, updates: int, window: int) -> Echo:
    """Adam, a rate that falls to nothing by the last of `UPDATES`; gradients stay within windows of so many steps."""
    x, wanted = draw(B * UPDATES, seed=1)
    optimiser = torch.optim.Adam(net.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.02, UPDATES)
    for rows in torch.arange(B * UPDATES).split(B)[:updates]:
        optimiser.zero_grad()
        states = None
        for part in torch.arange(T).split(window):
            y, states = net.recurrent(x[part][:, rows], states)
            states = tuple(state.detach() for state in states)
            errors = net.head(y)[..., 0] - wanted[part][:, rows]
            ((part >= DELAY)[:, None] * errors.square()).sum().div(B * T).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    return net


def sum_of_lags(figures: Figures, test: tuple[Tensor, Tensor], fresh: Echo, learning: Echo, done: Echo) -> str:
    """The gradient by lag, at three times of training."""
    x, wanted = test
    divergence = divergence_from(wanted)
    nets = {"fresh": fresh, f"after {EARLY} updates": learning, f"after {UPDATES}": done}
    figure, (left, right) = figures.axes(2)
    rows, found, off = [], {}, 0.0
    for place, (name, net) in enumerate(nets.items()):
        parts = found[name] = stability.decompose_gradient(net, x, divergence, longest=None)
        net.zero_grad()
        divergence(net(x)).backward()
        layer = dict(net.recurrent.named_parameters())
        whole = max(float(gradient.abs().max()) for gradient in parts.gradients.values())
        for key, gradient in parts.gradients.items():
            grad = layer[key.removeprefix("recurrent.")].grad
            assert grad is not None
            off = max(off, float((gradient - grad).abs().max()) / whole)
        error = float(divergence(net(x)).detach() / (wanted[DELAY:].numel()))
        rows.append(
            (
                name,
                number(error, 2),
                parts.enough(),
                *(f"{percent(parts.error[k])}, {float(parts.cosine[k]):.2f}" for k in (DELAY // 2, DELAY, 2 * DELAY)),
            )
        )
        left.plot(parts.lags, parts.norm() / parts.norm().max(), color=f"C{place}", label=name)
        right.plot(parts.error, color=f"C{place}", label=name)
    for ax in (left, right):
        ax.axvline(DELAY, color="0.6", linewidth=1)
        ax.set(xlim=(-1, 41))
    left.set(
        xlabel="lag ℓ = t − k",
        ylabel="norm of the part of lag ℓ, of the largest",
        title="where the gradient comes from",
    )
    right.set(xlabel="truncated after k steps", ylabel="relative error of the gradient", title="what truncation loses")
    left.legend()
    right.legend()
    summed = max(float(parts.error[-1]) for parts in found.values())
    middle, start = found[f"after {EARLY} updates"], found["fresh"]
    assert off < 1e-12
    assert summed < 1e-12
    peak = int(middle.norm().argmax())
    picture = figures.save(
        "lags",
        figure,
        f"Left: the parts of the gradient by lag; fresh they fall from lag 0 on, later they gather around lag {DELAY}. "
        "Right: the error of the gradient if it is truncated after k steps.",
    )
    shares = []
    for name, parts in found.items():
        by_lag = [parts.participation["layer 0"][lag] for lag in LAGS]
        shares.append((name, *(percent(share, 2) for share in (*by_lag, parts.whole_participation["layer 0"]))))
        assert max(by_lag) < 0.1
    return f"""\
## One gradient, many lags

**The slide:** BPTT computes the gradient of the whole sequence's divergence; with a divergence that is a sum over
times, ∂Div/∂W = Σ_t Σ_k ∂Div(t)/∂h(t) · ∂h(t)/∂h(k) · ∂⁺h(k)/∂W, where ∂⁺ is the *immediate* derivative, which takes
h(k − 1) as given.

**Measured:** `stability.decompose_gradient` computes the terms and sums those of equal lag ℓ = t − k. Each entry of the
last three columns is what truncation there loses: the error of the gradient relative to its length, and the cosine
between the two.

{table(("the net", "mean squared error", "enough for 1 %", *(f"truncated at {k}" for k in (5, 10, 20))), rows)}

{picture}

**Verdict: the sum holds.** All {T} lags added up differ from the gradient of backpropagation by {number(summed, 1)} of
its length, and that one from torch's autograd by {number(off, 1)} of its largest number: rounding.

**Where it comes from changes as the net learns.** Fresh, most of it comes from the last few steps, where there is
nothing to learn: lag {DELAY} is a small peak on the slope, and {start.enough()} steps are enough for 99 %. After
{EARLY} updates the largest part has lag {peak}, and truncation is no small error any more: cut at {DELAY // 2}, the
gradient has a cosine of {float(middle.cosine[DELAY // 2]):.2f} with the right one. Parts of different lags pull against
each other, so that the error may rise on the way (above 100 % the truncated gradient is worse than none).

**The slide also says** that the gradient "gets concentrated into a small number of parameters" on its way back. The
participation ratio is the share of the weights that hold it: 33 % if its numbers were normal random ones, and at least
{percent(1 / middle.parameters, 2)}, one weight of {middle.parameters}.

{table(("the net", *(f"lag {lag}" for lag in LAGS), "whole"), shares)}

It is concentrated indeed, but already at lag 0, and not ever more on the way.
"""


def windows(done: Echo) -> str:
    """Training with truncation."""
    x, wanted = draw(64, seed=98)
    rows, errors = [], {}
    for window in (*WINDOWS, T):
        net = done if window == T else train(build(), UPDATES, window)
        with torch.no_grad():
            errors[window] = float(divergence_from(wanted)(net(x)) / wanted[DELAY:].numel())
        share = max(0, window - DELAY) / window
        rows.append((window if window < T else f"{T}, the whole", percent(share), number(errors[window], 2)))
    assert errors[DELAY] > 0.9
    assert errors[T] < 0.1
    return f"""\
## Training with truncation

The usual way to truncate is to cut the sequence into windows, hand the state on, and let gradients stop at the border.
Then lag {DELAY} lies within the window for some of the steps only. Same start, same data, {UPDATES} updates; a net that
says 0 has an error of 1:

{table(("window, steps", f"steps that see lag {DELAY}", "mean squared error on new sequences"), rows)}

With windows of {DELAY} steps the longest lag is {DELAY - 1}, and nothing is learned, though the state that is handed on
could carry the answer: no gradient says that it should. Longer windows learn, with fewer steps that teach.
"""


def flow(figures: Figures, test: tuple[Tensor, Tensor], fresh: Echo, done: Echo) -> str:
    """Gradients of states, from every t to every k."""
    x, wanted = test
    figure, axes = figures.axes(2, height=3.6)
    rows, lags, shares = [], {}, []
    for ax, (name, net) in zip(axes, {"fresh": fresh, "trained": done}.items(), strict=True):
        found = stability.gradient_flow(net, x, divergence_from(wanted), matrix=True)
        found.plot_matrix(ax, state="c")
        ax.set(title=name)
        horizons = [found.horizon(state="c", fraction=fraction) for fraction in (0.1, 0.01)]
        lags[name] = horizons[1].lag
        curve = found.by_lag(state="c").nanmean(1)
        shares.append(float(curve[DELAY] / curve[0]))
        rows.append((name, *(horizon.text for horizon in horizons), number(shares[-1], 2)))
    assert lags["fresh"] is not None
    assert shares[0] < 1 < shares[1]
    assert lags["trained"] is None or lags["trained"] > lags["fresh"]
    picture = figures.save(
        "flow",
        figure,
        "Two matrices of the gradient from every time t to every earlier time k. Fresh, a band along the "
        f"diagonal that fades; trained, the matrix is filled, with a ridge {DELAY} steps before t.",
    )
    return f"""\
## How far back

**The slide:** "error at any time cannot affect parameter updates in the too-distant past".

**Measured:** the length of ∂Div(t)/∂c(k) from every t to every k ≤ t (`stability.gradient_flow`), a row of the picture
for each t. The horizon is the first lag at which it is under a share of what it was at lag 0; in brackets its 95 %
interval by a bootstrap over the sequences.

{table(("the net", "horizon, 10 %", "horizon, 1 %", f"left at lag {DELAY}"), rows)}

{picture}

**Verdict: it holds for the fresh net, and training moves the border.** What is too distant is a property of the weights
at that moment, and no constant of the architecture: after training the gradient is *larger* {DELAY} steps back than at
lag 0 ({number(shares[1], 2)} times), the ridge in the picture. It goes where the answer is. But training has to begin
with the horizon that the start provides: the page on the carousel compares starts.
"""
