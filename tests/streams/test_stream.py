"""Streams that come, go, step, start anew and are copied: each gives what it would give alone, bit for bit."""

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from peephole.streams.snapshot import Snapshot
from peephole.streams.stream import Stream

from .nets import exact, inputs, language_model, net, solve, some_resets

STORAGES = ["float32", "bfloat16", "int8"]
# One a kind of buffer that rows share: softmax, taps, projections, cells fed back, moments, r ∘ h.
SHARING = [
    "rnn softmax",
    "rnn 2 taps, residual, layer norm",
    "lstm",
    "lstm coupled, full candidate peephole, projected",
    "lstm gates fed back, coupled, full peephole",
    "lstm layer norm",
    "gru",
    "gru before, layer norm",
]


class Alone:
    """What one stream has read since it began, and what it gave."""

    def __init__(self, other: "Alone | None" = None) -> None:
        self.read: list[Tensor] = list(other.read) if other else []
        self.gave: list[Tensor] = list(other.gave) if other else []

    def check(self, snapshot: Snapshot, state: Tensor) -> None:
        stream = snapshot.stream(1, threads=1)
        if self.read:
            assert torch.equal(stream.read(torch.stack(self.read)[:, None])[:, 0], torch.stack(self.gave))
        assert torch.equal(stream.states()[0], state)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("name", SHARING)
def test_whoever_comes_and_goes(name: str, storage: str) -> None:
    """Random joins, leaves, steps, reads, resets and copies, by any number of threads."""
    choose = random.Random(f"{name} {storage}")
    made = net(name, 5, 33, 2, learned_states=choose.random() < 0.5)
    snapshot = made.snapshot(storage)
    stream = snapshot.stream(0, threads=choose.choice([1, 2, 3]))
    known: dict[int, Alone] = {}

    def some() -> list[int]:
        return choose.sample(list(known), choose.randint(1, len(known)))

    for seed in range(60):
        what = choose.choice(["join", "leave", "step", "step", "all", "read", "reset", "copy"])
        if what == "join" or not known:
            joined = stream.join(choose.choice([1, 1, 2, 5, 13]))
            assert not set(joined.tolist()) & set(known)
            known |= {one: Alone() for one in joined.tolist()}
        elif what == "leave":
            for one in (gone := choose.sample(list(known), choose.randint(1, max(1, len(known) // 3)))):
                known.pop(one).check(snapshot, stream.states([one])[0])
            stream.leave(gone)
        elif what == "reset":
            stream.reset(some_ids := some())
            known |= {one: Alone() for one in some_ids}
        elif what == "copy":
            source, target = some(), some()
            count = min(len(source), len(target))
            stream.copy(source[:count], target[:count])
            known |= {to: Alone(known[start]) for start, to in zip(source[:count], target[:count], strict=True)}
        else:
            ids = stream.ids.tolist() if what == "all" else some()
            x = inputs(made, 3 if what == "read" else 1, len(ids), seed)
            got = stream.read(x, ids) if what == "read" else stream.step(x[0], None if what == "all" else ids)[None]
            for row, one in enumerate(ids):
                known[one].read += x[:, row].unbind(0)
                known[one].gave += got[:, row].unbind(0)
        assert sorted(stream.ids.tolist()) == sorted(known)
        assert len(stream) == len(known)
    for one, alone in known.items():
        alone.check(snapshot, stream.states([one])[0])


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("name", SHARING)
def test_neither_neighbours_nor_threads_change_a_bit(name: str, storage: str, instruction_set: str) -> None:
    """Weights enough for a team: after one has gone ahead three share the units, or of many streams the rows."""
    made = net(name, 37, 200, 1, learned_states=True)
    snapshot = made.snapshot(storage)
    for steps, all_rows, parts in ((26, 12, ([3], [4, 3, 2], list(range(12)))), (2, 50, ([0, 49], list(range(50))))):
        x, resets = inputs(made, steps, all_rows), some_resets(steps, all_rows)
        want = snapshot.stream(all_rows, threads=1).read(x, resets=resets)
        assert bool(want.isfinite().all())
        for rows in parts:
            for threads in (1, 3):
                stream = snapshot.stream(len(rows), threads=threads)
                got = stream.read(x[:, rows].contiguous(), resets=resets[:, rows])
                assert torch.equal(got, want[:, rows]), (len(rows), threads)


def test_torchs_number_of_threads_is_taken_unless_another_is_given() -> None:
    made = net("lstm", 37, 200)
    x = inputs(made, 3, 20)
    want = made.stream(20).read(x)
    torch.set_num_threads(2)
    assert torch.equal(made.stream(20).read(x), want)
    assert torch.equal(made.stream(20, threads=3).read(x), want)
    assert torch.get_num_threads() == 2


def test_thousands_of_streams(agree: Callable[..., None]) -> None:
    made = net("lstm V", 5, 33)
    x = inputs(made, 3, 4096)
    want, states = solve(made.double(), x)
    made.float()
    stream = made.stream(4096)
    agree(torch.stack([stream.step(one) for one in x]), want, 1e-5)
    agree(stream.states(), states, 1e-5)
    order = torch.randperm(4096, generator=torch.Generator().manual_seed(0))
    shuffled = made.stream(4096).read(x[:, order].contiguous(), stream.ids[order])
    assert torch.equal(shuffled[:, order.argsort()], made.stream(4096).read(x))


def test_ids_are_given_again(instruction_set: str) -> None:
    stream = net("gru").stream(3)
    assert stream.ids.tolist() == [0, 1, 2]
    stream.leave([1])
    assert stream.ids.tolist() == [0, 2]
    assert stream.join(2).tolist() == [1, 3]
    assert stream.ids.tolist() == [0, 2, 1, 3]
    stream.leave(stream.ids)
    assert len(stream) == 0
    assert stream.step(torch.zeros(0, 5)).shape == (0, 7)
    assert sorted(stream.join(4).tolist()) == [0, 1, 2, 3]


def test_who_takes_the_place_of_another_begins_at_the_beginning() -> None:
    model = language_model(learned_states=True)
    fresh = model.stream(1)
    stream = model.stream(2)
    stream.seed(5)
    stream.draw(torch.tensor([1, 2]), 7)
    stream.leave([1])
    newcomer = stream.join()
    assert newcomer.tolist() == [1]
    assert torch.equal(stream.states(newcomer), fresh.states())
    assert stream._engine.read_generators(newcomer).tolist() == [[0, 1, 0]]  # seed 0, its id, nothing drawn


def test_only_the_last_step_where_that_is_wanted() -> None:
    made = net("lstm", layers=2)
    x, resets = inputs(made, 5, 4), some_resets(5, 4)
    for steps in (1, 5):
        want = made.stream(4).read(x[:steps], resets=resets[:steps])
        for stream in (made.stream(4), made.stream(4, backend="stepwise")):
            got = stream.read(x[:steps], resets=resets[:steps], last=True)
            assert got.shape == (4, 7)
            assert bool((got - want[-1]).abs().max() <= 1e-6)


@pytest.mark.parametrize("build", [lambda: net("gru").stream(2), lambda: net("gru").stream(300)])
def test_what_a_step_gave_is_the_callers(build: Callable[[], Stream]) -> None:
    """No later step writes to it, and autograd sees nothing but a tensor."""
    stream = build()
    head = torch.nn.Linear(7, 2)
    x = torch.ones(len(stream), 5)
    gave = [stream.step(x) for _ in range(40)]
    stream.reset()
    again = [stream.step(x) for _ in range(40)]
    assert all(torch.equal(one, other) for one, other in zip(gave, again, strict=True))
    loss = head(gave[0]).sum()
    gave[1].mul_(2)
    gave[2].add_(head.weight.sum())
    (loss + gave[2].sum()).backward()
    assert bool(head.weight.grad.isfinite().all())  # pyright: ignore[reportOptionalMemberAccess]
    assert not gave[3].requires_grad


def test_other_memory_of_the_same_numbers() -> None:
    """A view, a transpose, another dtype, and an input that wants gradients."""
    made = net("gru")
    x = inputs(made, 2, 3)
    want = made.stream(3).step(x[0])
    for other in (x.transpose(0, 1).contiguous().transpose(0, 1)[0], x[0].double(), x[0].clone().requires_grad_()):
        got = made.stream(3).step(other)
        assert torch.equal(got, want)
        assert not got.requires_grad


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 3e38])
def test_what_is_not_finite_stays_with_its_stream(storage: str, bad: float, instruction_set: str) -> None:
    for name in ("lstm", "rnn identity", "gru before, layer norm"):
        made = net(name, 3, 7, 2)
        x = inputs(made, 4, 6)
        want = made.stream(6, storage).read(x)
        x[0, 2, 1] = bad
        got = made.stream(6, storage).read(x)
        others = [0, 1, 3, 4, 5]
        assert torch.equal(got[:, others], want[:, others])
        by_steps = made.stream(6, storage)
        assert torch.equal(torch.stack([by_steps.step(one) for one in x]).nan_to_num(9), got.nan_to_num(9))
        if bad != bad:
            assert bool(got[0, 2].isnan().any())


def test_zoneout_of_everything_keeps_the_state(agree: Callable[..., None]) -> None:
    options: dict[str, Any] = {"zoneout": 1.0, "zoneout_cell": 1.0, "learned_states": True}
    made = net("lstm", **options)
    stream = made.stream(2)
    before = stream.states()
    stream.read(inputs(made, 4, 2))
    assert torch.equal(stream.states(), before)
    agree(before, solve(exact(made), inputs(made, 4, 2))[1], 1e-6)
