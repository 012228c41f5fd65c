"""At which sizes a net is exact: measured on nets of which it is known."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from peephole.data.problems.addition import Addition
from peephole.data.problems.parity import Parity
from peephole.errors import InputError
from peephole.models.by_hand import parity_by_hand
from peephole.models.static import StaticModel
from peephole.tasks import exactness
from peephole.tasks.exactness import measure_exactness, usual_sizes


class Tires(nn.Module):
    """Answers parity rightly up to step `until`, and always "odd" from there on."""

    def __init__(self, until: int) -> None:
        super().__init__()
        self.until = nn.Parameter(torch.tensor(float(until)))

    def forward(self, inputs: Tensor, states: Any = None) -> tuple[Tensor, Any]:
        done, odd = (0, torch.zeros(inputs.shape[1])) if states is None else states
        parity = (inputs.cumsum(0) + odd) % 2
        steps = done + torch.arange(len(inputs))
        logits = torch.nn.functional.one_hot(parity.long(), 2).float()
        logits[steps >= int(self.until)] = torch.tensor([0.0, 1.0])
        return logits, (done + len(inputs), parity[-1])


def test_a_net_of_known_weights_is_exact_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exactness, "CHUNK", 7)
    monkeypatch.setattr(exactness, "CELLS", 64)  # a few rows at a time
    found = measure_exactness(parity_by_hand("lstm"), Parity(length=20), (50, 3, 20), sequences=9)
    assert [(row.size, row.sequences, row.exact, row.right) for row in found.rows] == [
        (3, 9, 9, 1.0),
        (20, 9, 9, 1.0),
        (50, 9, 9, 1.0),
    ]
    assert found.exact_to == 50
    assert found.verdict.startswith("Exact on 9 sequences of every length measured up to 50, and trained up to 20")


def test_where_a_net_tires_is_found() -> None:
    found = measure_exactness(Tires(30), Parity(length=20), (20, 30, 32, 400), sequences=400)
    short, at, beyond, far = found.rows
    assert (short.exact, at.exact) == (400, 400)
    assert found.exact_to == 30
    assert 60 <= beyond.exact <= 140  # two more answers, each right by chance
    assert far.exact == 0
    assert abs(far.right - (30 + 370 / 2) / 400) < 0.01
    assert "up to 30" in found.verdict
    assert "at 32" in found.verdict
    assert not measure_exactness(Tires(0), Parity(), (40,), sequences=20).exact_to


def test_only_the_last_answer_counts_where_the_problem_says_so() -> None:
    found = measure_exactness(Tires(39), Parity(answers="last"), (39, 40), sequences=300)
    assert found.rows[0].exact == 300
    assert abs(found.rows[1].right - 0.5) < 0.1
    assert found.rows[1].right == found.rows[1].exact / 300


def test_a_static_net_is_given_whole_sequences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exactness, "CHUNK", 5)
    net = StaticModel(4, 2, steps=9)
    found = measure_exactness(net, Addition(length=8), (8,), sequences=6)
    assert 0.0 <= found.rows[0].right <= 1.0


def test_the_mode_of_the_model_stays_and_the_seed_decides() -> None:
    net = parity_by_hand("gru").train()
    first, again, other = (measure_exactness(net, Parity(), (5,), 4, seed) for seed in (1, 1, 2))
    assert net.training
    assert first == again
    assert first.rows[0].error == pytest.approx(other.rows[0].error, abs=1e-6)


@pytest.mark.parametrize(
    ("problem", "sizes"),
    [(Parity(), (20, 21, 40, 200, 2000)), (Addition(length=300), (300, 301, 600))],
)
def test_sizes_that_are_usually_measured(problem: Any, sizes: tuple[int, ...]) -> None:
    assert usual_sizes(problem) == sizes


def test_what_cannot_be_measured() -> None:
    with pytest.raises(InputError, match="a length of 0; expected at least 1"):
        measure_exactness(parity_by_hand("gru"), Parity(), (0, 5))
    with pytest.raises(InputError, match="--sequences is 0"):
        measure_exactness(parity_by_hand("gru"), Parity(), (5,), sequences=0)
