"""What every test gets: checked shapes, one thread, and data where there is some."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a GPU where there is none."""
    needing = [item for item in items if item.get_closest_marker("gpu")]
    if not needing:
        return
    import torch

    if not torch.cuda.is_available():
        for item in needing:
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))
