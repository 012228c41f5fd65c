"""What a trace shows: against the equations for every cell and loops by hand; and the run itself left as it was."""

import gc
import math
import weakref
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import peephole
from peephole import InputError, trace
from peephole.inside.traced import TracedLayer
from peephole.nn.recurrent import Recurrent

from ..cells import MATRIX

STEPS, BATCH, INPUT, HIDDEN = 13, 3, 4, 19  # more units than one register holds


def net_of(name: str, **options: Any) -> Recurrent:
    torch.manual_seed(3)
    spec = MATRIX[name]
    size = 7 if spec.projected else 0
    return Recurrent(spec, INPUT, HIDDEN, proj_size=size, dtype=torch.float64, **options)


def arguments(masks: Sequence[str]) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(5)
    given: dict[str, Tensor] = {}
    if "lengths" in masks:
        given["lengths"] = torch.tensor([STEPS, 5, 0])
    if "resets" in masks:
        given["resets"] = torch.rand(STEPS, BATCH, generator=generator) < 0.2
    return given


def input_of(dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(STEPS, BATCH, INPUT, dtype=dtype, generator=torch.Generator().manual_seed(1))


def divergence_of(output: Any) -> Tensor:
    """One that weighs every output and final state differently."""
    y, finals = output
    total = y.new_zeros(())
    for part in (y, *((finals,) if isinstance(finals, Tensor) else finals)):
        weights = torch.linspace(-1, 1.7, part.numel(), dtype=part.dtype).view(part.shape)
        total = total + (weights * part).sum()
    return total


def traced(net: nn.Module, x: Tensor, seed: int | None = None, **given: Any) -> tuple[TracedLayer, ...]:
    with trace(net, preactivations=True) as seen:
        options = given if seed is None else given | {"seed": seed}
        divergence_of(net(x, **options)).backward()
    return seen.layers


def agree(one: TracedLayer, other: TracedLayer, tolerance: float) -> None:
    assert one.names == other.names
    for name in one.names:
        error = float((one[name] - other[name]).abs().max())
        assert error <= tolerance, f"{one.name} {name}: {error}"
    assert set(one.contributions) == set(other.contributions)
    for weight, norms in one.contributions.items():
        assert float((norms - other.contributions[weight]).abs().max()) <= 10 * tolerance, weight


@pytest.mark.parametrize("masks", [(), ("lengths", "resets")], ids=["plain", "masked"])
@pytest.mark.parametrize("name", MATRIX)
def test_kernels_show_what_the_equations_do(name: str, masks: tuple[str, ...]) -> None:
    noise = {"recurrent_dropout": 0.3, "zoneout": 0.2} if masks and MATRIX[name].residual != "input" else {}
    noise |= {"zoneout_cell": 0.1} if masks and MATRIX[name].family == "lstm" else {}
    net = net_of(name, bidirectional=True, backend="native", **noise)
    slow = net_of(name, bidirectional=True, backend="reference", **noise)
    slow.load_state_dict(net.state_dict())
    seed = 11 if masks else None
    fast = traced(net, input_of(), seed, **arguments(masks))
    for one, other in zip(fast, traced(slow, input_of(), seed, **arguments(masks)), strict=True):
        assert (one.by, other.by) == ("the compiled kernels", "the equations, step by step")
        agree(one, other, 1e-10)


def test_the_trace_is_that_of_a_loop_by_hand() -> None:
    """Each step of torch's LSTM equations with weights of its own, whose gradients are the steps' contributions."""
    net = peephole.LSTM(INPUT, HIDDEN, dtype=torch.float64)
    x = input_of()
    (layer,) = traced(net, x)
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    h = c = torch.zeros(BATCH, HIDDEN, dtype=torch.float64)
    hs, cs, gates, copies = [], [], [], []
    for t in range(STEPS):
        w_ih, w_hh, b_ih, b_hh = weights = [getattr(net, name).detach().clone().requires_grad_() for name in names]
        copies.append(weights)
        z = x[t] @ w_ih.t() + b_ih + h @ w_hh.t() + b_hh
        i, f, g, o = z.chunk(4, dim=-1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        for state in (h, c):
            state.retain_grad()
        hs.append(h)
        cs.append(c)
        gates.append([z, i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()])
    divergence_of((torch.stack(hs), (h[None], c[None]))).backward()
    for t in range(STEPS):
        z, *values = gates[t]
        for name, value, before in zip("ifgo", values, z.chunk(4, dim=-1), strict=True):
            torch.testing.assert_close(layer[name][t], value.detach(), rtol=0, atol=1e-13)
            torch.testing.assert_close(layer.preactivations[name][t], before.detach(), rtol=0, atol=1e-13)
        torch.testing.assert_close(layer["c"][t], cs[t].detach(), rtol=0, atol=1e-13)
        torch.testing.assert_close(layer.gradients["h"][t], hs[t].grad, rtol=0, atol=1e-12)
        torch.testing.assert_close(layer.gradients["c"][t], cs[t].grad, rtol=0, atol=1e-12)
        for place, weight in enumerate(("weight_ih", "weight_hh", "bias_ih")):
            norm = copies[t][place].grad.norm()
            torch.testing.assert_close(layer.contributions[weight][t], norm, rtol=1e-10, atol=1e-12)
    norms = torch.stack([torch.cat([each.grad.flatten() for each in copies[t][:3]]).norm() for t in range(STEPS)])
    torch.testing.assert_close(layer.shares, norms / norms.sum(), rtol=1e-10, atol=0)


@pytest.mark.parametrize("taps", [1, 3])
def test_contributions_of_rows_and_taps(taps: int) -> None:
    """A batch row alone has the outer product's norm: ‖dz‖ times ‖what the product saw‖, as a loop by hand has it."""
    net = peephole.RNN(INPUT, HIDDEN, taps=taps, dtype=torch.float64)
    x = input_of()[:, :1]
    (layer,) = traced(net, x)
    past = [torch.zeros(1, HIDDEN, dtype=torch.float64)] * taps
    dz = layer.gradients["h"] * (1 - layer["h"].square())
    for t in range(STEPS):
        seen = torch.cat(past, dim=-1)
        expected = dz[t].norm() * seen.norm()
        torch.testing.assert_close(layer.contributions["weight_hh"][t], expected, rtol=1e-10, atol=1e-12)
        past = [layer["h"][t], *past[:-1]]


def test_symbols_contribute_as_what_they_stand_for() -> None:
    torch.manual_seed(0)
    net = peephole.GRU(7, 5, dtype=torch.float64)
    symbols, embedding = torch.randint(0, 6, (9, 4)), torch.randn(6, 7, dtype=torch.float64)
    with trace(net) as of_symbols:
        divergence_of(net(symbols, embedding=embedding)).backward()
    with trace(net) as of_vectors:
        divergence_of(net(embedding[symbols])).backward()
    agree(of_symbols.layers[0], of_vectors.layers[0], 1e-12)


RUNS = {
    "native": {},
    "native, two layers": {"num_layers": 2, "bidirectional": True},
    "recompute": {"recompute": True},
    "torch": {"backend": "torch"},
    "reference": {"backend": "reference"},
    "noise": {"zoneout": 0.2, "zoneout_cell": 0.1, "recurrent_dropout": 0.2, "weight_drop": 0.1},
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
@pytest.mark.parametrize("run", RUNS)
def test_a_traced_run_is_the_untraced_one(run: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    net = peephole.LSTM(INPUT, HIDDEN, dtype=torch.float64 if dtype == torch.float64 else torch.float32, **RUNS[run])
    x = torch.randn(70, BATCH, INPUT, dtype=next(net.parameters()).dtype, requires_grad=True)

    def once() -> list[Tensor]:
        net.zero_grad()
        x.grad = None
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            output, finals = net(x, seed=4)
        (output.float().square().sum() + finals[1].sum()).backward()
        gradients = [parameter.grad for parameter in net.parameters()]
        return [tensor.detach().clone() for tensor in (output, *finals, *gradients, x.grad) if tensor is not None]

    untraced = once()
    with trace(net, preactivations=True) as seen:
        looked_at = once()
    assert all(torch.equal(one, other) for one, other in zip(untraced, looked_at, strict=True))
    layer = seen.layers[-1]
    assert set(layer.names) == {*"ifgohc", "z_i", "z_f", "z_g", "z_o", "d_h", "d_c"}
    assert math.isclose(float(layer.shares.sum()), 1.0, rel_tol=1e-5)


@pytest.mark.parametrize("run", ["native", "recompute", "reference", "torch"])
def test_without_gradients_and_with_a_filter(run: str) -> None:
    """A filter keeps the same numbers, whether a segment is run again for them or not."""
    net = peephole.LSTM(INPUT, HIDDEN, dtype=torch.float64, bidirectional=True, **RUNS[run])
    x = torch.randn(75, BATCH, INPUT, dtype=torch.float64)
    with trace(net, preactivations=True) as everything:
        divergence_of(net(x)).backward()
    steps, rows, units = [0, 31, 32, 33, 74], [2, 0], slice(15, 18)
    with trace(net, preactivations=True, steps=steps, rows=rows, units=units) as part:
        divergence_of(net(x)).backward()
    with torch.no_grad(), trace(net, preactivations=True, steps=steps, rows=rows, units=units) as silent:
        assert torch.equal(net(x)[0], net.eval()(x)[0])
    for whole, one, other in zip(everything.layers, part.layers, silent.calls[0].layers, strict=True):
        assert [one.steps.tolist(), one.rows.tolist(), one.units.tolist()] == [steps, [0, 2], [15, 16, 17]]
        for name in one.names:
            expected = whole[name][steps][:, [0, 2], 15:18]
            torch.testing.assert_close(one[name], expected, rtol=0, atol=1e-14)
            if not name.startswith("d_"):
                torch.testing.assert_close(other[name], expected, rtol=0, atol=1e-14)
        torch.testing.assert_close(one.contributions["weight_hh"], whole.contributions["weight_hh"][steps])


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
@pytest.mark.parametrize("layout", ["time first", "batch first", "unbatched", "packed"])
def test_torch_modules_through_a_copy(kind: Any, layout: str, caplog: pytest.LogCaptureFixture) -> None:
    torch.manual_seed(0)
    module = kind(INPUT, HIDDEN, 2, bidirectional=True, batch_first=layout == "batch first").double()
    ours = peephole.from_torch(module)
    x: Any = input_of()
    if layout == "batch first":
        x = x.transpose(0, 1)
    elif layout == "unbatched":
        x = x[:, 0]
    elif layout == "packed":
        x = nn.utils.rnn.pack_padded_sequence(x, torch.tensor([5, STEPS, 2]), enforce_sorted=False)

    def run(net: nn.Module) -> tuple[TracedLayer, ...]:
        with trace(net, preactivations=True) as seen:
            output, finals = net(x)
            divergence_of((output.data if layout == "packed" else output, finals)).backward()
        return seen.layers

    for one, other in zip(run(module), run(ours), strict=True):
        assert one.by == f"a copy of torch.nn.{kind.__name__} in peephole's layers"
        agree(one, other, 1e-12)
    assert all(parameter.grad is not None for parameter in module.parameters())


def test_hidden_dropout_of_torch_is_refused() -> None:
    module = nn.LSTM(3, 4, 2, dropout=0.5)
    with trace(module), pytest.raises(InputError, match="drops outputs between its layers"):
        module(torch.zeros(5, 1, 3))
    with trace(module.eval()) as seen:
        module(torch.zeros(5, 1, 3))
    assert len(seen.layers) == 2


def test_cells_of_ones_own() -> None:
    @peephole.register_cell("leaky_of_trace", gates=("u",), states=("h",))
    def step(z: dict[str, Tensor], states: tuple[Tensor, ...], weights: dict[str, Tensor]) -> tuple[Tensor, ...]:
        return (0.5 * states[0] + torch.tanh(z["u"] + states[0] @ weights["weight_hh"].t()),)

    (layer,) = traced(Recurrent("leaky_of_trace", INPUT, HIDDEN, dtype=torch.float64), input_of())
    assert layer.names == ("h", "z_u", "d_h")
    assert set(layer.contributions) == {"weight_ih", "bias_ih"}


def test_learned_states_resets_and_several_calls() -> None:
    net = peephole.GRU(INPUT, HIDDEN, learned_states=True, dtype=torch.float64)
    slow = peephole.GRU(INPUT, HIDDEN, learned_states=True, dtype=torch.float64, backend="reference")
    with torch.no_grad():
        net.state_h_l0.uniform_(-1, 1)
    slow.load_state_dict(net.state_dict())
    given = arguments(("lengths", "resets"))
    agree(traced(net, input_of(), **given)[0], traced(slow, input_of(), **given)[0], 1e-11)
    with trace(net) as seen:
        first, state = net(input_of())
        net(input_of(), state)
    assert len(seen.calls) == 2
    assert torch.equal(seen.calls[0].layers[0]["h"], first.detach())
    with pytest.raises(InputError, match="2 calls were traced"):
        _ = seen.layers


def test_a_second_backward_is_added() -> None:
    net = peephole.LSTM(INPUT, HIDDEN, dtype=torch.float64)
    with trace(net) as seen:
        output = net(input_of())
        divergence_of(output).backward(retain_graph=True)
        once = seen.layers[0].gradients["c"].clone()
        divergence_of(output).backward()
    assert torch.equal(seen.layers[0].gradients["c"], 2 * once)


def test_second_derivatives_pass_through() -> None:
    net = peephole.LSTM(2, 3, dtype=torch.float64)
    x = torch.randn(4, 2, 2, dtype=torch.float64, requires_grad=True)
    with trace(net) as seen:
        (first,) = torch.autograd.grad(net(x)[0].square().sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), x)
    (plain,) = torch.autograd.grad(net(x)[0].square().sum(), x, create_graph=True)
    assert torch.equal(second, torch.autograd.grad(plain.square().sum(), x)[0])
    assert "h" in seen.layers[0].gradients


def test_frame_and_arrays(tmp_path: Any) -> None:
    import numpy as np

    net = peephole.LSTM(INPUT, HIDDEN, proj_size=7)
    with trace(net, units=[0, 6, 12], steps=slice(2, 6)) as seen:
        divergence_of(net(input_of(torch.float32), lengths=[STEPS, 4, 1])).backward()
    frame = seen.frame()
    layer = seen.layers[0]
    assert frame.height == int(layer.alive.sum()) * 3  # pyright: ignore[reportOptionalMemberAccess]
    picked = frame.row(by_predicate=_where(frame, step=3, row=1, unit=6), named=True)
    assert (picked["f"], picked["h"]) == (float(layer["f"][1, 1, 1]), float(layer["h"][1, 1, 1]))
    assert math.isnan(frame.row(by_predicate=_where(frame, step=3, row=1, unit=12), named=True)["h"])  # 7 units of h
    seen.save(tmp_path / "seen.npz")
    with np.load(tmp_path / "seen.npz") as arrays:
        assert np.array_equal(arrays["0/LSTM/layer 0/f"], layer["f"].numpy())
        assert arrays["0/LSTM/layer 0/steps"].tolist() == [2, 3, 4, 5]
        assert np.array_equal(
            arrays["0/LSTM/layer 0/contributions/weight_hh"], layer.contributions["weight_hh"].numpy()
        )
    with pytest.raises(InputError, match=r"ends in \.npz"):
        seen.save(tmp_path / "seen.txt")


def _where(frame: Any, **coordinates: int) -> Any:
    import polars

    return polars.all_horizontal(polars.col(name) == value for name, value in coordinates.items())


def test_what_would_not_fit_is_refused_before_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    net = peephole.LSTM(2, 64)
    monkeypatch.setattr("peephole.inside.memory.free_bytes", lambda device: 10 << 20)
    x = torch.zeros(4000, 16, 2)
    with (
        torch.no_grad(),
        trace(net),
        pytest.raises(InputError, match=r"would hold 0\.2 GB .* steps=slice\(0, \d+\)") as refused,
    ):
        net(x)
    fitting = int(str(refused.value).split("slice(0, ")[1].split(")")[0])
    with torch.no_grad(), trace(net, steps=slice(0, fitting)) as seen:
        net(x)
    assert len(seen.layers[0].steps) == fitting


def test_refusals() -> None:
    net = peephole.GRU(3, 5)
    x = torch.zeros(4, 2, 3)
    with pytest.raises(InputError, match=r"layers name 1; expected numbers from 0 to 0"), trace(net, layers=1):
        pass
    with trace(net, units=5), pytest.raises(InputError, match="units name 5; expected numbers from 0 to 4"):
        net(x)
    with trace(net, steps=slice(9, 12)), pytest.raises(InputError, match="steps name nothing"):
        net(x)
    with pytest.raises(InputError, match="has no recurrent net in it"), trace(nn.Linear(2, 2)):
        pass
    with trace(net), trace(net), pytest.raises(InputError, match="traced twice"):
        net(x)
    assert net._inside == ()
    with trace(net) as seen:
        with pytest.raises(InputError, match="nothing has run yet"):
            _ = seen.layers
        net(x)
    layer = seen.layers[0]
    with pytest.raises(InputError, match="no 'f' here; there are r, z, n, h"):
        _ = layer["f"]
    with pytest.raises(InputError, match="no backward has come through"):
        _ = layer.gradients["h"]
    with pytest.raises(InputError, match="preactivations=True"):
        _ = layer.preactivations["r"]


def test_an_output_that_was_written_into() -> None:
    net = peephole.GRU(3, 5)
    with torch.no_grad(), trace(net) as seen:
        output, _ = net(torch.zeros(4, 2, 3))
        output.zero_()
    with pytest.raises(InputError, match="changed in place"):
        seen.layers[0].record.value("h")  # as layer["h"] does; checked annotations would read it on the way
    with torch.no_grad(), trace(net, units=[0, 1]) as seen:
        output, _ = net(torch.ones(4, 2, 3))
        expected = output[..., :2].clone()
        output.zero_()
    assert torch.equal(seen.layers[0]["h"], expected)


def test_compiled_modules_say_that_they_are_not_seen() -> None:
    compiled = torch.compile(peephole.GRU(3, 5), backend="eager")
    with pytest.raises(InputError, match=r"torch\.compile.*model\._orig_mod"), trace(compiled):  # pyright: ignore
        pass


@pytest.mark.parametrize("read", [False, True], ids=["unread", "read"])
@pytest.mark.parametrize("kind", ["native", "recompute", "reference", "torch", "torch.nn"])
def test_what_was_seen_goes_with_the_last_who_holds_it(kind: str, read: bool) -> None:
    """At once, and with all that it held of the graph: nothing leads back to itself."""
    options = {**RUNS, "torch.nn": {}}[kind]
    net: nn.Module = nn.LSTM(3, 5) if kind == "torch.nn" else peephole.LSTM(3, 5, **options)
    with trace(net, preactivations=True) as seen:
        net(torch.randn(4, 2, 3))[0].square().sum().backward()
    record = weakref.ref(seen.layers[0].record)
    held = [weakref.ref(parameter) for parameter in net.parameters()]
    if read:
        assert set(seen.layers[0].gradients) == {"h", "c"}
        assert float(seen.layers[0].shares.sum()) > 0.9
    gc.disable()
    try:
        del seen
        assert record() is None
        del net
        assert all(each() is None for each in held)
    finally:
        gc.enable()
