"""States of streams: what they hold, how they move from stream to stream and through files."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from peephole.errors import InputError
from peephole.streams.stream import Stream

from .nets import inputs, language_model, net

STORAGES = ["float32", "bfloat16", "int8"]
ENGINES = pytest.mark.parametrize("backend", ["native", "stepwise"])


@ENGINES
def test_layer_after_layer_and_state_after_state(backend: str, agree: Callable[..., None]) -> None:
    made = net("lstm projected", 5, 7, 2, learned_states=True)
    x = inputs(made, 4, 3)
    stream = made.stream(3, backend=backend)
    parts = [made.state_h_l0, made.state_c_l0, made.state_h_l1, made.state_c_l1]
    assert torch.equal(stream.states(), torch.cat(parts).detach().expand(3, -1))
    output = stream.read(x)
    _, (h, c) = made(x)
    assert stream.record == 4 + 7 + 4 + 7
    agree(stream.states(), torch.cat([h[0], c[0], h[1], c[1]], dim=-1), 1e-5)
    assert torch.equal(stream.states()[:, 11:15], output[-1])
    assert torch.equal(stream.states([2, 0, 2]), stream.states()[[2, 0, 2]])
    assert not stream.states().requires_grad


@pytest.mark.parametrize("storage", STORAGES)
def test_states_move_between_streams_and_storages(storage: str) -> None:
    made = net("lstm", layers=2)
    x = inputs(made, 6, 4)
    one, other = made.snapshot(storage).stream(4), made.stream(7)
    one.read(x[:3])
    other.put_states(one.states(), [6, 1, 3, 0])
    assert torch.equal(other.states([6, 1, 3, 0]), one.states())
    back = made.snapshot(storage).stream(4)
    back.put_states(other.states([6, 1, 3, 0]).double())
    assert torch.equal(back.read(x[3:]), one.read(x[3:]))


@ENGINES
def test_copies_are_made_all_at_once(backend: str) -> None:
    model = language_model()
    stream = model.stream(3, backend=backend)
    stream.seed(3)
    stream.read(torch.tensor([[0, 1, 2], [3, 4, 5]]))
    before = stream.states()
    words = stream._engine.read_generators(stream.ids)
    stream.copy([0, 1], [1, 0])
    assert torch.equal(stream.states(), before[[1, 0, 2]])
    assert torch.equal(stream._engine.read_generators(stream.ids), words[[1, 0, 2]])
    stream.copy([2, 2], [0, 1])
    assert torch.equal(stream.states(), before[[2, 2, 2]])


@ENGINES
def test_saved_and_loaded(backend: str, tmp_path: Path) -> None:
    model = language_model(layers=2)
    stream = model.stream(5, backend=backend)
    stream.seed(11, [3, 1, 2**40, 0, -1])
    stream.read(torch.randint(9, (4, 5)))
    stream.save(tmp_path / "states", [4, 2, 0])
    other = model.stream(2, backend=backend)
    untouched = other.states()
    joined = other.load(tmp_path / "states")
    assert joined.tolist() == [2, 3, 4]
    assert torch.equal(other.states(joined), stream.states([4, 2, 0]))
    assert torch.equal(other.states([0, 1]), untouched)
    words = other._engine.read_generators(joined)
    assert words.tolist() == [[11, -1, 0], [11, 2**40, 0], [11, 3, 0]]
    stream.leave(stream.ids)
    stream.save(tmp_path / "none")
    assert other.load(tmp_path / "none").tolist() == []


def test_engines_read_each_others_states(tmp_path: Path) -> None:
    model = language_model(layers=2)
    symbols = torch.randint(9, (6, 3))
    native, stepwise = model.stream(3), model.stream(0, backend="stepwise")
    native.read(symbols[:3])
    native.save(tmp_path / "states")
    assert stepwise.load(tmp_path / "states").tolist() == [0, 1, 2]
    assert bool((stepwise.read(symbols[3:]) - native.read(symbols[3:])).abs().max() <= 1e-5)


def refused(stream: Stream, path: Path) -> str:
    count, states = len(stream), stream.states()
    with pytest.raises(InputError) as caught:
        stream.load(path)
    assert len(stream) == count  # nobody has joined
    assert torch.equal(stream.states(), states)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text


def test_every_flipped_bit_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "states"
    stream = language_model().stream(2)
    stream.save(path)
    whole = path.read_bytes()
    choose = random.Random(0)
    for place in [*range(8), *choose.sample(range(8, len(whole)), 150)]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << choose.randrange(8)
        path.write_bytes(damaged)
        refused(stream, path)
    for length in (0, 5, 100, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert "damaged or cut short" in refused(stream, path)


def test_files_that_are_something_else(tmp_path: Path) -> None:
    model = language_model()
    stream = model.stream(2)
    assert "no such file" in refused(stream, tmp_path / "nothing")
    assert "no such file" in refused(stream, tmp_path)
    save_file({"states": torch.zeros(2, 3)}, tmp_path / "tensors")
    assert "no states of a stream" in refused(stream, tmp_path / "tensors")
    stream.save(tmp_path / "states")
    save_file(load_file(tmp_path / "states"), tmp_path / "unsaid")
    assert "no states of a stream" in refused(stream, tmp_path / "unsaid")
    model.snapshot().save(tmp_path / "snapshot")
    assert "no states of a stream" in refused(stream, tmp_path / "snapshot")
    other = language_model(10).stream(2)  # whose states have the same shape
    text = refused(other, tmp_path / "states")
    assert "states of another model" in text
    assert text.endswith("load the model that they come from")


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    stream = net("gru").stream(2)
    for path in (tmp_path, tmp_path / "missing" / "file"):
        with pytest.raises(InputError, match=r"cannot be written \(.*\); what was there before is untouched"):
            stream.save(path)
    assert list(tmp_path.iterdir()) == []


@ENGINES
@pytest.mark.parametrize("states", [torch.zeros(2, 6), torch.zeros(3, 7), torch.zeros(14), torch.zeros(2, 7).long()])
def test_states_that_do_not_fit(states: torch.Tensor, backend: str) -> None:
    stream = net("gru").stream(2, backend=backend)
    before = stream.states()
    with pytest.raises(InputError, match=r"^states are torch\.\w+ \[.*\]; expected floats \[2, 7\]$"):
        stream.put_states(states)
    assert torch.equal(stream.states(), before)
