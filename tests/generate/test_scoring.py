"""Surprisal: against cross entropy by hand, in pieces, over document boundaries, on any number of threads."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy

from peephole.errors import InputError
from peephole.generate import scoring
from peephole.generate.scoring import Pieces, surprisals
from peephole.models.config import ModelConfig
from peephole.models.language.config import LanguageConfig
from peephole.models.language.model import LanguageModel
from peephole.models.sequence import SequenceModel
from peephole.nn.recurrent import Recurrent
from peephole.streams.stream import Stream

EOD = 0


@pytest.fixture(scope="module", params=["lstm", "gru", "rnn"])
def model(request: pytest.FixtureRequest) -> SequenceModel:
    torch.manual_seed(1)
    model = SequenceModel(12, ModelConfig(cell=request.param, hidden_size=10, embedding_size=5, dropout=0.4))
    with torch.no_grad():
        model.head.weight *= 5
    return model.train()  # surprisals switch dropout off themselves


def text(length: int, documents: int = 1, seed: int = 0) -> NDArray[np.uint8]:
    """Random symbols with `<eod>` before each document and after the last."""
    generator = np.random.default_rng(seed)
    tokens = generator.integers(1, 12, length).astype(np.uint8)
    tokens[np.linspace(0, length - 1, documents + 1).astype(int)] = EOD
    return tokens


def by_hand(model: SequenceModel, tokens: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Document after document, each from the zero state, in one pass."""
    model.eval()
    parts = []
    starts = [place for place in range(len(tokens) - 1) if place == 0 or tokens[place] == EOD]
    for start, end in zip(starts, [*starts[1:], len(tokens) - 1], strict=True):
        ids = torch.from_numpy(tokens[start : end + 1].astype(np.int64))
        with torch.no_grad():
            logits, _ = model(ids[:-1, None])
        parts.append(cross_entropy(logits[:, 0], ids[1:], reduction="none").double().numpy())
    return np.concatenate(parts)


def worst(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    assert one.shape == other.shape
    return float(np.abs(one - other).max())


@pytest.mark.parametrize("documents", [1, 7])
@pytest.mark.parametrize("length", [2, 3, 100, 513, 1500])
def test_one_pass_is_cross_entropy(model: SequenceModel, length: int, documents: int) -> None:
    tokens = text(length, min(documents, length - 1))
    values = surprisals(model, tokens, EOD, Pieces(length=None))
    assert values.dtype == np.float64
    assert worst(values, by_hand(model, tokens)) <= 1e-5


@pytest.mark.parametrize("pieces", [Pieces(64, 40), Pieces(100, 0), Pieces(1, 3), Pieces(7, 1000), Pieces(2000, 5)])
def test_a_piece_knows_its_context_and_nothing_before(model: SequenceModel, pieces: Pieces) -> None:
    tokens = text(333, 3)
    assert pieces.length is not None
    expected = []
    for start in range(0, 332, pieces.length):
        context = min(start, pieces.context)
        values = by_hand(model, tokens[start - context : start + pieces.length + 1])
        expected.append(values[context:])
    assert worst(surprisals(model, tokens, EOD, pieces), np.concatenate(expected)) <= 1e-5


def test_the_usual_pieces_are_near_one_pass(model: SequenceModel) -> None:
    tokens = text(3 * 4096 + 100)
    usual, exact = surprisals(model, tokens, EOD), by_hand(model, tokens)
    assert worst(usual, exact) <= 1e-3
    assert abs(usual.mean() - exact.mean()) <= 1e-6


def test_documents_forget(model: SequenceModel) -> None:
    """What stands before an `<eod>` changes nothing after it."""
    one, other = text(200, 2), text(200, 2, seed=1)
    middle = int(np.flatnonzero(one == EOD)[1])
    other[middle:] = one[middle:]
    values = [surprisals(model, tokens, EOD, Pieces(50, 60)) for tokens in (one, other)]
    assert worst(values[0][middle:], values[1][middle:]) <= 1e-6
    assert worst(values[0][:middle], values[1][:middle]) > 0.1


def test_threads_change_no_bit(model: SequenceModel) -> None:
    tokens = text(5000, 4)
    results = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        for pieces in (Pieces(100, 30), Pieces(None)):
            results.append(surprisals(model, tokens, EOD, pieces))
        assert torch.get_num_threads() == threads
    assert (results[0] == results[2]).all()
    assert (results[1] == results[3]).all()


@pytest.mark.parametrize(("limit", "count"), [(1, 1), (250, 2), (1000, 10), (4998, 50), (4999, 50), (9999, 50)])
def test_a_limit_takes_whole_pieces_evenly(model: SequenceModel, limit: int, count: int) -> None:
    tokens = text(5000)
    every = surprisals(model, tokens, EOD, Pieces(100, 30))
    some = surprisals(model, tokens, EOD, Pieces(100, 30), limit=limit)
    if limit >= 4999:
        assert (some == every).all()
        return
    starts = np.unique(np.linspace(0, 49, count).astype(int)) * 100
    expected = np.concatenate([every[start : start + 100] for start in starts])
    assert worst(some, expected) <= 1e-5
    assert abs(len(some) - limit) <= 100


def test_chunks_and_rows_change_nothing(model: SequenceModel, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = text(700, 5)
    before = surprisals(model, tokens, EOD, Pieces(90, 20))
    for name, value in (("CHUNK", 7), ("ROWS", {"native": 3, "stepwise": 2})):
        monkeypatch.setattr(scoring, name, value)
        assert worst(surprisals(model, tokens, EOD, Pieces(90, 20)), before) <= 1e-5


class Slow:
    """The model through its module's forward."""

    def __init__(self, model: SequenceModel) -> None:
        self.model = model

    def stream(self, batch: int = 1) -> Stream:
        return self.model.stream(batch, backend="stepwise")


def test_the_slow_way_finds_the_same_on_any_number_of_threads(model: SequenceModel) -> None:
    tokens = text(2000, 5)
    want = surprisals(model, tokens, EOD, Pieces(90, 20))
    results = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        results.append(surprisals(Slow(model), tokens, EOD, Pieces(90, 20)))
    assert (results[0] == results[1]).all()
    assert worst(results[0], want) <= 1e-5


def test_it_sums_to_the_probability_of_all_texts(model: SequenceModel) -> None:
    """Over every text of two symbols the probabilities add up to one."""
    total = 0.0
    for first in range(12):
        for second in range(12):
            tokens = np.array([EOD, first, second], dtype=np.uint8)
            total += float(np.exp(-surprisals(model, tokens, EOD, Pieces(None)).sum()))
    assert total == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("tokens", [[], [0]])
def test_nothing_to_predict_is_refused(model: SequenceModel, tokens: list[int]) -> None:
    with pytest.raises(InputError, match=f"got {len(tokens)} symbols; expected at least 2"):
        surprisals(model, np.array(tokens, dtype=np.uint8), EOD)


def test_no_gradients_are_recorded(model: SequenceModel, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    real = Recurrent.forward

    def forward(self: Recurrent, *arguments: Any, **named: Any) -> Any:
        seen.append(torch.is_grad_enabled())
        return real(self, *arguments, **named)

    monkeypatch.setattr(Recurrent, "forward", forward)
    torch.set_num_threads(2)
    surprisals(Slow(model), text(3000), EOD, Pieces(50, 10))
    assert seen
    assert not any(seen)


@pytest.mark.parametrize("kind", ["full", "adaptive", "sampled"])
def test_a_net_of_many_symbols_reads_through_itself(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(2)
    settings: dict[str, Any] = {"softmax": kind, "cutoffs": (4, 8) if kind == "adaptive" else (), "samples": 5}
    net = LanguageModel(
        12, LanguageConfig(hidden_size=10, embedding_size=10, dropout=0.5, locked_dropout=True, **settings)
    )
    tokens, pieces = text(500, documents=4), Pieces(60, 20)
    monkeypatch.setattr(scoring, "MANY_SYMBOLS", 1)
    monkeypatch.setattr(scoring, "NET_CHUNK", 7)
    assert scoring.reads_through(net)
    found = surprisals(net, tokens, EOD, pieces)
    assert net.training
    monkeypatch.setattr(scoring, "MANY_SYMBOLS", 1000)
    assert scoring.reads_through(net) == (kind == "adaptive")
    logits = _logits_in_pieces(net.eval(), tokens, pieces)
    np.testing.assert_allclose(found, logits, rtol=1e-4, atol=1e-5)


def _logits_in_pieces(net: LanguageModel, tokens: NDArray[np.uint8], pieces: Pieces) -> NDArray[np.float64]:
    """Each piece after its context, from the outputs of one forward."""
    parts: list[NDArray[np.float64]] = []
    assert pieces.length is not None
    for start in range(0, len(tokens) - 1, pieces.length):
        first, end = max(0, start - pieces.context), min(start + pieces.length, len(tokens) - 1)
        part = torch.from_numpy(tokens[first : end + 1].astype(np.int64))[:, None]
        with torch.no_grad():
            logits = net(part[:-1], None, part[:-1] == EOD)[0]
        nats = cross_entropy(logits.flatten(0, 1), part[1:, 0], reduction="none")
        parts.append(nats[start - first :].double().numpy())
    return np.concatenate(parts)
