"""Input layers, heads that pool over time, the perceptron, and following step by step."""

from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from peephole.errors import InputError
from peephole.models.config import WholeConfig
from peephole.models.following import Following
from peephole.models.heads import Pool, Pooled
from peephole.models.inputs import Convolution, Numbers, Projection
from peephole.models.perceptron import Perceptron
from peephole.models.sequence import SequenceModel

T, B, I, H, O = 11, 3, 4, 6, 5
LENGTHS = torch.tensor([11, 7, 2])
POOLS: tuple[Pool, ...] = ("last", "mean", "max", "mean-max", "attention")


def config(directions: Literal["both", "one"] = "one", **settings: object) -> WholeConfig:
    fields = {"hidden_size": H, "embedding_size": 7, "layers": 2, "dropout": 0.0, "directions": directions, **settings}
    return WholeConfig(**fields)  # pyright: ignore[reportArgumentType]


def net(layer: nn.Module, pool: Pool | None, directions: Literal["both", "one"] = "one") -> SequenceModel:
    torch.manual_seed(0)
    given = config(directions)
    head = O if pool is None else Pooled(given.width, O, pool, given.bidirectional)
    return SequenceModel(layer, given, head, valued=True).eval()


def layers() -> list[nn.Module]:
    return [Numbers(I), Projection(I, 7), Convolution(I, 7, 3), Convolution(I, 7, 4, 2), Convolution(I, 7, 3, 3)]


@pytest.fixture
def x() -> Tensor:
    return torch.randn(T, B, I, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("pool", [None, *POOLS])
@pytest.mark.parametrize("layer", range(5))
@pytest.mark.parametrize("directions", ["one", "both"])
def test_a_row_alone_is_the_row_in_its_batch(
    x: Tensor, layer: int, pool: Pool | None, directions: Literal["both", "one"]
) -> None:
    model = net(layers()[layer], pool, directions)
    together = model(x, lengths=LENGTHS)[0]
    for row, length in enumerate(LENGTHS.tolist()):
        alone = model(x[:length, row : row + 1], lengths=LENGTHS[row : row + 1])[0]
        assert (together[: len(alone), row] - alone[:, 0]).abs().max() <= 1e-5


@pytest.mark.parametrize("pool", [None, *POOLS])
@pytest.mark.parametrize("layer", range(5))
def test_following_answers_as_the_sequence_up_to_here(x: Tensor, layer: int, pool: Pool | None) -> None:
    model = net(layers()[layer], pool)
    follower = Following(model)
    stride = getattr(model.embedding, "stride", 1)
    for _ in range(2):  # the second time after a reset
        for step in range(T):
            answer = follower.step(x[step, :1])
            if (step + 1) % stride:
                assert answer is None
                continue
            assert answer is not None
            want = model(x[: step + 1, :1])[0][-1]
            assert (answer - want).abs().max() <= 1e-4
        follower.reset()


def test_a_net_of_both_directions_cannot_be_followed() -> None:
    with pytest.raises(InputError, match="both directions cannot stream"):
        Following(net(Numbers(I), "mean", "both"))


def test_a_convolution_sees_nothing_that_comes_later(x: Tensor) -> None:
    layer = Convolution(I, 7, 4, 2)
    whole = layer.enter(x)[0]
    for steps in range(2, T, 2):
        assert torch.equal(layer.enter(x[:steps])[0], whole[: steps // 2])
    assert layer.enter(x, LENGTHS)[1].tolist() == [6, 4, 1]  # pyright: ignore[reportOptionalMemberAccess]


def test_an_empty_row_is_pooled_to_zeros(x: Tensor) -> None:
    for pool in POOLS:
        head = Pooled(H, O, pool)
        answers = head(torch.randn(T, B, H), torch.tensor([3, 0, 11]))
        assert answers.shape == (1, B, O)
        assert torch.allclose(answers[0, 1], head.bias)
        assert bool(torch.isfinite(answers).all())


def test_the_pools_are_what_they_say() -> None:
    y = torch.randn(T, B, 2 * H)
    row = y[:7, 1]
    want = {"mean": row.mean(0), "max": row.amax(0), "mean-max": torch.cat([row.mean(0), row.amax(0)])}
    want["last"] = torch.cat([row[-1, :H], row[0, H:]])  # each direction where it ends
    for pool, expected in want.items():
        found = Pooled(2 * H, O, pool, both=True).pooled(y, LENGTHS)[1]  # pyright: ignore[reportArgumentType]
        assert torch.allclose(found, expected, atol=1e-6)


def test_a_perceptron_answers_a_step_from_that_step_alone(x: Tensor) -> None:
    torch.manual_seed(0)
    model = Perceptron(Projection(I, 7), 9, nn.Linear(9, O)).eval()
    answers, states = model(x)
    assert states == ()
    assert torch.allclose(model(x[4:5])[0][0], answers[4], atol=1e-6)
    pooled = Perceptron(Numbers(I), 9, Pooled(9, O, "mean")).eval()
    assert torch.allclose(pooled(x)[0], pooled(x.flip(0))[0], atol=1e-6)  # it knows no order
    with pytest.raises(InputError, match="got a Linear as input layer"):
        Perceptron(nn.Linear(2, 3), 9, nn.Linear(9, O))


def test_dropout_of_the_input_is_for_training_alone(x: Tensor) -> None:
    torch.manual_seed(0)
    model = SequenceModel(Numbers(I), config(input_dropout=0.5), O)
    assert not torch.equal(model(x)[0], model(x)[0])
    model.eval()
    assert torch.equal(model(x)[0], model(x)[0])
    symbols = SequenceModel(5, config(input_dropout=0.5), O)
    given = torch.randint(0, 5, (T, B))
    assert not torch.equal(symbols(given)[0], symbols(given)[0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Numbers(0), "features is 0; expected at least 1"),
        (lambda: Convolution(2, 3, 2, 3), "stride is 3 and kernel 2"),
        (lambda: Pooled(3, 2, "median"), "pool is 'median'; expected one of last, mean, max"),  # pyright: ignore
        (lambda: config(input_dropout=1.0), "--input-dropout is 1.0; expected 0 to below 1"),
    ],
)
@pytest.mark.usefixtures("unchecked_annotations")
def test_sizes_that_cannot_be(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(InputError, match=message):
        make()
