"""Which layers of a recorded net are measured."""

from collections.abc import Sequence

from peephole.errors import InputError
from peephole.stability.recordings.passage import Passage
from peephole.stability.recordings.recording import Recording


def choose_passages(recording: Recording, layers: Sequence[int] | None) -> tuple[Passage, ...]:
    """The passages of the named layers, each in every direction; of all without a choice.

    `InputError` for a layer that the net lacks.
    """
    if layers is None:
        return recording.passages
    layers = [layers] if isinstance(layers, int) else layers
    count = len(recording.layers)
    wrong = [layer for layer in layers if isinstance(layer, bool) or layer not in range(count)]
    if wrong or not len(layers):
        raise InputError(f"layers are {list(layers)}; expected numbers from 0 to {count - 1}, one at least")
    return tuple(passage for layer in sorted(set(layers)) for passage in recording.layers[layer])
