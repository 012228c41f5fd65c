"""Divergences between a sequence of outputs and the desired sequence: a weighted sum over time.

    Div(D(1…T), Y(1…T)) = Σ_t w_t Div(D(t), Y(t))

Each returns the sum over time and batch as a float32 scalar, in nats for KL and Bernoulli; divide by `count` for a
mean. `weights` `[T, B]` are the w_t of each row (padding gets 0); without them every w_t is 1. Where only the order of
the desired symbols is known and not their times, it is no sum over time: `ctc`.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, ctc_loss, log_softmax

from peephole.errors import InputError
from peephole.shapes import Logits, Symbols, Weights


def kl(
    logits: Logits,
    targets: Symbols | Logits,
    weights: Weights | None = None,
    classes: Float[Tensor, " classes"] | None = None,
    smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """Σ w_t KL(D(t) ‖ Y(t)) in nats, with Y(t) = softmax(logits).

    Hard targets are class numbers, for which KL is −log Y(t, target); soft targets are distributions over the classes.
    `classes` is what each class counts where targets are hard: the w_t of a step is multiplied with that of its class.
    With `smoothing` ε hard targets become soft ones: 1 − ε of the probability for the target, and ε for all classes
    alike (Szegedy et al. 2016).
    """
    logits = logits.float()
    if targets.dim() == logits.dim() - 1 and not targets.is_floating_point():
        _check(logits.shape[:-1], targets.shape, "targets")
        if classes is not None:
            _check(logits.shape[-1:], classes.shape, "weights of the classes")
            each = classes.to(logits)[targets]
            weights = each if weights is None else weights * each
        flat = logits.flatten(0, -2), targets.flatten()
        entropy = _smoothed_entropy(smoothing, logits.shape[-1])
        if weights is None:
            return cross_entropy(*flat, reduction="sum", label_smoothing=smoothing) - entropy * targets.numel()
        each = cross_entropy(*flat, reduction="none", label_smoothing=smoothing) - entropy
        return _weigh(each.view(targets.shape), weights)
    if classes is not None or smoothing:
        given = "smoothing" if classes is None else "weights of the classes"
        raise InputError(f"{given} came with soft targets; expected class numbers, or nothing of the kind")
    _check(logits.shape, targets.shape, "soft targets")
    soft = targets.float()
    # 0 log 0 is 0 on both sides: a class that D leaves out costs nothing, even where Y leaves it out too
    expected = torch.where(soft != 0, soft * log_softmax(logits, dim=-1), 0.0)
    each = (torch.xlogy(soft, soft) - expected).sum(-1)
    return _weigh(each, weights)


def l2(
    outputs: Float[Tensor, "time batch features"],
    targets: Float[Tensor, "time batch features"],
    weights: Weights | None = None,
) -> Float[Tensor, ""]:
    """Σ w_t ½ ‖Y(t) − D(t)‖²."""
    _check(outputs.shape, targets.shape, "targets")
    targets = _known(targets, weights)
    return _weigh(0.5 * (outputs.float() - targets.float()).square().sum(-1), weights)


def bernoulli(
    logits: Float[Tensor, "time batch notes"],
    targets: Float[Tensor, "time batch notes"],
    weights: Weights | None = None,
) -> Float[Tensor, ""]:
    """Σ w_t Σ_k KL(D_k(t) ‖ Y_k(t)) in nats, of independent events k, with Y_k(t) = σ(logits).

    Of targets that are 0 or 1 it is −log of the probability of what happened; others are probabilities themselves.
    """
    _check(logits.shape, targets.shape, "targets")
    logits, soft = logits.float(), _known(targets.float(), weights)
    cross = binary_cross_entropy_with_logits(logits, soft, reduction="none")
    entropy = torch.xlogy(soft, soft) + torch.xlogy(1 - soft, 1 - soft)  # of D; zero where it is sure
    return _weigh((cross + entropy).sum(-1), weights)


def pinball(
    outputs: Float[Tensor, "time batch outputs"],
    targets: Float[Tensor, "time batch values"],
    quantiles: Float[Tensor, " quantiles"],
    weights: Weights | None = None,
) -> Float[Tensor, ""]:
    """Σ w_t Σ_v mean over q of max(q (D − Y_q), (q − 1) (D − Y_q)), twice: |D − Y| where the one quantile is 0.5.

    The values · quantiles `outputs` hold the quantiles of the first value, then those of the second, and so on (Koenker
    & Bassett 1978).
    """
    count = quantiles.numel()
    _check(torch.Size([*targets.shape[:-1], targets.shape[-1] * count]), outputs.shape, "outputs")
    share = quantiles.to(outputs.device).float()
    error = _known(targets.float(), weights)[..., None] - outputs.float().unflatten(-1, (targets.shape[-1], count))
    each = 2 * torch.maximum(share * error, (share - 1) * error)
    return _weigh(each.mean(-1).sum(-1), weights)


def ctc(
    logits: Float[Tensor, "time batch classes"],
    targets: Int[Tensor, "labels batch"],
    lengths: Int[Tensor, " batch"],
    target_lengths: Int[Tensor, " batch"],
    blank: int = 0,
) -> Float[Tensor, ""]:
    """Σ over rows of −log P(labels | inputs) in nats, with Y(t) = softmax(logits): in order, at whatever times.

    P sums over every way to spread the labels of a row, in order and with blanks between and among them, over its
    `lengths` outputs (connectionist temporal classification, Graves et al. 2006). A row whose outputs are too few for
    its labels, two of a kind needing a blank between them, has no such way: its divergence is infinite and it counts 0
    here; `ctc_steps` says how many outputs labels need.
    """
    logs = log_softmax(logits.float(), dim=-1)
    each = ctc_loss(logs, targets.t(), lengths, target_lengths, blank=blank, reduction="none", zero_infinity=True)
    return each.sum()


def ctc_steps(labels: Int[Tensor, " labels"]) -> int:
    """The fewest outputs over which `labels` can be spread: one for each, and a blank between two of a kind."""
    return len(labels) + int((labels[1:] == labels[:-1]).sum())


def count(targets: Tensor, weights: Tensor | None = None) -> float:
    """What to divide a sum by for a mean: the sum of the weights, or T·B without them."""
    return float(weights.sum()) if weights is not None else float(targets.shape[0] * targets.shape[1])


def _smoothed_entropy(smoothing: float, classes: int) -> float:
    """Of a hard target of so many classes after smoothing, in nats: what KL and the cross entropy differ by."""
    if not smoothing:
        return 0.0
    if not 0 < smoothing < 1:
        raise InputError(f"smoothing is {smoothing}; expected 0 to below 1")
    other = smoothing / classes
    own = 1 - smoothing + other
    return -own * math.log(own) - (classes - 1) * other * math.log(other)


def _known(targets: Tensor, weights: Tensor | None) -> Tensor:
    """Targets with zeros where they do not count: what is no number there would still be one in the gradient."""
    if weights is None:
        return targets
    _check(targets.shape[:-1], weights.shape, "weights")
    return torch.where(weights[..., None] != 0, targets, 0.0)


def _weigh(each: Tensor, weights: Tensor | None) -> Tensor:
    if weights is None:
        return each.sum()
    _check(each.shape, weights.shape, "weights")
    # a weight of zero switches a step off even where its divergence is infinite
    return torch.where(weights != 0, each * weights, 0.0).sum()


def _check(want: torch.Size, got: torch.Size, name: str) -> None:
    if tuple(want) != tuple(got):
        raise InputError(f"{name} have shape {list(got)}; expected {list(want)}")
