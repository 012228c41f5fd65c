"""`TimeDelayModel`, held to the equations of Bengio et al. 2003 written out in numpy; in parts it is the whole."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from peephole.errors import InputError
from peephole.models.language.config import LanguageConfig
from peephole.models.language.model import LanguageModel
from peephole.models.language.time_delay import TimeDelayModel, language_model

SYMBOLS, STEPS, ROWS = 11, 9, 3
SIZES: dict[str, Any] = {"layers": 1, "hidden_size": 7, "embedding_size": 4, "dropout": 0.0}
CASES = [(1, False), (1, True), (3, False), (3, True), (STEPS + 4, False)]
NUMBERS = np.random.default_rng(5)
TEXT = torch.from_numpy(NUMBERS.integers(1, SYMBOLS, (STEPS + 1, ROWS)))
RESETS = torch.zeros(STEPS, ROWS, dtype=torch.bool)
RESETS[0, 1] = RESETS[4, 1] = RESETS[5, 1] = RESETS[8, 2] = True


def made(context: int, direct: bool = False, **settings: Any) -> TimeDelayModel:
    torch.manual_seed(3)
    model = language_model(SYMBOLS, LanguageConfig(**{**SIZES, **settings}, context=context, direct=direct))
    assert isinstance(model, TimeDelayModel)
    return model.double()


def bengio(
    parameters: dict[str, NDArray[np.float64]], context: int, direct: bool, tied: bool = False
) -> NDArray[np.float64]:
    """−log P of every next word, `[T, B]`, one word at a time: y = b + Wx + U tanh(d + Hx)."""
    table, bias = parameters["embedding.weight"], parameters["head.bias"]
    output = table if tied else parameters["head.weight"]
    nats = np.zeros((STEPS, ROWS))
    for row in range(ROWS):
        seen: list[int] = []
        for t in range(STEPS):
            if RESETS[t, row]:
                seen = []
            seen.append(int(TEXT[t, row]))
            past = ([0] * context + seen)[-context:]
            x = np.concatenate([table[word] for word in past])
            hidden = np.tanh(parameters["delay.hidden.bias"] + parameters["delay.hidden.weight"] @ x)
            y = bias + output[:, : len(hidden)] @ hidden
            if direct:
                y = y + output[:, len(hidden) :] @ x
            nats[t, row] = np.log(np.exp(y).sum()) - y[int(TEXT[t + 1, row])]
    return nats


@pytest.mark.parametrize(("context", "direct"), CASES)
def test_forward_and_gradient_are_those_of_the_paper(context: int, direct: bool) -> None:
    model = made(context, direct)
    weights = torch.from_numpy(NUMBERS.uniform(0.5, 2.0, (STEPS, ROWS)))
    total, _ = model(TEXT[:-1], None, RESETS, targets=TEXT[1:], weights=weights)
    total.backward()
    parameters = {name: value.detach().numpy().copy() for name, value in model.named_parameters()}
    own, _ = model.surprisals(TEXT[:-1], TEXT[1:], None, RESETS)
    expected = bengio(parameters, context, direct)
    assert np.abs(own.numpy() - expected).max() <= 1e-12

    def divergence() -> float:
        return float((weights.numpy() * bengio(parameters, context, direct)).sum())

    for name, value in model.named_parameters():
        assert value.grad is not None
        found = value.grad.numpy().ravel()
        for place in NUMBERS.choice(found.size, min(found.size, 12), replace=False):
            flat, step = parameters[name].reshape(-1), 1e-5
            before = flat[place]
            flat[place] = before + step
            above = divergence()
            flat[place] = before - step
            slope = (above - divergence()) / (2 * step)
            flat[place] = before
            assert abs(found[place] - slope) <= 1e-7 * max(1.0, abs(slope)), (name, place)


def test_tied_weights_are_the_table() -> None:
    model = made(3, hidden_size=4, tied=True)
    parameters = {name: value.detach().numpy() for name, value in model.named_parameters()}
    assert "head.weight" not in parameters
    own, _ = model.surprisals(TEXT[:-1], TEXT[1:], None, RESETS)
    assert np.abs(own.numpy() - bengio(parameters, 3, False, tied=True)).max() <= 1e-12


@pytest.mark.parametrize(("context", "direct"), CASES)
def test_in_windows_and_step_by_step_it_is_the_whole_text(context: int, direct: bool) -> None:
    model = made(context, direct)
    whole, end = model.surprisals(TEXT[:-1], TEXT[1:], None, RESETS)
    (whole_gradient,) = torch.autograd.grad(_total(model, [STEPS]), [model.embedding.weight])
    for parts in ([2, 1, 6], [1] * STEPS):
        states, found = None, list[Tensor]()
        for inputs, targets, resets in zip(*(each.split(parts) for each in (TEXT[:-1], TEXT[1:], RESETS)), strict=True):
            nats, states = model.surprisals(inputs, targets, states, resets)
            found.append(nats)
        assert (torch.cat(found) - whole).abs().max() <= 1e-12
        assert states is not None
        assert all(map(torch.equal, states, end))
        (gradient,) = torch.autograd.grad(_total(model, parts), [model.embedding.weight])
        assert (gradient - whole_gradient).abs().max() <= 1e-12  # windows cut nothing off


def _total(model: TimeDelayModel, parts: list[int]) -> Tensor:
    states, total = None, torch.zeros((), dtype=torch.float64)
    for inputs, targets, resets in zip(*(each.split(parts) for each in (TEXT[:-1], TEXT[1:], RESETS)), strict=True):
        divergence, states = model(inputs, states, resets, targets=targets)
        total = total + divergence
    return total


def test_rows_end_at_their_lengths() -> None:
    model, lengths = made(4), torch.tensor([9, 1, 3])
    outputs, (queue,) = model.features(TEXT[:-1], lengths=lengths)
    for row, length in enumerate(lengths.tolist()):
        alone, (end,) = model.features(TEXT[:length, row : row + 1])
        assert (outputs[:length, row] - alone[:, 0]).abs().max() <= 1e-12
        assert not outputs[length:, row].any()
        assert torch.equal(queue[:, row], end[:, 0])


def test_streams_are_the_forward_and_their_states_can_be_kept() -> None:
    model = made(4, True, softmax="full").float().eval()
    stream = model.stream(ROWS)
    assert stream.engine == "stepwise"
    stepped = torch.stack([stream.step(step) for step in TEXT])
    expected = torch.log_softmax(model(TEXT)[0], -1).detach()
    assert (stepped - expected).abs().max() <= 1e-6
    kept = stream.states()
    after = stream.step(TEXT[0])
    stream.put_states(kept)
    assert torch.equal(stream.step(TEXT[0]), after)
    with pytest.raises(InputError, match="a net without recurrence cannot be packed"):
        model.stream(weights="int8")


def test_dropout_is_of_training_alone() -> None:
    model = made(3, dropout=0.5, input_dropout=0.5, embedding_dropout=0.5)
    quiet = made(3)
    quiet.load_state_dict(model.state_dict())
    assert torch.equal(model.eval()(TEXT)[0], quiet.eval()(TEXT)[0])
    torch.manual_seed(0)
    assert not torch.equal(model.train()(TEXT)[0], quiet(TEXT)[0])


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"context": -1}, "--context is -1; expected 1 to 100"),
        ({"context": 0, "direct": True}, "--direct is of a net without recurrence; give --context"),
        ({"layers": 2}, "--layers is 2; a net with --context has one tanh layer"),
        ({"proj_size": 3}, "--proj-size is of a recurrent net"),
        ({"peephole": "diagonal"}, "--peephole is of a recurrent net"),
        ({"cell": "gru"}, "--cell is of a recurrent net"),
        ({"weight_drop": 0.5}, "--weight-drop is of a recurrent net"),
        ({"init": "identity"}, "--init is 'identity'; expected torch, orthogonal or uniform"),
        ({"direct": True, "tied": True}, "--tied makes the output of vectors alone, and --direct of more"),
    ],
)
def test_settings_that_do_not_go_together(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        LanguageConfig(**{**SIZES, "context": 2, **settings})


def test_a_recurrent_net_is_made_of_a_configuration_without_context() -> None:
    config = LanguageConfig(**SIZES, context=2)
    assert type(language_model(SYMBOLS, replace(config, context=0))) is LanguageModel
    with pytest.raises(InputError, match=r"expected language_model\(…\)"):
        LanguageModel(SYMBOLS, config)
