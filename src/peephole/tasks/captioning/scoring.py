"""A part of the data with the captions that are said of its pictures, and what they are worth beside naive methods."""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from peephole.data.captioning.batches import Numbers, by_picture, pixels
from peephole.data.captioning.pictures import Pictures
from peephole.data.captioning.preparing import references_name
from peephole.data.sequences.store import REMEDY, Part
from peephole.errors import InputError
from peephole.tasks.captioning.answer import Caption
from peephole.tasks.captioning.answering import TOGETHER, Answering
from peephole.tasks.captioning.cider import Words
from peephole.tasks.captioning.judging import BLEU, CIDER
from peephole.tasks.captioning.naive import best_by_bleu, best_by_cider, most_agreed, nearest_pictures
from peephole.writing import write_whole

LEARNT = 10_000  # pictures of training that naive methods learn from at most, at even distances


class CaptionedPart:
    """A part, picture by picture.

    Attributes:
        pictures: all pictures of the data.
        captions: of each picture of the part, the numbers of its captions.
    """

    def __init__(self, folder: Path, name: str, part: Part, pictures: Pictures) -> None:
        self.folder, self.name, self.part, self.pictures = folder, name, part, pictures
        self.captions: list[Numbers] = by_picture(part)

    def __len__(self) -> int:
        return len(self.captions)

    @cached_property
    def numbers(self) -> list[int]:
        """The number of each picture."""
        return [int(self.part.inputs[numbers[0]]) for numbers in self.captions]

    @cached_property
    def references(self) -> list[list[Words]]:
        """Of each picture the words of its captions by people, those that training lacks too."""
        path = self.folder / references_name(self.name)
        try:
            texts = json.loads(path.read_bytes())
            return [[tuple(texts[number].split()) for number in numbers.tolist()] for numbers in self.captions]
        except (OSError, ValueError, IndexError, AttributeError) as error:
            raise InputError(f"{path}: missing or damaged ({error}); {REMEDY}") from None

    def at_even_distances(self, most: int) -> "CaptionedPart":
        """The same with at most so many of the pictures."""
        if len(self) <= most:
            return self
        found = CaptionedPart(self.folder, self.name, self.part, self.pictures)
        chosen = np.unique(np.linspace(0, len(self) - 1, most).astype(np.int64))
        found.captions = [self.captions[place] for place in chosen.tolist()]
        return found

    def said(self, answering: Answering) -> list[tuple[Caption, ...]]:
        """The captions that a net says of each picture, the best first."""
        found: list[tuple[Caption, ...]] = []
        for start in range(0, len(self), TOGETHER):
            found += answering.captions(pixels(self.pictures, self.numbers[start : start + TOGETHER]))
        return found

    @torch.no_grad()
    def summaries(self, answering: Answering) -> Float[Tensor, "pictures features"]:
        """What the encoder makes of each picture as a whole."""
        model = answering.model.eval()
        device = next(model.parameters()).device
        batches = [
            pixels(self.pictures, self.numbers[start : start + TOGETHER]) for start in range(0, len(self), TOGETHER)
        ]
        return torch.cat([model.memory(batch.to(device)).summary.float().cpu() for batch in batches])


def naive_captions(train: CaptionedPart, asked: CaptionedPart) -> dict[str, list[Words]]:
    """What the naive methods say of each picture of a part, by name; kept beside the data."""
    path = asked.folder / f"naive-{asked.name}.json"
    if path.is_file():
        return {name: [tuple(text.split()) for text in said] for name, said in json.loads(path.read_bytes()).items()}
    known = train.at_even_distances(LEARNT)
    found: dict[str, list[Words]] = {
        f"one caption, best {BLEU}": [best_by_bleu(known.references)] * len(asked),
        f"one caption, best {CIDER}": [best_by_cider(known.references)] * len(asked),
    }
    nearest = nearest_pictures(asked.pictures, known.numbers, asked.numbers).tolist()
    agreed = _most_agreed(known.references, nearest)
    found["nearest neighbour in pixels"] = [agreed[place] for place in nearest]
    texts = {name: [" ".join(words) for words in said] for name, said in found.items()}
    write_whole(path, json.dumps(texts, ensure_ascii=False).encode())
    return found


def _most_agreed(references: Sequence[Sequence[Words]], places: Sequence[int]) -> Mapping[int, Words]:
    """Of each of those places the caption that agrees most with the others of its picture."""
    different = sorted(set(places))
    return dict(zip(different, most_agreed(references, different), strict=True))
