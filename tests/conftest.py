"""What every test gets: checked shapes, one thread, and data where there is some."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from jaxtyping import install_import_hook

from .commands import without_report

if TYPE_CHECKING:
    from torch import Tensor

PROJECT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("PEEPHOLE_DATA", PROJECT.parent / "shared" / "data"))

# Threads that wait for others sleep instead of spinning: with more threads than free cores a test takes minutes else.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# From here on the annotations of peephole are checked on every call. Tests of compiled code run in a process of their
# own with PEEPHOLE_NO_HOOK set, because beartype's wrappers break torch.compile(fullgraph=True).
if not os.environ.get("PEEPHOLE_NO_HOOK"):
    if "peephole" in sys.modules:
        raise pytest.UsageError("peephole was imported before the tests could hook it: its shapes would go unchecked")
    install_import_hook("peephole", "beartype.beartype")


@pytest.fixture(scope="session")
def data_folder() -> Callable[[str], Path]:
    """`data_folder(name)` is the folder of that data set; the test is skipped where it is missing."""

    def find(name: str) -> Path:
        folder = DATA / name
        if not folder.is_dir():
            pytest.skip(f"no data set {name!r} in {DATA} (PEEPHOLE_DATA names another folder)")
        return folder

    return find


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tests run on one thread, so that several runs on one machine do not slow each other; a test may ask for more."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def cells_as_before() -> Iterator[None]:
    """A cell that a test registers goes with it."""
    from peephole.reference.sequence import STEPS
    from peephole.spec import FAMILIES

    before = dict(FAMILIES), dict(STEPS)
    yield
    for registry, content in zip((FAMILIES, STEPS), before, strict=True):
        if registry != content:
            registry.clear()
            registry.update(content)


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    """A test that asked for more threads leaves one behind."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@dataclass
class Outcome:
    """What one command left: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line that says what is wrong, after whatever progress was shown before it."""
        assert self.code == 2, self
        *before, line = self.err.splitlines()
        assert line.startswith("peephole: "), self.err
        assert not any(other.startswith(("peephole: ", "Traceback")) for other in before), self.err
        return line.removeprefix("peephole: ")

    @property
    def refusal(self) -> str:
        """The complaint of a command that refused before it printed anything."""
        assert self.out == ""
        assert self.err.count("\n") == 1, self.err
        return self.complaint


@pytest.fixture(scope="session")
def cli() -> Callable[..., Outcome]:
    """`cli("train", path, "--steps", 3)` runs the command line in this process; `stdin` are bytes.

    Training writes a report where a test asks for one with --report: it takes seconds.
    """
    from peephole.cli import main

    def run(*words: object, stdin: bytes = b"") -> Outcome:
        words = without_report(words)
        raw = io.BytesIO(), io.BytesIO()
        out, err = (io.TextIOWrapper(each, "utf-8", newline="", write_through=True) for each in raw)
        before, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(stdin))
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = main([str(word) for word in words])
        except SystemExit as stop:
            code = stop.code
        finally:
            sys.stdin = before
        assert isinstance(code, int)
        return Outcome(code, raw[0].getvalue().decode(), raw[1].getvalue().decode())

    return run


WORDS = (
    "the of and to a in that it is was he for on are with his they be at one have this from or had by word but what "
    "some we can out other were all there when up use your how said an each she which do their time if will way about "
    "many then them write would like so these her long make thing see him two has look more day could go come did my"
)


@pytest.fixture(scope="session")
def prose() -> Callable[..., str]:
    """`prose(characters, seed=0)`: English words, the frequent ones more often, in sentences of a paragraph each."""

    def write(characters: int, seed: int = 0) -> str:
        generator = random.Random(seed)
        words = WORDS.split()
        weights = [1 / rank for rank in range(1, len(words) + 1)]
        text = ""
        while len(text) < characters:
            sentence = " ".join(generator.choices(words, weights, k=generator.randint(4, 12)))
            text += sentence.capitalize() + generator.choice([".\n", ". ", "? ", ".\n\n"])
        return text[:characters]

    return write


@pytest.fixture(scope="session")
def tiny() -> tuple[str, ...]:
    """Options of `peephole train` for a net that trains in a moment."""
    options = "--hidden-size 8 --embedding-size 8 --batch-size 4 --window 16 --threads 1 --warmup 2"
    return tuple(options.split())


@pytest.fixture
def book(tmp_path: Path, prose: Callable[..., str]) -> Path:
    """A text file of 3,000 characters."""
    path = tmp_path / "book.txt"
    path.write_text(prose(3000))
    return path


@pytest.fixture(scope="session")
def kept() -> Callable[[Path], dict[str, object]]:
    """`kept(run)`: everything in a run folder that two equal trainings have in common, all but times, comparable."""
    from peephole.runs.tensors import read_tensors

    def plain(value: object) -> object:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items() if key not in ("seconds", "per_second", "memory")}
        if isinstance(value, list):
            return [plain(item) for item in value]
        if hasattr(value, "untyped_storage"):
            return str(value.dtype), tuple(value.shape), bytes(value.untyped_storage())  # pyright: ignore
        return value

    def read(run: Path) -> dict[str, object]:
        files = sorted(path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file())
        found: dict[str, object] = {"files": [name for name in files if name != ".lock"]}
        for name in files:
            if name.endswith(".safetensors"):
                found[name] = plain(read_tensors(run / name))
            if name == "history.jsonl":
                found[name] = [plain(json.loads(line)) for line in (run / name).read_text().splitlines()]
        return found

    return read


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, cli: Callable[..., Outcome], prose: Callable[..., str]) -> Path:
    """The folder of a run that learned a little. Tests that change it work on a copy."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "book.txt").write_text(prose(20_000))
    words = [
        "--steps",
        60,
        "--hidden-size",
        16,
        "--embedding-size",
        8,
        "--batch-size",
        8,
        "--window",
        32,
        "--warmup",
        5,
    ]
    outcome = cli("train", folder / "book.txt", "--out", folder / "run", *words, "--learning-rate", 0.02)
    assert outcome.code == 0, outcome.err
    return folder / "run"


@pytest.fixture(scope="session")
def agree() -> Callable[..., None]:
    """`agree(got, want, tolerance, what)`: largest and RMS error, each relative to that of `want`; NaN fails.

    `rms` is the tolerance of the RMS where it is another. `floor` is the smallest scale: what is smaller comes of
    cancellation, and is exact only relative to its terms.
    """

    def check(
        got: Tensor, want: Tensor, tolerance: float, what: str = "", rms: float | None = None, floor: float = 0.0
    ) -> None:
        assert got.shape == want.shape, what
        want = want.detach().double().flatten()
        difference = got.detach().double().flatten() - want
        if not len(want):
            return
        error, scale = difference.abs().max(), want.abs().max().clamp_min(floor)
        assert error <= tolerance * scale, f"{what}: the largest error is {error:.3g} on a scale of {scale:.3g}"
        error, scale = difference.square().mean().sqrt(), want.square().mean().sqrt().clamp_min(floor)
        tolerance = tolerance if rms is None else rms
        assert error <= tolerance * scale, f"{what}: the RMS error is {error:.3g} on a scale of {scale:.3g}"

    return check


@pytest.fixture
def without_native() -> Iterator[None]:
    """An installation whose compiled kernels are switched off."""
    from peephole._native import instructions
    from peephole.ops import choose

    choose.cache_clear()
    with instructions.using("none"):
        yield
    choose.cache_clear()


@pytest.fixture
def unchecked_annotations() -> Iterator[None]:
    """Annotations are not checked, as in a user's process: for errors that the check would answer first."""
    import jaxtyping

    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)


@pytest.fixture
def poisoned_memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fresh memory is NaN, so that an element which nobody writes is seen."""
    import torch

    monkeypatch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", True)
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests first, so that no process waits for one at the end. Skip what needs a GPU where there is none."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    needing = [item for item in items if item.get_closest_marker("gpu")]
    if not needing:
        return
    import torch

    if not torch.cuda.is_available():
        for item in needing:
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))
