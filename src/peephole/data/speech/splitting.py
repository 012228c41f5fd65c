"""Which recordings are held out, drawn by a seed: a share of all, or whole speakers."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from peephole.data.speech.config import SpeechData
from peephole.data.speech.utterance import Utterance
from peephole.errors import InputError


def held_out(spoken: Sequence[Utterance], data: SpeechData) -> NDArray[np.bool_]:
    """True for the recordings `[N]` held out: about the share of them, at least one; none of a share of 0.

    Raises:
        InputError: too few to hold one out, or speakers are to be held out and not known.
    """
    chosen = np.zeros(len(spoken), bool)
    if not data.held_out_share:
        return chosen
    wanted = max(1, round(data.held_out_share * len(spoken)))
    random = np.random.default_rng(data.split_seed)
    if data.hold_out_speakers:
        return _speakers(spoken, wanted, random)
    if len(spoken) < 2:
        raise InputError("one recording; expected two to hold one out; give more, or --held-out-share 0")
    chosen[random.permutation(len(spoken))[:wanted]] = True
    return chosen


def _speakers(spoken: Sequence[Utterance], wanted: int, random: np.random.Generator) -> NDArray[np.bool_]:
    """Speakers in an order that is drawn, until there are as many recordings as wanted; one at least is left."""
    unknown = next((one for one in spoken if one.speaker is None), None)
    if unknown is not None:
        raise InputError(
            f"{unknown.place}: no speaker; expected one of each recording to hold whole speakers out; pass --speaker"
        )
    counts = Counter(one.speaker or "" for one in spoken)
    names = sorted(counts)
    if len(names) < 2:
        raise InputError(f"one speaker, {names[0]}; expected two to hold one out; leave --hold-out-speakers away")
    taken: set[str] = set()
    for place in random.permutation(len(names)).tolist():
        if sum(counts[name] for name in taken) >= wanted or len(taken) == len(names) - 1:
            break
        taken.add(names[place])
    return np.array([one.speaker in taken for one in spoken])
