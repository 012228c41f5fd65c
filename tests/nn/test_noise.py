"""Recurrent dropout, zoneout and weight drop: what each does, to what, and from which random numbers."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from peephole.errors import InputError
from peephole.nn.explanation import explain_backend
from peephole.nn.layers import GRU, LSTM, RNN
from peephole.nn.recurrent import Recurrent
from peephole.reference.noise import RECURRENT, WEIGHT, ZONEOUT, chosen, dropout_mask
from peephole.spec import CellSpec

from ..cells import MATRIX
from .step_by_step import step_by_step

T, B, I, H, P = 6, 3, 4, 5, 3
SEED = 11
LENGTHS, TOLERANCE = [6, 0, 3], 1e-12
DROPPABLE = {name: spec for name, spec in MATRIX.items() if spec.residual != "input"}
ALL: dict[str, Any] = {"recurrent_dropout": 0.4, "zoneout": 0.3, "weight_drop": 0.3}


def build(spec: CellSpec, seed: int = 0, **options: Any) -> Recurrent:
    torch.manual_seed(seed)
    arguments: dict[str, Any] = {"dtype": torch.float64, "proj_size": P if spec.projected else 0} | options
    layer = Recurrent(spec, I, H, **arguments)
    with torch.no_grad():
        for parameter in layer.parameters():  # so that no part is too small to be missed
            parameter.mul_(1.7)
    return layer


def any_of(layer: Recurrent) -> Any:
    """The layer itself; its parameters are known by name while it runs only."""
    return layer


def inputs(layer: Recurrent, seed: int = 1, dtype: torch.dtype = torch.float64) -> tuple[Tensor, list[Tensor]]:
    torch.manual_seed(seed)
    x = torch.randn(T, B, I, dtype=dtype)
    count = layer.num_layers * layer.num_directions
    sizes = layer.spec.state_sizes(H, P if layer.spec.projected else 0)
    return x, [torch.randn(count, B, size, dtype=dtype) for size in sizes]


def given(states: list[Tensor]) -> Any:
    return states[0] if len(states) == 1 else tuple(states)


def listed(finals: Any) -> list[Tensor]:
    return [finals] if isinstance(finals, Tensor) else list(finals)


def far(one: Tensor, two: Tensor) -> float:
    return float((one - two).detach().abs().max())


def same(got: tuple[Tensor, Any], want: tuple[Tensor, Any]) -> None:
    assert got[0].shape == want[0].shape
    assert far(got[0], want[0]) <= TOLERANCE
    for one, two in zip(listed(got[1]), listed(want[1]), strict=True):
        assert one.shape == two.shape
        assert far(one, two) <= TOLERANCE


def zoned(spec: CellSpec, h: float = 0.3, c: float = 0.6) -> dict[str, Any]:
    return {"zoneout": h} | ({"zoneout_cell": c} if "c" in spec.states else {})


# --- zoneout ---


@pytest.mark.parametrize("name", ["lstm FGR", "gru", "rnn 3 taps"])
def test_zoneout_zero_is_none(name: str) -> None:
    spec = MATRIX[name]
    layer = build(spec, zoneout=0.0, zoneout_cell=0.0, recurrent_dropout=0.0, weight_drop=0.0)
    x, states = inputs(layer)
    got, want = layer(x, given(states), seed=SEED), build(spec)(x, given(states))
    assert torch.equal(got[0], want[0])


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", MATRIX)
def test_zoneout_one_keeps_the_state_exactly(name: str, training: bool) -> None:
    spec = MATRIX[name]
    layer = build(spec, zoneout=1.0).train(training)
    x, states = inputs(layer)
    y, finals = layer(x, given(states), seed=SEED)
    assert torch.equal(y, states[0].expand_as(y))
    assert torch.equal(listed(finals)[0], states[0])
    if "c" in spec.states:
        assert not torch.equal(finals[1], states[1])
        y, finals = build(spec, zoneout_cell=1.0).train(training)(x, given(states), seed=SEED)
        assert torch.equal(finals[1], states[1])
        assert not torch.equal(finals[0], states[0])


@pytest.mark.parametrize("name", MATRIX)
def test_zoneout_is_a_mask_in_training_and_a_mixture_after_it(name: str) -> None:
    spec = MATRIX[name]
    layer = build(spec, **zoned(spec))
    x, states = inputs(layer)
    same(layer(x, given(states), seed=SEED), step_by_step(layer, x, states, seed=SEED))
    layer.eval()
    after = layer(x, given(states))
    same(after, step_by_step(layer, x, states))
    assert torch.equal(after[0], layer(x, given(states), seed=SEED)[0])  # nothing is drawn
    assert far(after[0], build(spec).eval()(x, given(states))[0]) > 1e-3


@pytest.mark.parametrize("shares", [(0.3, 0.0), (0.0, 0.5), (0.2, 0.5)])
@pytest.mark.parametrize("training", [True, False])
def test_zoneout_of_an_lstm_as_krueger_writes_it(shares: tuple[float, float], training: bool) -> None:
    """Eq. 4 of Krueger et al. 2017: the new h is made of the fresh c, before zoneout of either."""
    layer = any_of(build(CellSpec("lstm"), zoneout=shares[0], zoneout_cell=shares[1]).train(training))
    x, states = inputs(layer)
    key = torch.tensor(SEED)
    keep_h, keep_c = (
        chosen(share, key, ZONEOUT + place, 0, T, B, H, x.dtype)
        if training
        else torch.full((T, B, H), share, dtype=x.dtype)
        for place, share in enumerate(shares)
    )
    h, c = states[0][0], states[1][0]
    outputs = []
    for t in range(T):
        z = x[t] @ layer.weight_ih_l0.T + layer.bias_ih_l0 + h @ layer.weight_hh_l0.T + layer.bias_hh_l0
        i, f, g, o = z.chunk(4, dim=-1)
        fresh = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = keep_h[t] * h + (1 - keep_h[t]) * o.sigmoid() * fresh.tanh()
        c = keep_c[t] * c + (1 - keep_c[t]) * fresh
        outputs.append(h)
    same(layer(x, given(states), seed=SEED), (torch.stack(outputs), (h[None], c[None])))


def test_while_training_each_unit_of_each_step_keeps_its_state_or_not() -> None:
    layer = build(CellSpec("gru"), zoneout=0.5)
    x, states = inputs(layer)
    y, _ = layer(x, given(states), seed=SEED)
    kept = torch.cat([states[0], y[:-1]]) == y
    assert torch.equal(kept, chosen(0.5, torch.tensor(SEED), ZONEOUT, 0, T, B, H, torch.bool))
    assert 0 < int(kept.sum()) < kept.numel()


# --- recurrent dropout ---


@pytest.mark.parametrize("name", DROPPABLE)
def test_recurrent_dropout_is_of_the_recurrent_product_alone(name: str) -> None:
    """It equals weights without the columns of the units dropped: the same ones at all steps, for all gates."""
    spec = DROPPABLE[name]
    layer = build(spec, recurrent_dropout=0.4)
    x, states = inputs(layer)
    got = layer(x, given(states), seed=SEED)
    same(got, step_by_step(layer, x, states, seed=SEED))
    layer.eval()
    after = layer(x, given(states), seed=SEED)
    same(after, build(spec)(x, given(states)))
    assert far(got[0], after[0]) > 1e-4


def test_recurrent_dropout_by_hand() -> None:
    mask = dropout_mask(0.4, torch.tensor(SEED), RECURRENT, 0, B, H, torch.float64)
    assert bool((mask == 0).any())

    layer = any_of(build(CellSpec("rnn"), recurrent_dropout=0.4))
    x, (h,) = inputs(layer)
    h, want = h[0], []
    for t in range(T):
        z = x[t] @ layer.weight_ih_l0.T + layer.bias_ih_l0 + (h * mask) @ layer.weight_hh_l0.T + layer.bias_hh_l0
        h = z.tanh()
        want.append(h)
    same(layer(x, inputs(layer)[1][0], seed=SEED), (torch.stack(want), h[None]))

    layer = any_of(build(CellSpec("gru"), recurrent_dropout=0.4))
    h, want = inputs(layer)[1][0][0], []
    for t in range(T):
        r_x, z_x, n_x = (x[t] @ layer.weight_ih_l0.T + layer.bias_ih_l0).chunk(3, dim=-1)
        r_h, z_h, n_h = ((h * mask) @ layer.weight_hh_l0.T + layer.bias_hh_l0).chunk(3, dim=-1)
        z = (z_x + z_h).sigmoid()
        h = z * h + (1 - z) * (n_x + (r_x + r_h).sigmoid() * n_h).tanh()  # z weighs all of h
        want.append(h)
    same(layer(x, inputs(layer)[1][0], seed=SEED), (torch.stack(want), h[None]))

    layer = any_of(build(CellSpec("lstm"), recurrent_dropout=0.4))
    h, c = (state[0] for state in inputs(layer)[1])
    want = []
    for t in range(T):
        z = x[t] @ layer.weight_ih_l0.T + layer.bias_ih_l0 + (h * mask) @ layer.weight_hh_l0.T + layer.bias_hh_l0
        i, f, g, o = z.chunk(4, dim=-1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        want.append(h)
    same(layer(x, given(inputs(layer)[1]), seed=SEED), (torch.stack(want), (h[None], c[None])))


def test_a_net_that_only_sums_shows_what_is_dropped() -> None:
    """residual="full" with a zero recurrent matrix, and a GRU that always keeps: neither loses anything of h."""
    layer = any_of(build(CellSpec("rnn", residual="full"), recurrent_dropout=0.7))
    keeping = any_of(build(CellSpec("gru"), recurrent_dropout=0.7))
    with torch.no_grad():
        layer.weight_hh_l0.zero_()
        keeping.bias_ih_l0[H : 2 * H] = 1e4
    x, (h,) = inputs(layer)
    plain = build(CellSpec("rnn", residual="full"))
    plain.load_state_dict(layer.state_dict())
    same(layer(x, h, seed=SEED), plain(x, h))
    assert torch.equal(keeping(x, h, seed=SEED)[1], h)


# --- weight drop ---


@pytest.mark.parametrize("name", ["lstm FGR", "lstm projected", "gru", "gru before", "rnn 3 taps", "rnn residual full"])
def test_weight_drop_equals_weights_times_the_mask(name: str) -> None:
    spec = DROPPABLE[name]
    layer = build(spec, num_layers=2, bidirectional=True, weight_drop=0.4)
    other = build(spec, num_layers=2, bidirectional=True)
    before = {key: value.clone() for key, value in layer.state_dict().items()}
    x, states = inputs(layer)
    got = layer(x, given(states), seed=SEED)
    with torch.no_grad():
        for index, suffix in enumerate(("_l0", "_l0_reverse", "_l1", "_l1_reverse")):
            weight = getattr(other, f"weight_hh{suffix}")
            weight *= dropout_mask(0.4, torch.tensor(SEED), WEIGHT, index, len(weight), weight.shape[1], weight.dtype)
    same(got, other(x, given(states)))
    assert all(torch.equal(value, before[key]) for key, value in layer.state_dict().items())
    plain = build(spec, num_layers=2, bidirectional=True)
    assert far(got[0], plain(x, given(states))[0]) > 1e-4
    same(layer.eval()(x, given(states), seed=SEED), plain(x, given(states)))
    layer.train()(x, given(states), seed=SEED)[0].sum().backward()
    grad = any_of(layer).weight_hh_l0.grad
    assert grad is not None
    mask = dropout_mask(0.4, torch.tensor(SEED), WEIGHT, 0, len(grad), grad.shape[1], grad.dtype)
    assert not grad[mask == 0].any()
    assert grad.any()


def test_weight_drop_leaves_the_fast_kernels_in_use() -> None:
    layer = LSTM(I, H, weight_drop=0.3)
    assert "  native: " in explain_backend(layer)
    assert "  torch: " in explain_backend(LSTM(I, H, weight_drop=0.3, backend="torch"))


@pytest.mark.usefixtures("without_native")
def test_without_compiled_kernels_noise_in_steps_runs_on_the_equations() -> None:
    layer = LSTM(I, H, zoneout=0.3)
    assert "reference:" in explain_backend(layer)
    assert "no zoneout" in explain_backend(layer)
    layer = LSTM(I, H, recurrent_dropout=0.3)
    assert "reference:" in explain_backend(layer)
    assert "reference:" not in explain_backend(layer.eval())


# --- random numbers ---


@pytest.mark.parametrize("family", ["rnn", "lstm", "gru"])
def test_the_same_seed_is_the_same_result(family: str) -> None:
    layer = build(CellSpec(family), num_layers=2, bidirectional=True, **ALL)
    x, states = inputs(layer)
    generator = torch.get_rng_state()
    want = layer(x, given(states), seed=SEED)
    assert torch.equal(torch.get_rng_state(), generator)
    other = Recurrent(layer.spec, I, H, 2, bidirectional=True, dtype=x.dtype, backend="reference", **ALL)
    other.load_state_dict(layer.state_dict())
    again = layer(x, given(states), seed=torch.tensor(SEED))
    assert torch.equal(again[0], want[0])
    assert all(torch.equal(one, two) for one, two in zip(listed(again[1]), listed(want[1]), strict=True))
    same(other(x, given(states), seed=SEED), want)
    assert far(layer(x, given(states), seed=SEED + 1)[0], want[0]) > 1e-3
    assert far(layer(x, given(states), seed=SEED + 2**32)[0], want[0]) > 1e-3


@pytest.mark.parametrize("noise", [{name: rate} for name, rate in ALL.items()])
def test_without_a_seed_torchs_generator_gives_one(noise: dict[str, Any]) -> None:
    layer = build(CellSpec("lstm"), **noise)
    x, _ = inputs(layer)
    torch.manual_seed(5)
    first, second = layer(x)[0], layer(x)[0]
    assert far(first, second) > 1e-4
    torch.manual_seed(5)
    assert torch.equal(layer(x)[0], first)
    assert torch.equal(layer(x)[0], second)
    layer.eval()
    generator = torch.get_rng_state()
    assert torch.equal(layer(x)[0], layer(x)[0])
    assert torch.equal(torch.get_rng_state(), generator)


@pytest.mark.parametrize("name", ["lstm", "lstm FGR", "lstm projected", "gru before", "rnn 3 taps"])
def test_layers_and_directions_have_masks_of_their_own(name: str) -> None:
    spec = MATRIX[name]
    layer = build(spec, num_layers=3, bidirectional=True, **(ALL | zoned(spec)))
    x, states = inputs(layer)
    same(layer(x, given(states), seed=SEED), step_by_step(layer, x, states, seed=SEED))
    layer.eval()
    same(layer(x, given(states)), step_by_step(layer, x, states))


# --- together with what else a layer can ---


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", ["lstm", "lstm FGR", "gru", "gru before", "rnn 3 taps", "rnn residual full"])
def test_lengths_resets_and_gradients(name: str, training: bool) -> None:
    spec = MATRIX[name]
    layer = build(spec, num_layers=2, bidirectional=True, **(ALL | zoned(spec))).train(training)
    x, states = inputs(layer)
    torch.manual_seed(3)
    resets = torch.rand(T, B) < 0.3
    resets[2, 0] = resets[5, 2] = True  # one past the end of its row
    x.requires_grad_()
    wants = [*layer.parameters(), x]
    for lengths, borders in ((LENGTHS, None), (None, resets), (LENGTHS, resets)):
        got = layer(x, given(states), lengths=lengths, resets=borders, seed=SEED)
        want = step_by_step(layer, x, states, lengths, borders, SEED if training else None)
        same(got, want)
        ours, theirs = (
            torch.autograd.grad(
                y.square().sum() + sum(state.sin().sum() for state in listed(finals)), wants, allow_unused=True
            )
            for y, finals in (got, want)
        )
        for one, two in zip(ours, theirs, strict=True):
            assert one is not None
            assert two is not None
            assert far(one, two) <= 1e-11


@pytest.mark.parametrize("name", ["lstm", "gru", "rnn tanh", "lstm V"])
def test_padding_changes_nothing(name: str) -> None:
    layer = build(MATRIX[name], bidirectional=True, num_layers=2, **ALL)
    x, states = inputs(layer)
    past = torch.arange(T)[:, None] >= torch.tensor(LENGTHS)
    y, finals = layer(x, given(states), lengths=LENGTHS, seed=SEED)
    assert not y[past].any()
    other = x.masked_fill(past[..., None], 1e6)
    again, last = layer(other, given(states), lengths=LENGTHS, seed=SEED)
    assert torch.equal(again, y)
    longer, end = layer(torch.cat([other, other]), given(states), lengths=LENGTHS, seed=SEED)
    assert torch.equal(longer[:T], y)
    for one, two, three in zip(listed(finals), listed(last), listed(end), strict=True):
        assert torch.equal(one, two)
        assert torch.equal(one, three)
    assert torch.equal(listed(finals)[0][:, 1], states[0][:, 1])  # a row without steps ends where it began


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_packed_sequences(name: str) -> None:
    layer = build(MATRIX[name], bidirectional=True, **ALL)
    x, states = inputs(layer)
    lengths = [3, 6, 2]
    y, finals = layer(x, given(states), lengths=lengths, seed=SEED)
    for order in (False, True):
        rows = torch.argsort(torch.tensor(lengths), descending=True) if order else torch.arange(B)
        if order:  # sorted already: the rows have other numbers, so compare with the padded call of those
            y, finals = layer(
                x[:, rows],
                given([s[:, rows] for s in states]),
                lengths=[lengths[row] for row in rows.tolist()],
                seed=SEED,
            )
        packed = pack_padded_sequence(x[:, rows], torch.tensor(lengths)[rows], enforce_sorted=order)
        got, last = layer(packed, given([s[:, rows] for s in states]), seed=SEED)
        assert isinstance(got, PackedSequence)
        same((pad_packed_sequence(got, total_length=T)[0], last), (y, finals))


def test_batch_first_and_unbatched() -> None:
    layer = build(CellSpec("lstm"), zoneout=0.3, recurrent_dropout=0.3)
    x, states = inputs(layer)
    want = layer(x, given(states), seed=SEED)
    other = build(CellSpec("lstm"), zoneout=0.3, recurrent_dropout=0.3, batch_first=True)
    got = other(x.transpose(0, 1), given(states), seed=SEED)
    same((got[0].transpose(0, 1), got[1]), want)
    y, finals = layer(x[:, 0], given([state[:, 0] for state in states]), seed=SEED)
    same((y, finals), (want[0][:, 0], tuple(state[:, 0] for state in want[1])))


@pytest.mark.parametrize("name", ["lstm V", "lstm FGR", "lstm layer norm", "gru", "gru before", "rnn 3 taps"])
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    spec = MATRIX[name]
    torch.manual_seed(0)
    layer = Recurrent(spec, 2, 3, dtype=torch.float64, **(ALL | zoned(spec)))
    x = torch.randn(3, 2, 2, dtype=torch.float64, requires_grad=True)
    h = [torch.randn(1, 2, 3, dtype=torch.float64, requires_grad=True) for _ in spec.states]

    def run(x: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        states, weights = list(rest[: len(h)]), rest[len(h) :]
        named = dict(zip(dict(layer.named_parameters()), weights, strict=True))
        y, finals = torch.func.functional_call(layer, named, (x, given(states)), {"seed": SEED})
        return (y, *listed(finals))

    assert torch.autograd.gradcheck(run, (x, *h, *layer.parameters()), fast_mode=True)


@pytest.mark.parametrize("noise", [{name: rate} for name, rate in ALL.items()] + [ALL])
@pytest.mark.parametrize("family", ["lstm", "gru", "rnn"])
def test_low_precision_and_autocast(family: str, noise: dict[str, Any]) -> None:
    layer = build(CellSpec(family), dtype=torch.float32, bidirectional=True, **noise)
    x, states = inputs(layer, dtype=torch.float32)
    want, _ = layer(x, given(states), seed=SEED)
    with torch.autocast("cpu", torch.bfloat16):
        mixed, finals = layer(x, given(states), lengths=[6, 6, 6], seed=SEED)
    assert mixed.dtype == torch.bfloat16
    assert {state.dtype for state in listed(finals)} == {torch.float32}
    low, _ = layer.to(torch.bfloat16)(x.bfloat16(), seed=SEED, hx=given([state.bfloat16() for state in states]))
    assert low.dtype == torch.bfloat16
    for rough in (mixed, low):
        assert far(rough.float(), want) <= 0.1
        assert float((rough.float() - want).detach().square().mean().sqrt()) <= 0.02
    mixed.float().sum().backward()
    assert all(parameter.grad is not None for parameter in layer.parameters())


COMPILED = """
import copy, sys, torch
from peephole.nn.recurrent import Recurrent
from peephole.spec import parse_spec

torch.set_num_threads(1)
for code in sys.argv[1:]:
    spec = parse_spec(code)
    torch._dynamo.reset()
    torch.manual_seed(0)
    noise = {"zoneout": 0.3, "recurrent_dropout": 0.3, "weight_drop": 0.3}
    layer = Recurrent(spec, 4, 5, bidirectional=len(sys.argv) > 2, learned_states=True, **noise)
    other = copy.deepcopy(layer)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    for steps, batch, seed in ((4, 3, 11), (4, 3, 2**40)):
        x, key = torch.randn(steps, batch, 4), torch.tensor(seed)
        for module in (compiled, other):
            module.zero_grad()
        (got, _), (want, _) = compiled(x, seed=key), other(x, seed=key)
        got.square().sum().backward()
        want.square().sum().backward()
        assert float((got - want).detach().abs().max()) <= 1e-5, (spec.code, seed)
        for one, two in zip(layer.parameters(), other.parameters(), strict=True):
            assert float((one.grad - two.grad).abs().max()) <= 1e-5 * max(1.0, float(two.grad.abs().max()))
    if len(sys.argv) > 2:
        compiled.eval(), other.eval()
        assert float((compiled(x)[0] - other(x)[0]).detach().abs().max()) <= 1e-5
print("equal")
"""


@pytest.fixture
def alone() -> Callable[..., str]:
    """`alone(program, …)`: what it prints in a process of its own, without the checks that break a compiled graph."""

    def run(program: str, *words: str) -> str:
        environment = os.environ | {"PEEPHOLE_NO_HOOK": "1"}
        command = [sys.executable, "-c", program, *words]
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    return run


@pytest.mark.parametrize(
    "codes", [["gru"], pytest.param(["lstm", "gru reset=before", "lstm gate_recurrence=True"], marks=pytest.mark.slow)]
)
def test_compiled_layers_draw_the_same_noise(alone: Callable[..., str], codes: list[str]) -> None:
    assert alone(COMPILED, *codes) == "equal\n"


def test_training_with_noise_learns() -> None:
    torch.manual_seed(0)
    layer = GRU(1, 12, zoneout=0.1, recurrent_dropout=0.1, weight_drop=0.1)
    head = torch.nn.Linear(12, 1)
    x = (torch.rand(8, 32, 1) < 0.5).float()
    target = torch.cat([torch.zeros_like(x[:1]), x[:-1] * 2 - 1])  # the input of the step before
    optimiser = torch.optim.Adam([*layer.parameters(), *head.parameters()], lr=0.03)
    losses = []
    for _ in range(40):
        loss = (head(layer(x)[0]) - target).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] <= 0.5 * losses[0]


# --- refusals ---


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (LSTM, {"zoneout": 1.1}, "zoneout is 1.1; expected a probability from 0 to 1"),
        (LSTM, {"zoneout": -0.1}, "zoneout is -0.1; expected a probability from 0 to 1"),
        (LSTM, {"zoneout_cell": float("nan")}, "zoneout_cell is nan; expected a probability from 0 to 1"),
        (GRU, {"recurrent_dropout": 1.0}, "recurrent_dropout is 1.0; expected a probability from 0 to below 1"),
        (RNN, {"weight_drop": 1.0}, "weight_drop is 1.0; expected a probability from 0 to below 1"),
        (RNN, {"weight_drop": float("inf")}, "weight_drop is inf; expected a probability"),
        (GRU, {"zoneout_cell": 0.1}, "zoneout_cell=0.1 keeps the cell state, and a gru has none"),
        (RNN, {"zoneout_cell": 0.1}, "zoneout_cell=0.1 keeps the cell state, and a rnn has none"),
        (RNN, {"weight_drop": 0.1, "residual": "input"}, "weight_drop drops from the recurrent product, and residual"),
        (RNN, {"recurrent_dropout": 0.1, "residual": "input"}, "recurrent_dropout drops from the recurrent product"),
    ],
)
def test_noise_that_cannot_be_is_refused(kind: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        kind(I, H, **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_a_layer_says_of_itself() -> None:
    assert repr(GRU(I, H, zoneout=0.25, weight_drop=0.5)) == "GRU(4, 5, zoneout=0.25, weight_drop=0.5)"
    assert ", with noise" in explain_backend(GRU(I, H, zoneout=0.25))
    assert ", with noise" not in explain_backend(GRU(I, H, weight_drop=0.25))
