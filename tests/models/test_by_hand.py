"""Nets whose weights are set by hand: exact at 100,000 steps, closed under every step, and what cannot be built."""

import itertools
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from peephole import stability
from peephole.data.problems.addition import Addition
from peephole.data.problems.parity import Parity
from peephole.data.problems.problem import Examples
from peephole.errors import InputError
from peephole.models.by_hand import AdditionKind, ParityUnit, addition_by_hand, parity_by_hand
from peephole.models.by_hand_xor import xor_by_hand
from peephole.models.sequence import SequenceModel

UNITS: tuple[ParityUnit, ...] = ("rnn-threshold", "rnn-relu", "lstm", "gru")
KINDS: tuple[AdditionKind, ...] = ("threshold", "relu")
LONG = 100_000
DOCS = Path(__file__).parents[2] / "docs"


@torch.no_grad()
def answers(model: SequenceModel, inputs: Tensor) -> Tensor:
    return model(inputs)[0].argmax(-1)


def hard_bits() -> Tensor:
    """Random bits, then long runs of 0, of 1, and of both in turn: what would drift, drifts there. `[T, 1]`."""
    random = torch.from_numpy(np.random.default_rng([0, 1]).integers(0, 2, LONG // 4))
    runs = torch.cat([random, torch.ones(LONG // 4), torch.zeros(LONG // 4), torch.arange(LONG // 4) % 2])
    return runs.long()[:, None]


# --- parity ---


@pytest.mark.parametrize("unit", UNITS)
def test_parity_is_exact_at_any_length(unit: ParityUnit) -> None:
    """Every answer of 100,000, whole and by the stream, with the compiled kernels; the last states as the first."""
    model, bits = parity_by_hand(unit), hard_bits()
    outputs, _ = model(bits)
    assert torch.equal(outputs.argmax(-1), bits.cumsum(0) % 2)
    margin = (outputs[..., 1] - outputs[..., 0]).abs()
    assert bool((margin >= 19.99).all())  # as sure at the end as at the beginning
    stream = model.stream()
    streamed = torch.cat([stream.step(bit) for bit in bits[: LONG // 50]])
    assert torch.equal(streamed.argmax(-1), (bits[: LONG // 50].cumsum(0) % 2)[:, 0])


ON = [(unit, backend) for unit in UNITS for backend in ("native", "torch", "reference")]
ON.remove(("rnn-threshold", "torch"))  # torch.nn has no sigmoid RNN


@pytest.mark.parametrize(("unit", "backend"), ON)
def test_a_step_of_parity_leads_from_states_to_the_same_states(unit: ParityUnit, backend: str) -> None:
    """Closed under both bits, so that no length can change anything: bit for bit, but for the LSTM before its first 1.

    There i = 2e-22 is added to c at each 0, which 1e15 of them would not make 1e-6.
    """
    model = parity_by_hand(unit)
    model.recurrent.backend = backend
    known: dict[bytes, tuple[int, tuple[Tensor, ...]]] = {}
    waiting = [(0, model.initial_states(1))]
    while waiting:
        parity, states = waiting.pop()
        numbers = torch.cat([state.flatten() for state in states])
        key = (numbers.round(decimals=12) if unit == "lstm" else numbers).add(0.0).numpy().tobytes()
        if key in known:
            assert known[key][0] == parity
            continue
        known[key] = parity, states
        assert len(known) <= 8
        for bit in (0, 1):
            with torch.no_grad():
                outputs, after = model(torch.tensor([[bit]]), states)
            assert int(outputs.argmax()) == parity ^ bit
            waiting.append((parity ^ bit, after))


def test_parity_is_a_model_as_any_other() -> None:
    """Its settings make another one that takes its weights, and the laboratory measures it."""
    model = parity_by_hand("lstm")
    again = SequenceModel(2, model.config, 2)
    again.load_state_dict(model.state_dict())
    bits = hard_bits()[:50]
    assert torch.equal(answers(again, bits), bits.cumsum(0) % 2)
    net = parity_by_hand("rnn-relu")
    examples = Parity().draw(np.random.default_rng(0), 4, 30)
    assert float(examples.divergence(net(examples.inputs)[0]).detach()) / examples.answers < 1e-6
    bounded = stability.saturation(net, examples.inputs)
    assert bounded.layers[0].largest["h"].max() == 2  # it counts to two


def keeps_parity(f: str, w: np.ndarray, b0: np.ndarray, b1: np.ndarray, h: np.ndarray) -> np.ndarray:
    """Where h′ = f(w h + b_x) from h leaves a threshold between the parities of "", "0", "1", "10" and "11"."""
    functions = {
        "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
        "tanh": np.tanh,
        "relu": lambda z: np.maximum(z, 0),
        "identity": lambda z: z,
        "absolute value": np.abs,
    }

    def step(h: np.ndarray, b: np.ndarray) -> np.ndarray:
        return functions[f](w * h + b)

    one = step(h, b1)
    even, odd = np.stack([h, step(h, b0), step(one, b1)]), np.stack([one, step(one, b0)])
    return (even.max(0) < odd.min(0)) | (odd.max(0) < even.min(0))


def test_one_unit_without_gates_cannot() -> None:
    """No weights of a grid do it with a monotone activation, as the proof says; with |z| the same search finds some."""
    grid = np.linspace(-8, 8, 33)
    mesh = np.meshgrid(grid, grid, grid, np.linspace(-1, 1, 5), indexing="ij")
    for f in ("sigmoid", "tanh", "relu", "identity"):
        assert not keeps_parity(f, *mesh).any(), f
    found = keeps_parity("absolute value", *mesh)
    assert found[grid == 1][:, grid == 0][:, :, grid == -1].any()  # h′ = |h − x|


# --- addition ---


@cache
def long_sums(base: int) -> Examples:
    return Addition(base=base).draw(np.random.default_rng([0, base]), 1, LONG)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("base", [2, 10])
def test_addition_is_exact_at_any_length(base: int, kind: AdditionKind) -> None:
    examples = long_sums(base)
    carries = torch.full((LONG, 1), base - 1)  # 999…9 + 000…1: the carry goes all the way
    carries[0] = (base - 1) * base + 1
    carries = torch.cat([carries, torch.zeros(1, 1, dtype=torch.int64)])
    model = addition_by_hand(base, kind)
    assert examples.answers == int(examples.right(model(examples.inputs)[0].detach()).sum())
    assert answers(model, carries).flatten().tolist() == [0] * LONG + [1]
    stream = model.stream()
    digits = [int(stream.step(pair).argmax()) for pair in examples.inputs[:500]]
    assert digits == examples.targets[:500, 0].tolist()


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("base", [2, 3, 10, 100])
def test_every_pair_of_digits_with_and_without_a_carry(base: int, kind: AdditionKind, backend: str) -> None:
    """Python's own sums."""
    model = addition_by_hand(base, kind)
    model.recurrent.backend = backend
    first, second = (
        digits.flatten() for digits in torch.meshgrid(torch.arange(base), torch.arange(base), indexing="ij")
    )
    pairs = first * base + second
    for before, carry in ((0, 0), ((base - 1) * base + 1, 1)):
        inputs = torch.stack([torch.full_like(pairs, before), pairs])
        assert torch.equal(answers(model, inputs)[1], (first + second + carry) % base)
    units = 3 if kind == "relu" else 2 * base - 1
    assert model.config.hidden_size == units


def test_sums_of_integers() -> None:
    """Against Python's whole numbers."""
    for base, model in ((2, addition_by_hand(2, "threshold")), (10, addition_by_hand(10, "relu"))):
        problem = Addition(base=base)
        for first, second in ((0, 0), (1, 1), (999_999, 1), (123_456, 987_654)):
            spelled = [np.base_repr(number, base) for number in (first, second)]
            outputs, _ = model(problem.read("+".join(spelled)))
            assert int(problem.answer("", outputs), base) == first + second


# --- without a state ---


@pytest.mark.parametrize("bits", range(1, 11))
def test_xor_nets_are_right_on_every_pattern(bits: int) -> None:
    patterns = torch.tensor(list(itertools.product((0, 1), repeat=bits))).T
    want = torch.tensor([int(sum(pattern) % 2) for pattern in patterns.T.tolist()]).float()
    tree, count = xor_by_hand(bits), xor_by_hand(bits, "count")
    assert torch.equal(tree(patterns), want)
    assert torch.equal(count(patterns), want)
    assert (tree.units, tree.connections, tree.depth) == (3 * (bits - 1), 6 * (bits - 1), 2 * (bits - 1).bit_length())
    assert (count.units, count.connections, count.depth) == (bits + 1, bits**2 + bits, 2)


def test_an_xor_net_reads_so_many_bits() -> None:
    with pytest.raises(InputError, match="got 5 bits; this net reads 4, no more and no fewer"):
        xor_by_hand(4)(torch.zeros(5, 2, dtype=torch.int64))


# --- the page, and what there is not ---


def test_the_examples_of_the_page_run() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "by_hand.md").read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "by_hand.md", "exec"), names)
    assert len(blocks) == 2


@pytest.mark.usefixtures("unchecked_annotations")
def test_what_there_is_not() -> None:
    with pytest.raises(InputError, match="unit is 'mgu'; expected rnn-threshold, rnn-relu, lstm or gru"):
        parity_by_hand("mgu")  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="kind is 'sigmoid'; expected threshold or relu"):
        addition_by_hand(2, "sigmoid")  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="base is 1; expected 2 to 100"):
        addition_by_hand(1)
    with pytest.raises(InputError, match="bits is 0; expected at least 1"):
        xor_by_hand(0)
    with pytest.raises(InputError, match="form is 'chain'; expected tree or count"):
        xor_by_hand(4, "chain")  # pyright: ignore[reportArgumentType]
