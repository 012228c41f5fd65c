"""The held-out sequences that a training is watched on: the same at every look, so that looks compare."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

ROWS = 4  # sequences side by side
TARGETS = 8  # times at most from which gradients are sent back: each takes a copy of the rows
LONGEST = (1000, 100, 50, 25, 12, 6)  # steps of a sequence at most; fewer where the held-out text has no more


@dataclass(frozen=True, eq=False)
class WatchedSequences:
    """Arguments of a call of the model, tensors `[T, B]` or `[T, B, I]`, and the divergence of what it returns.

    The first `warm` steps of them are run without being looked at, so that states are those of the net as it is now.
    Gradients are sent back from `targets` times, spread over those that the divergence looks at.
    """

    arguments: Mapping[str, Tensor]
    divergence: Callable[[Any], Tensor]
    warm: int = 0
    targets: int = TARGETS

    @staticmethod
    def of(
        arguments: Mapping[str, Any], divergence: Callable[[Any], Tensor], batch_size: int = 2 * TARGETS
    ) -> "WatchedSequences":
        """Of what `TaskModel.examined` gives. States in it are those of the weights of one moment: they are left out,
        and the first half of the steps takes their place. There are fewer targets for a small `batch_size` of the
        training, so that a look costs about as much as two to four of its steps.
        """
        targets = max(1, min(TARGETS, 2 * batch_size // ROWS))
        kept = {name: value for name, value in arguments.items() if name != "states" and value is not None}
        if "states" not in arguments:
            return WatchedSequences(kept, divergence, 0, targets)
        return WatchedSequences(kept, divergence, len(next(iter(kept.values()))) // 2, targets)

    def to(self, device: torch.device) -> "WatchedSequences":
        """On that device. The divergence brings its targets along."""
        moved = {name: value.to(device) for name, value in self.arguments.items()}
        return replace(self, arguments=moved)

    def begun(self, model: nn.Module) -> dict[str, Any]:
        """The arguments after the warm steps, with the states that those leave."""
        if not self.warm:
            return dict(self.arguments)
        before, after = ({name: value[part] for name, value in self.arguments.items()} for part in self._parts)
        with torch.no_grad():
            states = model(**before)[1]
        return {**after, "states": states}

    def divergence_after(self, outputs: Tensor) -> Tensor:
        """The divergence of the outputs `[T − warm, B, ·]` after the warm steps, plus a constant."""
        # The divergence knows the targets of all steps; zeros stand where it is not looked at.
        whole = torch.cat([outputs.new_zeros(self.warm, *outputs.shape[1:]), outputs]) if self.warm else outputs
        return self.divergence(whole if whole.device.type == "cpu" else whole.cpu())

    @property
    def _parts(self) -> tuple[slice, slice]:
        return slice(None, self.warm), slice(self.warm, None)
