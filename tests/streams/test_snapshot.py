"""A snapshot: packed once, changed by nothing, saved and mapped into memory, and what is said of a damaged file."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from peephole._native import instructions
from peephole.errors import InputError
from peephole.nn.recurrent import Recurrent
from peephole.streams.snapshot import Snapshot

from .nets import inputs, language_model, net

STORAGES = ["float32", "bfloat16", "int8"]
PROGRAM = Path(__file__).with_name("processes.py")


@pytest.mark.parametrize("storage", STORAGES)
def test_training_changes_no_snapshot(storage: str) -> None:
    model = language_model(layers=2, learned_states=True)
    snapshot = model.snapshot(storage)
    early = snapshot.stream(3)
    symbols = torch.randint(9, (5, 3))
    want = snapshot.stream(3).read(symbols)
    optimiser = torch.optim.SGD(model.parameters(), 0.5)
    model.train()(symbols)[0].square().sum().backward()
    optimiser.step()
    for stream in (early, snapshot.stream(3)):
        assert torch.equal(stream.read(symbols), want)
    changed = model.snapshot(storage)
    assert bool((changed.stream(3).read(symbols) - want).abs().max() > 1e-2)
    assert changed.fingerprint != snapshot.fingerprint
    assert changed.fingerprint == model.snapshot("float32").fingerprint


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("lstm", (5, 33, 2)),
        ("gru before, layer norm", (1, 1, 1)),
        ("rnn 3 taps", (3, 7, 2)),
        ("lstm projected", (8, 16, 1)),
    ],
)
def test_saved_and_mapped(
    name: str, sizes: tuple[int, int, int], storage: str, instruction_set: str, tmp_path: Path
) -> None:
    made = net(name, *sizes, learned_states=True, zoneout=0.1)
    snapshot = made.snapshot(storage)
    snapshot.save(tmp_path / "net.safetensors")
    mapped = Snapshot.load(tmp_path / "net.safetensors", verify=True)
    assert (mapped.weights, mapped.nbytes, mapped.fingerprint) == (storage, snapshot.nbytes, snapshot.fingerprint)
    assert repr(mapped) == repr(snapshot)
    assert os.listdir(tmp_path) == ["net.safetensors"]
    x = inputs(made, 5, 7)
    want = snapshot.stream(7).read(x)
    assert torch.equal(mapped.stream(7).read(x), want)
    mapped.save(tmp_path / "net.safetensors")  # onto the file that it is mapped from
    assert torch.equal(mapped.stream(7).read(x), want)
    (tmp_path / "net.safetensors").unlink()
    assert torch.equal(mapped.stream(7).read(x), want)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")
def test_a_loaded_snapshot_is_the_file(tmp_path: Path) -> None:
    path = tmp_path / "large.safetensors"
    net("lstm", 64, 256).snapshot().save(path)
    assert str(path) not in Path("/proc/self/maps").read_text()
    mapped = Snapshot.load(path)
    (line,) = (line for line in Path("/proc/self/maps").read_text().splitlines() if str(path) in line)
    assert line.split()[1] == "r--s"
    assert mapped._model.memory.ctypes.data % 64 == 0
    del mapped
    assert str(path) not in Path("/proc/self/maps").read_text()


def test_less_memory_for_smaller_weights() -> None:
    made = net("lstm", 64, 256)
    whole, half, quarter = (made.snapshot(storage).nbytes for storage in STORAGES)
    assert half <= 0.55 * whole
    assert quarter <= 0.3 * whole


def test_all_instructions_read_what_has_their_width(tmp_path: Path) -> None:
    made = net("gru")
    x = inputs(made, 3, 2)
    by_width: dict[str, list[str]] = {}
    for name in instructions.supported():
        with instructions.using(name):
            snapshot = made.snapshot()
            by_width.setdefault(snapshot._model.layout, []).append(name)
        snapshot.save(tmp_path / name)  # whatever is in use by now
    for layout, names in by_width.items():
        for name in instructions.supported():
            with instructions.using(name):
                for other in names:
                    if name in names:
                        assert torch.equal(Snapshot.load(tmp_path / other).stream(2).read(x), made.stream(2).read(x))
                    else:
                        with pytest.raises(InputError, match=f"packed for registers of {layout}, and {name} has "):
                            Snapshot.load(tmp_path / other)


def test_another_process_goes_on_where_this_one_stands(tmp_path: Path) -> None:
    """Weights, states and random numbers in files: the text goes on as if nothing had happened."""
    snapshot = language_model(layers=2, learned_states=True).snapshot("int8")
    stream = snapshot.stream(3)
    stream.seed(7, [4, 2, 9])
    begun = stream.draw(torch.tensor([1, 2, 3]), 20)
    snapshot.save(tmp_path / "snapshot")
    stream.save(tmp_path / "states")
    environment = os.environ | {"PEEPHOLE_NO_HOOK": "1"}
    last = [str(int(symbol)) for symbol in begun[-1]]
    command = [sys.executable, str(PROGRAM), "go_on", str(tmp_path / "snapshot"), str(tmp_path / "states"), *last]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[0] == str(stream.draw(begun[-1].contiguous(), 30).tolist())


# --- what is refused ---


def refusal(path: Path, verify: bool = True) -> str:
    with pytest.raises(InputError) as caught:
        Snapshot.load(path, verify=verify)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text


def test_every_flipped_bit_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "snapshot"
    language_model().snapshot("int8").save(path)
    whole = path.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    choose = random.Random(0)
    places = [*range(8), *choose.sample(range(8, header), 250), *choose.sample(range(header, len(whole)), 20)]
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << choose.randrange(8)
        path.write_bytes(damaged)
        refusal(path)
    path.write_bytes(whole)
    Snapshot.load(path, verify=True)


def test_a_file_cut_short_or_grown(tmp_path: Path) -> None:
    path = tmp_path / "snapshot"
    net("gru").snapshot().save(path)
    whole = path.read_bytes()
    for length in (0, 1, 7, 8, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert "damaged or cut short" in refusal(path, verify=False)
    path.write_bytes(whole + b"more")
    assert "damaged or cut short" in refusal(path, verify=False)


def test_other_files(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "nothing")
    assert "no such file" in refusal(tmp_path)
    (tmp_path / "text").write_text("Call me Ishmael. " * 100)
    assert "damaged or cut short" in refusal(tmp_path / "text")
    save_file({"weight": torch.zeros(3)}, tmp_path / "weights")
    assert "not a snapshot" in refusal(tmp_path / "weights")
    language_model().stream(2).save(tmp_path / "states")
    assert "not a snapshot" in refusal(tmp_path / "states")


def test_without_compiled_kernels(tmp_path: Path, without_native: None) -> None:
    with instructions.using("portable"):
        net("gru").snapshot().save(tmp_path / "snapshot")
    assert "a snapshot needs the compiled kernels" in refusal(tmp_path / "snapshot")
    with pytest.raises(InputError, match="no snapshot of gru: PEEPHOLE_INSTRUCTIONS=none switches"):
        net("gru").snapshot()


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    snapshot = net("gru").snapshot()
    (tmp_path / "kept").write_text("kept")
    for path in (tmp_path, tmp_path / "missing" / "file", tmp_path / "kept" / "file"):
        with pytest.raises(InputError, match=r"cannot be written \(.*\); what was there before is untouched"):
            snapshot.save(path)
    assert os.listdir(tmp_path) == ["kept"]


@pytest.mark.parametrize("storage", STORAGES)
def test_weights_that_cannot_be_packed(storage: str) -> None:
    made = net("gru")
    made.weight_hh_l0.data[2, 3] = float("nan")
    made.weight_hh_l0.data[2, 4] = float("-inf")
    with pytest.raises(InputError, match=r"^weight_hh_l0 has 2 of 147 numbers that are not finite"):
        made.snapshot(storage)
    wide = net("gru").double()
    wide.bias_ih_l0.data[0] = 1e300  # finite, and infinite as a float
    with pytest.raises(InputError, match=r"^bias_ih_l0 has 1 of 21 numbers that are not finite in float32"):
        wide.snapshot(storage)


def test_weights_beyond_what_a_storage_can_say() -> None:
    made = net("gru")
    made.weight_ih_l0.data[0, 0] = 3.4e38
    assert bool(made.stream(1).step(torch.ones(1, 5)).isfinite().all())
    with pytest.raises(InputError, match=r"weight_ih_l0 holds 3\.4e"):
        made.snapshot("bfloat16")
    with pytest.raises(InputError, match=r"weight_ih_l0 holds 3\.4e.*a sum of 5 of its steps overflows"):
        made.snapshot("int8")
    long = Recurrent("rnn", 60_001, 1)
    with pytest.raises(InputError, match="weight_ih_l0 has rows of 60,001 numbers; int8 sums at most 60,000"):
        long.snapshot("int8")
