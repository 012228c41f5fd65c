"""A cell as data: names, shapes, the short text and what no cell has."""

import itertools

import pytest
from torch import nn

from peephole.errors import InputError
from peephole.spec import CellSpec, parse_spec

SPECS = [
    *[CellSpec("rnn", nonlinearity=f, bias=bias) for f in ("tanh", "relu") for bias in (True, False)],
    *[
        CellSpec("lstm", bias=bias, projected=projected)
        for bias, projected in itertools.product([True, False], repeat=2)
    ],
    *[CellSpec("gru", bias=bias) for bias in (True, False)],
]
EVERY_SPEC = pytest.mark.parametrize("spec", SPECS, ids=[spec.code for spec in SPECS])


@EVERY_SPEC
def test_the_code_reads_back(spec: CellSpec) -> None:
    assert parse_spec(spec.code) == spec


def test_codes_differ_and_name_only_what_is_not_the_default() -> None:
    assert len({spec.code for spec in SPECS}) == len(SPECS)
    assert CellSpec("lstm").code == "lstm"
    assert CellSpec("rnn", nonlinearity="relu", bias=False).code == "rnn nonlinearity=relu bias=False"


@EVERY_SPEC
def test_parameters_are_torchs(spec: CellSpec) -> None:
    options = {"bias": spec.bias}
    if spec.projected:
        options["proj_size"] = 2
    if spec.family == "rnn":
        options["nonlinearity"] = spec.nonlinearity
    module = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[spec.family](3, 5, **options)
    want = {name.removesuffix("_l0"): tuple(parameter.shape) for name, parameter in module.named_parameters()}
    shapes = spec.parameter_shapes(3, 5, options.get("proj_size", 0))
    assert list(shapes.items()) == list(want.items())
    assert spec.parameter_names() == tuple(want)


def test_gates_and_states() -> None:
    assert CellSpec("lstm").gates == ("i", "f", "g", "o")
    assert CellSpec("gru").gates == ("r", "z", "n")
    assert CellSpec("lstm").states == ("h", "c")
    assert CellSpec("gru").states == CellSpec("rnn").states == ("h",)
    assert CellSpec("lstm", projected=True).state_sizes(5, 2) == (2, 5)
    assert CellSpec("lstm").state_sizes(5) == (5, 5)
    assert all("19" in CellSpec(family).source or "20" in CellSpec(family).source for family in ("rnn", "lstm", "gru"))


@pytest.mark.usefixtures("unchecked_annotations")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"family": "mgu"}, "unknown cell family 'mgu'; choose one of rnn, lstm, gru"),
        ({"family": "rnn", "nonlinearity": "cos"}, "unknown nonlinearity 'cos'; choose one of tanh, relu"),
        ({"family": "lstm", "nonlinearity": "relu"}, "nonlinearity='relu' is an option of the RNN; a lstm has its own"),
        (
            {"family": "gru", "projected": True},
            "proj_size is an option of the LSTM; a gru cannot project its hidden state",
        ),
    ],
)
def test_what_no_cell_has(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as caught:
        CellSpec(**arguments)
    assert str(caught.value) == message
