"""What must hold of any recurrent layer, whoever computes it: steps, splits, padding, rows, directions, resets."""

from collections.abc import Callable, Sequence
from itertools import pairwise, product
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from peephole.nn.cells import Cell
from peephole.nn.recurrent import Recurrent
from peephole.ops import functional

from ..cells import MATRIX, PLAIN

EVERY_CELL = pytest.mark.parametrize("name", MATRIX)
BACKENDS = ["reference", "auto"]
DIRECTIONS = [False, True]  # whether there is a second one
DTYPES = [torch.float32, torch.float64]  # float32 on the CPU reaches oneDNN: LSTM, whole sequences
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}
T, B, I, H, P = 11, 4, 3, 6, 3
States = tuple[Tensor, ...]


def every_cell(**choices: Sequence[Any]) -> pytest.MarkDecorator:
    """Each choice for the cells that several kernels compute, the last of each for those that only the equations do."""
    rows = [(name, *values) for name in PLAIN for values in product(*choices.values())]
    rows += [(name, *(values[-1] for values in choices.values())) for name in MATRIX if name not in PLAIN]
    ids = ["-".join(str(value).removeprefix("torch.") for value in row) for row in rows]
    return pytest.mark.parametrize(("name", *choices), rows, ids=ids)


def build(name: str, dtype: torch.dtype = torch.float64, backend: str = "auto", **options: Any) -> Recurrent:
    spec = MATRIX[name]
    torch.manual_seed(0)
    layer = Recurrent(spec, I, H, proj_size=P * spec.projected, dtype=dtype, backend=backend, **options)
    for weight in layer.parameters():  # far enough from zero that nonlinearities bend
        weight.data.mul_(1.5)
    return layer


def inputs(layer: Recurrent, *shape: int) -> Tensor:
    dtype = next(layer.parameters()).dtype
    return torch.randn(*(shape or (T, B)), I, generator=torch.Generator().manual_seed(1)).to(dtype).requires_grad_()


def run(layer: Recurrent, x: Tensor, states: States | None = None, **options: Any) -> tuple[Tensor, States]:
    """The layer with its states as a tuple, whatever the cell."""
    given = None if states is None else (states if len(states) > 1 else states[0])
    output, finals = layer(x, given, **options)
    return output, finals if isinstance(finals, tuple) else (finals,)


def some_states(layer: Recurrent, batch: int = B) -> States:
    generator = torch.Generator().manual_seed(2)
    return tuple(
        torch.randn(state.shape, generator=generator).to(state)
        for state in layer.initial_states(batch, next(layer.parameters()))
    )


def gradients(layer: Recurrent, x: Tensor, output: Tensor, finals: States) -> dict[str, Tensor]:
    """Output, final states and gradients under fixed upstream gradients."""
    results = {"output": output} | {f"final {i}": state for i, state in enumerate(finals)}
    generator = torch.Generator().manual_seed(3)
    upstream = [torch.randn(tensor.shape, generator=generator).to(tensor) for tensor in results.values()]
    leaves = {"x": x} | dict(layer.named_parameters())
    grads = torch.autograd.grad(list(results.values()), list(leaves.values()), upstream)
    return results | {f"gradient of {name}": grad for name, grad in zip(leaves, grads, strict=True)}


def same(got: dict[str, Tensor], want: dict[str, Tensor], agree: Callable[..., None]) -> None:
    for name, tensor in want.items():
        agree(got[name], tensor, TOLERANCE[tensor.dtype], name, floor=0.01)


@every_cell(parts=[[1] * T, [10, 1], [4, 1, 6]], backend=BACKENDS, dtype=DTYPES)
def test_a_sequence_equals_its_parts_with_the_state_carried(
    name: str, parts: list[int], backend: str, dtype: torch.dtype, agree: Callable[..., None]
) -> None:
    layer = build(name, dtype, backend, num_layers=2)
    x, states = inputs(layer), some_states(layer)
    want = gradients(layer, x, *run(layer, x, states))
    outputs: list[Tensor] = []
    for part in x.split(parts):
        output, states = run(layer, part, states)
        outputs.append(output)
    same(gradients(layer, x, torch.cat(outputs), states), want, agree)


@every_cell(dtype=DTYPES)
def test_a_sequence_equals_the_steps_of_its_cell(name: str, dtype: torch.dtype, agree: Callable[..., None]) -> None:
    layer = build(name, dtype)
    cell = Cell(layer.spec, I, H, dtype=dtype, proj_size=layer.proj_size)
    cell.load_state_dict({key.removesuffix("_l0"): value for key, value in layer.state_dict().items()})
    x, states = inputs(layer), some_states(layer)
    output, finals = run(layer, x, states)
    current: Any = tuple(state[0] for state in states)
    current = current if len(current) > 1 else current[0]
    for t in range(T):
        current = cell(x[t], current)
        agree(current[0] if isinstance(current, tuple) else current, output[t], TOLERANCE[dtype])
    for state, final in zip(current if isinstance(current, tuple) else (current,), finals, strict=True):
        agree(state, final[0], TOLERANCE[dtype])


@every_cell(backend=BACKENDS, dtype=DTYPES)
def test_the_second_direction_is_the_first_on_the_reversed_input(
    name: str, backend: str, dtype: torch.dtype, agree: Callable[..., None]
) -> None:
    both, one = build(name, dtype, backend, bidirectional=True), build(name, dtype, backend)
    one.load_state_dict({key[: -len("_reverse")]: v for key, v in both.state_dict().items() if "reverse" in key})
    x, states = inputs(both), some_states(both)
    output, finals = run(both, x, states)
    want, want_finals = run(one, x.flip(0), tuple(state[1:] for state in states))
    agree(output[..., output.shape[-1] // 2 :], want.flip(0), TOLERANCE[dtype])
    for got, state in zip(finals, want_finals, strict=True):
        agree(got[1], state[0], TOLERANCE[dtype])


@every_cell(bidirectional=DIRECTIONS, backend=BACKENDS)
def test_a_row_with_a_length_equals_the_row_alone(
    name: str, bidirectional: bool, backend: str, agree: Callable[..., None]
) -> None:
    layer = build(name, backend=backend, num_layers=2, bidirectional=bidirectional)
    lengths = [T, 0, 1, 5]
    x, states = inputs(layer), some_states(layer)
    output, finals = run(layer, x, states, lengths=lengths)
    got = gradients(layer, x, output, finals)
    total: dict[str, Tensor] = {}
    generator = torch.Generator().manual_seed(3)
    upstream = torch.randn(output.shape, generator=generator).to(output)
    upstream_finals = [torch.randn(state.shape, generator=generator).to(state) for state in finals]
    for row, length in enumerate(lengths):
        initial = tuple(state[:, row : row + 1] for state in states)
        assert not got["gradient of x"][length:, row].any()
        assert not output[length:, row].any()
        if not length:
            for final, state in zip(finals, initial, strict=True):
                assert torch.equal(final[:, row : row + 1], state)
            continue
        alone, ends = run(layer, x[:length, row : row + 1], initial)
        agree(output[:length, row : row + 1], alone, 1e-12)
        for final, end in zip(finals, ends, strict=True):
            agree(final[:, row : row + 1], end, 1e-12)
        leaves = {"x": x} | dict(layer.named_parameters())
        reached = [(alone, upstream[:length, row : row + 1])]
        reached += [(end, grad[:, row : row + 1]) for end, grad in zip(ends, upstream_finals, strict=True)]
        reached = [(end, grad) for end, grad in reached if end.requires_grad]  # with taps one may be an initial state
        grads = torch.autograd.grad([end for end, _ in reached], list(leaves.values()), [grad for _, grad in reached])
        for key, grad in zip(leaves, grads, strict=True):
            total[key] = total[key] + grad if key in total else grad
    for key, grad in total.items():
        agree(got[f"gradient of {key}"], grad, 1e-12, key, floor=0.01)


@every_cell(padding=[0.0, 1e3, -1e30], bidirectional=DIRECTIONS[::-1], backend=BACKENDS)
def test_padding_changes_nothing(
    name: str, padding: float, bidirectional: bool, backend: str, agree: Callable[..., None]
) -> None:
    layer = build(name, backend=backend, num_layers=2, bidirectional=bidirectional)
    lengths = torch.tensor([3, 7, 0, 1])
    x = inputs(layer)
    want = gradients(layer, x, *run(layer, x, lengths=lengths))
    past = torch.arange(T)[:, None] >= lengths
    padded = x.detach().masked_fill(past[..., None], padding).requires_grad_()
    got = gradients(layer, padded, *run(layer, padded, lengths=lengths))
    same(got, want, agree)
    longer = torch.cat([padded, torch.full((5, B, I), padding, dtype=x.dtype)])
    output, finals = run(layer, longer, lengths=lengths)
    agree(output[:T], want["output"], 1e-12)
    assert not output[T:].any()
    for i, state in enumerate(finals):
        agree(state, want[f"final {i}"], 1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("bidirectional", DIRECTIONS)
@pytest.mark.parametrize("name", PLAIN)
def test_full_lengths_change_nothing(name: str, bidirectional: bool, backend: str, agree: Callable[..., None]) -> None:
    layer = build(name, backend=backend, num_layers=2, bidirectional=bidirectional)
    x, states = inputs(layer), some_states(layer)
    want = gradients(layer, x, *run(layer, x, states))
    same(gradients(layer, x, *run(layer, x, states, lengths=[T] * B)), want, agree)
    none = torch.zeros(T, B, dtype=torch.bool)
    same(gradients(layer, x, *run(layer, x, states, resets=none)), want, agree)


@every_cell(bidirectional=DIRECTIONS[::-1], backend=BACKENDS, dtype=DTYPES)
def test_a_row_alone_equals_the_row_in_its_batch(
    name: str, bidirectional: bool, backend: str, dtype: torch.dtype, agree: Callable[..., None]
) -> None:
    layer = build(name, dtype, backend, bidirectional=bidirectional)
    x, states = inputs(layer), some_states(layer)
    output, finals = run(layer, x, states)
    for row in range(B):
        alone, ends = run(layer, x[:, row : row + 1], tuple(state[:, row : row + 1] for state in states))
        agree(output[:, row : row + 1], alone, TOLERANCE[dtype])
        for final, end in zip(finals, ends, strict=True):
            agree(final[:, row : row + 1], end, TOLERANCE[dtype])
    unbatched, ends = run(layer, x[:, 1], tuple(state[:, 1] for state in states))
    agree(output[:, 1], unbatched, TOLERANCE[dtype])
    for final, end in zip(finals, ends, strict=True):
        agree(final[:, 1], end, TOLERANCE[dtype])


def documents(resets: Tensor, row: int) -> list[slice]:
    """The stretches of a row between its resets."""
    steps = len(resets)
    borders = sorted({0, steps, *resets[:, row].nonzero()[:, 0].tolist()})
    return [slice(start, end) for start, end in pairwise(borders)]


def resets_at(steps: int, *places: tuple[int, int]) -> Tensor:
    resets = torch.zeros(steps, B, dtype=torch.bool)
    for t, row in places:
        resets[t, row] = True
    return resets


STEPS_PER_CUT = 4  # in place of the real one, so that six cuts fit into few steps
LONG = 6 * STEPS_PER_CUT


@pytest.fixture
def steps_per_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(functional, "STEPS_PER_CUT", STEPS_PER_CUT)


RESETS = {
    "none": resets_at(LONG),
    "first step": resets_at(LONG, (0, 1)),
    "last step": resets_at(LONG, (LONG - 1, 2)),
    "rare": resets_at(LONG, (0, 0), (0, 3), (7, 1), (7, 2), (11, 0), (LONG - 1, 3)),
    "as many as pieces repay": resets_at(LONG, *((3 * k + 2, k % B) for k in range(6))),
    "one more": resets_at(LONG, *((3 * k + 2, k % B) for k in range(7))),
    "many": torch.rand(LONG, B, generator=torch.Generator().manual_seed(0)) < 0.2,
    "everywhere": torch.ones(LONG, B, dtype=torch.bool),
}


@pytest.mark.usefixtures("steps_per_cut")
@every_cell(resets=[*(name for name in RESETS if name != "rare"), "rare"], dtype=DTYPES)
def test_resets_equal_separate_runs(name: str, resets: str, dtype: torch.dtype, agree: Callable[..., None]) -> None:
    """A stack in both directions runs each stretch between two resets as if it stood alone.

    The initial state belongs to what begins the row: to the first stretch in the forward direction (unless a reset
    stands at its first step) and to the last in the other.
    """
    layer = build(name, dtype, bidirectional=True)
    x, states, cut = inputs(layer, LONG, B), some_states(layer), RESETS[resets]
    output, finals = run(layer, x, states, resets=cut)
    got = gradients(layer, x, output, finals)
    alone_output, alone_finals = [], []
    for row in range(B):
        pieces, ends = [], []
        stretches = documents(cut, row)
        for stretch in stretches:
            initial = tuple(state[:, row : row + 1].clone() for state in states)
            for state in initial:
                if stretch.start > 0 or cut[0, row]:
                    state[0] = 0
                if stretch.stop < LONG:
                    state[1] = 0
            piece, end = run(layer, x[stretch, row : row + 1], initial)
            pieces.append(piece)
            ends.append(end)
        alone_output.append(torch.cat(pieces))
        alone_finals.append(
            tuple(torch.stack([last[0], first[1]]) for last, first in zip(ends[-1], ends[0], strict=True))
        )
    want_finals = tuple(torch.cat(rows, dim=1) for rows in zip(*alone_finals, strict=True))
    want = gradients(layer, x, torch.cat(alone_output, dim=1), want_finals)
    same(got, want, agree)


@pytest.mark.usefixtures("steps_per_cut")
@pytest.mark.parametrize("backend", ["auto", "torch", "reference"])
@pytest.mark.parametrize("resets", RESETS)
def test_long_stretches_are_run_whole_and_short_ones_step_by_step(
    resets: str, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ways give the same numbers (above); this says which was taken."""
    taken: list[int] = []

    def watch(*arguments: Any) -> Any:
        taken.append(len(arguments[1]))
        return pieces(*arguments)

    pieces = functional._run_pieces
    monkeypatch.setattr(functional, "_run_pieces", watch)
    layer = build("lstm", torch.float32, backend)
    run(layer, inputs(layer, LONG, B), resets=RESETS[resets])
    cuts = int(RESETS[resets].any(1).sum())
    whole = backend == "torch" and cuts * STEPS_PER_CUT <= LONG  # the compiled kernels know borders
    assert taken == ([cuts] if whole else [])


@pytest.mark.usefixtures("steps_per_cut")
@pytest.mark.parametrize("resets", RESETS)
@pytest.mark.parametrize("name", PLAIN)
def test_resets_and_lengths_equal_the_oracle(name: str, resets: str, agree: Callable[..., None]) -> None:
    got, want = (build(name, torch.float32, backend, bidirectional=True) for backend in ("auto", "reference"))
    x, states, lengths = inputs(got, LONG, B), some_states(got), [LONG, 0, 13, 7]
    results = [
        gradients(layer, x, *run(layer, x, states, lengths=lengths, resets=RESETS[resets])) for layer in (got, want)
    ]
    same(*results, agree)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", PLAIN)
def test_resets_and_lengths_together(name: str, backend: str, agree: Callable[..., None]) -> None:
    layer = build(name, backend=backend, num_layers=2, bidirectional=True)
    lengths = [T, 3, 0, 8]
    cut = torch.zeros(T, B, dtype=torch.bool)
    cut[[4, 1, 2, 9], [0, 1, 3, 3]] = True  # the last stands past its row's end
    x = inputs(layer)
    output, _ = run(layer, x, lengths=lengths, resets=cut)
    for row, length in enumerate(lengths):
        if not length:
            assert not output[:, row].any()
            continue
        pieces = [run(layer, x[stretch, row : row + 1])[0] for stretch in documents(cut[:length], row)]
        agree(output[:length, row : row + 1], torch.cat(pieces), 1e-12)
        assert not output[length:, row].any()


@pytest.mark.parametrize("name", PLAIN)
def test_resets_follow_the_layout_of_the_input(name: str, agree: Callable[..., None]) -> None:
    first, last = build(name), build(name, batch_first=True)
    cut = torch.rand(T, B, generator=torch.Generator().manual_seed(4)) < 0.3
    x = inputs(first)
    want, _ = run(first, x, resets=cut)
    got, _ = run(last, x.transpose(0, 1), resets=cut.T)
    agree(got.transpose(0, 1), want, 1e-12)
    alone, _ = run(first, x[:, 1], resets=cut[:, 1])
    agree(alone, want[:, 1], 1e-12)


@pytest.mark.parametrize("name", PLAIN)
def test_lengths_may_be_a_list_a_tensor_or_one_number(name: str) -> None:
    layer = build(name)
    x = inputs(layer)
    outputs = [run(layer, x, lengths=lengths)[0] for lengths in ([4, 11, 1, 0], torch.tensor([4, 11, 1, 0]))]
    assert torch.equal(*outputs)
    alone = [run(layer, x[:, 0], lengths=lengths)[0] for lengths in ([4], torch.tensor(4), torch.tensor([4]))]
    assert torch.equal(alone[0], alone[1])
    assert torch.equal(alone[0], alone[2])
    assert not alone[0][4:].any()
    assert bool(alone[0][3].any())


@EVERY_CELL
def test_no_gradient_crosses_a_reset(name: str) -> None:
    layer = build(name)
    x = inputs(layer)
    cut = torch.zeros(T, B, dtype=torch.bool)
    cut[5] = True
    (grad,) = torch.autograd.grad(run(layer, x, resets=cut)[0][5:].square().sum(), x)
    assert not grad[:5].any()
    assert bool(grad[5:].any())


@EVERY_CELL
def test_a_packed_sequence_and_batch_first_equal_lengths(name: str, agree: Callable[..., None]) -> None:
    layer, last = build(name), build(name, batch_first=True)
    x, states, lengths = inputs(layer), some_states(layer), torch.tensor([5, 1, T, 4])
    want, want_finals = run(layer, x, states, lengths=lengths)
    packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
    outputs, finals = run(layer, packed, states)
    agree(pad_packed_sequence(outputs)[0], want, 1e-12)
    turned, turned_finals = run(last, x.transpose(0, 1), states, lengths=lengths)
    agree(turned.transpose(0, 1), want, 1e-12)
    for state, one, other in zip(want_finals, finals, turned_finals, strict=True):
        agree(one, state, 1e-12)
        agree(other, state, 1e-12)
