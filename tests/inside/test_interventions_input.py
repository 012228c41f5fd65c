"""What an intervention refuses, in one line and before anything runs."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import peephole
from peephole.errors import InputError
from peephole.nn.recurrent import Recurrent
from peephole.spec import CellSpec

T, B, H = 5, 3, 4
LSTM, GRU, RNN, COUPLED = CellSpec("lstm"), CellSpec("gru"), CellSpec("rnn"), CellSpec("lstm", coupled=True)


def net_of(spec: CellSpec = LSTM, **options: Any) -> Recurrent:
    return Recurrent(spec, 2, H, 2, proj_size=2 * spec.projected, **options)


@pytest.mark.parametrize(
    ("spec", "arguments", "said"),
    [
        (GRU, {"gate": "f"}, r"a gru has no gate 'f'; it has r, z, n"),
        (COUPLED, {"gate": "f"}, r"forget gate of this lstm is 1 − i \(coupled=True\).*change gate='i'"),
        (CellSpec("lstm", output_gate=False), {"gate": "o"}, r"gate 'o' of this lstm is 1 .*it has i, f, g"),
        (CellSpec("gru", reset="none"), {"gate": "r"}, r"this gru has no gate 'r' \(reset='none'\); it has z, n"),
        (RNN, {"gate": "h"}, "an rnn has no gates, change state='h'"),
        (GRU, {"state": "c"}, "a gru has no state 'c' that can be changed; it has h"),
        (CellSpec("rnn", taps=2), {"state": "h_1"}, "no state 'h_1' that can be changed; it has h"),
        (LSTM, {"preactivation": "z"}, "no pre-activation of 'z'; it has i, f, g, o"),
        (
            LSTM,
            {"gate": "f", "state": "c"},
            "expected one of gate, state and preactivation; got gate='f' and state='c'",
        ),
        (LSTM, {}, "expected one of gate, state and preactivation; got none of them"),
        (LSTM, {"gate": "f", "layer": 2}, "layers name 2; expected numbers from 0 to 1"),
        (LSTM, {"gate": "f", "layer": []}, "layers name nothing"),
        (LSTM, {"gate": "f", "units": [0, H]}, "units name 4; expected numbers from 0 to 3"),
        (LSTM, {"gate": "f", "units": [1, -3]}, "units name 1 twice"),
        (CellSpec("lstm", projected=True), {"state": "h", "units": 2}, "units name 2; expected numbers from 0 to 1"),
        (LSTM, {"gate": "f", "reverse": True}, "this net has one direction"),
        (LSTM, {"gate": "f", "value": [1.0, 2.0]}, r"value has shape \[2\], which does not broadcast.*4 units"),
        (LSTM, {"gate": "f", "value": torch.ones(1, 1, 1, 4)}, r"value has shape \[1, 1, 1, 4\]"),
        (LSTM, {"gate": "f", "value": float("nan")}, "value is not finite"),
    ],
)
@pytest.mark.usefixtures("unchecked_annotations")
def test_it_says_what_was_got_and_what_the_net_has(spec: CellSpec, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        peephole.clamp(net_of(spec), **{"value": 1.0, **arguments})
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("unchecked_annotations")
@pytest.mark.parametrize("value", ["much", None, True, 1j])
def test_a_value_is_a_number_or_a_tensor_of_them(value: Any) -> None:
    with pytest.raises(InputError, match="expected a number, or a tensor"):
        peephole.clamp(net_of(), gate="f", value=value)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"steps": T}, "steps name 5; expected numbers from 0 to 4"),
        ({"rows": [0, B]}, "rows name 3; expected numbers from 0 to 2"),
        ({"value": torch.ones(2, 1, H)}, r"value has shape \[2, 1, 4\].*\[steps, rows, units\] = \[5, 3, 4\]"),
        ({"value": torch.ones(2, 1, 1), "steps": [1, 2, 3]}, r"= \[3, 3, 4\]"),
    ],
)
def test_the_call_is_checked_before_anything_of_it_runs(
    arguments: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = net_of()
    monkeypatch.setattr("peephole.nn.recurrent.run_layer", lambda *args, **options: pytest.fail("it ran"))
    with peephole.clamp(net, gate="f", **{"value": 1.0, **arguments}), pytest.raises(InputError, match=said):
        net(torch.randn(T, B, 2))


@pytest.mark.usefixtures("unchecked_annotations")
def test_numbers_of_numpy_and_torch_are_numbers_too() -> None:
    net, x = net_of(), torch.randn(T, B, 2)
    with peephole.clamp(net, layer=1, state="h", value=np.float32(2.0), units=np.array([1, 0]), steps=np.int64(3)):
        output, _ = net(x)
    with peephole.clamp(net, layer=-1, state="h", value=2, units=torch.tensor([0, 1]), steps=-2):
        again, _ = net(x)
    assert torch.equal(output, again)
    assert bool((output[3, :, :2] == 2).all())


def test_a_model_without_a_net_with_several_and_a_compiled_one() -> None:
    with pytest.raises(InputError, match="no recurrent net"):
        peephole.ablate(nn.Linear(2, 2))
    pair = nn.ModuleDict({"encoder": net_of(), "decoder": net_of()})
    with pytest.raises(InputError, match=r"2 recurrent nets \(encoder, decoder\); give the one.*model.encoder"):
        peephole.ablate(pair)
    peephole.ablate(pair["encoder"])
    compiled = nn.Module()
    compiled._orig_mod = net_of()  # as torch.compile wraps one
    with pytest.raises(InputError, match=r"went through torch\.compile"):
        peephole.ablate(compiled)


def seen_of(spec: CellSpec = LSTM, steps: int = T, rows: int = B, **filters: Any) -> Any:
    net = net_of(spec)
    with peephole.trace(net, **filters) as seen:
        net(torch.randn(steps, rows, 2))
    return seen


@pytest.mark.parametrize(
    ("traced", "swapped", "said"),
    [
        ({"steps": 3}, {}, "3 steps and 3 rows, this call 5 and 3"),
        ({"rows": 2}, {}, "5 steps and 2 rows, this call 5 and 3"),
        ({"rows": 2}, {"rows": [0, 2]}, "has no row 2; it has 2 rows"),
        ({"layers": 0}, {}, "has no layer 1; it has layer 0"),
        ({"units": [0, 2]}, {}, "has 2 units of h in layer 0, this net 4"),
        ({"units": [0, 2]}, {"units": 1}, "choose units that both have"),
        ({"spec": GRU}, {"state": "c"}, "no 'c' here"),
    ],
)
def test_a_swap_from_a_run_of_another_shape(traced: dict[str, Any], swapped: dict[str, Any], said: str) -> None:
    seen, net = seen_of(**traced), net_of()
    with (
        pytest.raises(InputError, match=said),
        peephole.swap(net, source=seen, **{"state": "h", **swapped}),
    ):
        net(torch.randn(T, B, 2))


def test_a_swap_takes_the_steps_and_units_that_are_named_from_a_trace_of_a_part() -> None:
    with peephole.trace(net_of(), units=[1, 3]) as nothing:
        pass
    with pytest.raises(InputError, match="nothing has run yet"):
        peephole.swap(net_of(), state="h", source=nothing)
    seen, net = seen_of(units=[1, 3]), net_of()
    with peephole.swap(net, source=seen, state="h", units=3, steps=[4, 0]):
        output, _ = net(torch.randn(T, B, 2))
    assert torch.equal(output[[0, 4], :, 3], seen.layers[1].states["h"][[0, 4], :, 1])


@pytest.mark.usefixtures("unchecked_annotations")
def test_a_swap_from_something_else() -> None:
    with pytest.raises(InputError, match="expected either source"):
        peephole.swap(net_of(), state="h")
    with pytest.raises(InputError, match="source is a Tensor"):
        peephole.swap(net_of(), state="h", source=torch.ones(1))
    with pytest.raises(InputError, match="the source is layer 0 alone and 2 layers and directions would change"):
        peephole.swap(net_of(), state="h", source=seen_of().layers[0], layer=[0, 1])
