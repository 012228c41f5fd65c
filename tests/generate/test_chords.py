"""Chords from a stream: surprised as the net itself is, drawn within limits, the same from the same seed."""

import numpy as np
import pytest
import torch

from peephole.data.music.encoding import NOTES, MusicEncoding
from peephole.data.music.piece import KEYS, Chord, Piece
from peephole.errors import InputError
from peephole.generate.chord_sampling import ChordSampling
from peephole.generate.chords import compose, follow_chords
from peephole.models.config import ModelConfig
from peephole.models.inputs import Numbers
from peephole.models.sequence import SequenceModel

CHORDS: tuple[Chord, ...] = ((60, 48), (62, 48), (64,), (), (65, 50))
ENCODINGS = {
    "chords": MusicEncoding("chords", 0, False, 1, 100.0),
    "voices": MusicEncoding("voices", 3, False, 1, 100.0),
    "columns": MusicEncoding("voices", 2, True, 1, 100.0),
}


def made(encoding: MusicEncoding) -> SequenceModel:
    torch.manual_seed(3)
    config = ModelConfig(hidden_size=12, layers=1, embedding_size=6, dropout=0.0)
    if encoding.notes == "chords":
        model = SequenceModel(Numbers(KEYS), config, KEYS, valued=True)
    else:
        model = SequenceModel(encoding.input_symbols, config, NOTES)
    with torch.no_grad():
        model.head.weight.mul_(4.0)  # far enough from uniform that a mistake shows
        model.head.bias.normal_()
    return model.eval()


def columns(chords: tuple[Chord, ...]) -> tuple[Chord, ...]:
    return tuple((*chord, -1, -1)[:2] for chord in chords)


@pytest.mark.parametrize("kind", list(ENCODINGS))
def test_a_stream_is_as_surprised_as_the_net(kind: str) -> None:
    encoding = ENCODINGS[kind]
    model = made(encoding)
    chords = columns(CHORDS) if kind == "columns" else CHORDS
    inputs, targets = encoding.arrays(Piece("a", chords))
    with torch.no_grad():
        outputs = model(torch.from_numpy(inputs)[:, None])[0][:, 0]
    if kind == "chords":
        wanted = torch.nn.functional.binary_cross_entropy_with_logits(
            outputs, torch.from_numpy(targets), reduction="none"
        ).sum(-1)
    else:
        logs = outputs.log_softmax(-1).gather(-1, torch.from_numpy(targets)[:, None])
        wanted = -logs.view(len(chords), -1).sum(1)
    stream = follow_chords(model, encoding)
    for _ in range(2):  # the second time after it has forgotten the first
        for chord, nats in zip(chords, wanted.tolist(), strict=True):
            stream.expected()
            stream.draw(ChordSampling(), np.random.default_rng(0))  # what is looked at changes nothing
            assert abs(stream.hear(chord) - nats) <= 1e-4
        stream.forget()


def test_expected_notes_have_the_probabilities_of_the_net() -> None:
    encoding = ENCODINGS["chords"]
    model = made(encoding)
    stream = follow_chords(model, encoding)
    stream.hear((60, 48))
    with torch.no_grad():
        roll = torch.from_numpy(encoding.arrays(Piece("a", ((60, 48), ())))[0])
        shares = torch.sigmoid(model(roll[:, None])[0][-1, 0])
    found = stream.expected()
    assert [share for _, share in found] == sorted((share for _, share in found), reverse=True)
    for pitch, share in found:
        assert abs(share - float(shares[pitch - 21])) <= 1e-5


@pytest.mark.parametrize("kind", list(ENCODINGS))
def test_the_same_seed_draws_the_same_piece(kind: str) -> None:
    encoding = ENCODINGS[kind]
    stream = follow_chords(made(encoding), encoding)
    prime = columns(CHORDS[:2]) if kind == "columns" else CHORDS[:2]
    first = list(compose(stream, prime, 12, ChordSampling(seed=1)))
    assert list(compose(stream, prime, 12, ChordSampling(seed=1))) == first
    assert list(compose(stream, prime, 12, ChordSampling(seed=2))) != first
    assert list(compose(stream, prime, 12, ChordSampling(seed=1), number=1)) != first
    assert len(first) == 12
    few = list(compose(stream, prime, 12, ChordSampling(most_notes=1)))
    assert max(sum(pitch != -1 for pitch in chord) for chord in few) == 1


@pytest.mark.parametrize("kind", list(ENCODINGS))
def test_temperature_zero_takes_the_likely(kind: str) -> None:
    encoding = ENCODINGS[kind]
    stream = follow_chords(made(encoding), encoding)
    cold = list(compose(stream, (), 8, ChordSampling(temperature=0.0, seed=1)))
    assert cold == list(compose(stream, (), 8, ChordSampling(temperature=0.0, seed=2)))
    assert cold == list(compose(stream, (), 8, ChordSampling(temperature=1e-9)))


def test_the_shares_of_what_is_drawn_are_those_that_are_expected() -> None:
    encoding = ENCODINGS["chords"]
    stream = follow_chords(made(encoding), encoding)
    random = np.random.default_rng(0)
    drawn = [stream.draw(ChordSampling(), random) for _ in range(2000)]
    for pitch, share in stream.expected():
        assert abs(np.mean([pitch in chord for chord in drawn]) - share) <= 0.05  # over four standard deviations


def test_settings_out_of_range_are_refused() -> None:
    for wrong in ({"temperature": -1.0}, {"most_notes": 0}, {"seed": -1}):
        with pytest.raises(InputError):
            ChordSampling(**wrong)  # pyright: ignore[reportArgumentType]
    encoding = ENCODINGS["chords"]
    with pytest.raises(InputError, match="--length is 0"):
        list(compose(follow_chords(made(encoding), encoding), (), 0, ChordSampling()))
