"""What static nets need for parity and addition, what they make of one bit more, and recurrent nets beside them."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from page_parts import Figures, number, percent, snippet, table

from peephole.data.problems.addition import Addition
from peephole.data.problems.parity import Parity
from peephole.models.by_hand import addition_by_hand, parity_by_hand
from peephole.models.by_hand_xor import xor_by_hand
from peephole.tasks.static import StaticSettings, compare_static
from peephole.tasks.static_plot import draw_needed, draw_unseen
from peephole.tasks.static_result import NETS, Net, StaticComparison

TITLE = "MLPs and RNNs: addition and parity"

LONG = 100_000  # steps of the nets set by hand

TRY = """
import torch
from peephole.models.by_hand import parity_by_hand
from peephole.models.by_hand_xor import xor_by_hand

net = parity_by_hand("gru")
print({name: weight.flatten().tolist() for name, weight in net.recurrent.named_parameters()})
bits = torch.tensor([1, 0, 1, 1, 0, 0, 1])[:, None]
print(net(bits)[0].argmax(-1).flatten().tolist())
static = xor_by_hand(7)
print(static(bits).tolist(), static.units)  # of the whole string, and of strings of 7 bits alone
"""


def page(figures: Figures) -> str:
    """The page."""
    parity = compare_static(StaticSettings("parity"))
    sums = compare_static(StaticSettings("addition"))
    untold = compare_static(StaticSettings("parity", answers="last"), (3, 4, 5, 6))
    deeper = compare_static(StaticSettings("parity", layers=2), parity.bits[-1:])
    return f"""\
The slides open with two problems that recurrent structures can do and static ones cannot: whether the number of ones in
a string is odd, and the sum of two N-bit numbers. A static net reads all N bits at once; for a recurrent net they come
one after another, least significant first.

{table(("the slides say", "holds?"), verdicts(parity, sums))}

{samples(figures, parity, sums, deeper)}
{one_bit_more(parity, sums)}
{told_at_the_end(parity, untold)}
{by_hand(parity.bits[-1])}
## Try it

{snippet(TRY)}

The measurements, with options, resumable: `peephole static parity --out FOLDER`, `peephole static addition`.

## Sources

- Minsky & Papert 1969, *Perceptrons* (parity needs a unit that sees all bits).
- Rumelhart, Hinton & Williams 1986, *Learning internal representations by error propagation* (the net that counts).
"""


def verdicts(parity: StaticComparison, sums: StaticComparison) -> list[tuple[str, str]]:
    """Claim by claim."""
    most, largest = parity.bits[-1], sums.bits[-1]
    grows = number(sums.growth("static"), 2)
    half = percent(sums.typical("static", largest) / sums.patterns(largest))
    strings, pairs = (percent(mean_longer(found, "static", "unread")) for found in (parity, sums))
    learnt = [rounded(mean_longer(sums, "recurrent", way)) for way in ("N + 1", "10 N")]
    units = [xor_by_hand(most, form).units for form in ("tree", "count")]
    many, more, hand = "(#how-many-samples)", "(#one-bit-more)", "(#by-hand)"
    return [
        (f"[MLP: a large number of training instances]{many}", f"parity: all 2^N. Sums: {grows} times as many a bit"),
        (
            f"[output must be specified for every pair of inputs]{many}",
            f"parity: yes. Sums of {largest} bits: for {half} of the pairs",
        ),
        (
            f"[weights that generalize will make errors]{many}",
            "parity: about as many as a coin. Sums: the fewer, the more pairs were seen",
        ),
        (f"[a net for N bits will not work for N + 1]{more}", f"yes: right on {strings} of strings, {pairs} of sums"),
        (
            f"[parity: the XOR network is quite complex]{hand}",
            f"for {most} bits {units[0]} units, or {units[1]} if it counts",
        ),
        (
            f"[RNN: very simple, can add numbers of any size]{hand}",
            f"by hand yes, three units. Learnt from {largest} bits: [{learnt[0]} right with {largest + 1}, "
            f"{learnt[1]} with {10 * largest}]{more}",
        ),
        (
            f"[RNN: trivial solution of parity, any size]{hand}",
            "two units, or one with gates. Learnt: if it is [told after every bit](#told-only-at-the-end)",
        ),
    ]


def mean_longer(found: StaticComparison, net: Net, way: str) -> float:
    """Share of longer patterns right, of the nets that saw all patterns of the largest N."""
    return found.longer(net, found.bits[-1])[way][1]


def medians(found: StaticComparison, net: Net) -> list[str]:
    """Samples needed for each N."""
    return [f"{found.typical(net, bits):g}".replace("inf", "more than all") for bits in found.bits]


def unseen(found: StaticComparison, net: Net, samples: int) -> tuple[float, float]:
    """Least and largest share of patterns of the largest N right that were not among so many samples."""
    rows = [row for row in found.rows if row.bits == found.bits[-1] and row.samples == samples]
    shares = [share for row in rows if (share := row.of(net).unseen) is not None]
    return min(shares), max(shares)


def rounded(share: float) -> str:
    """In per cent, and 100 % of all alone."""
    return percent(share, 1 if 0.99 < share < 1 else 0)


def span(shares: tuple[float, float]) -> str:
    """`31 to 56 %`."""
    low, high = map(rounded, shares)
    return high if low == high else f"{low.removesuffix(' %')} to {high}"


def samples(figures: Figures, parity: StaticComparison, sums: StaticComparison, deeper: StaticComparison) -> str:
    """How many samples both nets need."""
    figure, axes = figures.axes(2, 2, height=6)
    for column, found in enumerate((parity, sums)):
        draw_needed(axes[column], found)
        draw_unseen(axes[2 + column], found)
        axes[column].set_title(f"{found.problem}: samples needed for 99 %")
    picture = figures.save(
        "samples",
        figure,
        "Above: samples needed over the number of bits. For parity the static net's line lies on that of all patterns, "
        "for sums it bends away below it; the recurrent net's lines level off. Below: the share right among patterns "
        "that were not learnt from, over the samples.",
    )
    rows = [
        (found.problem, bits, found.patterns(bits), static, recurrent)
        for found in (parity, sums)
        for bits, static, recurrent in zip(
            found.bits, medians(found, "static"), medians(found, "recurrent"), strict=True
        )
    ]
    most, largest, every = parity.bits[-1], sums.bits[-1], parity.patterns(parity.bits[-1])
    quarter, nearly = every // 4, every * 15 // 16
    low, most_of, high = (unseen(parity, "static", count) for count in (quarter, every * 14 // 16, nearly))
    assert all(needed == parity.patterns(bits) for bits in parity.bits for needed in parity.needed("static", bits))
    assert low[1] < 0.5
    assert sums.growth("static") < 3.8
    assert not any(count for found in (parity, sums, deeper) for count in found.unlearnt.values())
    sizes = [parity.rows[-1].of(net).parameters for net in NETS]
    seen, deep = sums.patterns(largest) // 16, needs(deeper, "static", most)
    few, few_recurrent = (unseen(sums, net, seen) for net in ("static", "recurrent"))
    return f"""\
## How many samples

**The slide:** an MLP "will require large number of training instances", "output must be specified for every pair of
inputs", "weights that generalize will make errors".

**Measured:** an MLP with one hidden layer of {parity.hidden_size} ReLU units and an LSTM of no more parameters (for
{most} bits {sizes[0]} and {sizes[1]}) learn from the same m different patterns, all at once, until no answer is wrong
and all are sure (0.001 nats). Both are told the parity after every bit, or every digit of the sum. Then they answer
all 2^N strings, or all 4^N pairs. Three seeds; the medians of the samples from which on at least 99 % are right:

{table(("problem", "N", "patterns", "static needs", "recurrent needs"), rows)}

{picture}

**Verdict.** *Parity: it holds to the letter.* With all seeds and for every N the static net needs **all** patterns. It
fits whatever it is given, but what it makes of the others is at best a little better than a coin: having seen
{every * 14 // 16} of {every} strings, it gets {span(most_of)} of the others right, and having seen {nearly},
{span(high)}. With fewer it does worse than a coin: with {quarter} samples {span(low)}. A string's neighbours, which
differ in one bit, all have the other parity, and a net that judges by similarity is wrong more often than right. With
two hidden layers it needs {", ".join(deep)} of {every}.

*Addition: it holds in part.* In half of all places the two digits alone decide whether a carry leaves them, and numbers
that are alike have sums that are alike. So the static net generalises: samples grow {number(sums.growth("static"))}
times with each bit, and not 4 times as the pairs do. That is still exponential. With {seen} of
{sums.patterns(largest)} pairs it gets {span(few)} of the others right, and the LSTM {span(few_recurrent)}. What the
LSTM needs levels off: all it has to learn is one step, and a string of N bits shows it N of them.
"""


def one_bit_more(parity: StaticComparison, sums: StaticComparison) -> str:
    """Nets that saw all of N bits, on longer patterns."""
    rows = []
    for found in (parity, sums):
        for bits in found.bits:
            static, recurrent = found.longer("static", bits), found.longer("recurrent", bits)
            shares = [static["unread"], static["widened"], *recurrent.values()]
            rows.append((found.problem, bits, *(span((low, high)) for low, _, high in shares)))
    assert all(row[2] in ("50 %", "25 %") for row in rows)
    header = ("problem", "N", "static, not read", "static, untrained input", "LSTM, N + 1", "2 N", "10 N")
    return f"""\
## One bit more

**The slide:** a network trained for N-bit numbers will not work for N + 1 bit numbers.

A static net has no input for another bit. There are two honest ways to ask it all the same: leave the bit out, or give
the net an input for it, with the weights that a new net has. Nets that learnt from all patterns of N bits, lowest and
highest of three seeds, on all patterns of N + 1 bits; the LSTM on 500 random ones of each length:

{table(header, rows)}

**Verdict.** It holds, and for parity exactly: half of all strings have a 1 in the place that is not read, so that
*every* net that does not read it is right on 50 %. Of the sums a quarter needs no digit that it has not got. Through an
untrained input it fares no better. The LSTM has one set of weights for all places, and goes on. That is no promise for
any length: what it learnt on very short strings ends soon, and of sums of ten times as many digits, every one of which
must be right, many go wrong with some seeds. `peephole train addition` trains on longer ones.
"""


def told_at_the_end(parity: StaticComparison, untold: StaticComparison) -> str:
    """The same nets, with the parity of the whole string alone."""
    rows = [
        (bits, untold.patterns(bits), *(", ".join(needs(untold, net, bits)) for net in ("static", "recurrent")),
         *(span((low, high)) for low, _, high in (untold.longer("recurrent", bits)[way] for way in ("N + 1", "10 N"))))
        for bits in untold.bits
    ]  # fmt: skip
    failed = untold.unlearnt["recurrent"]
    bits = untold.bits[-1]
    assert mean_longer(untold, "recurrent", "10 N") < 0.6
    return f"""\
## Told only at the end

The slides draw the recurrent net without saying what it is told. Above it heard the parity after every bit. With the
parity of the whole string alone, which is all that is asked of the static net:

{table(("N", "patterns", "static needs, each seed", "LSTM needs", "LSTM on N + 1", "on 10 N"), rows)}

**Verdict.** Then the LSTM is no better off: it needs nearly all strings ({", ".join(medians(untold, "recurrent"))}
against {", ".join(medians(parity, "recurrent")[1 : len(untold.bits) + 1])} when told after every bit), {failed} of
{sum(row.bits in untold.bits for row in untold.rows)} nets did not even learn the strings they were given within 4000
updates, and nets that saw all {untold.patterns(bits)} strings of {bits} bits are at chance on those of {10 * bits}:
they have learnt the strings and not the rule. What makes parity easy is not that the net *can* loop. It is that every
step is checked, so that the one step that matters is all there is to learn.
"""


def needs(found: StaticComparison, net: Net, bits: int) -> list[str]:
    """Samples needed by each seed."""
    return ["more than all" if one is None else str(one) for one in found.needed(net, bits)]


def by_hand(most: int) -> str:
    """Weights that are chosen."""
    rows = []
    random = np.random.default_rng(0)
    bits, pairs = Parity().draw(random, 1, LONG), {base: Addition(base=base).draw(random, 1, LONG) for base in (2, 10)}
    nets = [
        ("parity, threshold units", parity_by_hand("rnn-threshold"), bits),
        ("parity, ReLU", parity_by_hand("rnn-relu"), bits),
        ("parity, LSTM", parity_by_hand("lstm"), bits),
        ("parity, GRU", parity_by_hand("gru"), bits),
        ("addition in base 2, threshold units", addition_by_hand(2, "threshold"), pairs[2]),
        ("addition in base 10, ReLU", addition_by_hand(10, "relu"), pairs[10]),
    ]
    for name, net, examples in nets:
        with torch.no_grad():
            wrong = examples.answers - int(examples.right(net(examples.inputs)[0]).sum())
        assert wrong == 0
        rows.append((name, net.config.hidden_size, f"{examples.answers:,}", wrong))
    patterns = torch.tensor(list(itertools.product((0, 1), repeat=most))).T
    for form, name in (("tree", "a tree of XORs"), ("count", "a net that counts")):
        net = xor_by_hand(most, form)
        wrong = int((net(patterns) != patterns.sum(0) % 2).sum())
        assert wrong == 0
        rows.append((f"static: {name}, {most} bits", net.units, f"{patterns.shape[1]:,}", wrong))
    return f"""\
## By hand

**The slide:** RNN: "very simple", "trivial solution", generalizes to input of any size. MLP: "XOR network, quite
complex", fixed input size.

With weights that are set rather than learned ([how](../by_hand.md)), in float32:

{table(("net", "units", "answers", "wrong"), rows)}

**Verdict.** It holds. Two threshold units (OR and AND of the bit and the parity so far) do parity for any length, and
so does one unit with gates; one unit without gates cannot. Three units add. "Quite complex" is a matter of taste: by
XORs of pairs a static net takes 3 (N − 1) units, and if it counts N + 1. That is small; but every N needs a net of its
own, and learning as above finds it only where it has seen all strings, or nearly all.
"""
