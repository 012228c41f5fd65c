"""A decoder that speaks a symbol at a time, against the forward that training uses, and under beam search."""

from collections.abc import Callable

import pytest
import torch

from peephole.generate.search import search_all
from peephole.generate.speaking import Speaking
from peephole.models.decoder import END, entering
from peephole.models.decoder_steps import DecoderSteps

from .speakers import KINDS, LENGTHS, answers, build, log_probability, sources

CELLS = ["lstm", "gru", "rnn"]


@pytest.fixture(params=["native", "stepwise"])
def engine(request: pytest.FixtureRequest) -> str:
    """The engine that streams run on, with the compiled kernels and without."""
    if request.param == "stepwise":
        request.getfixturevalue("without_native")
    return request.param


def the_engine_of(steps: DecoderSteps) -> str:
    return steps.stream.engine


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("kind", list(KINDS))
def test_steps_are_what_training_computes(
    kind: str, cell: str, layers: int, engine: str, agree: Callable[..., None]
) -> None:
    model = build(cell=cell, layers=layers, **KINDS[kind])
    entered = entering(answers())
    with torch.no_grad():
        logits, looked = model(sources(), entered, LENGTHS)
    steps = model.steps(sources(), LENGTHS)
    assert isinstance(steps, Speaking)
    assert the_engine_of(steps) == engine
    for step, want in enumerate(torch.log_softmax(logits, -1)):
        logs = steps.begin() if step == 0 else steps.step(torch.arange(4), entered[step])
        agree(logs, want, 1e-5)
        if looked is None:
            assert steps.attention is None
        else:
            assert steps.attention is not None
            assert (steps.attention - looked[step]).abs().max() <= 1e-5


@pytest.mark.parametrize("kind", list(KINDS))
def test_rows_go_on_from_the_rows_that_are_named(kind: str, engine: str, agree: Callable[..., None]) -> None:
    """One source goes on twice, one thrice in another order, the others are dropped; and then all begins anew."""
    model = build(layers=2, **KINDS[kind])
    steps = model.steps(sources(), LENGTHS)
    first = steps.begin()
    said = [(row, (3 + row,)) for row in range(4)]
    steps.step(torch.arange(4), torch.tensor([3, 4, 5, 6]))
    for parents, symbols in [([0, 0, 2], [1, 2, 3]), ([2, 1, 1, 0, 2], [4, 5, 6, 7, 8]), ([4, 2], [1, 1])]:
        logs = steps.step(torch.tensor(parents), torch.tensor(symbols))
        said = [(said[row][0], (*said[row][1], symbol)) for row, symbol in zip(parents, symbols, strict=True)]
        for (source, text), found in zip(said, logs, strict=True):
            alone = sources()[: LENGTHS[source], source : source + 1]
            entered = torch.tensor([END, *text])[:, None]
            with torch.no_grad():
                agree(found, torch.log_softmax(model(alone, entered)[0][-1, 0], -1), 1e-5)
    assert torch.equal(steps.begin(), first)


@pytest.mark.parametrize("length_power", [0.0, 1.0])
@pytest.mark.parametrize("kind", list(KINDS))
def test_what_beam_search_finds_is_as_likely_as_training_says(kind: str, length_power: float, engine: str) -> None:
    model = build(**KINDS[kind])
    for source, found in enumerate(search_all(model.steps(sources(), LENGTHS), END, 4, [9, 4, 6, 9], length_power)):
        alone = sources()[: LENGTHS[source], source]
        for one in found.hypotheses:
            assert abs(one.log_probability - log_probability(model, alone, one.symbols)) <= 1e-4
            if kind == "none":
                assert one.attention is None
            else:
                assert one.attention is not None
                assert one.attention.shape == (len(one.symbols), 7)
                assert not one.attention[:, LENGTHS[source] :].any()
                assert (one.attention.sum(1) - 1).abs().max() <= 1e-5


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("kind", list(KINDS))
def test_a_source_is_answered_as_it_is_alone(kind: str, beams: int) -> None:
    model = build(layers=2, **KINDS[kind])
    together = search_all(model.steps(sources(), LENGTHS), END, beams, 8)
    order = torch.tensor([2, 0, 3, 1])
    turned = search_all(model.steps(sources()[:, order], LENGTHS[order]), END, beams, 8)
    for source, found in enumerate(together):
        (alone,) = search_all(model.steps(sources()[: LENGTHS[source], [source]]), END, beams, 8)
        other = turned[order.tolist().index(source)]
        for one, two, three in zip(found.hypotheses, alone.hypotheses, other.hypotheses, strict=True):
            assert one.symbols == two.symbols == three.symbols
            assert abs(one.log_probability - two.log_probability) <= 1e-5
            assert abs(one.log_probability - three.log_probability) <= 1e-5


def test_the_likeliest_of_all_short_answers_is_found() -> None:
    """Every answer of at most three symbols, tried one by one."""
    model = build(attention="luong")
    found = search_all(model.steps(sources(), LENGTHS), END, 9**3, 3, best=3)
    texts = [(END,), *((one, END) for one in range(1, 9)), *((a, b, END) for a in range(1, 9) for b in range(1, 9))]
    targets = torch.zeros(3, len(texts), dtype=torch.int64)
    for column, text in enumerate(texts):
        targets[: len(text), column] = torch.tensor(text)
    counted = torch.arange(3)[:, None] < torch.tensor([len(text) for text in texts])
    for source in (0, 3):
        alone = sources()[: LENGTHS[source], [source]].expand(-1, len(texts))
        with torch.no_grad():
            logs = torch.log_softmax(model(alone, entering(targets))[0], -1)
        totals = (logs.gather(-1, targets[..., None])[..., 0] * counted).sum(0)
        want = [texts[place] for place in totals.argsort(descending=True)[:3].tolist()]
        assert [one.symbols for one in found[source].hypotheses] == want


@pytest.mark.parametrize(("weights", "tolerance"), [("bfloat16", 0.03), ("int8", 0.03)])
def test_packed_smaller_it_says_nearly_the_same(weights: str, tolerance: float) -> None:
    model = build(hidden_size=32)
    exact, packed = model.steps(sources(), LENGTHS), model.steps(sources(), LENGTHS, weights)
    exact.begin()
    packed.begin()
    for symbol in (3, 5, 1):
        here, there = (steps.step(torch.arange(4), torch.full((4,), symbol)).exp() for steps in (exact, packed))
        assert (here - there).abs().max() <= tolerance


def test_memory_stays_what_a_few_rows_need() -> None:
    """Streams of rows that were dropped serve those that come."""
    model = build()
    steps = model.steps(sources(), LENGTHS)
    for _ in range(2):
        steps.begin()
        for _ in range(20):
            steps.step(torch.tensor([3, 2, 1, 0]), torch.tensor([1, 2, 3, 4]))
    assert len(steps.stream) <= 8
