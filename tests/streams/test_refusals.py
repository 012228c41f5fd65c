"""What cannot be used is refused in one line that says what to do, before anything has changed."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import peephole
from peephole.errors import InputError
from peephole.nn.recurrent import Recurrent
from peephole.streams.snapshot import Snapshot
from peephole.streams.stream import Stream

from .nets import language_model, net

ENGINES = pytest.mark.parametrize("backend", ["native", "stepwise"])

# Wrong types are for the annotations to refuse, but users do without their check.
pytestmark = pytest.mark.usefixtures("unchecked_annotations")


@pytest.fixture
def refused() -> Callable[..., str]:
    """`refused(stream, function, …)`: what it raises; the stream is as it was."""

    def call(stream: Stream, function: Callable[..., Any], *arguments: Any, **options: Any) -> str:
        ids, states = stream.ids.clone(), stream.states()
        words = stream._engine.read_generators(ids)
        with pytest.raises(InputError) as caught:
            function(*arguments, **options)
        assert torch.equal(stream.ids, ids)
        assert torch.equal(stream.states(), states)
        assert torch.equal(stream._engine.read_generators(ids), words)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return call


@ENGINES
def test_ids(backend: str, refused: Callable[..., str]) -> None:
    stream = net("gru").stream(4, backend=backend)
    stream.leave([2])
    x = torch.zeros(2, 5)
    calls: list[Callable[[Any], object]] = [
        lambda ids: stream.step(x, ids),
        lambda ids: stream.read(x[None], ids),
        stream.leave,
        stream.reset,
        lambda ids: stream.put_states(torch.zeros(2, 7), ids),
        lambda ids: stream.seed(1, ids=ids),
        lambda ids: stream.copy([0, 1], ids),
    ]
    for call in calls:
        for unknown in (4, 2, -1, 2**40):  # never joined, left, and no ids
            assert f"no stream has the id {unknown};" in refused(stream, call, [0, unknown])
        assert "named twice" in refused(stream, call, [1, 1])
        assert "expected int64 in one dimension" in refused(stream, call, torch.tensor([[0, 1]]))
        assert "expected int64 in one dimension" in refused(stream, call, [0.0, 1.0])
        assert "expected whole numbers of 64 bits" in refused(stream, call, [0, 2**70])
        assert "expected whole numbers of 64 bits" in refused(stream, call, ["a", "b"])
    for call in (stream.states, lambda ids: stream.copy(ids, [0, 1])):
        assert "no stream has the id 2;" in refused(stream, call, [0, 2])
    assert "got 1 streams to copy and 2 to copy to" in refused(stream, stream.copy, [0], [1, 3])


@ENGINES
def test_vectors(backend: str, refused: Callable[..., str]) -> None:
    stream = net("gru").stream(3, backend=backend)
    for x in (torch.zeros(2, 5), torch.zeros(3, 4), torch.zeros(3), torch.zeros(1, 3, 5), torch.tensor(0.0)):
        assert refused(stream, stream.step, x).endswith("for 3 streams; expected [3, 5]")
    for x in (torch.zeros(0, 3, 5), torch.zeros(3, 5), torch.zeros(2, 2, 5), torch.zeros(2, 3, 6), torch.tensor(0.0)):
        assert refused(stream, stream.read, x).endswith("for 3 streams; expected [T, 3, 5]")
    for dtype in (torch.int64, torch.bool, torch.complex64):
        assert refused(stream, stream.step, torch.zeros(3, 5, dtype=dtype)).endswith("expected floats, 5 a stream")
    for resets in (torch.zeros(3, dtype=torch.bool), torch.zeros(2, 3, dtype=torch.uint8), torch.zeros(2, 3)):
        text = refused(stream, stream.read, torch.zeros(2, 3, 5), resets=resets)
        assert text.endswith("expected torch.bool [2, 3], as the input")
    assert "those of a model with symbols" in refused(stream, stream.surprisals, torch.zeros(1, 3), torch.zeros(1, 3))
    text = refused(stream, stream.draw, torch.zeros(3), 1)
    assert ("from a model with symbols" if backend == "native" else "no compiled decoder") in text


@ENGINES
def test_symbols(backend: str, refused: Callable[..., str]) -> None:
    stream = language_model().stream(3, backend=backend)
    good = torch.tensor([1, 2, 3])
    for bad in (9, -1, 2**40):
        wrong = torch.tensor([1, bad, 3])
        known = f" {bad} is not one of the 9 that the model knows"
        assert refused(stream, stream.step, wrong) == "symbol" + known
        assert refused(stream, stream.read, torch.stack([good, wrong])) == "symbol" + known
        assert refused(stream, stream.surprisals, wrong[None], good[None]) == "symbol" + known
        assert refused(stream, stream.surprisals, good[None], wrong[None]) == "target" + known
    for dtype in (torch.float32, torch.bool, torch.complex64):
        assert refused(stream, stream.step, good.to(dtype)).endswith("expected whole numbers from 0 to 8")
        assert refused(stream, stream.surprisals, good[None], good[None].to(dtype)).startswith("targets are torch.")
    assert refused(stream, stream.surprisals, good[None], good[None, :2]).endswith("expected [1, 3], as the symbols")
    assert torch.equal(stream.step(good.to(torch.uint8)), language_model().stream(3, backend=backend).step(good))


@pytest.mark.parametrize(
    ("how", "says"),
    [
        *(({"temperature": value}, "temperature is ") for value in (-1.0, math.inf, math.nan, "hot")),
        *(({"top_k": value}, "top_k is ") for value in (0, -3, 2.5, True)),
        *(({"top_p": value}, "top_p is ") for value in (0.0, -0.5, 2.0, math.nan)),
        *(({"end": value}, "end is ") for value in (9, -1, 2**70)),
        *(({"never": value}, "a symbol of `never` is ") for value in ([9], [-1], [0.5])),
        ({"never": range(9)}, "never names all 9 symbols"),
        *(({"steps": value}, "the number of steps is ") for value in (0, -1, 1.5)),
    ],
)
def test_ways_to_draw(how: dict[str, Any], says: str, refused: Callable[..., str]) -> None:
    stream = language_model().stream(2)
    assert refused(stream, stream.draw, torch.tensor([1, 2]), **{"steps": 3} | how).startswith(says)


def test_what_is_drawn_must_be_what_can_be_fed(refused: Callable[..., str]) -> None:
    made = net("gru", 2, 3)
    embedding, symbols = torch.zeros(4, 2), torch.tensor([1])
    stream = Snapshot.of(made.source(embedding=embedding)).stream(1)
    assert stream.step(symbols).shape == (1, 3)
    assert "gives 0 logits for its 4 symbols" in refused(stream, stream.draw, symbols, 3)
    assert "no probabilities" in refused(stream, stream.surprisals, symbols[None], symbols[None])
    stream = Snapshot.of(made.source(embedding=embedding, head=torch.zeros(9, 3))).stream(1)
    assert stream.step(symbols).shape == (1, 9)
    assert "gives 9 logits for its 4 symbols" in refused(stream, stream.draw, symbols, 3)


@ENGINES
def test_random_numbers(backend: str, refused: Callable[..., str]) -> None:
    stream = language_model().stream(2, backend=backend)
    for seed in (-1, 2**63, 1.5, True):
        assert refused(stream, stream.seed, seed).startswith(f"the seed is {seed!r}; expected")
    assert refused(stream, stream.seed, 1, [1, 2, 3]) == "got 3 numbers for 2 streams; expected as many"
    assert "expected whole numbers of 64 bits" in refused(stream, stream.seed, 1, [1, 2**64])


def test_how_a_stream_is_opened() -> None:
    made = net("gru")
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: made.stream(-1), "got -1 streams; expected a whole number, 0 or more"),
        (lambda: made.stream(1.5), "got 1.5 streams"),  # pyright: ignore[reportArgumentType]
        (lambda: made.stream(1, "int4"), "weights='int4'; choose one of float32, bfloat16, int8"),
        (lambda: made.snapshot("float64"), "weights='float64'; choose one of float32, bfloat16, int8"),
        (lambda: made.stream(backend="torch"), "unknown back end 'torch'; choose one of auto, native, stepwise"),
        (lambda: made.stream(weights="int8", backend="stepwise"), "weights='int8' need the compiled decoder"),
        (lambda: made.stream().join(0), "0 streams cannot join; expected at least 1"),
        *((lambda n=n: made.stream(threads=n), f"threads is {n!r}; expected") for n in (0, -1, True, 1.5)),
        *((lambda n=n: made.snapshot().stream(threads=n), f"threads is {n!r}; expected") for n in (0, -1, 1.5)),
    ]
    for call, says in cases:
        with pytest.raises(InputError) as caught:
            call()
        assert str(caught.value).startswith(says)


@pytest.mark.parametrize("call", ["stream", "snapshot"])
def test_nets_of_both_directions(call: str) -> None:
    both = Recurrent("lstm", 3, 4, bidirectional=True)
    with pytest.raises(InputError, match="its backward direction starts at the end of the sequence"):
        getattr(both, call)()


def test_more_states_than_the_decoder_carries() -> None:
    made = Recurrent(peephole.CellSpec("rnn", taps=11), 3, 4)
    with pytest.raises(InputError, match="the compiled decoder carries 10 states, this cell has 11"):
        made.snapshot()
    assert made.stream(2).engine == "stepwise"


@pytest.mark.parametrize("storage", ["float32", "bfloat16", "int8"])
def test_the_smallest_numbers_are_nothing(storage: str, instruction_set: str) -> None:
    """Weights and inputs that are barely numbers act as zeros; no scale of theirs becomes infinite."""

    def same(made: Recurrent, x: Tensor) -> None:
        zeros = made.stream(1, storage).step(torch.zeros_like(x))
        assert bool((made.stream(1, storage).step(x) - zeros).abs().max() <= 1e-20)

    for size in (1e-45, 1e-40, 1e-38, 1e-31):
        made = net("lstm")
        same(made, torch.full((1, 5), size))
        for name, parameter in made.named_parameters():
            if name.startswith("weight"):
                parameter.data.mul_(size)
        same(made, torch.ones(1, 5))
