"""The encoder–decoder as a whole: rows that know nothing of each other, and a task that only attention does well."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from peephole import divergence
from peephole.errors import InputError
from peephole.generate.search import search_all
from peephole.models.config import DecoderConfig, EncoderDecoderConfig
from peephole.models.decoder import END, Decoder, entering
from peephole.models.encoder_decoder import EncoderDecoder, RecurrentEncoder
from peephole.models.inputs import Convolution, Projection

from .speakers import KINDS, LENGTHS, answers, build, sources


@pytest.mark.parametrize("directions", ["both", "one"])
@pytest.mark.parametrize("kind", list(KINDS))
def test_padding_and_the_order_of_rows_change_nothing(kind: str, directions: str, agree: Callable[..., None]) -> None:
    model = build(layers=2, directions=directions, **KINDS[kind])
    entered = entering(answers())
    logits, looked = model(sources(), entered, LENGTHS)
    junk = torch.cat([sources(), torch.full((3, 4), 7)])
    for row, length in enumerate(LENGTHS.tolist()):
        junk[length:, row] = 9
    padded, spread = model(junk, entered, LENGTHS)
    agree(padded, logits, 1e-5)
    order = torch.tensor([3, 1, 0, 2])
    turned, looked_turned = model(sources()[:, order], entered[:, order], LENGTHS[order])
    agree(turned, logits[:, order], 1e-5)
    alone, _ = model(sources()[:5, 2:3], entered[:, 2:3])
    agree(alone, logits[:, 2:3], 1e-5)
    if looked is not None:
        agree(spread[..., :7], looked, 1e-5)
        agree(looked_turned, looked[:, order], 1e-5)
        assert not spread[..., 7:].any()


@pytest.mark.parametrize("kind", list(KINDS))
def test_several_answers_to_a_source_are_as_if_it_came_several_times(kind: str, agree: Callable[..., None]) -> None:
    model = build(**KINDS[kind])
    rows = torch.tensor([2, 0, 0, 3])
    some, looked = model(sources(), entering(answers()), LENGTHS, rows)
    want, there = model(sources()[:, rows], entering(answers()), LENGTHS[rows])
    agree(some, want, 1e-5)
    if looked is not None:
        agree(looked, there, 1e-5)


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_answer_knows_every_symbol_of_the_source(kind: str) -> None:
    """With both directions the first symbol of the answer depends on each place of the source, and on none behind."""
    model = build(**KINDS[kind])
    vectors = torch.randn(7, 4, 5, requires_grad=True)
    model.encoder = RecurrentEncoder(Projection(5, model.config.embedding_size), model.config)
    logits, _ = model(vectors, entering(answers()), LENGTHS)
    logits[0].sum(-1).sum().backward()
    assert vectors.grad is not None
    told = vectors.grad.abs().sum(-1) > 0
    assert told.sum(0).tolist() == LENGTHS.tolist()


def test_weights_come_back_from_a_file(tmp_path: Any) -> None:
    model, other = build(attention="bahdanau", tied=True), build(attention="bahdanau", tied=True)
    with torch.no_grad():
        for each in other.parameters():
            each += 1
    torch.save(model.state_dict(), tmp_path / "weights")
    other.load_state_dict(torch.load(tmp_path / "weights", weights_only=True))
    given = sources(), entering(answers()), LENGTHS
    assert torch.equal(model(*given)[0], other(*given)[0])
    assert other.decoder.head.weight is other.decoder.embedding.weight


def test_what_is_no_encoder_is_refused() -> None:
    decoder = Decoder(5, DecoderConfig(hidden_size=4), 8, 8)
    with pytest.raises(InputError, match="got a Linear as encoder; expected a module with the method encode"):
        EncoderDecoder(nn.Linear(3, 8), decoder)


def test_an_input_layer_that_drops_places_is_refused() -> None:
    config = EncoderDecoderConfig(hidden_size=4, embedding_size=4)
    model = EncoderDecoder(
        RecurrentEncoder(Convolution(5, 4, kernel=2, stride=2), config), Decoder(5, config, config.width, config.width)
    )
    with pytest.raises(InputError, match="7 steps became 4 places; expected an input layer without stride"):
        model(torch.randn(7, 4, 5), entering(answers() % 5), LENGTHS)


def test_it_learns_to_say_a_sequence_backwards() -> None:
    """Of strings that it never saw, nearly all, after a few seconds."""
    torch.manual_seed(0)
    config = EncoderDecoderConfig(hidden_size=32, embedding_size=24, layers=1, dropout=0.0)
    model = EncoderDecoder(RecurrentEncoder(9, config), Decoder(9, config, config.width, config.width))
    optimiser = torch.optim.Adam(model.parameters(), 0.01)
    generator = torch.Generator().manual_seed(1)

    def draw(count: int) -> tuple[Tensor, Tensor, Tensor]:
        lengths = torch.randint(2, 7, (count,), generator=generator)
        symbols = torch.randint(1, 9, (6, count), generator=generator)
        symbols[torch.arange(6)[:, None] >= lengths] = 0
        targets = torch.zeros(7, count, dtype=torch.int64)
        for row, length in enumerate(lengths.tolist()):
            targets[:length, row] = symbols[:length, row].flip(0)
        return symbols, targets, lengths

    for _ in range(150):
        symbols, targets, lengths = draw(64)
        logits, _ = model(symbols, entering(targets), lengths)
        counted = (torch.arange(7)[:, None] <= lengths).float()
        loss = divergence.kl(logits, targets, counted) / counted.sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    symbols, targets, lengths = draw(300)
    found = search_all(model.steps(symbols, lengths), END, beams=2, longest=10, length_power=1.0)
    right = [
        one.best.symbols == tuple(targets[: length + 1, row].tolist())
        for row, (one, length) in enumerate(zip(found, lengths.tolist(), strict=True))
    ]
    assert sum(right) >= 0.95 * len(right)
