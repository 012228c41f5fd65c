"""Attention against its equations, its gradients against differences, and what lies behind the end of a source."""

from typing import Any

import pytest
import torch
from torch import Tensor

from peephole.errors import InputError
from peephole.models.attention import Attention, Memory

U, B, S, Q, M = 3, 4, 5, 4, 6
LENGTHS = torch.tensor([5, 1, 3, 0])
SCORES = ["additive", "multiplicative", "dot"]


def build(score: Any) -> tuple[Attention, Tensor, Memory]:
    torch.manual_seed(2)
    memory = Q if score == "dot" else M
    attention = Attention(Q, memory, score, width=None if score != "additive" else 3).double()
    queries = torch.randn(U, B, Q, dtype=torch.float64)
    return attention, queries, Memory(torch.randn(S, B, memory).double(), LENGTHS, torch.zeros(B, 1))


def by_hand(attention: Attention, query: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Context `[M]` and weights `[S]` of one query and the places `[S, M]` of one source, as the papers write them."""
    scores = []
    for place in places:
        if attention.score == "dot":
            scores.append(query @ place)
        elif attention.score == "multiplicative":
            assert attention.key is not None
            scores.append(query @ (attention.key.weight @ place))
        else:
            assert attention.key is not None
            assert attention.query is not None
            assert attention.vector is not None
            inner = attention.query.weight @ query + attention.key.weight @ place + attention.key.bias
            scores.append(attention.vector.weight[0] @ torch.tanh(inner))
    shares = torch.stack(scores).exp()
    weights = shares / shares.sum()
    return weights @ places, weights


@pytest.mark.parametrize("score", SCORES)
def test_it_is_its_equations(score: str) -> None:
    attention, queries, memory = build(score)
    contexts, weights = attention(queries, attention.keys(memory), memory)
    assert weights.shape == (U, B, S)
    for row, length in enumerate(LENGTHS.tolist()):
        assert not weights[:, row, length:].any()
        if not length:
            assert not contexts[:, row].any()
            continue
        for step in range(U):
            context, shares = by_hand(attention, queries[step, row], memory.steps[:length, row])
            assert (contexts[step, row] - context).abs().max() <= 1e-12
            assert (weights[step, row, :length] - shares).abs().max() <= 1e-12


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("lengths", [LENGTHS, None])
def test_gradients_are_those_of_differences(score: str, lengths: Tensor | None) -> None:
    attention, queries, memory = build(score)
    names = [name for name, _ in attention.named_parameters()]

    def run(queries: Tensor, steps: Tensor, *parameters: Tensor) -> tuple[Tensor, Tensor]:
        given = {f"attention.{name}": one for name, one in zip(names, parameters, strict=True)}
        there = Memory(steps, lengths, memory.summary)
        return torch.func.functional_call(_Whole(attention), given, (queries, there))

    given = [queries, memory.steps, *(parameter.detach() for parameter in attention.parameters())]
    assert torch.autograd.gradcheck(run, [each.clone().requires_grad_() for each in given])


class _Whole(torch.nn.Module):
    """Keys and attention in one call."""

    def __init__(self, attention: Attention) -> None:
        super().__init__()
        self.attention = attention

    def forward(self, queries: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        return self.attention(queries, self.attention.keys(memory), memory)


@pytest.mark.parametrize("score", SCORES)
def test_what_lies_behind_the_end_changes_nothing(score: str) -> None:
    attention, queries, memory = build(score)
    contexts, weights = attention(queries, attention.keys(memory), memory)
    steps = torch.cat([memory.steps, torch.full((2, *memory.steps.shape[1:]), 1e3).double()])
    for row, length in enumerate(LENGTHS.tolist()):
        steps[length:, row] = 1e3
    padded = Memory(steps, LENGTHS, memory.summary)
    longer, spread = attention(queries, attention.keys(padded), padded)
    assert (longer - contexts).abs().max() <= 1e-12
    assert (spread[..., :S] - weights).abs().max() <= 1e-12
    assert not spread[..., S:].any()


def test_of_equal_places_all_are_looked_at_and_without_lengths_all_count() -> None:
    for score in SCORES:
        attention, queries, memory = build(score)
        even = Memory(memory.steps[:1].expand(S, -1, -1), None, memory.summary)
        contexts, weights = attention(queries, attention.keys(even), even)
        assert (weights - 1 / S).abs().max() <= 1e-12
        assert (contexts - even.steps[0]).abs().max() <= 1e-12
        assert even.alive is None


def test_rows_of_a_memory() -> None:
    _, _, memory = build("additive")
    some = memory.rows(torch.tensor([2, 2, 0]))
    assert torch.equal(some.steps, memory.steps[:, [2, 2, 0]])
    assert some.lengths is not None
    assert some.lengths.tolist() == [3, 3, 5]
    assert memory.alive is not None
    assert memory.alive.sum(0).tolist() == LENGTHS.tolist()
    assert Memory(memory.steps, None, memory.summary).rows(torch.tensor([1])).lengths is None


@pytest.mark.usefixtures("unchecked_annotations")
def test_what_there_is_not_is_refused() -> None:
    with pytest.raises(InputError, match="expected one of additive, multiplicative, dot"):
        Attention(3, 3, "general")  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="a dot of 3 and 4 numbers"):
        Attention(3, 4, "dot")
