"""A model one symbol at a time."""

from typing import Any

import pytest
import torch

from peephole.errors import InputError
from peephole.generate.stream import Stream
from peephole.generate.threads import map_pieces, one_thread
from peephole.models.config import ModelConfig
from peephole.models.sequence import SequenceModel

CELLS = [{"cell": "lstm"}, {"cell": "gru"}, {"cell": "rnn"}, {"cell": "rnn", "nonlinearity": "relu"}]


def made(**settings: Any) -> SequenceModel:
    torch.manual_seed(0)
    return SequenceModel(11, ModelConfig(**{"hidden_size": 10, "embedding_size": 5, "dropout": 0.5, **settings}))


@pytest.mark.parametrize("settings", CELLS)
@pytest.mark.parametrize("batch", [1, 3])
def test_steps_equal_the_whole_sequence(settings: dict[str, Any], batch: int) -> None:
    model = made(**settings)
    symbols = torch.randint(11, (40, batch))
    model.eval()
    with torch.no_grad():
        whole = torch.log_softmax(model(symbols)[0], -1)
    model.train()  # as training leaves it: a stream switches dropout off itself
    stream = Stream(model, batch)
    steps = torch.stack([stream.step(row) for row in symbols])
    assert float((steps - whole).abs().max()) <= 1e-5
    stream.reset()
    pieces = torch.cat([stream.read(symbols[:7]), stream.read(symbols[7:8]), stream.read(symbols[8:])])
    assert float((pieces - whole).abs().max()) <= 1e-5
    assert float((pieces.exp().sum(-1) - 1).abs().max()) <= 1e-5


def test_streams_side_by_side_do_not_know_each_other() -> None:
    model = made()
    symbols = torch.randint(11, (20, 4))
    together = Stream(model, 4).read(symbols)
    for row in range(4):
        alone = Stream(model).read(symbols[:, row : row + 1])
        assert float((together[:, row : row + 1] - alone).abs().max()) <= 1e-5


def test_a_stream_remembers_until_it_is_reset() -> None:
    stream = Stream(made())
    symbol = torch.tensor([4])
    first = stream.step(symbol)
    assert not torch.equal(stream.step(symbol), first)
    stream.reset()
    assert torch.equal(stream.step(symbol), first)


def test_threads_change_no_bit_and_stay_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    model = made(hidden_size=70)
    symbols = torch.randint(11, (30, 5))
    at_work: list[int] = []
    real = SequenceModel.forward

    def forward(self: SequenceModel, *arguments: Any) -> Any:
        at_work.append(torch.get_num_threads())
        return real(self, *arguments)

    monkeypatch.setattr(SequenceModel, "forward", forward)
    results = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        results.append(Stream(model, 5).read(symbols))
        assert torch.get_num_threads() == threads
    assert torch.equal(*results)
    assert at_work == [1, 1]


def test_no_gradients_are_recorded() -> None:
    stream = Stream(made())
    assert not stream.step(torch.tensor([1])).requires_grad
    assert not any(state.requires_grad for state in stream.states)


def test_no_streams_are_refused() -> None:
    with pytest.raises(InputError, match="got 0 streams"):
        Stream(made(), 0)


def test_pieces_come_back_in_order_with_one_thread_each() -> None:
    for threads in (1, 2):
        torch.set_num_threads(threads)
        assert map_pieces(lambda piece: (piece, torch.get_num_threads()), range(9)) == [(each, 1) for each in range(9)]
        assert map_pieces(lambda piece: piece, []) == []
        assert torch.get_num_threads() == threads


def test_threads_are_restored_after_an_error() -> None:
    def fail(piece: int) -> None:
        raise KeyError(piece)

    for threads in (1, 2):
        torch.set_num_threads(threads)
        with pytest.raises(KeyError):
            map_pieces(fail, range(3))
        with pytest.raises(KeyError), one_thread():
            fail(1)
        assert torch.get_num_threads() == threads
