"""The encoder of pictures: places in order, each row its own, and what it names."""

import pytest
import torch

from peephole.errors import InputError
from peephole.models.config import DecoderConfig
from peephole.models.decoder import Decoder
from peephole.models.encoder_decoder import EncoderDecoder
from peephole.models.pictures import Block, PictureEncoder

MEAN, SCALE = (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)


def encoder(named: int = 0, blocks: int = 1, dropout: float = 0.0) -> PictureEncoder:
    torch.manual_seed(0)
    return PictureEncoder(8, blocks, MEAN, SCALE, named, dropout)


@pytest.mark.parametrize(("high", "wide"), [(32, 32), (96, 96), (48, 80)])
@pytest.mark.parametrize("blocks", [1, 2])
def test_shapes(high: int, wide: int, blocks: int) -> None:
    net = encoder(blocks=blocks)
    memory = net.encode(torch.rand(3, 3, high, wide))
    assert memory.steps.shape == (high // 16 * (wide // 16), 3, net.memory)
    assert memory.summary.shape == (3, net.memory)
    assert memory.lengths is None
    assert net.memory == 32
    assert torch.allclose(memory.steps.mean(0), memory.summary, atol=1e-6)


def test_places_go_row_by_row_from_the_upper_left() -> None:
    net = encoder().eval()
    grey = torch.full((1, 3, 160, 160), 0.5)
    for row, column in [(1, 2), (2, 7), (8, 1)]:
        marked = grey.clone()
        marked[:, :, 16 * row + 4 : 16 * row + 12, 16 * column + 4 : 16 * column + 12] = 1.0
        change = (net.encode(marked).steps - net.encode(grey).steps).abs().sum(-1)[:, 0].reshape(10, 10)
        place = int(change.argmax())
        assert abs(place // 10 - row) <= 1
        assert abs(place % 10 - column) <= 1


def test_a_row_alone_is_the_row_in_its_batch() -> None:
    net = encoder().eval()
    pictures = torch.rand(4, 3, 32, 48)
    together = net.encode(pictures)
    for row in range(4):
        alone = net.encode(pictures[row : row + 1])
        assert (alone.steps[:, 0] - together.steps[:, row]).abs().max() <= 1e-5
        assert (alone.summary[0] - together.summary[row]).abs().max() <= 1e-5


def test_brightness_is_measured_from_the_mean_of_the_data() -> None:
    net, plain = encoder().eval(), encoder().eval()
    plain.mean, plain.scale = torch.zeros(3, 1, 1), torch.ones(3, 1, 1)
    pictures = torch.rand(2, 3, 32, 32)
    scaled = (pictures - torch.tensor(MEAN)[:, None, None]) / torch.tensor(SCALE)[:, None, None]
    assert torch.allclose(net.encode(pictures).summary, plain.encode(scaled).summary, atol=1e-5)
    assert not {"mean", "scale"} & set(net.state_dict())  # they are of the data, and come with it


def test_a_block_that_changes_nothing_passes_its_input_on() -> None:
    block = Block(4, 4, 1).eval()
    torch.nn.init.zeros_(block.second.weight)
    x = torch.rand(2, 4, 6, 6)
    assert torch.equal(block(x), x)


def test_sides_that_do_not_fit() -> None:
    with pytest.raises(InputError, match=r"pictures of \(32, 40\) pixels; expected sides that are multiples of 16"):
        encoder().encode(torch.rand(1, 3, 32, 40))


def test_what_is_named_is_there_once_and_while_training() -> None:
    net = encoder(named=11)
    assert net.take_named() is None
    net.encode(torch.rand(2, 3, 32, 32))
    named = net.take_named()
    assert named is not None
    assert named.shape == (2, 11)
    assert net.take_named() is None
    named.sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())
    net.eval().encode(torch.rand(2, 3, 32, 32))
    assert net.take_named() is None


@pytest.mark.parametrize("attention", ["none", "luong", "bahdanau"])
def test_a_decoder_speaks_of_pictures(attention: str) -> None:
    net = encoder()
    config = DecoderConfig(hidden_size=12, embedding_size=8, layers=1, attention=attention)  # pyright: ignore[reportArgumentType]
    model = EncoderDecoder(net, Decoder(7, config, net.memory, net.memory)).eval()
    pictures, entering = torch.rand(2, 3, 32, 32), torch.randint(0, 7, (5, 3))
    rows = torch.tensor([0, 0, 1])
    logits, weights = model(pictures, entering, rows=rows)
    assert logits.shape == (5, 3, 7)
    assert (weights is None) == (attention == "none")
    alone = model(pictures[1:], entering[:, 2:])[0]
    assert (alone[:, 0] - logits[:, 2]).abs().max() <= 1e-5
    steps = model.steps(pictures)
    first = steps.begin()
    again = steps.step(torch.tensor([1, 0]), torch.tensor([3, 2]))
    taught = model(pictures[[1, 0]], torch.tensor([[0, 0], [3, 2]]))[0].log_softmax(-1)
    assert (first[[1, 0]] - taught[0]).abs().max() <= 1e-5
    assert (again - taught[1]).abs().max() <= 1e-5
