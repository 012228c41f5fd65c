"""A cell as data: names, shapes, the short text, presets, equations, and what no cell has."""

from dataclasses import fields
from typing import Any

import pytest
from torch import nn

from peephole.errors import InputError
from peephole.spec import SWITCHES, VARIANTS, CellSpec, parse_spec, spec_of, switch_values

from .cells import MATRIX, PLAIN

TORCHS = [CellSpec(spec.family, **(spec.changes | {"bias": bias})) for spec in PLAIN.values() for bias in (True, False)]
EVERY_SPEC = pytest.mark.parametrize("spec", MATRIX.values(), ids=MATRIX)


def choices(switch: str) -> str:
    return ", ".join(switch_values(switch))


def lstm(**switches: Any) -> CellSpec:
    return CellSpec("lstm", **switches)


@EVERY_SPEC
def test_the_code_reads_back(spec: CellSpec) -> None:
    assert parse_spec(spec.code) == spec
    assert CellSpec(spec.family, **spec.changes) == spec
    assert spec_of(spec.family, **spec.changes) == spec


def test_codes_differ_and_name_only_what_is_not_the_default() -> None:
    assert len({spec.code for spec in MATRIX.values()}) == len(MATRIX)
    assert CellSpec("lstm").code == "lstm"
    assert CellSpec("rnn", nonlinearity="relu", bias=False).code == "rnn bias=False nonlinearity=relu"
    assert CellSpec("rnn", taps=12).code == "rnn taps=12"
    assert lstm(projected=True, peephole="full").code == "lstm peephole=full projected=True"


@pytest.mark.parametrize("spec", TORCHS, ids=[spec.code for spec in TORCHS])
def test_parameters_are_torchs(spec: CellSpec) -> None:
    options: dict[str, Any] = {"bias": spec.bias}
    if spec.projected:
        options["proj_size"] = 2
    if spec.family == "rnn":
        options["nonlinearity"] = spec.nonlinearity
    module = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[spec.family](3, 5, **options)
    want = {name.removesuffix("_l0"): tuple(parameter.shape) for name, parameter in module.named_parameters()}
    shapes = spec.parameter_shapes(3, 5, options.get("proj_size", 0))
    assert list(shapes.items()) == list(want.items())
    assert spec.parameter_names() == tuple(want)
    assert spec.parameter_count(3, 5, options.get("proj_size", 0)) == sum(p.numel() for p in module.parameters())
    assert spec.beyond_torch == ""


@pytest.mark.parametrize(
    ("spec", "more"),  # what the shapes are besides those of torch's cell, for 3 inputs, 5 units, 2 of a projection
    [
        (CellSpec("rnn", taps=3), {"weight_hh": (5, 15)}),
        (CellSpec("rnn", residual="full"), {}),
        (CellSpec("rnn", residual="input"), {"weight_hh": None, "bias_hh": None}),
        (CellSpec("rnn", layer_norm=True), {"weight_ln": (5,), "bias_ln": (5,)}),
        (CellSpec("gru", layer_norm=True), {"weight_ln": (15,), "bias_ln": (15,)}),
        (CellSpec("gru", reset="before", update="writes"), {}),
        (lstm(layer_norm=True), {"weight_ln": (20,), "bias_ln": (20,)}),
        (lstm(layer_norm=True, bias=False), {"weight_ln": (20,), "bias_ih": None, "bias_hh": None}),
        (lstm(peephole="diagonal"), {"weight_ch": (15,)}),
        (lstm(peephole="full"), {"weight_ch": (15, 5)}),
        (lstm(peephole="diagonal", candidate_peephole=True), {"weight_ch": (20,)}),
        (lstm(peephole="full", candidate_peephole=True), {"weight_ch": (20, 5)}),
        (lstm(peephole="full", projected=True), {"weight_hh": (20, 2), "weight_hr": (2, 5), "weight_ch": (15, 5)}),
        (lstm(gate_recurrence=True), {"weight_gh": (15, 15)}),
        (
            lstm(coupled=True),
            {"weight_ih": (15, 3), "weight_hh": (15, 5), "bias_ih": (15,), "bias_hh": (15,)},
        ),
        (
            lstm(coupled=True, gate_recurrence=True, peephole="diagonal", layer_norm=True),
            {
                **{"weight_ih": (15, 3), "weight_hh": (15, 5), "bias_ih": (15,), "bias_hh": (15,)},
                **{"weight_ch": (10,), "weight_gh": (10, 10), "weight_ln": (15,), "bias_ln": (15,)},
            },
        ),
        (
            lstm(input_gate=False, forget_gate=False, output_gate=False),
            {"weight_ih": (5, 3), "weight_hh": (5, 5), "bias_ih": (5,), "bias_hh": (5,)},
        ),
        (
            lstm(input_gate=False, forget_gate=False, output_gate=False, peephole="full", candidate_peephole=True),
            {"weight_ih": (5, 3), "weight_hh": (5, 5), "bias_ih": (5,), "bias_hh": (5,), "weight_ch": (5, 5)},
        ),
    ],
    ids=lambda value: value.code if isinstance(value, CellSpec) else "",
)
def test_parameters_that_torch_lacks(spec: CellSpec, more: dict[str, tuple[int, ...] | None]) -> None:
    merged = CellSpec(spec.family).parameter_shapes(3, 5) | more
    want = {name: shape for name, shape in merged.items() if shape is not None}
    assert spec.parameter_shapes(3, 5, 2 * spec.projected) == want
    order = ["weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr", "weight_ch", "weight_gh", "weight_ln"]
    assert spec.parameter_names() == tuple(name for name in [*order, "bias_ln"] if name in want)


def test_gates() -> None:
    assert CellSpec("rnn").gates == ("h",)
    assert CellSpec("gru").gates == ("r", "z", "n")
    assert CellSpec("gru", reset="before", update="writes").gates == ("r", "z", "n")
    assert lstm().gates == ("i", "f", "g", "o")
    assert lstm().sigmoid_gates == ("i", "f", "o")
    assert CellSpec("gru").sigmoid_gates == CellSpec("rnn").sigmoid_gates == ()
    assert lstm(coupled=True).gates == lstm(forget_gate=False).gates == ("i", "g", "o")
    assert lstm(input_gate=False).gates == ("f", "g", "o")
    assert lstm(output_gate=False).gates == ("i", "f", "g")
    assert lstm(input_gate=False, forget_gate=False, output_gate=False).gates == ("g",)


def test_peephole_gates() -> None:
    assert lstm().peephole_gates == CellSpec("rnn").peephole_gates == CellSpec("gru").peephole_gates == ()
    for kind in ("diagonal", "full"):
        assert lstm(peephole=kind).peephole_gates == ("i", "f", "o")
        assert lstm(peephole=kind, candidate_peephole=True).peephole_gates == ("i", "f", "g", "o")
        assert lstm(peephole=kind, candidate_peephole=True, coupled=True).peephole_gates == ("i", "g", "o")
        assert lstm(peephole=kind, input_gate=False).peephole_gates == ("f", "o")


def test_states_and_their_sizes() -> None:
    assert lstm().states == ("h", "c")
    assert CellSpec("gru").states == CellSpec("rnn").states == ("h",)
    assert CellSpec("rnn", taps=3).states == ("h", "h_1", "h_2")
    assert lstm(gate_recurrence=True).states == ("h", "c", "i", "f", "o")
    assert lstm(gate_recurrence=True, coupled=True).states == ("h", "c", "i", "o")
    assert lstm(gate_recurrence=True, input_gate=False).states == ("h", "c", "f", "o")
    assert lstm(projected=True).state_sizes(5, 2) == (2, 5)
    assert lstm(projected=True, gate_recurrence=True).state_sizes(5, 2) == (2, 5, 5, 5, 5)
    assert lstm().state_sizes(5) == (5, 5)
    assert CellSpec("rnn", taps=2).state_sizes(5) == (5, 5)


@EVERY_SPEC
def test_every_cell_has_a_source_and_what_torch_lacks_is_named(spec: CellSpec) -> None:
    assert any(year in spec.source for year in ("1990", "1997", "2014"))
    assert spec.source.isprintable()
    assert bool(spec.beyond_torch) == (
        bool(set(spec.changes) - {"bias", "projected", "nonlinearity"}) or spec.nonlinearity not in ("tanh", "relu")
    )
    for name in set(spec.changes) - {"bias", "projected"}:
        assert name in spec.beyond_torch or spec.nonlinearity == "relu"


def test_sources_name_the_paper_of_a_switch_once() -> None:
    assert lstm(peephole="diagonal", coupled=True).source == (
        "Hochreiter & Schmidhuber 1997, with the forget gate of Gers, Schmidhuber & Cummins 2000; "
        "Gers & Schmidhuber 2000; CIFG of Greff et al. 2017"
    )
    assert CellSpec("gru").source == "Cho et al. 2014; reset after the product as in cuDNN"
    assert CellSpec("gru", reset="before").source == "Cho et al. 2014"
    assert CellSpec("rnn", layer_norm=True).source == ("Elman 1990, Finding structure in time; Ba, Kiros & Hinton 2016")
    assert "Sak, Senior & Beaufays 2014" in lstm(projected=True).source


# --- equations ---


@EVERY_SPEC
def test_equations_say_how_each_gate_and_state_comes_about(spec: CellSpec) -> None:
    lines = spec.equations
    defined = [line.split(" = ")[0] for line in lines]
    assert len(set(defined)) == len(defined)
    for gate in spec.gates:
        assert f"{gate}_t" in defined
    for state in spec.states:
        assert state.startswith("h_") or f"{state}_t" in defined
    text = "\n".join(lines)
    assert ("LN" in text) == spec.layer_norm
    assert (text.count(" + b") > 0) == spec.bias
    assert ("W_hr (" in text) == spec.projected
    assert text.count("p_") == len(spec.peephole_gates) * (spec.peephole == "diagonal")
    assert text.count("W_c") == len(spec.peephole_gates) * (spec.peephole == "full")
    assert text.count("R_") == len(spec.sigmoid_gates) ** 2 * spec.gate_recurrence
    assert "  " not in text
    assert "+ +" not in text


def test_equations_in_full() -> None:
    assert CellSpec("rnn").equations == ("h_t = tanh(W_i x_t + W_h h_{t-1} + b)",)
    assert CellSpec("rnn", nonlinearity="identity", taps=2, bias=False).equations == (
        "h_t = W_i x_t + W_h h_{t-1} + W_h2 h_{t-2}",
    )
    assert CellSpec("rnn", nonlinearity="sigmoid", residual="input", layer_norm=True).equations == (
        "h_t = h_{t-1} + σ(LN(W_i x_t + b))",
    )
    assert lstm().equations == (
        "i_t = σ(W_ii x_t + W_hi h_{t-1} + b_i)",
        "f_t = σ(W_if x_t + W_hf h_{t-1} + b_f)",
        "g_t = tanh(W_ig x_t + W_hg h_{t-1} + b_g)",
        "c_t = f_t ∘ c_{t-1} + i_t ∘ g_t",
        "o_t = σ(W_io x_t + W_ho h_{t-1} + b_o)",
        "h_t = o_t ∘ tanh(c_t)",
    )
    assert lstm(
        bias=False, coupled=True, peephole="diagonal", candidate_peephole=True, input_activation=False, projected=True
    ).equations == (
        "i_t = σ(W_ii x_t + W_hi h_{t-1} + p_i ∘ c_{t-1})",
        "f_t = 1 - i_t",
        "g_t = W_ig x_t + W_hg h_{t-1} + p_g ∘ c_{t-1}",
        "c_t = f_t ∘ c_{t-1} + i_t ∘ g_t",
        "o_t = σ(W_io x_t + W_ho h_{t-1} + p_o ∘ c_t)",
        "h_t = W_hr (o_t ∘ tanh(c_t))",
    )
    assert lstm(
        forget_gate=False, output_activation=False, gate_recurrence=True, peephole="full", layer_norm=True, bias=False
    ).equations == (
        "i_t = σ(LN_i(W_ii x_t + W_hi h_{t-1} + W_ci c_{t-1} + R_ii i_{t-1} + R_oi o_{t-1}))",
        "g_t = tanh(LN_g(W_ig x_t + W_hg h_{t-1}))",
        "c_t = c_{t-1} + i_t ∘ g_t",
        "o_t = σ(LN_o(W_io x_t + W_ho h_{t-1} + W_co c_t + R_io i_{t-1} + R_oo o_{t-1}))",
        "h_t = o_t ∘ c_t",
    )
    assert lstm(input_gate=False, forget_gate=False, output_gate=False, bias=False).equations == (
        "g_t = tanh(W_ig x_t + W_hg h_{t-1})",
        "c_t = c_{t-1} + g_t",
        "h_t = tanh(c_t)",
    )
    assert CellSpec("gru").equations == (
        "r_t = σ(W_ir x_t + W_hr h_{t-1} + b_r)",
        "z_t = σ(W_iz x_t + W_hz h_{t-1} + b_z)",
        "n_t = tanh(W_in x_t + r_t ∘ (W_hn h_{t-1} + b_hn) + b_n)",
        "h_t = z_t ∘ h_{t-1} + (1 - z_t) ∘ n_t",
    )
    assert CellSpec("gru", reset="before", update="writes", bias=False).equations[2:] == (
        "n_t = tanh(W_in x_t + W_hn (r_t ∘ h_{t-1}))",
        "h_t = (1 - z_t) ∘ h_{t-1} + z_t ∘ n_t",
    )


# --- presets ---


def test_presets_are_greffs() -> None:
    """LSTM: a search space odyssey, section 3: V, and eight that change one thing about it."""
    diagonal = {"peephole": "diagonal"}
    assert {name: spec_of("lstm", name) for name in VARIANTS} == {
        "V": lstm(**diagonal),
        "NIG": lstm(**diagonal, input_gate=False),
        "NFG": lstm(**diagonal, forget_gate=False),
        "NOG": lstm(**diagonal, output_gate=False),
        "NIAF": lstm(**diagonal, input_activation=False),
        "NOAF": lstm(**diagonal, output_activation=False),
        "CIFG": lstm(**diagonal, coupled=True),
        "NP": lstm(),
        "FGR": lstm(**diagonal, gate_recurrence=True),
    }


def test_a_switch_goes_before_the_preset() -> None:
    assert spec_of("lstm", "V", peephole="full") == lstm(peephole="full")
    assert spec_of("lstm", "NFG", forget_gate=True, bias=False) == lstm(peephole="diagonal", bias=False)
    assert spec_of("lstm", "CIFG", peephole="none") == lstm(coupled=True)
    assert spec_of("lstm", "FGR", True) == lstm(peephole="diagonal", gate_recurrence=True, projected=True)
    assert spec_of("lstm") == lstm()
    assert spec_of("gru", None, False, update="writes") == CellSpec("gru", update="writes")


# --- what no cell has ---

NO_GATES = {"input_gate": False, "forget_gate": False, "output_gate": False}


@pytest.mark.usefixtures("unchecked_annotations")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"family": "mgu"}, "unknown cell family 'mgu'; choose one of rnn, lstm, gru"),
        # values
        (
            {"family": "rnn", "nonlinearity": "cos"},
            f"unknown nonlinearity 'cos'; choose one of {choices('nonlinearity')}",
        ),
        (
            {"family": "rnn", "nonlinearity": None},
            f"unknown nonlinearity None; choose one of {choices('nonlinearity')}",
        ),
        ({"family": "rnn", "residual": "half"}, f"unknown residual 'half'; choose one of {choices('residual')}"),
        ({"family": "rnn", "residual": True}, f"unknown residual True; choose one of {choices('residual')}"),
        ({"family": "lstm", "peephole": "both"}, f"unknown peephole 'both'; choose one of {choices('peephole')}"),
        ({"family": "lstm", "peephole": True}, f"unknown peephole True; choose one of {choices('peephole')}"),
        ({"family": "gru", "reset": "never"}, f"unknown reset 'never'; choose one of {choices('reset')}"),
        ({"family": "gru", "update": ""}, f"unknown update ''; choose one of {choices('update')}"),
        ({"family": "rnn", "taps": 0}, "taps is 0; expected a whole number of at least 1"),
        ({"family": "rnn", "taps": -2}, "taps is -2; expected a whole number of at least 1"),
        ({"family": "rnn", "taps": True}, "taps is True; expected a whole number of at least 1"),
        ({"family": "rnn", "taps": 2.0}, "taps is 2.0; expected a whole number of at least 1"),
        ({"family": "rnn", "taps": "2"}, "taps is '2'; expected a whole number of at least 1"),
        ({"family": "gru", "bias": "no"}, "bias is 'no'; expected True or False"),
        ({"family": "gru", "bias": 1}, "bias is 1; expected True or False"),
        ({"family": "gru", "layer_norm": None}, "layer_norm is None; expected True or False"),
        ({"family": "lstm", "coupled": "yes"}, "coupled is 'yes'; expected True or False"),
        ({"family": "lstm", "forget_gate": 0}, "forget_gate is 0; expected True or False"),
        # switches of another family
        ({"family": "lstm", "nonlinearity": "relu"}, "nonlinearity='relu' is a switch of the rnn; a lstm has none"),
        ({"family": "gru", "taps": 2}, "taps=2 is a switch of the rnn; a gru has none"),
        ({"family": "lstm", "residual": "full"}, "residual='full' is a switch of the rnn; a lstm has none"),
        ({"family": "gru", "peephole": "full"}, "peephole='full' is a switch of the lstm; a gru has none"),
        ({"family": "rnn", "coupled": True}, "coupled=True is a switch of the lstm; a rnn has none"),
        ({"family": "gru", "output_gate": False}, "output_gate=False is a switch of the lstm; a gru has none"),
        ({"family": "rnn", "gate_recurrence": True}, "gate_recurrence=True is a switch of the lstm; a rnn has none"),
        ({"family": "lstm", "reset": "before"}, "reset='before' is a switch of the gru; a lstm has none"),
        ({"family": "rnn", "update": "writes"}, "update='writes' is a switch of the gru; a rnn has none"),
        (
            {"family": "gru", "projected": True},
            "proj_size is an option of the lstm; a gru cannot project its hidden state",
        ),
        (
            {"family": "rnn", "projected": True},
            "proj_size is an option of the lstm; a rnn cannot project its hidden state",
        ),
        # contradictions
        (
            {"family": "rnn", "residual": "input", "taps": 2},
            "residual='input' has no recurrent product, so taps=2 has nothing to weigh",
        ),
        (
            {"family": "lstm", "candidate_peephole": True},
            "candidate_peephole=True needs peepholes; set peephole='diagonal' or 'full'",
        ),
        (
            {"family": "lstm", "coupled": True, "input_gate": False},
            "coupled=True makes the forget gate 1 - i, and input_gate=False leaves no i; drop one of them",
        ),
        (
            {"family": "lstm", "coupled": True, "forget_gate": False},
            "coupled=True makes the forget gate 1 - i, and forget_gate=False removes it; drop one of them",
        ),
        (
            {"family": "lstm", "gate_recurrence": True, **NO_GATES},
            "gate_recurrence=True feeds gates back, and this lstm has no gate left",
        ),
        (
            {"family": "lstm", "peephole": "diagonal", **NO_GATES},
            "peephole='diagonal' lets gates see the cell state, and this lstm has no gate left",
        ),
    ],
    ids=str,
)
def test_what_no_cell_has(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        CellSpec(**arguments)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("lstm", "NPX"),
            "unknown variant 'NPX'; choose one of V, NIG, NFG, NOG, NIAF, NOAF, CIFG, NP, FGR",
        ),
        (("lstm", "cifg"), "unknown variant 'cifg'; choose one of V, NIG, NFG, NOG, NIAF, NOAF, CIFG, NP, FGR"),
        (("gru", "V"), "variant='V' is a preset of the lstm; a gru has none, set its switches"),
        (("rnn", "NP"), "variant='NP' is a preset of the lstm; a rnn has none, set its switches"),
    ],
)
def test_presets_that_are_none(arguments: tuple[str, str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        spec_of(*arguments)
    assert str(caught.value) == message


def test_a_preset_that_a_switch_contradicts() -> None:
    with pytest.raises(InputError, match="coupled=True makes the forget gate 1 - i, and input_gate=False leaves no i"):
        spec_of("lstm", "NIG", coupled=True)


def test_switches_are_the_fields_of_a_spec() -> None:
    assert set(SWITCHES) | {"family", "projected"} == {field.name for field in fields(CellSpec) if field.init}
