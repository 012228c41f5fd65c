"""A user's own cell as a linear map: torch differentiates its step, so that it is right and slow."""

from collections.abc import Callable

import torch
from torch import Tensor

from peephole.reference.sequence import STEPS
from peephole.stability.recordings.passage import Passage
from peephole.stability.steps.linearised import At, Linearised, Pulled, States


class OwnSteps(Linearised):
    """The derivative of a registered step, by torch's own machinery, one gradient or tangent at a time."""

    def __init__(self, passage: Passage) -> None:
        super().__init__(passage)
        self._step = STEPS[self.spec.family]

    def _run(self, at: At, wanted: Callable[[States, Tensor, dict[str, Tensor]], States]) -> tuple[States, States]:
        """The states that the step left, `[rows, ·]` each with a graph, and the leaves that `wanted` chose."""
        passage = self.passage
        with torch.enable_grad():
            x = passage.x[at].flatten(0, -2).requires_grad_()
            states = tuple(state[at].flatten(0, -2).clone().requires_grad_() for state in passage.before)
            weights = {name: weight.clone().requires_grad_() for name, weight in self.weights.items()}
            leaves = wanted(states, x, weights)
            return self._step(self.spec, x, states, weights, None), leaves

    def pull_cell(self, at: At, gradients: States) -> Pulled:
        """Gradients of the states before, and of x in place of the pre-activations' (`more["dx"]`)."""
        shape = self.passage.before[0][at].shape[:-1]
        after, leaves = self._run(at, lambda states, x, _: (*states, x))
        front = gradients[0].shape[: gradients[0].dim() - len(shape) - 1]
        stacked = [gradient.reshape(-1, shape.numel(), gradient.shape[-1]) for gradient in gradients]
        found = [_gradients(after, leaves, each) for each in zip(*stacked, strict=True)]
        together = [torch.stack(each).reshape(*front, *shape, -1) for each in zip(*found, strict=True)]
        nothing = together[0].new_empty(0)
        return Pulled(tuple(together[:-1]), (gradients[0],), nothing, nothing, {"dx": together[-1]})

    def push_cell(self, at: At, tangents: States) -> States:
        """Tangents of the states after: the pull, which is linear, is differentiated once more."""
        shape = self.passage.before[0][at].shape[:-1]
        after, leaves = self._run(at, lambda states, x, _: states)
        with torch.enable_grad():
            probes = [torch.zeros_like(state).requires_grad_() for state in after]
            pulled = torch.autograd.grad(
                after, leaves, probes, create_graph=True, allow_unused=True, materialize_grads=True
            )
        front = tangents[0].shape[: tangents[0].dim() - len(shape) - 1]
        stacked = [tangent.reshape(-1, shape.numel(), tangent.shape[-1]) for tangent in tangents]
        found = [_gradients(pulled, tuple(probes), each) for each in zip(*stacked, strict=True)]
        return tuple(torch.stack(each).reshape(*front, *shape, -1) for each in zip(*found, strict=True))

    def parameter_gradients(self, at: slice, gradients: States, pulled: Pulled) -> dict[str, Tensor]:
        """Of every parameter."""
        after, leaves = self._run(at, lambda _, __, weights: tuple(weights.values()))
        inner = tuple(gradient.flatten(0, -2) for gradient in self.inner(at, gradients))
        return dict(zip(self.weights, _gradients(after, leaves, inner), strict=True))

    def input_gradient(self, pulled: Pulled) -> Tensor:
        """Gradient of x."""
        return pulled.more["dx"]


def _gradients(outputs: States, leaves: States, weights: States) -> States:
    """The weighted sum of outputs differentiated by each leaf; zeros where it does not depend on it."""
    pairs = [(output, weight) for output, weight in zip(outputs, weights, strict=True) if output.requires_grad]
    if not pairs:
        return tuple(torch.zeros_like(leaf) for leaf in leaves)
    dependent, upstream = zip(*pairs, strict=True)
    found: States = torch.autograd.grad(
        dependent, leaves, upstream, retain_graph=True, allow_unused=True, materialize_grads=True
    )
    return found
