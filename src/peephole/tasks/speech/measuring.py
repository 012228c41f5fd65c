"""A net on a part of its recordings: what it hears of each, beside what is said."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peephole.data.sequences.batches import in_order
from peephole.data.sequences.store import Part
from peephole.data.speech.preparing import Said
from peephole.generate.ctc.spikes import Spikes
from peephole.tasks.examples.reliability import Reliability
from peephole.tasks.examples.scores import ScoreTable
from peephole.tasks.speech.answer import Word
from peephole.tasks.speech.metrics import Compared, by_speaker

if TYPE_CHECKING:
    from peephole.tasks.speech.model import SpeechModel

ROWS = 32  # recordings side by side


@dataclass(frozen=True, eq=False)
class Measured:
    """What came out.

    Attributes:
        said: of each recording of the part, in its order.
        compared: with what was heard.
        nats: the mean divergence of a unit.
        pictures, tables: as `Scores` has them.
    """

    said: tuple[Said, ...]
    compared: Compared
    nats: float
    pictures: tuple[tuple[str, Any], ...]
    tables: tuple[ScoreTable, ...]


@torch.no_grad()
def measured(model: "SpeechModel", part: Part, said: Sequence[Said]) -> Measured:
    """Decode all of a part as the model's settings say."""
    reading, words = model.reading(), dict[int, list[Word]]()
    total, units = 0.0, 0
    for numbers, batch in in_order(part, ROWS, None, model.make()):
        outputs = model.respond(model.model, batch).float().cpu()
        total += float(model.divergence(outputs, batch))
        units += batch.answers
        logs = outputs.log_softmax(-1).numpy()
        for row, number in enumerate(numbers.tolist()):
            words[number] = reading.words(logs[: int(batch.lengths[row]), row])
    heard = [" ".join(word.text for word in words[number]) for number in range(len(part))]
    right = [one.transcript for one in said]
    compared = Compared.of(right, heard)
    confidences = [word.confidence for number in range(len(part)) for word in words[number]]
    speakers = by_speaker(right, heard, [one.speaker for one in said])
    wrong = next((number for number in range(len(part)) if heard[number] != right[number]), 0)
    return Measured(
        said=tuple(said),
        compared=compared,
        nats=total / max(1, units),
        pictures=(
            ("Spikes", spikes(model, part, wrong, heard[wrong], right[wrong])),
            ("Reliability", Reliability.of(confidences, compared.right)),
        ),
        tables=(compared.table, *(() if speakers is None else (speakers,))),
    )


@torch.no_grad()
def spikes(model: "SpeechModel", part: Part, number: int, heard: str, said: str) -> Spikes:
    """A recording of a part with the probabilities of its units."""
    encoding = model.encoding
    inputs, _ = model.make()(part.sequence(number))
    device = next(model.model.parameters()).device
    logits = model.model(torch.from_numpy(inputs)[:, None].to(device), lengths=torch.tensor([len(inputs)]).to(device))
    frames = inputs.reshape(-1, encoding.filterbank.bands)
    return Spikes(
        frames=frames,
        shares=logits[0][:, 0].float().softmax(-1).cpu().numpy(),
        names=("", *encoding.spelling.symbols),
        frame_seconds=encoding.seconds / encoding.stack,
        output_seconds=encoding.seconds,
        heard=heard,
        said=said,
    )


def best_units(outputs: Float[Tensor, "time batch units"], lengths: Int[Tensor, " batch"]) -> list[list[int]]:
    """The units of the likeliest path of each row: repeats merged, blanks dropped."""
    found: list[list[int]] = []
    for row, length in zip(outputs.argmax(-1).T, lengths.tolist(), strict=True):
        path = torch.unique_consecutive(row[:length])
        found.append(path[path != 0].tolist())
    return found
