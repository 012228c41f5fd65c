"""SequenceModel: shapes, states that carry on, resets, dropout, and where training starts."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from peephole.errors import InputError
from peephole.models.config import ModelConfig
from peephole.models.inputs import Numbers
from peephole.models.sequence import SequenceModel
from peephole.nn.initialisation import gate_rows
from peephole.spec import SWITCHES, CellSpec

from ..cells import MATRIX

T, B, V, H = 9, 4, 11, 6
CELLS = ["lstm", "gru", "rnn"]


def build(cell: str = "lstm", **options: Any) -> SequenceModel:
    torch.manual_seed(0)
    return SequenceModel(
        V, ModelConfig(**{"cell": cell, "hidden_size": H, "embedding_size": 5, "dropout": 0.0} | options)
    )


@pytest.fixture
def symbols() -> Tensor:
    return torch.randint(0, V, (T, B), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("cell", CELLS)
def test_shapes(cell: str, layers: int, symbols: Tensor) -> None:
    model = build(cell, layers=layers)
    logits, states = model(symbols)
    assert logits.shape == (T, B, V)
    assert logits.dtype == torch.float32
    assert model.vocabulary == V
    assert isinstance(states, tuple)
    assert [state.shape for state in states] == [(layers, B, H)] * (2 if cell == "lstm" else 1)
    zeros = model.initial_states(B)
    assert [state.shape for state in zeros] == [state.shape for state in states]
    assert all(state.dtype == torch.float32 and not state.any() for state in zeros)
    assert torch.equal(model(symbols, zeros)[0], logits)


@pytest.mark.parametrize("cell", CELLS)
def test_it_is_embedding_layers_and_head(cell: str, symbols: Tensor, agree: Callable[..., None]) -> None:
    model = build(cell)
    output, _ = model.recurrent(model.embedding.weight[symbols])
    agree(model(symbols)[0], output @ model.head.weight.T + model.head.bias, 1e-5)


@pytest.mark.parametrize("parts", [[1] * T, [4, 5]], ids=["steps", "halves"])
@pytest.mark.parametrize("cell", CELLS)
def test_states_carry_on(cell: str, parts: list[int], symbols: Tensor, agree: Callable[..., None]) -> None:
    model = build(cell)
    want, want_states = model(symbols)
    outputs, states = [], None
    for part in symbols.split(parts):
        logits, states = model(part, states)
        outputs.append(logits)
    agree(torch.cat(outputs), want, 1e-5)
    for got, state in zip(states, want_states, strict=True):
        agree(got, state, 1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_a_reset_begins_anew(cell: str, symbols: Tensor, agree: Callable[..., None]) -> None:
    model = build(cell)
    before = tuple(torch.randn_like(state) for state in model.initial_states(B))
    resets = torch.zeros(T, B, dtype=torch.bool)
    resets[0, 0] = resets[4, 1] = resets[8, 1] = True
    logits, states = model(symbols, before, resets)
    agree(logits[:, :1], model(symbols[:, :1])[0], 1e-5)
    first = tuple(state[:, 1:2].contiguous() for state in before)
    agree(logits[:4, 1:2], model(symbols[:4, 1:2], first)[0], 1e-5)
    agree(logits[4:8, 1:2], model(symbols[4:8, 1:2])[0], 1e-5)
    last, ends = model(symbols[8:, 1:2])
    agree(logits[8:, 1:2], last, 1e-5)
    for got, end in zip(states, ends, strict=True):
        agree(got[:, 1:2], end, 1e-5)
    rest = tuple(state[:, 2:].contiguous() for state in before)
    agree(logits[:, 2:], model(symbols[:, 2:], rest)[0], 1e-5)


def test_dropout_acts_in_training_only(symbols: Tensor) -> None:
    model = build(dropout=0.5)
    assert not torch.equal(model(symbols)[0], model(symbols)[0])
    model.eval()
    assert torch.equal(model(symbols)[0], model(symbols)[0])
    alone = build(dropout=0.5, layers=1)  # nothing lies between layers: what is dropped is the head's input
    assert alone.recurrent.dropout == 0.0
    assert not torch.equal(alone(symbols)[0], alone(symbols)[0])


def test_the_states_that_carry_on_are_not_dropped(symbols: Tensor) -> None:
    model = build(dropout=0.9, layers=1)
    states = [model(symbols)[1] for _ in range(2)]
    assert all(torch.equal(one, other) for one, other in zip(*states, strict=True))


def test_every_parameter_gets_a_gradient(symbols: Tensor) -> None:
    for cell in CELLS:
        model = build(cell)
        model(symbols)[0].square().sum().backward()
        assert all(bool(parameter.grad.any()) for parameter in model.parameters()), cell


def test_it_starts_as_the_settings_say() -> None:
    model = build(forget_bias=1.5)
    for named in model.recurrent.named_layers():
        total = (named["bias_ih"] + named["bias_hh"]).detach()
        assert torch.equal(total[gate_rows(model.recurrent.spec, "f", H)], torch.full((H,), 1.5))
        for block in named["weight_hh"].detach().chunk(4):
            assert float((block @ block.T - torch.eye(H)).abs().max()) <= 1e-5
    assert not model.head.bias.any()
    assert build("rnn", nonlinearity="relu", init="identity").recurrent.spec.nonlinearity == "relu"
    assert build(backend="reference").recurrent.backend == "reference"


def test_chrono_keeps_its_forget_biases() -> None:
    """`forget_bias` has a default, and it must not undo what chrono drew."""
    model = build(init="chrono", longest=100)
    for named in model.recurrent.named_layers():
        total = (named["bias_ih"] + named["bias_hh"]).detach()
        forget, write = (total[gate_rows(model.recurrent.spec, gate, H)] for gate in "fi")
        assert len(set(forget.tolist())) == H
        assert torch.equal(forget, -write)


def test_states_that_do_not_fit_are_refused(symbols: Tensor) -> None:
    model = build()
    with pytest.raises(InputError, match=r"initial state h has shape \[2, 3, 6\]; expected \[2, 4, 6\]"):
        model(symbols, model.initial_states(3))
    with pytest.raises(InputError, match="got 1 initial states; a lstm has 2: h, c"):
        model(symbols, model.initial_states(B)[:1])


# --- every cell ---


def of_the_matrix(name: str, **options: Any) -> SequenceModel:
    spec = MATRIX[name]
    switches = {switch: value for switch, value in spec.changes.items() if switch in SWITCHES}
    return build(spec.family, proj_size=3 * spec.projected, **switches, **options)


@pytest.mark.parametrize("name", MATRIX)
def test_a_model_of_any_cell(name: str, symbols: Tensor, agree: Callable[..., None]) -> None:
    """Shapes, states that carry on, a reset that begins anew, and a gradient for every parameter."""
    model = of_the_matrix(name, layers=2)
    spec = MATRIX[name]
    assert model.recurrent.spec == model.config.spec == spec
    logits, states = model(symbols)
    assert logits.shape == (T, B, V)
    assert [tuple(state.shape) for state in states] == [(2, B, size) for size in spec.state_sizes(H, 3)]
    outputs, current = [], None
    for part in symbols.split([4, 1, 4]):
        output, current = model(part, current)
        outputs.append(output)
    agree(torch.cat(outputs), logits, 1e-5)
    for got, want in zip(current, states, strict=True):
        agree(got, want, 1e-5)
    resets = torch.zeros(T, B, dtype=torch.bool)
    resets[4] = True
    again, _ = model(symbols, states, resets)
    agree(again[4:], model(symbols[4:])[0], 1e-5)
    model(symbols)[0].square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    still = {key for key, parameter in model.named_parameters() if not parameter.grad.any()}
    assert not still


@pytest.mark.parametrize("name", MATRIX)
def test_the_forget_bias_is_set_where_there_is_a_forget_gate(name: str) -> None:
    """It has a default, so that a cell without one must not mind."""
    spec, model = MATRIX[name], of_the_matrix(name, forget_bias=1.5)
    has_gate = spec.family == "lstm" and spec.bias and spec.forget_gate
    assert model.recurrent.forget_bias == (1.5 if has_gate else None)
    if not has_gate:
        return
    gate, want = ("i", -1.5) if spec.coupled else ("f", 1.5)
    for named in model.recurrent.named_layers():
        total = named["bias_ln"] if spec.layer_norm else named["bias_ih"] + named["bias_hh"]
        assert torch.equal(total.detach()[gate_rows(spec, gate, H)], torch.full((H,), want))


def test_a_preset_and_switches() -> None:
    assert ModelConfig(variant="NFG").spec == CellSpec("lstm", peephole="diagonal", forget_gate=False)
    assert ModelConfig(variant="NFG", peephole="full").spec == CellSpec("lstm", peephole="full", forget_gate=False)
    assert ModelConfig(variant="NP").spec == ModelConfig().spec == CellSpec("lstm")
    assert ModelConfig(proj_size=8).spec == CellSpec("lstm", projected=True)
    assert ModelConfig(cell="gru", reset="before", bias=False).spec == CellSpec("gru", reset="before", bias=False)


def test_states_that_are_learned_are_where_a_text_starts(symbols: Tensor, agree: Callable[..., None]) -> None:
    model = build(learned_states=True, layers=2)
    names = [f"recurrent.state_{state}_l{layer}" for layer in (0, 1) for state in "hc"]
    parameters = dict(model.named_parameters())
    assert [name for name in parameters if "state_" in name] == names
    with torch.no_grad():
        for name in names:
            parameters[name].normal_()
    for state, initial in zip("hc", model.initial_states(B), strict=True):
        want = torch.stack([parameters[f"recurrent.state_{state}_l{layer}"] for layer in (0, 1)])
        assert torch.equal(initial, want[:, None].expand(-1, B, -1))
    logits, _ = model(symbols)
    agree(model(symbols, model.initial_states(B))[0], logits, 1e-6)
    resets = torch.zeros(T, B, dtype=torch.bool)
    resets[5, 1] = True
    agree(model(symbols, None, resets)[0][5:, 1:2], model(symbols[5:, 1:2])[0], 1e-5)
    logits.square().sum().backward()
    assert all(bool(parameters[name].grad.any()) for name in names)


def test_noise_acts_in_training_only_but_for_the_share_of_zoneout(symbols: Tensor) -> None:
    rates = {"recurrent_dropout": 0.3, "zoneout": 0.2, "zoneout_cell": 0.1, "weight_drop": 0.4}
    noise = build(**rates).recurrent.noise
    assert {name: getattr(noise, name) for name in rates} == rates
    for name, rate in rates.items():
        model, plain = build(**{name: rate}), build()
        assert not torch.equal(model(symbols)[0], model(symbols)[0])
        model.eval()
        assert torch.equal(model(symbols)[0], model(symbols)[0])
        assert torch.equal(model(symbols)[0], plain(symbols)[0]) == (not name.startswith("zoneout"))


@pytest.mark.usefixtures("unchecked_annotations")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": 0}, "--layers is 0; expected at least 1"),
        ({"hidden_size": 0}, "--hidden-size is 0; expected at least 1"),
        ({"embedding_size": -3}, "--embedding-size is -3; expected at least 1"),
        ({"dropout": 1.0}, "--dropout is 1.0; expected 0 to below 1"),
        ({"proj_size": 6}, "--proj-size is 6; expected 0 (none) or less than 6"),
        ({"proj_size": -1}, "--proj-size is -1; expected 0 (none) or less than 6"),
        ({"init": "chrono"}, "--init chrono needs --longest, the longest dependency in steps"),
        (
            {"cell": "gru", "proj_size": 2},
            "proj_size is an option of the lstm; a gru cannot project its hidden state",
        ),
        ({"cell": "gru", "variant": "V"}, "variant='V' is a preset of the lstm; a gru has none, set its switches"),
        ({"variant": "X"}, "unknown variant 'X'; choose one of V, NIG, NFG, NOG, NIAF, NOAF, CIFG, NP, FGR"),
        ({"taps": 2}, "taps=2 is a switch of the rnn; a lstm has none"),
        ({"cell": "rnn", "taps": 0}, "taps is 0; expected a whole number of at least 1"),
        (
            {"variant": "CIFG", "input_gate": False},
            "coupled=True makes the forget gate 1 - i, and input_gate=False leaves no i; drop one of them",
        ),
        ({"candidate_peephole": True}, "candidate_peephole=True needs peepholes; set peephole='diagonal' or 'full'"),
    ],
    ids=str,
)
def test_settings_that_fit_no_model(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        ModelConfig(**({"hidden_size": H} | options))
    assert str(caught.value) == message


def test_numbers_go_in_as_they_are(symbols: Tensor) -> None:
    config = ModelConfig(layers=2, hidden_size=H, dropout=0.0)
    model = SequenceModel(Numbers(2), config, 3)
    x = torch.randn(T, B, 2)
    logits, _ = model(x)
    assert logits.shape == (T, B, 3)
    assert model.vocabulary == 0
    assert not any(name.startswith("embedding") for name in model.state_dict())
    first, carried = model(x[:4])
    assert torch.allclose(torch.cat([first, model(x[4:], carried)[0]]), logits, atol=1e-6)
    valued = SequenceModel(Numbers(2), config, 3, valued=True)
    valued.load_state_dict(model.state_dict())
    for net, want in ((model, logits.log_softmax(-1)), (valued, logits)):
        for backend in ("native", "stepwise"):
            stream = net.stream(batch=B, backend=backend)
            stepped = torch.stack([stream.step(step) for step in x])
            assert torch.allclose(stepped, want, atol=1e-5)
    with pytest.raises(InputError, match="got 0 symbols; expected at least 1, or an input layer"):
        SequenceModel(0, config, 3)
    with pytest.raises(InputError, match="got a Linear as input layer"):
        SequenceModel(nn.Linear(2, 3), config, 3)


def test_the_head_may_have_a_size_of_its_own(symbols: Tensor) -> None:
    model = SequenceModel(V, ModelConfig(layers=1, hidden_size=H, embedding_size=5, dropout=0.0), 4)
    assert model(symbols)[0].shape == (T, B, 4)


@pytest.mark.parametrize("cell", CELLS)
def test_a_single_step_of_symbols_runs_on_no_equations(
    cell: str, symbols: Tensor, caplog: pytest.LogCaptureFixture
) -> None:
    model = build(cell)
    whole = model(symbols)[0]
    states, steps = None, []
    for step in symbols.split(1):
        logits, states = model(step, states)
        steps.append(logits)
    assert torch.allclose(torch.cat(steps), whole, atol=1e-6)
    assert not caplog.records


@pytest.mark.parametrize(
    ("cell", "longest", "scheme"),
    [("lstm", 40, "chrono"), ("gru", 40, "chrono"), ("rnn", 40, "orthogonal"), ("lstm", None, "orthogonal")],
)
def test_auto_is_chrono_where_a_gate_forgets_and_the_lag_is_known(cell: str, longest: int | None, scheme: str) -> None:
    found, named = (build(cell, init=init, longest=longest) for init in ("auto", scheme))
    for name, value in named.state_dict().items():
        assert torch.equal(found.state_dict()[name], value), name
