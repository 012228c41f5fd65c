"""`LanguageModel`: its softmaxes, what is dropped, what is penalised, and its streams."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import log_softmax, mse_loss

from peephole import divergence
from peephole.errors import InputError
from peephole.models.language.config import LanguageConfig
from peephole.models.language.model import LanguageModel
from peephole.models.sequence import SequenceModel
from peephole.models.softmax import FullSoftmax
from peephole.nn.noise import dropped_between

SYMBOLS, STEPS, ROWS = 60, 9, 3
SMALL: dict[str, Any] = {"hidden_size": 16, "embedding_size": 16}
AWD: dict[str, Any] = {**SMALL, "hidden_size": 24, "layers": 3, "narrow_last": True, "tied": True, "weight_drop": 0.5}
KINDS: dict[str, dict[str, Any]] = {
    "apart": {**SMALL, "tied": False},
    "tied": {**SMALL, "tied": True},
    "gru": {**SMALL, "cell": "gru"},
    "adaptive": {**SMALL, "softmax": "adaptive", "cutoffs": (10, 30)},
    "adaptive, tied": {**SMALL, "softmax": "adaptive", "cutoffs": (10, 30), "tied": True},
    "narrow": AWD,
}


def made(**settings: Any) -> LanguageModel:
    torch.manual_seed(0)
    return LanguageModel(SYMBOLS, LanguageConfig(**{**SMALL, **settings}))


@pytest.fixture
def text() -> tuple[Tensor, Tensor]:
    drawn = torch.randint(0, SYMBOLS, (STEPS + 1, ROWS), generator=torch.Generator().manual_seed(1))
    return drawn[:-1], drawn[1:]


def test_without_what_language_adds_it_is_a_sequence_model(text: tuple[Tensor, Tensor]) -> None:
    model = made(dropout=0.0)
    torch.manual_seed(0)
    plain = SequenceModel(SYMBOLS, model.config)
    plain.load_state_dict(model.state_dict())
    assert torch.equal(model(text[0])[0], plain(text[0])[0])


@pytest.mark.parametrize("kind", KINDS)
def test_divergence_and_surprisals_are_those_of_the_outputs(kind: str, text: tuple[Tensor, Tensor]) -> None:
    model, (inputs, targets) = made(**KINDS[kind]).eval(), text
    resets = torch.zeros(STEPS, ROWS, dtype=torch.bool)
    resets[4, 1] = True
    weights = torch.rand(STEPS, ROWS)
    logits, states = model(inputs, None, resets)
    surprisals, finals = model.surprisals(inputs, targets, None, resets)
    total, _ = model(inputs, None, resets, targets=targets, weights=weights)
    expected = -log_softmax(logits, -1).gather(-1, targets[..., None])[..., 0]
    torch.testing.assert_close(surprisals, expected.detach(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(total, divergence.kl(logits, targets, weights), rtol=1e-5, atol=1e-5)
    assert all(torch.equal(one, other) for one, other in zip(states, finals, strict=True))
    if "adaptive" in kind:  # already normalised
        torch.testing.assert_close(logits.exp().sum(-1), torch.ones(STEPS, ROWS), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_in_two_halves_is_the_text(kind: str, text: tuple[Tensor, Tensor]) -> None:
    model, (inputs, targets) = made(**KINDS[kind]).eval(), text
    whole, _ = model.surprisals(inputs, targets)
    first, states = model.surprisals(inputs[:4], targets[:4])
    second, _ = model.surprisals(inputs[4:], targets[4:], states)
    torch.testing.assert_close(torch.cat([first, second]), whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_streams_step_as_the_forward_does(kind: str, text: tuple[Tensor, Tensor]) -> None:
    model = made(**KINDS[kind]).eval()
    stream = model.stream(ROWS)
    assert stream.engine == ("native" if model.packs else "stepwise")
    stepped = torch.stack([stream.step(step) for step in text[0]])
    torch.testing.assert_close(stepped, log_softmax(model(text[0])[0], -1).detach(), rtol=1e-4, atol=1e-5)
    kept = stream.states()
    after = stream.step(text[1][-1])
    stream.put_states(kept)
    assert torch.equal(stream.step(text[1][-1]), after)


@pytest.mark.parametrize("kind", ["adaptive", "narrow"])
def test_what_no_snapshot_holds_says_so(kind: str) -> None:
    with pytest.raises(InputError, match="cannot be packed; stream with weights='float32'"):
        made(**KINDS[kind]).stream(weights="int8")


def test_tied_weights_are_one_parameter() -> None:
    tied, apart = made(tied=True), made(tied=False)
    assert tied.head.weight is tied.embedding.weight
    count = [sum(parameter.numel() for parameter in model.parameters()) for model in (tied, apart)]
    assert count[1] - count[0] == SYMBOLS * 16
    assert made().head.weight is not made().embedding.weight  # few symbols
    torch.manual_seed(0)
    assert (many := LanguageModel(2001, LanguageConfig(**SMALL))).head.weight is many.embedding.weight


def test_the_embedding_learns_at_both_ends(text: tuple[Tensor, Tensor]) -> None:
    model = made(tied=True, dropout=0.0)
    apart = made(tied=False, dropout=0.0)
    apart.load_state_dict(model.state_dict())
    for one in (model, apart):
        one(text[0], targets=text[1])[0].backward()
    assert apart.embedding.weight.grad is not None
    assert apart.head.weight.grad is not None
    both = apart.embedding.weight.grad + apart.head.weight.grad
    torch.testing.assert_close(model.embedding.weight.grad, both, rtol=1e-4, atol=1e-5)


def test_locked_dropout_drops_the_same_at_all_steps() -> None:
    x = torch.ones(50, 4, 30)
    torch.manual_seed(0)
    locked = dropped_between(x, 0.4, True, locked=True)
    assert torch.equal(locked, locked[:1].expand_as(locked))
    assert locked[0].unique().tolist() == pytest.approx([0.0, 1 / 0.6])
    assert not torch.equal(locked[0, 0], locked[0, 1])  # rows have masks of their own
    free = dropped_between(x, 0.4, True, locked=False)
    assert not torch.equal(free[0], free[1])
    assert abs(float((free == 0).float().mean()) - 0.4) < 0.03
    assert dropped_between(x, 0.4, False, locked=True) is x


def test_layers_drop_the_same_units_at_all_steps_where_locked() -> None:
    model = made(locked_dropout=True, dropout=0.5, layers=2)
    assert model.recurrent.locked_dropout
    assert model.recurrent.dropout == 0.5
    assert "locked_dropout=True" in repr(model.recurrent)


def test_whole_symbols_are_dropped_for_a_window(text: tuple[Tensor, Tensor]) -> None:
    model, seen = made(embedding_dropout=0.5, tied=True), list[Tensor]()
    model.recurrent.register_forward_pre_hook(lambda module, given: seen.append(given[0].detach()))
    torch.manual_seed(3)
    model(text[0], targets=text[1])
    scale = seen[0] / model.embedding.weight[text[0]].detach()
    by_symbol = {symbol: scale[text[0] == symbol].unique().round(decimals=4).tolist() for symbol in text[0].unique()}
    assert {len(values) for values in by_symbol.values()} == {1}
    assert {values[0] for values in by_symbol.values()} == {0.0, 2.0}
    model.eval()
    model(text[0], targets=text[1])
    assert torch.equal(seen[1], text[0])  # nothing is dropped: the layer is handed the symbols


def test_penalties_are_in_the_gradient_and_not_in_the_value(text: tuple[Tensor, Tensor]) -> None:
    inputs, targets = text
    plain, pulled = made(dropout=0.0), made(dropout=0.0, activation_penalty=2.0, temporal_penalty=3.0)
    plain.load_state_dict(pulled.state_dict())
    value = pulled(inputs, targets=targets)[0]
    expected = plain(inputs, targets=targets)[0]
    assert value.item() == pytest.approx(expected.item(), rel=1e-6)
    outputs, _ = plain.features(inputs)
    penalty = 2.0 * outputs.square().mean() + 3.0 * mse_loss(outputs[1:], outputs[:-1])
    (expected + STEPS * ROWS * penalty).backward()
    value.backward()
    for one, other in zip(pulled.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-5)


def test_a_narrow_last_layer_has_states_of_its_own(text: tuple[Tensor, Tensor]) -> None:
    model = made(**AWD).eval()
    assert [tuple(state.shape) for state in model.initial_states(ROWS)] == [(2, ROWS, 24)] * 2 + [(1, ROWS, 16)] * 2
    assert model.last is not None
    assert model.head.weight.shape == (SYMBOLS, 16)
    assert {name.split(".")[0] for name in model.state_dict()} == {"embedding", "recurrent", "last", "head"}


def test_uniform_starts_where_it_says() -> None:
    forgetting = made(init="uniform", initial_range=0.03)
    layer = forgetting.recurrent
    bias = layer.get_parameter("bias_ih_l1") + layer.get_parameter("bias_hh_l1")
    assert bias[16:32].tolist() == [1.0] * 16
    model = made(init="uniform", initial_range=0.03, forget_bias=None)
    assert all(
        0.02 < parameter.detach().abs().max() <= 0.03 for parameter in model.parameters() if parameter.numel() > 50
    )
    ranged = made(init="torch", embedding_range=0.1)
    assert 0.09 < ranged.embedding.weight.detach().abs().max() <= 0.1
    assert not ranged.head.bias.any()


@pytest.mark.parametrize("softmax", ["full", "adaptive", "sampled"])
def test_ranked_symbols_begin_with_their_frequencies(softmax: Any) -> None:
    torch.manual_seed(0)
    settings = LanguageConfig(**SMALL, softmax=softmax, samples=8, cutoffs=(10, 30) if softmax == "adaptive" else ())
    model = LanguageModel(SYMBOLS, settings, ranked=True).eval()
    with torch.no_grad():
        shares = log_softmax(model.head(torch.zeros(1, 16)), -1)[0].exp()
    expected = 1 / (torch.arange(SYMBOLS).double() + 2.7)
    expected[0] = 1 / (SYMBOLS + 2.7)
    torch.testing.assert_close(shares, (expected / expected.sum()).float())
    plain = LanguageModel(SYMBOLS, replace(settings, zipf_start=False), ranked=True)
    assert not plain.head.bias.any()


def test_the_softmax_that_is_measured_after_sampling_is_full(text: tuple[Tensor, Tensor]) -> None:
    sampled = made(softmax="sampled", samples=8, tied=False).eval()
    full = made(softmax="full", tied=False).eval()
    full.load_state_dict(sampled.state_dict())
    assert isinstance(sampled.head, FullSoftmax)
    assert sampled.packs
    assert torch.equal(sampled.surprisals(*text)[0], full.surprisals(*text)[0])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"input_dropout": 1.0}, "--input-dropout is 1.0; expected 0 to below 1"),
        ({"embedding_dropout": -0.1}, "--embedding-dropout is -0.1"),
        ({"output_dropout": 2.0}, "--output-dropout is 2.0"),
        ({"activation_penalty": -1.0}, "--activation-penalty is -1.0; expected 0 or more"),
        ({"initial_range": 0.0}, "--initial-range is 0.0; expected more than 0"),
        ({"samples": 0}, "--samples is 0"),
        ({"cutoffs": (30, 10)}, "--cutoffs is .30, 10.; expected rising ranks"),
        ({"narrow_last": True, "layers": 1}, "--narrow-last needs two layers or more"),
        ({"tied": True, "embedding_size": 8}, "pass --embedding-size 16, or --narrow-last"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        LanguageConfig(**{**SMALL, **settings})
