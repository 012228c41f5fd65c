"""Properties of a reading as numbers at its steps, those left out that the text does not have."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from peephole.errors import InputError
from peephole.units.patterns import matched, named_pattern
from peephole.units.reading import Reading
from peephole.units.word_properties import properties_for

SURPRISE = "surprise in bits"  # what the character cost the net: no property of the text alone
FEWEST = 10  # characters of either half of the rows at which a property has to be something else than elsewhere


@dataclass(frozen=True, eq=False)
class Values:
    """`numbers` `[T, B, P]` of the properties `names`; `left_out` says of the others why."""

    names: tuple[str, ...]
    numbers: Tensor
    left_out: tuple[str, ...]


def values_of(reading: Reading, patterns: Sequence[str] = ()) -> Values:
    """Expressions first, then the properties for what the net reads, then the surprise.

    `InputError` for an expression that cannot be used, or holds never or always, in either half of the rows.
    """
    named, properties = [named_pattern(given) for given in patterns], properties_for(reading.unit)
    taken = [*(name for name, _ in named), *(one.name for one in properties), SURPRISE]
    if len(set(taken)) < len(taken):
        twice = next(name for name in taken if taken.count(name) > 1)
        raise InputError(f"--property names {twice!r} twice; give each a name of its own, as NAME=REGEX")
    texts = reading.texts()
    names, found, left_out = list[str](), list[NDArray[np.float64]](), list[str]()
    for name, pattern in named:
        numbers = _at_steps(reading, matched(pattern, texts))
        lacking = _lacking(numbers)
        if lacking:
            raise InputError(
                f"--property {pattern!r} {lacking} of the {reading.read:,} held-out {reading.unit} that are read, in "
                "half of the rows or in all; expected one that holds at some and not at others"
            )
        names.append(name)
        found.append(numbers)
    for one in properties:
        numbers = _at_steps(reading, [one.values(text) for text in texts])
        lacking = _lacking(numbers)
        if lacking:
            left_out.append(f"{one.name} ({lacking})")
            continue
        names.append(one.name)
        found.append(numbers)
    names.append(SURPRISE)
    found.append(np.nan_to_num(reading.bits))
    return Values(tuple(names), torch.from_numpy(np.stack(found, axis=-1)), tuple(left_out))


def _at_steps(reading: Reading, values: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.stack([reading.at_steps(row, numbers) for row, numbers in enumerate(values)], axis=1)


def _lacking(numbers: NDArray[np.float64]) -> str:
    """What is wrong with a property `[T, B]` that is the same everywhere; empty where nothing is."""
    half = numbers.shape[1] // 2
    for rows in (numbers[:, :half], numbers[:, half:]):
        kinds, counts = np.unique(rows, return_counts=True)
        most = int(counts.argmax())
        if rows.size - counts[most] < FEWEST:
            return f"holds at {'' if kinds[most] == 0 else 'all but '}fewer than {FEWEST}"
    return ""
