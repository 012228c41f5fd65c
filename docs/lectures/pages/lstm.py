"""Gates that depend on the input, on a task with braces; forward and backward by hand; polls 1 and 2."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from matplotlib.axes import Axes
from page_parts import Figures, number, percent, snippet, table
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot

import peephole
from peephole import stability
from peephole.reference import by_hand

TITLE = "The LSTM: memory that listens"

SYMBOLS = "abc{}#;"
OPENS, COMMENT = 3, 5  # symbols that come in pairs: 3 opens and 4 closes, 5 begins a comment and 6 ends it
DTYPE = torch.float64
T, B, UPDATES, RATE = 100, 32, 600, 2e-2
PATIENT = 1500  # updates, for a net that needs more
USUAL, RARE = (0.02, 0.15), (0.003, 0.003)  # how often a brace comes, and as often a comment's border
SEEDS = (0, 1, 2)
SCALES, MEMORY_STEPS = (0.5, 0.9, 1.0, 1.5), 200  # of the plain net in poll 1
SHOWN = "ab{cab#a}b{c;abcacb}ab#{a;bca{bcabcacbab}a"

TRY = """
import torch, peephole
from peephole import stability

torch.manual_seed(0)
lstm = peephole.LSTM(7, 8, peephole="diagonal", forget_bias=1.0)
jacobian = stability.step_jacobians(lstm, torch.randn(50, 4, 7)).layers[0]
memory_line = jacobian.block("c", "c")  # ∂c(t)/∂c(t−1): on its diagonal f, and what the peepholes add
print(memory_line[0, 0].diagonal())
print("off the diagonal:", float((memory_line[0, 0] - memory_line[0, 0].diagonal().diag()).abs().max()))
"""


def page(figures: Figures) -> str:
    """The page."""
    nets = Nets()
    return f"""\
An LSTM keeps a memory c beside its state h, and gates decide step by step what stays, what is written and what is
shown. Here is the cell of the slides with all its peepholes:

    f_t = σ(W_f · [c_{{t−1}}, h_{{t−1}}, x_t] + b_f)        forget gate
    i_t = σ(W_i · [c_{{t−1}}, h_{{t−1}}, x_t] + b_i)        input gate
    g_t = tanh(W_c · [h_{{t−1}}, x_t] + b_c)             what was detected
    c_t = f_t ∘ c_{{t−1}} + i_t ∘ g_t                    memory
    o_t = σ(W_o · [c_t, h_{{t−1}}, x_t] + b_o)           output gate, which sees the new memory
    h_t = o_t ∘ tanh(c_t)                             state

It is `peephole.LSTM(…, peephole="full")`; without `peephole=` the gates do not see c, as in torch. This page asks
whether a trained LSTM does what the slides say that it is for, looks into its gates, and checks the backward pass.

| the slides say | holds? |
| --- | --- |
| [an LSTM remembers by the input, not by W](#memory-by-the-input) | it learns to, and a plain net of this size hardly |
| [a switch keeps the memory, or drops it](#inside-one-unit) | the switch, yes; this memory is rewritten all the time |
| [tanh(c) does not impair the memory](#what-saturates) | yes; but a large c is seen no more |
| [poll 1](#poll-1) | true; true of one line only; false · true; false |
| [poll 2](#poll-2) | true; false |

{braces(figures, nets)}
{inside(nets)}
{limits(nets)}
{poll_1(nets)}
{poll_2()}
## Try it

{snippet(TRY)}

## Sources

- Hochreiter & Schmidhuber 1997, *Long short-term memory*.
- Gers, Schmidhuber & Cummins 2000, *Learning to forget*.
- Gers & Schmidhuber 2000, *Recurrent nets that time and count* (peepholes).
- Greff, Srivastava, Koutník, Steunebrink & Schmidhuber 2017, *LSTM: a search space odyssey* (the coupled gate, CIFG).
"""


class Nets:
    """The trained readers that the page looks at, and the strings that it tests them on."""

    def __init__(self) -> None:
        self.lstm = [trained(peephole.LSTM, 8, seed, forget_bias=1.0) for seed in SEEDS]
        self.plain = [trained(peephole.RNN, 18, seed) for seed in SEEDS]
        self.patient = trained(peephole.RNN, 18, SEEDS[0], updates=PATIENT)
        self.coupled = trained(peephole.LSTM, 8, SEEDS[0], coupled=True)
        self.usual = draw_strings(400, 64, USUAL, seed=7)
        self.rare = draw_strings(2000, 64, RARE, seed=7)
        self.looked_at = draw_strings(200, 32, USUAL, seed=8)
        self.gates = look_inside(self.lstm[0].recurrent, self.looked_at.x)


def braces(figures: Figures, nets: Nets) -> str:
    """The task, and who learns it."""
    rows = []
    for name, readers in (("LSTM, 8 units", nets.lstm), ("tanh RNN, 18 units", nets.plain)):
        found = [[accuracy(reader, strings) for reader in readers] for strings in (nets.usual, nets.rare)]
        spans = [f"{percent(min(each), 1)} to {percent(max(each), 1)}" for each in found]
        rows.append((name, parameters(readers[0]), UPDATES, *spans))
        if name.startswith("LSTM"):
            worst = min(found[0])
        else:
            best = max(found[0])
    patient = accuracy(nets.patient, nets.usual)
    rows.append(("tanh RNN, 18 units, first seed", parameters(nets.patient), PATIENT, percent(patient, 1),
                 percent(accuracy(nets.patient, nets.rare), 1)))  # fmt: skip
    naive = last_brace_wins(nets.usual)
    rows.append(("“the last brace wins”", "", "", percent(naive, 1), percent(last_brace_wins(nets.rare), 1)))
    assert worst > 0.98
    assert abs(best - naive) < 0.03
    assert patient > 0.95
    header = ("reader", "parameters", "updates", "right, strings as in training", "right, braces far rarer")
    figure, axes = figures.axes(1, 3, height=5.4)
    unit = listening_unit(nets)
    draw(axes, nets, unit)
    picture = figures.save(
        "string",
        figure,
        "A string, symbol by symbol. Top: the LSTM says rightly whether a brace is open, the plain net is fooled by "
        "the braces in comments. Middle: the forget gate of one unit closes on braces that count and stays open on "
        "those in comments. Bottom: its memory.",
    )
    often = " to ".join(str(round(1 / rate)) for rate in reversed(USUAL))
    return f"""\
## Memory by the input

**The slide:** what a plain net keeps "depends on the parameters W rather than what it is trying to remember". We want
"input-based determination": the LSTM "retains memories until a switch based on the input flags them as ok to forget",
remembers an open curly brace until it is closed, and ignores a brace that stands in a comment.

**Measured:** that very task. Strings of letters, in which now and then a brace opens (`{{`) or closes (`}}`), or a
comment begins (`#`) or ends (`;`); braces in comments mean nothing. After every symbol the net says whether a brace is
open. Training: {UPDATES} updates on {B} strings of {T} symbols. Test: longer strings of the same kind, and strings of
2000 symbols in which a brace comes only every {round(1 / RARE[0])} symbols ({often} in training). Three seeds each;
lowest and highest.

{table(header, rows)}

{picture}

**Verdict: it holds.** The LSTM learns the task with every seed. The plain net of as many parameters does not in the
same time, and how it fails is instructive: it is right as often as a reader for whom the last brace wins, wherever it
stands. It does remember. What it has not learned is *when not to listen*. It is not out of its reach: with {PATIENT}
updates one seed learns it too ({percent(patient, 1)}). So the slide's "depends on W rather than the input" is a matter
of how easily it is learned, and not of what can be computed at all: tanh′ depends on the input as well.
"""


def parameters(reader: Reader) -> int:
    """How many numbers it has."""
    return sum(weight.numel() for weight in reader.parameters())


def last_brace_wins(strings: Strings) -> float:
    """How often a reader is right who takes no note of comments."""
    said, right = torch.zeros_like(strings.open[0]), 0.0
    for symbols, is_open in zip(strings.symbols, strings.open, strict=True):
        said = torch.where(symbols == OPENS, True, torch.where(symbols == OPENS + 1, False, said))
        right += float((said == is_open).double().mean())
    return right / len(strings.symbols)


def events(strings: Strings) -> dict[str, Tensor]:
    """Where what happens, `[T, B]`."""
    brace = (strings.symbols == OPENS) | (strings.symbols == OPENS + 1)
    letter = strings.symbols < OPENS
    return {
        "letter, a brace open": letter & ~strings.comment & strings.open,
        "letter, none open": letter & ~strings.comment & ~strings.open,
        "letter in a comment": letter & strings.comment,
        "`{` that opens": (strings.symbols == OPENS) & ~strings.comment,
        "`}` that closes": (strings.symbols == OPENS + 1) & ~strings.comment,
        "brace in a comment": brace & strings.comment,
        "`#`": strings.symbols == COMMENT,
        "`;`": strings.symbols == COMMENT + 1,
    }


def listening_unit(nets: Nets) -> int:
    """The unit whose forget gate best tells a brace that counts from one in a comment."""
    where = events(nets.looked_at)
    counts = where["`{` that opens"] | where["`}` that closes"]
    return int((nets.gates.f[where["brace in a comment"]].mean(0) - nets.gates.f[counts].mean(0)).argmax())


def draw(axes: list[Axes], nets: Nets, unit: int) -> None:
    """One string, symbol by symbol."""
    symbols = torch.tensor([SYMBOLS.index(symbol) for symbol in SHOWN])
    x = one_hot(symbols, len(SYMBOLS)).to(DTYPE)[:, None]
    gates = look_inside(nets.lstm[0].recurrent, x)
    commented, is_open, in_comment, opened = [], False, False, []
    for symbol in SHOWN:
        in_comment = in_comment != (symbol in "#;")
        is_open = is_open != (symbol in "{}" and not in_comment)
        commented.append(in_comment)
        opened.append(is_open)
    steps = range(len(SHOWN))
    top, middle, bottom = axes
    with torch.no_grad():
        for label, reader, colour in (("LSTM", nets.lstm[0], "tab:blue"), ("tanh RNN", nets.plain[0], "tab:red")):
            top.plot(steps, reader(x)[:, 0].sigmoid(), color=colour, marker="o", markersize=3, label=label)
    top.step(steps, opened, where="mid", color="0.5", linewidth=1, label="truth")
    top.set(ylabel="P(a brace is open)", ylim=(-0.05, 1.35))
    middle.plot(steps, gates.f[:, 0, unit], color="tab:green", marker="o", markersize=3, label="forget gate f")
    middle.plot(steps, gates.i[:, 0, unit], color="tab:orange", marker="o", markersize=3, label="input gate i")
    middle.set(ylabel=f"gates of unit {unit}", ylim=(-0.05, 1.35))
    bottom.plot(steps, gates.c[:, 0, unit], color="black", marker="o", markersize=3, label="memory c")
    bottom.bar(steps, gates.written[:, 0, unit].tolist(), color="tab:orange", alpha=0.5, label="written, i ∘ g")
    bottom.axhline(0, color="0.6", linewidth=0.8)
    bottom.set(ylabel=f"unit {unit}")
    for ax in axes:
        for t in steps:
            if commented[t]:
                ax.axvspan(t - 0.5, t + 0.5, color="0.9", linewidth=0, zorder=0)
        ax.set_xticks(steps, list(SHOWN), family="monospace")
        ax.set_xlim(-0.6, len(SHOWN) - 0.4)
        ax.legend(loc="upper left", ncols=3)


def inside(nets: Nets) -> str:
    """What the gates of one unit do at each kind of symbol, and how much of the memory is the carousel's."""
    unit, gates, strings = listening_unit(nets), nets.gates, nets.looked_at
    rows, f, written = [], {}, {}
    for name, where in events(strings).items():
        f[name], i, written[name] = (float(x[..., unit][where].mean()) for x in (gates.f, gates.i, gates.written))
        rows.append((name, int(where.sum()), *(number(value, 2) for value in (f[name], i, written[name]))))
    told = [abs(correlation(memory, strings.comment.to(DTYPE))) for memory in gates.c.unbind(-1)]
    knows = max(range(len(told)), key=told.__getitem__)

    def divergence(log_odds: Tensor) -> Tensor:
        return binary_cross_entropy_with_logits(log_odds, strings.open.to(DTYPE), reduction="sum")

    layer = stability.carousel(nets.lstm[0], strings.x, divergence).layers[0]
    share, life = percent(layer.share[10], 1), number(layer.half_life.median(), 2)
    opens, closes, ignored = (f[name] for name in ("`{` that opens", "`}` that closes", "brace in a comment"))
    assert max(opens, closes) + 0.3 < ignored
    assert written["letter, a brace open"] < -0.1 < 0.1 < written["letter, none open"]
    assert knows != unit
    assert layer.share[10] < 0.1
    numbers = [number(value, 2) for value in (opens, closes, ignored, told[knows])]
    return f"""\
## Inside one unit

The unit of the picture is the one whose forget gate best tells a brace that counts from one in a comment. Means over
{strings.symbols.numel()} symbols of other strings:

{table(("symbol", "times", "f", "i", "i ∘ g"), rows)}

The forget gate closes on a brace that counts ({numbers[0]} and {numbers[1]}) and stays open on one in a comment
({numbers[2]}). "Have I seen Pattern 2?" is decided by the input, as the slide has it. That a comment goes on is kept
elsewhere: the memory of unit {knows} has a correlation of {numbers[3]} with it. The input gate is open on every brace;
what differs is what is erased, and the sign of what is written.

**Verdict: not quite as it is told.** The story is that the carousel carries the brace until it is closed. In this net
half of a memory is gone after {life} steps in the median unit, and at a lag of 10 steps {share} of the gradient came by
forget gates alone (`stability.carousel`). Still the net is right hundreds of steps later. It writes the brace anew all
the time: the first two rows are the same letters, and what they write has the sign of what is to be remembered, which
they can only know from h. A memory of that kind *is* held by the recurrent weights. Training takes whatever works.
"""


def limits(nets: Nets) -> str:
    """How far c runs."""
    torch.manual_seed(SEEDS[0])
    fresh = Reader(peephole.LSTM, 8, forget_bias=1.0)
    before, after = (stability.saturation(reader, nets.rare.x).layers[0] for reader in (fresh, nets.lstm[0]))
    rows = [
        (
            name,
            number(layer.largest["c"].max(), 2),
            number(layer.bounds["c"], 4),
            number(layer.largest["h"].max(), 3),
            *(percent(layer.saturated[gate]) for gate in "ifgo"),
        )
        for name, layer in (("before training", before), ("after", after))
    ]
    largest = after.largest["c"].max()
    slope = largest.cosh() ** -2
    header = ("", "largest abs. c", "its bound", "largest abs. h", *(f"{gate} at an end" for gate in "ifgo"))
    assert slope < 1e-6
    return f"""\
## What saturates

**The slide:** tanh(c) only compresses what is shown; "this compression no longer affects our ability to carry memory
forward".

**Measured** on the strings of 2000 symbols (`stability.saturation`); a gate is at an end within 5 % of 0 or 1, g within
5 % of its range from −1 or 1.

{table(header, rows)}

**Verdict: it holds for c, and it has a price.** Nothing compresses c: its only bound is the number of steps, and it
reached {number(largest, 2)}, where a tanh state stops at 1. But what leaves through tanh(c) is flat out there: tanh′(c)
is {number(slope, 1)} at that value, so that neither a reader of h nor the gradient that comes in through h notices a
change of such a memory.
"""


def poll_1(nets: Nets) -> str:
    """What plain nets lose, what LSTMs have in its place, and what forgetting has to do with writing."""
    gates, coupled = nets.gates, look_inside(nets.coupled.recurrent, nets.looked_at.x)
    plain_spec, spec = nets.plain[0].recurrent.spec, nets.lstm[0].recurrent.spec
    units = 8
    weights = [units * units * len(each.gates) for each in (plain_spec, spec)]
    jacobians = stability.step_jacobians(nets.lstm[0], nets.looked_at.x)
    jacobian = jacobians.layers[0].block("c", "c")
    diagonal = jacobian.diagonal(dim1=-2, dim2=-1)
    off = float((jacobian - torch.diag_embed(diagonal)).abs().max())
    assert off == 0
    assert float((diagonal - gates.f[list(jacobians.times)]).abs().max()) < 1e-12
    forgets, writes = gates.f < 0.5, gates.i > 0.5
    both, neither = ((forgets == writes) & (forgets == each) for each in (True, False))
    separate = 1 - float((both | neither).double().mean())
    together = correlation(1 - gates.f, gates.i)
    against = -gates.before.sign() * gates.written  # over 0: what is written is taken off what is there
    down, up = (float((sign * against[forgets] > 0.1).double().mean()) for sign in (1, -1))
    tied, signal = correlation(1 - coupled.f, coupled.i), correlation(1 - gates.f, gates.written)
    coupled_signal = correlation(1 - coupled.f, coupled.written)
    lowest = float(gates.f.min())
    assert separate > 0.2
    assert abs(together) < 0.5
    assert abs(signal) < 0.3
    assert down < up
    assert tied > 0.999
    header = ("activation", *(f"W × {scale}" for scale in SCALES))
    return f"""\
## Poll 1

**"Conventional RNNs lose their memory because of the properties of their recurrent weights matrices and activations":
true.** Steps until less than 1 % of a small change of h is left (`stability.memory`), with W orthogonal times a number
and the same random inputs; ∞ where it is kept, or grows, over all {MEMORY_STEPS} steps:

{table(header, retention())}

Down a column the weights are the same, along a row the activation is: both decide. The linear net with W × 1 keeps
everything, and with a sigmoid none of these W keeps anything for long.

**"LSTMs eliminate this problem by eliminating recurrent weights and activations": true of one line, false of the
unit.** On the line from c_{{t−1}} to c_t there are 0 weights and 0 activations: in the trained net ∂c_t/∂c_{{t−1}} with
h held is diag(f), and its largest entry off the diagonal is {number(off)}. The unit around it has more of both: with
H = {units} units {weights[1]} recurrent weights where the plain net has {weights[0]}, and 5 activations a unit and step
(three σ, two tanh) where that has 1. They are moved off the line, not eliminated, and where the gates make h part of
the memory they come back (see above).

**"LSTMs have no mechanism for forgetting patterns": false.** The forget gate is one. In the trained net it is below ½
at {percent(forgets.double().mean())} of all steps and units, and goes down to {number(lowest, 2)}. (The LSTM of 1997
had none:
`peephole.LSTM(…, forget_gate=False)`.)

**Forget gate and pattern detector are separate because "the patterns that inform the LSTM that a stored memory may be
forgotten could be different from the patterns that are stored": true.** If they were the same, `f < ½` would come with
`i > ½`. In the trained net this fails at {percent(separate)} of all steps and units; the correlation of 1 − f with i is
{number(together, 2)}. (In the unit above the `;` that ends a comment forgets more than a letter does, and writes less.)

**"A 'forget' signal from the forget gate will also result in a 'decrement' signal from the input pattern detector":
false.** When `f < ½`, what is written takes from the memory (more than 0.1 against the sign of c) in {percent(down)} of
the cases and adds to it in {percent(up)}; the correlation of 1 − f with i ∘ g is {number(signal, 2)}. Even where the
gates are tied, f = 1 − i (`coupled=True`, trained on the same task: {percent(accuracy(nets.coupled, nets.usual), 1)}
right), forgetting brings *writing* with it (correlation of 1 − f with i: {number(tied, 2)}), of either sign (with i ∘
g: {number(coupled_signal, 2)}).
"""


def retention() -> list[tuple[str, ...]]:
    """Steps until 1 % of a change of h is left, by activation and scale of W."""
    x = torch.randn(MEMORY_STEPS, 4, 7, generator=torch.Generator().manual_seed(0), dtype=DTYPE)
    rows = []
    for activation in ("identity", "tanh", "relu", "sigmoid"):
        found: list[str] = []
        for scale in SCALES:
            torch.manual_seed(0)
            net = peephole.RNN(7, 32, nonlinearity=activation, init="orthogonal", dtype=DTYPE)
            with torch.no_grad():
                net.weight_hh_l0.mul_(scale)
            lag = stability.memory(net, x).layers[0].forgotten
            found.append("∞" if lag is None else str(lag))
        rows.append((activation, *found))
    return rows


def correlation(a: Tensor, b: Tensor) -> float:
    """Over all numbers of both."""
    return float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1])


def poll_2() -> str:
    """The backward pass by hand beside autograd, and what it takes."""
    difference, size, slip = compare_backward()
    forward, backward = operations(by_hand.LSTMCell.forward), operations(by_hand.LSTMCell.backward)
    kinds = sorted(set(forward) | set(backward))
    rows = [(WORDS[kind], forward[kind], backward[kind]) for kind in kinds]
    rows.append(("**together**", sum(forward.values()), sum(backward.values())))
    assert difference < 1e-12
    assert slip > 0.01
    return f"""\
## Poll 2

**"Backward computation in an LSTM can be performed by computing the derivatives of all forward operations in reverse
order": true.** `peephole.reference.by_hand` is the pseudocode of the slides, line by line: each line of forward is
inverted, the last first. Two layers with all peepholes, the one into the tanh too, and a softmax on top: over all
gradients (weights, biases, peepholes, inputs) the largest difference from torch's autograd on `peephole.LSTM` is
**{number(difference, 2)}**, where the largest gradient is {number(size, 2)}. That is rounding.

**"This necessarily requires computation of complicated derivative formulae": false.** What forward and backward of one
cell are made of, counted in their source:

{table(("operation", "forward", "backward"), rows)}

The backward pass has about twice as many operations, of the same simple kinds. No line of it differentiates more than
one of them; σ′ = σ (1 − σ) and tanh′ = 1 − tanh² are the only derivatives that one has to know. The closed formula for
∇h_t, on the other hand, is easily got wrong: on the slide it has o_{{t+1}} where i_{{t+1}} belongs. With the slide's
letter the gradient that one cell hands back to h is off by {percent(slip)}, at random weights.
"""


WORDS = {
    "Add": "sum",
    "MatMult": "matrix × vector",
    "Mult": "product, component by component",
    "Pow": "square",
    "Sub": "difference",
    "outer": "column × row (the gradients of matrices)",
    "sigmoid": "σ",
    "tanh": "tanh",
}


def operations(method: Callable[..., object]) -> Counter[str]:
    """How often each operation of `WORDS` stands in the source of a method."""
    found: Counter[str] = Counter()
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(method)))):
        name = type(node.op).__name__ if isinstance(node, ast.BinOp) else ""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
        if name in WORDS:
            found[name] += 1
    return found


def compare_backward() -> tuple[float, float, float]:
    """The largest difference of gradients by hand from autograd's, the largest gradient, and what the slip does."""
    steps, size, units, outputs = 12, 5, 7, 4
    torch.manual_seed(0)
    lstm = peephole.LSTM(size, units, 2, peephole="full", candidate_peephole=True, dtype=DTYPE)
    head = nn.Linear(units, outputs, dtype=DTYPE)
    x = torch.randn(steps, size, dtype=DTYPE, requires_grad=True)
    dY = torch.randn(steps, outputs, dtype=DTYPE)
    (dY * head(lstm(x[:, None])[0][:, 0]).softmax(-1)).sum().backward()

    cell = by_hand.LSTMCell()
    layers = [by_hand.parameters_from_stacked(cell, layer) for layer in lstm.named_layers()]
    network = by_hand.Network(by_hand.LSTMCell, layers, head.weight.detach(), head.bias.detach())
    network.forward(x.detach())
    found = network.backward(dY)
    pairs = [(found.x, x.grad), (found.W_o, head.weight.grad), (found.b_o, head.bias.grad)]
    for number_of_layer, gradients in enumerate(found.layers):
        for name, gradient in by_hand.gradients_to_stacked(cell, gradients).items():
            pairs.append((gradient, getattr(lstm, f"{name}_l{number_of_layer}").grad))
    assert len(pairs) == 3 + len(list(lstm.parameters()))
    difference = max(float((ours - theirs).abs().max()) for ours, theirs in pairs if theirs is not None)
    largest = max(float(theirs.abs().max()) for _, theirs in pairs if theirs is not None)
    return difference, largest, slip_of(network)


@torch.no_grad()
def slip_of(network: by_hand.Network) -> float:
    """How far the slide's o in place of i takes the gradient of h, relative to it, in one cell of the first layer."""
    t, p = 6, network.parameters[1]
    cell, (C, h), (C_o, h_o) = network.cells[t, 1], network.states[t - 1, 1], network.states[t, 1]
    dh_o, nothing = torch.ones_like(h_o), torch.zeros_like(C_o)
    _, dh, _, gradients = cell.backward(nothing, dh_o, C, h, C_o, h_o, network.x[t], p)
    dz_c = gradients["b_c"]  # ∂Div/∂C_o ∘ i ∘ tanh′
    return float((dz_c * (cell.o / cell.i - 1) @ p["W_ch"]).norm() / dh.norm())


@dataclass(frozen=True)
class Strings:
    """`symbols` `[T, B]`, and after each whether a brace is `open`, and whether it stands in a `comment`."""

    symbols: Tensor
    open: Tensor
    comment: Tensor

    @property
    def x(self) -> Tensor:
        """One-hot vectors `[T, B, 7]`."""
        return one_hot(self.symbols, len(SYMBOLS)).to(DTYPE)


def draw_strings(steps: int, count: int, rates: tuple[float, float], seed: int) -> Strings:
    """Letters, now and then a brace that opens or closes, or a comment, in which braces mean nothing."""
    generator = torch.Generator().manual_seed(seed)
    low, high = rates
    rate = low * (high / low) ** torch.rand(count, generator=generator)  # one for each string
    event = torch.rand(steps, count, generator=generator) < 2 * rate
    brace = torch.rand(steps, count, generator=generator) < 0.5
    letters = torch.randint(0, OPENS, (steps, count), generator=generator)
    any_brace = torch.randint(OPENS, COMMENT, (steps, count), generator=generator)
    symbols = letters.clone()
    opened, commented = torch.zeros(2, steps, count, dtype=torch.bool)
    is_open, in_comment = torch.zeros(2, count, dtype=torch.bool)
    for t in range(steps):
        braces, marks = event[t] & brace[t], event[t] & ~brace[t]
        symbols[t] = torch.where(braces, torch.where(in_comment, any_brace[t], OPENS + is_open.long()), symbols[t])
        symbols[t] = torch.where(marks, COMMENT + in_comment.long(), symbols[t])
        is_open, in_comment = is_open ^ (braces & ~in_comment), in_comment ^ marks
        opened[t], commented[t] = is_open, in_comment
    return Strings(symbols, opened, commented)


class Reader(nn.Module):
    """A recurrent layer that says after each symbol whether a brace is open: log odds `[T, B]`."""

    def __init__(self, kind: Callable[..., peephole.Recurrent], units: int, **switches: Any) -> None:
        super().__init__()
        self.recurrent = kind(len(SYMBOLS), units, dtype=DTYPE, **switches)
        self.head = nn.Linear(units, 1, dtype=DTYPE)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.recurrent(x)[0])[..., 0]


def train(reader: Reader, updates: int) -> Reader:
    """Adam, a rate that falls to nothing, gradients clipped to length 1."""
    strings = draw_strings(T, B * updates, USUAL, seed=1)
    optimiser = torch.optim.Adam(reader.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.01, updates)
    for rows in torch.arange(B * updates).split(B):
        part = Strings(strings.symbols[:, rows], strings.open[:, rows], strings.comment[:, rows])
        optimiser.zero_grad()
        binary_cross_entropy_with_logits(reader(part.x), part.open.to(DTYPE)).backward()
        nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    return reader


def trained(
    kind: Callable[..., peephole.Recurrent], units: int, seed: int, updates: int = UPDATES, **switches: Any
) -> Reader:
    """A reader from this seed."""
    torch.manual_seed(seed)
    return train(Reader(kind, units, **switches), updates)


@torch.no_grad()
def accuracy(reader: Reader, strings: Strings) -> float:
    """The share of steps at which it is right."""
    return float(((reader(strings.x) > 0) == strings.open).double().mean())


@dataclass(frozen=True)
class Gates:
    """Gates and states of a layer on strings, `[T, B, H]` each; `before` is c(t − 1)."""

    f: Tensor
    i: Tensor
    g: Tensor
    o: Tensor
    before: Tensor
    c: Tensor

    @property
    def written(self) -> Tensor:
        """i ∘ g."""
        return self.i * self.g


@torch.no_grad()
def look_inside(layer: peephole.Recurrent, x: Tensor) -> Gates:
    """The layer once more by the lecture's cell, whose variables can be read after each step."""
    weights = next(iter(layer.named_layers()))
    coupled = layer.spec.coupled  # the lecture's cell has a forget gate: one that is 1 − i, so with its weights negated
    stacked = {name: _with_forget_gate(weight) if coupled else weight for name, weight in weights.items()}
    cell = by_hand.LSTMCell()
    parameters = by_hand.parameters_from_stacked(cell, stacked)
    rows: list[Gates] = []
    for row in x.unbind(1):
        c = h = x.new_zeros(layer.hidden_size)
        steps: list[tuple[Tensor, ...]] = []
        for symbol in row:
            before = c
            c, h = cell.forward(c, h, symbol, parameters)
            steps.append((cell.f, cell.i, cell.C_i, cell.o, before, c))
        rows.append(Gates(*(torch.stack(each) for each in zip(*steps, strict=True))))
    return Gates(*(torch.stack([getattr(row, name) for row in rows], 1) for name in Gates.__dataclass_fields__))


def _with_forget_gate(weight: Tensor) -> Tensor:
    """i g o to i f g o, with f = σ(−z_i) = 1 − i."""
    i, g, o = weight.chunk(3)
    return torch.cat([i, -i, g, o])
