"""What a layer refuses, in one line that says what was got and what was expected."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence

from peephole.errors import InputError
from peephole.nn.cells import Cell, GRUCell, LSTMCell, RNNCell
from peephole.nn.layers import GRU, LSTM, RNN
from peephole.nn.recurrent import Recurrent
from peephole.spec import CellSpec

from ..cells import MATRIX

zeros = torch.zeros
X = zeros(5, 2, 3)


@pytest.mark.usefixtures("unchecked_annotations")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: LSTM(0, 4), "input_size is 0; expected at least 1"),
        (lambda: GRU(3, 0), "hidden_size is 0; expected at least 1"),
        (lambda: RNN(3, -4), "hidden_size is -4; expected at least 1"),
        (lambda: LSTM(3, 4, 0), "num_layers is 0; expected at least 1"),
        (lambda: LSTM(3, 4, dropout=1.5), "dropout is 1.5; expected a probability from 0 to 1"),
        (lambda: LSTM(3, 4, dropout=-0.1), "dropout is -0.1; expected a probability from 0 to 1"),
        (lambda: LSTM(3, 4, dropout=float("nan")), "dropout is nan; expected a probability from 0 to 1"),
        (lambda: LSTM(3, 4, proj_size=4), "proj_size is 4; expected 0 (none) or a size below hidden_size=4"),
        (lambda: LSTM(3, 4, proj_size=9), "proj_size is 9; expected 0 (none) or a size below hidden_size=4"),
        (lambda: LSTM(3, 4, proj_size=-1), "proj_size is -1; expected 0 (none) or a size below hidden_size=4"),
        (lambda: LSTM(3.0, 4), "input_size is 3.0; expected a whole number"),
        (lambda: GRU(3, "4"), "hidden_size is '4'; expected a whole number"),
        (lambda: RNN(3, True), "hidden_size is True; expected a whole number"),
        (lambda: RNN(3, 4, None), "num_layers is None; expected a whole number"),
        (lambda: LSTM(3, 4, 2.0), "num_layers is 2.0; expected a whole number"),
        (lambda: LSTMCell(3, 4.5), "hidden_size is 4.5; expected a whole number"),
        (lambda: GRUCell(False, 4), "input_size is False; expected a whole number"),
        (lambda: LSTMCell(3, 0), "hidden_size is 0; expected at least 1"),
        (lambda: LSTMCell(3, 4, proj_size=4), "proj_size is 4; expected 0 (none) or a size below hidden_size=4"),
        (lambda: RNN(3, 4, nonlinearity="cos"), "unknown nonlinearity 'cos'; choose one of tanh, relu, sigmoid"),
        (lambda: LSTM(3, 4, init="zero"), "unknown initialisation 'zero'; choose one of torch, orthogonal"),
        (
            lambda: LSTM(3, 4, backend="onednn"),
            "unknown back end 'onednn'; choose one of auto, native, torch, reference",
        ),
        (lambda: RNNCell(3, 4, backend=""), "unknown back end ''; choose one of auto, native, torch, reference"),
        # switches
        (lambda: RNN(3, 4, proj_size=2), "proj_size is an option of the lstm; a rnn cannot project its hidden state"),
        (lambda: GRU(3, 4, proj_size=2), "proj_size is an option of the lstm; a gru cannot project its hidden state"),
        (lambda: GRUCell(3, 4, proj_size=2), "proj_size is an option of the lstm; a gru cannot project"),
        (
            lambda: LSTM(3, 4, variant="LSTM"),
            "unknown variant 'LSTM'; choose one of V, NIG, NFG, NOG, NIAF, NOAF, CIFG",
        ),
        (lambda: LSTMCell(3, 4, variant="v"), "unknown variant 'v'; choose one of V, NIG, NFG"),
        (lambda: GRU(3, 4, variant="V"), "variant='V' is a preset of the lstm; a gru has none, set its switches"),
        (lambda: RNNCell(3, 4, variant="NP"), "variant='NP' is a preset of the lstm; a rnn has none"),
        (lambda: GRU(3, 4, peephole="full"), "peephole='full' is a switch of the lstm; a gru has none"),
        (lambda: LSTM(3, 4, nonlinearity="relu"), "nonlinearity='relu' is a switch of the rnn; a lstm has none"),
        (lambda: RNN(3, 4, reset="before"), "reset='before' is a switch of the gru; a rnn has none"),
        (lambda: LSTMCell(3, 4, taps=2), "taps=2 is a switch of the rnn; a lstm has none"),
        (lambda: LSTM(3, 4, bias=1), "bias is 1; expected True or False"),
        (lambda: GRUCell(3, 4, layer_norm="yes"), "layer_norm is 'yes'; expected True or False"),
        (lambda: RNN(3, 4, taps=0), "taps is 0; expected a whole number of at least 1"),
        (lambda: LSTMCell(3, 4, peephole="half"), "unknown peephole 'half'; choose one of none, diagonal, full"),
        (lambda: RNN(3, 4, taps=2, residual="input"), "residual='input' has no recurrent product, so taps=2"),
        (lambda: LSTM(3, 4, candidate_peephole=True), "candidate_peephole=True needs peepholes; set peephole="),
        (
            lambda: LSTM(3, 4, variant="CIFG", input_gate=False),
            "coupled=True makes the forget gate 1 - i, and input_gate",
        ),
        (
            lambda: LSTMCell(3, 4, variant="CIFG", forget_gate=False),
            "and forget_gate=False removes it; drop one of them",
        ),
        (
            lambda: LSTM(3, 4, gate_recurrence=True, input_gate=False, forget_gate=False, output_gate=False),
            "gate_recurrence=True feeds gates back, and this lstm has no gate left",
        ),
        (
            lambda: LSTM(3, 4, variant="NIG", forget_gate=False, output_gate=False),
            "peephole='diagonal' lets gates see the cell state, and this lstm has no gate left",
        ),
        # a spec and sizes that do not fit it
        (lambda: Recurrent("mgu", 3, 4), "unknown cell family 'mgu'; choose one of rnn, lstm, gru"),
        (lambda: Recurrent("lstm peephole=full", 3, 4), "unknown cell family 'lstm peephole=full'; choose one of"),
        (
            lambda: Recurrent(CellSpec("lstm", projected=True), 3, 4),
            "proj_size is 0 and the spec is 'lstm projected=True'; expected both or none to project",
        ),
        (lambda: Recurrent("gru", 3, 4, proj_size=2), "proj_size is 2 and the spec is 'gru'; expected both or none"),
        (lambda: Cell("lstm", 3, 4, proj_size=2), "proj_size is 2 and the spec is 'lstm'; expected both or none"),
        (
            lambda: Cell(CellSpec("lstm", projected=True), 3, 4),
            "proj_size is 0 and the spec is 'lstm projected=True'; expected both or none to project",
        ),
    ],
)
def test_settings(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: LSTM(3, 4)(zeros(0, 2, 3)), "input has shape [0, 2, 3]: no time step; expected at least one"),
        (lambda: GRU(3, 4, batch_first=True)(zeros(2, 0, 3)), "no time step; expected at least one"),
        (lambda: GRU(3, 4)(zeros(0, 3)), "no time step; expected at least one"),
        (lambda: LSTM(3, 4)(zeros(5)), "input has 1 dimensions; expected 3, or 2 for one sequence without batch"),
        (lambda: LSTM(3, 4)(zeros(5, 2, 3, 1)), "input has 4 dimensions; expected 3, or 2"),
        (lambda: LSTM(3, 4)(zeros(5, 2, 7)), "input has 7 features; expected input_size=3"),
        (lambda: LSTM(3, 4)(X.double()), "is torch.float32 on cpu and the input is torch.float64 on cpu"),
        (lambda: LSTM(3, 4)(X.long()), "symbols are torch.int64 [5, 2, 3]; expected torch.int64 [T, B], time first"),
        (lambda: LSTM(3, 4)(pack_sequence([zeros(5, 7)])), "weight_ih has shape [16, 3]; expected [16, 7]"),
        # states
        (lambda: LSTM(3, 4)(X, zeros(1, 2, 4)), "got 1 initial states; a lstm has 2: h, c"),
        (lambda: LSTM(3, 4)(X, (zeros(1, 2, 4),) * 3), "got 3 initial states; a lstm has 2: h, c"),
        (lambda: GRU(3, 4)(X, (zeros(1, 2, 4),) * 2), "got 2 initial states; a gru has 1: h"),
        (lambda: GRU(3, 4)(X, zeros(2, 4)), "initial state h has shape [2, 4]; expected [1, 2, 4]"),
        (lambda: GRU(3, 4)(X, zeros(1, 3, 4)), "initial state h has shape [1, 3, 4]; expected [1, 2, 4]"),
        (lambda: GRU(3, 4, 2)(X, zeros(1, 2, 4)), "initial state h has shape [1, 2, 4]; expected [2, 2, 4]"),
        (
            lambda: GRU(3, 4, 2, bidirectional=True)(X, zeros(2, 2, 4)),
            "initial state h has shape [2, 2, 4]; expected [4, 2, 4]",
        ),
        (lambda: GRU(3, 4)(X[:, 0], zeros(1, 1, 4)), "initial state h has shape [1, 1, 4]; expected [1, 4]"),
        (
            lambda: GRU(3, 4, batch_first=True)(X, zeros(1, 2, 4)),
            "initial state h has shape [1, 2, 4]; expected [1, 5, 4]",
        ),
        (
            lambda: LSTM(3, 4, proj_size=2)(X, (zeros(1, 2, 4), zeros(1, 2, 4))),
            "initial state h has shape [1, 2, 4]; expected [1, 2, 2]",
        ),
        (
            lambda: LSTM(3, 4, proj_size=2)(X, (zeros(1, 2, 2), zeros(1, 2, 2))),
            "initial state c has shape [1, 2, 2]; expected [1, 2, 4]",
        ),
        (
            lambda: LSTM(3, 4, variant="FGR")(X, (zeros(1, 2, 4),) * 2),
            "got 2 initial states; a lstm peephole=diagonal gate_recurrence=True has 5: h, c, i, f, o",
        ),
        (
            lambda: LSTM(3, 4, variant="FGR", coupled=True)(X, (zeros(1, 2, 4),) * 5),
            "got 5 initial states; a lstm peephole=diagonal coupled=True gate_recurrence=True has 4: h, c, i, o",
        ),
        (lambda: RNN(3, 4, taps=3)(X, zeros(1, 2, 4)), "got 1 initial states; a rnn taps=3 has 3: h, h_1, h_2"),
        # lengths
        (
            lambda: LSTM(3, 4)(X, lengths=torch.tensor([5.0, 2.0])),
            "lengths are torch.float32 [2]; expected torch.int64 [2]",
        ),
        (
            lambda: LSTM(3, 4)(X, lengths=torch.tensor([5, 2]).int()),
            "lengths are torch.int32 [2]; expected torch.int64",
        ),
        (lambda: LSTM(3, 4)(X, lengths=[5, 2, 1]), "lengths are torch.int64 [3]; expected torch.int64 [2]"),
        (lambda: LSTM(3, 4)(X, lengths=torch.tensor([[5, 2]])), "lengths are torch.int64 [1, 2]; expected torch.int64"),
        (lambda: LSTM(3, 4)(X, lengths=[6, 2]), "lengths run from 2 to 6; expected 0 to 5, the number of steps"),
        (lambda: LSTM(3, 4)(X, lengths=[5, -1]), "lengths run from -1 to 5; expected 0 to 5"),
        (lambda: LSTM(3, 4, batch_first=True)(X, lengths=[3] * 5), "lengths run from 3 to 3; expected 0 to 2"),
        # resets
        (lambda: LSTM(3, 4)(X, resets=zeros(5, 2)), "resets are torch.float32 [5, 2]; expected torch.bool [5, 2]"),
        (lambda: LSTM(3, 4)(X, resets=zeros(2, 5).bool()), "resets have shape [2, 5]; expected [5, 2]"),
        (lambda: LSTM(3, 4)(X, resets=zeros(5).bool()), "resets have shape [5]; expected [5, 2]"),
        (lambda: LSTM(3, 4, batch_first=True)(X, resets=zeros(5).bool()), "resets have shape [5]; expected [5, 2]"),
        (lambda: LSTM(3, 4, batch_first=True)(X, resets=zeros(2, 5).bool()), "have shape [2, 5]; expected [5, 2]"),
        (lambda: LSTM(3, 4)(X[:, 0], resets=zeros(5, 1).bool()), "resets have shape [5, 1]; expected [5]"),
        (lambda: LSTM(3, 4)(X[:, 0], resets=torch.tensor(True)), "resets have shape []; expected [5]"),
        # a PackedSequence has lengths
        (lambda: LSTM(3, 4)(pack_sequence([X[:, 0]]), lengths=[5]), "a PackedSequence carries its own lengths"),
        (
            lambda: LSTM(3, 4)(pack_sequence([X[:, 0]]), resets=zeros(5, 1).bool()),
            "a PackedSequence carries its own lengths; pass lengths, resets and embedding with a padded input",
        ),
        (
            lambda: GRU(3, 4)(pack_sequence([X[:, 0], X[:3, 1]]), zeros(1, 1, 4)),
            "initial state h has shape [1, 1, 4]; expected [1, 2, 4]",
        ),
    ],
)
def test_arguments(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        call()
    assert "\n" not in str(caught.value)


MANY_STATES = pytest.mark.parametrize("name", [name for name, spec in MATRIX.items() if len(spec.states) > 1])


@MANY_STATES
def test_states_that_are_too_few_too_many_or_of_another_size(name: str) -> None:
    spec, proj = MATRIX[name], 3 * MATRIX[name].projected
    layer, cell = Recurrent(spec, 3, 5, 2, proj_size=proj), Cell(spec, 3, 5, proj_size=proj)
    sizes = spec.state_sizes(5, proj)
    states, row = [zeros(2, 2, size) for size in sizes], [zeros(2, size) for size in sizes]
    count, names = len(sizes), ", ".join(spec.states)
    layer(X, tuple(states))
    cell(X[0], tuple(row))
    for wrong in (1, count - 1, count + 1):
        message = re.escape(f"got {wrong} initial states; a {spec.code} has {count}: {names}")
        with pytest.raises(InputError, match=f"^{message}$"):
            layer(X, tuple([*states, *states][:wrong]))
        message = re.escape(f"got {wrong} states; {spec.code} has {count}: {names}")
        with pytest.raises(InputError, match=f"^{message}$"):
            cell(X[0], tuple([*row, *row][:wrong]))
    for number, (state, size) in enumerate(zip(spec.states, sizes, strict=True)):
        large = [*states[:number], zeros(2, 2, size + 1), *states[number + 1 :]]
        message = re.escape(f"initial state {state} has shape [2, 2, {size + 1}]; expected [2, 2, {size}]")
        with pytest.raises(InputError, match=f"^{message}$"):
            layer(X, tuple(large))
        short = [*row[:number], zeros(1, size), *row[number + 1 :]]
        message = re.escape(f"state {state} has shape [1, {size}]; expected [2, {size}]")
        with pytest.raises(InputError, match=f"^{message}$"):
            cell(X[0], tuple(short))


# --- state_dicts ---


def unchanged(module: torch.nn.Module, before: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


@pytest.mark.parametrize("name", MATRIX)
@pytest.mark.parametrize("kind", [Recurrent, Cell])
def test_a_state_dict_that_does_not_fit_is_not_loaded(kind: Any, name: str) -> None:
    spec, proj = MATRIX[name], 3 * MATRIX[name].projected
    module, other = (kind(spec, 4, 5, proj_size=proj) for _ in range(2))
    before, given = {key: value.clone() for key, value in module.state_dict().items()}, other.state_dict()
    for key in given:
        lacking = {one: tensor for one, tensor in given.items() if one != key}
        misshapen = given | {key: zeros(*given[key].shape, 1)}
        shape = list(given[key].shape)
        for state_dict, message in (
            (lacking, f"the state_dict lacks {key}; expected the parameters of {module!r}"),
            (misshapen, f"{key} in the state_dict has shape {[*shape, 1]}; {module!r} expects {shape}"),
        ):
            for assign in (False, True):
                with pytest.raises(InputError) as caught:
                    module.load_state_dict(state_dict, assign=assign)
                assert str(caught.value) == message
                assert "\n" not in message
                assert unchanged(module, before)
    with pytest.raises(InputError) as caught:
        module.load_state_dict(given | {"weight_zz": zeros(1), "w": zeros(1)})
    assert str(caught.value) == (
        f"the state_dict has weight_zz, w, which it should not; expected the parameters of {module!r}"
    )
    assert unchanged(module, before)
    module.load_state_dict(given)
    assert unchanged(module, given)
    assert module.load_state_dict({}, strict=False).missing_keys == list(given)


def test_a_state_dict_of_another_cell_says_what_is_missing_and_what_is_too_much() -> None:
    with pytest.raises(InputError) as caught:
        LSTM(3, 4, peephole="full").load_state_dict(LSTM(3, 4, gate_recurrence=True).state_dict())
    assert str(caught.value) == (
        "the state_dict lacks weight_ch_l0 and has weight_gh_l0, which it should not; "
        "expected the parameters of LSTM(3, 4, peephole='full')"
    )
    with pytest.raises(InputError) as caught:
        LSTM(3, 4, peephole="full").load_state_dict(LSTM(3, 4, peephole="diagonal").state_dict())
    assert str(caught.value) == (
        "weight_ch_l0 in the state_dict has shape [12]; LSTM(3, 4, peephole='full') expects [12, 4]"
    )
    with pytest.raises(InputError, match=r"^the state_dict lacks weight_ih_l1, weight_hh_l1, bias_ih_l1, bias_hh_l1; "):
        GRU(3, 4, 2).load_state_dict(GRU(3, 4).state_dict())
    with pytest.raises(InputError, match=r"^the state_dict has bias_ih_l0, bias_hh_l0, which it should not; "):
        GRU(3, 4, bias=False).load_state_dict(GRU(3, 4).state_dict())
