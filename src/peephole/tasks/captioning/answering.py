"""Pictures to captions: a search among what the decoder might say."""

import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import Tensor

from peephole.data.captioning.batches import pixels
from peephole.data.captioning.encoding import END, UNKNOWN, CaptioningEncoding
from peephole.data.captioning.pictures import SUFFIXES, read_picture
from peephole.errors import InputError
from peephole.generate.hypothesis import Found, Hypothesis
from peephole.generate.search import search_all
from peephole.models.encoder_decoder import EncoderDecoder
from peephole.tasks.captioning.answer import Caption, CaptionedPicture
from peephole.tasks.captioning.settings import CaptioningDecoding

TOGETHER = 64  # pictures that are answered at once

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Answering:
    """A net with what it needs to caption new pictures."""

    model: EncoderDecoder
    encoding: CaptioningEncoding
    decoding: CaptioningDecoding

    def found(self, pictures: Float[Tensor, "pictures 3 size size"], keep_tree: bool = False) -> list[Found]:
        """What the search finds for each picture; a word that training hardly had is never said."""
        decoding = self.decoding
        steps = self.model.steps(pictures.to(next(self.model.parameters()).device))
        # the end is one more symbol
        return search_all(
            steps,
            END,
            decoding.beams,
            decoding.most_words + 1,
            decoding.length_power,
            never=(UNKNOWN,),
            best=decoding.best,
            keep_tree=keep_tree,
        )

    def captions(self, pictures: Float[Tensor, "pictures 3 size size"]) -> list[tuple[Caption, ...]]:
        """The captions of each picture, the best first."""
        return [tuple(self.caption(one) for one in found.hypotheses) for found in self.found(pictures)]

    def caption(self, said: Hypothesis) -> Caption:
        """What a hypothesis says, in words."""
        words = tuple(self.encoding.spoken(said.symbols))[: self.decoding.most_words]
        score = said.score(self.decoding.length_power)
        attention = None if said.attention is None else grids(said.attention[: len(words)])
        return Caption(words, said.log_probability, score, said.ended, attention)

    def of_files(self, files: Sequence[Path]) -> Iterator[CaptionedPicture]:
        """Captions of pictures in files, and of all pictures of folders, in the order of their names.

        Raises:
            InputError: a file that is no picture; in a folder such are named and passed over.
        """
        waiting: list[tuple[str, np.ndarray]] = []
        for path, told in _pictures(files):
            try:
                waiting.append((str(path), read_picture(path, self.encoding.size)))
            except InputError as error:
                if told:
                    yield from self._answered(waiting)
                    raise
                logger.warning("skipped: %s", error)
            if len(waiting) == TOGETHER:
                yield from self._answered(waiting)
                waiting = []
        yield from self._answered(waiting)

    def of_lines(self, lines: Iterable[str]) -> Iterator[CaptionedPicture]:
        """Captions of the pictures whose files come line by line, each at once."""
        for line in lines:
            if line.strip():
                name = line.strip()
                yield from self._answered([(name, read_picture(Path(name), self.encoding.size))])

    def _answered(self, waiting: Sequence[tuple[str, np.ndarray]]) -> Iterator[CaptionedPicture]:
        if not waiting:
            return
        together = pixels(np.stack([picture for _, picture in waiting]), range(len(waiting)))
        for (name, _), captions in zip(waiting, self.captions(together), strict=True):
            yield CaptionedPicture(name, captions)


def grids(attention: Float[Tensor, "words places"]) -> Float[Tensor, "words rows columns"]:
    """Places row by row as the squares that they are."""
    side = math.isqrt(attention.shape[1])
    return attention.reshape(len(attention), side, side).float()


def _pictures(files: Sequence[Path]) -> Iterator[tuple[Path, bool]]:
    """Files, and whether they were named themselves rather than found in a folder."""
    for path in files:
        if path.is_dir():
            inside = sorted(one for one in path.iterdir() if one.suffix.lower() in SUFFIXES)
            if not inside:
                raise InputError(f"{path}: no picture in it; expected files such as .jpg or .png")
            yield from ((one, False) for one in inside)
        else:
            yield path, True
