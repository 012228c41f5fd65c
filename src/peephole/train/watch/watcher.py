"""The watcher of one training: when to look, and the row that comes of it."""

import logging
from typing import Any

import torch
from torch import Tensor, nn

from peephole.errors import InputError
from peephole.train.progress import Progress
from peephole.train.watch.looking import look
from peephole.train.watch.memory import memory_held
from peephole.train.watch.numbers import inside, plain, update_ratios
from peephole.train.watch.sequences import WatchedSequences

logger = logging.getLogger("peephole")

MOST_ROWS = 1000  # of a training: a longer one is watched less often, so that its history stays readable


class Watcher:
    """Looks after step 1, then after every `every`-th; 0 never looks. `sequences` None: only at the training itself.

    A training does the same with it as without, bit for bit: it reads weights, and writes none.
    """

    def __init__(self, model: nn.Module, sequences: WatchedSequences | None, every: int, device: torch.device) -> None:
        self.model, self.every, self.device = model, every, device
        self.sequences = None if sequences is None or not every else sequences.to(device)
        self._before: dict[str, Tensor] | None = None

    def begin(self, step: int, total: int | None) -> None:
        """Before the update of this step, counted from 1, of a training of `total`: keep the weights if it is due."""
        due = self.every and (step == 1 or step % max(self.every, (total or 0) // MOST_ROWS) == 0)
        self._before = {name: value.clone() for name, value in self._parameters().items()} if due else None

    @property
    def is_looking(self) -> bool:
        """Whether the update that has begun is one to look at."""
        return self._before is not None

    def row(self, progress: Progress) -> dict[str, Any]:
        """What is to be seen after the update, as `numbers.inside` says, and of the training itself:

        `update_ratio`, ‖Δw‖ / ‖w‖ of each parameter in this step; `clipped`, the share of the steps since the last look
        whose gradient was shortened; `memory` in bytes.
        """
        assert self._before is not None
        row = {
            **self._inside(),
            "update_ratio": update_ratios(self._before, self._parameters()),
            "clipped": progress.clipped / max(1, progress.unwatched),
            "memory": memory_held(self.device),
        }
        self._before = None
        progress.clipped = progress.unwatched = 0
        return plain(row)

    def _parameters(self) -> dict[str, Tensor]:
        return {name: parameter.detach() for name, parameter in self.model.named_parameters()}

    def _inside(self) -> dict[str, Any]:
        """Nothing where there is nothing to be seen: what is wrong with a net is for the training to say."""
        if self.sequences is None:
            return {}
        try:
            return inside(look(self.model, self.sequences))
        except InputError as error:
            logger.info("not looked inside: %s", error)
        except (MemoryError, RuntimeError) as error:
            if not _is_full(error):
                raise
            logger.warning("not looked inside: there is not enough memory for it; --watch 0 does without")
            self.sequences = None
        return {}


def _is_full(error: Exception) -> bool:
    """Whether memory ran out; on a processor torch says so in words alone."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)
