"""Recurrent nets whose weights are set by hand: parity and addition, exact however long the input is.

`docs/by_hand.md` explains what each weight does. Every step puts their state back on one of a few numbers, which
float32 hits exactly, so that no error grows. The feed-forward net of the same kind is in `by_hand_xor`.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch

from peephole.errors import InputError
from peephole.models.config import ModelConfig
from peephole.models.sequence import SequenceModel

ParityUnit = Literal["rnn-threshold", "rnn-relu", "lstm", "gru"]
AdditionKind = Literal["threshold", "relu"]
Row = Sequence[int | float]

STEEP = 100.0  # sigmoid(±STEEP / 2) is 1 and 2e-22 in float32: a unit that is on or off
SURE = 20.0  # nats by which the answer leads where the net's number is whole
LARGEST_BASE = 100  # terms of the logits, up to 2 · SURE · base³, stay whole numbers that float32 holds


def parity_by_hand(unit: ParityUnit = "rnn-threshold") -> SequenceModel:
    """Bits in, at every step class 1 where the number of ones so far is odd (`data.problems.parity`).

    - rnn-threshold: two units, input OR parity and input AND parity; the parity is their difference.
    - rnn-relu: two units, n = input + parity and max(0, n − 1); the parity is n − 2 max(0, n − 1).
    - lstm, gru: one unit whose gates keep it at a 0 and exchange its value at a 1. It starts at 0, which counts as
      even, and is −1 or 1 after the first 1.

    One unit without gates cannot: `docs/by_hand.md` has the proof.
    """
    g = STEEP
    if unit == "rnn-threshold":
        parity = (1.0, -1.0)
        return _build(
            "rnn",
            numbers=(0, 1),
            outputs=2,
            read=parity,
            weight_ih=(g, g),
            weight_hh=(_times(g, parity),) * 2,
            bias=(-g / 2, -3 * g / 2),
            nonlinearity="sigmoid",
        )
    if unit == "rnn-relu":
        parity = (1.0, -2.0)
        return _build(
            "rnn",
            numbers=(0, 1),
            outputs=2,
            read=parity,
            weight_ih=(1, 1),
            weight_hh=(parity, parity),
            bias=(0, -1),
            nonlinearity="relu",
        )
    if unit == "lstm":  # rows i, f, g, o
        odd = math.tanh(1.0)  # h where c is 1
        return _build(
            "lstm",
            numbers=(0, 1),
            outputs=2,
            read=(1 / odd,),
            weight_ih=(g, -g, 0, 0),
            weight_hh=((0,), (0,), (-g,), (0,)),
            bias=(-g / 2, g / 2, g * odd / 2, g),
        )
    if unit == "gru":  # rows r, z, n
        return _build(
            "gru",
            numbers=(0, 1),
            outputs=2,
            read=(1,),
            weight_ih=(0, -g, 0),
            weight_hh=((0,), (0,), (-g,)),
            bias=(g, g / 2, g / 2),
        )
    raise InputError(f"unit is {unit!r}; expected rnn-threshold, rnn-relu, lstm or gru")


def addition_by_hand(base: int = 2, kind: AdditionKind = "relu") -> SequenceModel:
    """Pairs of digits in, least significant first; at every step the digit of the sum (`data.problems.addition`).

    With s = a + b + carry:

    - threshold: 2·base − 1 units, each 1 where s reaches its number. The carry is the one for `base`; the digit is how
      many are on, less `base` times the carry. Three units in base 2.
    - relu: three units in any base, s, max(0, s − (base − 1)) and max(0, s − base). The carry is the second less the
      third.
    """
    if not 2 <= base <= LARGEST_BASE:
        raise InputError(f"base is {base}; expected 2 to {LARGEST_BASE}")
    sums = [float(a + b) for a in range(base) for b in range(base)]
    if kind == "threshold":
        reached = range(1, 2 * base)
        carry = tuple(float(number == base) for number in reached)
        return _build(
            "rnn",
            numbers=sums,
            outputs=base,
            read=tuple(1 - base * one for one in carry),
            weight_ih=[STEEP] * len(carry),
            weight_hh=[_times(STEEP, carry)] * len(carry),
            bias=[-STEEP * (number - 0.5) for number in reached],
            nonlinearity="sigmoid",
        )
    if kind == "relu":
        carry = (0, 1, -1)
        return _build(
            "rnn",
            numbers=sums,
            outputs=base,
            read=(1, -base, base),
            weight_ih=(1, 1, 1),
            weight_hh=(carry,) * 3,
            bias=(0, 1 - base, -base),
            nonlinearity="relu",
        )
    raise InputError(f"kind is {kind!r}; expected threshold or relu")


def _times(factor: float, row: Row) -> Row:
    return [factor * weight for weight in row]


def _build(
    cell: Literal["rnn", "lstm", "gru"],
    *,
    numbers: Row,
    outputs: int,
    read: Row,
    weight_ih: Row,
    weight_hh: Sequence[Row],
    bias: Row,
    **switches: Any,
) -> SequenceModel:
    """A model of one layer with these weights, in torch's order of gates.

    `numbers` are what the symbols stand for, one each. The answer is the whole number, from 0 to `outputs` − 1, that is
    nearest to `read` · h.
    """
    config = ModelConfig(cell=cell, layers=1, hidden_size=len(read), embedding_size=1, dropout=0.0, **switches)
    model = SequenceModel(len(numbers), config, outputs).eval()
    classes = torch.arange(float(outputs))
    weights = {
        "embedding.weight": torch.tensor(numbers, dtype=torch.float32)[:, None],
        "recurrent.weight_ih_l0": torch.tensor(weight_ih, dtype=torch.float32)[:, None],
        "recurrent.weight_hh_l0": torch.tensor(weight_hh, dtype=torch.float32),
        "recurrent.bias_ih_l0": torch.tensor(bias, dtype=torch.float32),
        "recurrent.bias_hh_l0": torch.zeros(len(bias)),
        # −(d − j)² is largest for the nearest j; d² is the same for all j, so that 2 d j − j² will do, linear in d
        "head.weight": SURE * 2 * torch.outer(classes, torch.tensor(read, dtype=torch.float32)),
        "head.bias": -SURE * classes.square(),
    }
    model.load_state_dict(weights)
    return model
