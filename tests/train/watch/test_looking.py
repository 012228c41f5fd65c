"""A look sees what the net's own steps and torch's autograd see, and leaves everything as it was."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from peephole import divergence
from peephole.errors import InputError
from peephole.models.config import ModelConfig
from peephole.models.sequence import SequenceModel
from peephole.models.static import StaticModel
from peephole.reference.sequence import STEPS as EQUATIONS
from peephole.train.watch.looking import LayerSeen, look
from peephole.train.watch.sequences import WatchedSequences

STEPS, ROWS, SYMBOLS = 12, 3, 7
CELLS: dict[str, dict[str, Any]] = {
    "lstm": {"cell": "lstm"},
    "lstm coupled": {"cell": "lstm", "coupled": True},
    "lstm full peephole": {"cell": "lstm", "peephole": "full"},
    "lstm projected": {"cell": "lstm", "proj_size": 3},
    "lstm without forget gate": {"cell": "lstm", "variant": "NFG"},
    "gru": {"cell": "gru"},
    "gru writes": {"cell": "gru", "update": "writes"},
    "rnn": {"cell": "rnn"},
    "lstm layer norm": {"cell": "lstm", "layer_norm": True},
    "lstm gates fed back": {"cell": "lstm", "variant": "FGR"},
    "rnn taps, residual": {"cell": "rnn", "taps": 2, "residual": "full"},
    "rnn softmax": {"cell": "rnn", "nonlinearity": "softmax"},
    "rnn relu": {"cell": "rnn", "nonlinearity": "relu"},
}


def model_of(layers: int = 2, **cell: Any) -> SequenceModel:
    torch.manual_seed(3)
    config = ModelConfig(layers=layers, hidden_size=5, embedding_size=4, **{"dropout": 0.0, **cell})
    model = SequenceModel(SYMBOLS, config)
    with torch.no_grad():
        for parameter in model.recurrent.parameters():
            parameter.normal_(0.0, 0.4)
    return model


def sequences_of(
    steps: int = STEPS, warm: int = 0, resets: Tensor | None = None, count: int = STEPS
) -> WatchedSequences:
    generator = torch.Generator().manual_seed(1)
    symbols, targets = (torch.randint(0, SYMBOLS, (steps, ROWS), generator=generator) for _ in range(2))
    arguments = {"inputs": symbols} | ({} if resets is None else {"resets": resets})
    return WatchedSequences(arguments, lambda logits: divergence.kl(logits, targets), warm, count)


def step_by_step(model: SequenceModel, sequences: WatchedSequences) -> dict[str, dict[str, Tensor]]:
    """The mean ‖∂Div(t)/∂state(t − lag)‖ by lag, of every layer and state, by autograd through single steps."""
    symbols, resets = sequences.arguments["inputs"], sequences.arguments.get("resets")
    names = [name for name in model.recurrent.spec.states if name in ("h", "c")]
    states: Any = None
    kept: list[list[Tensor]] = []  # at each step the states [L, B, ·]
    logits = []
    for t in range(len(symbols)):
        # Layer by layer, so that a layer's h is what the layer above reads: a net of one layer each.
        out, states = layered(model, symbols[t : t + 1], states, None if resets is None else resets[t : t + 1])
        kept.append(
            [state if state.requires_grad else state.clone().requires_grad_() for layer in states for state in layer]
        )
        logits.append(out)
    whole = torch.cat(logits)
    curves: dict[str, dict[str, Tensor]] = {}
    warm = sequences.warm
    rows: dict[int, list[Tensor]] = {}
    single = whole.detach().requires_grad_()
    (seed,) = torch.autograd.grad(sequences.divergence(single), single)
    for t in range(warm, len(symbols)):
        wanted = [state for k in range(warm, t + 1) for state in kept[k]]
        given = torch.autograd.grad(whole[t], wanted, seed[t], retain_graph=True, allow_unused=True)
        each = len(kept[0])
        for k in range(warm, t + 1):
            part = given[(k - warm) * each : (k - warm + 1) * each]
            lengths = [torch.zeros(ROWS) if one is None else one.norm(dim=-1) for one in part]
            rows.setdefault(t - k, []).append(torch.stack(lengths))
    for place in range(len(kept[0])):
        layer, state = divmod(place, len(model.recurrent.spec.states))
        name = model.recurrent.spec.states[state]
        if name in names:
            curve = [torch.stack([one[place] for one in rows[lag]]).mean() for lag in range(len(symbols) - warm)]
            curves.setdefault(f"layer {layer}", {})[name] = torch.stack(curve)
    return curves


def layered(model: SequenceModel, symbols: Tensor, states: Any, resets: Tensor | None) -> tuple[Tensor, Any]:
    """One step through layers that are nets of their own, `states[layer]` being its states `[B, ·]`."""
    net = model.recurrent
    assert model.embedding is not None
    x = model.embedding(symbols[0])
    after = []
    for layer in range(net.num_layers):
        weights = {name: getattr(net, f"{name}_l{layer}") for name in net.spec.parameter_names()}
        before = [state[layer] for state in net.initial_states(ROWS, x)] if states is None else states[layer]
        if resets is not None:
            fresh = [state[layer] for state in net.initial_states(ROWS, x)]
            before = [torch.where(resets[0][:, None], new, old) for new, old in zip(fresh, before, strict=True)]
        after.append(list(EQUATIONS[net.spec.family](net.spec, x, tuple(before), weights, None)))
        x = after[-1][0]
    return model.head(x)[None], after


@pytest.mark.parametrize(("name", "warm"), [("lstm", 0), *((name, 5) for name in CELLS)])
def test_the_flow_is_what_autograd_says(name: str, warm: int, agree: Callable[..., None]) -> None:
    model, sequences = model_of(**CELLS[name]), sequences_of(STEPS + warm, warm)
    seen = look(model, sequences)
    want = step_by_step(model, sequences)
    assert [layer.name for layer in seen] == list(want)
    for layer in seen:
        assert list(layer.flow) == list(want[layer.name])
        for state, curve in layer.flow.items():
            agree(curve, want[layer.name][state].detach(), 2e-5, f"{layer.name} {state}")


def test_resets_cut_the_flow(agree: Callable[..., None]) -> None:
    resets = torch.zeros(STEPS + 4, ROWS, dtype=torch.bool)
    resets[9, 1] = resets[2, 0] = True
    sequences, model = sequences_of(STEPS + 4, 4, resets), model_of()
    seen, want = look(model, sequences), step_by_step(model, sequences)
    for layer in seen:
        for state, curve in layer.flow.items():
            agree(curve, want[layer.name][state].detach(), 2e-5, f"{layer.name} {state}")


@pytest.mark.parametrize("name", CELLS)
def test_states_and_gates_are_those_of_the_net(name: str, agree: Callable[..., None]) -> None:
    model = model_of(layers=1, **CELLS[name]).eval()
    sequences = sequences_of(STEPS + 5, 5)
    (seen,) = look(model, sequences)
    symbols = sequences.arguments["inputs"]
    with torch.no_grad():
        warmed = model(symbols[:5])[1]
        output, finals = model.recurrent(model.embedding(symbols[5:]), warmed if len(warmed) > 1 else warmed[0])  # pyright: ignore
    finals = finals if isinstance(finals, tuple) else (finals,)
    agree(seen.states["h"], output, 1e-5)
    for state, final in zip(model.recurrent.spec.states, finals, strict=True):
        if state in ("h", "c"):
            agree(seen.states[state][-1], final[0], 1e-5)
    if name in ("lstm", "lstm projected"):  # c_t − f c_{t−1} = i g, and h before its projection is o tanh c
        kept = seen.states["c"][1:] - seen.gates["f"][1:] * seen.states["c"][:-1]
        assert bool((kept.abs() <= seen.gates["i"][1:] + 1e-6).all())
    if name == "lstm":
        agree(seen.gates["o"] * seen.states["c"].tanh(), seen.states["h"], 1e-5)
    assert set(seen.gates) == set(model.recurrent.spec.gates) - {"h"}


def everything(model: torch.nn.Module) -> dict[str, Any]:
    found: dict[str, Any] = {name: value.clone() for name, value in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        found[f"{name} gradient"] = None if parameter.grad is None else parameter.grad.clone()
        found[f"{name} wanted"] = parameter.requires_grad
        found[f"{name} place"] = parameter.data_ptr()
    for name, part in model.named_modules():
        found[f"{name} mode"] = part.training
        found[f"{name} hooks"] = len(part._forward_hooks) + len(part._forward_pre_hooks)
    found["torch"] = torch.get_rng_state()
    found["numpy"] = str(np.random.get_state()[1])  # pyright: ignore
    found["grad mode"] = torch.is_grad_enabled()
    return found


@pytest.mark.parametrize("gradients", [True, False])
def test_nothing_is_changed(gradients: bool, caplog: pytest.LogCaptureFixture) -> None:
    model = model_of(dropout=0.5, recurrent_dropout=0.2, zoneout=0.1, weight_drop=0.1).train()
    model.head.eval()
    if gradients:
        model(sequences_of().arguments["inputs"])[0].sum().backward()
    before = everything(model)
    look(model, sequences_of(STEPS, 4))
    after = everything(model)
    assert before.keys() == after.keys()
    for name, value in before.items():
        same = torch.equal(value, after[name]) if isinstance(value, Tensor) else value == after[name]
        assert same, name
    assert not caplog.records, "said that it measures without noise"


def test_without_gradients_enabled(agree: Callable[..., None]) -> None:
    model = model_of()
    usual = look(model, sequences_of())
    with torch.no_grad():
        again = look(model, sequences_of())
    for one, other in zip(usual, again, strict=True):
        for state in one.flow:
            agree(other.flow[state], one.flow[state], 0.0)


def test_targets_are_spread_over_the_steps() -> None:
    """Those of one target at the last step reach every lag; those of three are at 4, 8 and 12 of 12 steps."""
    one, three = (look(model_of(layers=1), sequences_of(count=count))[0].flow["h"] for count in (1, 3))
    assert len(one) == len(three) == STEPS
    (whole,) = look(model_of(layers=1), sequences_of())
    assert not torch.equal(one, whole.flow["h"])
    assert torch.equal(one[8:], three[8:])  # where the last target alone reaches
    assert not torch.equal(one[:8], three[:8])


def test_weights_that_are_not_finite_are_refused() -> None:
    model = model_of()
    with torch.no_grad():
        model.head.weight[0, 0] = torch.nan
    with pytest.raises(InputError, match="not finite"):
        look(model, sequences_of())


def test_hidden_layers_of_a_static_net() -> None:
    torch.manual_seed(0)
    model = StaticModel(2, 2, 4, hidden_size=6, layers=2)
    with torch.no_grad():
        model.hidden[1].bias[:2] = -100.0  # pyright: ignore
    symbols = torch.randint(0, 2, (4, 9))
    seen = look(model, WatchedSequences({"inputs": symbols}, lambda output: output.sum()))
    assert [(layer.name, layer.spec, list(layer.flow)) for layer in seen] == [
        ("layer 0", None, []),
        ("layer 1", None, []),
    ]
    values = torch.nn.functional.one_hot(symbols, 2).float().transpose(0, 1).flatten(1)
    for layer, part in zip(seen, model.hidden, strict=True):
        values = torch.relu(part(values))
        assert torch.equal(layer.states["h"][0], values.detach())
    assert not any(hook for part in model.modules() for hook in part._forward_hooks)


def test_sequences_of_a_task_leave_states_of_one_moment_out() -> None:
    symbols = torch.arange(10)[:, None]
    given = {"inputs": symbols, "states": (torch.ones(1),), "resets": None}
    made = WatchedSequences.of(given, lambda logits: logits.sum())
    assert made.warm == 5
    assert list(made.arguments) == ["inputs"]
    assert made.targets == 8
    small = WatchedSequences.of({"inputs": symbols}, lambda logits: logits.sum(), batch_size=4)
    assert (small.warm, small.targets) == (0, 2)
    assert WatchedSequences.of(given, lambda logits: logits.sum(), batch_size=1).targets == 1


def test_a_layer_seen_is_data() -> None:
    (seen,) = look(model_of(layers=1), sequences_of())
    assert isinstance(seen, LayerSeen)
    assert not any(value.requires_grad for part in (seen.gates, seen.states, seen.flow) for value in part.values())
