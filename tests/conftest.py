"""What every test gets: checked shapes, one thread, and data where there is some."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from jaxtyping import install_import_hook

if TYPE_CHECKING:
    from torch import Tensor

PROJECT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("PEEPHOLE_DATA", PROJECT.parent / "shared" / "data"))

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


@pytest.fixture(scope="session")
def agree() -> Callable[..., None]:
    """`agree(got, want, tolerance, what)`: largest and RMS error, each relative to that of `want`; NaN fails."""

    def check(got: Tensor, want: Tensor, tolerance: float, what: str = "") -> None:
        assert got.shape == want.shape, what
        want = want.detach().double().flatten()
        difference = got.detach().double().flatten() - want
        if len(want):
            for name, order in (("largest", float("inf")), ("RMS", 2)):  # the length drops out of the RMS's ratio
                error, scale = float(difference.norm(order)), float(want.norm(order))
                assert error <= tolerance * scale, f"{what}: {name} error is {error / scale if scale else error:.3g}"

    return check


@pytest.fixture
def poisoned_memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fresh memory is NaN, so that an element which nobody writes is seen."""
    import torch

    monkeypatch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", True)
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a GPU where there is none."""
    needing = [item for item in items if item.get_closest_marker("gpu")]
    if not needing:
        return
    import torch

    if not torch.cuda.is_available():
        for item in needing:
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))
