"""What stands before and after the layers: linear maps, an embedding that is looked up or folded, a softmax or none."""

import pytest
import torch
from torch import Tensor, nn

import peephole
from peephole.errors import InputError
from peephole.streams import snapshot
from peephole.streams.snapshot import Snapshot
from peephole.streams.source import Source

TOLERANCES = {"float32": 1e-5, "bfloat16": 2e-2, "int8": 5e-2}


class Net(nn.Module):
    """Linear, two layers, linear: of odd sizes."""

    def __init__(self, features: int, width: int, hidden: int, outputs: int, bias: bool = True) -> None:
        super().__init__()
        torch.manual_seed(features + hidden)
        self.entry = nn.Linear(features, width, bias)
        self.layers = peephole.LSTM(width, hidden, 2)
        self.head = nn.Linear(hidden, outputs, bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layers(self.entry(x))[0])

    def source(self, softmax: bool = False) -> Source:
        return Source(
            self.layers.spec,
            list(self.layers.named_layers()),
            self.layers.hidden_size,
            head=self.head.weight,
            bias=self.head.bias,
            softmax=softmax,
            entry=self.entry.weight,
            entry_bias=self.entry.bias,
        )


@pytest.mark.parametrize("sizes", [(5, 7, 33, 4), (40, 16, 130, 70), (1, 33, 7, 1)])
@pytest.mark.parametrize("weights", list(TOLERANCES))
@pytest.mark.parametrize("bias", [True, False])
def test_linear_maps_before_and_after(sizes: tuple[int, int, int, int], weights: str, bias: bool) -> None:
    net = Net(*sizes, bias)
    for batch in (1, 3, 40):
        x = torch.randn(9, batch, sizes[0])
        with torch.no_grad():
            want = net(x)
        for softmax in (False, True):
            stream = Snapshot.of(net.source(softmax), weights).stream(batch, threads=2)
            got = torch.stack([stream.step(row) for row in x])
            expected = torch.log_softmax(want, -1) if softmax else want
            assert float((got - expected).abs().max()) <= TOLERANCES[weights]


def test_a_model_without_softmax_gives_no_probabilities() -> None:
    stream = Snapshot.of(Net(3, 4, 5, 3).source()).stream(1)
    with pytest.raises(InputError, match="symbols"):
        stream.surprisals(torch.zeros(2, 1, dtype=torch.int64), torch.zeros(2, 1, dtype=torch.int64))


def test_features_of_the_entry_are_asked_for() -> None:
    stream = Snapshot.of(Net(3, 4, 5, 3).source()).stream(1)
    with pytest.raises(InputError, match=r"input of shape \[1, 4\] for 1 streams; expected \[1, 3\]"):
        stream.step(torch.zeros(1, 4))


def test_embeddings_too_large_to_fold_are_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    from peephole.models.config import ModelConfig
    from peephole.models.sequence import SequenceModel

    torch.manual_seed(1)
    model = SequenceModel(37, ModelConfig(hidden_size=18, embedding_size=7, dropout=0.0)).eval()
    symbols = torch.randint(37, (20, 3))
    with torch.no_grad():
        want = torch.log_softmax(model(symbols)[0], -1)
    folded = model.snapshot()
    monkeypatch.setattr(snapshot, "FEW_SYMBOLS", 1)
    monkeypatch.setattr(snapshot, "FOLDED_SIZE", 1)
    looked_up = model.snapshot()
    assert looked_up.nbytes != folded.nbytes
    for one in (folded, looked_up):
        assert float((one.stream(3).read(symbols) - want).abs().max()) <= 1e-5
        stream = one.stream(2)
        stream.seed(5)
        assert stream.draw(symbols[0, :2], 30).max() < 37
