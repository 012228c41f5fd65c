"""Every notebook in `examples/` runs from top to bottom, and what it says of its numbers is so."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
NOTEBOOKS = sorted(path.name for path in EXAMPLES.glob("*.ipynb"))


@pytest.fixture(autouse=True)
def drawn_nowhere() -> Iterator[None]:
    """Figures are drawn into memory, in the style that a notebook chooses, and both are gone afterwards."""
    import matplotlib.pyplot as plt

    with matplotlib.rc_context():
        plt.switch_backend("agg")
        yield
        plt.close("all")


def run(name: str) -> dict[str, Any]:
    """The names that a notebook leaves when its cells run as plain Python."""
    cells = json.loads((EXAMPLES / name).read_text(encoding="utf-8"))["cells"]
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, cell in enumerate(cells):
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), f"{name}, cell {number}", "exec"), names)
    return names


def memory_is_where_it_says(names: dict[str, Any]) -> None:
    """What the text of `inside.ipynb` says of its numbers."""
    assert names["accuracy"] > 0.99
    assert names["wrong"] > 0.3  # without a memory three of four answers are
    assert names["answers_by_donor"] == [0, 1, 2, 3]
    c, h = (names["layer"].gradients[state].norm(dim=-1).mean(1) for state in ("c", "h"))
    assert c[1] / c[-1] > 10 * h[1] / h[-1]  # the way of c is the long one
    by_step = names["by_step"].differences
    assert abs(float(by_step[0])) < 1e-3 * float(by_step[1])
    assert int(by_step[1:].argmin()) > 8
    unseen, forgotten, both = names["found"]
    assert both.difference > 2 * (unseen.difference + forgotten.difference)


CLAIMS = {"inside.ipynb": memory_is_where_it_says}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_it_runs_and_its_text_is_so(name: str) -> None:
    CLAIMS[name](run(name))


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_it_is_kept_with_its_outputs_and_names_no_place_of_ours(name: str) -> None:
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert any("image/png" in output.get("data", {}) for cell in cells for output in cell["outputs"])
    assert not any(output["output_type"] == "error" for cell in cells for output in cell["outputs"])
    assert len(text) < 500_000
    assert str(Path.home()) not in text
    assert "site-packages" not in text
