"""n-grams of text files, and what texts cost by n-grams: perplexities of tokens, a sentence a line."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peephole.data.config import TextData
from peephole.data.corpus import prepare
from peephole.data.files import find_files, read_text
from peephole.data.tokenizer import Tokenizer
from peephole.data.tokens.cutting import words_of
from peephole.errors import InputError
from peephole.generate.language.arpa.model import UNKNOWN, WORDS, ArpaModel
from peephole.models.ngram import NGram


@dataclass(frozen=True)
class Cost:
    """What a text costs.

    Attributes:
        text: its name.
        tokens: that were predicted, ends of sentences among them.
        unknown: how many of them are none of the model's own.
        impossible: how many more have no probability, as unknown ones of a model without `<unk>`; they are left out.
        nats: of all tokens together.
        known_nats: of those that are not unknown.
    """

    text: str
    tokens: int
    unknown: int
    impossible: int
    nats: float
    known_nats: float

    @property
    def perplexity(self) -> float:
        """e to the mean surprisal of a token."""
        return math.exp(self.nats / self.tokens)

    @property
    def known_perplexity(self) -> float:
        """The same over tokens that are not unknown; NaN where all are."""
        known = self.tokens - self.unknown
        return math.exp(self.known_nats / known) if known else math.nan

    def as_json(self) -> dict[str, Any]:
        """The fields and the perplexities in JSON's types."""
        known = self.known_perplexity
        return {
            **vars(self),
            "nats_per_token": self.nats / self.tokens,
            "perplexity": self.perplexity,
            "perplexity_without_unknown": known if math.isfinite(known) else None,
        }


@dataclass(frozen=True, eq=False)
class Counted:
    """n-grams of a corpus, and what its other parts cost.

    `learned` is the number of tokens that they were counted in.
    """

    ngram: NGram
    tokenizer: Tokenizer
    learned: int
    costs: tuple[Cost, ...]


def count_text(data: TextData, order: int) -> Counted:
    """n-grams of up to `order` words or characters of the training part of `data`.

    A line is a sentence, of which others know nothing; of characters without a line end, a document is.

    Raises:
        InputError: files that cannot be used, or an order outside 1 to 8.
    """
    with TemporaryDirectory() as folder:
        corpus = prepare(data, Path(folder) / "corpus", Path(folder) / "tokenizer.json")
        tokenizer = corpus.tokenizer
        boundary = tokenizer.eos
        if boundary is None:
            boundary = int(tokenizer.encode("\n")[0])
            boundary = tokenizer.eod if boundary == tokenizer.unk else boundary
        never = () if boundary == tokenizer.eod else (tokenizer.eod,)
        train = np.asarray(corpus.train.tokens)
        try:
            ngram = NGram.fit(train, len(tokenizer), order, boundary, never)
        except ValueError as error:
            raise InputError(f"n-grams: {error}") from None
        parts = {"held-out part": corpus.held_out, "test part": corpus.test}
        costs = [cost(ngram, part.tokens, name, tokenizer.unk) for name, part in parts.items() if part is not None]
        return Counted(ngram, tokenizer, int(np.isin(train, never, invert=True).sum()), tuple(costs))


def cost_of_files(model: ArpaModel, files: Sequence[Path], encoding: str = "utf-8") -> list[Cost]:
    """What each text costs by n-grams of a file, cut as their tokens are: into characters, or words.

    Raises:
        InputError: a file cannot be used.
    """
    split = any(symbol.startswith(" ") for symbol in model.symbols[WORDS:])

    def sentences(path: Path) -> Iterator[list[str]]:
        *lines, last = "".join(read_text(path, encoding)).split("\n")
        for line in (*lines, last) if last else lines:
            yield list(line) if model.of_characters else words_of(line, "split" if split else "spaces")

    return [
        cost(model.ngram, model.encode(sentences(path)), path.name, UNKNOWN)
        for path in find_files(files, encoding=encoding)
    ]


def cost(ngram: NGram, tokens: NDArray[np.integer], text: str, unknown: int) -> Cost:
    """What the tokens after the first cost, but for those that never come.

    Raises:
        InputError: there are none, or none has a probability.
    """
    counts = np.isin(tokens, ngram.never, invert=True)
    counts[:1] = False
    nats = ngram.surprisal(tokens)[counts]
    possible = np.isfinite(nats)
    if not possible.any():
        raise InputError(f"{text}: nothing to measure: expected text with tokens that the n-grams have")
    is_unknown = (tokens[counts] == unknown)[possible]
    return Cost(
        text=text,
        tokens=int(possible.sum()),
        unknown=int(is_unknown.sum()),
        impossible=int((~possible).sum()),
        nats=float(nats[possible].sum()),
        known_nats=float(nats[possible][~is_unknown].sum()),
    )
