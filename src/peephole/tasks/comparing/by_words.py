"""Runs over characters, words or pieces of one text, brought to one unit: nats a word of the held-out text."""

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from peephole.runs.folder import Run
from peephole.tasks.comparing.record import BY_WORDS, CHARACTERS, Record


@dataclass(frozen=True)
class HeldOut:
    """Sizes of the held-out part of a run: its tokens, and words, which are what stands between spaces, and line ends.

    `unknown` is the share of tokens that training never saw.
    """

    tokens: int
    words: int
    unknown: float

    @staticmethod
    def of(record: Record) -> "HeldOut | None":
        """None where the text is gone, or was read before words were counted."""
        try:
            told = json.loads((Run(record.folder).data_folder / "corpus.json").read_bytes())
            part = told["parts"]["held_out"]
            unknown = float(told["description"]["unknown"]["held_out"])
            return HeldOut(int(part["tokens"]), int(part["words"]), unknown)
        except (OSError, ValueError, KeyError, TypeError):
            return None


def alike_by_words(first: Record, second: Record) -> bool:
    """Whether two runs of one text with other vocabularies have numbers that can be brought to words.

    Pieces spell everything, and so do characters; of two vocabularies of words the smaller one has less to tell apart.
    """
    kinds = {str(record.settings["data"]["tokens"]) for record in (first, second)}
    return kinds == {"bpe"} or len(kinds) > 1


def in_words(records: Sequence[Record]) -> tuple[list[Record], tuple[str, ...]] | None:
    """The records with their numbers in nats a word, and what has to be said; None where sizes are not known.

    A sum over tokens is one over words: only what it is divided by differs.
    """
    sizes = [HeldOut.of(record) for record in records]
    found: list[Record] = []
    said: list[str] = []
    for record, size in zip(records, sizes, strict=True):
        if size is None or not size.words:
            return None
        factor = size.tokens / size.words * (math.log(2) if record.unit == CHARACTERS else 1.0)
        curve = tuple(dataclasses.replace(point, held_out=point.held_out * factor) for point in record.curve)
        found.append(dataclasses.replace(record, unit=BY_WORDS, curve=curve, held_out=record.held_out * factor))
        if record.settings["data"]["tokens"] == "word" and size.unknown:
            said.append(
                f"{size.unknown:.1%} of the held-out words are <unk> to {record.name}, which need not spell them: "
                "where that is not how the text has them, its numbers are too low"
            )
    return found, ("runs have other vocabularies: nats a word, of what stands between spaces, and line ends", *said)
