"""One-hot vectors, and what a language model makes of them; poll 4."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from matplotlib.axes import Axes
from page_parts import Figures, number, percent, snippet, table
from torch import Tensor, nn

import peephole
from peephole.models.sequence import SequenceModel

TITLE = "Words as vectors"

CLASSES = {
    "animal": "cat dog horse cow bird mouse",
    "person": "king queen farmer doctor child teacher",
    "food": "bread cheese soup rice apple cake",
    "place": "garden house forest market river town",
    "quality": "big small old young",
    "eats": "eats likes wants finds",
    "walks": "walks runs goes returns",
    "says": "says thinks writes knows",
}
WORDS = {word: kind for kind, words in CLASSES.items() for word in words.split()}
UNSEEN = "llama"
VOCABULARY = ["the", "a", "to", "that", ".", *WORDS, UNSEEN]
PLACE = {word: place for place, word in enumerate(VOCABULARY)}
SENTENCES, WIDTH, UNITS, LANES, WINDOW, PASSES = 8000, 12, 48, 32, 24, 5
SEEDS = (0, 1, 2)
QUOTED = 3  # sentences

TRY = """
import torch

torch.manual_seed(0)
words = torch.nn.Embedding(6, 3)
before = words.weight.detach().clone()
optimiser = torch.optim.Adam(words.parameters(), 0.1)
for _ in range(20):  # word 5 is never seen
    optimiser.zero_grad()
    (words(torch.tensor([0, 1, 2, 3, 4])) - 1).square().sum().backward()
    optimiser.step()
print((words.weight.detach() - before).abs().amax(1))
"""


def page(figures: Figures) -> str:
    """The page."""
    text = write(SENTENCES, seed=0)
    models = [train(text, seed) for seed in SEEDS]
    words, tokens = len(VOCABULARY), len(text)
    ends = (text == PLACE["."]).nonzero().flatten().tolist()
    quoted = " ".join(VOCABULARY[place] for place in text[: ends[QUOTED - 1] + 1].tolist()).replace(" .", ".")
    loss = [number(model.loss, 3) for model in models]
    assert UNSEEN not in {VOCABULARY[place] for place in text.unique().tolist()}
    return f"""\
A language model predicts the next word. Its input is a word as a one-hot vector, or rather that vector times a matrix P
that is learned with the rest: the word's embedding, a row of numbers. This page trains such models on a small language
whose classes of words are known, and looks at where the words end up.

The language: sentences such as *{quoted}* Nouns, verbs and adjectives come in {len(CLASSES)} classes; within a class
every word may stand wherever another may. The vocabulary has {words} words, of which one, *{UNSEEN}*, never occurs in
the {tokens} words of training. The model: an embedding of {WIDTH} numbers a word, an LSTM of {UNITS} units, a softmax;
{PASSES} passes over the text. It comes to {", ".join(loss)} nats a word with three seeds (all words alike:
{number(math.log(words), 3)}). It is told nothing of classes.

| the poll says | holds? |
| --- | --- |
| [one-hot vectors are all equally far apart](#poll-4) | true |
| [so they assume nothing on closeness](#poll-4) | true |
| [embeddings give words that are close a small distance](#poll-4) | true, for words that are used alike |
| [they give words that were not seen a representation](#poll-4) | false |

{poll_4(figures, models)}
## Try it

A row that is never looked up gets no gradient, and stays where it was:

{snippet(TRY)}

## Sources

- Bengio, Ducharme, Vincent & Jauvin 2003, *A neural probabilistic language model* (the projection, learned with the
  rest).
- Mikolov et al. 2013, *Distributed representations of words and phrases and their compositionality*.
- Harris 1954, *Distributional structure* (words that are used alike).
"""


def write(sentences: int, seed: int) -> Tensor:
    """Sentences of the small language, one after another, as places in the vocabulary."""
    generator = torch.Generator().manual_seed(seed)

    def draw(choices: list[str]) -> str:
        return choices[int(torch.randint(0, len(choices), (1,), generator=generator))]

    def word(kind: str) -> str:
        return draw(CLASSES[kind].split())

    def noun(kind: str) -> list[str]:
        quality = [word("quality")] if draw(["", "", "q"]) else []
        return [draw(["the", "a"]), *quality, word(kind)]

    said: list[str] = []
    for _ in range(sentences):
        who, pattern = noun(draw(["animal", "person"])), draw(["eats", "walks", "says"])
        if pattern == "eats":
            said += [*who, word("eats"), *noun("food"), "."]
        elif pattern == "walks":
            said += [*who, word("walks"), "to", *noun("place"), "."]
        else:
            said += [*noun("person"), word("says"), "that", *noun("animal"), word("eats"), *noun("food"), "."]
    return torch.tensor([PLACE[each] for each in said])


@dataclass(frozen=True)
class Trained:
    """A model, its embedding before and after, and the divergence in nats a word over its last pass."""

    model: SequenceModel
    before: Tensor
    after: Tensor
    loss: float


def train(text: Tensor, seed: int) -> Trained:
    """Adam on windows of the text, gradients clipped to length 1."""
    torch.manual_seed(seed)
    config = peephole.ModelConfig(layers=1, hidden_size=UNITS, embedding_size=WIDTH, dropout=0.0)
    model = SequenceModel(len(VOCABULARY), config)
    before = model.embedding.weight.detach().clone()
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    lanes = text[: len(text) // LANES * LANES].view(LANES, -1).t()
    starts = range(0, len(lanes) - WINDOW - 1, WINDOW)
    for _ in range(PASSES):
        total = 0.0
        for start in starts:
            x, following = lanes[start : start + WINDOW], lanes[start + 1 : start + WINDOW + 1]
            loss = nn.functional.cross_entropy(model(x)[0].flatten(0, 1), following.flatten())
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            total += float(loss.detach())
    return Trained(model, before, model.embedding.weight.detach().clone(), total / len(starts))


SEEN = torch.tensor([PLACE[word] for word in WORDS])
SAME = torch.tensor([[one == other for other in WORDS.values()] for one in WORDS.values()])
OTHERS = ~torch.eye(len(WORDS), dtype=torch.bool)


def distances(vectors: Tensor) -> Tensor:
    """Between the words of all classes, `[N, N]`."""
    return torch.cdist(vectors[SEEN].double(), vectors[SEEN].double(), compute_mode="donot_use_mm_for_euclid_dist")


def compare(vectors: Tensor) -> tuple[float, float, float]:
    """The mean distance within a class and between classes, and the share of words whose nearest is of their class."""
    found = distances(vectors)
    nearest = found.masked_fill(~OTHERS, math.inf).argmin(1)
    own = SAME[torch.arange(len(SAME)), nearest].double().mean()
    return float(found[SAME & OTHERS].mean()), float(found[~SAME].mean()), float(own)


def strangers(vectors: Tensor) -> set[str]:
    """The classes of words whose nearest word is of another class."""
    kinds = list(WORDS.values())
    nearest = distances(vectors).masked_fill(~OTHERS, math.inf).argmin(1).tolist()
    return {kind for kind, other in zip(kinds, nearest, strict=True) if kinds[other] != kind}


def poll_4(figures: Figures, models: list[Trained]) -> str:
    """All four statements."""
    one_hot = torch.eye(len(VOCABULARY), dtype=torch.float64)
    apart = torch.nn.functional.pdist(one_hot)
    off = float((apart - math.sqrt(2)).abs().max())
    inner = float((one_hot @ one_hot.t() - one_hot).abs().max())
    chance = float((SAME & OTHERS).sum() / OTHERS.sum())

    first = models[0]
    projected = float((one_hot.float() @ first.after - first.after).abs().max())
    rows = [("one-hot", len(VOCABULARY), number(math.sqrt(2), 4), number(math.sqrt(2), 4), "1", percent(chance))]
    spread = {}
    for name, side in (("embedding, before training", "before"), ("embedding, after", "after")):
        found = [compare(getattr(one, side)) for one in models]
        ratios = [within / between for within, between, _ in found]
        spread[side] = ratios, [own for *_, own in found]
        rows.append(
            (
                name,
                WIDTH,
                span([within for within, *_ in found]),
                span([between for _, between, _ in found]),
                span(ratios),
                f"{percent(min(spread[side][1]))} to {percent(max(spread[side][1]))}",
            )
        )
    assert off < 1e-15
    assert inner == projected == 0
    assert min(spread["before"][0]) > 0.9
    assert max(spread["after"][0]) < 0.75
    header = (
        "vectors",
        "numbers a word",
        "distance within a class",
        "between classes",
        "ratio",
        "nearest word of own class",
    )
    figure, axes = figures.axes(3, width=10.5, height=3.6)
    draw_words(axes[0], first.before, "before training")
    draw_words(axes[1], first.after, "after")
    between = draw_classes(axes[2], models)
    picture = figures.save(
        "embeddings",
        figure,
        "Left: the words before training, all classes mixed. Middle: after training, each class is together. Right: "
        "the mean distances between classes; food and place are close to each other.",
    )
    ends = float(between["place", "food"])
    others = [value for (one, other), value in between.items() if one != other and {one, other} != {"food", "place"}]
    opposites = [float(distances(one.after)[place("big"), place("small")]) for one in models]
    all_between = [compare(one.after)[1] for one in models]
    assert ends < min(others)
    assert all(strangers(one.after) <= {"food", "place"} for one in models)
    assert max(opposites) < min(all_between)
    moved = max(float((one.after - one.before)[PLACE[UNSEEN]].abs().max()) for one in models)
    least = min(float((one.after - one.before)[SEEN].norm(dim=1).min()) for one in models)
    known = [verbs_after(one.model, CLASSES["animal"].split()) for one in models]
    unknown = [verbs_after(one.model, [UNSEEN]) for one in models]
    assert moved == 0
    assert max(unknown) < min(known)
    homes = [nearest_class(one.after) for one in models]
    return f"""\
## Poll 4

**"The distance between any two non-identical one-hot vectors is the same": true.** All {len(apart)} distances between
the {len(VOCABULARY)} one-hot vectors are √2 = {number(math.sqrt(2), 5)}; the largest deviation is {number(off, 1)}.

**"Words are represented as one-hot embeddings because these do not impose any a priori assumption about which words are
closer than others": true.** Not only the distances are equal; every inner product of two words is 0 (largest deviation
{number(inner, 1)}). *cat* is as far from *dog* as from *that*. The price is the slide's other point: {len(VOCABULARY)}
words take {len(VOCABULARY)} dimensions, and of the 2^{len(VOCABULARY)} corners of the cube {len(VOCABULARY)} are used.

**"Word embeddings derived from language models are lower-dimensional real-valued representations where the distance
between words is a meaningful representation of their closeness": true, for a closeness that one has to know.** The
embedding is the one-hot vector times P, to the last bit (largest difference {number(projected, 1)}), with {WIDTH}
numbers in place of {len(VOCABULARY)}. Three seeds, lowest and highest:

{table(header, rows)}

{picture}

Before training a word's class says nothing about its place. Afterwards words of a class are together, half as far from
each other as from the rest. But "close" means *used alike by this task*, and not alike in meaning:

- *food* and *place* are the two classes that are nearest to each other ({number(ends, 2)}; all other pairs
  {span(others)}). The words have nothing in common but that a sentence ends after them, and to predict what follows
  that is all there is. They make up the words whose nearest neighbour is of another class.
- *big* and *small* are opposites, and {span(opposites)} apart, less than words of different classes are on average
  ({span(all_between)}).

**"Low dimensional word embeddings enable you to find representations for words that were not part of your training
vocabulary": false.** *{UNSEEN}* has a row in P and never occurs. In training that row moved by {number(moved, 1)},
where each row of a word that occurs moved by {number(least, 2)} or more: without a gradient it is the random row that
it was. The class nearest to it is chance ({", ".join(homes)} with the three seeds), and the model cannot use it: after
*the* and an animal that it knows it gives verbs a probability of {span(known)}, after *the {UNSEEN}* {span(unknown)}. A
word that is not in the vocabulary has not even a row. (Representations made of characters or parts of words are the way
out.)
"""


def span(values: list[float]) -> str:
    """Lowest and highest."""
    low, high = number(min(values), 2), number(max(values), 2)
    return low if low == high else f"{low} to {high}"


def place(word: str) -> int:
    """Where a word of a class stands among them."""
    return list(WORDS).index(word)


@torch.no_grad()
def verbs_after(model: SequenceModel, nouns: list[str]) -> float:
    """The mean probability that a verb comes after “the” and one of these, at the start of a sentence."""
    verbs = torch.tensor([PLACE[word] for word, kind in WORDS.items() if kind in ("eats", "walks", "says")])
    symbols = torch.tensor([[PLACE["."]] * len(nouns), [PLACE["the"]] * len(nouns), [PLACE[noun] for noun in nouns]])
    return float(model(symbols)[0][-1].softmax(-1)[:, verbs].sum(1).mean())


def nearest_class(vectors: Tensor) -> str:
    """The class whose words are nearest to the unseen word, in the mean."""
    away = (vectors[SEEN] - vectors[PLACE[UNSEEN]]).norm(dim=1)
    means = {kind: float(away[[kind == each for each in WORDS.values()]].mean()) for kind in CLASSES}
    return min(means, key=means.__getitem__)


def draw_words(ax: Axes, vectors: Tensor, title: str) -> None:
    """The words on the first two principal components."""
    chosen = vectors[SEEN]
    centred = chosen - chosen.mean(0)
    shown = centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:2].t()
    kinds = list(CLASSES)
    for word, (x, y) in zip(WORDS, shown.tolist(), strict=True):
        ax.text(x, y, word, color=f"C{kinds.index(WORDS[word])}", fontsize=6.5, ha="center", va="center")
    low, high = shown.amin(0) - 0.4, shown.amax(0) + 0.4
    ax.set(
        title=title, xlim=(float(low[0]), float(high[0])), ylim=(float(low[1]), float(high[1])), xticks=[], yticks=[]
    )
    ax.set(xlabel="first principal component", ylabel="second")


def draw_classes(ax: Axes, models: list[Trained]) -> dict[tuple[str, str], float]:
    """The mean distances of words by their classes, over all models; returned for each pair."""
    found = torch.stack([distances(one.after) for one in models]).mean(0)
    kinds, of = list(CLASSES), list(WORDS.values())
    means = torch.zeros(len(kinds), len(kinds))
    for row, one in enumerate(kinds):
        for column, other in enumerate(kinds):
            chosen = torch.tensor([[a == one and b == other for b in of] for a in of]) & OTHERS
            means[row, column] = found[chosen].mean()
    image = ax.imshow(means.numpy(), cmap="viridis")
    ax.set_xticks(range(len(kinds)), kinds, rotation=60, fontsize=7)
    ax.set_yticks(range(len(kinds)), kinds, fontsize=7)
    ax.set(title="mean distance after training")
    ax.figure.colorbar(image, ax=ax, shrink=0.8)
    return {(kinds[row], kinds[column]): float(means[row, column])
            for row in range(len(kinds)) for column in range(row + 1)}  # fmt: skip
