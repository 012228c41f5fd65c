"""Scores of a net on the pieces of a part."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from peephole.tasks.examples.reliability import Reliability
from peephole.tasks.examples.scores import Scores
from peephole.tasks.music.by_place import NatsByPlace
from peephole.tasks.music.measuring import Heard, note_metrics
from peephole.tasks.music.piano_roll import PianoRoll

SAID, WITH_FIRST = "nats a step", "with the first step"
POSSIBLE = 0.01  # share from which a note counts in the reliability: most keys are far from sounding at any step


def scores_of(
    pieces: Sequence[Heard], naive: Mapping[str, Sequence[NDArray[np.float64]]], part: str, remarks: Sequence[str]
) -> Scores:
    """Nats a step of the steps that have one before them, and of all; notes of the former; pictures.

    `naive` are the nats `[T]` of each piece by methods without a net, which are drawn beside it.
    """
    following = np.concatenate([piece.nats[1:] for piece in pieces]).astype(np.float64)
    everything = np.concatenate([piece.nats for piece in pieces]).astype(np.float64)
    truth, answers, shares = (
        np.concatenate([getattr(piece, name)[1:] for piece in pieces]) for name in ("truth", "answers", "shares")
    )
    possible = shares >= POSSIBLE
    usual = sorted(pieces, key=lambda piece: float(piece.nats[1:].mean()))[len(pieces) // 2]
    name = f"piece {usual.number + 1}, in the middle of all by nats"
    return Scores(
        part=part.replace("_", " "),
        counted=f"{len(pieces):,} pieces, {len(following):,} steps with one before them",
        metrics={
            SAID: float(following.mean()),
            WITH_FIRST: float(everything.mean()),
            **note_metrics(truth, answers),
        },
        lower=True,
        pictures=(
            ("Piano roll", PianoRoll(usual.truth, usual.shares, name=name)),
            ("Reliability", Reliability.of(shares[possible], truth[possible])),
            ("Nats by place", NatsByPlace.of({"this net": [piece.nats for piece in pieces], **naive})),
        ),
        notes=tuple(remarks),
    )
