"""What a net says of every step of the pieces of a part."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from peephole.data.music.encoding import MusicEncoding
from peephole.data.music.piece import KEYS
from peephole.data.sequences.batches import SequenceBatch
from peephole.errors import InputError


@dataclass(frozen=True, eq=False)
class Heard:
    """A piece as a net heard it.

    Attributes:
        number: of the piece in its part.
        nats: what each step took to say, given those before it, `[T]`.
        truth: which keys sounded, `[T, 88]`.
        shares: how likely each key was to sound, `[T, 88]`; of voices the mean number of voices that play it, each
            given those before it at that step.
        answers: which keys the net would have said, `[T, 88]`.
    """

    number: int
    nats: Float[np.ndarray, " steps"]
    truth: Bool[np.ndarray, "steps keys"]
    shares: Float[np.ndarray, "steps keys"]
    answers: Bool[np.ndarray, "steps keys"]


def nats_of_steps(outputs: Tensor, targets: Tensor, encoding: MusicEncoding) -> Float[Tensor, "steps batch"]:
    """-ln of the probability of what sounds at each step, `[T, B]`, whatever is padding.

    Of chords the sum over keys, from logits `[T, B, 88]` and rolls; of voices the sum over voices, from logits
    `[T * voices, B, 89]` and symbols.
    """
    if encoding.notes == "chords":
        each = torch.nn.functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none")
        return each.sum(-1)
    logs = outputs.log_softmax(-1).gather(-1, targets[..., None])[..., 0]
    return -logs.unflatten(0, (-1, encoding.voices)).sum(1)


def mean_nats(nats: Tensor, batch: SequenceBatch, encoding: MusicEncoding) -> tuple[float, int]:
    """The sum over the steps that have one before them, and how many they are."""
    steps = batch.lengths // encoding.answers_per_step
    places = torch.arange(len(nats))[:, None]
    counts = (places >= 1) & (places < steps)
    return float(nats.double()[counts].sum()), int(counts.sum())


def heard(outputs: Iterator[tuple[Any, SequenceBatch, Tensor]], encoding: MusicEncoding) -> Iterator[Heard]:
    """Piece after piece, from batches `(numbers, batch, outputs)`."""
    for numbers, batch, found in outputs:
        nats = nats_of_steps(found, batch.targets, encoding)
        for row, number in enumerate(numbers.tolist()):
            length = int(batch.lengths[row])
            steps = length // encoding.answers_per_step
            truth = encoding.roll(batch.targets[:length, row].numpy()) > 0
            shares, answers = _said(found[:length, row], encoding)
            yield Heard(number, nats[:steps, row].numpy(), truth, shares, answers)


def _said(outputs: Tensor, encoding: MusicEncoding) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Shares and answers `[T, 88]` of one piece."""
    if encoding.notes == "chords":
        shares = torch.sigmoid(outputs).numpy()
        return shares, shares > 0.5
    each = outputs.softmax(-1).unflatten(0, (-1, encoding.voices))  # [T, voices, 89]
    likeliest = torch.nn.functional.one_hot(each.argmax(-1), KEYS + 1).amax(1)
    return each.sum(1)[:, 1:].clamp(max=1.0).numpy(), likeliest[:, 1:].numpy() > 0


def note_metrics(truth: NDArray[np.bool_], answers: NDArray[np.bool_]) -> dict[str, float]:
    """Shares of notes `[steps, 88]` by scikit-learn.

    Precision, recall and F1 of all notes together; accuracy is that of frames, right notes over those that sounded or
    were answered (Bay, Ehmann & Downie 2009, Evaluation of multiple-F0 estimation and tracking systems).

    Raises:
        InputError: scikit-learn is missing.
    """
    try:
        from sklearn.metrics import jaccard_score, precision_recall_fscore_support
    except ImportError:
        raise InputError("metrics need scikit-learn, which is not installed; pip install 'peephole[metrics]'") from None
    flat = truth.reshape(-1), answers.reshape(-1)
    precision, recall, f1, _ = precision_recall_fscore_support(*flat, average="binary", zero_division=0)  # pyright: ignore[reportArgumentType]
    return {
        "note F1 %": float(f1),
        "precision %": float(precision),
        "recall %": float(recall),
        "accuracy %": float(jaccard_score(*flat, zero_division=0)),  # pyright: ignore[reportArgumentType]
    }
