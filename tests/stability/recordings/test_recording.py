"""A net on a batch kept whole: the states are the module's own, and the module stays as it was."""

import logging

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

import peephole
from peephole.errors import InputError
from peephole.models.config import ModelConfig
from peephole.models.sequence import SequenceModel
from peephole.spec import CellSpec
from peephole.stability.recordings.recording import record

from ...cells import MATRIX
from ..nets import lively, same, snapshot

T, B = 7, 4


def sequences(features: int = 3) -> Tensor:
    return torch.randn(T, B, features, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("spec", MATRIX.values(), ids=MATRIX)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_last_layers_states_are_the_modules_output(spec: CellSpec, bidirectional: bool) -> None:
    net = lively(spec, layers=2, bidirectional=bidirectional)
    resets = torch.rand(T, B) < 0.2
    recording = record(net, {"input": sequences(), "lengths": [T, 5, 1, 0], "resets": resets})
    made = torch.cat([passage.output for passage in recording.layers[-1]], -1)
    assert (made - recording.leaf).abs().max() <= 1e-12
    assert len(recording.passages) == 2 * (1 + bidirectional)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
@pytest.mark.parametrize("batch_first", [False, True])
def test_a_net_of_torch(kind: type[nn.RNNBase], batch_first: bool) -> None:
    net = kind(3, 5, 2, bidirectional=True, batch_first=batch_first, dtype=torch.float64)
    x = sequences()
    given = x.transpose(0, 1) if batch_first else x
    recording = record(net, given)
    want = net(given)[0].detach()
    assert (recording.leaf - (want.transpose(0, 1) if batch_first else want)).abs().max() <= 1e-12
    made = torch.cat([passage.output for passage in recording.layers[-1]], -1)
    assert (made - recording.leaf).abs().max() <= 1e-12


def test_packed_and_unbatched_input() -> None:
    net, x = nn.GRU(3, 5, dtype=torch.float64), sequences()
    recording = record(net, pack_padded_sequence(x, torch.tensor([7, 2, 5, 3]), enforce_sorted=False))
    padded = record(peephole.from_torch(net), {"input": x, "lengths": [7, 2, 5, 3]})
    assert (recording.layers[0][0].output - padded.layers[0][0].output).abs().max() <= 1e-12
    assert (recording.leaf - padded.leaf).abs().max() <= 1e-12
    alone = record(net, x[:, 0])
    assert (alone.layers[0][0].output[:, 0] - record(net, x).layers[0][0].output[:, 0]).abs().max() <= 1e-12


def test_initial_states_learned_states_and_projection() -> None:
    net = lively(CellSpec("lstm", projected=True), learned_states=True)
    assert net.state_h_l0.abs().max() > 0
    resets = torch.zeros(T, B, dtype=torch.bool)
    resets[2] = True
    recording = record(net, {"input": sequences(), "resets": resets})
    passage = recording.layers[0][0]
    assert torch.equal(passage.before[1][2], net.state_c_l0.detach().expand(B, -1))
    assert (passage.output - recording.leaf).abs().max() <= 1e-12
    states = torch.randn(1, B, 2, dtype=torch.float64), torch.randn(1, B, 5, dtype=torch.float64)
    passage = record(net, (sequences(), states)).layers[0][0]
    assert torch.equal(passage.before[0][0], states[0][0])


def test_a_whole_model_with_symbols() -> None:
    config = ModelConfig(cell="gru", layers=2, hidden_size=6, embedding_size=4)
    model = SequenceModel(11, config)
    symbols = torch.randint(0, 11, (T, B))
    recording = record(model, symbols)
    assert (recording.layers[-1][0].output - recording.leaf).abs().max() <= 1e-6
    logits = recording.output[0]
    (gradient,) = torch.autograd.grad(logits.sum(), recording.leaf)
    want = model.head.weight.sum(0).detach().expand(T, B, -1)
    assert torch.allclose(gradient, want)


def test_the_module_is_left_as_it_was(caplog: pytest.LogCaptureFixture) -> None:
    net = nn.Sequential()
    net.recurrent = nn.LSTM(3, 5, 2, dropout=0.5, dtype=torch.float64)
    net.recurrent.weight_hh_l0.requires_grad_(False)
    net.recurrent.weight_ih_l0.grad = torch.ones_like(net.recurrent.weight_ih_l0)
    net.train()
    before, numbers = snapshot(net), torch.get_rng_state()
    with caplog.at_level(logging.WARNING, "peephole"):
        recording = record(net.recurrent, sequences())
    assert same(before, snapshot(net))
    assert torch.equal(torch.get_rng_state(), numbers)
    assert torch.is_grad_enabled()
    assert len(caplog.records) == 1
    assert "without dropout" in caplog.text
    quiet = net.eval()
    assert torch.equal(record(quiet.recurrent, sequences()).leaf, recording.leaf)


def test_measuring_goes_without_gradients_around_it() -> None:
    with torch.no_grad():
        recording = record(nn.GRU(3, 5), torch.randn(T, B, 3))
        assert not torch.is_grad_enabled()
    assert recording.leaf.requires_grad
    with torch.inference_mode():
        net = nn.GRU(3, 5)
        record(net, torch.randn(T, B, 3))


class Failing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.GRU(3, 5)

    def forward(self, x: Tensor) -> Tensor:
        raise RuntimeError("mine")


def test_a_module_that_fails_is_put_back_too() -> None:
    module = Failing()
    before = snapshot(module)
    with pytest.raises(InputError, match=r"Failing does not take this batch \(RuntimeError: mine\)") as caught:
        record(module, torch.randn(T, B, 3))
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert same(before, snapshot(module))
    assert torch.is_grad_enabled()


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.GRU(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(self.net(x)[0])[0]


@pytest.mark.parametrize(
    ("module", "batch", "words"),
    [
        (nn.Linear(3, 3), torch.zeros(5, 2, 3), "Linear has no recurrent net in it"),
        (nn.ModuleList([nn.GRU(3, 3), nn.RNN(3, 3)]), torch.zeros(5, 2, 3), r"2 recurrent nets \(0, 1\)"),
        (nn.GRU(3, 3), torch.zeros(1, 2, 3), "2 sequences of 1 step;"),
        (nn.GRU(3, 3), torch.zeros(1, 1, 3), "1 sequence of 1 step;"),
        (nn.GRU(3, 3), torch.full((5, 2, 3), torch.nan), "not finite"),
        (Twice(), torch.zeros(5, 2, 3), "ran its recurrent net 2 times"),
    ],
)
def test_what_cannot_be_recorded(module: nn.Module, batch: Tensor, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        record(module, batch)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("unchecked_annotations")
def test_something_that_is_no_module() -> None:
    with pytest.raises(InputError, match="got a list; expected a module"):
        record([], torch.zeros(5, 2, 3))  # pyright: ignore
