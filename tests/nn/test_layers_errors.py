"""What a layer refuses, in one line that says what was got and what was expected."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence

from peephole.errors import InputError
from peephole.nn.layers import GRU, LSTM, RNN

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
        (lambda: RNN(3, 4, nonlinearity="cos"), "unknown nonlinearity 'cos'; choose one of tanh, relu"),
        (lambda: LSTM(3, 4, init="zero"), "unknown initialisation 'zero'; choose one of torch, orthogonal"),
        (lambda: LSTM(3, 4, backend="onednn")(X), "unknown back end 'onednn'; choose one of auto, torch, reference"),
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
        (lambda: LSTM(3, 4)(X.long()), "is torch.float32 on cpu and the input is torch.int64 on cpu"),
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
            "a PackedSequence carries its own lengths; pass lengths and resets with a padded input",
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
