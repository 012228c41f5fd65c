"""Identities between cells: weights of one from those of another, in float64, with the gradients of both."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import layer_norm

from peephole.nn.recurrent import Recurrent
from peephole.spec import CellSpec

from ..cells import MATRIX

T, B, I, H, P = 11, 4, 3, 6, 3

Named = dict[str, Tensor]
ROWS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_ln", "bias_ln")  # stacked as the gates are


def leaves_of(spec: CellSpec, *, hidden: int = H, scale: float = 1.0, **given: Tensor) -> Named:
    """Random weights and initial states of a cell and an input, in float64; those that are `given` in their place."""
    generator = torch.Generator().manual_seed(5)
    proj = P * spec.projected
    states = zip(spec.states, spec.state_sizes(hidden, proj), strict=True)
    shapes = {"x": (T, B, I)} | {name: (1, B, size) for name, size in states}
    weights = spec.parameter_shapes(I, hidden, proj)
    drawn = {
        name: torch.randn(shape, generator=generator, dtype=torch.float64) * (scale if name in weights else 1.0)
        for name, shape in (shapes | weights).items()
    }
    return {name: given.get(name, tensor).detach().clone().requires_grad_() for name, tensor in drawn.items()}


def solve(spec: CellSpec, tensors: Named, **options: Any) -> Named:
    """`y` and the final states by name of a layer with these weights, initial states and input."""
    hidden = tensors["weight_ih"].shape[0] // len(spec.gates)
    proj = P * spec.projected
    layer = Recurrent(spec, tensors["x"].shape[-1], hidden, proj_size=proj, dtype=torch.float64, **options)
    states = tuple(tensors[name] for name in spec.states)
    weights = {f"{name}_l0": tensors[name] for name in spec.parameter_names()}
    y, finals = torch.func.functional_call(layer, weights, (tensors["x"], states if len(states) > 1 else states[0]))
    return {"y": y} | dict(zip(spec.states, finals if isinstance(finals, tuple) else (finals,), strict=True))


def equal(one: Named, other: Named, leaves: Named, agree: Callable[..., None], tolerance: float = 1e-12) -> None:
    """What both computed is the same, and so is its gradient with respect to what both are made of."""
    shared = [name for name in one if name in other]
    generator = torch.Generator().manual_seed(6)
    upstream = [torch.randn(one[name].shape, generator=generator, dtype=torch.float64) for name in shared]
    grads: list[list[Tensor]] = []
    for found in (one, other):
        tensors = [found[name] for name in shared]
        grads.append(
            list(
                torch.autograd.grad(tensors, list(leaves.values()), upstream, allow_unused=True, materialize_grads=True)
            )
        )
    for name in shared:
        agree(one[name], other[name], tolerance, name, floor=0.01)
    for name, left, right in zip(leaves, *grads, strict=True):
        agree(left, right, tolerance, f"gradient of {name}", floor=0.01)
    assert any(bool(grad.any()) for grad in grads[0])


def wider(small: CellSpec, big: CellSpec, leaves: Named, fill: float = 0.0) -> Named:
    """Weights of `big`, which has gates that `small` lacks: their bias is `fill`, the rest zero.

    With a coupled `small` they are those of the forget gate, minus the input gate's: σ(-z) = 1 - σ(z).
    """
    result = dict(leaves)
    for name in big.parameter_names():
        of_small = small.peephole_gates if name == "weight_ch" else small.gates
        of_big = big.peephole_gates if name == "weight_ch" else big.gates
        if name == "weight_gh":
            of_small, of_big = small.sigmoid_gates, big.sigmoid_gates
        elif name not in (*ROWS, "weight_ch"):
            continue
        blocks = dict(zip(of_small, leaves[name].chunk(len(of_small)), strict=True))
        if name == "weight_gh":  # nobody sees the gate that is missing
            for gate, block in blocks.items():
                columns = dict(zip(of_small, block.chunk(len(of_small), dim=1), strict=True))
                nothing = torch.zeros_like(columns[of_small[0]])
                blocks[gate] = torch.cat([columns.get(other, nothing) for other in of_big], dim=1)
        missing = torch.full_like(blocks["g" if "g" in blocks else of_small[0]], fill if name == "bias_ih" else 0.0)
        if small.coupled:
            missing = blocks["i"] if name == "weight_ln" else -blocks["i"]
        result[name] = torch.cat([blocks.get(gate, missing) for gate in of_big])
    for gate in set(big.states) - set(small.states):
        result[gate] = torch.rand(1, B, H, dtype=torch.float64)
    return result


def lstm(**switches: Any) -> CellSpec:
    return CellSpec("lstm", **switches)


FULL = {"peephole": "full", "candidate_peephole": True}
OTHER_SWITCHES = pytest.mark.parametrize(
    "switches", [{}, {"coupled": True}, {"output_gate": False}, {"layer_norm": True}, {"bias": False}], ids=str
)


@OTHER_SWITCHES
@pytest.mark.parametrize("candidate", [False, True], ids=["gates", "candidate too"])
@pytest.mark.parametrize("peephole", ["diagonal", "full"])
def test_peepholes_of_zero_are_none(
    peephole: str, candidate: bool, switches: dict[str, Any], agree: Callable[..., None]
) -> None:
    spec, plain = lstm(peephole=peephole, candidate_peephole=candidate, **switches), lstm(**switches)
    leaves = leaves_of(plain)
    shape = spec.parameter_shapes(I, H)["weight_ch"]
    equal(
        solve(spec, leaves | {"weight_ch": torch.zeros(shape, dtype=torch.float64)}),
        solve(plain, leaves),
        leaves,
        agree,
    )


@OTHER_SWITCHES
@pytest.mark.parametrize("candidate", [False, True], ids=["gates", "candidate too"])
def test_a_diagonal_peephole_is_a_full_one_with_diagonal_matrices(
    candidate: bool, switches: dict[str, Any], agree: Callable[..., None]
) -> None:
    one, other = (lstm(peephole=kind, candidate_peephole=candidate, **switches) for kind in ("diagonal", "full"))
    leaves = leaves_of(one)
    blocks = leaves["weight_ch"].chunk(len(one.peephole_gates))
    matrices = leaves | {"weight_ch": torch.cat([torch.diag(block) for block in blocks])}
    equal(solve(one, leaves), solve(other, matrices), leaves, agree)


@pytest.mark.parametrize("gate", ["i", "f", "g", "o"])
def test_a_peephole_looks_at_the_old_cell_state_and_that_of_the_output_gate_at_the_new(
    gate: str, agree: Callable[..., None]
) -> None:
    """One step: what a gate sees of the cell state can as well be part of its input."""
    spec = lstm(**FULL)
    leaves = leaves_of(spec)
    leaves["x"] = leaves["x"][:1].detach().requires_grad_()
    blocks = dict(zip(spec.gates, leaves["weight_ch"].chunk(4), strict=True))
    only = {name: block if name == gate else torch.zeros_like(block) for name, block in blocks.items()}
    got = solve(spec, leaves | {"weight_ch": torch.cat(list(only.values()))})
    seen = solve(lstm(), leaves)["c"] if gate == "o" else leaves["c"]
    fed = leaves | {
        "x": torch.cat([leaves["x"], seen], dim=-1),
        "weight_ih": torch.cat([leaves["weight_ih"], torch.cat(list(only.values()))], dim=1),
    }
    equal(got, solve(lstm(), fed), leaves, agree)


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"peephole": "diagonal"},
        FULL,
        {"layer_norm": True, **FULL},
        {"bias": False},
        {"gate_recurrence": True},
        {"input_activation": False},
    ],
    ids=str,
)
def test_a_coupled_forget_gate_is_one_with_the_input_gates_weights_turned_round(
    switches: dict[str, Any], agree: Callable[..., None]
) -> None:
    coupled, plain = lstm(coupled=True, **switches), lstm(**switches)
    leaves = leaves_of(coupled)
    equal(solve(coupled, leaves), solve(plain, wider(coupled, plain, leaves)), leaves, agree)


@pytest.mark.parametrize("switches", [{}, {"peephole": "diagonal"}, FULL, {"gate_recurrence": True}], ids=str)
@pytest.mark.parametrize(
    "missing", [("input_gate",), ("forget_gate",), ("output_gate",), ("input_gate", "output_gate")], ids=str
)
def test_a_missing_gate_is_one_that_stands_open(
    missing: tuple[str, ...], switches: dict[str, Any], agree: Callable[..., None]
) -> None:
    """σ(50) is 1 in float64."""
    spec, plain = lstm(**dict.fromkeys(missing, False), **switches), lstm(**switches)
    leaves = leaves_of(spec)
    equal(solve(spec, leaves), solve(plain, wider(spec, plain, leaves, 50.0)), leaves, agree)


@pytest.mark.parametrize("switches", [{}, {"peephole": "full"}, {"coupled": True}, {"layer_norm": True}], ids=str)
def test_gates_fed_back_with_weight_zero_are_not(switches: dict[str, Any], agree: Callable[..., None]) -> None:
    spec, plain = lstm(gate_recurrence=True, **switches), lstm(**switches)
    leaves = leaves_of(spec)
    zero = leaves | {"weight_gh": torch.zeros_like(leaves["weight_gh"])}
    del leaves["weight_gh"]
    equal(solve(spec, zero), solve(plain, zero), leaves, agree)


@pytest.mark.parametrize("switches", [{}, {"coupled": True}, {"peephole": "diagonal", "layer_norm": True}], ids=str)
def test_gates_fed_back_are_input_to_the_gates_of_the_next_step(
    switches: dict[str, Any], agree: Callable[..., None]
) -> None:
    spec, plain = lstm(gate_recurrence=True, **switches), lstm(**switches)
    leaves = leaves_of(spec)
    gates, rows = spec.sigmoid_gates, dict(zip(spec.gates, leaves["weight_ih"].chunk(len(spec.gates)), strict=True))
    back = dict(zip(gates, leaves["weight_gh"].chunk(len(gates)), strict=True))
    zero = torch.zeros_like(back["i"])
    wide = torch.cat([torch.cat([rows[gate], back.get(gate, zero)], dim=1) for gate in spec.gates])
    current, outputs = dict(leaves), []
    for x in leaves["x"].split(1):
        fed = torch.cat([x, *(current[gate] for gate in gates)], dim=-1)
        found = solve(plain, current | {"x": fed, "weight_ih": wide})
        alone = solve(spec, current | {"x": x})  # the gates themselves
        agree(found["y"], alone["y"], 1e-12)
        agree(alone["y"], alone["o"] * torch.tanh(alone["c"]), 1e-12)
        outputs.append(found.pop("y"))
        current |= found | {gate: alone[gate] for gate in gates}
    want = {"y": torch.cat(outputs), "h": current["h"], "c": current["c"]}
    equal(solve(spec, leaves), want, leaves, agree)


def test_activations_that_are_missing(agree: Callable[..., None]) -> None:
    """Without gates and recurrence c adds up the candidates, and h is c."""
    open_gates = {"input_gate": False, "forget_gate": False, "output_gate": False}
    leaves = leaves_of(lstm(**open_gates))
    del leaves["h"], leaves["weight_hh"]
    nothing = {"h": torch.zeros(1, B, H).double(), "weight_hh": torch.zeros(H, H).double()}
    for before in (True, False):
        for after in (True, False):
            candidates = leaves["x"] @ leaves["weight_ih"].T + leaves["bias_ih"] + leaves["bias_hh"]
            c = leaves["c"] + (torch.tanh(candidates) if before else candidates).cumsum(0)
            h = torch.tanh(c) if after else c
            spec = lstm(**open_gates, input_activation=before, output_activation=after)
            equal(solve(spec, leaves | nothing), {"y": h, "h": h[-1:], "c": c[-1:]}, leaves, agree)
    for switches in ({"output_activation": False}, {"output_activation": False, "peephole": "full"}):
        leaves = leaves_of(lstm(**switches))
        leaves["x"] = leaves["x"][:1].detach().requires_grad_()
        bent, straight = (
            solve(lstm(**(switches | {"output_activation": True})), leaves),
            solve(lstm(**switches), leaves),
        )
        agree(straight["y"] * torch.tanh(bent["c"]), bent["y"] * straight["c"], 1e-12)


@pytest.mark.parametrize("name", [name for name, spec in MATRIX.items() if spec.family == "lstm"])
@pytest.mark.parametrize("weights", ["first units", "random"])
def test_a_projection_is_a_factor_of_the_recurrent_matrix(name: str, weights: str, agree: Callable[..., None]) -> None:
    """W_hh (W_hr h) = (W_hh W_hr) h; with W_hr the first rows of the identity it shows the first units."""
    switches = MATRIX[name].changes | {"projected": False}
    plain, spec = lstm(**switches), lstm(**(switches | {"projected": True}))
    leaves = leaves_of(spec, scale=0.4, **({"weight_hr": torch.eye(P, H).double()} if weights == "first units" else {}))
    whole = leaves_of(plain)["h"]
    del leaves["h"]
    product = leaves["weight_hh"] @ leaves["weight_hr"]
    found = solve(plain, leaves | {"h": whole, "weight_hh": product})
    for state in ("y", "h"):
        found[state] = found[state] @ leaves["weight_hr"].T
    equal(solve(spec, leaves | {"h": whole @ leaves["weight_hr"].T}), found, leaves, agree)


@pytest.mark.parametrize("switches", [{}, {"layer_norm": True}, {"bias": False}], ids=str)
@pytest.mark.parametrize("reset", ["after", "before"])
def test_an_update_gate_turned_round(reset: str, switches: dict[str, Any], agree: Callable[..., None]) -> None:
    keeps, writes = (CellSpec("gru", reset=reset, update=update, **switches) for update in ("keeps", "writes"))
    leaves = leaves_of(keeps)
    turned = dict(leaves)
    for name in set(ROWS[:4]) | {"bias_ln"}:
        if name in leaves:
            r, z, n = leaves[name].chunk(3)
            turned[name] = torch.cat([r, -z, n])
    equal(solve(writes, turned), solve(keeps, leaves), leaves, agree)


@pytest.mark.parametrize("switches", [{}, {"layer_norm": True}, {"bias": False}, {"update": "writes"}], ids=str)
def test_a_reset_before_a_diagonal_product_is_one_after_it(
    switches: dict[str, Any], agree: Callable[..., None]
) -> None:
    """W (r ∘ h) = r ∘ (W h) where W is diagonal; a recurrent bias of the candidate is not reset before."""
    before, after = (CellSpec("gru", reset=reset, **switches) for reset in ("before", "after"))
    leaves = leaves_of(after)
    rows = leaves["weight_hh"].chunk(3)
    weights = leaves | {"weight_hh": torch.cat([*rows[:2], torch.diag(torch.diagonal(rows[2]))])}
    if after.bias:
        biases = leaves["bias_hh"].chunk(3)
        weights["bias_hh"] = torch.cat([*biases[:2], torch.zeros_like(biases[2])])
    equal(solve(before, weights), solve(after, weights), leaves, agree)
    if after.bias:  # before: a bias is added as it is, as that of the input
        total = leaves["bias_ih"] + leaves["bias_hh"]
        moved = leaves | {"bias_ih": total, "bias_hh": torch.zeros_like(total)}
        equal(solve(before, leaves), solve(before, moved), leaves, agree)
        assert float((solve(after, leaves)["y"] - solve(after, moved)["y"]).detach().abs().max()) >= 0.01


def rnn(**switches: Any) -> CellSpec:
    return CellSpec("rnn", **switches)


@pytest.mark.parametrize("taps", [2, 3, 5])
@pytest.mark.parametrize(
    "switches", [{}, {"nonlinearity": "relu"}, {"residual": "full"}, {"layer_norm": True}, {"bias": False}], ids=str
)
def test_taps_of_weight_zero_are_none(switches: dict[str, Any], taps: int, agree: Callable[..., None]) -> None:
    spec, plain = rnn(taps=taps, **switches), rnn(**switches)
    leaves = leaves_of(plain, scale=0.5)
    more = {f"h_{k}": torch.randn(1, B, H, dtype=torch.float64) for k in range(1, taps)}
    hidden = torch.cat([leaves["weight_hh"], torch.zeros(H, (taps - 1) * H, dtype=torch.float64)], dim=1)
    found = solve(spec, leaves | more | {"weight_hh": hidden})
    for k in range(1, taps):
        assert torch.equal(found[f"h_{k}"], found["y"][T - 1 - k][None])
    equal(found, solve(plain, leaves), leaves, agree)


def test_one_tap_is_the_plain_net() -> None:
    assert rnn(taps=1) == rnn()


@pytest.mark.parametrize("nonlinearity", ["identity", "relu"])
@pytest.mark.parametrize("taps", [2, 3])
def test_taps_are_a_net_of_more_units_that_hands_them_on(
    taps: int, nonlinearity: str, agree: Callable[..., None]
) -> None:
    """The companion matrix. relu changes nothing about states that are not negative."""
    spec, plain = rnn(taps=taps, nonlinearity=nonlinearity), rnn(nonlinearity=nonlinearity)
    leaves = leaves_of(spec, scale=0.4)
    for state in spec.states:
        leaves[state] = leaves[state].detach().abs().requires_grad_()
    further = (taps - 1) * H
    shift = torch.eye(further, taps * H, dtype=torch.float64)
    companion = {
        "x": leaves["x"],
        "h": torch.cat([leaves[state] for state in spec.states], dim=-1),
        "weight_ih": torch.cat([leaves["weight_ih"], torch.zeros(further, I).double()]),
        "weight_hh": torch.cat([leaves["weight_hh"], shift]),
    }
    for bias in ("bias_ih", "bias_hh"):
        companion[bias] = torch.cat([leaves[bias], torch.zeros(further).double()])
    whole = solve(plain, companion)
    found = dict(zip(spec.states, whole["h"].chunk(taps, dim=-1), strict=True)) | {"y": whole["y"][..., :H]}
    equal(solve(spec, leaves), found, leaves, agree)


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu", "identity"])
@pytest.mark.parametrize("switches", [{}, {"layer_norm": True}, {"bias": False}], ids=str)
@pytest.mark.parametrize("residual", ["input", "full"])
def test_a_residual_of_zero_keeps_the_state(residual: str, switches: dict[str, Any], nonlinearity: str) -> None:
    spec = rnn(residual=residual, nonlinearity=nonlinearity, **switches)
    leaves = leaves_of(spec)
    weights = {name: torch.zeros_like(leaves[name]) for name in spec.parameter_names()}
    found = solve(spec, leaves | weights)
    assert torch.equal(found["y"], leaves["h"].expand(T, -1, -1))
    assert torch.equal(found["h"], leaves["h"])
    (grad,) = torch.autograd.grad(found["y"].sum(), leaves["h"])
    assert torch.equal(grad, torch.full_like(grad, T))


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu", "sigmoid", "identity", "softmax"])
@pytest.mark.parametrize("switches", [{}, {"layer_norm": True}, {"bias": False}], ids=str)
def test_a_residual_adds_what_the_net_without_one_computes(
    switches: dict[str, Any], nonlinearity: str, agree: Callable[..., None]
) -> None:
    switches = switches | {"nonlinearity": nonlinearity}
    plain, full, fed = (rnn(residual=residual, **switches) for residual in ("none", "full", "input"))
    leaves = leaves_of(plain, scale=0.3)
    h, outputs = leaves["h"], []
    for x in leaves["x"].split(1):
        h = h + solve(plain, leaves | {"x": x, "h": h})["h"]
        outputs.append(h)
    equal(solve(full, leaves), {"y": torch.cat(outputs), "h": h}, leaves, agree)
    still = leaves | {"weight_hh": torch.zeros(H, H).double(), "bias_hh": torch.zeros(H).double()}
    y = leaves["h"] + solve(plain, still)["y"].cumsum(0)
    equal(solve(fed, leaves), {"y": y, "h": y[-1:]}, leaves, agree)


@pytest.mark.parametrize(
    ("nonlinearity", "function"),
    [
        ("tanh", torch.tanh),
        ("relu", torch.relu),
        ("sigmoid", lambda z: (1 + torch.tanh(z / 2)) / 2),
        ("softmax", lambda z: z.exp() / z.exp().sum(-1, keepdim=True)),
    ],
)
def test_a_step_is_the_nonlinearity_of_the_linear_one(
    nonlinearity: str, function: Callable[[Tensor], Tensor], agree: Callable[..., None]
) -> None:
    leaves = leaves_of(rnn())
    x = leaves["x"][:1]
    linear = solve(rnn(nonlinearity="identity"), leaves | {"x": x})
    bent = {name: function(tensor) for name, tensor in linear.items()}
    equal(solve(rnn(nonlinearity=nonlinearity), leaves | {"x": x}), bent, leaves, agree)
    by_hand = x @ leaves["weight_ih"].T + leaves["bias_ih"] + leaves["h"] @ leaves["weight_hh"].T + leaves["bias_hh"]
    agree(linear["y"], by_hand, 1e-12)


# --- layer normalisation ---

NORMALISED = [spec for spec in MATRIX.values() if spec.layer_norm]
EVERY_NORMALISED = pytest.mark.parametrize(
    "spec", [*NORMALISED, lstm(layer_norm=True, gate_recurrence=True, coupled=True)], ids=lambda spec: spec.code
)


@EVERY_NORMALISED
def test_one_unit_normalised_is_its_bias(spec: CellSpec, agree: Callable[..., None]) -> None:
    plain = CellSpec(spec.family, **(spec.changes | {"layer_norm": False, "bias": True}))
    leaves = leaves_of(spec, hidden=1)
    zero = {name: torch.zeros(shape).double() for name, shape in plain.parameter_shapes(I, 1).items()}
    got = solve(spec, leaves)
    if spec.bias:
        zero["bias_ih"] = leaves["bias_ln"]
    equal(got, solve(plain, leaves | zero), leaves, agree)


@EVERY_NORMALISED
def test_a_normalised_pre_activation_has_no_scale_and_no_offset(spec: CellSpec, agree: Callable[..., None]) -> None:
    """Each gate by a factor of its own. Weights of 10⁴ keep the epsilon of the normalisation below 10⁻¹²."""
    leaves = leaves_of(spec, scale=1e4)
    for name in ("weight_ln", "bias_ln"):
        if name in leaves:
            leaves[name] = (leaves[name].detach() / 1e4).requires_grad_()
    scaled = dict(leaves)
    factors = {gate: 10.0 * 2.0**k for k, gate in enumerate(spec.gates)}
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_ch", "weight_gh"):
        if name not in leaves:
            continue
        gates = {"weight_ch": spec.peephole_gates, "weight_gh": spec.sigmoid_gates}.get(name, spec.gates)
        blocks = zip(gates, leaves[name].chunk(len(gates)), strict=True)
        scaled[name] = torch.cat([factors[gate] * block for gate, block in blocks])
        if name == "bias_ih":
            scaled[name] = scaled[name] + 7e4
    got, want = solve(spec, scaled), solve(spec, leaves)
    for name, tensor in want.items():
        agree(got[name], tensor, 1e-10, name)


@pytest.mark.parametrize("peephole", ["none", "full"])
def test_a_gates_units_have_mean_zero_and_variance_one(peephole: str) -> None:
    """Full gate recurrence shows the gates: σ⁻¹ of each is what was normalised, peepholes included."""
    spec = lstm(layer_norm=True, gate_recurrence=True, peephole=peephole, bias=False)
    leaves = leaves_of(spec, scale=100.0, weight_ln=torch.ones(4 * H, dtype=torch.float64))
    found = solve(spec, leaves)
    for gate in "ifo":
        z = torch.logit(found[gate].detach())
        assert float(z.mean(-1).abs().max()) <= 1e-12
        assert float((z.square().mean(-1) - 1).abs().max()) <= 1e-6  # epsilon over the variance


def test_normalisation_is_torchs(agree: Callable[..., None]) -> None:
    linear = rnn(nonlinearity="identity")
    leaves = leaves_of(rnn(nonlinearity="identity", layer_norm=True))
    leaves["x"] = leaves["x"][:1].detach().requires_grad_()
    want = layer_norm(solve(linear, leaves)["y"], [H], leaves["weight_ln"], leaves["bias_ln"])
    equal(solve(rnn(nonlinearity="identity", layer_norm=True), leaves), {"y": want, "h": want}, leaves, agree)
