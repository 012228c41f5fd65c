"""Dynamic evaluation: the rule step by step, nothing seen before it is scored, and nothing changed that should stay."""

import math
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from peephole.data.corpus import Part
from peephole.errors import InputError
from peephole.models.language.config import LanguageConfig
from peephole.models.language.model import LanguageModel
from peephole.tasks.text.adapting import DynamicSettings, read_adapting
from peephole.tasks.text.cache import ContinuousCache
from peephole.tasks.text.dynamic import STABLE, Adapting, gradient_sizes, mean_of

SYMBOLS = 9


def net(tied: bool = False, **settings: Any) -> LanguageModel:
    torch.manual_seed(0)
    config = LanguageConfig(hidden_size=6, embedding_size=6, layers=2, tied=tied, **settings)
    return LanguageModel(SYMBOLS, config)


def text(length: int = 200, seed: int = 1) -> np.ndarray:
    tokens = np.random.default_rng(seed).integers(1, SYMBOLS, length).astype(np.uint8)
    tokens[[0, length // 3]] = 0
    return tokens


def sizes_of(model: LanguageModel) -> list[Tensor]:
    return gradient_sizes(model, Part(text(400, 2), 1, 400), 0, 10)


@pytest.mark.parametrize("tied", [False, True])
def test_the_rule_step_by_step(tied: bool) -> None:
    """Against a loop that computes every term as the paper has it, of log-probabilities of the plain forward."""
    model, tokens = net(tied), text(50)
    sizes, rate, decay, window = sizes_of(model), 0.02, 0.3, 8
    got = read_adapting(Adapting(model, sizes, rate, decay), tokens, 0, window)
    own = deepcopy(model).eval()
    if tied:
        assert own.head.weight is own.embedding.weight
    mean = sum(size.sum() for size in sizes) / sum(size.numel() for size in sizes)
    want, states = [], None
    for start in range(0, 49, window):
        part = torch.from_numpy(tokens[start : start + window + 1].astype(np.int64))[:, None]
        inputs, targets = part[:-1], part[1:]
        logits, finals = own(inputs, states, inputs == 0)
        nats = -logits.log_softmax(-1).gather(-1, targets[..., None])[..., 0]
        want.append(nats.detach()[:, 0].double())
        gradients = torch.autograd.grad(nats.mean(), list(own.parameters()))
        states = tuple(state.detach() for state in finals)
        with torch.no_grad():
            for parameter, trained, gradient, size in zip(
                own.parameters(), model.parameters(), gradients, sizes, strict=True
            ):
                back = (decay * size / mean).clamp(max=1) * (trained - parameter)
                parameter += back - rate * gradient / (size + STABLE * mean)
    torch.testing.assert_close(got.nats, torch.cat(want), rtol=1e-5, atol=1e-5)


def test_no_token_is_seen_before_it_is_scored() -> None:
    """Whatever comes later may change: what was paid until then stays, to the bit."""
    model = net()
    sizes, tokens = sizes_of(model), text(120)
    paid = read_adapting(Adapting(model, sizes, 0.05, 0.01), tokens, 0, 10, ContinuousCache(30, [0.5]))
    for place in (37, 40, 41, 99):  # within windows, and where they begin
        other = tokens.copy()
        other[place] = tokens[place] % (SYMBOLS - 1) + 1
        changed = read_adapting(Adapting(model, sizes, 0.05, 0.01), other, 0, 10, ContinuousCache(30, [0.5]))
        before = place - 1  # targets before the one that is changed
        assert changed.nats[:before].equal(paid.nats[:before])
        assert paid.cached is not None
        assert changed.cached is not None
        assert changed.cached[:, :before].nan_to_num(-1).equal(paid.cached[:, :before].nan_to_num(-1))
        assert not changed.nats[place + 12 :].equal(paid.nats[place + 12 :])  # and later it is learnt from


@pytest.mark.parametrize(
    "settings",
    [{}, {"softmax": "adaptive", "cutoffs": (4,)}, {"softmax": "sampled", "samples": 3}, {"narrow_last": True}],
)
def test_a_rate_of_zero_is_the_model(settings: dict[str, object]) -> None:
    model, tokens = net(**settings), text()
    paid = read_adapting(Adapting(model, sizes_of(model), 0.0, 0.5), tokens, 0, 16)
    inputs, targets = (torch.from_numpy(each.astype(np.int64))[:, None] for each in (tokens[:-1], tokens[1:]))
    plain = model.surprisals(inputs, targets, None, inputs == 0)[0][:, 0].double()
    torch.testing.assert_close(paid.nats, plain, rtol=1e-5, atol=1e-5)


def test_it_learns_what_repeats_and_forgets_nothing_of_the_run() -> None:
    model = net()
    tokens = np.tile(np.array([1, 2, 3, 4, 5], dtype=np.uint8), 60)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = model.training, [parameter.requires_grad for parameter in model.parameters()]
    sizes = sizes_of(model)
    paid = read_adapting(Adapting(model, sizes, 0.05, 0.0), tokens, 0, 10)
    assert paid.nats[-50:].mean() < 0.5 * paid.nats[:50].mean()
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())
    assert modes == (model.training, [parameter.requires_grad for parameter in model.parameters()])
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_full_pull_is_the_model_again() -> None:
    """Where the decay brings every weight all of the way back."""
    model = net()
    sizes = [torch.ones_like(parameter) for parameter in model.parameters()]
    adapting = Adapting(model, sizes, 0.0, 1.0)
    with torch.no_grad():
        for parameter in adapting.net.parameters():
            parameter += 1
    symbols = torch.ones(3, 1, dtype=torch.int64)
    adapting.read(symbols, symbols, None, None)
    pairs = zip(adapting.net.parameters(), model.parameters(), strict=True)
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in pairs)


def test_gradient_sizes_are_those_of_windows() -> None:
    model, part = net(), Part(text(100, 3), 1, 100)
    rows, window = 9, 11  # all that 99 steps give
    got = gradient_sizes(model, part, 0, window)
    lanes = torch.from_numpy(part.tokens.astype(np.int64))
    inputs, targets = lanes[:-1].view(rows, window).T, lanes[1:].view(rows, window).T
    own = deepcopy(model).eval()
    logits, _ = own(inputs, None, inputs == 0)
    nats = -logits.log_softmax(-1).gather(-1, targets[..., None]).mean()
    want = torch.autograd.grad(nats, list(own.parameters()))
    for size, gradient in zip(got, want, strict=True):
        torch.testing.assert_close(size, gradient.abs(), rtol=1e-4, atol=1e-7)
    assert mean_of(got) == pytest.approx(float(torch.cat([size.flatten() for size in got]).mean()), rel=1e-5)


def test_noise_of_training_stays_out() -> None:
    quiet, noisy = net(), net(dropout=0.5, weight_drop=0.5, embedding_dropout=0.2, input_dropout=0.3)
    noisy.load_state_dict(quiet.state_dict())
    noisy.train()
    paid = [read_adapting(Adapting(one, sizes_of(one), 0.02, 0.1), text(60), 0, 10).nats for one in (quiet, noisy)]
    assert paid[0].equal(paid[1])
    assert noisy.training


def test_what_cannot_be_is_refused() -> None:
    for words, said in (
        ({"rate": -1.0}, "--dynamic-rate is -1.0; expected 0 or more"),
        ({"rate": math.nan}, "--dynamic-rate is nan"),
        ({"decay": 1.5}, "--dynamic-decay is 1.5; expected 0"),
        ({"decay": -0.1}, "--dynamic-decay is -0.1"),
        ({"window": 0}, "--dynamic-window is 0; expected at least 1"),
    ):
        with pytest.raises(InputError, match=said):
            DynamicSettings(**words)  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match=r"the training part has 5 tokens; .* pass a smaller --dynamic-window"):
        gradient_sizes(net(), Part(text(5), 1, 5), 0, 20)
