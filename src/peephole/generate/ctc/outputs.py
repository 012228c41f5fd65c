"""Outputs of a net with CTC, as this package reads them."""

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray

from peephole.divergence import ctc_steps
from peephole.errors import InputError

Logs = Float[np.ndarray, "time symbols"]  # log-probabilities in nats: a row a frame
SUMS = 1e-3  # how far the probabilities of a frame may be from adding up to one


def checked(logs: Logs, blank: int) -> Float[np.ndarray, "time symbols"]:
    """The same in float64.

    Raises:
        InputError: they are no log-probabilities, or the blank is none of their symbols.
    """
    if not 0 <= blank < logs.shape[1]:
        raise InputError(f"the blank is symbol {blank} of {logs.shape[1]}; expected one of them")
    found = logs.astype(np.float64)
    with np.errstate(invalid="ignore"):
        sums = np.exp(found).sum(1)
    wrong = np.flatnonzero(~(np.abs(sums - 1) <= SUMS))
    if len(wrong):
        frame = int(wrong[0])
        raise InputError(
            f"the probabilities of frame {frame} add up to {sums[frame]:.4g}; expected 1: take log_softmax of logits"
        )
    return found


def extended(labels: Int[np.ndarray, " labels"], blank: int) -> NDArray[np.int64]:
    """The labels with blanks between, before and after: `[2 U + 1]` (Graves et al. 2006, section 4.1)."""
    states = np.full(2 * len(labels) + 1, blank, dtype=np.int64)
    states[1::2] = labels
    return states


def skippable(states: NDArray[np.int64], blank: int) -> NDArray[np.bool_]:
    """States that may follow the one two before them: labels, unless they repeat that one. `[2 U + 1]`."""
    found = states != blank
    found[:2] = False
    found[2:] &= states[2:] != states[:-2]
    return found


def fitting(logs: Logs, labels: Int[np.ndarray, " labels"], blank: int) -> Float[np.ndarray, "time symbols"]:
    """Checked outputs that can say these labels.

    Raises:
        InputError: they cannot, in however unlikely a way: -log P is infinite.
    """
    found = checked(logs, blank)
    if len(labels) and not (labels.min() >= 0 and labels.max() < logs.shape[1] and (labels != blank).all()):
        raise InputError(
            f"labels {labels.min()} to {labels.max()} with the blank {blank}; expected symbols below {logs.shape[1]} "
            "other than the blank"
        )
    needed = ctc_steps(torch.from_numpy(labels))
    if len(logs) < needed:
        alike = needed - len(labels)
        raise InputError(
            f"{len(logs)} frames for {len(labels)} labels, {alike} of them like the one before: expected at least "
            f"{needed}, -log P is infinite; leave the utterance out, or let the net skip fewer frames"
        )
    return found


def check_possible(log_probability: float, labels: Int[np.ndarray, " labels"]) -> None:
    """Raise `InputError` for labels that have probability zero."""
    if log_probability == -np.inf:
        raise InputError(
            f"{len(labels)} labels have probability 0 by these outputs; expected log_softmax of finite logits"
        )
