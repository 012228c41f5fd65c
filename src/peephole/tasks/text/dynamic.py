"""Dynamic evaluation: a model that goes on learning from the text that it is measured on."""

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor
from torch.nn import functional

from peephole.data.corpus import Part
from peephole.data.lanes import Lanes
from peephole.errors import InputError
from peephole.models.language.model import LanguageModel

States = tuple[Tensor, ...]

GATHERED_WINDOWS, GATHERED_ROWS = 64, 32  # training gradients whose squares are averaged, and lanes in each
STABLE = 1.0  # mean sizes of a gradient, added to each: what hardly ever has one would leap when it does


class Adapting:
    """A copy of a model that takes a step of gradient descent after each window that it was scored on.

    θ ← θ − rate · ∇ / (s + ε) + decay · (s / s̄) ∘ (θ_trained − θ), where ∇ is the gradient of the window's mean nats
    and s the root mean square of each weight's gradient in training (Krause, Kahembwe, Murray & Renals 2018, Dynamic
    evaluation of neural sequence models, eq. 5 to 8); the pull back is at most all of the way. A window is scored, all
    of it, before anything is learnt from it. The model itself stays as it is.

    A window costs about what one costs in training, and reads each weight a few times more: with many weights short
    windows are what takes long.
    """

    def __init__(self, model: LanguageModel, sizes: Sequence[Tensor], rate: float, decay: float) -> None:
        """`sizes`: s of each parameter, as `gradient_sizes` gives them."""
        self.net: LanguageModel = deepcopy(model).eval().requires_grad_(True)
        self._rate = rate
        mean = mean_of(sizes)
        self._scales = [size + STABLE * mean for size in sizes]
        self._pulls = [(size * (decay / mean)).clamp(max=1.0) for size in sizes]
        self._trained = [parameter.detach() for parameter in model.parameters()]

    def read(
        self, inputs: Tensor, targets: Tensor, states: States | None, begins: Tensor | None
    ) -> tuple[Tensor, Tensor, States]:
        """Nats of each target `[T, B]`, what the softmax read `[T, B, H]`, and the states; then learn from them."""
        with torch.enable_grad():
            nats, read, finals = scored(self.net, inputs, targets, states, begins)
            nats.mean().backward()
        self._learn()
        return nats.detach(), read.detach(), tuple(state.detach() for state in finals)

    @torch.no_grad()
    def _learn(self) -> None:
        known = zip(self.net.parameters(), self._trained, self._scales, self._pulls, strict=True)
        for parameter, trained, scale, pull in known:
            parameter.lerp_(trained, pull)
            if parameter.grad is not None:
                parameter.addcdiv_(parameter.grad, scale, value=-self._rate)
                parameter.grad = None


def scored(
    net: LanguageModel, inputs: Tensor, targets: Tensor, states: States | None, begins: Tensor | None
) -> tuple[Tensor, Tensor, States]:
    """Nats of each target `[T, B]` with their graph, what the softmax read `[T, B, H]`, and the states."""
    read, finals = net.features(inputs, states, begins)
    logits = net.head(read).flatten(0, 1)
    return functional.cross_entropy(logits, targets.flatten(), reduction="none").view_as(targets), read, finals


def gradient_sizes(model: LanguageModel, part: Part, eod: int, window: int) -> list[Tensor]:
    """The root mean square of each weight's gradient on some of the training part, tensors like the parameters.

    Raises:
        InputError: the part is shorter than a window.
    """
    rows = min(GATHERED_ROWS, (len(part.tokens) - 1) // window)
    if rows < 1:
        raise InputError(
            f"the training part has {len(part.tokens):,} tokens; expected more than the {window} of a window, to "
            "measure gradients on; pass a smaller --dynamic-window"
        )
    lanes = Lanes(part, rows, window, eod)
    net = deepcopy(model).eval().requires_grad_(True)
    parameters = list(net.parameters())
    sums = [torch.zeros_like(parameter) for parameter in parameters]
    states: States | None = None
    windows = min(GATHERED_WINDOWS, lanes.windows_per_epoch)
    device = parameters[0].device
    for _ in range(windows):
        given = lanes.next()
        begins = None if given.resets is None else given.resets.to(device)
        with torch.enable_grad():
            nats, _, finals = scored(net, given.inputs.to(device), given.targets.to(device), states, begins)
            nats.mean().backward()
        states = tuple(state.detach() for state in finals)
        for total, parameter in zip(sums, parameters, strict=True):
            if parameter.grad is not None:
                total.addcmul_(parameter.grad, parameter.grad)
                parameter.grad = None
    return [total.div_(windows).sqrt_() for total in sums]


def mean_of(sizes: Sequence[Tensor]) -> float:
    """Mean of all numbers in the tensors."""
    return float(sum(float(size.double().sum()) for size in sizes)) / sum(size.numel() for size in sizes)
