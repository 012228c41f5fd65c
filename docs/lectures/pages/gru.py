"""One gate for forgetting and writing, two conventions for it, which units remember long; poll 3."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from matplotlib.axes import Axes
from page_parts import Figures, number, percent, snippet, table
from torch import Tensor, nn

import peephole
from peephole import stability
from peephole.reference import by_hand

TITLE = "The GRU: one gate for two"

DTYPE = torch.float64
T, B, H, UPDATES, RATE = 100, 32, 32, 600, 1e-2
OFTEN = 0.03  # how often there is something new to hold
SEEDS = (0, 1, 2)
SHOWN = slice(100, 200)  # steps of the picture

TRY = """
import torch, peephole

torch.manual_seed(0)
writes = peephole.GRU(5, 16, update="writes")  # h = (1 − z) ∘ h + z ∘ h̃
keeps = peephole.GRU(5, 16, update="keeps")  # h = z ∘ h + (1 − z) ∘ h̃, as torch has it
with torch.no_grad():
    for ours, theirs in zip(writes.parameters(), keeps.parameters()):
        r, z, n = ours.chunk(3)
        theirs.copy_(torch.cat([r, -z, n]))  # σ(−a) = 1 − σ(a)
x = torch.randn(50, 4, 5)
print("largest difference:", (writes(x)[0] - keeps(x)[0]).abs().max().item())
"""


def page(figures: Figures) -> str:
    """The page."""
    nets = Nets()
    return f"""\
The GRU simplifies the LSTM: one state h, and one gate in place of forget and input gate. The slides of one course have

    r_t = σ(W_r · [h_{{t−1}}, x_t] + b_r)                 reset gate
    z_t = σ(W_z · [h_{{t−1}}, x_t] + b_z)                 update gate
    h̃_t = tanh(W · [r_t ∘ h_{{t−1}}, x_t] + b)            candidate
    h_t = z_t ∘ h_{{t−1}} + (1 − z_t) ∘ h̃_t               z keeps

and the other course with z and 1 − z exchanged in the last line, so that z writes.

| the slides say | holds? |
| --- | --- |
| [z keeps; z writes](#two-courses-one-gru) | the same function, with the weights of z negated |
| [units with long memories have active update gates](#which-units-remember-long) | yes, where a number must be kept |
| [units with short ones have active reset gates](#which-units-remember-long) | weakly |
| [poll 3](#poll-3) | false; false |

{conventions()}
{which_units(figures, nets)}
{poll_3(nets)}
## Try it

{snippet(TRY)}

## Sources

- Cho et al. 2014, *Learning phrase representations using RNN encoder–decoder* (the GRU, and which units remember long:
  section 2.3).
- Chung, Gulcehre, Cho & Bengio 2014, *Empirical evaluation of gated recurrent neural networks on sequence modeling*.
- Greff et al. 2017, *LSTM: a search space odyssey* (the LSTM with f = 1 − i).
"""


@torch.no_grad()
def conventions() -> str:
    """What is the same function under other names, and what is not."""
    x = torch.randn(T, 8, 5, generator=torch.Generator().manual_seed(0), dtype=DTYPE)

    def gru(**switches: Any) -> peephole.GRU:
        torch.manual_seed(0)
        return peephole.GRU(5, 16, dtype=DTYPE, **switches)

    writes, keeps = (gru(reset="before", update=update) for update in ("writes", "keeps"))
    as_given = float((writes(x)[0] - keeps(x)[0]).abs().max())
    for ours, theirs in zip(writes.parameters(), keeps.parameters(), strict=True):
        r, z, n = ours.chunk(3)
        theirs.copy_(torch.cat([r, -z, n]))
    negated = float((writes(x)[0] - keeps(x)[0]).abs().max())
    before, after = gru(reset="before", update="keeps"), gru(reset="after", update="keeps")
    moved = float((before(x)[0] - after(x)[0]).abs().max())
    assert negated < 1e-14 < 0.1 < as_given
    assert moved > 0.01
    rows = [
        ("z writes / z keeps, same weights", number(as_given, 2)),
        ("z writes / z keeps, the weights and biases of z negated", number(negated, 2)),
        ("reset before / after the product with W, same weights", number(moved, 2)),
    ]
    return f"""\
## Two courses, one GRU

**The slides** differ: h_t = z_t ∘ h_{{t−1}} + (1 − z_t) ∘ h̃_t on one, h_t = (1 − z_t) ∘ h_{{t−1}} + z_t ∘ h̃_t on the
other. "Active update gate" means *keep* on the one and *write* on the other.

**Measured:** largest difference of h over {T} steps of two nets of 16 units, `update="writes"` and `update="keeps"`.

{table(("what differs", "largest difference of h"), rows)}

**Verdict: the same net under two names.** 1 − σ(a) = σ(−a): negate what leads to the update gate, and the two agree to
rounding. It matters when weights are moved from one to the other, and for a bias that should open the gate: the sign
turns. Where the reset gate stands is a real difference; both slides have it before the product, torch (and
`peephole.GRU` unless told otherwise) after it, and in general no renaming of weights turns one into the other.
"""


@dataclass(frozen=True)
class Task:
    """Inputs `[T, B, 3]` (a value that is shown, whether one is, noise) and targets `[T, B, 2]`: the value shown last,
    and the noise of the step before. With `signs` the values are ±1.
    """

    x: Tensor
    target: Tensor


def draw(steps: int, count: int, seed: int, signs: bool) -> Task:
    """Something to hold for long, beside something to hold for a step."""
    generator = torch.Generator().manual_seed(seed)
    shows = torch.rand(steps, count, generator=generator) < OFTEN
    shows[0] = True
    value, noise = 2 * torch.rand(2, steps, count, generator=generator, dtype=DTYPE) - 1
    value = value.sign() if signs else value
    held = torch.zeros_like(value)
    for t in range(steps):
        held[t] = torch.where(shows[t], value[t], held[t - 1])
    before = torch.cat([torch.zeros_like(noise[:1]), noise[:-1]])
    return Task(torch.stack([value * shows, shows.to(DTYPE), noise], -1), torch.stack([held, before], -1))


class Holder(nn.Module):
    """A recurrent layer and a linear head of two numbers."""

    def __init__(self, kind: Callable[..., peephole.Recurrent], units: int) -> None:
        super().__init__()
        self.recurrent = kind(3, units, dtype=DTYPE)
        self.head = nn.Linear(units, 2, dtype=DTYPE)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.recurrent(x)[0])

    @torch.no_grad()
    def errors(self, task: Task) -> list[float]:
        """Root mean squared errors of both targets."""
        return (self(task.x) - task.target).square().mean((0, 1)).sqrt().tolist()


def trained(kind: Callable[..., peephole.Recurrent], seed: int, signs: bool) -> Holder:
    """Adam, a rate that falls to nothing, gradients clipped to length 1."""
    torch.manual_seed(seed)
    net = Holder(kind, H)
    task = draw(T, B * UPDATES, seed=1, signs=signs)
    optimiser = torch.optim.Adam(net.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.02, UPDATES)
    for x, target in zip(task.x.split(B, 1), task.target.split(B, 1), strict=True):
        optimiser.zero_grad()
        (net(x) - target).square().mean().backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    return net


class Nets:
    """What is trained, and what it is tested on."""

    def __init__(self) -> None:
        self.numbers = [trained(peephole.GRU, seed, signs=False) for seed in SEEDS]
        self.signs = [trained(peephole.GRU, seed, signs=True) for seed in SEEDS]
        self.lstm = trained(peephole.LSTM, SEEDS[0], signs=False)
        self.test = draw(400, 16, seed=99, signs=False)
        self.test_signs = draw(400, 16, seed=99, signs=True)


def which_units(figures: Figures, nets: Nets) -> str:
    """Timescales of units beside their gates, on two tasks."""
    rows, found = [], {}
    for name, trio, test in (("a number", nets.numbers, nets.test), ("a sign", nets.signs, nets.test_signs)):
        layers = [stability.timescales(net, test.x).layers[0] for net in trio]
        found[name] = layers
        columns = (
            [net.errors(test)[0] for net in trio],
            *(
                [getattr(layer, measure) for layer in layers]
                for measure in ("influence_with_kept", "correlation_with_kept", "influence_with_reset",
                                "correlation_with_reset")
            ),
        )  # fmt: skip
        rows.append((name, *(f"{number(min(each), 2)} to {number(max(each), 2)}" for each in columns)))
    chance = found["a number"][0].chance
    assert all(layer.holds for layer in found["a number"])
    by_both = sum(bool(layer.holds) for layer in found["a sign"])
    assert by_both < len(SEEDS)
    assert all(layer.influence_with_kept > chance for layer in found["a sign"])
    figure, (left, right) = figures.axes(2, height=3.6)
    stability.timescales(nets.numbers[0], nets.test.x).plot(left)
    longest = int(found["a number"][0].influence.argmax())
    draw_unit(right, nets, longest)
    header = ("to hold", "error, RMS", "kept, self-influence", "kept, autocorrelation", "reset, self-influence",
              "reset, autocorrelation")  # fmt: skip
    picture = figures.save(
        "timescales",
        figure,
        "Left: the timescale of each unit grows with what its update gate keeps. Right: a stretch of a "
        "string, with the unit of longest memory; its gate is high and drops when a new number is shown.",
    )
    life = found["a number"][0].influence
    slow, fast = number(life.max(), 2), number(life.min(), 2)
    return f"""\
## Which units remember long

**The slide:** "units with long term dependencies have active update gates z" (z keeps there), and "units with
short-term dependencies often have reset gates very active".

**Measured:** GRUs of {H} units learn two things at once: to hold a number that is shown now and then (every
{round(1 / OFTEN)} steps), and to repeat the noise of the step before. In a second task the number is only a sign, ±1.
`stability.timescales` gives each unit two timescales: until a nudge of the unit has left it (self-influence), and until
the unit resembles itself no more (autocorrelation). The table has their rank correlations over the units with the mean
gates; three seeds each, lowest and highest. By chance they stay within ±{number(chance, 2)}.

{table(header, rows)}

{picture}

**Verdict: the first claim holds where a number must be kept.** Both timescales grow with z, with every seed; the
memories of the units of one net range from {fast} to {slow} steps. (The net holds the number for longer than any of its
units, because they hand it on to each other.) For a sign it holds with every seed by self-influence, but that measure
contains the gate as a factor; by autocorrelation, which does not, it holds beyond chance with {by_both} of {len(SEEDS)}
seeds. A sign need not be kept by a gate: units can push each other into one of two corners.

**Verdict: the second claim is weak.** For a number, units with short memories have reset gates that are more open
(larger r, a negative correlation), though not beyond chance by every measure and seed; for a sign not even the
direction is sure. The word is a trap besides: r ≈ 1 leaves the old state in the candidate, and r ≈ 0 *resets* it.
"""


@torch.no_grad()
def draw_unit(ax: Axes, nets: Nets, unit: int) -> None:
    """h and z of a unit, beside what is to be held."""
    gates = look_inside(nets.numbers[0].recurrent, nets.test.x[:, :1])
    held = nets.test.target[SHOWN, 0, 0]
    h = gates.h[SHOWN, 0, unit]
    h = h * torch.sign((h * held).mean())  # which way round a unit holds it is chance
    steps = range(SHOWN.start, SHOWN.stop)
    ax.plot(steps, held, color="0.7", linewidth=3, drawstyle="steps-mid", label="to be held")
    ax.plot(steps, nets.numbers[0](nets.test.x)[SHOWN, 0, 0], color="tab:red", linewidth=0.9, label="the net says")
    ax.plot(steps, h, color="black", label=f"h of unit {unit}")
    ax.plot(steps, gates.z[SHOWN, 0, unit], color="tab:green", linewidth=0.9, label="its z")
    ax.set(xlabel="t", ylim=(-1.1, 1.6))
    ax.legend(loc="upper left", ncols=3)


@dataclass(frozen=True)
class Gates:
    """z, the candidate, and the states before and after a step, `[T, B, H]` each."""

    z: Tensor
    candidate: Tensor
    before: Tensor
    h: Tensor


@torch.no_grad()
def look_inside(layer: peephole.Recurrent, x: Tensor) -> Gates:
    """The layer once more by the lecture's cell, whose variables can be read after each step."""
    cell = by_hand.GRUCell(reset=layer.spec.reset, update=layer.spec.update)
    parameters = by_hand.parameters_from_stacked(cell, next(iter(layer.named_layers())))
    rows: list[list[Tensor]] = []
    for row in x.unbind(1):
        h = x.new_zeros(layer.hidden_size)
        steps: list[tuple[Tensor, ...]] = []
        for inputs in row:
            before, (h,) = h, cell.forward(h, inputs, parameters)
            steps.append((cell.z, cell.h_tilde, before, h))
        rows.append([torch.stack(each) for each in zip(*steps, strict=True)])
    return Gates(*(torch.stack(each, 1) for each in zip(*rows, strict=True)))


@torch.no_grad()
def lstm_gates(layer: peephole.Recurrent, x: Tensor) -> tuple[Tensor, Tensor]:
    """f and i of an LSTM, `[T, B, H]` each."""
    cell = by_hand.LSTMCell()
    parameters = by_hand.parameters_from_stacked(cell, next(iter(layer.named_layers())))
    rows: list[list[Tensor]] = []
    for row in x.unbind(1):
        c = h = x.new_zeros(layer.hidden_size)
        steps: list[tuple[Tensor, Tensor]] = []
        for inputs in row:
            c, h = cell.forward(c, h, inputs, parameters)
            steps.append((cell.f, cell.i))
        rows.append([torch.stack(each) for each in zip(*steps, strict=True)])
    f, i = (torch.stack(each, 1) for each in zip(*rows, strict=True))
    return f, i


def poll_3(nets: Nets) -> str:
    """Whether forgetting excludes writing, and how many lines there are."""
    few = nets.test.x[:, :4]
    gru, lstm = nets.numbers[0], nets.lstm
    gates, (f, i) = look_inside(gru.recurrent, few), lstm_gates(lstm.recurrent, few)
    kept = gates.z
    apart = (gates.before - gates.candidate).abs() > 1e-3  # else a mean of both says nothing about its weights
    measured = ((gates.h - gates.candidate) / (gates.before - gates.candidate))[apart]
    off = float((measured - kept[apart]).abs().max())
    forgets = kept < 0.5
    step = (1 - kept) * gates.candidate  # what is added
    adds = float((step[forgets].abs() > 0.1).double().mean())
    together = f + i
    without = float(((f < 0.5) & (i < 0.5)).double().mean())
    beside = float(((f > 0.5) & (i > 0.5)).double().mean())
    assert off < 1e-9
    assert adds > 0.2
    assert float(together.max()) > 1.2
    specs = {"GRU": gru, "LSTM": lstm}
    rows = []
    for name, net in specs.items():
        spec, size = net.recurrent.spec, sum(weight.numel() for weight in net.recurrent.parameters())
        errors = net.errors(nets.test)
        rows.append((name, ", ".join(spec.states), len(spec.states) * H, size, *(number(each, 2) for each in errors)))
    header = (
        "",
        "states",
        "numbers carried from step to step",
        "parameters",
        "error, held number",
        "error, noise before",
    )
    shares = [percent(each) for each in (forgets.double().mean(), adds, without, beside)]
    low, high = number(together.min(), 2), number(together.max(), 2)
    return f"""\
## Poll 3

**"GRUs are simplifications of the LSTM that use the principle that if a pattern triggers forgetting of a pattern, it
cannot also trigger increment of the memory": false.** The principle is the opposite. The slide says why forget and
input gate become one: "if new input is to be remembered, then this means old memory is to be forgotten". Forgetting and
writing share a gate, so that each *always* comes with the other:

- From the states before and after a step and the candidate one can read how much was kept. It is z at every unit and
  step, and 1 − z of the candidate is written: kept + written = 1, to within {number(off, 1)}.
- More than half of the old state is forgotten at {shares[0]} of all units and steps of the trained GRU; in {shares[1]}
  of these cases something of more than 0.1 is added to it at the same step.
- In an LSTM trained on the same task f + i goes from {low} to {high}: it forgets without writing (both gates under ½)
  at {shares[2]} of units and steps, and it writes without forgetting (both over ½) at {shares[3]}. What a GRU excludes
  is one without the other, at any weights.

**"Like LSTMs, GRUs retain separate lines for the store memory and the hidden state": false.** There is one line, h:

{table(header, rows)}
"""
