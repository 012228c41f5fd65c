"""The decoder: its equations, teacher forcing and scheduled sampling, gradients through all of it."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from peephole.errors import InputError
from peephole.models.attention import Memory
from peephole.models.config import DecoderConfig
from peephole.models.decoder import END, Decoder, entering

from .speakers import KINDS, LENGTHS, answers, build, sources

CELLS = ["lstm", "gru", "rnn"]
NEARLY_NONE = 1e-300  # a share of sampling that never happens, but makes training go step by step


def test_what_enters_is_what_stood_before() -> None:
    targets = torch.tensor([[3, 4], [5, 0], [0, 0]])
    assert entering(targets).tolist() == [[END, END], [3, 4], [5, 0]]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2])
def test_all_steps_at_once_are_the_steps_one_by_one(cell: str, layers: int, agree: Callable[..., None]) -> None:
    for kind in ("none", "luong"):
        model = build(cell=cell, layers=layers, **KINDS[kind])
        entered = entering(answers())
        whole, looked = model(sources(), entered, LENGTHS)
        single, looked_one_by_one = model(sources(), entered, LENGTHS, sampling=NEARLY_NONE)
        agree(single, whole, 1e-5)
        if looked is not None:
            agree(looked_one_by_one, looked, 1e-5)


@pytest.mark.parametrize("kind", list(KINDS))
def test_it_is_its_equations(kind: str) -> None:
    """Of an RNN, h_t = tanh(W x_t + R h_{t−1} + b), with one source of three places."""
    config = DecoderConfig(cell="rnn", hidden_size=4, embedding_size=3, layers=1, dropout=0.0, **KINDS[kind])
    torch.manual_seed(1)
    decoder = Decoder(5, config, memory=4, summary=2).double()
    memory = Memory(torch.randn(3, 1, 4).double(), None, torch.randn(1, 2).double())
    symbols = torch.tensor([[END], [3], [1], [4]])
    logits, weights = decoder(symbols, decoder.hear(memory))
    cell = {name.removesuffix("_l0"): value for name, value in decoder.recurrent.named_parameters()}
    places, summary = memory.steps[:, 0], memory.summary[0]

    def seen(query: Tensor) -> Tensor:
        attention = decoder.attention
        assert attention is not None
        assert attention.key is not None
        if attention.query is None or attention.vector is None:
            scores = attention.key(places) @ query
        else:
            scores = attention.vector(torch.tanh(attention.query(query) + attention.key(places)))[:, 0]
        return torch.softmax(scores, 0) @ places

    h = torch.tanh(decoder.beginning(summary))
    before = torch.zeros(config.embedding_size).double()
    for step, symbol in enumerate(symbols[:, 0].tolist()):
        fed = seen(h) if kind == "bahdanau" else {"none": summary, "feeding": before}.get(kind, summary[:0])
        x = torch.cat([decoder.embedding.weight[symbol], fed])
        h = torch.tanh(cell["weight_ih"] @ x + cell["bias_ih"] + cell["weight_hh"] @ h + cell["bias_hh"])
        context = fed if kind in ("none", "bahdanau") else seen(h)
        before = torch.tanh(decoder.readout(torch.cat([h, context])))
        assert (decoder.head(before) - logits[step, 0]).abs().max() <= 1e-12
    assert (weights is None) == (kind == "none")
    assert decoder.head.weight is decoder.embedding.weight


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("kind", list(KINDS))
def test_gradients_are_those_of_differences(cell: str, kind: str) -> None:
    """Along a random direction through all parameters, in float64."""
    model = build(cell=cell, layers=2, hidden_size=5, **KINDS[kind]).double()
    inputs, targets = sources(), answers(4)
    weights = torch.randn(4, 4, 9, generator=torch.Generator().manual_seed(5)).double()

    def value() -> Tensor:
        return (model(inputs, entering(targets), LENGTHS)[0] * weights).sum()

    parameters = list(model.parameters())
    value().backward()
    generator = torch.Generator().manual_seed(6)
    ways = [torch.randn(each.shape, generator=generator, dtype=torch.float64) for each in parameters]
    slope = sum(
        float((each.grad * way).sum()) for each, way in zip(parameters, ways, strict=True) if each.grad is not None
    )
    assert all(each.grad is not None and each.grad.abs().sum() > 0 for each in parameters)
    step, values = 1e-6, []
    for sign in (1, -2):
        with torch.no_grad():
            for each, way in zip(parameters, ways, strict=True):
                each += sign * step * way
            values.append(float(value()))
    difference = (values[0] - values[1]) / (2 * step)
    assert abs(difference - slope) <= 1e-6 * max(1.0, abs(slope))


@pytest.mark.parametrize("kind", list(KINDS))
def test_no_sampling_is_teacher_forcing_and_draws_nothing(kind: str) -> None:
    model = build(**KINDS[kind])
    state = torch.get_rng_state()
    forced = model(sources(), entering(answers()), LENGTHS)[0]
    assert torch.equal(model(sources(), entering(answers()), LENGTHS, sampling=0.0)[0], forced)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("kind", list(KINDS))
def test_all_sampled_it_hears_itself_alone(kind: str) -> None:
    """What would have entered does not matter; a net that is sure goes on with its likeliest symbol."""
    model = build(**KINDS[kind])
    with torch.no_grad():
        model.decoder.head.weight *= 1e4

    def run(seed: int, which: int) -> Tensor:
        torch.manual_seed(seed)
        return model(sources(), entering(answers(seed=which)), LENGTHS, sampling=1.0)[0]

    logits = run(0, 1)
    assert torch.equal(run(0, 2), logits)
    said = logits.argmax(-1)
    assert torch.equal(run(1, 1).argmax(-1), said)
    followed = model(sources(), entering(said), LENGTHS)[0]
    assert torch.equal(followed.argmax(-1), said)


def test_a_share_is_sampled_of_what_it_expects() -> None:
    decoder = build().decoder
    read = torch.randn(1, 6).expand(20_000, -1)
    nowhere = torch.full((20_000, 6), torch.nan)
    torch.manual_seed(0)
    vectors = decoder._sampled(nowhere, read, 0.3)
    own = ~vectors[:, 0].isnan()
    assert abs(float(own.double().mean()) - 0.3) <= 0.02
    expected = torch.softmax(decoder.head(read[0]), -1)
    for symbol, share in enumerate(expected.tolist()):
        found = (vectors[own] == decoder.embedding.weight[symbol]).all(1).double().mean()
        assert abs(float(found) - share) <= 0.02


@pytest.mark.parametrize("kind", list(KINDS))
def test_sampling_again_from_the_same_random_state_gives_the_same(kind: str) -> None:
    model = build(dropout=0.3, **KINDS[kind])

    def step() -> Tensor:
        return model(sources(), entering(answers()), LENGTHS, sampling=0.5)[0]

    torch.manual_seed(3)
    step()
    state = torch.get_rng_state()
    want = step()
    assert not torch.equal(step(), want)
    torch.set_rng_state(state)
    assert torch.equal(step(), want)


@pytest.mark.parametrize("kind", list(KINDS))
def test_steps_that_count_alone(kind: str, agree: Callable[..., None]) -> None:
    model = build(**KINDS[kind])
    counted = torch.rand(6, 4, generator=torch.Generator().manual_seed(1)) < 0.6
    whole, looked = model(sources(), entering(answers()), LENGTHS)
    some, looked_too = model(sources(), entering(answers()), LENGTHS, counted=counted)
    agree(some, whole[counted], 1e-5)
    assert (looked is None and looked_too is None) or torch.equal(looked, looked_too)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"attention": "bahdanau", "input_feeding": True}, "--input-feeding is luong's"),
        ({"attention": "bahdanau", "zoneout": 0.1}, "--zoneout needs all steps at once"),
        ({"input_dropout": 1.0}, "--input-dropout is 1.0"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        DecoderConfig(**options)


def test_nothing_but_an_end_to_say_is_refused() -> None:
    with pytest.raises(InputError, match="expected the end and at least one more"):
        Decoder(1, DecoderConfig(), memory=4, summary=4)
