"""What a language model says of a text that it reads: how surprised it is by each token, and what it expects next."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from peephole.data.tokenizer import Tokenizer
from peephole.errors import InputError
from peephole.streams.stream import Stream
from peephole.tasks.text.written import written

PREDICTED_TOGETHER = 256  # tokens: those that come at once are read at once, and answered soon
NUMBERS = 1 << 22  # log-probabilities that are held at a time: fewer tokens together of a large vocabulary
NAMED = 5  # of unknown tokens in a complaint


@dataclass(frozen=True)
class Prediction:
    """One token as it came, as it stands in the text: its surprisal in nats, and the log-probabilities `[V]` of what
    comes after it. `known`: whether training had it.
    """

    symbol: str
    surprisal: float
    following: Tensor
    known: bool = True


@dataclass(frozen=True, eq=False)
class Scored:
    """A text that was read: `texts` are its tokens as they stand there, `nats` `[tokens]` what each cost, `known` bool
    `[tokens]` whether training had it.
    """

    texts: tuple[str, ...]
    nats: NDArray[np.float64]
    known: NDArray[np.bool_]

    @staticmethod
    def of(texts: Sequence[str], nats: NDArray[np.float64], known: NDArray[np.bool_]) -> "Scored":
        """Tokens without a text, which begin a character that later ones complete, count with those; at the end with
        what was before.
        """
        ends = [place for place, text in enumerate(texts) if text]
        if not ends:
            return Scored((), nats[:0], known[:0])
        starts = [0, *(place + 1 for place in ends[:-1])]
        return Scored(tuple(texts[place] for place in ends), np.add.reduceat(nats, starts), known[ends])


@torch.no_grad()
def predictions(
    stream: Stream, tokenizer: Tokenizer, texts: Iterable[str], unknown_price: float
) -> Iterator[list[Prediction]]:
    """A document that comes in parts, read by one stream; see `TextModel.predict`."""
    before = stream.step(torch.tensor([tokenizer.eod]))
    read = written(tokenizer)
    together = max(1, min(PREDICTED_TOGETHER, NUMBERS // len(tokenizer)))
    for text in chain(texts, [None]):
        ids, came = read(text)
        symbols = torch.from_numpy(ids.astype(np.int64))
        for start in range(0, len(ids), together):
            part = symbols[start : start + together]
            logs = stream.read(part[:, None])[:, 0]
            surprise = -torch.cat([before, logs[:-1]]).gather(1, part[:, None])[:, 0]
            unknown = part == tokenizer.unk
            surprise += unknown_price * unknown
            names = came[start : start + together]
            yield list(map(Prediction, names, surprise.tolist(), logs, (~unknown).tolist()))
            before = logs[-1:].clone()


def distribution(stream: Stream, tokenizer: Tokenizer, prime: list[int]) -> list[tuple[str, float]]:
    """What one stream expects after a prime, which begins with `<eod>`: (symbol, probability), likeliest first."""
    logs = stream.read(torch.tensor(prime)[:, None], last=True)[0]
    order = logs.argsort(descending=True, stable=True)
    shares = logs[order].double().exp().tolist()
    return [(tokenizer.symbols[index], share) for index, share in zip(order.tolist(), shares, strict=True)]


def encoded_prime(tokenizer: Tokenizer, prime: str, unknown: bool = False) -> list[int]:
    """The tokens of a prime, cut as the text was. What training never saw is `<unk>` where `unknown` says so; else
    `InputError` names it.
    """
    if tokenizer.unit != "characters":
        prime = tokenizer.apart(prime.rstrip(" "))  # the space belongs to the next word
    tokens = tokenizer.encode(prime).tolist()
    if not unknown and tokenizer.unk in tokens:
        _refuse(tokenizer, tokenizer.unknown(prime))
    return tokens


def _refuse(tokenizer: Tokenizer, lacking: Mapping[str, int]) -> None:
    if not lacking:  # a text with <unk> in it, which is what it says
        return
    names = list(lacking)[:NAMED]
    more = f" and {len(lacking) - NAMED:,} more" if len(lacking) > NAMED else ""
    if tokenizer.unit == "characters":
        named = ", ".join(f"{character!r} (U+{ord(character):04X})" for character in names)
        advice = "leave them out"
    else:
        named = ", ".join(map(repr, names))
        advice = "spell them as the text does, leave them out, or let each be <unk> with --unknown"
    raise InputError(f"the prime holds {tokenizer.unit} that training never saw: {named}{more}; {advice}")
