"""Translations of sentences: many at once, or one as soon as it comes."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from peephole.data.sequences.store import padded
from peephole.data.translation.encoding import TranslationEncoding
from peephole.data.translation.vocabulary import END, UNKNOWN, Token
from peephole.generate.hypothesis import Found, Hypothesis
from peephole.generate.search import search_all
from peephole.models.encoder_decoder import EncoderDecoder
from peephole.tasks.translation.answer import Candidate, Translation
from peephole.tasks.translation.settings import TranslationDecoding

logger = logging.getLogger(__name__)

TOGETHER = 64  # sentences that are translated at once
SPARE = 10  # tokens that any translation may have, besides those in proportion to its sentence


@dataclass(frozen=True, eq=False)
class Answering:
    """A net with its encoding and how it searches."""

    net: EncoderDecoder
    encoding: TranslationEncoding
    decoding: TranslationDecoding

    def answers(self, texts: Iterable[str], together: int = TOGETHER) -> Iterator[Translation]:
        """A translation a text, in order; an empty one of a text without words."""
        waiting: list[str] = []
        for text in texts:
            waiting.append(self.encoding.clean(text))
            if len(waiting) == together:
                yield from self._batch(waiting)
                waiting = []
        if waiting:
            yield from self._batch(waiting)

    def _batch(self, texts: Sequence[str]) -> Iterator[Translation]:
        asked = [text for text in texts if text]
        sizes = [len(ids) for ids in self.encoding.source.ids(asked)]
        if max(sizes, default=0) > self.encoding.most:  # said before the work, which takes long
            logger.warning("a sentence of %d tokens: the first %d alone", max(sizes), self.encoding.most)
        found = iter(zip(asked, sizes, self.search(asked), strict=True) if asked else ())
        for text in texts:
            yield self._translation(*next(found)) if text else Translation((), ())

    def search(self, texts: Sequence[str], keep_tree: bool = False) -> list[Found]:
        """What beam search finds for clean texts that are not empty."""
        inputs = self.encoding.inputs(texts)
        lengths = torch.tensor([len(ids) for ids in inputs])
        sources = torch.from_numpy(padded(inputs, int(lengths.max())).astype(np.int64))
        return self.found(sources, lengths, keep_tree)

    def found(self, sources: torch.Tensor, lengths: torch.Tensor, keep_tree: bool = False) -> list[Found]:
        """The same of the numbers of tokens `[S, B]` and how many there are in each row `[B]`."""
        device, decoding = next(self.net.parameters()).device, self.decoding
        return search_all(
            self.net.steps(sources.to(device), lengths.to(device)),
            end=END,
            beams=decoding.beams,
            longest=[int(decoding.longest_ratio * length) + SPARE for length in lengths.tolist()],
            length_power=decoding.length_power,
            never=(UNKNOWN,) if decoding.unknown == "avoid" else (),
            best=decoding.best,
            keep_tree=keep_tree,
        )

    def _translation(self, text: str, size: int, found: Found) -> Translation:
        source = self.encoding.read_tokens(text)
        candidates = tuple(self.candidate(one, source) for one in found.hypotheses)
        notes: list[str] = []
        if not candidates[0].ended:
            notes.append(f"stopped after {len(candidates[0].tokens)} tokens: it did not end by itself")
        if size > self.encoding.longest:
            cut = f", of which it read {self.encoding.most}" if size > self.encoding.most else ""
            notes.append(f"a sentence of {size} tokens{cut}; the longest of training has {self.encoding.longest}")
        unknown = [one.text.strip("▁") for one in source if one.number == UNKNOWN]
        if unknown:
            notes.append(f"unknown in the sentence: {' '.join(dict.fromkeys(unknown))}")
        return Translation(tuple(one.text for one in source), candidates, tuple(notes))

    def candidate(self, one: Hypothesis, source: Sequence[Token]) -> Candidate:
        """A hypothesis about a sentence, whose tokens are known in the order of reading, as text."""
        attention = None if one.attention is None else one.attention[:, : len(source)].float().cpu().numpy()
        unknown: list[str] = []
        if attention is not None and self.decoding.unknown == "source":
            looked = attention[:, :-1].argmax(1).tolist()  # not at the end, which is no word
            unknown = [source[looked[step]].text for step, symbol in enumerate(one.symbols) if symbol == UNKNOWN]
        return Candidate(
            text=self.encoding.text(one.symbols, unknown),
            tokens=tuple(map(self.encoding.name, one.symbols)),
            score=one.score(self.decoding.length_power),
            log_probability=one.log_probability,
            ended=one.ended,
            attention=attention,
        )
