"""Connectionist temporal classification against all its paths, and hard targets that are smoothed."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from peephole.divergence import ctc, ctc_steps, kl
from peephole.errors import InputError


def collapsed(path: tuple[int, ...], blank: int) -> tuple[int, ...]:
    """Repeats as one, then no blanks."""
    return tuple(symbol for symbol, _ in itertools.groupby(path) if symbol != blank)


def by_all_paths(logits: Tensor, labels: tuple[int, ...], blank: int) -> float:
    """−log of the sum over every path `[T]` that collapses to the labels; logits `[T, V]`."""
    logs = logits.double().log_softmax(-1).tolist()
    total = 0.0
    for path in itertools.product(range(logits.shape[1]), repeat=len(logits)):
        if collapsed(path, blank) == labels:
            total += math.exp(sum(row[symbol] for row, symbol in zip(logs, path, strict=True)))
    return -math.log(total) if total else math.inf


@pytest.mark.parametrize("blank", [0, 2])
def test_ctc_sums_over_all_paths(blank: int) -> None:
    logits = torch.randn(5, 4, 3, generator=torch.Generator().manual_seed(0))
    one, other = (symbol for symbol in range(3) if symbol != blank)
    labels = [(one,), (one, one), (other, one, other), ()]
    lengths = [5, 4, 3, 2]
    targets = torch.full((3, 4), one)
    for row, wanted in enumerate(labels):
        targets[: len(wanted), row] = torch.tensor(wanted, dtype=torch.int64)
    want = sum(by_all_paths(logits[:steps, row], labels[row], blank) for row, steps in enumerate(lengths))
    got = ctc(logits, targets, torch.tensor(lengths), torch.tensor([len(row) for row in labels]), blank)
    assert got.item() == pytest.approx(want, rel=1e-5)


def test_labels_that_do_not_fit_their_outputs_count_nothing() -> None:
    logits = torch.randn(3, 2, 4, generator=torch.Generator().manual_seed(1)).requires_grad_()
    targets = torch.tensor([[1, 1], [1, 2], [2, 0]])  # 1 1 2 needs four outputs, 1 2 two
    lengths, wanted = torch.tensor([3, 3]), torch.tensor([3, 2])
    both = ctc(logits, targets, lengths, wanted)
    alone = ctc(logits[:, 1:], targets[:, 1:], lengths[1:], wanted[1:])
    assert both.item() == pytest.approx(alone.item(), rel=1e-6)
    (gradient,) = torch.autograd.grad(both, logits)
    assert not gradient[:, 0].any()
    assert bool(torch.isfinite(gradient).all())


@pytest.mark.parametrize(("labels", "steps"), [([], 0), ([3], 1), ([3, 3], 3), ([1, 2, 1], 3), ([1, 1, 1, 2, 2], 8)])
def test_two_of_a_kind_need_a_blank_between_them(labels: list[int], steps: int) -> None:
    assert ctc_steps(torch.tensor(labels, dtype=torch.int64)) == steps
    if steps:
        logits, targets = torch.zeros(steps, 1, 4), torch.tensor(labels)[:, None]
        wanted = torch.tensor([len(labels)])
        assert ctc(logits, targets, torch.tensor([steps]), wanted).item() > 0
    if steps > 1:
        assert ctc(logits[1:], targets, torch.tensor([steps - 1]), wanted).item() == 0


@pytest.mark.parametrize("weighted", [False, True])
def test_smoothed_targets_are_soft_ones(weighted: bool) -> None:
    generator = torch.Generator().manual_seed(2)
    logits, targets = torch.randn(4, 3, 6, generator=generator), torch.randint(6, (4, 3), generator=generator)
    weights = torch.rand(4, 3, generator=generator) if weighted else None
    soft = 0.8 * torch.eye(6)[targets] + 0.2 / 6
    assert kl(logits, targets, weights, smoothing=0.2).item() == pytest.approx(kl(logits, soft, weights).item(), 1e-5)


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, math.nan])
def test_smoothing_is_a_share(smoothing: float) -> None:
    with pytest.raises(InputError, match="expected 0 to below 1"):
        kl(torch.zeros(2, 2, 3), torch.zeros(2, 2, dtype=torch.int64), smoothing=smoothing)
    with pytest.raises(InputError, match="smoothing came with soft targets"):
        kl(torch.zeros(2, 2, 3), torch.full((2, 2, 3), 1 / 3), smoothing=0.1)
