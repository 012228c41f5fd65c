"""Measuring a language model: perplexity and bits per character, beside baselines that saw the same training text."""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from peephole.errors import InputError
from peephole.models.ngram import NGram, Reading
from peephole.tasks.text.adapted import adapted
from peephole.tasks.text.adapting import CacheSettings, DynamicSettings
from peephole.tasks.text.against_ngrams import AgainstNGram, compare
from peephole.tasks.text.baselines import LONGEST, ORDERS, TRAINING_TOKENS, fit, xz_nats
from peephole.tasks.text.measurement import Measurement
from peephole.tasks.text.mixture import Mixture, best_share, mixed
from peephole.tasks.text.model import TextModel
from peephole.tasks.text.passage import Passage, passage_of

MIXED_ON = 1 << 15  # tokens of the held-out part on which the shares of a mixture are chosen
BLOCK = 1 << 22  # tokens counted at a time


def evaluate(
    model: TextModel,
    files: Sequence[Path] = (),
    limit: int | None = None,
    baselines: bool = True,
    encoding: str = "utf-8",
    weights: str = "float32",
    part: str | None = None,
    cache: CacheSettings | None = None,
    dynamic: DynamicSettings | None = None,
) -> Measurement:
    """Measure `model` on `files` (each a document), or on a part of its run's text: `test` where there is one.

    The state is carried over the whole text, from document to document it starts anew: as published perplexities of
    words have it. It is read in pieces, each after 512 steps that are read and not scored (`generate.scoring.Pieces`).
    `limit`: measure only about the first so many tokens. `cache`, `dynamic`: measure what looking back is worth, too.
    The result depends on no number of threads.

    Raises:
        InputError: a file cannot be used, or no files are given and the run's text is gone or has no such part.
    """
    if weights != "float32" and (cache or dynamic):
        raise InputError(f"--cache and --dynamic read the net's own weights, not {weights} ones; leave --weights away")
    passage = passage_of(model, files, part, limit, encoding)
    unpriced = model.unknown_price() * (passage.tokens[1:] == model.tokenizer.unk)
    extra = float(unpriced.sum())
    nats = model.price(passage.tokens, weights=weights)
    lost = None
    if weights != "float32":
        more = float((nats - model.price(passage.tokens))[passage.counts].sum())
        lost = more / math.log(2) / passage.characters
    compared: dict[str, float] | None = None
    learned, against = 0, None
    if baselines and model.run.data_folder.exists():
        compared, learned, against = _baselines(model, passage, nats - unpriced, extra)
    looking_back = adapted(model, passage, cache, dynamic, extra)
    return Measurement(
        text=passage.name,
        part=passage.part,
        unit=model.tokenizer.unit,
        tokens=passage.counted,
        words=passage.words,
        characters=passage.characters,
        unknown=passage.unknown,
        nats=float(nats[passage.counts].sum()),
        baselines_nats=compared,
        trained_on=learned,
        adapted=looking_back,
        against=against,
        weights=weights,
        lost=lost,
    )


def against_ngram(model: TextModel, passage: Passage, learned: int = TRAINING_TOKENS) -> AgainstNGram:
    """The net beside the longest n-grams, which learned from so many tokens at the end of the training part."""
    unpriced = model.unknown_price() * (passage.tokens[1:] == model.tokenizer.unk)
    counts = fit(np.asarray(model.corpus.train.tokens[-learned:]), model.tokenizer, ORDERS[LONGEST])
    return _against(model, passage, model.price(passage.tokens) - unpriced, counts, counts.read(passage.tokens))


def _baselines(
    model: TextModel, passage: Passage, net: NDArray[np.float64], extra: float
) -> tuple[dict[str, float], int, AgainstNGram]:
    """Nats by each baseline, how many tokens they learned from, and the net beside the longest n-gram.

    Words are spelled to nobody: xz is left out there (see `xz_nats`).
    """
    tokenizer = model.tokenizer
    training = np.asarray(model.corpus.train.tokens[-TRAINING_TOKENS:])

    def text_of(part: NDArray[np.unsignedinteger]) -> str:
        return tokenizer.decode(part[(part != tokenizer.eod) & (part != tokenizer.unk)])

    with ThreadPoolExecutor(1) as pool:  # xz is at work beside the others
        compressed = None
        if tokenizer.unit != "words":
            compressed = pool.submit(lambda: xz_nats(text_of(training), text_of(passage.tokens[1:])))
        counts = fit(training, tokenizer, ORDERS[LONGEST])
        reading = counts.read(passage.tokens)
        paid = {
            name: reading.surprisal if name == LONGEST else fit(training, tokenizer, order).surprisal(passage.tokens)
            for name, order in ORDERS.items()
        }
        nats = {name: float(values[1:][passage.counts].sum()) for name, values in paid.items()}
        if compressed is not None:
            nats["xz"] = compressed.result()
    against = _against(model, passage, net, counts, reading)
    return {name: value + extra for name, value in nats.items()}, len(training), against


def _against(
    model: TextModel, passage: Passage, net: NDArray[np.float64], counts: NGram, reading: Reading
) -> AgainstNGram:
    """Both on the passage, and mixed in shares that are best on the beginning of the held-out part."""
    trial = passage_of(model, part="held_out", limit=MIXED_ON)
    kept = trial.tokens[1:] != model.tokenizer.eod
    unpriced = model.unknown_price() * (trial.tokens[1:] == model.tokenizer.unk)
    share = best_share((model.price(trial.tokens) - unpriced)[kept], counts.surprisal(trial.tokens)[1:][kept])
    kept = passage.tokens[1:] != model.tokenizer.eod
    both = mixed(net[kept], reading.surprisal[1:][kept], share)
    mixture = Mixture(share, float(both.mean()), float(net[kept].mean()), trial.described_beside(passage))
    return compare(model.tokenizer, passage, net, reading, _times(model), LONGEST, mixture)


def _times(model: TextModel) -> NDArray[np.int64]:
    """How often each token stands in the training part, `[V]`."""
    tokens, size = model.corpus.train.tokens, len(model.tokenizer)
    blocks = (tokens[start : start + BLOCK] for start in range(0, len(tokens), BLOCK))
    return sum((np.bincount(block, minlength=size) for block in blocks), np.zeros(size, dtype=np.int64))
