"""The scores of captions with their tables and pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from peephole.data.captioning.batches import pixels
from peephole.tasks.captioning.answer import Caption
from peephole.tasks.captioning.answering import Answering
from peephole.tasks.captioning.intervals import Intervals
from peephole.tasks.captioning.judging import BLEU, CIDER, Judge, Judged
from peephole.tasks.captioning.looking import Alike, Looked
from peephole.tasks.captioning.scoring import CaptionedPart, naive_captions
from peephole.tasks.examples.beam_tree import BeamTree
from peephole.tasks.examples.scores import Scores, ScoreTable

SHOWN = 20  # examples in the table


def scores_of(answering: Answering, train: CaptionedPart, asked: CaptionedPart, remarks: Sequence[str]) -> Scores:
    """What a net says of the pictures of a part, judged beside what naive methods say that learnt from `train`."""
    judge = Judge(asked.references)
    said = asked.said(answering)
    own = judge.judge([captions[0].words for captions in said])
    others = {name: judge.judge(captions) for name, captions in naive_captions(train, asked).items()}
    cut = sum(not captions[0].ended for captions in said)
    words = sum(len(captions[0].words) for captions in said)
    different = len({word for captions in said for word in captions[0].words})
    notes = [
        f"BLEU: sacrebleu {judge.signature}; lower case, without punctuation",
        f"{words / len(said):.1f} words a caption, {different:,} different ones, "
        f"{len({captions[0].words for captions in said}):,} different captions of {len(said):,} pictures",
        *([f"{cut:,} captions did not end and were cut off"] if cut else []),
        *remarks,
    ]
    return Scores(
        part=asked.name.replace("_", " "),
        counted=f"{len(asked):,} pictures, {sum(map(len, asked.captions)):,} captions by people",
        metrics=own.metrics,
        pictures=tuple(_pictures(answering, asked, said, own, others)),
        tables=(_intervals_table(own, others), _examples(asked, said, own)),
        notes=tuple(notes),
    )


def _pictures(
    answering: Answering,
    asked: CaptionedPart,
    said: Sequence[tuple[Caption, ...]],
    own: Judged,
    others: Mapping[str, Judged],
) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name in (BLEU, CIDER):
        rows = {other: _interval(judged, name) for other, judged in others.items()}
        found.append((f"{name} and its interval", Intervals(name, _interval(own, name), rows)))
    order = np.argsort(own.cider, kind="stable")
    for title, place in (("Where it looked", int(order[len(order) // 2])), ("Where it looked at best", int(order[-1]))):
        reference = " ".join(asked.references[place][0])
        found.append((title, Looked(asked.pictures[asked.numbers[place]], said[place][0], reference)))
    middle = int(order[len(order) // 2])
    tree = answering.found(pixels(asked.pictures, [asked.numbers[middle]]), keep_tree=True)[0]
    found.append(("Search", BeamTree.of(tree, lambda number: answering.encoding.words[number])))
    words = [frozenset(word for one in captions for word in one) for captions in asked.references]
    pictures = np.stack([asked.pictures[number] for number in asked.numbers])
    found.append(("Alike to the encoder", Alike.of(pictures, asked.summaries(answering), words)))
    return found


def _interval(judged: Judged, name: str) -> tuple[float, float, float]:
    low, high = judged.intervals()[name]
    return low, judged.metrics[name], high


def _intervals_table(own: Judged, others: Mapping[str, Judged]) -> ScoreTable:
    rows = [
        (who, *(f"{judged.metrics[name]:.4g} ({low:.4g} to {high:.4g})" for name, (low, high) in found.items()))
        for who, judged in {"this net": own, **others}.items()
        for found in [judged.intervals()]
    ]
    return ScoreTable("With 95 % of 1,000 resamples of the pictures", ("", BLEU, CIDER), tuple(rows))


def _examples(asked: CaptionedPart, said: Sequence[tuple[Caption, ...]], own: Judged) -> ScoreTable:
    """Captions at even distances from the worst to the best by CIDEr-D."""
    order = np.argsort(-own.cider, kind="stable")
    chosen = order[np.unique(np.linspace(0, len(order) - 1, min(SHOWN, len(order))).astype(np.int64))]
    rows = tuple(
        (f"{own.cider[place]:.2f}", said[place][0].text, " ".join(asked.references[place][0]))
        for place in chosen.tolist()
    )
    return ScoreTable("From the best to the worst", (CIDER, "said", "a person"), rows)
